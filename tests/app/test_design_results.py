"""Designs and comparisons in the project, side by side."""

import json

from metalens.app.design_results import DesignResult, results_in
from metalens.app.design_view import _pareto_chart
from metalens.formats.camera.camera import read_camera, write_camera

COMPARED = {
    "lenses": [
        {
            "name": "mine",
            "aperture_um": 100.0,
            "focal_length_um": 400.0,
            "versions": {"restored, α = 0.75": {"figures": {"psnr": 27.5, "st_lpips": 0.3, "seconds": 3}}},
        }
    ]
}


def test_designs_have_their_sizes_and_loss(project):
    write_camera(project.part("designs") / "a.toml", read_camera("metacamera"))
    (project.part("jobs", "design-a") / "answer").write_text(json.dumps({"loss": -1.5, "steps": 20}))
    (found,) = results_in(project)
    assert found.name == "a"
    assert found.figures == {
        "aperture (µm)": 110,
        "focal length (µm)": 1000,
        "f-number": 1000 / 110,
        "loss": -1.5,
        "steps": 20,
    }


def test_a_comparison_has_a_row_for_each_way_of_restoring(project):
    (project.folder / "compare.json").write_text(json.dumps(COMPARED))
    (found,) = results_in(project)
    assert found.name == "mine, restored, α = 0.75"
    assert found.figures["PSNR (dB)"] == 27.5
    assert found.figures["f-number"] == 4


def test_another_programs_file_and_a_damaged_lens_are_passed_over(project):
    (project.folder / "compare.json").write_text('{"lenses": 3}')
    (project.part("designs") / "broken.toml").write_text("x = ")
    assert results_in(project) == []


def test_what_no_other_result_beats_is_filled():
    found = [
        DesignResult("small", {"aperture (µm)": 100, "PSNR (dB)": 25}),
        DesignResult("large", {"aperture (µm)": 200, "PSNR (dB)": 28}),
        DesignResult("beaten", {"aperture (µm)": 200, "PSNR (dB)": 24}),
        DesignResult("no PSNR", {"aperture (µm)": 50}),
    ]
    points = _pareto_chart(found, "aperture (µm)", "PSNR (dB)")["series"][0]["data"]
    # A white middle, as ECharts has it, would stand out in the dark.
    assert {point["name"]: point["itemStyle"].get("color") for point in points} == {
        "small": None,
        "large": None,
        "beaten": "transparent",
    }
