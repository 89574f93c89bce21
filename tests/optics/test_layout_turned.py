"""Layouts of turned rectangles: nanofins there and back, turned cells of other tools, and what is refused."""

from dataclasses import replace

import gdstk
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.structure import EMPTY, read_structure, write_structure
from metalens.formats.files.errors import InputError
from metalens.optics import metalens_of
from metalens.optics.layout.as_made import ImportOptions, import_lens, write_imported
from metalens.optics.layout.chosen import choice_for, structure_of_camera
from metalens.optics.layout.mask import write_mask
from metalens.optics.layout.reading import read_drawn_atoms
from metalens.optics.layout.recognition import Made, structure_of_layout
from metalens.optics.layout.sites_table import write_sites_table

from .rectangle_examples import FINS, LIGHT, PITCH, camera_in, fins, library

FIN = Made(600e-9, shape="rectangular_pillar")


@pytest.fixture(scope="module")
def lens(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fins")
    camera = camera_in(folder, fins(), FINS)
    return folder, camera, structure_of_camera(camera, choice_for(camera))


def seen(structure, camera):
    """What each site does to left circular light, for the places of its sites."""
    y, x = (jnp.asarray(each) for each in np.broadcast_arrays(*structure.positions()))
    return np.asarray(metalens_of(camera).structure.transmission(y, x, jnp.asarray(LIGHT)))


def test_each_fin_is_turned_by_half_of_the_phase(lens):
    _, camera, structure = lens
    y, x = np.broadcast_arrays(*structure.positions())
    phase = np.asarray(metalens_of(camera).phase.at(jnp.asarray(y), jnp.asarray(x)))
    there = structure.site_index != EMPTY
    turned = structure.rotation[structure.site_index[there]]
    away = np.angle(np.exp(1j * (2 * turned - phase[there])))
    assert np.abs(away).max() < 1.01 * np.pi / 128
    assert (structure.geometry == [95e-9, 250e-9]).all()


@pytest.mark.parametrize("kind", ["gds", "oasis", "csv"])
def test_what_is_exported_is_read_as_the_same_lens(lens, tmp_path, kind):
    folder, camera, structure = lens
    path, made = tmp_path / f"lens.{kind}", tmp_path / "made"
    if kind == "csv":
        write_sites_table(path, structure)
    else:
        figures = write_mask(path, structure, kind, diameter=6e-6)
        # Of corners that are rounded by half a step along both axes.
        assert figures.width_error < 1.5e-9
        assert figures.angle_error < 0.01
        assert figures.cells == len(structure.geometry)
    made.mkdir()
    found = write_imported(made, import_lens(path, camera, ImportOptions(diameter=6e-6)), folder)
    again = read_structure(made / "structure.h5")
    write_structure(folder / f"{kind}.h5", structure)
    exported = camera_in(folder, None, FINS + f'\n[lens.structure]\nfile = "{kind}.h5"\n')
    assert np.bincount(again.site_index.ravel())[:-1].sum() == np.bincount(structure.site_index.ravel())[:-1].sum()
    # An array may be smaller by empty rows around it.
    margin = (structure.site_index.shape[0] - again.site_index.shape[0]) // 2
    inner = slice(margin, structure.site_index.shape[0] - margin)
    wanted = seen(structure, exported)[inner, inner]
    there = structure.site_index[inner, inner] != EMPTY
    # Corners on a grid of 1 nm turn a fin of 250 nm by 0.01 rad at most.
    np.testing.assert_allclose(seen(again, found)[there], wanted[there], atol=0.02)


def foreign(folder, *references, fin=((-0.125, -0.048), (0.125, 0.048))):
    cell, top = gdstk.Cell("FIN"), gdstk.Cell("TOP")
    cell.add(gdstk.rectangle(*fin, layer=1))
    for row in range(3):
        for column in range(3):
            options = references[(3 * row + column) % len(references)]
            top.add(gdstk.Reference(cell, (0.3 * column - 0.3, 0.3 * row - 0.3), **options))
    made = gdstk.Library("foreign", unit=1e-6, precision=1e-9)
    made.add(cell, top)
    made.write_gds(folder / "foreign.gds")
    return read_drawn_atoms(folder / "foreign.gds")


def test_references_turn_and_mirror_fins(tmp_path):
    degrees = (0, 90, 37.5, 200, -12)
    atoms = foreign(
        tmp_path,
        *({"rotation": np.radians(each)} for each in degrees),
        {"rotation": np.radians(20), "x_reflection": True},
    )
    found = structure_of_layout(atoms, FIN, pitch=PITCH, lattice="square")
    # Row 0 is at the top, and y points down.
    turned = np.degrees(found.structure.rotation)[found.structure.site_index[::-1].ravel()]
    wanted = [*degrees, 20, *degrees[:3]]
    away = (turned + np.array(wanted) + 90) % 180 - 90
    np.testing.assert_allclose(away, 0, atol=1e-5)
    np.testing.assert_allclose(found.structure.geometry, [[250e-9, 96e-9]] * len(found.structure.geometry), atol=1e-13)


def test_a_mirrored_fin_that_is_drawn_at_an_angle_turns_the_other_way(tmp_path):
    cell, top = gdstk.Cell("FIN"), gdstk.Cell("TOP")
    cell.add(gdstk.rectangle((-0.125, -0.048), (0.125, 0.048), layer=1).rotate(np.radians(30)))
    for column in range(3):
        for row in range(3):
            mirrored = column == 1
            place = (0.3 * column - 0.3, 0.3 * row - 0.3)
            top.add(gdstk.Reference(cell, place, x_reflection=mirrored, rotation=np.radians(50) if mirrored else 0))
    made = gdstk.Library("foreign", unit=1e-6, precision=1e-10)
    made.add(cell, top)
    made.write_gds(tmp_path / "foreign.gds")
    found = structure_of_layout(read_drawn_atoms(tmp_path / "foreign.gds"), FIN, pitch=PITCH, lattice="square")
    turned = np.degrees(found.structure.rotation)[found.structure.site_index]
    np.testing.assert_allclose(turned, 180 - np.array([[30, 20, 30]] * 3), atol=0.1)


def test_fins_at_right_angles_stay_upright(tmp_path):
    found = structure_of_layout(
        foreign(tmp_path, {}, {"rotation": np.pi / 2}), FIN, pitch=PITCH, lattice="square"
    ).structure
    assert found.rotation is None
    np.testing.assert_allclose(np.sort(found.geometry, axis=0), [[96e-9, 96e-9], [250e-9, 250e-9]], atol=1e-13)


def test_turned_squares_are_refused(tmp_path):
    atoms = foreign(tmp_path, {}, {"rotation": 0.5}, fin=((-0.05, -0.05), (0.05, 0.05)))
    with pytest.raises(InputError, match="squares at an angle are not known"):
        structure_of_layout(atoms, Made(600e-9), pitch=PITCH, lattice="square")


def test_an_import_has_to_be_told_the_light(lens, tmp_path):
    folder, camera, structure = lens
    write_mask(tmp_path / "lens.gds", structure, "gds", diameter=6e-6)
    plain = camera.model_copy(update={"lens": camera.lens.model_copy(update={"response": None})})
    options = ImportOptions(library=str(folder / "rectangles.h5"))
    with pytest.raises(InputError, match="act on polarisation, and hyperbolic does not tell the light"):
        import_lens(tmp_path / "lens.gds", plain, options)


def test_a_structure_of_turned_fins_has_to_be_told_the_light(lens):
    folder, _, structure = lens
    write_structure(folder / "told.h5", structure)
    camera = camera_in(folder, None, '\n[lens.structure]\nfile = "told.h5"\n')
    with pytest.raises(InputError, match="are turned and act on polarisation, and the light is not told"):
        metalens_of(camera)


def test_other_fins_than_the_librarys_are_refused(lens, tmp_path):
    _, camera, structure = lens
    write_mask(tmp_path / "lens.gds", replace(structure, geometry=structure.geometry + 20e-9), "gds", diameter=6e-6)
    with pytest.raises(InputError, match="is none of the library"):
        import_lens(tmp_path / "lens.gds", camera, ImportOptions())


def test_a_file_keeps_the_angles(lens, tmp_path):
    _, _, structure = lens
    write_structure(tmp_path / "structure.h5", structure)
    np.testing.assert_array_equal(read_structure(tmp_path / "structure.h5").rotation, structure.rotation)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rotation": np.zeros(3)}, "one angle for each of"),
        ({"rotation": "negative"}, "angles from 0 to less than π"),
        ({"rotation": "nan"}, "angles from 0 to less than π"),
    ],
)
def test_angles_that_are_none_are_refused(lens, changes, message):
    structure = lens[2]
    values = {"negative": structure.rotation - 4, "nan": np.nan * structure.rotation}
    rotation = changes["rotation"]
    with pytest.raises(InputError, match=message):
        replace(structure, rotation=values[rotation] if isinstance(rotation, str) else rotation)


def test_fins_are_not_chosen_for_several_wavelengths(lens):
    _, camera, _ = lens
    with pytest.raises(InputError, match="are chosen at one"):
        choice_for(camera, wavelengths=(500e-9, 532e-9))


def test_a_library_of_one_polarisation_cannot_be_exported(tmp_path):
    whole = fins()
    half = library(whole.geometry, [0.9, 0.8], [-0.9, 0.8])
    half = replace(half, polarisations=("s",), transmission=half.transmission[:1])
    with pytest.raises(InputError, match="nanofins need their transmission along both axes"):
        choice_for(camera_in(tmp_path, half, FINS))
