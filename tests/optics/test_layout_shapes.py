"""Layouts of ellipses, crosses, H shapes and polygons: there and back, how near they are drawn, and what is refused."""

import gdstk
import numpy as np
import pytest

from metalens.formats.camera.structure import Structure, read_structure, write_structure
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.polygon import area_of
from metalens.formats.meta_atoms.shapes import PARAMETERS, Family
from metalens.optics.layout.as_made import ImportOptions, import_lens
from metalens.optics.layout.chosen import choice_for, structure_of_camera
from metalens.optics.layout.hierarchy import OUTLINE_COLUMNS, measure
from metalens.optics.layout.mask import write_mask
from metalens.optics.layout.matching import principal_axes
from metalens.optics.layout.outlines import outline
from metalens.optics.layout.reading import read_drawn_atoms
from metalens.optics.layout.recognition import structure_of_layout
from metalens.optics.layout.sites_table import read_sites_table, write_sites_table
from metalens.optics.structure.sites import check_same_arrays
from tests.formats.meta_atoms.shape_examples import EXAMPLES, L_SHAPE

from .layout_examples import made_of
from .rectangle_examples import FINS, PITCH, camera_in, library

EACH = pytest.mark.parametrize("name", EXAMPLES)


def lens(name: str) -> Structure:
    """Meta-atoms that differ by 4 nm in one length, at 7 × 7 sites in no order."""
    family, lengths, _ = EXAMPLES[name]
    geometry = np.array([lengths, [lengths[0] + 4, *lengths[1:]]], dtype=float)
    return Structure(
        lattice="square",
        pitch=400e-9,
        site_index=np.random.default_rng(2).integers(0, 2, (7, 7)).astype(np.uint16),
        geometry=1e-9 * geometry,
        parameter_names=PARAMETERS[family.shape],
        shape=family.shape,
        height=600e-9,
        families=(family,),
    )


@EACH
@pytest.mark.parametrize("kind", ["gds", "oasis", "csv"])
def test_what_is_drawn_is_read_as_the_same_lens(tmp_path, name, kind):
    made, path = lens(name), tmp_path / f"lens.{kind}"
    if kind == "csv":
        write_sites_table(path, made)
        found = read_sites_table(path, made_of(made)).structure
    else:
        figures = write_mask(path, made, kind, diameter=2.8e-6)
        # Both corners that a side of the box lies between are rounded by half a step.
        assert figures.width_error < 1e-9
        found = structure_of_layout(read_drawn_atoms(path), made_of(made)).structure
    np.testing.assert_array_equal(found.site_index, made.site_index)
    np.testing.assert_allclose(found.geometry, made.geometry, atol=1e-12)
    assert found.families == made.families
    assert found.rotation is None


@EACH
def test_an_outline_on_the_grid_has_the_area_of_its_shape(name):
    family, lengths, area = EXAMPLES[name]
    fine = outline(family, 1e-9 * np.array(lengths, dtype=float), 1e-11)
    assert area_of(fine) * 1e-4 == pytest.approx(area, rel=3e-4)
    coarse = outline(family, 1e-9 * np.array(lengths, dtype=float), 1e-9)
    around = np.hypot(*(coarse - np.roll(coarse, 1, axis=0)).T).sum()
    # Corners lie half a step beside their place along both axes.
    assert area_of(coarse) == pytest.approx(area, abs=0.5 * around)


@pytest.mark.parametrize("length", [200, 201])
@pytest.mark.parametrize("arm", [60, 61])
def test_an_upright_cross_of_whole_nanometres_is_drawn_as_it_is(length, arm):
    points = outline(Family("cross_pillar"), 1e-9 * np.array([length, arm]), 1e-9)
    assert area_of(points) == 2 * length * arm - arm**2
    np.testing.assert_array_equal(np.ptp(points, axis=0), length)


@pytest.mark.parametrize("degrees", [0, 20, 90, 133])
def test_an_ellipse_is_drawn_with_its_axes_and_its_angle(degrees):
    family = Family("elliptical_pillar", np.radians(degrees))
    points = outline(family, np.array([240e-9, 130e-9]), 1e-9)
    axes, angle = principal_axes(measure(points[None])[0, OUTLINE_COLUMNS])
    assert axes == pytest.approx([240, 130], abs=0.3)
    assert np.degrees(angle) % 180 == pytest.approx(degrees, abs=0.2)


def foreign(folder, points, name="foreign.gds"):
    cell, top = gdstk.Cell("ATOM"), gdstk.Cell("TOP")
    cell.add(gdstk.Polygon(1e-3 * np.array(points), layer=1))
    top.add(gdstk.Reference(cell, columns=5, rows=5, spacing=(0.4, 0.4), origin=(-0.8, -0.8)))
    made = gdstk.Library("foreign", unit=1e-6, precision=1e-9)
    made.add(cell, top)
    made.write_gds(folder / name)
    return read_drawn_atoms(folder / name)


def test_an_ellipse_that_another_tool_drew_is_the_librarys(tmp_path):
    angle = 2 * np.pi * np.arange(64) / 64
    atoms = foreign(tmp_path, np.stack([60 * np.cos(angle), 120 * np.sin(angle)], axis=1))
    found = structure_of_layout(atoms, made_of(lens("ellipse"))).structure
    np.testing.assert_allclose(found.geometry, [[120e-9, 240e-9]], atol=1e-12)


@pytest.mark.parametrize(
    ("name", "points", "message"),
    [
        (
            "ellipse",
            [(-50, -100), (50, -100), (50, 100), (-50, 100)],
            r"as an ellipse one of 230\.9 × 115\.5 nm at 90°",
        ),
        (
            "cross",
            EXAMPLES["cross"][0].outline(np.array([200.0, 60.0])),
            r"as a cross one with arms of 200 × 60 nm, is none of the library's: the nearest, a cross_pillar of 250",
        ),
        (
            "H",
            [(-50, -100), (50, -100), (50, 100), (-50, 100)],
            r"a polygon of 100 × 200 nm that fills 100 % of its box",
        ),
    ],
)
def test_what_is_none_of_the_library_is_told_as_what_it_is(tmp_path, name, points, message):
    atoms = foreign(tmp_path, points)
    with pytest.raises(InputError, match=message):
        structure_of_layout(atoms, made_of(lens(name)))


def test_ellipses_of_a_library_of_circles_are_refused(tmp_path):
    atoms = foreign(tmp_path, Family("elliptical_pillar").outline(np.array([120.0, 240.0])))
    made = made_of(lens("ellipse"))
    circles = type(made)(made.height, shape="round_pillar")
    with pytest.raises(InputError, match="neither a disc, a ring nor a rectangle"):
        structure_of_layout(atoms, circles)


def test_a_polygon_is_told_from_its_mirror_image_by_its_axial_moments(tmp_path):
    made = lens("polygon at an angle")
    mirrored = made.families[0].outline(np.array([210.0])) * [1, -1]
    with pytest.raises(InputError, match="is none of the library's"):
        structure_of_layout(foreign(tmp_path, mirrored), made_of(made))


@pytest.mark.parametrize("kind", ["gds", "csv"])
def test_elliptical_nanofins_are_turned_site_by_site(tmp_path, kind):
    shape = {"shape": "elliptical_pillar", "parameter_names": ("diameter_x", "diameter_y")}
    ellipses = library([(95e-9, 250e-9), (250e-9, 250e-9)], [0.9, 0.8], [-0.9, 0.8], **shape)
    camera = camera_in(tmp_path, ellipses, FINS)
    made = structure_of_camera(camera, choice_for(camera))
    path = tmp_path / f"lens.{kind}"
    if kind == "csv":
        write_sites_table(path, made)
    else:
        figures = write_mask(path, made, kind, diameter=6e-6)
        assert figures.width_error < 0.5e-9
        assert figures.angle_error < 0.005
    found = import_lens(path, camera, ImportOptions(diameter=6e-6)).recognised.structure
    assert found.shape == "elliptical_pillar"
    assert found.pitch == pytest.approx(PITCH)
    margin = (made.site_index.shape[0] - found.site_index.shape[0]) // 2
    inner = slice(margin, made.site_index.shape[0] - margin)
    wanted, there = made.site_index[inner, inner], made.site_index[inner, inner] != 65535
    np.testing.assert_array_equal(found.site_index != 65535, there)
    aside = found.rotation[found.site_index[there]] - made.rotation[wanted[there]]
    assert np.abs((aside + np.pi / 2) % np.pi - np.pi / 2).max() < 0.005


def test_a_structure_of_polygons_is_a_file_of_the_third_version(tmp_path):
    made = lens("polygon at an angle")
    write_structure(tmp_path / "structure.h5", made)
    assert read_structure(tmp_path / "structure.h5").families == made.families
    with pytest.raises(InputError, match="polygonal_pillars are not turned at each site"):
        Structure(**{**vars(made), "rotation": np.zeros(2)})


def test_a_table_of_polygons_tells_their_corners_and_their_turn(tmp_path):
    write_sites_table(tmp_path / "sites.csv", lens("polygon at an angle"))
    remark, names, first = (tmp_path / "sites.csv").read_text(encoding="ascii").splitlines()[:3]
    # 3 wide, and its centroid lies at (5/4, 3/4): the first corner is 5/12 to the left and 1/4 below.
    assert remark.startswith(
        "# corners of the outline about its site, x y over its size, y up: -0.416667 -0.25, 0.583333 "
    )
    assert names == "x_um,y_um,size_nm,rotation_deg"
    assert first.endswith(",28.6479")


def test_a_table_of_another_turn_is_refused(tmp_path):
    write_sites_table(tmp_path / "sites.csv", lens("polygon at an angle"))
    with pytest.raises(InputError, match=r"is turned by 28\.6479°, and the library's by 0°"):
        read_sites_table(tmp_path / "sites.csv", made_of(lens("polygon")))


def test_a_library_of_another_turn_is_refused():
    made = lens("ellipse at an angle")
    upright = library([(120e-9, 240e-9)], [1], [1], shape="elliptical_pillar", pitch=400e-9,
                      parameter_names=("diameter_x", "diameter_y"))  # fmt: skip
    with pytest.raises(InputError, match="have another turn, other vertices"):
        check_same_arrays(made, upright)


def test_a_polygon_that_the_grid_makes_cross_itself_is_refused():
    narrow = Family("polygonal_pillar", 0.0, ((0, 0), (100, 0), (100, 40), (50.5, 0.3), (50, 0.3), (0, 40)))
    with pytest.raises(InputError, match="take a finer grid"):
        outline(narrow, np.array([100e-9]), 5e-9)
    assert len(outline(narrow, np.array([100e-9]), 1e-11)) == 6


def test_l_shapes_are_no_rectangles():
    points = outline(Family("polygonal_pillar", 0.0, L_SHAPE), np.array([210e-9]), 1e-9)
    np.testing.assert_array_equal(np.ptp(points, axis=0), [210, 140])
