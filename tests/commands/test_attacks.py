"""What was tried to break the command line with, beyond values of options: files that are none, options that contradict
each other, runs that stand in each other's way. Each ends as tests/commands/test_bad_invocations.py says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.files.claim import held

from ..restore.conftest import bank, camera, prior_folder
from .bad_invocations import REPORT
from .refusing import begun, refused
from .test_align import rig
from .test_design import SPEC
from .test_explore import EXPLORE
from .test_full_disk import captured, given, write_captures

__all__ = ["bank", "begun", "camera", "captured", "given", "prior_folder", "refused", "rig", "write_captures"]

LONG = "x" * 5000
TRAIN = "train {pairs} -o OUT --psf {psf} --prior {prior} --crop 32 --steps 1 --quality piqe"
RESTORE = "restore {photographs} -o OUT --psf {psf} --any-lens"
BENCH = "bench -o OUT --psf {psf} --pairs {pairs} --test {others} --steps-per-method 1 --crop 32"
PRETRAIN = "pretrain {photographs} -o OUT --work OUT.w --autoencoder-steps 1 --denoiser-steps 1"
EXPORT = "export {lens} --gds OUT.gds --library si3n4-on-sio2"

CONTRADICTIONS = [
    ("psf {lens} -o OUT.h5 --radii 3 --fields 5x5 --dry-run", "either --fields, a grid, or --radii"),
    ("psf {lens} -o OUT.h5 --wavelengths 250,300 --dry-run", "none lies in the camera's bands"),
    ("psf {lens} -o OUT.h5 --wavelengths 530,530 --dry-run", "named once"),
    ("psf {lens} -o OUT.h5 --wavelengths 0.53,0.6", "--wavelengths"),
    ("psf {lens} -o OUT.h5 --figures OUT.h5 --dry-run", "lies in another output"),
    ("psf {lens} -o OUT.h5 --figures OUT.h5/figures --dry-run", "lies in another output"),
    ("restore {photographs} -o {photographs}/out", "lies in"),
    ("restore {photographs} -o OUT --latents {photographs}/latents", "the next run would take"),
    ("restore {photographs} -o {photographs}/out --method wiener-joint --psf {psf}", "the next run would take"),
    ("data import {photographs} {copies} -o {copies}/pairs", "the next run would take"),
    ("synth {photographs} -o {photographs}/pairs --psf {psf} --dry-run", "the next run would take"),
    ("pseudo {photographs} -o {photographs}/pairs --adapter metacamera", "the next run would take"),
    (PRETRAIN.replace("-o OUT ", "-o {photographs}/prior "), "the next run would take"),
    (PRETRAIN.replace("OUT.w", "{photographs}/work"), "the next run would take"),
    (BENCH.replace("-o OUT", "-o {pairs}/bench"), "the next run would take"),
    (BENCH.replace("-o OUT", "-o {others}/bench"), "the next run would take"),
    ("bench -o {photographs}/bench --lens {lens} --photos {photographs} --steps-per-method 1", "next run would take"),
    ("compare {lens} -o {photographs}/c --photos {photographs} --minutes 0 --dry-run", "the next run would take"),
    ("compare {lens} -o {copies}/c --photos {photographs} --test-photos {copies}", "the next run would take"),
    ("align screens {photographs} -o {photographs}/screens --lens {lens}", "the next run would take"),
    ("data merge {pairs} {others} -o {others} --resume", "is an input itself"),
    ("data merge {pairs} {others} -o {others}/merged", "the next run would take"),
    ("data export {pairs} -o {pairs}/png --to png", "the next run would take"),
    ("data show {pairs} -o {pairs}/sheet.png", "the next run would take"),
    ("train {pairs} -o {pairs}/adapter --psf {psf} --steps 1 --dry-run", "the next run would take"),
    ("train {pairs} -o {others}/adapter --psf {psf} --steps 1 --pseudo {others} --dry-run", "the next run would take"),
    (f"{REPORT} -o {{restored}}/report", "the next run would take"),
    (f"{REPORT} -o {{others}}/report", "the next run would take"),
    ("psf {lens} -o OUT.h5 --wavelengths 450 'a\nmetalens: all is well'", "a\\nmetalens: all is well"),
    ("init lens ..", "'..'"),
    ("init lens ''", "no name was given"),
    (f"init lens {'x' * 200}", "no name"),
    ("init lens 'a\nb'", "no name"),
    ("app no/folder --no-browser", "no/folder"),
    ("app {lens} --no-browser", "lens.toml"),
    ("app . --no-browser --host 256.1.1.1", "cannot listen on 256.1.1.1"),
    ("app . --no-browser --host 'a b'", "cannot listen on"),
    (f"app . --no-browser --host {'x' * 300}", "cannot listen on"),
    ("app . --no-browser --host 192.0.2.1", "cannot listen on 192.0.2.1"),
    ("verify {atoms} -o OUT --fields-deg '' --dry-run", "--fields-deg"),
    (f"verify {{atoms}} -o OUT --fields-deg {','.join(['1'] * 5000)} --dry-run", "--fields-deg"),
    (f"verify {{atoms}} -o OUT --wavelengths-nm {','.join(['540'] * 5000)} --dry-run", "--wavelengths-nm"),
    (
        f"verify {{atoms}} -o OUT --orders-per-pillar {','.join(map(str, range(3, 400)))} --dry-run",
        "--orders-per-pillar",
    ),
    ("verify {lens} -o OUT --dry-run", "meta-atoms"),
    ("verify {atoms} -o OUT --workers 1000000 --dry-run", "--workers"),
    ("explore explore-1mm3 -o OUT --workers 1000000 --dry-run", "--workers"),
    ("compare {lens} -o OUT --photos {photographs} --minutes 1e300 --dry-run", "--minutes"),
    ("compare {lens} -o OUT --photos {photographs} --minutes nan --dry-run", "--minutes"),
    ("compare {lens} -o OUT --photos {photographs} --draws 0 --dry-run", "--draws"),
    ("compare {lens} -o OUT --photos {photographs} --minutes 0 --fields 200x200 --dry-run", "between 1 and 129"),
    ("compare {lens} -o OUT --photos {photographs} --minutes 0 --count 10000000000 --dry-run", "--count"),
    ("doctor --json --json=1", "--json"),
    (f"{RESTORE} --uncertainty --adapter metacamera-200um", "no calibrated uncertainty"),
    (f"{RESTORE} --uncertainty --method wiener-joint", "--uncertainty"),
    (f"{BENCH} --init nowhere", "nowhere"),
    (f"{BENCH} --init metacamera --prior {{prior}}", "another prior"),
    ("psf {lens} {lens} -o OUT.h5", "unexpected extra argument"),
    ("psf '' -o OUT.h5", "is a folder"),
    ("psf {lens} -o ''", "is a folder"),
    ("psf {lens} -o /dev/null", "exists already"),
    ("psf {lens} -o no/../OUT.h5 --dry-run", "its folder no/.. does not exist"),
    ("data merge {pairs} {others} -o no/..", "its folder no does not exist"),
    (f"psf {LONG} -o OUT.h5", "File name too long"),
    (f"psf {{lens}} -o {LONG}", "its name has more than"),
    ("psf fit {psf} -o OUT.toml --lens metacamera --parameters ,", "one or more"),
    ("psf fit {psf} -o OUT.toml --lens metacamera --parameters width_error", "width_error"),
    ("psf fit {photographs}/0.png -o OUT.toml --lens metacamera", "0.png"),
    ("library show si3n4-on-sio2 --angle 33", "has no angle 33°"),
    ("library import --about {about} -o OUT.h5", "give either a table or"),
    ("library import {psf} --about {about} -o OUT.h5", "metalens.atom_table"),
    ("design {design} -o OUT.toml --report OUT.toml", "lies in another output"),
    ("design {design} -o {design}", "exists already"),
    ("tolerance {lens} -o OUT --fields 200x200 --dry-run", "between 1 and 25"),
    (f"{EXPORT} --pitch-nm 1 --dry-run", "sites, 1 nm apart, are more than 16384 a side"),
    (f"{EXPORT} --pitch-nm 39999 --dry-run", "does not fit a lens of 40 µm"),
    (f"{EXPORT} --wavelengths-nm 20000 --dry-run", "lies outside the table"),
    (f"{EXPORT} --grid-nm 101", "--grid-nm"),
    (f"{EXPORT} --label {LONG} --dry-run", "at most 200 ASCII characters"),
    (f"{EXPORT} --atom-layer 2/0 --dry-run", "a layer of their own"),
    (f"{EXPORT} --atom-layer 70000 --dry-run", "up to 65535"),
    (f"{EXPORT} --oasis OUT.gds --dry-run", "two outputs have one name"),
    ("import {sites} -o OUT --like {lens} --library si3n4-on-sio2 --name '' --dry-run", "--name"),
    ("import {sites} -o OUT --like {lens} --library si3n4-on-sio2 --boundary-layer x", "layer"),
    ("sensor calibrate {flats} {flats} --dark {dark}", "is given twice"),
    ("sensor calibrate {dark} --dark {dark}", "is not brighter than the dark frames"),
    ("sensor calibrate {flats} --dark {dark} --bit-depth 4", "more than 4 bits do"),
    ("sensor calibrate {flats}/0.1 --dark {dark}", "levels of light are too few"),
    ("sensor calibrate {photographs} --dark {photographs}", "expected [y, x]"),
    ("synth {photographs} -o OUT --psf {psf} --psf {psf} --dry-run", "is given twice"),
    ("synth {photographs} -o OUT --psf {psf} --slurm a=b --dry-run", "--backend slurm"),
    ("synth {photographs} -o OUT --psf {psf} --backend slurm --slurm =b --dry-run", "KEY=VALUE"),
    ("synth {photographs} -o OUT --psf {psf} --exposure 2", "--exposure"),
    ("synth {photographs} -o OUT --psf {psf} --validation 1", "--validation"),
    ("synth {lens} -o OUT --psf {psf}", "lens.toml"),
    ("synth embedded:nothing -o OUT --psf {psf}", "embedded:nothing"),
    ("synth {photographs} -o OUT --psf-ensemble {pairs}", "metalens.psf"),
    ("data merge {pairs} {pairs}/../pairs -o OUT", "different folders"),
    ("data export {pairs} -o OUT", "Choose from: webdataset, hf, png"),
    ("align target -o OUT.txt", "ends in .png"),
    ("align target -o OUT.png --pixels 65536x65536", "more than any display has"),
    ("align target -o OUT.png --radius 1000", "radius"),
    ("align screens {photographs} -o OUT --lens {lens} --pixels 65536x65536", "more than any display has"),
    ("align {rig} -o OUT --figures OUT", "lies in another output"),
    ("align {rig} -o OUT --figures OUT/figures", "lies in another output"),
    (f"{TRAIN} --config /dev/zero --dry-run", "is a device"),
    (f"{TRAIN} --cuda-graphs", "--cuda-graphs needs --device cuda"),
    (f"{TRAIN} --cuda-graphs --dry-run", "--cuda-graphs needs --device cuda"),
    (f"{TRAIN} --l2-weight 0 --perceptual-weight 0 --dry-run", "nothing is learnt"),
    (f"{TRAIN} --psf {{psf}} --dry-run", "is given twice"),
    (f"{TRAIN} --device meta --dry-run", "--device meta"),
    (f"{TRAIN} --init metacamera --dry-run", "another prior"),
    ("train {pairs} {pairs} -o OUT --psf {psf} --prior {prior} --crop 32 --steps 1 --dry-run", "is given twice"),
    ("train -o OUT --psf {psf} --steps 0 --init metacamera --prior {prior}", "prior embedded"),
    ("pseudo {photographs} -o OUT --adapter metacamera --psf {design}", "design.toml"),
    ("pseudo {pairs} -o OUT --adapter metacamera", "no picture found"),
    (f"{RESTORE} --alpha 0.5 --alpha-map {{photographs}}/0.png", "either --alpha or --alpha-map"),
    (f"{RESTORE} --alpha-map {{photographs}}/0.png", "a map of α is grey"),
    (f"{RESTORE} --alpha 0.75,0.750", "different values"),
    (f"{RESTORE} --alpha 50", "between -1 and 2"),
    (f"{RESTORE} --place 0,1", "does not lie on the sensor"),
    (f"{RESTORE} --tile 1", "--tile 1"),
    ("restore {photographs}/0.png {photographs}/0.png -o OUT --any-lens --psf {psf}", "two captures are named 0"),
    ("restore {pairs} -o OUT", "taken with another lens"),
    (f"{BENCH} --photos {{photographs}}", "either --photos or --pairs"),
    (f"{BENCH} --test-photos {{photographs}}", "either --test-photos or --test"),
    (f"{BENCH} --lens {{lens}}", "either --lens or --psf"),
    (f"{BENCH} --methods wiener-whole,wiener-whole", "is named twice"),
    (f"{BENCH} --chart {{pairs}}", "no chart of edges"),
    (f"{BENCH} --test {{others}}", "two sets are named"),
    (
        "bench -o OUT --lens {lens} --photos {photographs} --test-photos {photographs} --steps-per-method 1",
        "training and of the test",
    ),
    ("bench -o OUT --lens {lens} --photos {lens} --steps-per-method 1", "the photograph cannot be used"),
    ("bench -o OUT --resume --only figures", "holds no benchmark"),
    (f"{PRETRAIN} --denoiser-crop 64 --crop 17", "must be multiples of 2"),
    (f"{PRETRAIN} --denoiser-crop 16 --channels 32,32,32,32,32,32", "for 6 levels"),
    (f"{PRETRAIN} --crop 65536", "at least 65536 pixels"),
]
"""Invocations whose words do not go together, and what the sentence tells."""


@pytest.mark.parametrize(("line", "word"), CONTRADICTIONS, ids=[line[:80] for line, _ in CONTRADICTIONS])
def test_what_contradicts_itself(refused, line: str, word: str) -> None:
    refused(line, word)


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
        "is a device or a pipe",
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


def test_a_photograph_that_is_named_twice_is_taken_once(given: dict[str, str], tmp_path: Path) -> None:
    from metalens.synth.photograph_sources import photographs_of

    folder = Path(given["photographs"])
    assert len(photographs_of([folder / "0.png", folder, str(folder / "0.png")])) == 3


HOLDER = """
import sys
from pathlib import Path
from metalens.formats.files.claim import held
with held(Path(".OUT.h5.lock"), Path("OUT.h5")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_into_one_file_is_refused(refused, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        refused("psf {lens} -o OUT.h5", "another run is writing here")
        holder.communicate("")
    with held(tmp_path / ".OUT.h5.lock", tmp_path / "OUT.h5"):
        pass
