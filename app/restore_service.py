"""The process that restores: it holds a restorer, and writes every picture as ``metalens restore`` would.

metalens-app/photographs/KEY/wiener-joint-HASH.png
metalens-app/photographs/KEY/RESTORER/   latents.safetensors, alpha0.75.png, alpha0.75-consistent.png, …
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from metalens.app.embedded import ADAPTERS
from metalens.app.photographs import Photograph, cut_to_sensor, photograph
from metalens.app.project import Project
from metalens.app.service import Tell, answer_requests
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.formats.pictures.scene import to_8_bit
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank

NOISE_SCALE = 10.0
"""Noise scale of the joint Wiener filter; the default of ``metalens restore --noise-scale``."""


class UnknownLens(InputError):
    """The adapter was trained for another lens."""


@dataclass
class Restoring:
    """What the process holds.

    Attributes:
        project: where files are.
        chosen: adapter, psf.h5 and whether any lens is accepted, of the restorer that is loaded.
        restorer: of :mod:`metalens.restore`, if one is loaded.
        bank: point spread functions of the captures' camera, if they are known.
        latents: of the photographs that were opened, by key and restorer.
        measured: figures by zone, by clean picture, picture and metric.
    """

    project: Project
    chosen: tuple[str, str | None] | None = None
    restorer: Any = None
    bank: PsfBank | None = None
    latents: dict[str, Any] = field(default_factory=dict)
    measured: dict[tuple[str, str, str], dict[str, float]] = field(default_factory=dict)

    def load(self, adapter: str, psf: str | None = None, any_lens: bool = False) -> None:
        """Load a restorer, unless it is loaded.

        Args:
            adapter: name or folder.
            psf: the captures' ``psf.h5``, if not the adapter's own.
            any_lens: accept functions of a lens that the adapter was not trained for.

        Raises:
            InputError: the adapter cannot be used; an ``UnknownLens`` waits for a click.
        """
        import torch

        from metalens.restore.adapter.adapter_file import load_restorer
        from metalens.restore.inference.restored_files import known_lenses, take_camera
        from metalens.restore.machine import usable_device

        if self.chosen == (adapter, psf):
            return
        self.chosen, self.latents = None, {}
        restorer = load_restorer(adapter if adapter in ADAPTERS else self.project.inside(adapter))
        bank = None if psf is None else read_psf_bank(self.project.inside(psf))
        if bank is not None:
            if bank.camera.hash not in known_lenses(restorer) and not any_lens:
                raise UnknownLens(f"the adapter was trained for {restorer.camera.name}, not for {bank.camera.name}")
            take_camera(restorer, bank, any_lens=any_lens)
        # As the command does: the memory of the moved weights decides the last bits.
        self.restorer, self.bank = restorer.to(usable_device("cpu"), torch.float32), bank or restorer.bank
        self.chosen = (adapter, psf)

    def open(
        self, tell: Tell, key: str, adapter: str, psf: str | None = None, any_lens: bool = False, cut: bool = False
    ) -> dict[str, Any]:
        """Load the restorer, and predict a photograph's latents or read those that are kept.

        Args:
            tell: progress callback.
            key: of the photograph.
            adapter: name or folder.
            psf: the captures' ``psf.h5``, if not the adapter's own.
            any_lens: accept a capture of another lens than the adapter was trained for.
            cut: take the middle of a picture that does not fit the sensor.

        Returns:
            ``folder`` of the restored pictures, ``key`` of the photograph that was restored, ``camera``, and whether
            ``functions`` are there, ``uncertainty`` is calibrated, and pictures are ``consistent`` by the adapter's own
            block; or ``foreign``, why another camera took it.
        """
        tell(0.02, "loading the adapter")
        try:
            self.load(adapter, psf, any_lens)
        except UnknownLens as error:
            return {"foreign": str(error)}
        from metalens.restore.inference.latents_file import load_latents, save_latents
        from metalens.restore.inference.restoration import Settings, latents_of
        from metalens.restore.inference.restored_files import known_lenses

        given = photograph(self.project, key)
        capture = read_picture(given.capture)
        sensor = self.restorer.camera.sensor.pixels
        if cut and given.about.place is None and capture.shape[:2] != sensor:
            given = cut_to_sensor(self.project, given, capture, sensor)
            capture = read_picture(given.capture)
        if given.about.place is None and capture.shape[:2] != sensor:
            return {
                "foreign": f"it has {capture.shape[0]} × {capture.shape[1]} pixels, the camera "
                f"{self.restorer.camera.name} has {sensor[0]} × {sensor[1]}"
            }
        if set(given.about.lens_hashes) - known_lenses(self.restorer) and not any_lens:
            return {"foreign": f"the adapter was trained for the lens of {self.restorer.camera.name}"}
        folder = given.folder / self._name()
        kept = folder / "latents.safetensors"
        if str(folder) not in self.latents:
            if kept.is_file():
                self.latents[str(folder)] = load_latents(kept, self.restorer)
            else:
                tell(0.1, "computing latents")
                settings = Settings(place=given.about.place)
                found = latents_of(
                    self.restorer, capture, settings, lambda done, total: tell(0.1 + 0.85 * done / total, "latents")
                )
                folder.mkdir(exist_ok=True)
                save_latents(kept, found, restorer=self.restorer, capture=capture, settings=settings)
                self.latents[str(folder)] = found
        tell(1.0, "ready")
        return {
            "key": given.key,
            "folder": self.project.relative(folder),
            "camera": self.restorer.camera.name,
            "functions": self.bank is not None,
            "uncertainty": self.bank is not None and "uncertainty" in self.restorer.training,
            "consistent": self.restorer.consistency is not None,
        }

    def decode(self, tell: Tell, folder: str, alpha: float | str, consistent: bool = False) -> dict[str, Any]:
        """Decode one α, or a map of α, unless the picture is there.

        Args:
            tell: progress callback.
            folder: as :meth:`open` returned it.
            alpha: a number, or the file name of a map in the folder.
            consistent: apply data consistency, unless the adapter has a block of its own.

        Returns:
            ``picture``: its file.
        """
        del tell
        place = self.project.inside(folder)
        label = f"alpha{float(alpha):g}" if not isinstance(alpha, str) else Path(alpha).stem
        consistent = consistent and self.restorer.consistency is None
        target = place / f"{label}{'-consistent' if consistent else ''}.png"
        if isinstance(alpha, str) and not consistent:
            target = place / f"{label}-restored.png"
        if not target.is_file():
            write_picture(target, to_8_bit(self._values(place, alpha, consistent)))
        return {"picture": self.project.relative(target)}

    def wiener(self, tell: Tell, key: str) -> dict[str, Any]:
        """Restore a photograph by the joint Wiener filter.

        Args:
            tell: progress callback.
            key: of the photograph.

        Returns:
            ``picture``: the restored PNG's path, relative to the project folder.
        """
        del tell
        from metalens.restore.deconvolution.joint_wiener import wiener_joint

        given, bank = photograph(self.project, key), self._functions()
        target = given.folder / f"wiener-joint-{bank.camera.hash[:8]}.png"
        kept = self.project.inside(target)
        if not kept.is_file():
            write_picture(kept, wiener_joint(read_picture(given.capture), bank, NOISE_SCALE, place=given.about.place))
        return {"picture": self.project.relative(kept)}

    def uncertainty(self, tell: Tell, folder: str, alpha: float, consistent: bool = False) -> dict[str, Any]:
        """The map of the expected error of a restored picture.

        Args:
            tell: progress callback.
            folder: as :meth:`open` returned it.
            alpha: of the picture.
            consistent: of the picture.

        Returns:
            ``picture``: the path of the map, a grey PNG, relative to the project folder.
        """
        from metalens.restore.inference.capture import Capture
        from metalens.restore.inference.uncertainty import as_grey, expected_error

        picture = self.decode(tell, folder, alpha, consistent)["picture"]
        restored = self.project.inside(picture)
        target = restored.with_name(f"{restored.stem}-uncertainty.png")
        if not target.is_file():
            given = self._photograph(restored.parent)
            seen = Capture(read_picture(given.capture), given.about.place)
            latents = self.latents[str(restored.parent)]
            # As the command: of the values before they are rounded to the file.
            values = self._values(restored.parent, alpha, consistent)
            error = expected_error(self.restorer, latents, seen, values, self._functions())
            write_picture(target, as_grey(error))
        return {"picture": self.project.relative(target)}

    def figures(self, tell: Tell, key: str, pictures: dict[str, str], metric: str) -> dict[str, Any]:
        """Quality of pictures against the clean one by one metric; what was measured before is not measured again.

        Args:
            tell: progress callback.
            key: of the photograph.
            pictures: name → file.
            metric: key of the metric in :data:`metalens.restore.metrics.catalogue.METRICS`.

        Returns:
            ``rows``: name → zone → value; empty if the clean picture is not known or the metric cannot be had.
        """
        from metalens.restore.metrics.catalogue import METRICS

        given = photograph(self.project, key)
        if given.clean is None:
            return {"rows": {}}
        wanted, clean = next(each for each in METRICS if each.key == metric), read_picture(given.clean)
        if wanted.reason(clean.shape) is not None:
            return {"rows": {}}
        tell(0.0, wanted.heading)
        places = {path: (str(given.clean), path, metric) for path in pictures.values()}
        missing = [path for path in places if places[path] not in self.measured]
        if missing:
            seen = [read_picture(self.project.inside(path)) for path in missing]
            for path, found in zip(missing, wanted.load("cpu")(clean, seen), strict=True):
                self.measured[places[path]] = found
        return {"rows": {name: self.measured[places[path]] for name, path in pictures.items()}}

    def _photograph(self, folder: Path) -> Photograph:
        return photograph(self.project, folder.parent.name)

    def _name(self) -> str:
        lens = "none" if self.bank is None else self.bank.camera.hash[:8]
        return f"{self.restorer.identity[:8]}-{lens}"

    def _functions(self) -> PsfBank:
        if self.bank is None:
            raise InputError("this needs the point spread functions of the camera; choose its psf.h5.")
        return self.bank

    def _values(self, folder: Path, alpha: float | str, consistent: bool) -> np.ndarray:
        """The restored picture ``[y, x, 3]`` in 0..1, not rounded."""
        from metalens.restore.inference.data_consistency import DataConsistency
        from metalens.restore.inference.restoration import decode_values, sound_capture
        from metalens.restore.inference.restored_files import read_alpha_map

        wanted = read_alpha_map(folder / alpha) if isinstance(alpha, str) else float(alpha)
        if str(folder) not in self.latents:
            raise InputError("the photograph is not open any more; choose it again.")
        values = decode_values(self.restorer, self.latents[str(folder)], wanted)
        if not consistent or self.restorer.consistency is not None:
            return values
        given = self._photograph(folder)
        place = given.about.place
        capture = sound_capture(self.restorer, read_picture(given.capture), place)
        return DataConsistency(self._functions())(values, capture, place)


def map_name(data: bytes) -> str:
    """File name of a painted map of α, by its content."""
    return f"map-{hashlib.sha256(data).hexdigest()[:12]}.png"


def main() -> None:
    """Run the process: ``python -m metalens.app.restore_service PROJECT [ADAPTER]``, which it loads unasked."""
    state = Restoring(Project(Path(sys.argv[1])))

    def load() -> None:
        for adapter in sys.argv[2:]:
            state.load(adapter)

    answer_requests(
        {name: getattr(state, name) for name in ("open", "decode", "wiener", "uncertainty", "figures")}, load
    )


if __name__ == "__main__":
    main()
