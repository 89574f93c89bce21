"""What the commands are given, made once for all their tests."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera, write_camera
from metalens.formats.pairs.reader import pair_names
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.optics.layout.sites_table import write_sites_table
from metalens.restore.inference.restored_names import restored_name
from metalens.synth.alignment import DotTarget, simulated_rig
from metalens.synth.alignment.rehearsal import rehearse
from metalens.synth.photographs import Photograph

from ..conftest import SMALL_CAMERA
from ..fuzz_targets import TARGETS
from ..optics.layout_examples import lens
from ..psf.conftest import write_captures
from ..restore.conftest import bank, camera, prior_folder, textured, write_pairs
from .refusing import begun, refused
from .test_design import SPEC
from .test_library import SPEC as LIBRARY
from .test_sensor import write_flat_fields

__all__ = ["bank", "begun", "camera", "prior_folder", "refused", "write_captures"]


def texture(seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(480)[:, None], np.fft.rfftfreq(480)) + 1 / 300
    picture = np.fft.irfft2(np.fft.rfft2(generator.standard_normal((480, 480))) / frequency)
    return np.repeat(np.clip(128 + 48 * picture / picture.std(), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("align")
    preset = read_camera("metacamera")
    camera = preset.model_copy(update={"sensor": preset.sensor.model_copy(update={"pixels": (160, 160)})})
    photographs = []
    for number in range(2):
        write_picture(place / f"{number}.png", texture(number))
        photographs.append(Photograph(str(number), place / f"{number}.png"))
    generator = np.random.default_rng(0)
    simulated = simulated_rig(camera.sensor, generator, display=(480, 480), jitter=3.0)
    rehearse(place / "rig", simulated, camera, DotTarget((480, 480), 40, 8), photographs, generator, frames=1)
    moved = simulated.after(2, 1).capture(texture(1), generator)
    np.save(place / "rig" / "capture" / "photograph-00002.npy", moved)
    return place / "rig"


@pytest.fixture(scope="session")
def given(tmp_path_factory, bank, camera, prior_folder: Path) -> dict[str, str]:
    """What the commands are given, by name."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "photographs").mkdir()
    for number, picture in enumerate(textured(3)):
        write_picture(folder / "photographs" / f"{number}.png", picture)
    shutil.copytree(folder / "photographs", folder / "copies")
    (folder / "lens.toml").write_text(SMALL_CAMERA.replace("[spectrum]", "[spectrum]\nwavelengths_per_channel = 1"))
    (folder / "design.toml").write_text(SPEC)
    (folder / "explore.toml").write_text(SPEC + "\n[explore]\ncandidates = 2\nrange = { pupil_um = [18, 20] }\n")
    response = {"kind": "library", "library": "si3n4-on-sio2", "wavelength_nm": 540.0}
    wide = {"aperture_um": 30, "focal_length_um": 30, "response": response}
    atoms = read_camera("hyperbolic").with_(lens=wide, sensor={"pixels": (16, 16), "pixel_pitch_um": 0.5})
    write_camera(folder / "atoms.toml", atoms)
    (folder / "library.toml").write_text(LIBRARY)
    (folder / "recipe.toml").write_text(
        "[training]\nbatch = 1\ncrop = 32\nvalidation_batches = 1\nvalidation_pictures = 1\n"
        'judge = "alex"\n'
        "[adapter]\nunet_rank = 2\nencoder_rank = 2\n"
    )
    write_psf_bank(folder / "psf.h5", bank)
    write_psf_bank(folder / "scattered.h5", replace(bank, layout="scattered"))
    pairs = write_pairs(folder / "pairs", camera, textured(4))
    (folder / "restored").mkdir()
    for number, name in enumerate(pair_names(pairs)):
        write_picture(folder / "restored" / restored_name(name, 0.75), pairs[number][1])
    others = write_pairs(folder / "others", camera, textured(4, seed=1))
    tables = ("lens.toml", "atoms.toml", "design.toml", "explore.toml", "library.toml", "recipe.toml")
    names = ("photographs", "copies", *tables, "psf.h5", "scattered.h5", "restored")
    return {name.partition(".")[0]: str(folder / name) for name in names} | {
        "pairs": str(pairs.folder),
        "others": str(others.folder),
        "prior": str(prior_folder),
    }


@pytest.fixture(scope="session")
def captured(tmp_path_factory, given: dict[str, str], rig: Path, write_captures) -> dict[str, str]:
    """What else commands are given: captures of flat fields, of a screen and of a pinhole; tables and layouts."""
    folder = tmp_path_factory.mktemp("captured")
    write_flat_fields(folder)
    write_sites_table(folder / "sites.csv", lens(9))
    (folder / "library").mkdir()
    TARGETS["atom-table"]().write(folder / "library" / "table.csv")
    spots = np.full((1, 2, 3, 32, 32), 20.0)
    spots[..., 14:19, 14:19] = 2000.0
    write_captures(folder / "pinholes", np.zeros((1, 2)), spots)
    paths = {"flats": "flats", "dark": "dark", "sites": "sites.csv", "table": "library/table.csv"}
    paths |= {"about": "library/about.toml", "pinholes": "pinholes"}
    return {name: str(folder / path) for name, path in paths.items()} | given | {"rig": str(rig / "captures.toml")}
