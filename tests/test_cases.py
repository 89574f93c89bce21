"""Inputs that people's other programs wrote, and hostile ones, with what is right for each.

They lie beside the repository, in ``shared/cases``; where that folder is absent, nothing is collected.
"""

from __future__ import annotations

import json
import shutil
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.camera.phase_map import read_phase_map
from metalens.formats.captures.raw_frames import read_raw_frames
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import read_atom_library
from metalens.formats.meta_atoms.table import import_library
from metalens.formats.pictures.light import read_light
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.scene import linear_to_srgb

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"


def present(*names: str) -> list[Path]:
    """The cases that are there; a pattern stands for several."""
    return sorted(path for name in names for path in CASES.glob(name))


def cases(*names: str):
    """Parametrise a test over the cases that are there."""
    return pytest.mark.parametrize("case", present(*names), ids=lambda path: path.name)


@pytest.fixture
def library(run, tmp_path):
    """Import the table of meta-atoms of a name; the path of the library."""

    def made(name: str) -> Path:
        about, output = CASES / "files" / f"{name}.toml", tmp_path / f"{name}.h5"
        status, _, err = run("library", "import", about.with_suffix(".csv"), "--about", about, "-o", output)
        assert status == 0, err
        return output

    return made


def answered(result: tuple[int, str, str]) -> dict:
    status, out, err = result
    assert status == 0, err
    return json.loads(out)


def refused(result: tuple[int, str, str], *parts: str) -> None:
    """The command failed with one sentence that holds these parts."""
    status, out, err = result
    assert status == 1, err
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    assert "this is a bug" not in err
    for part in parts:
        assert part in err


@cases("files/full_square_*")
def test_a_full_square_of_pillars_has_the_aperture_of_the_largest_filled_disc(run, library, tmp_path, case):
    arguments = ("import", case, "-o", tmp_path / "o", "--like", "hyperbolic", "--library")
    found = answered(run(*arguments, library("round_pillars_350"), "--json"))
    assert found["sites"] == 961
    assert found["pitch_nm"] == pytest.approx(350, abs=0.01)
    # Polygons of layouts have corners on a grid of 1 nm: their area is that of a disc of 199.82 nm.
    assert found["lengths_nm"]["least"] == pytest.approx(200, abs=0.2)
    assert found["lengths_nm"]["most"] == pytest.approx(200, abs=0.2)
    assert 10.5 <= found["aperture_um"] <= 10.85


@cases("files/disc_with_four_outlying_pillars.csv")
def test_pillars_apart_from_the_disc_do_not_widen_the_aperture(run, tmp_path, case):
    arguments = ("import", case, "-o", tmp_path / "o", "--like", "hyperbolic", "--library", "si3n4-on-sio2", "--json")
    found = answered(run(*arguments))
    assert found["aperture_um"] == pytest.approx(10.005, abs=0.002)
    assert found["sites_outside"] == 4


@cases("files/substrate_box_20x20_pitch400.gds")
def test_an_outline_of_the_substrate_is_set_aside_and_named(run, library, tmp_path, case):
    arguments = ("import", case, "-o", tmp_path / "o", "--like", "hyperbolic", "--library")
    found = answered(run(*arguments, library("square_pillars_400"), "--json"))
    assert (found["sites"], found["shape"]) == (400, "square_pillar")
    assert found["pitch_nm"] == pytest.approx(400, abs=0.01)
    assert len(found["set_aside"]) == 1
    assert "8" in found["set_aside"][0]


@cases("files/touchstone_[blno]*.toml")
def test_touchstone_of_every_order_and_default_is_read(run, tmp_path, case):
    answered(run("library", "import", "--about", case, "-o", tmp_path / "o.h5", "--json"))
    expected = np.load(CASES / "files" / "touchstone_expected_t.npy")
    # A library's file holds single precision.
    for found, allowed in ((import_library(case, None), 1e-9), (read_atom_library(tmp_path / "o.h5"), 1e-7)):
        assert found.wavelength.tolist() == sorted(found.wavelength.tolist())
        np.testing.assert_allclose(found.transmission[0, 0], expected, rtol=0, atol=allowed)


@cases("files/touchstone_v2.toml")
def test_touchstone_2_is_refused_by_its_name(run, tmp_path, case):
    refused(run("library", "import", "--about", case, "-o", tmp_path / "o.h5"), "touchstone_v2_", "version 2")


@cases("files/icc_*.png")
def test_pictures_are_converted_by_what_their_profile_holds(case):
    expected = np.load(CASES / "files" / "icc_expected_srgb.npy").astype(float)
    for found in (read_picture(case).astype(float), 255 * linear_to_srgb(read_light(case))):
        assert np.abs(found - expected).mean() < 1


@cases("files/png_gama_linear.png")
def test_the_gamma_of_a_png_is_heeded(case):
    expected = read_picture(case.with_name("png_gama_expected.png")).astype(float)
    for found in (read_picture(case).astype(float), 255 * linear_to_srgb(read_light(case))):
        assert np.abs(found - expected).mean() < 3


@cases("files/raw_with_preview_first.tif")
def test_the_preview_of_a_raw_file_is_not_the_picture(case):
    for reader in (read_picture, read_light, lambda path: read_raw_frames(path, planes=1)):
        with pytest.raises(InputError, match="preview"):
            reader(case)


@cases("files/bom_sites.csv", "files/bom_map.csv")
def test_a_byte_order_mark_before_a_table_of_pillars_changes_nothing(run, library, tmp_path, case):
    arguments = ("import", case, "-o", tmp_path / "o", "--like", "hyperbolic", "--library")
    assert answered(run(*arguments, library("round_pillars_350"), "--json"))["sites"] == 81


@cases("files/bom_rad.csv", "files/remark_first_rad.csv")
def test_a_mark_or_a_remark_before_a_radial_phase_changes_nothing(run, tmp_path, case):
    text = case.read_bytes().removeprefix(b"\xef\xbb\xbf")
    plain = tmp_path / "plain.csv"
    plain.write_bytes(text[text.index(b"r_mm") :])
    found, wanted = (
        answered(run("import", path, "-o", tmp_path / "o", "--like", "hyperbolic", "--dry-run", "--json"))
        for path in (case, plain)
    )
    assert found["terms"] == wanted["terms"] == 1
    assert found["aperture_um"] == wanted["aperture_um"]


@cases("files/bom_phase.csv")
def test_a_byte_order_mark_before_a_phase_map_changes_nothing(case):
    assert read_phase_map(case).shape == (101, 101)


@cases("files/quoted_header_lib.csv")
def test_a_header_in_quotation_marks_is_read(run, tmp_path, case):
    about = case.with_name("round_pillars_350.toml")
    answered(run("library", "import", case, "--about", about, "-o", tmp_path / "o.h5", "--json"))
    assert len(read_atom_library(tmp_path / "o.h5").geometry) == 27


@pytest.mark.long
@cases("files/wrapped_*.npy")
def test_a_wrapped_map_is_told_and_read_as_phasors_where_it_is_said(run, tmp_path, small_camera_text, case):
    shutil.copy(case, tmp_path)
    before = '{ family = "hyperbolic", wavelength_nm = 530.0 }'
    text = small_camera_text.replace(
        "aperture_um = 40.0, focal_length_um = 100.0", "aperture_um = 200, focal_length_um = 1000"
    )
    for wrapped in ("", ", wrapped = true"):
        phase = f'{{ family = "freeform", file = "{case.name}", pitch_um = 0.5{wrapped} }}'
        (tmp_path / "lens.toml").write_text(text.replace(before, phase))
        arguments = ("psf", tmp_path / "lens.toml", "-o", tmp_path / "psf.h5", "--fields", "1x1", "--window", 63)
        result = run(*arguments, "--wavelengths", 1, "--json")
        if wrapped:
            assert answered(result)["captured_share_lowest"] == pytest.approx(0.984, abs=0.002)
        else:
            refused(result, "looks wrapped", "wrapped = true")


@cases("files/stopped150.toml")
def test_the_axial_ray_of_a_designed_lens_meets_the_middle_of_the_sensor(run, tmp_path, case):
    answered(run("psf", case, "-o", tmp_path / "p.h5", "--fields", "3x3", "--wavelengths", 1, "--dry-run", "--json"))


@cases("files/left_aligned_10bit")
def test_left_aligned_numbers_are_counted_in_their_steps(run, case):
    dark = case.with_name("left_aligned_10bit_dark.npy")
    found = answered(run("sensor", "calibrate", *sorted(case.glob("*.npy")), "--dark", dark, "--json"))
    assert (found["step"], found["bit_depth"]) == (64, 10)
    assert found["system_gain"] == pytest.approx(0.15, rel=0.03)
    assert found["limited_by_quantisation"]


@cases("files/binary2.zmx")
def test_the_binary_2_surface_of_a_zmx_file_is_a_phase(run, tmp_path, case):
    found = answered(run("import", case, "-o", tmp_path / "o", "--like", "hyperbolic", "--json"))
    assert found["terms"] == 3


@cases("hostile/adapter-*")
def test_an_adapter_that_is_broken_is_refused(run, tmp_path, case):
    picture = tmp_path / "picture.png"
    shutil.copy(CASES / "files" / "icc_srgb_g22.png", picture)
    refused(run("restore", picture, "--adapter", case, "-o", tmp_path / "o"), "adapter.json")
    assert not (tmp_path / "o").exists()


@cases("hostile/pairs-*")
def test_a_manifest_that_is_broken_is_refused_within_a_second(run, tmp_path, case):
    for arguments in (("restore", case, "-o", tmp_path / "o"), ("data", "show", case)):
        # The first run imports packages.
        refused(run(*arguments), case.name)
        begin = time.process_time()
        refused(run(*arguments), case.name)
        assert time.process_time() - begin < 1


@cases("hostile/aref-bomb-12.gds")
def test_arrays_of_references_are_bounded_over_the_file(run, library, tmp_path, case):
    place = library("round_pillars_350")
    tracemalloc.start()
    refused(run("import", case, "-o", tmp_path / "o", "--like", "hyperbolic", "--library", place), case.name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500e6


@cases("hostile/*.toml")
def test_a_number_out_of_range_is_refused_by_its_key(run, tmp_path, case):
    refused(run("psf", case, "-o", tmp_path / "p.h5"), case.name, case.name.split("-")[0])
