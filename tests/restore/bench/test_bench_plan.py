"""The terms of a benchmark: what is asked for, and what is refused before anything begins."""

from __future__ import annotations

import json

import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.manifest import PairsCamera
from metalens.restore.bench.inputs import check_inputs
from metalens.restore.bench.plan import PLAN, read_plan
from metalens.restore.bench.run import prepare
from metalens.restore.metrics.edge_chart import edge_chart

from ..conftest import textured, write_pairs
from .conftest import begin


def test_a_benchmark_goes_on_with_its_own_terms_only(tmp_path, make_plan):
    folder = tmp_path / "bench"
    begin(folder, make_plan(), resume=False)
    with pytest.raises(InputError, match="the output folder is not empty"):
        begin(folder, make_plan(), resume=False)
    with pytest.raises(InputError, match="cannot be resumed, steps was 1 and is now 2"):
        begin(folder, make_plan(steps=2), resume=True)
    begin(folder, make_plan(methods=("two-step",), device="cuda"), resume=True)
    assert read_plan(folder).methods == ("wiener-whole", "two-step")
    assert read_plan(folder).device == "cuda"


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schema": "metalens.bench", "version": 9}', '{"schema": "x"}', "[" * 10**5]
)
def test_a_plan_that_is_none_is_refused(tmp_path, text):
    (tmp_path / PLAN).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="not a readable benchmark's plan"):
        read_plan(tmp_path)


def test_what_no_method_could_use_is_refused_before_anything_begins(make_plan, pairs):
    good = make_plan()
    given = {"psf": good.psf, "pairs": good.pairs, "test": good.test, "crop": good.crop}
    check_inputs(**given)
    check_inputs(**given | {"psf": None, "pairs": None, "test": ()})  # all to be made
    with pytest.raises(InputError, match="pairs of 64 pixels are smaller than the crop of 96; lower --crop"):
        check_inputs(**given | {"crop": 96})
    with pytest.raises(InputError, match=r"no manifest|no such|not a folder|holds no"):
        check_inputs(**given | {"test": (str(pairs.folder / "nowhere"),)})


def test_a_chart_that_is_none_is_refused(tmp_path, camera, pairs):
    given = {"psf": None, "pairs": None, "test": (), "crop": 32}
    larger = (PairsCamera(name=camera.name, lens_hash=camera.hash, sensor=(200, 200)),)
    write_pairs(tmp_path / "chart", camera, edge_chart((200, 200))[None], sources=1, cameras=larger)
    check_inputs(**given, chart=tmp_path / "chart")
    write_pairs(tmp_path / "waves", camera, textured(1, pixels=(200, 200)), sources=1, cameras=larger)
    for folder in (tmp_path / "waves", pairs.folder):  # the latter too small for one
        with pytest.raises(InputError, match="its first picture shows no chart of edges; leave --chart out"):
            check_inputs(**given, chart=folder)


def test_a_benchmark_does_not_go_on_with_other_test_pictures(tmp_path, make_plan, pairs, camera):
    write_pairs(tmp_path / "others", camera, textured(3)[2:], sources=1)
    folder = tmp_path / "bench"
    begin(folder, make_plan(), resume=False)
    prepare(folder, read_plan(folder))
    prepare(folder, read_plan(folder))
    with pytest.raises(InputError, match="judged on other pictures than those of pairs, others; give the same --test"):
        prepare(folder, make_plan(test=(str(pairs.folder), str(tmp_path / "others"))))


def test_a_plan_of_one_folder_in_the_place_of_a_list_is_refused(tmp_path, make_plan):
    begin(tmp_path / "bench", make_plan(), resume=False)
    path = tmp_path / "bench" / PLAN
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"test": "kodak"}), encoding="utf-8")
    with pytest.raises(InputError, match="not a readable benchmark's plan"):
        read_plan(tmp_path / "bench")


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 0},
        {"crop": "32"},
        {"minutes": -1},
        {"steps": True},
        {"methods": "dmdiff"},
        {"methods": ["../../elsewhere"]},
        {"seeds": [0.5]},
        {"parallel": 1e300},
        {"prior": None},
        {"unheard": 1},
    ],
)
def test_a_plan_of_other_types_is_refused(tmp_path, make_plan, change):
    begin(tmp_path / "bench", make_plan(), resume=False)
    path = tmp_path / "bench" / PLAN
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(InputError, match=f"not a readable benchmark's plan .*{next(iter(change))}"):
        read_plan(tmp_path / "bench")


def test_test_sets_of_one_name_are_refused(pairs):
    with pytest.raises(InputError, match="two sets are named pairs; the table could not tell them apart"):
        check_inputs(psf=None, pairs=None, test=(pairs.folder, pairs.folder), crop=32)
