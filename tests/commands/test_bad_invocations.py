"""Hundreds of ways to use the command line wrongly: each ends with one sentence about it, and leaves nothing behind.

No simulation and no training starts, and no file appears, beside the outputs or among the inputs: all of it is refused
before.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from metalens.cli import COMMANDS, main

from ..restore.conftest import bank, camera, prior_folder
from .test_align import rig
from .test_full_disk import captured, given, write_captures

__all__ = ["bank", "camera", "captured", "given", "prior_folder", "rig", "write_captures"]

BASES = {
    "psf": "psf {lens} -o OUT.h5",
    "psf dry": "psf {lens} -o OUT.h5 --dry-run",
    "measured": "psf measured nowhere.toml -o OUT.h5 --lens {lens}",
    "fit": "psf fit {psf} -o OUT.toml --lens {lens}",
    "library": "library build {library} -o OUT.h5",
    "library dry": "library build {library} -o OUT.h5 --dry-run",
    "library import": "library import --about {library} -o OUT.h5",
    "library show": "library show si3n4-on-sio2",
    "design": "design {design} -o OUT.toml",
    "design dry": "design {design} -o OUT.toml --dry-run",
    "explore": "explore explore-1mm3 -o OUT",
    "explore dry": "explore explore-1mm3 -o OUT --dry-run",
    "tolerance": "tolerance {lens} -o OUT",
    "tolerance dry": "tolerance {lens} -o OUT --dry-run",
    "export": "export {lens} --gds OUT.gds --library si3n4-on-sio2",
    "export dry": "export {lens} --gds OUT.gds --dry-run --library si3n4-on-sio2",
    "import": "import nowhere.gds -o OUT --like {lens}",
    "sensor": "sensor calibrate nowhere.npy --dark nowhere.npy -o OUT.toml",
    "synth": "synth {photographs} -o OUT --psf {psf}",
    "synth dry": "synth {photographs} -o OUT --psf {psf} --dry-run",
    "data verify": "data verify {pairs}",
    "data show": "data show {pairs}",
    "data merge": "data merge {pairs} {others} -o OUT",
    "data export": "data export {pairs} -o OUT --to png",
    "align": "align nowhere.toml -o OUT",
    "align target": "align target -o OUT.png",
    "align screens": "align screens {photographs} -o OUT --lens {lens}",
    "train": "train {pairs} -o OUT --psf {psf} --prior {prior} --crop 32 --steps 1 --quality piqe",
    "train dry": "train {pairs} -o OUT --psf {psf} --prior {prior} --crop 32 --steps 1 --quality piqe --dry-run",
    "transfer dry": "train -o OUT --psf {psf} --steps 0 --init metacamera --dry-run",
    "pseudo": "pseudo {photographs} -o OUT --adapter metacamera",
    "restore": "restore {photographs} -o OUT --any-lens",
    "report": "report -o OUT --psf {psf} --pairs {pairs} --restored nowhere --adapter metacamera --tune {others}",
    "bench": "bench -o OUT --psf {psf} --pairs {pairs} --test {others} --steps-per-method 1",
    "compare": "compare {lens} -o OUT --photos {photographs}",
    "pretrain": "pretrain {photographs} -o OUT --work OUT.w --autoencoder-steps 1 --denoiser-steps 1",
    "demo": "demo -o OUT",
}
"""Invocations that nothing is wrong with, or only that a file is missing, which is found after what is added here."""

WHOLE = ("0", "-3", "10000000000", "18446744073709551616", "1.5", "nan", "1e3", "three")
"""No whole number from 1 to some millions."""

INDEX = ("-1", "18446744073709551616", "1.5", "nan", "seed")
REAL = ("-1", "1e300", "nan", "inf", "-inf", "much", "1,5")
LENGTH = ("0", "1e-300", *REAL)
GRID = ("0x0", "7", "x7", "7x", "-1x3", "1000000x1", "7x7x7", "nanx1", "seven")
PATHS = ("nan,0,0", "1,0", "1e300,0,0", "-1,1,1", "a,b,c")
WORD = ("nothing-of-this-name",)
MAP = ("0", "-3", "1,2,", "450,nan", "450,1e300", "450,-1", "100")

OPTIONS = {
    "psf": {
        "--fields": GRID,
        "--radii": WHOLE,
        "--window": WHOLE,
        "--wavelengths": MAP,
        "--spectral-tolerance": LENGTH,
        "--engine": WORD,
    },
    "measured": {"--window": WHOLE},
    "fit": {"--wavelengths": WHOLE},
    "library": {"--workers": WHOLE},
    "library show": {"--angle": ("90", "-90", "1e300", "nan", "inf", "steep"), "--polarisation": WORD},
    "design": {"--minutes": LENGTH, "--seed": INDEX},
    "explore": {
        "--candidates": WHOLE,
        "--workers": ("-1", "1000000", "1.5", "nan"),
        "--backend": WORD,
    },
    "tolerance": {
        "--draws": WHOLE,
        "--ensemble": WHOLE,
        "--fields": GRID,
        "--wavelengths": WHOLE,
        "--window": WHOLE,
        "--seed": INDEX,
        "--workers": WHOLE,
    },
    "export": {
        "--pitch-nm": LENGTH,
        "--grid-nm": LENGTH,
        "--vertices": ("2", *WHOLE),
        "--wavelengths-nm": ("9", *MAP),
        "--zemax-tolerance-rad": LENGTH,
        "--lattice": WORD,
    },
    "import": {"--pitch-nm": LENGTH, "--aperture-um": LENGTH, "--lattice": WORD, "--map-of": WORD},
    "sensor": {"--bit-depth": ("3", "17", *WHOLE)},
    "synth": {
        "--count": WHOLE,
        "--crops": ("0", "-3", "1x-1", "nan", "70000", "10000000000", "axb"),
        "--exposure": ("0", "-1", "nan", "1,nan", "inf", "1,0.5", "bright"),
        "--validation": ("1.5", *REAL),
        "--seed": INDEX,
        "--shard-size": WHOLE,
        "--workers": ("-1", "1000000", "1.5", "nan"),
        "--backend": WORD,
    },
    "data show": {"--figures": ("-1", "10000000000", "nan")},
    "data merge": {"--shard-size": WHOLE},
    "data export": {"--tar-samples": WHOLE, "--to": WORD},
    "align": {"--shard-size": WHOLE},
    "align target": {"--pixels": GRID, "--spacing": LENGTH, "--radius": LENGTH},
    "align screens": {"--pixels": GRID, "--spacing": LENGTH},
    "train": {
        "--steps": ("-3", "10000000000", "1.5", "nan"),
        "--minutes": LENGTH,
        "--batch": WHOLE,
        "--accumulate": WHOLE,
        "--crop": WHOLE,
        "--learning-rate": LENGTH[:1] + LENGTH[2:],
        "--q-rate": REAL,
        "--warm-up": INDEX,
        "--clip": REAL,
        "--ema": REAL,
        "--l2-weight": REAL,
        "--perceptual-weight": REAL,
        "--paths": PATHS,
        "--pseudo-share": REAL,
        "--pseudo-noise": REAL,
        "--pseudo-noise-probability": REAL,
        "--unet-rank": WHOLE,
        "--encoder-rank": WHOLE,
        "--checkpoint-every": WHOLE,
        "--validate-every": WHOLE,
        "--workers": ("-1", "1000000", "nan"),
        "--seed": INDEX,
        "--quality": WORD,
        "--precision": WORD,
        "--judge": WORD,
        "--perceptual": WORD,
        "--q": WORD,
    },
    "pseudo": {"--count": WHOLE, "--seed": INDEX},
    "restore": {
        "--alpha": ("nan", "inf", "1e300", "0,", "much"),
        "--steps": ("5", *WHOLE),
        "--tile": WHOLE,
        "--place": ("1", "-1,0", "nan,0", "1e9,1", "1000000,1", "a,b"),
        "--precision": WORD,
    },
    "bench": {
        "--count": WHOLE,
        "--minutes-per-method": LENGTH,
        "--steps-per-method": WHOLE,
        "--seeds": WHOLE,
        "--batch": WHOLE,
        "--crop": WHOLE,
        "--parallel": WHOLE,
    },
    "compare": {
        "--count": WHOLE,
        "--minutes": REAL,
        "--steps": WHOLE,
        "--batch": WHOLE,
        "--crop": WHOLE,
        "--fields": GRID,
        "--wavelengths": WHOLE,
        "--draws": WHOLE,
        "--precision": WORD,
        "--exposure": WORD,
    },
    "pretrain": {
        "--autoencoder-minutes": LENGTH,
        "--denoiser-minutes": LENGTH,
        "--autoencoder-steps": WHOLE,
        "--denoiser-steps": WHOLE,
        "--batch": WHOLE,
        "--crop": WHOLE,
        "--denoiser-batch": WHOLE,
        "--denoiser-crop": WHOLE,
        "--learning-rate": LENGTH[:1] + LENGTH[2:],
        "--denoiser-learning-rate": LENGTH[:1] + LENGTH[2:],
        "--channels": ("32", "31,32", "0,32", "nan,32", "-32,32"),
        "--seed": INDEX,
    },
}
"""Of each command the options that take no file, with values that none of them takes: the sentence names the option."""

REPORT = "report --psf {psf} --pairs {pairs} --restored {restored} --adapter metacamera --tune {others}"

FILES = [
    ("psf nowhere.toml -o OUT.h5", "nowhere.toml"),
    ("psf {photographs} -o OUT.h5", "photographs"),
    ("psf {psf} -o OUT.h5", "psf.h5"),
    ("psf {design} -o OUT.h5", "design.toml"),
    ("psf {lens} -o no/OUT.h5", "its folder no does not exist"),
    ("psf {lens} -o no/OUT.h5 --dry-run", "its folder no does not exist"),
    ("psf {lens} -o .", "is a folder"),
    ("psf {lens} -o . --dry-run", "is a folder"),
    ("psf {lens} -o OUT.h5 --window 4 --dry-run", "odd"),
    ("psf {lens} -o OUT.h5 --fields 0x0 --dry-run", "--fields"),
    ("psf {lens} -o OUT.h5 --fields 200x1 --dry-run", "between 1 and 129"),
    ("psf {lens} -o OUT.h5 --wavelengths 3 --spectral-tolerance 0.02 --dry-run", "one of them was expected"),
    ("psf measured nowhere.toml -o OUT.h5 --lens {lens}", "nowhere.toml"),
    ("psf measured {lens} -o OUT.h5 --lens {lens}", "lens.toml"),
    ("psf fit nowhere.h5 -o OUT.toml --lens {lens}", "nowhere.h5"),
    ("psf fit {lens} -o OUT.toml --lens {lens}", "lens.toml"),
    ("psf fit {psf} -o OUT.toml --lens nowhere", "nowhere"),
    ("library build nowhere.toml -o OUT.h5", "nowhere.toml"),
    ("library build {lens} -o OUT.h5", "lens.toml"),
    ("library import --about nowhere.toml -o OUT.h5", "nowhere.toml"),
    ("library import --about {lens} -o OUT.h5", "lens.toml"),
    ("library show nowhere", "nowhere"),
    ("library show {psf}", "psf.h5"),
    ("design nowhere -o OUT.toml", "nowhere"),
    ("design {lens} -o OUT.toml", "lens.toml"),
    ("design {design} -o no/OUT.toml --dry-run", "does not exist"),
    ("design explore-1mm3 -o OUT.toml", "metalens explore"),
    ("explore nowhere -o OUT", "nowhere"),
    ("explore {design} -o OUT", "no table [explore]"),
    ("explore explore-1mm3 -o {photographs}", "not empty"),
    ("explore explore-1mm3 -o OUT --slurm partition=short", "--backend slurm"),
    ("explore explore-1mm3 -o OUT --backend slurm --slurm nothing --dry-run", "KEY=VALUE"),
    ("tolerance nowhere -o OUT", "nowhere"),
    ("tolerance {lens} -o OUT --spec nowhere.toml", "nowhere.toml"),
    ("tolerance {lens} -o OUT --spec {lens} --dry-run", "lens.toml"),
    ("export nowhere --gds OUT.gds", "nowhere"),
    ("export {lens}", "nothing to write"),
    ("export {lens} --gds OUT.gds --library nope", "nope"),
    ("export {lens} --gds OUT.gds --library nope --dry-run", "nope"),
    ("export {lens} --zemax OUT.zmx --library nope --dry-run", "nope"),
    ("export {lens} --gds OUT.gds --library {psf} --dry-run", "psf.h5"),
    ("export {lens} --gds OUT --csv OUT --dry-run", "two outputs have one name"),
    ("export {lens} --gds OUT.gds --atom-layer x --dry-run", "layer"),
    ("export {lens} --gds OUT.gds --circles --dry-run", "--circles"),
    ("import nowhere.gds -o OUT --like {lens}", "nowhere.gds"),
    ("import {lens} -o OUT --like {lens} --library si3n4-on-sio2", "lens.toml"),
    ("import {psf} -o OUT --like nowhere", "nowhere"),
    ("sensor calibrate nowhere.npy --dark nowhere.npy", "nowhere.npy"),
    ("sensor calibrate {psf} --dark {psf}", "psf.h5"),
    ("synth nowhere -o OUT --psf {psf}", "nowhere"),
    ("synth {photographs} -o OUT", "no camera"),
    ("synth {photographs} -o OUT --psf nowhere.h5", "nowhere.h5"),
    ("synth {photographs} -o OUT --psf {lens} --dry-run", "lens.toml"),
    ("synth {photographs} -o OUT --psf-ensemble nowhere --dry-run", "nowhere"),
    ("synth {photographs} -o OUT --psf {psf} --crops 4096 --dry-run", "4096"),
    ("synth {photographs} -o {pairs} --psf {psf} --dry-run", "not empty"),
    ("synth {photographs} -o OUT --psf {psf} --backend slurm --slurm nothing --dry-run", "KEY=VALUE"),
    ("data verify nowhere", "nowhere"),
    ("data verify {photographs}", "photographs"),
    ("data show nowhere", "nowhere"),
    ("data show {pairs} -o OUT.txt", "OUT.txt"),
    ("data merge {pairs} nowhere -o OUT", "nowhere"),
    ("data export {photographs} -o OUT --to png", "photographs"),
    ("align nowhere.toml -o OUT", "nowhere.toml"),
    ("align {lens} -o OUT", "lens.toml"),
    ("align screens nowhere -o OUT --lens {lens}", "nowhere"),
    ("train -o OUT --psf {psf} --steps 1", "PAIRS"),
    ("train {pairs} -o OUT --psf {psf} --dry-run", "--steps or --minutes"),
    ("train nowhere -o OUT --psf {psf} --steps 1", "nowhere"),
    ("train {pairs} -o OUT --psf nowhere.h5 --steps 1", "nowhere.h5"),
    ("train {pairs} -o OUT --psf {lens} --steps 1 --dry-run", "lens.toml"),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --config nope --dry-run", "nope"),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --config {lens} --dry-run", "lens.toml"),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --init nope --dry-run", "nope"),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --batch 0 --dry-run", "--batch"),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --learning-rate nan --dry-run", "--learning-rate"),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --crop 4096 --dry-run", "4096"),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --crop 33 --prior {prior} --dry-run", "33"),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --prior ./nope --crop 32 --dry-run", "nope"),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --paths 0.5,0.5,0.5 --dry-run", "sum to 1"),
    ("train {pairs} -o {photographs} --psf {psf} --steps 1 --dry-run", "not empty"),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --pseudo nowhere --dry-run", "nowhere"),
    ("train -o OUT --psf {psf} --steps 0 --dry-run", "--init"),
    ("train -o OUT --psf {psf} --steps 0 --init nope --dry-run", "nope"),
    ("train -o {photographs} --psf {psf} --steps 0 --init metacamera --dry-run", "not empty"),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --device abacus", "abacus"),
    ("pseudo nowhere -o OUT --adapter metacamera", "nowhere"),
    ("pseudo {photographs} -o OUT --adapter nope", "nope"),
    ("pseudo {photographs} -o OUT --adapter metacamera --prior ./nope", "nope"),
    ("pseudo {photographs} -o OUT --adapter metacamera --psf nowhere.h5", "nowhere.h5"),
    ("restore nowhere.png -o OUT", "nowhere.png"),
    ("restore {photographs} -o OUT --adapter nope", "nope"),
    ("restore {photographs} -o OUT --adapter {pairs}", "pairs"),
    ("restore {photographs} -o OUT --consistent", "--psf"),
    ("restore {photographs} -o OUT --psf nowhere.h5", "nowhere.h5"),
    ("restore {photographs} -o OUT --alpha-map nowhere.png", "nowhere.png"),
    ("restore {photographs} -o OUT --device abacus", "abacus"),
    (
        "report -o OUT --psf nowhere.h5 --pairs {pairs} --restored {pairs} --adapter metacamera --tune {pairs}",
        "nowhere",
    ),
    ("report -o OUT --psf {psf} --pairs nowhere --restored {pairs} --adapter metacamera --tune {pairs}", "nowhere"),
    ("report -o OUT --psf {psf} --pairs {pairs} --restored nowhere --adapter metacamera --tune {pairs}", "nowhere"),
    ("report -o OUT --psf {psf} --pairs {pairs} --restored {pairs} --adapter nope --tune {pairs}", "nope"),
    ("bench -o OUT --methods nothing --psf {psf} --pairs {pairs} --test {others} --steps-per-method 1", "nothing"),
    ("bench -o OUT --psf nowhere.h5 --pairs {pairs} --test {others} --steps-per-method 1", "nowhere.h5"),
    ("bench -o OUT --psf {psf} --pairs nowhere --test {others} --steps-per-method 1", "nowhere"),
    ("compare nowhere -o OUT --photos {photographs}", "nowhere"),
    ("compare {lens} {lens} -o OUT --photos {photographs}", "both named"),
    ("compare {lens} wide-field -o OUT --photos {photographs}", "sensor"),
    ("compare {lens} -o OUT --photos nowhere", "nowhere"),
    ("compare {lens} -o OUT --photos {photographs} --test-photos {photographs}", "the same picture"),
    ("compare metacamera -o OUT --photos {photographs}", "covers the field of metacamera"),
    ("compare {lens} -o OUT --photos {photographs} --init nope", "nope"),
    ("compare {lens} -o OUT --photos {photographs} --prior ./nope", "nope"),
    ("compare {lens} -o OUT --photos {photographs}", "--crop 96, expected a multiple of"),
    ("compare {lens} -o OUT --photos {photographs} --device abacus", "abacus"),
    ("compare {lens} -o {pairs} --photos {photographs} --minutes 0", "not empty"),
    ("pretrain nowhere -o OUT --work OUT.w --autoencoder-steps 1 --denoiser-steps 1", "nowhere"),
    ("pretrain {photographs} -o OUT --work OUT.w", "--steps or --minutes"),
    ("pretrain {photographs} -o OUT --work OUT.w --autoencoder-steps 1 --denoiser-steps 1 --cuda-graphs", "cuda"),
    ("demo -o {photographs}", "not empty"),
    ("psf {lens} -o {lens}", "exists already"),
    ("psf {lens} -o OUT.h5 --figures no/figures --dry-run", "its folder no does not exist"),
    ("psf {lens} -o OUT.h5 --figures {photographs}", "not empty"),
    ("psf measured {pinholes} -o {psf} --lens {lens}", "exists already"),
    ("psf fit {psf} -o {lens} --lens metacamera", "exists already"),
    ("psf fit {psf} -o OUT.toml --lens metacamera --parameters nothing", "nothing"),
    ("psf fit {psf} -o OUT.toml --lens metacamera --parameters defocus,defocus", "each once"),
    ("psf fit {psf} -o OUT.toml --lens {lens}", "the bank's pixels are 1.75 µm, those of small 1 µm"),
    ("library build {library} -o {library} --dry-run", "exists already"),
    ("library show si3n4-on-sio2 --figures no/figures", "its folder no does not exist"),
    ("design {design} -o {lens} --dry-run", "exists already"),
    ("tolerance {lens} -o {photographs} --dry-run", "not empty"),
    ("tolerance {lens} -o no/OUT --dry-run", "its folder no does not exist"),
    ("tolerance {lens} -o {photographs} --resume", "cannot be resumed"),
    ("export {lens} --gds {lens} --library si3n4-on-sio2", "exists already"),
    ("export {lens} --gds no/OUT.gds --library si3n4-on-sio2", "its folder no does not exist"),
    ("import {sites} -o OUT --like {lens} --library si3n4-on-sio2 --name ../x --dry-run", "--name"),
    ("sensor calibrate {flats} --dark {dark} -o no/OUT.toml", "its folder no does not exist"),
    ("sensor calibrate {flats} --dark {flats} -o OUT.toml", "holds 9 levels"),
    ("synth {photographs} -o {photographs} --resume --psf {psf} --dry-run", "cannot be resumed"),
    ("synth {photographs} -o no/OUT --psf {psf} --dry-run", "its folder no does not exist"),
    ("data merge {pairs} {pairs} -o OUT", "different folders"),
    ("data merge {pairs} {others} -o {photographs}", "not empty"),
    ("data export {pairs} -o {photographs} --to png", "not empty"),
    ("data show {pairs} -o no/OUT.png", "its folder no does not exist"),
    ("align {rig} -o OUT --figures no/figures", "its folder no does not exist"),
    ("align {rig} -o {photographs} --dry-run", "not empty"),
    ("align {rig} -o {photographs} --resume", "cannot be resumed"),
    ("align screens {photographs} -o OUT --lens nowhere", "nowhere"),
    ("align screens {photographs} -o OUT --lens {psf}", "psf.h5"),
    ("align screens {photographs} -o {photographs} --lens {lens}", "not empty"),
    ("train {pairs} -o no/OUT --psf {psf} --prior {prior} --crop 32 --steps 1 --dry-run", "does not exist"),
    ("train {pairs} -o {photographs} --psf {psf} --prior {prior} --crop 32 --steps 1 --resume --dry-run", "resumed"),
    (
        "train {pairs} -o OUT --psf {psf} --psf-ensemble nowhere --prior {prior} --crop 32 --steps 1 --dry-run",
        "nowhere",
    ),
    ("train -o no/OUT --psf {psf} --steps 0 --init metacamera --dry-run", "its folder no does not exist"),
    ("pseudo {photographs} -o {photographs} --adapter metacamera", "not empty"),
    ("pseudo {photographs} -o {photographs} --adapter metacamera --resume", "cannot be resumed"),
    ("restore {photographs} -o OUT --latents OUT --any-lens --psf {psf}", "in another output"),
    ("restore {photographs} -o OUT --latents no/l --any-lens --psf {psf}", "its folder no does not exist"),
    ("restore {photographs} -o {photographs}", "not empty"),
    (f"{REPORT} -o OUT --curve nowhere", "nowhere"),
    (f"{REPORT} -o OUT --stages nowhere", "nowhere"),
    (f"{REPORT} -o {{photographs}}", "not empty"),
    (f"{REPORT} -o no/OUT", "its folder no does not exist"),
    ("bench -o OUT --lens nowhere --steps-per-method 1", "nowhere"),
    ("bench -o OUT --psf {psf} --pairs {pairs} --test {others} --steps-per-method 1 --prior nope", "nope"),
    ("pretrain {photographs} -o {photographs} --work OUT.w --autoencoder-steps 1 --denoiser-steps 1", "not empty"),
    ("pretrain {photographs} -o OUT --work {photographs} --autoencoder-steps 1 --denoiser-steps 1", "not empty"),
    ("pretrain {photographs} -o OUT --work OUT --autoencoder-steps 1 --denoiser-steps 1", "in another output"),
    ("pretrain {photographs} -o OUT --work OUT.w --autoencoder-steps 1 --denoiser-steps 1", "at least 96 pixels"),
    ("demo -o no/OUT", "its folder no does not exist"),
    ("unheard-of", "unheard-of"),
]
"""Invocations, and what the sentence tells of what is wrong with them."""

LENS_KEYS = {
    "aperture_um = 40.0": ("true", "1e300", "1e-300", "-1", "nan", "inf", "[1]", '"wide"'),
    "focal_length_um = 100.0": ("true", "1e300", "1e-300", "0"),
    "pixel_pitch_um = 1.0": ("true", "1e300", "1e-300"),
    "bit_depth = 10": ("true", "10000000000", "1.5"),
    "full_well_e = 5000.0": ("true", "1e300", "1e-300"),
    "read_noise_e = 3.0": ("true", "-1", "1e300"),
    "wavelength_nm = 530.0": ("true", "1e300", "1e-300"),
    "pixels = [32, 32]": ("[true, 32]", "[1e300, 32]", "[10000000000, 32]", "[-3, 32]"),
}
"""Keys of lens.toml, with values that they do not take."""


WORK = (
    "os.posix_spawn",
    "torch.nn.Module.__call__",
    "metalens.optics.rcwa.atom.scatter_plane_wave",
    "metalens.psf.captured.captures.find_shifts",
    "metalens.psf.captured.fit._Search.run",
    "metalens.psf.design.search.Gradients.planned_for",
    "metalens.psf.simulator.PsfSimulator.__call__",
    "metalens.psf.simulator.PsfSimulator.of_field",
    "metalens.restore.bench.process.start_python",
    "metalens.restore.report.evaluation.tune_regulariser",
    "metalens.restore.training.optimisation.Optimisation.descend",
    "metalens.runners.local.start_python",
    "metalens.synth.alignment.calibration.find_dots",
    "metalens.synth.blur.operator.ShiftVariantBlur.__call__",
)
"""What computes: the engines, a step of each optimisation, the networks, the blur, and the start of other processes."""


def everything_in(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*"))


@pytest.fixture
def begun(monkeypatch) -> list[str]:
    """Names of what has computed; it fails, for nothing should."""
    names: list[str] = []

    def forbidden(name: str):
        def begin(*_: object, **__: object) -> None:
            names.append(name)
            raise AssertionError(f"{name} has begun to compute")

        return begin

    for name in WORK:
        monkeypatch.setattr(name, forbidden(name))
    return names


@pytest.fixture
def refused(captured, begun, tmp_path, monkeypatch, capfd):
    """Run what is wrong in an empty folder; it ends with one sentence that holds these words."""
    monkeypatch.chdir(tmp_path)
    inputs = [Path(captured[name]).parent for name in ("lens", "sites", "rig")]

    def call(line: str, word: str) -> None:
        before = everything_in(tmp_path, *inputs)
        monkeypatch.setattr(sys, "argv", ["metalens", *shlex.split(line.format(**captured))])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capfd.readouterr()
        # Beside how the command is used, and bars of progress, which a later line may write over.
        said = [
            each for each in err.splitlines() if each and not each.startswith(("Usage: ", "Try '")) and "%|" not in each
        ]
        assert stopped.value.code in (1, 2), line
        assert out == ""
        assert len(said) == 1, err
        assert said[0].startswith(("metalens: ", "Error: "))
        assert word in said[0]
        assert "this is a bug" not in said[0]
        assert begun == [], line
        assert everything_in(tmp_path, *inputs) == before, line

    return call


NUMBERS = [
    (f"{BASES[base]} {option} {shlex.quote(value)}", option)
    for base, options in OPTIONS.items()
    for option, values in options.items()
    for value in values
]


def test_they_are_many_and_of_every_command():
    lines = [line for line, _ in [*NUMBERS, *FILES]]
    assert len(set(lines)) == len(lines) >= 300
    assert {line.split()[0] for line in lines} >= set(COMMANDS)


@pytest.mark.parametrize("base", OPTIONS)
def test_an_option_out_of_its_range(refused, base):
    for option, values in OPTIONS[base].items():
        for value in values:
            refused(f"{BASES[base]} {option}={shlex.quote(value)}", option)


@pytest.mark.parametrize(("line", "word"), FILES, ids=[line for line, _ in FILES])
def test_what_is_no_file_or_does_not_go_together(refused, line, word):
    refused(line, word)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("option", ["--bogus", "--json=1"])
def test_an_option_that_is_not_there_or_takes_nothing(refused, base, option):
    refused(f"{BASES[base]} {option}", option.partition("=")[0])


@pytest.mark.parametrize("old", LENS_KEYS)
def test_a_key_of_a_lens_out_of_its_range(refused, small_camera_text, tmp_path, old):
    key = old.split()[0]
    for number, value in enumerate(LENS_KEYS[old]):
        lens = tmp_path / f"{number}.toml"
        lens.write_text(small_camera_text.replace(old, f"{key} = {value}"))
        refused(f"psf {lens} -o OUT.h5", key)
