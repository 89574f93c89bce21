"""Small structures for the tests of layouts."""

import numpy as np
from hypothesis import strategies

from metalens.formats.camera.structure import EMPTY, Structure
from metalens.formats.meta_atoms.shapes import PARAMETERS, Family
from metalens.optics.layout.recognition import Made
from tests.formats.meta_atoms.shape_examples import L_SHAPE

LENGTHS = {
    1: np.array([[100.0], [180.0], [260.0]]),
    2: np.array([[160.0, 100.0], [200.0, 140.0], [280.0, 120.0]]),
    4: np.array([[160.0, 100.0, 40.0, 30.0], [200.0, 140.0, 70.0, 51.0], [281.0, 120.0, 55.0, 60.0]]),
}
"""In nanometres."""

FAMILIES = {"polygonal_pillar": Family("polygonal_pillar", 0.3, L_SHAPE)}
"""Of shapes that are more than their lengths."""


def structure(
    index: np.ndarray, *, lattice: str = "square", shape: str = "round_pillar", pitch: float = 350e-9
) -> Structure:
    names = PARAMETERS[shape]
    return Structure(
        lattice=lattice,
        pitch=pitch,
        site_index=np.asarray(index, dtype=np.uint16),
        geometry=1e-9 * LENGTHS[len(names)],
        parameter_names=names,
        shape=shape,
        height=705e-9,
        families=(FAMILIES[shape],) if shape in FAMILIES else (),
    )


def made_of(found: Structure) -> Made:
    """What an import knows of the meta-atoms of a structure: its library."""
    return Made(found.height, shape=found.shape, families=found.families, geometry=found.geometry)


def lens(side: int, *, lattice: str = "square", radius: float = 1.0, **others) -> Structure:
    """Rings of three meta-atoms inside a disc of half the sites across."""
    base = structure(np.zeros((side, side)), lattice=lattice, **others)
    y, x = base.positions()
    r = np.hypot(y, x) / (0.5 * side * base.row_pitch)
    index = np.where(r <= radius, np.floor(12 * r**2) % 3, EMPTY)
    return structure(index, lattice=lattice, **others)


def any_structure(shapes=tuple(PARAMETERS), pitches=(350e-9, 431e-9)) -> strategies.SearchStrategy[Structure]:
    """Any meta-atoms at any sites, at least in two rows and two columns beside each other."""

    @strategies.composite
    def draw(draw_one) -> Structure:
        rows, columns = draw_one(strategies.tuples(strategies.integers(3, 9), strategies.integers(3, 9)))
        seed = draw_one(strategies.integers(0, 2**32 - 1))
        index = np.random.default_rng(seed).choice([0, 1, 2, EMPTY], size=(rows, columns), p=[0.3, 0.25, 0.25, 0.2])
        middle = slice(rows // 2 - 1, rows // 2 + 2), slice(columns // 2 - 1, columns // 2 + 2)
        index[middle] = np.where(index[middle] == EMPTY, 0, index[middle])
        return structure(
            index,
            lattice=draw_one(strategies.sampled_from(["square", "hexagonal"])),
            shape=draw_one(strategies.sampled_from(shapes)),
            pitch=draw_one(strategies.sampled_from(pitches)),
        )

    return draw()


def sites_of(found: Structure) -> dict[tuple[int, int], tuple[float, ...]]:
    """Lengths in nm by place in tenths of nm: what two equal structures have in common, whatever their margins."""
    y, x = found.positions()
    return {
        (round(1e10 * float(y[row, 0])), round(1e10 * float(x[row, column]))): tuple(
            (1e9 * found.geometry[found.site_index[row, column]]).tolist()
        )
        for row, column in zip(*np.nonzero(found.site_index != EMPTY), strict=True)
    }


def assert_same_sites(found: Structure, wanted: Structure, *, within: float = 0.5, away: float = 1.5) -> None:
    """The same meta-atoms at the same sites: lengths within so many nm, a common shift of less than so many."""
    one, other = sites_of(found), sites_of(wanted)
    assert len(one) == len(other)
    assert found.lattice == wanted.lattice
    for (place, lengths), (expected, asked) in zip(sorted(one.items()), sorted(other.items()), strict=True):
        assert max(abs(a - b) for a, b in zip(place, expected, strict=True)) < 10 * away
        assert max(abs(a - b) for a, b in zip(lengths, asked, strict=True)) < within
