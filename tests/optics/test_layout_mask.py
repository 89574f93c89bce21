"""Layouts of a structure: cells, references, layers and marks, and that they hold what they were made from."""

import gdstk
import numpy as np
import pytest
from hypothesis import given, settings

from metalens.formats.camera.parts import PolygonalAperture
from metalens.formats.camera.structure import EMPTY
from metalens.formats.files.errors import InputError
from metalens.optics.layout.layers import LayerMap, parse_layer
from metalens.optics.layout.mask import MaskOptions, write_mask
from metalens.optics.layout.reading import read_drawn_atoms
from metalens.optics.layout.recognition import structure_of_layout

from .layout_examples import any_structure, assert_same_sites, lens, made_of, structure

DIAMETER = 10e-6


def written(folder, made, kind="gds", **options):
    path = folder / f"lens.{kind}"
    path.unlink(missing_ok=True)
    return path, write_mask(path, made, kind, diameter=DIAMETER, options=MaskOptions(**options))


def read_back(path, made):
    return structure_of_layout(read_drawn_atoms(path), made_of(made)).structure


@settings(max_examples=25, deadline=None)
@given(made=any_structure())
def test_a_gds_file_holds_every_site_of_any_structure(tmp_path_factory, made):
    path, _ = written(tmp_path_factory.mktemp("gds"), made)
    # Sides of boxes are whole nanometres; round ones keep their area to a quarter of one, rings both diameters.
    assert_same_sites(read_back(path, made), made, within=0.8)


@settings(max_examples=4, deadline=None)
@given(made=any_structure())
def test_an_oasis_file_holds_every_site_of_any_structure(tmp_path_factory, made):
    path, _ = written(tmp_path_factory.mktemp("oasis"), made, "oasis")
    assert_same_sites(read_back(path, made), made, within=0.8)


@pytest.mark.parametrize("kind", ["gds", "oasis"])
@pytest.mark.parametrize("missing", [False, True], ids=["symmetric", "with a missing pillar"])
def test_a_lens_of_tens_of_thousands_of_sites_is_read_back_site_by_site(tmp_path, kind, missing):
    made = lens(201)
    if missing:
        index = made.site_index.copy()
        index[70, 110] = EMPTY
        made = structure(index)
    path, figures = written(tmp_path, made, kind)
    found = read_back(path, made)
    assert figures.quadrants is not missing
    assert found.site_index.shape == made.site_index.shape
    assert (found.site_index == made.site_index).all()
    assert found.pitch == pytest.approx(made.pitch, rel=1e-12)


@pytest.mark.parametrize("side", [40, 41])
def test_a_quarter_turned_four_times_draws_the_same_as_the_whole(tmp_path, side):
    made = lens(side)
    path, figures = written(tmp_path, made)
    assert figures.quadrants
    quarter = gdstk.read_gds(path)
    path, whole_figures = written(tmp_path, made, quadrants=False)
    whole = gdstk.read_gds(path)
    assert figures.references < 0.3 * whole_figures.references
    assert outlines_of(quarter["METALENS"]) == outlines_of(whole["METALENS"])


def outlines_of(cell, layer=1):
    """The polygons of a layer as sets of points on the grid, sorted."""
    polygons = cell.get_polygons(layer=layer, datatype=0)
    return sorted(sorted(map(tuple, np.rint(1e3 * each.points).astype(int).tolist())) for each in polygons)


def test_a_structure_that_a_quarter_turn_changes_is_drawn_whole(tmp_path):
    assert not written(tmp_path, structure([[0, 1, 0], [0, 0, 0], [0, 0, 0]]))[1].quadrants
    assert not written(tmp_path, lens(9, shape="rectangular_pillar"))[1].quadrants
    assert not written(tmp_path, lens(9, lattice="hexagonal"))[1].quadrants


def test_there_is_a_cell_for_each_geometry_and_no_meta_atom_is_drawn_flat(tmp_path):
    path, figures = written(tmp_path, lens(30), label="L1")
    library = gdstk.read_gds(path)
    cells = {cell.name: cell for cell in library.cells}
    assert figures.cells == 3
    assert {"D100", "D180", "D260", "METALENS", "QUADRANT", "MARK"} == set(cells)
    assert [len(cells[name].polygons) for name in ("D100", "D180", "D260")] == [1, 1, 1]
    assert all(each.layer != 1 for name in ("METALENS", "QUADRANT", "MARK") for each in cells[name].polygons)


def test_y_points_up_in_a_layout_so_that_row_0_is_at_the_top(tmp_path):
    index = np.zeros((5, 5))
    index[0, 4] = 2
    path, _ = written(tmp_path, structure(index))
    polygons = gdstk.read_gds(path)["METALENS"].get_polygons(layer=1, datatype=0)
    largest = max(polygons, key=lambda each: each.area())
    (left, bottom), (right, top) = largest.bounding_box()
    assert ((left + right) / 2, (bottom + top) / 2) == pytest.approx((0.7, 0.7), abs=1e-3)


def test_the_layers_hold_what_they_are_for(tmp_path):
    layers = LayerMap((10, 1), (11, 2), (12, 3), (13, 4))
    path, _ = written(tmp_path, lens(30), layers=layers, label="A 1")
    top = gdstk.read_gds(path)["METALENS"]
    boundary = top.get_polygons(layer=11, datatype=2)
    assert len(boundary) == 1
    # A polygon of 180 corners on the circle.
    assert boundary[0].area() == pytest.approx(np.pi * 25, rel=1e-3)
    marks = top.get_polygons(layer=12, datatype=3)
    # Crosses, 20 µm long and 2 µm wide, 30 µm beyond the aperture along both axes.
    assert [each.area() for each in marks] == pytest.approx([2 * 20 * 2 - 4] * 4)
    centres = {tuple(np.mean(each.bounding_box(), axis=0).round(3)) for each in marks}
    assert centres == {(x, y) for x in (-35, 35) for y in (-35, 35)}
    label = top.get_polygons(layer=13, datatype=4)
    assert label
    assert max(each.bounding_box()[1][1] for each in label) < -5
    assert len(top.get_polygons(layer=10, datatype=1)) == written(tmp_path, lens(30))[1].sites


def test_marks_and_label_can_be_left_out(tmp_path):
    path, _ = written(tmp_path, lens(20), marks=False)
    assert {layer for layer, _ in gdstk.gds_info(path)["layers_and_datatypes"]} == {1, 2}


def test_a_polygonal_aperture_is_its_own_boundary(tmp_path):
    path = tmp_path / "lens.gds"
    triangle = PolygonalAperture(shape="polygon", vertices_um=((-4.0, 0.0), (3.0, 3.0), (3.0, -3.0)))
    write_mask(path, lens(20), "gds", diameter=DIAMETER, aperture=triangle)
    found = gdstk.read_gds(path)["METALENS"].get_polygons(layer=2, datatype=0)[0]
    assert {tuple(point) for point in found.points.round(6).tolist()} == {(0.0, 4.0), (3.0, -3.0), (-3.0, -3.0)}


@pytest.mark.parametrize("vertices", [8, 16, 32, 64])
@pytest.mark.parametrize("diameter", [100.0, 137.3, 299.9])
def test_polygons_have_the_area_of_the_circle(tmp_path, vertices, diameter):
    index = np.zeros((3, 3))
    made = structure(index)
    made = type(made)(**{**vars(made), "geometry": np.array([[1e-9 * diameter]])})
    path, figures = written(tmp_path, made, vertices=vertices, grid=1e-10)
    drawn = gdstk.read_gds(path)["METALENS"].get_polygons(layer=1, datatype=0)
    widths = [2e3 * np.sqrt(each.area() / np.pi) for each in drawn]
    assert widths == pytest.approx([diameter] * 9, abs=0.1)
    assert figures.width_error < 0.1e-9


def test_a_coarse_grid_changes_widths_by_what_the_figures_say(tmp_path):
    _, figures = written(tmp_path, lens(12), grid=5e-9)
    assert 0.1e-9 < figures.width_error < 3e-9


def test_circles_of_oasis_have_whole_radii(tmp_path):
    path, figures = written(tmp_path, lens(12), "oasis", circles=True)
    found = read_back(path, lens(12))
    assert figures.width_error < 1e-15
    assert (1e9 * found.geometry[:, 0]).tolist() == pytest.approx([100, 180, 260], abs=0.05)
    assert figures.size < written(tmp_path, lens(12), "oasis")[1].size


@pytest.mark.parametrize("kind", ["gds", "oasis"])
def test_equal_structures_make_equal_bytes(tmp_path, kind):
    first = written(tmp_path, lens(20), kind, label="L")[0].read_bytes()
    assert written(tmp_path, lens(20), kind, label="L")[0].read_bytes() == first


@pytest.mark.parametrize("kind", ["gds", "oasis"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, kind, monkeypatch):
    real = {"gds": gdstk.Library.write_gds, "oasis": gdstk.Library.write_oas}[kind]

    class FullDisk(gdstk.Library):
        def write_gds(self, part, **options):
            real(self, part, **options)
            part.write_bytes(part.read_bytes()[:-300])

        write_oas = write_gds

    monkeypatch.setattr(gdstk, "Library", FullDisk)
    with pytest.raises(InputError, match=r"could not be written \(No space left on device\); nothing half-written"):
        written(tmp_path, lens(20), kind)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vertices": 30}, "layout: vertices: expected a multiple of 4, found 30"),
        ({"grid": 1e-6}, "layout: grid: expected 1.001e-07 or less"),
        ({"label": "λ"}, "layout: label: 'λ' must be one line of at most 200 ASCII"),
        ({"circles": True}, "circles are for OASIS"),
        ({"layers": LayerMap(), "grid": 1e-7}, "vanish on a grid of 100 nm"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path, options, message):
    tiny = structure(np.zeros((3, 3)))
    if "layers" in options:
        tiny = type(tiny)(**{**vars(tiny), "geometry": np.array([[40e-9]])})
    with pytest.raises(InputError, match=message):
        written(tmp_path, tiny, **options)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_structure_is_refused(tmp_path):
    with pytest.raises(InputError, match="no site of the structure holds a meta-atom"):
        written(tmp_path, structure(np.full((4, 4), EMPTY)))


def test_layers_are_numbers_and_datatypes():
    assert parse_layer("7") == (7, 0)
    assert parse_layer("7/12") == (7, 12)
    for wrong in ("", "a", "1/2/3", "-1", "70000", "1/70000"):
        with pytest.raises(InputError, match="is not LAYER/DATATYPE"):
            parse_layer(wrong)
    with pytest.raises(InputError, match="give the meta-atoms a layer of their own"):
        LayerMap(marks=(1, 0))
