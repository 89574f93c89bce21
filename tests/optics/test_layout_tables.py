"""Tables of sites and maps of widths: written, read back, and refused."""

import numpy as np
import pytest
from hypothesis import given, settings

from metalens.formats.camera.structure import EMPTY
from metalens.formats.files.errors import InputError
from metalens.optics.layout.recognition import Made
from metalens.optics.layout.sites_table import is_sites_table, read_sites_table, write_sites_table
from metalens.optics.layout.width_map import read_width_map

from .layout_examples import any_structure, assert_same_sites, lens, structure

MADE = Made(705e-9)
PILLARS = ("round_pillar", "square_pillar", "rectangular_pillar", "annular_pillar")


@settings(max_examples=40, deadline=None)
@given(made=any_structure(shapes=PILLARS))
def test_a_table_holds_every_site_of_any_structure(tmp_path_factory, made):
    path = tmp_path_factory.mktemp("table") / "sites.csv"
    total = write_sites_table(path, made)
    found = read_sites_table(path, MADE, pitch=made.pitch, lattice=made.lattice)
    assert total == int((made.site_index != EMPTY).sum())
    assert found.structure.shape == made.shape
    # A table has no boundary: where rim sites are missing, the middle may lie elsewhere by whole sites.
    if found.structure.site_index.shape == made.site_index.shape:
        assert_same_sites(found.structure, made, within=1e-3, away=0.2)


def test_a_lens_is_read_back_from_its_table_without_being_told_the_lattice(tmp_path):
    for lattice in ("square", "hexagonal"):
        made = lens(60, lattice=lattice)
        path = tmp_path / f"{lattice}.csv"
        write_sites_table(path, made)
        found = read_sites_table(path, MADE)
        assert_same_sites(found.structure, made, within=1e-3, away=0.2)
        assert found.structure.pitch == pytest.approx(made.pitch, rel=1e-12)


def test_a_table_names_its_columns_and_has_y_upwards(tmp_path):
    index = np.zeros((3, 3))
    index[0, 2] = 2
    path = tmp_path / "sites.csv"
    write_sites_table(path, structure(index))
    lines = path.read_text(encoding="ascii").splitlines()
    assert lines[:4] == ["x_um,y_um,diameter_nm", "-0.35,0.35,100", "0,0.35,100", "0.35,0.35,260"]
    assert len(lines) == 10


def test_columns_may_stand_in_any_order_and_hold_radii(tmp_path):
    path = tmp_path / "sites.csv"
    lines = [f"{50 + 10 * row},{0.4 * row - 0.4},{0.4 * column - 0.4}" for row in range(3) for column in range(3)]
    path.write_text("radius_nm,y_um,x_um\n" + "\n".join(lines) + "\n\n", encoding="utf-8")
    found = read_sites_table(path, MADE).structure
    assert found.pitch == pytest.approx(400e-9)
    assert (1e9 * found.geometry[found.site_index[::-1, 0], 0]).tolist() == pytest.approx([100, 120, 140])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the columns are ''"),
        ("x_um,y_um\n0,0\n", "the columns are 'x_um,y_um'; x_um,y_um and the lengths were expected"),
        ("x_um,y_um,colour\n0,0,1\n", "the columns are"),
        ("x_nm,y_nm,diameter_nm\n0,0,1\n", "'x_nm,y_nm,diameter_nm'; x_um,y_um and the lengths were expected"),
        ("x_um,y_um,diameter_nm\n", "holds no sites"),
        ("x_um,y_um,diameter_nm\n0,0,abc\n", "could not convert"),
        ("x_um,y_um,diameter_nm\n0,0\n", "a line holds 2 numbers, 3 were expected"),
        ("x_um,y_um,diameter_nm\n0,0,nan\n", "numbers that are not finite"),
        ("x_um,y_um,diameter_nm\n0,0,-5\n", "lengths that are not positive"),
        ("x_um,y_um,diameter_nm\n0,0,100\n0,0.35,100\n0.35,0,100\n0.35,0.35,400\n", "up to the pitch of 350 nm"),
    ],
)
def test_what_is_no_table_of_sites_is_refused(tmp_path, text, message):
    path = tmp_path / "sites.csv"
    path.write_text(text, encoding="utf-8")
    assert is_sites_table(text.partition("\n")[0]) == bool(text)
    with pytest.raises(InputError, match=message):
        read_sites_table(path, MADE)


@pytest.mark.parametrize("suffix", ["csv", "npy"])
@pytest.mark.parametrize(("quantity", "factor"), [("radius", 2), ("diameter", 1)])
def test_a_map_has_row_0_at_the_top_and_nothing_where_it_is_0(tmp_path, suffix, quantity, factor):
    values = np.array([[50.0, 60.0, 0.0], [70.0, 50.0, 60.0]])
    path = tmp_path / f"map.{suffix}"
    np.save(path, values) if suffix == "npy" else np.savetxt(path, values, delimiter=",")
    found = read_width_map(path, MADE, pitch=350e-9, quantity=quantity).structure
    assert found.site_index.shape == (2, 3)
    assert found.site_index[0, 2] == EMPTY
    taken = found.site_index != EMPTY
    lengths = 1e9 * found.geometry[found.site_index[taken], 0]
    assert lengths.tolist() == pytest.approx((factor * values[taken]).tolist())


def test_a_map_of_widths_is_of_square_pillars_and_of_no_round_ones(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text("100,200\n150,nan\n", encoding="utf-8")
    assert read_width_map(path, MADE, pitch=350e-9, quantity="width").structure.shape == "square_pillar"
    with pytest.raises(InputError, match="a radius does not describe a square_pillar; say with --map-of"):
        read_width_map(path, Made(1e-6, shape="square_pillar"), pitch=350e-9, quantity="radius")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1,2\n3\n", "neither a map of numbers nor"),
        (b"\xff\xfe\x00", "is UTF-16 text; save it as UTF-8"),
        (b"", "of the shape \\(0, 0\\)|holds no meta-atoms"),
        (b"0,0\n0,0\n", "holds no meta-atoms"),
        (b"1,-2\n", "lengths that are negative or infinite"),
        (b"100,500\n", "up to the pitch of 350 nm"),
    ],
)
def test_what_is_no_map_is_refused(tmp_path, content, message):
    path = tmp_path / "map.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_width_map(path, MADE, pitch=350e-9, quantity="radius")


def test_a_map_that_would_have_to_be_unpickled_is_refused(tmp_path):
    path = tmp_path / "map.npy"
    np.save(path, np.array([[object()]]), allow_pickle=True)
    with pytest.raises(InputError, match="not an array in NPY format"):
        read_width_map(path, MADE, pitch=350e-9, quantity="radius")
