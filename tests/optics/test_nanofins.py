"""Nanofins of a library: Jones matrices, turned cells by Maxwell's equations, a published fin, and what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera, write_camera
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import AtomLibrary, library_path, read_atom_library, write_atom_library
from metalens.formats.meta_atoms.shapes import Family
from metalens.optics import metalens_of
from metalens.optics.geometric_phase import nanofins_of
from metalens.optics.rcwa.layer import fourier_layer
from metalens.optics.rcwa.solve import scatter_plane_wave
from metalens.optics.rcwa.unit_cell import cell_density

LIGHT, PITCH = 532e-9, 325e-9
FIN = np.array([250e-9, 95e-9])
"""Titanium dioxide, 600 nm high: Khorasaninejad et al., Science 352, 1190 (2016), the lens for 532 nm."""

TIO2, GLASS = 2.43, 1.46
"""Of the amorphous film of that lens (Devlin et al., PNAS 113, 10473, 2016), and of silica, at 532 nm."""


def scattered(density, orders=81, polarisation="s", wavelength=LIGHT):
    layer = fourier_layer(density, TIO2**2, 1.0, PITCH * np.eye(2), orders)
    # Any azimuth breaks the symmetries of the solver, which a turned fin does not have.
    return scatter_plane_wave(
        layer, height=600e-9, wavelength=wavelength, angle=0.0, polarisation=polarisation, before=GLASS, behind=1.0,
        azimuth=1e-9, mirror_x=False,
    )  # fmt: skip


def upright():
    density = cell_density(Family("rectangular_pillar"), FIN, PITCH, "square", 64)
    return {name: scattered(density, polarisation=name).transmission for name in "sp"}


def turned_by_45_degrees(samples=64, parts=8):
    fine = (np.arange(samples * parts) + 0.5) / (samples * parts)
    x, y = np.meshgrid(*2 * [PITCH * (fine - np.round(fine))], indexing="ij")
    u, v = (x + y) / np.sqrt(2), (y - x) / np.sqrt(2)
    inside = (np.abs(u) < 0.5 * FIN[0]) & (np.abs(v) < 0.5 * FIN[1])
    return inside.reshape(samples, parts, samples, parts).mean(axis=(1, 3))


def test_a_published_fin_is_nearly_a_half_wave_plate():
    t = upright()
    assert abs(t["p"] - t["s"]) ** 2 / 4 > 0.8
    assert abs(t["p"] + t["s"]) ** 2 / 4 < 0.1


def test_a_turned_fin_has_the_turned_jones_matrix():
    t, turned = upright(), scattered(turned_by_45_degrees())
    # R(45°) diag(t_x, t_y) R(−45°): (t_x + t_y)/2 stays, (t_x − t_y)/2 goes to the other linear polarisation.
    converted = turned.order_shares[0] - abs(turned.transmission) ** 2
    assert converted == pytest.approx(abs(t["p"] - t["s"]) ** 2 / 4, abs=0.05)
    assert abs(turned.transmission) ** 2 == pytest.approx(abs(t["p"] + t["s"]) ** 2 / 4, abs=0.05)


def library(polarisations=("s", "p")):
    geometry = ((250e-9, 95e-9), (250e-9, 250e-9))
    wavelength = np.array([500e-9, 532e-9, 600e-9])
    t_x = np.array([[0.9 * np.exp(0.2j)] * 3, [0.8] * 3])
    t_y = np.array([[0.8 * np.exp(2.9j)] * 3, [0.8] * 3])
    table = np.stack([{"s": t_y, "p": t_x}[name] for name in polarisations])[:, None]
    return AtomLibrary(
        name="fins", shape="rectangular_pillar", material="TiO2", substrate="SiO2", surrounding="air", lattice="square",
        light_from="substrate", pitch=PITCH, height=600e-9, parameter_names=("width_x", "width_y"),
        geometry=np.array(geometry), wavelength=wavelength, angle=np.zeros(1),
        polarisations=polarisations, transmission=table,
    )  # fmt: skip


@pytest.mark.parametrize(("light", "sign"), [("left", 1), ("right", -1)])
def test_the_orders_are_those_of_the_turned_jones_matrix(light, sign):
    response = nanofins_of(library(), LIGHT, light)
    incident, other = (np.array([1, 1j * each]) / np.sqrt(2) for each in (sign, -sign))
    amplitudes = dict(zip(response.orders, np.asarray(response.coefficients(jnp.asarray(LIGHT))), strict=True))
    for phase in (0.0, 0.7, -1.9):
        turn = np.array([[np.cos(phase / 2), -np.sin(phase / 2)], [np.sin(phase / 2), np.cos(phase / 2)]])
        behind = turn @ np.diag([0.9 * np.exp(0.2j), 0.8 * np.exp(2.9j)]) @ turn.T @ incident
        assert amplitudes[0] == pytest.approx(incident.conj() @ behind, abs=1e-6)
        assert amplitudes[sign] * np.exp(1j * sign * phase) == pytest.approx(other.conj() @ behind, abs=1e-6)


def test_of_unpolarised_light_each_handedness_has_half():
    left, both = (
        nanofins_of(library(), LIGHT, name).coefficients(jnp.asarray(LIGHT)) for name in ("left", "unpolarised")
    )
    assert np.abs(both[2]) ** 2 == pytest.approx(0.5 * np.abs(left[1]) ** 2)
    assert np.sum(np.abs(both) ** 2) == pytest.approx(np.sum(np.abs(left) ** 2))


def test_the_pillar_that_converts_the_most_light_is_taken():
    assert nanofins_of(library(), LIGHT, "left").along[0] == pytest.approx(0.9 * np.exp(0.2j))


def test_a_library_of_one_polarisation_is_refused():
    with pytest.raises(InputError, match="holds the polarisation s alone, and nanofins need"):
        nanofins_of(library(("s",)), LIGHT, "left")


def test_a_lens_toml_names_them(tmp_path):
    write_atom_library(tmp_path / "fins.h5", library())
    path = tmp_path / "lens.toml"
    write_camera(path, read_camera("hyperbolic"))
    text = path.read_text() + '\n[lens.response]\nkind = "nanofins"\nlibrary = "fins.h5"\nwavelength_nm = 532.0\n'
    path.write_text(text)
    with pytest.raises(InputError, match="of it one half is focused and the other half diverges"):
        read_camera(path)
    path.write_text(text + 'light = "right"\n')
    given = read_camera(path)
    assert given.lens.response.sha256 is not None
    lens = metalens_of(given)
    assert lens.response.orders == (-1, 0)
    with pytest.raises(InputError, match="650 nm lies outside the library of nanofins, 500 to 600 nm"):
        lens.check([650e-9])


def test_a_shipped_library_of_round_pillars_is_refused():
    with pytest.raises(InputError, match="only upright rectangles, ellipses and H shapes convert"):
        nanofins_of(read_atom_library(library_path("tio2-on-sio2")), LIGHT, "left")
