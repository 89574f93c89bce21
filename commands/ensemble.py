"""The banks of an ensemble of drawn lenses, the folder of ``--psf-ensemble``."""

from __future__ import annotations

from pathlib import Path


def ensemble_banks(folder: Path) -> tuple[list[Path], str]:
    """The banks of a folder, and the hash of the camera that they were drawn from.

    If ``metalens tolerance --ensemble`` wrote the folder, only the banks that its list names are taken.

    Raises:
        InputError: the folder holds no bank, or its ensemble is not finished or damaged.
    """
    from metalens.formats.files.errors import InputError
    from metalens.formats.files.input_file import require_folder
    from metalens.formats.psf.ensemble import MANIFEST, SETTINGS, read_psf_ensemble

    require_folder(folder, "give a folder of several psf.h5 to --psf-ensemble")
    if not (folder / MANIFEST).is_file() and not (folder / SETTINGS).is_file():
        paths = sorted(folder.glob("*.h5"))
        if not paths:
            raise InputError(f"{folder}: holds no psf.h5; give a folder of several to --psf-ensemble.")
        return paths, ""
    ensemble = read_psf_ensemble(folder)
    return [ensemble.path(number) for number in range(len(ensemble))], ensemble.manifest.lens_hash
