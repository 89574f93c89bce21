"""``metalens bench``: a run with what was made elsewhere, how it goes on, and one sentence for each bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import (
    PairSample,
    PairsCamera,
    PairsManifest,
    PairsSource,
    open_pairs_writer,
    read_pairs,
)
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.formats.psf.bank_file import read_psf_bank, write_psf_bank
from metalens.psf.external_bank import grid_bank_of_functions
from metalens.restore.bench import worker
from metalens.restore.bench.folder import read_scores
from metalens.workflows.bench_inputs import WantedInputs, make_inputs

PIXELS = (64, 64)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small camera's bank and four pairs of it, the last of which validates."""
    folder = tmp_path_factory.mktemp("made")
    preset = read_camera("metacamera")
    camera = preset.model_copy(update={"sensor": preset.sensor.model_copy(update={"pixels": PIXELS})})
    intensity = np.zeros((2, 2, 3, 5, 5), dtype=np.float32)
    intensity[..., 1:4, 1:4] = 1 / 9
    write_psf_bank(folder / "psf.h5", grid_bank_of_functions(camera, intensity, {"engine": "made up"}))
    pictures = np.random.default_rng(0).integers(0, 256, (4, *PIXELS, 3), dtype=np.uint8)
    manifest = PairsManifest(
        kind="simulated",
        count=4,
        shard_size=4,
        pixels=PIXELS,
        seed=0,
        cameras=(PairsCamera(name=camera.name, lens_hash=camera.hash, sensor=PIXELS),),
        sources=tuple(
            PairsSource(name=f"p{i}", sha256=f"{i}" * 64, split="validation" if i == 3 else "train") for i in range(4)
        ),
    )
    with open_pairs_writer(folder / "pairs", manifest) as writer:
        samples = [PairSample(each, each // 2, number, number) for number, each in enumerate(pictures)]
        writer.write(writer.missing[0], samples)
    return folder


@pytest.fixture
def run(made, tmp_path):
    """Runs the command on what was made, into ``bench``, with further words."""

    def call(*words, inputs=("--psf", "psf.h5", "--pairs", "pairs", "--test", "pairs")):
        given = [str(made / word) if (made / word).exists() else word for word in inputs]
        return CliRunner().invoke(metalens, ["bench", "-o", str(tmp_path / "bench"), *given, *map(str, words)])

    return call


QUICK = ("--no-chart", "--steps-per-method", 1, "--crop", 32, "--batch", 1)


@pytest.mark.long
def test_methods_restore_and_one_that_fails_is_named(run, tmp_path):
    words = ("--no-chart", "--steps-per-method", 1, "--crop", 36, "--only", "restore", "--parallel", 2, "--json")
    result = run("--methods", "wiener-whole,psf-aware", *words)
    assert result.exit_code == 0, (result.output, result.exception)
    answered = json.loads(result.stdout)
    assert (answered["runs"], answered["finished"]) == (2, 1)
    assert "test photographs that also trained: p0 (the same file), p1" in result.stderr
    assert answered["failed"] == {
        "psf-aware, seed 0": "--crop 36: is no multiple of 8, which this method needs; choose another, or leave the "
        "method out with --methods."
    }
    folder = tmp_path / "bench" / "methods" / "wiener-whole" / "seed-0"
    assert len(list((folder / "restored" / "one").glob("*.png"))) == 4
    before = (folder / "result.json").stat().st_mtime_ns
    again = run("--resume", "--methods", "wiener-whole", "--only", "restore", inputs=())
    assert again.exit_code == 0, (again.output, again.exception)
    assert (folder / "result.json").stat().st_mtime_ns == before
    judged = run("--resume", "--metrics", "psnr,consistency", "--only", "figures", inputs=())
    assert judged.exit_code == 0, (judged.output, judged.exception)
    assert set(read_scores(folder / "scores.json")[""]) == {"psnr", "consistency"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--methods", "magic", *QUICK), "--methods magic: no such method; expected some of wiener-whole"),
        (("--metrics", "psnr,magic", *QUICK), "--metrics: no metric 'magic'; expected some of psnr"),
        ((*QUICK[:3], "--crop", 96), "pairs of 64 pixels are smaller than the crop of 96; lower --crop"),
        (("--resume", "--only", "figures"), "holds no benchmark"),
        (("--resume",), "bench: holds no benchmark to go on with; to begin one, give its terms"),
        ((*QUICK, "--device", "abacus"), "--device abacus: torch knows no such device; expected cpu, cuda"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_leaves_nothing(run, words, message, tmp_path):
    result = run(*words)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not (tmp_path / "bench").exists()


def test_a_folder_without_photographs_is_refused_before_a_lens_is_simulated(run, tmp_path, made):
    (tmp_path / "empty").mkdir()
    inputs = ("--psf", str(made / "psf.h5"), "--photos", str(tmp_path / "empty"))
    result = run(*QUICK, inputs=inputs)
    assert isinstance(result.exception, InputError)
    assert "no picture found" in str(result.exception)
    assert not (tmp_path / "bench").exists()


@pytest.mark.parametrize(
    ("words", "inputs"),
    [
        (("--no-chart",), ("--psf", "psf.h5", "--pairs", "pairs", "--test", "pairs")),
        (QUICK, ()),
        ((*QUICK, "--chart", "pairs"), ("--psf", "psf.h5", "--pairs", "pairs", "--test", "pairs")),
        ((*QUICK, "--lens", "metacamera"), ("--psf", "psf.h5")),
    ],
)
def test_a_benchmark_without_a_budget_or_a_lens_is_wrong_use(run, words, inputs):
    result = run(*words, inputs=inputs)
    assert result.exit_code == 2
    assert "give " in result.output


@pytest.fixture
def stages(monkeypatch):
    """Runs what makes a benchmark's inputs, and its methods, in this process: starting one takes seconds."""
    run = []

    def stage(name, arguments, say):
        run.append(name)
        say(" ".join(arguments))
        result = CliRunner().invoke(metalens, arguments)
        assert result.exit_code == 0, (result.output, result.exception)

    def methods(programs, parallel, tell):
        for number, program in enumerate(programs):
            worker.main([*program.arguments])
            yield number, 0

    monkeypatch.setattr("metalens.workflows.bench_inputs.run_command", stage)
    monkeypatch.setattr("metalens.restore.bench.run.run_programs", methods)
    return run


@pytest.mark.long
def test_what_is_not_given_is_made_from_a_lens_and_photographs(tmp_path, small_camera_text, stages):
    few = small_camera_text.replace("[spectrum]", "[spectrum]\nwavelengths_per_channel = 1")
    (tmp_path / "lens.toml").write_text(few, encoding="utf-8")
    for folder, count in (("photos", 5), ("held-out", 1)):
        (tmp_path / folder).mkdir()
        pictures = np.random.default_rng(count).integers(0, 256, (count, 40, 40, 3), dtype=np.uint8)
        for number, picture in enumerate(pictures):
            write_picture(tmp_path / folder / f"{folder}-{number}.png", picture)
    places = {"--lens": "lens.toml", "--photos": "photos", "--test-photos": "held-out"}
    given = [word for option, name in places.items() for word in (option, str(tmp_path / name))]
    words = [*given, "--count", "4", "--methods", "wiener-whole", "--steps-per-method", "1", "--crop", "32"]
    bench = tmp_path / "bench"
    result = CliRunner().invoke(metalens, ["bench", "-o", str(bench), *words, "--only", "restore"])
    assert result.exit_code == 0, (result.output, result.exception)
    assert stages == ["psf", "synth", "synth"]
    assert "no chart of edges: the sensor has 32 × 32 pixels, a chart needs 180" in result.stderr
    assert read_psf_bank(bench / "inputs" / "psf.h5").camera.name == "small"
    pairs, test = read_pairs(bench / "inputs" / "pairs"), read_pairs(bench / "inputs" / "test")
    assert (len(pairs), len(test)) == (4, 1)
    assert {Path(name).stem for name in test.source_names()} == {"held-out-0"}
    restored = bench / "methods" / "wiener-whole" / "seed-0" / "restored" / "one" / "held-out-0.png"
    assert read_picture(restored).shape == (32, 32, 3)


def test_inputs_made_before_one_fails_are_told(tmp_path, monkeypatch):
    wanted = WantedInputs(("photos",), ("held-out",), 1, lens="lens.toml")

    def stage(name, words, say):
        if name != made_last:
            raise InputError(f"metalens {name} ended with status 1; its message stands above.")
        Path(words[words.index("-o") + 1]).touch()

    monkeypatch.setattr("metalens.workflows.bench_inputs.run_command", stage)
    for made_last, told in (("nothing", "above.$"), ("psf", "above; what was made stays in .*inputs, .* --resume.$")):
        with pytest.raises(InputError, match=told):
            make_inputs(tmp_path / made_last, wanted, lambda line: None)
    assert not (tmp_path / "nothing").exists()
    assert (tmp_path / "psf" / "inputs" / "psf.h5").is_file()


def test_a_chart_of_the_sensors_size_is_sent_through_the_camera(tmp_path, made, monkeypatch):
    called = []
    monkeypatch.setattr("metalens.workflows.bench_inputs.run_command", lambda name, words, say: called.append(words))
    camera = read_camera("metacamera")
    functions = np.zeros((2, 2, 3, 5, 5), dtype=np.float32)
    write_psf_bank(tmp_path / "psf.h5", grid_bank_of_functions(camera, functions + 1 / 25, {"engine": "made up"}))
    inputs = make_inputs(
        tmp_path / "bench",
        WantedInputs((), (), 1, psf=tmp_path / "psf.h5", pairs=made / "pairs", test=[made / "pairs"]),
        lambda line: None,
    )
    folder = tmp_path / "bench" / "inputs"
    assert read_picture(folder / "chart.png").shape == (*camera.sensor.pixels, 3)
    assert inputs.chart == folder / "chart"
    (words,) = called
    assert words[:5] == ["synth", str(folder / "chart.png"), "-o", str(folder / "chart"), "--psf"]
    assert "--whole" in words
