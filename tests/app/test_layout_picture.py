"""A window of a layout shows the meta-atoms that lie in it, where they lie."""

import numpy as np
import pytest
from PIL import Image

from metalens.app.layout_picture import atoms_in, draw_layout, outline_um
from metalens.formats.camera.structure import EMPTY, Structure


@pytest.fixture(scope="module")
def structure():
    """Pillars of two widths on 20 × 20 sites, 1 µm apart; one site is empty."""
    index = np.zeros((20, 20), np.uint16)
    index[:, 10:] = 1
    index[0, 0] = EMPTY
    return Structure(
        shape="round_pillar",
        height=1e-6,
        lattice="square",
        pitch=1e-6,
        site_index=index,
        geometry=np.array([[0.3e-6], [0.8e-6]]),
        parameter_names=("diameter",),
    )


def test_a_window_holds_the_atoms_whose_sites_lie_in_it(structure):
    places, index = atoms_in(structure, (0.0, 0.0), 4e-6)
    assert len(places) == 16
    assert (np.abs(places) <= 2e-6).all()
    np.testing.assert_array_equal(index == 1, places[:, 1] > 0)


def test_an_empty_site_holds_no_atom(structure):
    assert len(atoms_in(structure, (0.0, 0.0), 1e-3)[0]) == 399


@pytest.mark.parametrize("most", [6000, 10])
def test_the_picture_is_darker_where_the_narrow_pillars_are(structure, tmp_path, monkeypatch, most):
    monkeypatch.setattr("metalens.app.layout_picture.MOST_DRAWN", most)
    assert draw_layout(tmp_path / "layout.png", structure, (0.0, 0.0), 18e-6) == 324
    picture = np.asarray(Image.open(tmp_path / "layout.png").convert("RGB"), dtype=float)
    middle = picture[100:400]
    # Narrow pillars are blue in this colour map, wide ones yellow.
    left, right = middle[:, 120:280], middle[:, 320:480]
    assert (left[..., 2] - left[..., 0]).mean() > (right[..., 2] - right[..., 0]).mean() + 10


def test_a_turned_fin_lies_as_the_lens_is_printed():
    fin = Structure(
        shape="rectangular_pillar", height=1e-6, lattice="square", pitch=1e-6, site_index=np.zeros((2, 2), np.uint16),
        geometry=np.array([[0.9e-6, 0.3e-6]]), parameter_names=("width_x", "width_y"), rotation=np.array([0.5]),
    )  # fmt: skip
    corners = outline_um(fin, 0)
    sides = np.diff(np.append(corners, corners[:1], axis=0), axis=0)
    longest = sides[np.hypot(*sides.T).argmax()]
    # From x towards y, which points down in the picture as in the structure.
    assert np.arctan2(longest[1], longest[0]) % np.pi == pytest.approx(0.5, abs=2e-3)
