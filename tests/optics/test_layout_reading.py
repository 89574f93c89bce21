"""Layouts of other tools, damaged ones and hostile ones: what is read, and what is refused with a sentence."""

import contextlib
import struct
import tracemalloc
from dataclasses import replace

import gdstk
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.camera.structure import EMPTY
from metalens.formats.files.errors import InputError
from metalens.optics.layout.mask import write_mask
from metalens.optics.layout.reading import read_drawn_atoms
from metalens.optics.layout.recognition import Made, _diameter, structure_of_layout

from .layout_examples import assert_same_sites, lens, structure

MADE = Made(705e-9)


def library(*cells):
    found = gdstk.Library("foreign", unit=1e-6, precision=1e-9)
    found.add(*cells)
    return found


def saved(folder, found, kind="gds"):
    path = folder / f"foreign.{kind}"
    found.write_gds(path) if kind == "gds" else found.write_oas(path)
    return path


def disc(radius=0.1, **layer):
    angle = 2 * np.pi * np.arange(24) / 24
    return gdstk.Polygon(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1), **{"layer": 1, **layer})


def centres(drawn):
    return sorted(zip(np.rint(1e10 * drawn.drawn.x), np.rint(1e10 * drawn.drawn.y), strict=True))


@pytest.mark.parametrize("kind", ["gds", "oasis"])
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_turned_mirrored_magnified_and_repeated_cells_are_where_gdstk_puts_them(tmp_path_factory, kind, seed):
    generator = np.random.default_rng(seed)
    cells = [gdstk.Cell("ATOM")]
    cells[0].add(disc(), gdstk.rectangle((0.1, 0.2), (0.3, 0.25), layer=1), disc(layer=2))
    for level in range(3):
        cell = gdstk.Cell(f"LEVEL{level}")
        for _ in range(2):
            reference = gdstk.Reference(
                generator.choice(cells),
                tuple(generator.integers(-3000, 3000, 2) / 1000),
                rotation=generator.choice([0, np.pi / 2, np.pi, 1.5 * np.pi]),
                magnification=generator.choice([1, 2]),
                x_reflection=bool(generator.integers(2)),
            )
            if generator.integers(2):
                reference.repetition = gdstk.Repetition(columns=3, rows=2, spacing=(0.7, 0.9))
            cell.add(reference)
        cells.append(cell)
    path = saved(tmp_path_factory.mktemp("cells"), library(*cells), kind)
    found = read_drawn_atoms(path, layer=(1, 0), cell="LEVEL2")
    again = gdstk.read_gds(path) if kind == "gds" else gdstk.read_oas(path)
    expected = again["LEVEL2"].get_polygons(layer=1, datatype=0)
    points = [np.mean(each.bounding_box(), axis=0) for each in expected]
    wanted = sorted((np.rint(1e4 * x), np.rint(1e4 * y)) for x, y in points)
    assert np.abs(np.array(centres(found)) - np.array(wanted)).max() <= 1
    assert sum(found.outlines[found.drawn.outline, 0]) == pytest.approx(1e-12 * sum(p.area() for p in expected))


def test_flat_polygons_of_another_tool_are_a_structure_too(tmp_path):
    wanted = lens(24)
    top = gdstk.Cell("ANYTHING")
    path = tmp_path / "own.gds"
    write_mask(path, wanted, "gds", diameter=8e-6)
    top.add(*gdstk.read_gds(path)["METALENS"].get_polygons(layer=1, datatype=0))
    for each in top.polygons:
        each.layer = 17
    found = structure_of_layout(read_drawn_atoms(saved(tmp_path, library(top))), MADE)
    assert_same_sites(found.structure, wanted)


def test_arrays_of_references_are_read(tmp_path):
    atom, top = gdstk.Cell("A"), gdstk.Cell("T")
    atom.add(disc())
    top.add(gdstk.Reference(atom, (-0.7, -1.05), columns=5, rows=7, spacing=(0.35, 0.35)))
    found = structure_of_layout(read_drawn_atoms(saved(tmp_path, library(atom, top))), MADE)
    assert found.structure.site_index.shape == (7, 5)
    assert (found.structure.site_index == 0).all()
    assert found.structure.pitch == pytest.approx(350e-9)
    assert found.shift == pytest.approx((0, 0), abs=1e-12)


@pytest.mark.parametrize("turns", [0, 128, -3])
def test_a_rectangle_in_a_turned_cell_is_turned(tmp_path, turns):
    atom, top = gdstk.Cell("A"), gdstk.Cell("T")
    atom.add(gdstk.rectangle((-0.1, -0.05), (0.1, 0.05), layer=1))
    for place in ((-0.2, -0.2), (0.2, -0.2), (-0.2, 0.2)):
        top.add(gdstk.Reference(atom, place))
    # A file may say any angle, of many whole turns too.
    top.add(gdstk.Reference(atom, (0.2, 0.2), rotation=np.pi / 2 + 2 * np.pi * turns))
    found = structure_of_layout(read_drawn_atoms(saved(tmp_path, library(atom, top))), MADE).structure
    assert found.shape == "rectangular_pillar"
    lengths = np.rint(1e9 * found.geometry[found.site_index]).tolist()
    # Row 0 is at the top, where y = 0.2.
    assert lengths == [[[200, 100], [100, 200]], [[200, 100], [200, 100]]]


def test_what_is_no_meta_atom_is_refused(tmp_path):
    star = gdstk.Cell("STAR")
    star.add(gdstk.Polygon([(0, 0), (0.1, 0), (0, 0.1)], layer=1), disc(layer=1))
    with pytest.raises(InputError, match="fills 50 % of its box is neither a disc, a ring nor a rectangle"):
        structure_of_layout(read_drawn_atoms(saved(tmp_path, library(star))), MADE)
    mixed = gdstk.Cell("MIXED")
    mixed.add(disc(), gdstk.rectangle((1, 1), (1.2, 1.2), layer=1))
    with pytest.raises(InputError, match="1 outlines that are rectangles and 1 outlines that are discs in one layer"):
        structure_of_layout(read_drawn_atoms(saved(tmp_path, library(mixed))), MADE)
    path = tmp_path / "own.gds"
    write_mask(path, lens(9), "gds", diameter=3e-6)
    with pytest.raises(InputError, match="the outlines are round, those of a square_pillar were expected"):
        structure_of_layout(read_drawn_atoms(path), Made(705e-9, shape="square_pillar"))


def test_the_layer_and_the_cell_are_asked_for_where_there_are_several(tmp_path):
    one, two = gdstk.Cell("ONE"), gdstk.Cell("TWO")
    one.add(disc(layer=5), disc(layer=6, datatype=1))
    two.add(disc(layer=5), disc(layer=5))
    path = saved(tmp_path, library(one, two))
    with pytest.raises(InputError, match=r"no polygons on layer 1/0; those with polygons: 5/0, 6/1; name one"):
        read_drawn_atoms(path)
    with pytest.raises(InputError, match=r"no polygons on layer 7/0"):
        read_drawn_atoms(path, layer=(7, 0))
    with pytest.raises(InputError, match=r"2 cells with meta-atoms that nothing refers to \(ONE, TWO\); name one"):
        read_drawn_atoms(path, layer=(5, 0))
    with pytest.raises(InputError, match="no cell 'THREE'; cells: ONE, TWO"):
        read_drawn_atoms(path, layer=(5, 0), cell="THREE")
    assert len(read_drawn_atoms(path, layer=(5, 0), cell="TWO").drawn.x) == 2


@pytest.mark.parametrize(("ends", "area"), [("round", np.pi / 4 * 0.2**2), ("extended", 0.2**2)])
def test_paths_of_no_length_are_pillars(tmp_path, ends, area):
    cell = gdstk.Cell("P")
    for column in range(3):
        for row in range(3):
            place = (0.35 * column, 0.35 * row)
            # Half a step beside it, so that gdstk writes the path; on the grid of 1 nm it has no length.
            cell.add(gdstk.FlexPath([place, (place[0] + 1e-4, place[1])], 0.2, ends=ends, layer=1, simple_path=True))
    found = read_drawn_atoms(saved(tmp_path, library(cell)))
    assert found.outlines[found.drawn.outline, 0] == pytest.approx(np.full(9, area * 1e-12), rel=1e-9)
    made = structure_of_layout(found, MADE).structure
    assert made.shape == ("round_pillar" if ends == "round" else "square_pillar")
    assert made.geometry.ravel() == pytest.approx([200e-9])
    assert made.counts().tolist() == [9]


def test_an_array_many_times_over_is_refused_without_memory_for_it(tmp_path):
    """Each array is below the bound; a file of a thousand bytes must not ask for gigabytes."""
    atom, top = gdstk.Cell("A"), gdstk.Cell("T")
    atom.add(disc())
    for place in range(12):
        top.add(gdstk.Reference(atom, (place, 0), columns=5700, rows=5700, spacing=(0.01, 0.01)))
    path = saved(tmp_path, library(atom, top))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"\d+ references; at most 33554432 are read"):
        read_drawn_atoms(path)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def squares(*others, side=20, pitch=0.4):
    cell = gdstk.Cell("LENS")
    for column in range(side):
        for row in range(side):
            x, y = ((place - 0.5 * (side - 1)) * pitch for place in (column, row))
            cell.add(gdstk.rectangle((x - 0.1, y - 0.1), (x + 0.1, y + 0.1), layer=1))
    cell.add(*others)
    return cell


@pytest.mark.parametrize("kind", ["gds", "oasis"])
def test_a_substrate_and_a_frame_on_the_layer_are_set_aside_and_named(tmp_path, kind):
    box = gdstk.rectangle((-4, -4), (4, 4), layer=1)
    frame = [gdstk.rectangle((-5, y), (5, y + 0.1), layer=1) for y in (-5, 4.9)]
    found = structure_of_layout(read_drawn_atoms(saved(tmp_path, library(squares(box, *frame)), kind)), MADE)
    assert found.structure.counts().tolist() == [400]
    assert found.structure.pitch == pytest.approx(400e-9)
    assert found.aside == ("1 of 8 × 8 µm", "2 of 10 × 0.1 µm")
    without = structure_of_layout(read_drawn_atoms(saved(tmp_path, library(squares()), kind)), MADE)
    assert without.aside == ()
    assert_same_sites(without.structure, found.structure)


@pytest.mark.parametrize("lattice", ["square", "hexagonal"])
def test_the_aperture_is_the_largest_disc_that_is_filled(lattice):
    """Of a full square it ends at the sides, not at the corners; of a disc outliers change nothing."""
    size = {"square": (31, 31), "hexagonal": (35, 31)}[lattice]
    full = _diameter(structure(np.zeros(size), lattice=lattice))
    assert 0.95 * 31 * 350e-9 < full <= 31 * 350e-9
    disc_only = lens(61, lattice=lattice, radius=0.5)
    with_outliers = disc_only.site_index.copy()
    for row, column in ((30, 58), (30, 2), (2, 30), (58, 30)):
        with_outliers[row, column] = 0
    wanted = _diameter(disc_only)
    assert wanted == pytest.approx(0.5 * 61 * disc_only.row_pitch, rel=0.05)
    assert _diameter(replace(disc_only, site_index=with_outliers)) == wanted
    # A site that is left out inside, as libraries do for a phase that needs no pillar, is no rim.
    inside = disc_only.site_index.copy()
    inside[30, 33] = EMPTY
    assert _diameter(replace(disc_only, site_index=inside)) == wanted
    open_centre = np.full((9, 9), EMPTY)
    open_centre[0, 0] = open_centre[8, 8] = 0
    assert _diameter(structure(open_centre, lattice=lattice)) == 0.0


def test_paths_on_the_layer_are_refused(tmp_path):
    cell = gdstk.Cell("P")
    cell.add(disc(), gdstk.FlexPath([(0, 0), (1, 1)], 0.1, layer=1, simple_path=True))
    with pytest.raises(InputError, match="the cell 'P' draws paths on layer 1/0, not polygons"):
        read_drawn_atoms(saved(tmp_path, library(cell)))


@pytest.mark.parametrize("kind", ["gds", "oasis"])
def test_a_hierarchy_that_multiplies_is_refused_before_it_is_drawn(tmp_path, kind):
    cells = [gdstk.Cell("ATOM")]
    cells[0].add(disc())
    for level in range(8):
        cells.append(gdstk.Cell(f"LEVEL{level}"))
        cells[-1].add(gdstk.Reference(cells[-2], columns=100, rows=100, spacing=(1, 1)))
    with pytest.raises(InputError, match=f"{10**8} polygons below the cell 'LEVEL1'; at most 33554432 are read"):
        read_drawn_atoms(saved(tmp_path, library(*cells), kind))


@pytest.mark.parametrize("kind", ["gds", "oasis"])
def test_the_largest_array_there_is_is_refused_before_it_is_drawn(tmp_path, kind):
    atom, top = gdstk.Cell("A"), gdstk.Cell("T")
    atom.add(disc())
    top.add(gdstk.Reference(atom, columns=32767, rows=32767, spacing=(0.01, 0.01)))
    with pytest.raises(InputError, match="at most 33554432"):
        read_drawn_atoms(saved(tmp_path, library(atom, top), kind))


@pytest.mark.parametrize("kind", ["gds", "oasis"])
def test_cells_in_a_circle_are_refused(tmp_path, kind):
    one, two = gdstk.Cell("ONE"), gdstk.Cell("TWO")
    one.add(disc(), gdstk.Reference("TWO"))
    two.add(gdstk.Reference("ONE"))
    with pytest.raises(InputError, match="cells refer to each other in a circle"):
        read_drawn_atoms(saved(tmp_path, library(one, two), kind))


def test_a_missing_cell_and_a_deep_chain_are_refused(tmp_path):
    top = gdstk.Cell("T")
    top.add(disc(), gdstk.Reference("NOWHERE"))
    with pytest.raises(InputError, match="a reference to the cell 'NOWHERE', which the file does not hold"):
        read_drawn_atoms(saved(tmp_path, library(top)))
    cells = [gdstk.Cell("C0")]
    cells[0].add(disc())
    for level in range(1, 60):
        cells.append(gdstk.Cell(f"C{level}"))
        cells[-1].add(gdstk.Reference(cells[-2]))
    with pytest.raises(InputError, match="over more than 32 levels"):
        read_drawn_atoms(saved(tmp_path, library(*cells[::-1])))


def small(folder, kind="gds"):
    path = folder / f"lens.{kind}"
    write_mask(path, lens(9), kind, diameter=3e-6)
    return path


def test_a_gds_file_that_ends_anywhere_is_refused(tmp_path):
    whole = small(tmp_path).read_bytes()
    path = tmp_path / "cut.gds"
    for length in range(0, len(whole) - 1, 47):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"damaged GDSII file|neither a GDSII nor an OASIS file"):
            read_drawn_atoms(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_an_oasis_file_that_ends_anywhere_is_refused(tmp_path, share):
    whole = small(tmp_path, "oasis").read_bytes()
    path = tmp_path / "cut.oas"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match="damaged OASIS file"):
        read_drawn_atoms(path)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_gds_file_with_any_bytes_changed_is_read_or_refused_and_nothing_else(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("changed")
    content = bytearray(small(folder).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "changed.gds"
    path.write_bytes(content)
    read_or_refused(path)


@settings(max_examples=5, deadline=None)
@given(place=st.integers(14, 500), value=st.integers(0, 255))
def test_an_oasis_file_with_any_byte_changed_is_read_or_refused_and_nothing_else(tmp_path_factory, place, value):
    folder = tmp_path_factory.mktemp("changed")
    content = bytearray(small(folder, "oasis").read_bytes())
    content[place % len(content)] = value
    path = folder / "changed.oas"
    path.write_bytes(content)
    read_or_refused(path)


def read_or_refused(path):
    with contextlib.suppress(InputError):
        structure_of_layout(read_drawn_atoms(path), MADE)


def record(kind, data=b"", of=0):
    return struct.pack(">HBB", 4 + len(data), kind, of) + data


def stream(*elements):
    """A library of one cell that holds these elements."""
    units = bytes.fromhex("3e4189374bc6a7f03944b82fa09b5a51")
    begin = record(0, b"\0\7", 2) + record(1, bytes(24), 2) + record(2, b"L\0", 6) + record(3, units, 5)
    return begin + record(5, bytes(24), 2) + record(6, b"C\0", 6) + b"".join(elements) + record(7) + record(4)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ([record(8), record(0x11)], "an element lacks its record of type 13"),
        ([record(0x0A), record(0x10, bytes(8), 3), record(0x11)], "names no cell"),
        ([record(0x0A), record(0x12, b"A\0", 6), record(0x11)], "an element has no coordinates"),
        ([record(0x0A), record(0x12, b"\xff\xfe", 6), record(0x10, bytes(8), 3), record(0x11)], "ascii"),
        ([record(8), record(8)], "an element begins or ends out of place"),
        ([record(0x11)], "an element begins or ends out of place"),
        ([record(5, bytes(24), 2)], "a cell or the library begins or ends out of place"),
        ([record(8), record(0x0D, bytes(2), 2), record(0x0E, bytes(2), 2), record(0x10, bytes(16), 3), record(0x11)],
         "has 1 vertices"),
        ([b"\0\2\0\0"], "begins no record"),
        ([record(0x0B), record(0x12, b"C\0", 6), record(0x13, bytes(4), 2), record(0x10, bytes(24), 3), record(0x11)],
         "an array of 0 × 0"),
    ],
)  # fmt: skip
def test_records_out_of_place_are_refused(tmp_path, elements, message):
    path = tmp_path / "wrong.gds"
    path.write_bytes(stream(*elements))
    with pytest.raises(InputError, match=f"damaged GDSII file.*{message}"):
        read_drawn_atoms(path)


def test_files_of_other_kinds_are_refused(tmp_path):
    path = tmp_path / "lens.gds"
    with pytest.raises(InputError, match="no such file"):
        read_drawn_atoms(path)
    path.write_bytes(b"PNG")
    with pytest.raises(InputError, match="neither a GDSII nor an OASIS file"):
        read_drawn_atoms(path)


def test_a_layout_beside_its_origin_is_taken_by_its_middle(tmp_path):
    atom, top = gdstk.Cell("A"), gdstk.Cell("T")
    atom.add(disc())
    top.add(gdstk.Reference(atom, (100, 200), columns=6, rows=6, spacing=(0.35, 0.35)))
    found = structure_of_layout(read_drawn_atoms(saved(tmp_path, library(atom, top))), MADE)
    assert found.structure.site_index.shape == (6, 6)
    # No boundary: the disc whose cells are all filled.
    assert found.diameter == pytest.approx(2 * (2.5 * 350e-9 * 2**0.5 - 350e-9 / 2**0.5))


def test_a_boundary_without_an_area_is_none(tmp_path):
    top = gdstk.Cell("TOP")
    top.add(*(disc().translate(0.35 * row, 0.35 * column) for row in range(3) for column in range(3)))
    top.add(gdstk.Polygon([(0, 0), (1, 1), (2, 2)], layer=2))
    assert read_drawn_atoms(saved(tmp_path, library(top), "oasis")).boundary is None


def test_the_boundary_says_where_the_centre_is_and_how_large_the_lens(tmp_path):
    wanted = structure([[0, 1, 2], [0, 0, 0], [65535, 65535, 65535], [65535, 65535, 65535], [65535, 65535, 65535]])
    path = tmp_path / "lens.gds"
    write_mask(path, wanted, "gds", diameter=4e-6)
    found = structure_of_layout(read_drawn_atoms(path), MADE)
    assert found.structure.site_index.shape == (5, 3)
    assert found.diameter == pytest.approx(4e-6)
    assert_same_sites(found.structure, wanted)
