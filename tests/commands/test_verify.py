"""``metalens verify``: a small lens is verified, resumed and planned; what is wrong is told."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.formats.camera.camera import read_camera, write_camera
from metalens.formats.drawing.verification import verification_figure
from metalens.formats.files.claim import write_note
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.verification import Verification
from metalens.formats.meta_atoms.whole_row import WholeRow
from metalens.optics.verification import plan_verification
from metalens.optics.verification.run import ASKED, asked_of
from metalens.optics.verification.whole_row import Row, row_of, whole_row

SMALL = (
    "--zones", "1", "--most-pillars", "3", "--fields-deg", "0,20", "--orders-per-pillar", "3,7", "--sagittal",
    "--constant-phases", "2",
)  # fmt: skip


def lens_of_pillars():
    """A lens of 30 µm of library pillars."""
    response = {"kind": "library", "library": "si3n4-on-sio2", "wavelength_nm": 540.0}
    phase = {"family": "hyperbolic", "wavelength_nm": 540.0}
    table = {"aperture_um": 30, "focal_length_um": 20, "phase": phase, "response": response}
    return read_camera("hyperbolic").with_(lens=table, sensor={"pixels": (16, 16), "pixel_pitch_um": 0.5})


@pytest.fixture(scope="module")
def lens(tmp_path_factory):
    path = tmp_path_factory.mktemp("verify") / "lens.toml"
    write_camera(path, lens_of_pillars())
    return path


def run(*words):
    return CliRunner().invoke(metalens, ["verify", *map(str, words)], catch_exceptions=True)


@pytest.fixture(scope="module")
def made(lens):
    result = run(lens, "-o", lens.parent / "out", *SMALL, "--json")
    assert result.exit_code == 0, result.exception
    return lens.parent / "out", json.loads(result.stdout)


def test_the_table_has_a_row_for_each_incidence_and_polarisation(made):
    folder, told = made
    assert sorted(path.name for path in folder.iterdir()) == [
        "verification.csv", "verification.json", "verification.png",
    ]  # fmt: skip
    found = Verification.model_validate_json((folder / "verification.json").read_text())
    seen = [(round(zone.field_deg), round(zone.azimuth_deg), zone.polarisation) for zone in found.zones]
    assert seen == [(field, turn, name) for field, turn in ((0, 0), (20, 0), (20, 90), (20, 180)) for name in "sp"]
    rows = list(csv.DictReader((folder / "verification.csv").read_text().splitlines()))
    assert [float(row["supercell"]) for row in rows] == pytest.approx(
        [zone.supercell for zone in found.zones], abs=1e-5
    )
    assert told["rows"] == 8
    assert not (folder.parent / "out.parts").exists()


def test_the_picture_has_shares_phase_errors_and_a_map_over_radius_and_field(made):
    found = Verification.model_validate_json((made[0] / "verification.json").read_text())
    figure = verification_figure(found)
    shares, errors, mapped = figure.axes[:3]
    assert [each.get_ylabel() for each in (shares, errors, mapped)] == [
        "share in the wanted order", "phase error (rad)", "field (°)",
    ]  # fmt: skip
    # s and p from both sides: fields of 0 and 20° at the zone's two places.
    outward, back = (
        [zone for zone in found.zones if zone.field_deg > 0 and round(zone.azimuth_deg) == turn] for turn in (0, 180)
    )
    drawn = np.asarray(mapped.collections[0].get_array())
    assert drawn.shape == (2, 2)
    assert drawn[1] == pytest.approx([np.mean([zone.supercell for zone in zones]) for zones in (back, outward)])
    # The last line is that of no error.
    assert errors.lines[-2].get_ydata() == pytest.approx(np.mean([zone.phase_error_rad for zone in outward]), abs=0.02)


def test_no_zone_sends_on_more_than_it_gets(made):
    found = Verification.model_validate_json((made[0] / "verification.json").read_text())
    for zone in found.zones:
        # Few Fourier orders miss the energy by some thousandths (docs/adr/0011).
        assert zone.supercell + zone.undeflected + zone.other_orders == pytest.approx(zone.transmittance, abs=1e-6)
        assert zone.transmittance < 1.02
        assert 0 < zone.local < 1


def test_zones_that_have_not_converged_are_told(made, lens):
    found = Verification.model_validate_json((made[0] / "verification.json").read_text())
    assert found.unconverged == made[1]["unconverged"] == 8
    assert all(zone.change > 0.02 for zone in found.zones)


def test_a_finished_zone_is_taken_over(made, lens, tmp_path):
    camera = read_camera(lens)
    plan = plan_verification(
        camera,
        zones=1,
        most_pillars=3,
        fields=[0.0, 0.3490658503988659],
        orders_per_atom=(3, 7),
        sagittal=True,
        constant_phases=2,
    )
    parts = tmp_path / "out.parts"
    parts.mkdir()
    write_note(parts / ASKED, asked_of(plan))
    found = Verification.model_validate_json((made[0] / "verification.json").read_text())
    (parts / "003-000.json").write_text(json.dumps([zone.model_dump(mode="json") for zone in found.zones[:3]]))
    result = run(lens, "-o", tmp_path / "out", *SMALL, "--resume", "--json")
    assert result.exit_code == 0, result.exception
    assert json.loads(result.stdout)["rows"] == 3


def test_a_dry_run_tells_the_time_and_writes_nothing(lens, tmp_path):
    result = run(lens, "-o", tmp_path / "out", *SMALL, "--dry-run", "--json")
    told = json.loads(result.stdout)
    assert told["zones"] == {"3": pytest.approx(12.0, rel=0.01)}
    assert told["estimate"]["seconds"] > 0
    assert "the zone of 3 meta-atoms took 7 Fourier orders each" in told["estimate"]["basis"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--orders-per-pillar", "9"), "two or more numbers that ascend"),
        (("--fields-deg", "0,x"), "expected numbers with commas, each 0 to 89"),
        (("--fields-deg", "95"), "expected numbers with commas, each 0 to 89"),
        (("--fields-deg", "40"), "falls on the meta-atoms at up to 40.0°"),
        (("--wavelengths-nm", "900"), "lies outside the table"),
    ],
)
def test_bad_words_are_told_before_the_work(lens, tmp_path, words, told):
    result = run(lens, "-o", tmp_path / "out", *words)
    assert result.exit_code != 0
    assert told in (str(result.exception) if isinstance(result.exception, InputError) else result.output)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def small_row(tmp_path_factory):
    """A lens of 6 µm with 17 meta-atoms along its diameter."""
    path = tmp_path_factory.mktemp("row") / "lens.toml"
    write_camera(path, lens_of_pillars().with_(lens={"aperture_um": 6.0, "focal_length_um": 4.0}))
    return path


def test_all_meta_atoms_along_the_diameter_are_computed_together(small_row, tmp_path):
    few = ("--zones", "1", "--most-pillars", "3", "--fields-deg", "0,20", "--orders-per-pillar", "3,7", "--whole-row")
    result = run(small_row, "-o", tmp_path / "out", *few, "--constant-phases", "2", "--json")
    assert result.exit_code == 0, result.output
    found = WholeRow.model_validate_json((tmp_path / "out" / "whole_row.json").read_text())
    assert json.loads(result.stdout)["whole_row"] == found.model_dump(mode="json", by_alias=True)
    assert (tmp_path / "out" / "whole_row.png").is_file()
    assert (found.meta_atoms, found.orders_per_pillar) == (17, 7)
    told = [(round(each.field_deg), each.polarisation) for each in found.functions]
    assert told == [(0, "s"), (0, "p"), (20, "s"), (20, "p")]
    for each in found.functions:
        assert max(each.whole) == 1
        assert 0.3 < each.light_whole < 1
        assert abs(each.place_um[int(np.argmax(each.whole))]) < 1.0  # where the chief ray lands
    # A row is as symmetric as its lens, in light along the axis.
    assert found.functions[0].whole == pytest.approx(found.functions[0].whole[::-1], abs=2e-3)


def test_a_row_of_equal_meta_atoms_is_what_the_library_says(small_row):
    plan = plan_verification(read_camera(small_row), fields=[0.0, np.radians(20.0)], zones=1, orders_per_atom=(25, 40))
    row = row_of(plan)
    alike = Row(row.place[:6], np.full(6, np.sort(row.geometry)[5]), row.orders)
    found = whole_row(plan, alike, None)
    assert found.uncorrected == "no zones were verified"
    assert [each.distance_local for each in found.functions] == pytest.approx([0.0] * 4, abs=2e-3)
    assert [each.light_whole for each in found.functions] == pytest.approx(
        [each.light_local for each in found.functions], rel=2e-3
    )


@pytest.mark.long
def test_the_plan_of_a_row_tells_its_meta_atoms_and_more_time(small_row, tmp_path):
    few = ("--zones", "1", "--most-pillars", "3", "--fields-deg", "0", "--orders-per-pillar", "3,7", "--dry-run")
    alone, whole = (
        json.loads(run(small_row, "-o", tmp_path / "out", *few, *more, "--json").stdout)
        for more in ((), ("--whole-row",))
    )
    assert (alone["row"], whole["row"]) == (None, 17)
    assert whole["estimate"]["disk_bytes"] > alone["estimate"]["disk_bytes"]


@pytest.mark.parametrize(
    ("lens", "told"),
    [
        (
            {"aperture_um": 600.0, "focal_length_um": 400.0},
            "1715 meta-atoms lie along the diameter, and at most 64 are",
        ),
        ({"stop": {"diameter_um": 5.0, "distance_um": 2.0}}, "the lens has a stop in front"),
        ({"aperture": {"shape": "annulus", "inner_diameter_um": 2.0}}, "the lens has an opening that is no disc"),
        ({"cover_glass": {"thickness_um": 1.0, "index": 1.5}}, "the lens has a cover glass"),
    ],
)
def test_a_row_that_cannot_be_computed_is_refused(small_row, tmp_path, lens, told):
    write_camera(tmp_path / "other.toml", read_camera(small_row).with_(lens=lens))
    result = run(
        tmp_path / "other.toml",
        "-o",
        tmp_path / "out",
        "--fields-deg",
        "0",
        "--whole-row",
        "--orders-per-pillar",
        "9,25",
    )
    assert result.exit_code != 0
    assert told in str(result.exception)
    assert not (tmp_path / "out").exists()
