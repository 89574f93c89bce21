"""The specification of a library: what it may say, and a sentence for what contradicts itself."""

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.spec import parse_library_spec, read_library_spec
from metalens.optics.rcwa import plan_library

TEXT = """
schema = "metalens.library_spec"
version = 1
name = "pillars"

[meta_atom]
shape = "round_pillar"
height_nm = 600
diameter_nm = { start = 100, stop = 200, count = 3 }

[array]
lattice = "square"
pitch_nm = 250

[materials]
meta_atom = 2.0
substrate = "main/SiO2/Malitson"

[light]
wavelength_nm = [450, 532]
"""


def changed(*pairs: tuple[str, str]) -> str:
    text = TEXT
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def test_nanometres_and_degrees_become_metres_and_radians():
    plan = plan_library(parse_library_spec(changed(("[light]", "[light]\nangle_deg = [0, 10]"))))
    np.testing.assert_allclose(plan.geometry[:, 0], [100e-9, 150e-9, 200e-9])
    np.testing.assert_allclose(plan.wavelength, [450e-9, 532e-9])
    np.testing.assert_allclose(plan.angle, np.radians([0, 10]))
    # Malitson's Sellmeier formula at 532 nm: 1.4607 (J. Opt. Soc. Am. 55, 1205, 1965).
    assert plan.before[1] == pytest.approx(1.4607, abs=1e-4)
    assert plan.behind[1] == 1.0


def test_light_may_come_from_the_other_side():
    plan = plan_library(parse_library_spec(changed(("[light]", '[light]\ncomes_from = "surrounding"'))))
    assert plan.before[0] == 1.0
    assert plan.behind[0].real > 1.4


def test_rings_without_a_wall_are_left_out():
    ring = 'shape = "annular_pillar"\nouter_diameter_nm = [100, 200]\ninner_diameter_nm = [50, 150]'
    spec = parse_library_spec(
        changed(('shape = "round_pillar"', ring), ("diameter_nm = { start = 100, stop = 200, count = 3 }", ""))
    )
    np.testing.assert_allclose(spec.meta_atom.geometry(), 1e-9 * np.array([[100, 50], [200, 50], [200, 150]]))


ROUND = 'shape = "round_pillar"\nheight_nm = 600\ndiameter_nm = { start = 100, stop = 200, count = 3 }'
TRIANGLE = "vertices = [[0, 0], [2, 0], [0, 1]]"


def of_shape(shape: str, *lines: str) -> str:
    return changed((ROUND, "\n".join([f'shape = "{shape}"', "height_nm = 600", *lines])))


def test_crosses_h_shapes_and_ellipses_have_lengths_of_their_own():
    spec = parse_library_spec(of_shape("cross_pillar", "length_nm = [100, 200]", "arm_width_nm = [100, 150]"))
    # Arms are no wider than they are long.
    np.testing.assert_allclose(spec.geometry(), 1e-9 * np.array([[100, 100], [200, 100], [200, 150]]))
    h = of_shape(
        "h_pillar", "width_x_nm = [200]", "width_y_nm = [150]", "leg_width_nm = [60, 100]", "bar_width_nm = [50]"
    )
    # Two legs of 100 nm leave no bar between them.
    np.testing.assert_allclose(parse_library_spec(h).geometry(), 1e-9 * np.array([[200, 150, 60, 50]]))
    ellipse = parse_library_spec(
        of_shape("elliptical_pillar", "diameter_x_nm = [80]", "diameter_y_nm = [120]", "rotation_deg = 30")
    )
    assert ellipse.meta_atom.family().rotation == pytest.approx(np.radians(30))


def test_what_the_process_cannot_make_is_left_out():
    lines = ["length_nm = [150, 200, 240]", "arm_width_nm = [40, 80]"]
    limits = ["smallest_feature_nm = 80", "smallest_gap_nm = 50"]
    found = parse_library_spec(of_shape("cross_pillar", *lines, *limits)).geometry()
    np.testing.assert_allclose(found, 1e-9 * np.array([[150, 80], [200, 80]]))
    assert len(parse_library_spec(of_shape("cross_pillar", *lines)).geometry()) == 6


def test_the_limits_of_a_process_hold_for_circles_too():
    text = changed(("height_nm = 600", "height_nm = 600\nsmallest_gap_nm = 100"))
    np.testing.assert_allclose(plan_library(parse_library_spec(text)).geometry[:, 0], [100e-9, 150e-9])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["size_nm = [100]"], "a polygonal_pillar needs vertices"),
        ([TRIANGLE], "a polygonal_pillar is described by size_nm; found none"),
        ([TRIANGLE, "size_nm = [240]"], "leaves its cell of array.pitch_nm 250 and meets its neighbours"),
        (["size_nm = [9]", "vertices = [[0, 0], [1, 1], [1, 0], [0, 1]]"], "the polygon crosses or touches itself"),
        ([TRIANGLE, "size_nm = [100]", "rotation_deg = 400"], "rotation_deg"),
        ([TRIANGLE, "size_nm = [100]", "smallest_feature_nm = 90"], "no polygonal_pillar has features"),
    ],
)
def test_a_polygon_that_cannot_be_made_is_refused(lines, message):
    with pytest.raises(InputError) as caught:
        parse_library_spec(of_shape("polygonal_pillar", *lines))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_turned_cross_may_leave_a_cell_that_holds_it_upright():
    lines = ["length_nm = [240]", "arm_width_nm = [200]"]
    parse_library_spec(of_shape("cross_pillar", *lines))
    with pytest.raises(InputError, match="a cross_pillar of 240 × 200 nm, turned by 20°, leaves its cell"):
        parse_library_spec(of_shape("cross_pillar", *lines, "rotation_deg = 20"))


@pytest.mark.parametrize(
    ("shape", "lines", "meets"),
    [
        ("square_pillar", ["width_nm = [216]"], False),
        ("square_pillar", ["width_nm = [217]"], True),
        ("rectangular_pillar", ["width_x_nm = [120]", "width_y_nm = [240]"], False),
        ("rectangular_pillar", ["width_x_nm = [130]", "width_y_nm = [240]"], True),
    ],
)
def test_on_hexagonal_lattices_corners_may_meet_the_next_row(shape, lines, meets):
    """Rows are √3/2 of the pitch of 250 nm apart, and shifted by half of it."""
    text = of_shape(shape, *lines).replace('lattice = "square"', 'lattice = "hexagonal"')
    assert "hexagonal" in text
    if not meets:
        parse_library_spec(text)
        return
    with pytest.raises(
        InputError, match=r"meets the next row of a hexagonal lattice of array\.pitch_nm 250, 217 nm away"
    ):
        parse_library_spec(text)


CROSSES = """
[[meta_atom]]
shape = "cross_pillar"
height_nm = 600
length_nm = [150, 200]
arm_width_nm = [60]
"""


def of_families(*tables: str) -> str:
    return changed(("[meta_atom]", "[[meta_atom]]"), ("[array]", "\n".join([*tables, "[array]"])))


def test_several_families_are_one_geometry_filled_up_with_zeros():
    plan = plan_library(parse_library_spec(of_families(CROSSES)))
    assert [family.shape for family in plan.families] == ["round_pillar", "cross_pillar"]
    np.testing.assert_array_equal(plan.family, [0, 0, 0, 1, 1])
    expected = [[100, 0, 0, 0], [150, 0, 0, 0], [200, 0, 0, 0], [150, 60, 0, 0], [200, 60, 0, 0]]
    np.testing.assert_allclose(plan.geometry, 1e-9 * np.array(expected))


def test_one_table_in_double_brackets_is_one_family():
    spec = parse_library_spec(of_families())
    assert spec.shape() == "round_pillar"
    assert spec.family() is None
    np.testing.assert_array_equal(spec.geometry(), parse_library_spec(TEXT).geometry())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (CROSSES.replace("600", "500"), "meta_atom.height_nm 600, 500: the meta-atoms of one lens have one height"),
        (CROSSES + CROSSES, "two tables meta_atom have one shape, turn and polygon"),
        (CROSSES.replace("200", "260"), "a cross_pillar of 260 nm does not fit array.pitch_nm 250"),
        (CROSSES.replace("length", "lenght"), "unknown key meta_atom.1.lenght_nm"),
        ('[[meta_atom]]\nshape = "square_hole"\nheight_nm = 600\nwidth_nm = [100]', "both pillars and holes"),
        ('[[meta_atom]]\nshape = "mixed"\nheight_nm = 600', "meta_atom.1.shape"),
        (CROSSES * 16, "meta_atom"),
    ],
)
def test_families_that_do_not_fit_together_are_refused(table, message):
    with pytest.raises(InputError) as caught:
        parse_library_spec(of_families(table))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_many_combinations_are_refused_before_they_are_made():
    many = "{ start = 10, stop = 100, count = 1000 }"
    lines = [f"{name} = {many}" for name in ("width_x_nm", "width_y_nm", "leg_width_nm", "bar_width_nm")]
    with pytest.raises(InputError, match="1000 × 1000 × 1000 × 1000 combinations of lengths"):
        parse_library_spec(of_shape("h_pillar", *lines))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pitch_nm = 250", "pitch_nm = 200", "of 200 nm does not fit array.pitch_nm 200; neighbours would touch"),
        ("diameter_nm", "width_nm", "a round_pillar is described by diameter_nm; found width_nm"),
        ("height_nm = 600", "height_nm = 600\nrotation_deg = 20", "a round_pillar has no rotation"),
        ("height_nm = 600", f"height_nm = 600\n{TRIANGLE}", "a round_pillar has no vertices"),
        ("diameter_nm", "diametre_nm", "unknown key meta_atom.diametre_nm"),
        ("start = 100", "start = 300", "start 300 must be less than stop 200"),
        ("[450, 532]", "[532, 450]", "wavelength_nm must be one or more numbers that ascend"),
        ("[450, 532]", "[]", "wavelength_nm must be one or more numbers"),
        ("[450, 532]", "[450, nan]", "wavelength_nm"),
        ("[450, 532]", "[50, 532]", "must lie between 100 and 100000"),
        ("[light]", "[light]\nangle_deg = [10, 0]", "must ascend, each once"),
        ("[light]", "[light]\nangle_deg = [90]", "angle_deg"),
        ("[light]", '[light]\npolarisations = ["s", "s"]', "holds one twice"),
        ("height_nm = 600", "height_nm = -1", "height_nm"),
        ("version = 1", "version = 7", "at the top"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(old, new, message):
    with pytest.raises(InputError) as caught:
        parse_library_spec(changed((old, new)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[450, 532]", "[150, 532]", "150 nm lies outside its data, which go from 210 to 6700 nm"),
        ("Malitson", "Malison", "no such page of refractiveindex.info"),
        ("main/SiO2/Malitson", "SiO2", 'write it as "shelf/book/page"'),
        ('"main/SiO2/Malitson"', "[1.5, 0.1]", "light comes from the substrate, which absorbs"),
        (
            "pitch_nm = 250",
            "pitch_nm = 350",
            "leaves into the substrate, for the pitch is 350 nm; a pitch under 307 nm",
        ),
        ('"main/SiO2/Malitson"', "1.0\nsurrounding = 2.0", "leaves into the surrounding"),
    ],
)
def test_what_the_materials_do_not_allow_is_refused_before_the_work(old, new, message):
    with pytest.raises(InputError) as caught:
        plan_library(parse_library_spec(changed((old, new))))
    assert message in str(caught.value)


def test_diffraction_may_be_allowed():
    text = changed(("pitch_nm = 250", "pitch_nm = 350"), ("[light]", "[light]\nallow_diffraction = true"))
    assert plan_library(parse_library_spec(text)).pitch == pytest.approx(350e-9)


def test_a_hexagonal_lattice_may_have_a_longer_pitch():
    # Its reciprocal vectors are 2/√3 times as long: 450/1.4656·1.1547 = 354.5 nm.
    text = changed(('lattice = "square"', 'lattice = "hexagonal"'), ("pitch_nm = 250", "pitch_nm = 350"))
    assert plan_library(parse_library_spec(text)).spec.array.lattice == "hexagonal"
    with pytest.raises(InputError, match=r"a pitch under 354\.5 nm"):
        plan_library(parse_library_spec(text.replace("pitch_nm = 350", "pitch_nm = 360")))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"spec\.toml: no such file"):
        read_library_spec(tmp_path / "spec.toml")
