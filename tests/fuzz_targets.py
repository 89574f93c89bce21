"""What is fuzzed: for each format a file that is whole, and the reader that a damaged one goes through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .conftest import SMALL_CAMERA


@dataclass(frozen=True)
class Target:
    """A format.

    Attributes:
        name: of the file.
        write: makes a whole file at a path, and what else belongs beside it.
        read: reads it.
        is_text: whether numbers and words in it are exchanged too.
    """

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]
    is_text: bool = False


def _text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content, encoding="utf-8")


def _lens() -> Target:
    from metalens.formats.camera.camera import read_camera

    return Target("lens.toml", _text(SMALL_CAMERA), read_camera, is_text=True)


def _design() -> Target:
    from metalens.formats.design.spec import read_design

    from .formats.design.test_spec import SPEC

    return Target("design.toml", _text(SPEC), read_design, is_text=True)


def _tolerances() -> Target:
    from metalens.formats.design.tolerance_spec import read_tolerance_spec

    content = (
        'schema = "metalens.tolerance"\nversion = 1\n[errors]\n'
        'width_error_nm = { distribution = "normal", sigma = 8, limit = 20 }\n'
        'missing_share = { distribution = "uniform", nominal = 0.01, plus_minus = 0.01 }\n'
        "[limits]\nstrehl_ratio = 0.4\nwidth_um = 6\n"
    )
    return Target("tolerances.toml", _text(content), read_tolerance_spec, is_text=True)


def _library() -> Target:
    from metalens.formats.meta_atoms.library import read_atom_library, write_atom_library

    from .formats.meta_atoms.test_library import library

    return Target("library.h5", lambda path: write_atom_library(path, library()), read_atom_library)


def _library_spec() -> Target:
    from metalens.formats.meta_atoms.spec import read_library_spec

    from .commands.test_library import SPEC

    return Target("library.toml", _text(SPEC), read_library_spec, is_text=True)


def _bank() -> Target:
    from metalens.formats.psf.bank_file import read_psf_bank, write_psf_bank

    from .formats.psf.test_bank import make_bank

    return Target("psf.h5", lambda path: write_psf_bank(path, make_bank()), read_psf_bank)


def _write_pairs(folder: Path) -> None:
    from metalens.formats.pairs.reader import open_pairs_writer

    from .formats.pairs.test_pairs_hostile import COUNT, manifest_of, sample_of

    with open_pairs_writer(folder, manifest_of()) as writer:
        writer.write(writer.missing[0], [sample_of(number) for number in range(COUNT)])


def _manifest() -> Target:
    from .formats.pairs.test_pairs_hostile import read_all

    return Target("manifest.json", lambda path: _write_pairs(path.parent), lambda path: read_all(path.parent), True)


def _shard() -> Target:
    from .formats.pairs.test_pairs_hostile import put, read_all

    def read(path: Path) -> object:
        put(path.parent, path.read_bytes())
        return read_all(path.parent)

    return Target("shard-00000.h5", lambda path: _write_pairs(path.parent), read)


def _structure() -> Target:
    from metalens.formats.camera.structure import read_structure, write_structure

    from .formats.camera.test_structure import structure

    return Target("structure.h5", lambda path: write_structure(path, structure()), read_structure)


def _adapter() -> Target:
    from metalens.restore.adapter.adapter_file import adapter_folder, load_restorer

    def write(path: Path) -> None:
        for each in adapter_folder("metacamera").iterdir():
            if each.is_file():
                (path.parent / each.name).write_bytes(each.read_bytes())

    return Target("adapter.json", write, lambda path: load_restorer(path.parent), is_text=True)


def _weights() -> Target:
    whole = _adapter()
    return Target("adapter.safetensors", whole.write, whole.read)


def _latents() -> Target:
    from metalens.restore.adapter.adapter_file import load_restorer
    from metalens.restore.inference.latents_file import load_latents, save_latents
    from metalens.restore.inference.restoration import Settings, latents_of

    restorer = load_restorer("metacamera")
    capture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    settings = Settings(place=(0, 0))

    def write(path: Path) -> None:
        save_latents(path, latents_of(restorer, capture, settings), restorer=restorer, capture=capture)

    return Target("latents.safetensors", write, lambda path: load_latents(path, restorer))


def _layout(kind: str) -> Target:
    from metalens.optics.layout.mask import write_mask
    from metalens.optics.layout.reading import read_drawn_atoms

    from .optics.layout_examples import lens

    def write(path: Path) -> None:
        write_mask(path, lens(5), kind, diameter=2e-6)  # type: ignore[arg-type]

    return Target(f"layout.{kind}", write, read_drawn_atoms)


def _sites() -> Target:
    from metalens.optics.layout.recognition import Made
    from metalens.optics.layout.sites_table import read_sites_table, write_sites_table

    from .optics.layout_examples import lens

    return Target(
        "sites.csv",
        lambda path: write_sites_table(path, lens(5)),
        lambda path: read_sites_table(path, Made(705e-9)),
        is_text=True,
    )


def _zmx() -> Target:
    from metalens.optics.layout.zmx import read_zmx

    from .optics.test_layout_zmx import glass, hybrid

    return Target("lens.zmx", _text(hybrid(glass("N-BK7 0 0 1.5168 64.17"))), read_zmx, is_text=True)


def _touchstone() -> Target:
    from metalens.formats.meta_atoms.touchstone import read_touchstone

    from .formats.meta_atoms.test_touchstone import lines

    return Target("atom.s2p", _text("# GHZ S MA R 50\n" + "\n".join(lines())), read_touchstone, is_text=True)


def _atom_table() -> Target:
    from metalens.formats.meta_atoms.table import import_library

    from .formats.meta_atoms.test_columns import ABOUT, SAMPLES

    columns = (
        '[columns]\ngeometry.diameter = {column = "d", unit = "nm"}\nwavelength = {column = "w"}\n'
        'transmission = [{polarisation = "s", power = "T", phase = "p"}]\n'
    )
    rows = [f"{d},{w},{float(abs(t) ** 2)!r},{float(np.angle(t))!r}" for d, w, t, _ in SAMPLES]

    def write(path: Path) -> None:
        (path.parent / "about.toml").write_text(ABOUT + columns)
        path.write_text("\n".join(["d,w,T,p", *rows]))

    return Target("table.csv", write, lambda path: import_library(path.parent / "about.toml", path), is_text=True)


def _picture(suffix: str) -> Target:
    from PIL import Image

    from metalens.formats.pictures.light import read_light
    from metalens.formats.pictures.pictures import read_picture

    def write(path: Path) -> None:
        values = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(values).save(path)

    def read(path: Path) -> object:
        try:
            return read_picture(path)
        finally:
            read_light(path)

    return Target(f"picture.{suffix}", write, read)


def _exr() -> Target:
    from metalens.formats.pictures.light import read_light

    from .formats.pictures.test_light import write_exr

    light = np.random.default_rng(0).random((6, 8, 3), dtype=np.float32)
    channels = {name: light[..., each].copy() for each, name in enumerate("RGB")}
    return Target("light.exr", lambda path: write_exr(path, channels), read_light)


def _raw(suffix: str) -> Target:
    from PIL import Image

    from metalens.formats.captures.raw_frames import read_raw_frames

    def write(path: Path) -> None:
        values = np.random.default_rng(0).integers(0, 1024, (12, 16), dtype=np.uint16)
        np.save(path, values) if suffix == "npy" else Image.fromarray(values).save(path)

    return Target(f"raw.{suffix}", write, lambda path: read_raw_frames(path, planes=1))


def _dng() -> Target:
    from metalens.formats.captures.camera_raw import read_camera_raw
    from metalens.formats.pictures.metadata import read_metadata

    from .formats.captures.dng import write_dng

    mosaic = np.random.default_rng(0).integers(64, 1024, (32, 36), dtype=np.uint16)

    def read(path: Path) -> object:
        try:
            return read_camera_raw(path).light()
        finally:
            read_metadata(path)

    return Target("raw.dng", lambda path: write_dng(path, mosaic), read)


def _pinholes() -> Target:
    from metalens.formats.captures.pinhole_captures import read_capture_set

    from .formats.captures.test_pinhole_captures import TEXT

    def write(path: Path) -> None:
        np.save(path.parent / "a.npy", np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3))
        np.save(path.parent / "b.npy", np.ones((4, 5, 3)))
        np.save(path.parent / "dark.npy", np.ones((4, 5, 3)))
        path.write_text(TEXT)

    def read(path: Path) -> object:
        found = read_capture_set(path)
        return [found.dark(), *(found.frames(each) for each in found.captures)]

    return Target("captures.toml", write, read, is_text=True)


def _screens() -> Target:
    from metalens.formats.captures.screen_captures import read_alignment_set

    from .formats.captures.test_screen_captures import CAPTURES, FILES, HEAD, LEVELS, TARGET

    def write(path: Path) -> None:
        for name in FILES:
            (path.parent / name).write_bytes(b"")
        path.write_text(HEAD + TARGET + LEVELS + CAPTURES)

    return Target("screens.toml", write, read_alignment_set, is_text=True)


def _phase_map(suffix: str) -> Target:
    from metalens.formats.camera.phase_map import read_phase_map

    from .formats.camera.test_phase_map import MAP, write_hdf5

    writers: dict[str, Callable[[Path], Any]] = {
        "csv": lambda path: np.savetxt(path, MAP, delimiter=","),
        "npy": lambda path: np.save(path, MAP),
        "h5": write_hdf5,
    }
    return Target(f"map.{suffix}", writers[suffix], read_phase_map, is_text=suffix == "csv")


def _recipe() -> Target:
    from metalens.restore.training.config import read_train_config

    content = (
        "[training]\nbatch = 1\ncrop = 32\nlearning_rate = 0.001\n[adapter]\nunet_rank = 2\n[paths]\npositive = 0.7\n"
    )
    return Target("recipe.toml", _text(content), lambda path: read_train_config(path, {}), is_text=True)


def _spectrum() -> Target:
    from metalens.formats.camera.spectral_table import read_spectral_table

    content = "wavelength_nm,power\n" + "".join(f"{each},{each / 700}\n" for each in range(400, 701, 20))
    return Target(
        "lamp.csv", _text(content), lambda path: read_spectral_table(path.name, "source", path.parent), is_text=True
    )


def _plan() -> Target:
    from metalens.restore.bench.plan import BenchPlan, read_plan, write_plan

    def write(path: Path) -> None:
        write_plan(path.parent, BenchPlan("pairs", ("test",), "psf.h5", "0" * 64, "embedded", ("dmdiff",), steps=3))

    return Target("plan.json", write, lambda path: read_plan(path.parent), is_text=True)


def _sensor() -> Target:
    from metalens.formats.camera.sensor_preset import read_sensor_preset
    from metalens.formats.files.toml_file import shipped_text

    content = shipped_text("camera/sensors", "ov6946")
    return Target("sensor.toml", _text(content), lambda path: read_sensor_preset(path.name, path.parent), is_text=True)


def _verification() -> Target:
    from metalens.formats.meta_atoms.verification import read_verification

    from .optics.test_neighbours import verification, zone

    zones = [zone(4, 0.0, 0.0, name, supercell=0.5) for name in "sp"]
    content = verification(zones).model_dump_json(by_alias=True)
    return Target("verification.json", _text(content), read_verification, is_text=True)


def _ensemble() -> Target:
    from metalens.formats.psf.ensemble import (
        EnsembleManifest,
        EnsembleMember,
        read_psf_ensemble,
        write_ensemble_manifest,
    )

    def write(path: Path) -> None:
        member = EnsembleMember(file="000.h5", sha256="0" * 64, lens_hash="1" * 64, draw=0, errors={"defocus_um": 0.5})
        manifest = EnsembleManifest(camera_name="small", lens_hash="2" * 64, seed=3, members=(member,))
        write_ensemble_manifest(path.parent, manifest)

    return Target("ensemble.json", write, lambda path: read_psf_ensemble(path.parent), is_text=True)


def _history() -> Target:
    from metalens.restore.training.log import read_history

    lines = [f'{{"step": {step}, "path": "positive", "loss": 0.5, "l2": 0.25}}\n' for step in range(5)]
    return Target("history.jsonl", _text("".join(lines)), lambda path: read_history(path, before=9), is_text=True)


def _checkpoint() -> Target:
    import torch

    from metalens.restore.training.checkpoint import read_checkpoint, write_checkpoint

    tensors = {"parameter.w": torch.ones(2)}

    def write(path: Path) -> None:
        write_checkpoint(path, tensors, {"stage": "adapter", "step": 3, "seconds": 1.5, "extra": {"seen": 7}})

    def read(path: Path) -> object:
        return read_checkpoint(path, stage="adapter", expected=tensors, optional={})

    return Target("checkpoint.safetensors", write, read, is_text=True)


def _photographs() -> Target:
    from metalens.synth.photographs import find_photographs

    def write(path: Path) -> None:
        (path.parent / "a.png").write_bytes(b"")
        path.write_text('{"photographs": [{"file": "a.png", "licence": "CC0", "credit": "somebody"}]}')

    return Target("manifest.json", write, lambda path: find_photographs([path.parent]), is_text=True)


def _stages() -> Target:
    from metalens.restore.report.evaluation import _stages as read_stages

    content = '[{"name": "psf", "command": "metalens psf", "seconds": 1.5, "peak_memory_mb": 300.0}]'
    return Target("stages.json", _text(content), read_stages, is_text=True)


def _result() -> Target:
    from metalens.restore.bench.folder import Run

    from .restore.bench.test_bench import RESULT_HEAD

    content = RESULT_HEAD + '"variants": ["", "α = 0.5"], "steps": 3, "seconds_per_picture": 0.5}'
    return Target("result.json", _text(content), lambda path: Run(path.parent, "swinir", 0).result(), is_text=True)


def _scores() -> Target:
    from metalens.restore.bench.folder import read_scores

    return Target(
        "scores.json", _text('{"α = 1": {"psnr": {"a": {"whole": 30.5, "centre": null}}}}'), read_scores, True
    )


TARGETS: dict[str, Callable[[], Target]] = {
    "lens": _lens,
    "design": _design,
    "tolerances": _tolerances,
    "library": _library,
    "library-spec": _library_spec,
    "psf": _bank,
    "manifest": _manifest,
    "shard": _shard,
    "structure": _structure,
    "adapter": _adapter,
    "weights": _weights,
    "latents": _latents,
    "gds": lambda: _layout("gds"),
    "oasis": lambda: _layout("oasis"),
    "sites": _sites,
    "zmx": _zmx,
    "touchstone": _touchstone,
    "atom-table": _atom_table,
    "png": lambda: _picture("png"),
    "jpeg": lambda: _picture("jpg"),
    "tiff": lambda: _picture("tif"),
    "exr": _exr,
    "raw-npy": lambda: _raw("npy"),
    "raw-png": lambda: _raw("png"),
    "raw-tiff": lambda: _raw("tif"),
    "raw-dng": _dng,
    "pinholes": _pinholes,
    "screens": _screens,
    "map-csv": lambda: _phase_map("csv"),
    "map-npy": lambda: _phase_map("npy"),
    "map-h5": lambda: _phase_map("h5"),
    "recipe": _recipe,
    "spectrum": _spectrum,
    "plan": _plan,
    "sensor": _sensor,
    "verification": _verification,
    "ensemble": _ensemble,
    "history": _history,
    "checkpoint": _checkpoint,
    "photographs": _photographs,
    "stages": _stages,
    "result": _result,
    "scores": _scores,
}
"""Of each format its target; a target imports what it needs when it is made."""
