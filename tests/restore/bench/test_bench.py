"""What a benchmark leaves to read: figures, tables and page, kept from run to run."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace

import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.pages.builder import Best
from metalens.restore.bench import judge as judging
from metalens.restore.bench.folder import judged_pictures, run_of
from metalens.restore.bench.judge import judge
from metalens.restore.bench.plan import PLAN, read_plan
from metalens.restore.bench.report import write_report
from metalens.restore.bench.run import prepare, restore_with_all
from metalens.restore.bench.summary import aims
from metalens.restore.bench.table import figure_table
from metalens.restore.bench.worker import main
from metalens.restore.metrics.catalogue import METRICS

from ...page_links import Sources
from ..conftest import textured, write_pairs
from .conftest import begin


@pytest.fixture
def few_metrics(monkeypatch):
    """PSNR and the perceptual distance, and one that is missing: the others have tests of their own."""
    kept = [metric for metric in METRICS if metric.key in ("psnr", "st_lpips")]
    niqe = next(metric for metric in METRICS if metric.key == "niqe")
    kept.append(replace(niqe, smallest=1, missing=lambda: "its weights are not on this machine"))
    monkeypatch.setattr(judging, "METRICS", kept)
    return kept


def test_nothing_is_started_again_that_has_finished(restored):
    finished = replace(read_plan(restored), methods=("swinir", "dmdiff-local"))
    (restored / PLAN).unlink()
    from metalens.restore.bench.plan import write_plan

    write_plan(restored, replace(finished, pairs="gone", psf="gone"))
    assert all(run.finished for run in restore_with_all(restored, resume=True))


def test_tables_and_page_tell_what_was_found_and_what_was_not(restored, few_metrics):
    missing = judge(restored)
    assert missing == {"niqe": "its weights are not on this machine"}
    (restored / "missing.json").write_text(json.dumps(missing), encoding="utf-8")
    summary = write_report(restored)
    rows = {row["label"]: row for row in summary["rows"]}
    dmdiff = [f"DMDiff, local Q, {variant}" for variant in ("consistent, α = 1", "α = 0", "α = 1")]
    assert list(rows) == ["clean (the scene)", "captured", "SwinIR", *dmdiff]
    # Noise of standard deviation σ of 255 makes 20 log10(255/σ) dB, more where values are clipped.
    assert rows["SwinIR"]["figures"]["psnr"]["mean"] == pytest.approx(42.1, abs=1.0)
    assert rows["clean (the scene)"]["figures"]["psnr"]["mean"] is None
    table = (restored / "table.md").read_text(encoding="utf-8")
    best = f"**{rows['SwinIR']['figures']['psnr']['mean']:.2f}**"
    assert re.search(rf"\| SwinIR \| {re.escape(best)} \|", table)
    assert "- NIQE: its weights are not on this machine" in table
    assert "- osediff, seed 0: nowhere: no such prior." in table
    assert "| SwinIR | 11.50 M | 11.50 M | 7 | 60 | 61 | 0.500 | 100 | 50 | a machine |" in table
    lines = list(csv.DictReader((restored / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert float(lines[2]["psnr"]) == rows["SwinIR"]["figures"]["psnr"]["mean"]
    assert json.loads((restored / "bench.json").read_text(encoding="utf-8"))["rows"] == summary["rows"]
    sources, page = Sources(), (restored / "bench.html").read_text(encoding="utf-8")
    sources.feed(page)
    assert [source for source in sources.found if not (restored / source).is_file()] == []
    for label in ("SwinIR", "DMDiff, local Q, α = 1", "captured", "osediff, seed 0 has no result: nowhere"):
        assert label in page
    assert "alpha-dmdiff-local.png" in sources.found


def test_figures_that_are_there_are_kept_and_new_ones_added(restored, few_metrics, monkeypatch):
    few_metrics.pop(1)  # the slow one
    judge(restored)
    scores = run_of(restored, "swinir", 0).folder / "scores.json"
    before = json.loads(scores.read_text(encoding="utf-8"))

    def again(device):
        raise AssertionError("computed twice")

    known = [replace(metric, load=again) for metric in few_metrics if metric.key != "niqe"]
    found = replace(
        few_metrics[-1], missing=lambda: None, load=lambda device: lambda clean, many: [{"whole": 5.0}] * len(many)
    )
    monkeypatch.setattr(judging, "METRICS", [*known, found])
    assert judge(restored) == {}
    after = json.loads(scores.read_text(encoding="utf-8"))
    assert after[""]["psnr"] == before[""]["psnr"]
    assert {value["whole"] for value in after[""]["niqe"].values()} == {5.0}


def test_figures_of_a_picture_outlive_a_stop_at_the_next_one(restored, few_metrics, monkeypatch):
    first, second = (name for name, _, _ in judged_pictures(restored))
    seen = []

    def stopped_at_the_second(device):
        def compare(clean, many):
            seen.append(len(many))
            if len(seen) == 2:
                raise KeyboardInterrupt
            return [{"whole": float(len(seen))}] * len(many)

        return compare

    monkeypatch.setattr(judging, "METRICS", [replace(few_metrics[0], load=stopped_at_the_second)])
    with pytest.raises(KeyboardInterrupt):
        judge(restored)
    scores = run_of(restored, "dmdiff-local", 0).folder / "scores.json"  # of the most variants: the first
    assert set(json.loads(scores.read_text(encoding="utf-8"))["α = 1"]["psnr"]) == {first}
    judge(restored)
    after = {name: each["whole"] for name, each in json.loads(scores.read_text())["α = 1"]["psnr"].items()}
    assert after == {first: 1.0, second: 3.0}


def test_figures_can_be_shared_out_and_are_the_same(restored, few_metrics, tmp_path):
    few_metrics.pop(1)
    shared = tmp_path / "shared"
    shutil.copytree(restored, shared)
    judge(restored)
    judge(shared, part=1, parts=2)
    begun = sorted(path.relative_to(shared) for path in shared.rglob("scores.json"))
    judge(shared, part=0, parts=2)
    whole = sorted(path.relative_to(restored) for path in restored.rglob("scores.json"))
    assert 0 < len(begun) < len(whole)
    assert [(shared / name).read_text() for name in whole] == [(restored / name).read_text() for name in whole]


def row(method, variant, seconds, **figures):
    known = {"psnr": {"mean": figures.get("psnr")}, "st_lpips": {"mean": figures.get("st_lpips")}}
    return {"method": method, "variant": variant, "figures": known, "costs": {"seconds_per_picture": seconds}}


def test_the_papers_gaps_are_told_as_they_are(make_plan):
    rows = [
        row("swinir", "", 1.0, psnr=22.0),
        row("nano-optics", "", 1.0, st_lpips=0.4),
        row("osediff", "", 0.1),
        row("seesr-style", "", 5.0),
        row("dmdiff-local", "α = 0.75", 0.2, psnr=22.5),
        row("dmdiff-local", "α = 1", 0.2, st_lpips=0.2),
    ]
    found = aims(rows, make_plan(methods=("dmdiff-local",)))
    assert [(each["found"], each["met"]) for each in found] == [
        (pytest.approx(0.5), False),
        (pytest.approx(0.5), True),
        (pytest.approx(25), True),
        (pytest.approx(2), True),
    ]
    assert [each["met"] for each in aims(rows[:1], make_plan(methods=("dmdiff-local",)))] == [None] * 4


def test_a_distance_of_the_loss_is_marked_and_is_never_the_best():
    """EfficientNet's distance of DMDiff, which an adapter of --init was trained with, is the lowest, but no judge."""
    columns = [{"key": "efficientnet", "heading": "EfficientNet", "better": "lower", "digits": 2}]
    rows = [
        {"label": name, "figures": {"efficientnet": {"mean": mean, "deviation": None}}, "costs": {}, "losses": losses}
        for name, mean, losses in (("SwinIR", 0.3, []), ("NAFNet", 0.2, ["lpips"]), ("DMDiff", 0.1, ["efficientnet"]))
    ]
    table = figure_table({"columns": columns, "missing": {}, "rows": rows})
    assert [cells[1] for cells in table.rows] == ["0.30", "0.20", "0.10 †"]
    assert [isinstance(cells[1], Best) for cells in table.rows] == [False, True, False]


def test_several_test_sets_are_told_apart(tmp_path, make_plan, pairs, camera, few_metrics):
    few_metrics.pop(1)  # the slow one
    write_pairs(tmp_path / "others", camera, textured(3)[2:], sources=1)
    folder = tmp_path / "bench"
    begin(folder, make_plan(test=(str(pairs.folder), str(tmp_path / "others"))), resume=False)
    prepare(folder, read_plan(folder))
    assert main([str(folder), "wiener-whole", "0"]) == 0
    judge(folder)
    summary = write_report(folder)
    assert {name: len(pictures) for name, pictures in summary["sets"].items()} == {"pairs": 2, "others": 1}
    row = summary["rows"][-1]
    by_set = [row["sets"][name]["psnr"] for name in ("pairs", "others")]
    assert row["figures"]["psnr"]["mean"] == pytest.approx((2 * by_set[0] + by_set[1]) / 3)
    assert "| method | pairs: PSNR (dB) |" in (folder / "table.md").read_text(encoding="utf-8")
    assert "By test set" in (folder / "bench.html").read_text(encoding="utf-8")


RESULT_HEAD = '{"title": "a", "reference": "", "knows": "", "differs": "", "uses_prior": true, "chosen": {}, ' + (
    '"device": "cpu", "machine": "", "precision": "fp32", "parallel": 1, '
)
"""What a result has beside its variants and costs."""


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("methods/swinir/seed-0/result.json", "[]"),
        ("methods/swinir/seed-0/result.json", "[" * 10**5),
        ("methods/swinir/seed-0/result.json", "{}"),
        ("methods/swinir/seed-0/result.json", RESULT_HEAD + '"variants": 5}'),
        ("methods/swinir/seed-0/result.json", RESULT_HEAD + '"variants": ["../../.."]}'),
        ("methods/swinir/seed-0/result.json", RESULT_HEAD + '"variants": [""], "steps": "many"}'),
        ("methods/swinir/seed-0/result.json", RESULT_HEAD + '"variants": [""], "seconds_per_picture": NaN}'),
        ("methods/swinir/seed-0/scores.json", '{"": {"psnr": 5}}'),
        ("methods/swinir/seed-0/scores.json", '{"": {"psnr": {"a": {"whole": "good"}}}}'),
        ("methods/swinir/seed-0/scores.json", '{"": {"psnr": {"a": {"whole": Infinity}}}}'),
        ("test/scores.json", "null"),
        ("test/scores.json", "[" * 10**5),
        ("test/sets.json", '{"a": ["pairs"]}'),
        ("test/sets.json", "[]"),
        ("missing.json", '{"niqe": 5}'),
    ],
)
def test_a_damaged_file_of_a_benchmark_is_refused(restored, few_metrics, file, content):
    for scores in ("test/scores.json", "methods/swinir/seed-0/scores.json", "methods/dmdiff-local/seed-0/scores.json"):
        (restored / scores).write_text("{}", encoding="utf-8")
    (restored / file).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"{file}: not a readable file of a benchmark"):
        write_report(restored)


def test_sets_of_other_pictures_are_refused(restored, few_metrics):
    (restored / "test" / "scores.json").write_text("{}", encoding="utf-8")
    (restored / "test" / "sets.json").write_text('{"another": "pairs"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"sets\.json: names other pictures than test/clean has"):
        write_report(restored)


def test_figures_of_some_pictures_and_of_no_whole_curve_are_left_out(restored, few_metrics):
    judge(restored)
    path = run_of(restored, "dmdiff-local", 0).folder / "scores.json"
    scores = json.loads(path.read_text(encoding="utf-8"))
    scores["α = x"] = scores["α = 0"]
    name = next(iter(scores["α = 1"]["psnr"]))
    del scores["α = 1"]["psnr"][name]
    scores["α = 0"]["psnr"][name]["whole"] = None
    path.write_text(json.dumps(scores), encoding="utf-8")
    summary = write_report(restored)
    row = next(row for row in summary["rows"] if row["variant"] == "α = 1")
    assert row["sets"]["pairs"]["psnr"] is None
    assert not list(restored.glob("alpha-dmdiff-local.*"))
