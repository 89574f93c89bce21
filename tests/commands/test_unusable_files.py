"""Files that are none, or of other content than their name says: each invocation ends as
tests/commands/test_bad_invocations.py says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .bad_invocations import REPORT
from .test_design import SPEC
from .test_explore import EXPLORE

LONG = "x" * 5000


TRAIN = "train {pairs} -o OUT --psf {psf} --prior {prior} --crop 32 --steps 1 --quality piqe"


RESTORE = "restore {photographs} -o OUT --psf {psf} --any-lens"


BENCH = "bench -o OUT --psf {psf} --pairs {pairs} --test {others} --steps-per-method 1 --crop 32"


PRETRAIN = "pretrain {photographs} -o OUT --work OUT.w --autoencoder-steps 1 --denoiser-steps 1"


EXPORT = "export {lens} --gds OUT.gds --library si3n4-on-sio2"


def lens_with(old: str, new: str) -> Callable[[dict[str, str]], None]:
    def write(captured: dict[str, str]) -> None:
        text = Path(captured["lens"]).read_text()
        assert old in text
        Path("a.toml").write_text(text.replace(old, new))

    return write


def recipe(text: str) -> Callable[[dict[str, str]], None]:
    return lambda _: Path("a.toml").write_text(text)


def rig_with(change: Callable[[Path], object]) -> Callable[[dict[str, str]], None]:
    def write(captured: dict[str, str]) -> None:
        shutil.copytree(Path(captured["rig"]).parent, "rig")
        change(Path("rig"))

    return write


def in_folder(name: str, text: str) -> Callable[[dict[str, str]], None]:
    def write(_: dict[str, str]) -> None:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)

    return write


def restored_with(change: Callable[[Path], object]) -> Callable[[dict[str, str]], None]:
    def write(captured: dict[str, str]) -> None:
        shutil.copytree(captured["restored"], "r")
        change(Path("r"))

    return write


def prior_with(part: str, old: str, new: str) -> Callable[[dict[str, str]], None]:
    def write(captured: dict[str, str]) -> None:
        shutil.copytree(captured["prior"], "p")
        path = Path("p") / part
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return write


NAN_REPORT = REPORT.replace("{restored}", "r")


OTHER_PRIOR = "train {pairs} -o OUT --psf {psf} --prior p --crop 32 --steps 1 --quality piqe --dry-run"


def in_spec(old: str, new: str) -> Callable[[dict[str, str]], None]:
    """An exploration's specification with other numbers."""

    def write(_: dict[str, str]) -> None:
        text = SPEC + EXPLORE
        assert old in text
        Path("a.toml").write_text(text.replace(old, new))

    return write


def names_of(text: str) -> Callable[[dict[str, str]], None]:
    return lambda _: Path("names.txt").write_text(text)


NAMED_PAIRS = "data import {photographs} {copies} -o OUT --names names.txt"


PREPARED = {
    "a range of pupils beyond any": (
        in_spec("pupil_um = [16, 20]", "pupil_um = [16, 1e300]"),
        "explore a.toml -o OUT --dry-run",
        "pupil_um",
    ),
    "a range that falls": (
        in_spec("pupil_um = [16, 20]", "pupil_um = [20, 16]"),
        "explore a.toml -o OUT --dry-run",
        "pupil_um",
    ),
    "a range of truth": (
        in_spec("pupil_um = [16, 20]", "pupil_um = [true, 20]"),
        "explore a.toml -o OUT --dry-run",
        "pupil_um",
    ),
    "candidates without end": (
        in_spec("candidates = 2", "candidates = 10000000000"),
        "explore a.toml -o OUT --dry-run",
        "candidates",
    ),
    "more than all refined": (
        in_spec("refine = 0.0", "refine = nan"),
        "explore a.toml -o OUT --dry-run",
        "refine",
    ),
    "a choice of something else": (
        in_spec('camera = { lens = { aperture = { shape = "annulus", inner_diameter_um = 19.9 } } }', "camera = 1"),
        "explore a.toml -o OUT --dry-run",
        "camera",
    ),
    "a choice that forges a line": (
        in_spec('name = "annulus"', 'name = "a\\nmetalens: all is well"'),
        "explore a.toml -o OUT --dry-run",
        "name",
    ),
    "names that leave the folder": (names_of("../lens\n"), NAMED_PAIRS, "lacks ../lens"),
    "a name that is listed twice": (names_of("0.png\n0.png\n"), NAMED_PAIRS, "twice"),
    "a list without names": (names_of("\n \n"), NAMED_PAIRS, "names.txt"),
    "names of a megabyte": (names_of("x" * 2**20), NAMED_PAIRS, "names.txt"),
    "a licence of a megabyte": (
        lambda _: None,
        f"data import {{photographs}} {{copies}} -o OUT --licence {'x' * 100_000}",
        "licence",
    ),
    "an interrupted verification of another lens": (
        in_folder("OUT.parts/asked.json", '{"lens": 1}'),
        "verify {atoms} -o OUT --resume --dry-run",
        "cannot be resumed",
    ),
    "an interrupted verification that is a list": (
        in_folder("OUT.parts/asked.json", "[1]"),
        "verify {atoms} -o OUT --resume --dry-run",
        "asked.json",
    ),
    "an exploration whose note is a number": (
        in_folder("OUT/run.json", "1"),
        "explore explore-1mm3 -o OUT --resume --dry-run",
        "run.json",
    ),
    "a comparison whose note is a list": (
        in_folder("OUT/compare.json", "[1]"),
        "compare {lens} -o OUT --photos {photographs} --minutes 0 --resume --dry-run",
        "compare.json",
    ),
    "a folder of the app that is a file": (in_folder("metalens-app", "x"), "app . --no-browser", "metalens-app"),
    "a state of the app that is a list": (
        in_folder("metalens-app/state.json", "[[[[1]]]]"),
        "app . --no-browser --port 70000",
        "--port",
    ),
    "decentred by a metre": (
        lens_with("lens = {", "lens = { decentre_um = [1e6, 0],"),
        "psf a.toml -o OUT.h5 --dry-run",
        "off axis",
    ),
    "light of drawn lenses beside every window": (
        lens_with("lens = {", "lens = { decentre_um = [0, 200],"),
        "tolerance a.toml -o OUT --dry-run",
        "wider than the focal length",
    ),
    "light of drawn lenses beside the window that is asked for": (
        lens_with("lens = {", "lens = { defocus_um = 1000,"),
        "tolerance a.toml -o OUT --window 9",
        "lands in a window of 9 × 9 pixels; ask for a larger",
    ),
    "a window that no ray reaches": (
        lens_with("lens = {", "lens = { defocus_um = 1000,"),
        "psf a.toml -o OUT.h5 --window 9 --dry-run",
        "lands in a window of 9 × 9 pixels; ask for a larger",
    ),
    "light of a design beside every window": (
        recipe(SPEC.replace("focal_length_um = 60.0", "focal_length_um = 60.0, decentre_um = [0, 120]")),
        "design a.toml -o OUT.toml",
        "wider than the focal length",
    ),
    "light of an exploration beside every window": (
        in_spec("focal_length_um = 60.0", "focal_length_um = 60.0, decentre_um = [0, 120]"),
        "explore a.toml -o OUT",
        "wider than the focal length",
    ),
    "sensor in front of the lens": (
        lens_with("lens = {", "lens = { defocus_um = -100,"),
        "psf a.toml -o OUT.h5 --dry-run",
        "in front of the lens",
    ),
    "micrometres for nanometres": (
        lens_with("wavelength_nm = 530.0", "wavelength_nm = 0.53"),
        "psf a.toml -o OUT.h5 --dry-run",
        "wavelength_nm",
    ),
    "a name that leads away": (lens_with('name = "small"', 'name = "../x"'), "psf a.toml -o OUT.h5", "../x"),
    "an output that is a link to nowhere": (
        lambda _: Path("OUT.h5").symlink_to("nowhere"),
        "psf {lens} -o OUT.h5 --dry-run",
        "exists already",
    ),
    "parts that are a file": (
        lambda _: Path("OUT.h5.parts").touch(),
        "library build {library} -o OUT.h5 --dry-run",
        "is a",
    ),
    "parts of something else": (
        in_folder("OUT.h5.parts/x", ""),
        "library build {library} -o OUT.h5 --resume --dry-run",
        "cannot be resumed",
    ),
    "a checkpoint of nothing": (
        lambda _: Path("OUT.checkpoint.npz").write_bytes(np.random.default_rng(0).bytes(500)),
        "design {design} -o OUT.toml --resume",
        "damaged or no checkpoint",
    ),
    "a note that is a list": (in_folder("OUT/run.json", "[1]"), "tolerance {lens} -o OUT --resume", "run.json"),
    "a manifest that is a list": (
        in_folder("OUT/manifest.json", "[]"),
        "synth {photographs} -o OUT --psf {psf} --resume",
        "manifest.json",
    ),
    "settings that are a number": (in_folder("OUT/settings.json", "1"), f"{TRAIN} --resume", "settings.json"),
    "a training that has finished": (
        in_folder("OUT/adapter.json", "{}"),
        f"{TRAIN} --resume",
        "its training has finished",
    ),
    "a rate as a word": (
        recipe('[training]\nlearning_rate = "high"\n'),
        f"{TRAIN} --config a.toml --dry-run",
        "learning_rate",
    ),
    "a batch that is true": (recipe("[training]\nbatch = true\n"), f"{TRAIN} --config a.toml --dry-run", "batch"),
    "an unknown table": (recipe("[nothing]\n"), f"{TRAIN} --config a.toml --dry-run", "nothing"),
    "a capture that is empty": (
        rig_with(lambda rig: (rig / "capture" / "white.npy").write_bytes(b"")),
        "align rig/captures.toml -o OUT",
        "white.npy",
    ),
    "a capture that is gone": (
        rig_with(lambda rig: (rig / "capture" / "white.npy").unlink()),
        "align rig/captures.toml -o OUT",
        "white.npy",
    ),
    "a lens that is gone": (
        rig_with(lambda rig: (rig / "lens.toml").unlink()),
        "align rig/captures.toml -o OUT",
        "lens.toml",
    ),
    "latents that are a pipe": (
        lambda _: os.mkfifo("x.safetensors"),
        "restore x.safetensors -o OUT --psf {psf} --any-lens",
        "is a pipe",
    ),
    "latents that are empty": (
        lambda _: Path("x.safetensors").touch(),
        "restore x.safetensors -o OUT --psf {psf} --any-lens",
        "no latents that can be read",
    ),
    "a picture larger than any": (
        lambda _: Path("x.ppm").write_text("P6\n100000 100000\n255\n"),
        "restore x.ppm -o OUT --psf {psf} --any-lens",
        "more than 128000000 pixels",
    ),
    "α that is no number": (
        restored_with(lambda r: shutil.copy(r / "p0-alpha0.75.png", r / "p0-alphanan.png")),
        f"{NAN_REPORT} -o OUT",
        "α as 'nan'",
    ),
    "a restored picture that is empty": (
        restored_with(lambda r: (r / "p0-alpha0.75.png").write_bytes(b"")),
        f"{NAN_REPORT} -o OUT",
        "p0-alpha0.75.png: not a picture",
    ),
    "a restored picture that is missing": (
        restored_with(lambda r: (r / "p1-alpha0.75.png").unlink()),
        f"{NAN_REPORT} -o OUT",
        "holds no p1-alpha0.75.png",
    ),
    "a network of 100000 layers": (
        prior_with("unet/config.json", '"layers_per_block": 1', '"layers_per_block": 100000'),
        OTHER_PRIOR,
        "layers_per_block",
    ),
    "a network of a list": (prior_with("vae/config.json", "{", "[{"), OTHER_PRIOR, "not a complete prior"),
}
"""What lies in the folder before the invocation, the invocation, and what the sentence tells."""


@pytest.mark.parametrize("name", PREPARED)
def test_what_lies_there_cannot_be_used(refused, captured: dict[str, str], tmp_path: Path, name: str) -> None:
    prepare, line, word = PREPARED[name]
    os.chdir(tmp_path)
    prepare(captured)
    refused(line, word)
