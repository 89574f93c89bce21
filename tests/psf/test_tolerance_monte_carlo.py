"""Many drawn lenses: ranking where the answer is known, workers, and going on after a kill."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, dump_camera, parse_camera
from metalens.formats.design.tolerance_spec import TYPICAL, ToleranceSpec, parse_tolerance_spec
from metalens.formats.files.errors import InputError, InputWarning
from metalens.psf.tolerance.evaluation import FIGURES
from metalens.psf.tolerance.monte_carlo import run_monte_carlo, tolerance_run_of
from metalens.psf.tolerance.report import report_text, write_report
from metalens.psf.tolerance.summary import summarise, worst_draw, worst_of, yields

HEAD = 'schema = "metalens.tolerance"\nversion = 1\n'
SETTINGS = {"explicit": True, "fields": (1, 1), "window": 11}


def spec_of(errors: str, limits: str = "") -> ToleranceSpec:
    return parse_tolerance_spec(f"{HEAD}[errors]\n{errors}\n[limits]\n{limits}\n")


FOCUS = spec_of(
    'defocus_um = { distribution = "normal", sigma = 6 }\n'
    'decentre_x_um = { distribution = "uniform", plus_minus = 0.1 }\n'
    'tilt_y_deg = { distribution = "normal", sigma = 0.01 }\n',
    "strehl_ratio = 0.7",
)


@pytest.fixture(scope="module")
def camera(small_camera_text: str) -> Camera:
    return parse_camera(small_camera_text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tolerance")


@pytest.fixture(scope="module")
def found(camera, folder):
    run = tolerance_run_of(camera, FOCUS, draws=40, **SETTINGS)
    done = run_monte_carlo(camera, run, folder / "whole")
    write_report(done, camera.name, folder / "whole")
    return done


def test_a_window_too_small_for_the_lens_as_drawn_is_told(camera, tmp_path):
    run = tolerance_run_of(camera, FOCUS, draws=1, **SETTINGS | {"window": 5})
    with pytest.warns(InputWarning, match=r"a window of 5 × 5 samples .*at least 95% was expected"):
        run_monte_carlo(camera, run, tmp_path / "small")


@pytest.mark.long
def test_where_only_the_focus_moves_it_ranks_first(found):
    told = summarise(found)["sensitivity"]
    for name in ("strehl_ratio", "modulation_half", "width_um"):
        ranking = told[name]["worst_over_field_and_colour"]["ranking"]
        assert ranking[0]["error"] == "defocus_um"
        assert ranking[0]["share_of_variance"] > 0.7
        assert sum(row["share_of_variance"] for row in ranking[1:]) < 0.1


@pytest.mark.long
def test_the_strehl_ratio_falls_with_defocus_as_on_the_axis_of_a_disc(found):
    """I(f + z)/I(f) = (f/(f + z))² sinc²(N z/(2(f + z))) with the Fresnel number N = a²/(λf).

    Born and Wolf, Principles of Optics, 7th ed., sec. 8.8; for small apertures, here one of NA 0.2.
    """
    focal_length, fresnel_number = 100e-6, (20e-6) ** 2 / (530e-9 * 100e-6)
    defocus = found.numbers[:, found.names.index("defocus_um")] * 1e-6
    strehl = found.figures[:, list(FIGURES).index("strehl_ratio"), 0, 1]
    drawn = found.drawn[list(FIGURES).index("strehl_ratio"), 0, 1]
    along = defocus / (focal_length + defocus)
    expected = (focal_length / (focal_length + defocus)) ** 2 * np.sinc(0.5 * fresnel_number * along) ** 2
    np.testing.assert_allclose(strehl / drawn, expected, atol=0.04)


def test_the_yield_is_the_share_that_keeps_the_limit(found):
    worst = worst_of(found.figures)[:, list(FIGURES).index("strehl_ratio")]
    assert yields(found) == {"strehl_ratio": (worst >= 0.7).mean(), "all": (worst >= 0.7).mean()}
    assert 0 < yields(found)["all"] < 1


def test_the_worst_draw_is_the_one_that_is_farthest_from_focus(found):
    told = worst_draw(found)
    assert told["index"] == worst_of(found.figures)[:, 0].argmin()
    assert abs(told["errors"]["defocus_um"]) > 4


def test_few_draws_are_ranked_by_one_error_at_a_time(found):
    few = replace(found, figures=found.figures[:5], numbers=found.numbers[:5])
    told = summarise(few)["sensitivity"]["strehl_ratio"]["worst_over_field_and_colour"]
    assert told["explained"] is None
    assert told["ranking"][0]["error"] == "defocus_um"
    assert told["ranking"][0]["share_of_variance"] is None


@pytest.mark.parametrize(
    ("draws", "missing"),
    [(1, {"sigma", "quantile_5", "quantile_50", "quantile_95"}), (19, {"quantile_5", "quantile_95"}), (20, set())],
)
def test_a_quantile_is_told_from_as_many_draws_as_it_takes(found, draws, missing):
    few = replace(found, figures=found.figures[:draws], numbers=found.numbers[:draws])
    told = summarise(few)
    spread = told["figures"]["strehl_ratio"]["worst_over_field_and_colour"]
    assert {name for name, value in spread.items() if value is None} == missing
    row = next(line for line in report_text(few, "lens", told).splitlines() if line.startswith("| Strehl ratio"))
    assert row.count("too few draws") == len(missing)


def test_the_folder_holds_a_report_pictures_and_a_line_a_draw(found, folder):
    names = {path.name for path in (folder / "whole").iterdir()}
    assert names >= {"report.md", "distributions.png", "ranking.png", "tolerance.json", "tolerance.csv", "run.json"}
    lines = (folder / "whole" / "tolerance.csv").read_text().splitlines()
    assert len(lines) == 41
    assert lines[0].startswith("draw,defocus_um,tilt_y_deg,decentre_x_um,strehl_ratio_worst")
    told = json.loads((folder / "whole" / "tolerance.json").read_text())
    assert told["figures"]["strehl_ratio"]["worst_over_field_and_colour"]["quantile_5"] < 0.7
    text = (folder / "whole" / "report.md").read_text()
    assert "| Strehl ratio | defocus |" in text
    # A table begins behind an empty line, or Markdown takes it for text.
    assert not re.search(r"^[^|\n].*\n\|", text, re.MULTILINE)


def test_a_torn_line_is_done_again(camera, found, folder):
    torn = folder / "torn"
    torn.mkdir()
    whole = (folder / "whole" / "lenses.jsonl").read_bytes()
    (torn / "run.json").write_bytes((folder / "whole" / "run.json").read_bytes())
    (torn / "lenses.jsonl").write_bytes(whole[: int(0.7 * len(whole))])
    again = run_monte_carlo(camera, found.run, torn, resume=True)
    np.testing.assert_array_equal(again.figures, found.figures)
    assert (torn / "lenses.jsonl").read_bytes() == whole


# tests/synth/test_runners.py has it of the processes that all such runs share.
@pytest.mark.long
def test_two_workers_find_what_one_does(camera, found, folder):
    shared = run_monte_carlo(camera, found.run, folder / "shared", workers=2)
    np.testing.assert_array_equal(shared.numbers, found.numbers)
    np.testing.assert_array_equal(shared.figures, found.figures)


# In a process of its own, which compiles anew; a torn line, as a kill leaves it, is above.
@pytest.mark.long
def test_a_killed_run_goes_on_to_the_same_numbers(camera, found, folder):
    lens, spec, target = folder / "lens.toml", folder / "focus.toml", folder / "killed"
    lens.write_text(dump_camera(camera))
    spec.write_text(
        HEAD
        + '[errors]\ndefocus_um = { distribution = "normal", sigma = 6 }\n'
        + 'decentre_x_um = { distribution = "uniform", plus_minus = 0.1 }\n'
        + 'tilt_y_deg = { distribution = "normal", sigma = 0.01 }\n[limits]\nstrehl_ratio = 0.7\n'
    )
    command = [sys.executable, "-m", "metalens.cli", "tolerance", str(lens), "-o", str(target), "--spec", str(spec)]
    options = ["--draws", "40", "--fields", "1x1", "--window", "11"]
    run = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        lines = target / "lenses.jsonl"
        while run.poll() is None and not (lines.exists() and lines.read_bytes().count(b"\n") >= 5):
            time.sleep(0.02)
    finally:
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    assert lines.read_bytes().count(b"\n") < 48
    again = run_monte_carlo(camera, found.run, target, resume=True)
    np.testing.assert_array_equal(again.figures, found.figures)


def test_another_run_is_not_mixed_with_one_that_is_there(camera, found, folder):
    other = found.run.model_copy(update={"seed": 1})
    with pytest.raises(InputError, match="cannot be resumed, seed was 0 and is now 1"):
        run_monte_carlo(camera, other, folder / "whole", resume=True)
    with pytest.raises(InputError, match="the output folder is not empty"):
        run_monte_carlo(camera, found.run, folder / "whole")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"key": "draw 0", "numbers": {}, "figures": [[1]]}', "not a readable list of lenses"),
        ('{"key": "draw 0", "numbers": {}, "figures": [[[1, 1, 1]]]}', "a line has other figures"),
        ('{"key": "draw 0", "numbers": {"defocus_um": 1' + 400 * "0" + '}, "figures": []}', "not a readable list"),
        ("[" * 100_000, "not a readable list of lenses"),
    ],
)
def test_a_damaged_line_is_refused(camera, found, folder, tmp_path, line, message):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "run.json").write_bytes((folder / "whole" / "run.json").read_bytes())
    (damaged / "lenses.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=message):
        run_monte_carlo(camera, found.run, damaged, resume=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"draws": 0}, "0 draws were asked for"),
        ({"draws": 5, "seed": -1}, "seed -1 was expected"),
        ({"draws": 5, "spec": TYPICAL}, "small cannot have width_error_nm: the response of the lens is IdealPhase"),
    ],
)
def test_runs_that_cannot_be_are_refused(camera, settings, message):
    spec = settings.pop("spec", FOCUS)
    with pytest.raises(InputError, match=message):
        tolerance_run_of(camera, spec, **{**SETTINGS, **settings})


def test_typical_errors_that_a_lens_does_not_have_are_named(camera):
    run = tolerance_run_of(camera, TYPICAL, draws=5, **{**SETTINGS, "explicit": False})
    assert list(run.not_applied)[:2] == ["width_error_nm", "width_spread_nm"]


def test_workers_are_at_least_one(camera, found, tmp_path):
    with pytest.raises(InputError, match="--workers 0: at least 1"):
        run_monte_carlo(camera, found.run, tmp_path / "none", workers=0)
