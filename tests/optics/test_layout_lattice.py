"""Rows and columns from positions alone."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metalens.formats.camera.structure import site_positions
from metalens.formats.files.errors import InputError
from metalens.optics.layout.lattice import sites_on_lattice


def positions(lattice, pitch, size, *, grid=1e-9):
    y, x = np.broadcast_arrays(*site_positions(lattice, pitch, size, np.arange(size[0])))
    return grid * np.rint(y / grid), grid * np.rint(x / grid)


@settings(max_examples=60, deadline=None)
@example(lattice="square", pitch=3996, rows=8, columns=8, seed=0)
@example(lattice="square", pitch=2822, rows=8, columns=8, seed=2580)
@given(
    lattice=st.sampled_from(["square", "hexagonal"]),
    pitch=st.integers(2000, 9000),
    rows=st.integers(8, 60),
    columns=st.integers(8, 60),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_lattice_is_found_with_a_third_of_its_sites_missing(lattice, pitch, rows, columns, seed):
    y, x = positions(lattice, 1e-10 * pitch, (rows, columns))
    taken = np.random.default_rng(seed).random((rows, columns)) > 0.3
    # One pair of neighbours along each axis, and the corners, which say how large the array is.
    taken[:3, :3] = taken[-1, -1] = taken[0, -1] = taken[-1, 0] = True
    found = sites_on_lattice(y[taken], x[taken], tolerance=2e-9, centre=(0.0, 0.0))
    assert found.lattice == lattice
    assert found.size == (rows, columns)
    row, column = np.nonzero(taken)
    assert (found.row == row).all()
    assert (found.column == column).all()
    # Half a nanometre of rounding at both ends of the shorter side.
    assert found.pitch == pytest.approx(1e-10 * pitch, abs=1.5e-9 / 7)
    assert found.stray < 2e-9


def test_a_pitch_that_is_no_whole_number_of_steps_stays_in_step_over_a_long_row():
    y, x = positions("square", 350.4e-9, (9, 9000))
    found = sites_on_lattice(y.ravel(), x.ravel(), tolerance=2e-9)
    assert found.size == (9, 9000)
    assert found.pitch == pytest.approx(350.4e-9, rel=1e-9)


def test_positions_that_stray_are_read_if_the_lattice_is_given():
    y, x = positions("square", 350e-9, (20, 20))
    noise = np.random.default_rng(0).uniform(-15e-9, 15e-9, (2, 20, 20))
    found = sites_on_lattice(
        (y + noise[0]).ravel(), (x + noise[1]).ravel(), tolerance=2e-9, pitch=350e-9, lattice="square"
    )
    assert found.size == (20, 20)
    assert 10e-9 < found.stray < 20e-9
    with pytest.raises(InputError, match="--pitch-nm and --lattice"):
        sites_on_lattice((y + noise[0]).ravel(), (x + noise[1]).ravel(), tolerance=2e-9)


def test_a_lens_beside_the_sites_moves_by_a_quarter_of_the_pitch_at_most():
    y, x = positions("square", 400e-9, (11, 11))
    found = sites_on_lattice(y.ravel(), x.ravel(), tolerance=2e-9, centre=(90e-9, -110e-9))
    # The nearest middles are a site at 0 and the middle between two sites at -200 nm.
    assert found.shift == pytest.approx((-90e-9, -90e-9), abs=1e-12)
    assert found.size == (11, 12)


@pytest.mark.parametrize(
    ("y", "x", "message"),
    [
        ([0, 0, 0], [0, 350, 700], "the sites lie in one row or column"),
        ([0, 0, 350, 350, 350], [0, 350, 0, 350, 350.5], "2 meta-atoms|1 meta-atoms stand on a site"),
        ([0, 0, 500, 500], [0, 350, 0, 350], "1.43 times that of the columns are neither a square nor a hexagonal"),
        ([0, 0, 350, 350, 520], [0, 350, 0, 350, 700], "lattice"),
    ],
)
def test_what_lies_on_no_lattice_is_refused(y, x, message):
    with pytest.raises(InputError, match=message):
        sites_on_lattice(1e-9 * np.array(y, float), 1e-9 * np.array(x, float), tolerance=2e-9)


def test_a_hexagonal_lattice_has_every_other_row_beside():
    y, x = positions("hexagonal", 400e-9, (6, 6))
    x = x.copy()
    x[3] += 200e-9
    with pytest.raises(InputError, match="are no hexagonal lattice"):
        sites_on_lattice(y.ravel(), x.ravel(), tolerance=2e-9)


def test_an_array_of_absurd_size_is_refused():
    y, x = np.array([0, 0, 350e-9, 350e-9, 20_000 * 350e-9]), np.array([0, 350e-9, 0, 350e-9, 0])
    with pytest.raises(InputError, match="rows or columns around the lens' centre; at most 16384"):
        sites_on_lattice(y, x, tolerance=2e-9, centre=(0.0, 0.0), pitch=350e-9, lattice="square")
