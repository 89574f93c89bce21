"""Correction by neighbours: its values at the zones, between them and at normal incidence; what is refused."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera, write_camera
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.verification import ORDERS, Verification, VerifiedZone, read_verification
from metalens.optics import Hyperbolic, metalens_of
from metalens.optics.neighbours import neighbours_of
from metalens.optics.phase.gradient import phase_slope

PITCH, LIGHT = 350e-9, 540e-9
SHARES = {"s": 0.64, "p": 0.49}


def zone(
    count, field, turn, polarisation, *, supercell, undeflected=0.0, phase=0.0, local=0.8, colour=LIGHT, uncertainty=0.0
):
    flat = float(np.sinc(1 / count)) ** 2
    orders = {0: undeflected, 1: supercell}
    return VerifiedZone(
        radius_um=60.0 / count, pillars=count, geometry_nm=((200.0,),) * count,
        deflection_sine=colour / (count * PITCH), wavelength_nm=1e9 * colour, field_deg=field, azimuth_deg=turn,
        polarisation=polarisation, local=local * flat, supercell=supercell, phase_error_rad=phase,
        undeflected=undeflected, other_orders=0.0, transmittance=supercell + undeflected, fourier_orders=9,
        change=0.0, converged=True, order_shares=tuple(orders.get(each, 0.0) for each in ORDERS),
        local_order_shares=tuple(local * flat if each == 1 else 0.0 for each in ORDERS), uncertainty=uncertainty,
    )  # fmt: skip


def verification(zones, library="si3n4-on-sio2"):
    return Verification(camera="test", lens_hash="0" * 64, library=library, tolerance=0.02, zones=tuple(zones))


def one_zone(undeflected=0.1):
    """On the axis s has more than p; at 20° towards has more than away, s and p alike."""
    rows = [zone(5, 0.0, 0.0, name, supercell=SHARES[name], undeflected=undeflected) for name in "sp"]
    return rows + [
        zone(5, 20.0, turn, name, supercell=share, undeflected=undeflected, phase=0.3)
        for turn, share in ((0.0, 0.6), (180.0, 0.3))
        for name in "sp"
    ]


def made(**options):
    return neighbours_of(verification(one_zone()), **{"flat_cells": False, "orders": (1,), **options})


def at(neighbours, slope, direction, polarisation=0):
    return complex(neighbours.factor(jnp.asarray(slope), jnp.asarray(direction), jnp.asarray(LIGHT), polarisation))


STEEP = 1 / (5 * PITCH)


def test_a_zone_gets_the_share_of_its_supercell():
    away = [0.0, np.sin(np.radians(20))]
    # The phase falls along +x: light along +x is that of the azimuth 0.
    assert abs(at(made(), [0.0, -STEEP], away)) ** 2 == pytest.approx(0.6 / 0.8, rel=1e-5)
    assert abs(at(made(), [0.0, STEEP], away)) ** 2 == pytest.approx(0.3 / 0.8, rel=1e-5)
    assert np.angle(at(made(), [0.0, STEEP], away)) == pytest.approx(0.3, abs=1e-5)


def test_a_structure_loses_to_flat_cells_by_itself():
    built = made(flat_cells=True)
    assert abs(at(built, [0.0, STEEP], [0.0, 0.0])) ** 2 == pytest.approx(0.64 / (0.8 * np.sinc(0.2) ** 2), rel=1e-5)


def unsure(uncertainty):
    """s on the axis changes amplitudes by √(0.64/0.8) − 1 = −0.106; the others are certain."""
    return [zone(5, 0.0, 0.0, "s", supercell=0.64, uncertainty=uncertainty), *one_zone()[1:]]


def test_a_correction_smaller_than_its_uncertainty_keeps_the_local_values(caplog):
    changed = neighbours_of(verification(unsure(0.09)), flat_cells=False, orders=(1,))
    assert abs(at(changed, [0.0, STEEP], [0.0, 0.0])) ** 2 == pytest.approx(0.64 / 0.8, rel=1e-5)
    small = [row.model_copy(update={"supercell": 0.78}) for row in unsure(0.09)[:1]]
    kept = neighbours_of(verification([*small, *one_zone()[1:]]), flat_cells=False, orders=(1,))
    assert at(kept, [0.0, STEEP], [0.0, 0.0]) == pytest.approx(1.0, abs=1e-5)
    # p and other fields are corrected as before.
    assert abs(at(kept, [0.0, STEEP], [0.0, 0.0], 1)) ** 2 == pytest.approx(0.49 / 0.8, rel=1e-5)
    assert "changes amplitudes by 0.013, and is uncertain by 0.09; the local values are kept there" in caplog.text


def test_a_correction_of_which_too_little_is_known_is_refused():
    with pytest.raises(InputError, match=r"at 540 nm, 0° and s the correction changes amplitudes by 0.11, and is "):
        neighbours_of(verification(unsure(0.2)), flat_cells=False, orders=(1,))


def test_without_a_slope_neighbours_are_equal_and_nothing_changes():
    assert at(made(), [0.0, 0.0], [0.0, 0.2]) == pytest.approx(1.0)


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0])
def test_at_normal_incidence_the_field_along_the_polarisation_is_that_of_a_rotated_grating(degrees):
    turn = np.radians(degrees)
    slope = [STEEP * np.sin(turn), STEEP * np.cos(turn)]
    t_s, t_p = (np.sqrt(SHARES[name] / 0.8) for name in "sp")
    # s of the x–z plane is along y: across a grating along x.
    expected = t_s * np.cos(turn) ** 2 + t_p * np.sin(turn) ** 2
    assert at(made(), slope, [0.0, 0.0]) == pytest.approx(expected, rel=1e-5)


def test_between_fields_amplitudes_are_linear_in_the_sine():
    half = [0.0, 0.5 * np.sin(np.radians(20))]
    ends = [at(made(), [0.0, -STEEP], [0.0, sine]) for sine in (0.0, np.sin(np.radians(20)))]
    assert abs(at(made(), [0.0, -STEEP], half)) == pytest.approx(0.5 * (abs(ends[0]) + abs(ends[1])), rel=1e-5)


def test_light_of_other_orders_is_what_a_lens_does_not_have_itself():
    direction, light = jnp.zeros(2), jnp.asarray(LIGHT)
    share = made().stray_share(jnp.asarray([0.0, STEEP]), direction, light, 0)
    assert float(share) == pytest.approx(0.1)
    own = [replace_shares(row) for row in one_zone()]
    held = neighbours_of(verification(own), flat_cells=False, orders=(0, 1))
    # The lens' own zeroth order is corrected as its first is.
    expected = 0.1 - 0.04 * np.mean([SHARES[name] / 0.8 / np.sinc(0.2) ** 2 * np.sinc(0.2) ** 2 for name in "sp"])
    assert float(held.stray_share(jnp.asarray([0.0, STEEP]), direction, light, 0)) == pytest.approx(expected, rel=1e-4)


def replace_shares(row):
    return row.model_copy(update={"local_order_shares": tuple(0.04 if m == 0 else 0.0 for m in ORDERS)})


def test_the_slope_of_a_hyperbolic_phase_is_the_sine_over_the_wavelength():
    phase = Hyperbolic(focal_length=30e-6, wavelength=LIGHT)
    x = jnp.asarray([0.0, 10e-6])
    expected = -np.asarray(x) / np.hypot(x, 30e-6) / LIGHT
    np.testing.assert_allclose(phase_slope(phase, jnp.zeros(2), x)[:, 1], expected, rtol=1e-5)


def test_the_correction_is_differentiable_also_at_the_centre_and_on_the_axis():
    neighbours = made()

    def power(slope, direction):
        return neighbours.power(slope, direction, jnp.asarray(LIGHT))

    for slope in (jnp.zeros(2), jnp.asarray([0.0, 0.5 * STEEP])):
        gradients = jax.grad(power, argnums=(0, 1))(slope, jnp.zeros(2))
        assert all(np.isfinite(each).all() for each in gradients)


def camera(folder, rows, library="si3n4-on-sio2", **lens):
    (folder / "verification.json").write_text(verification(rows, library).model_dump_json(by_alias=True))
    response = {"kind": "library", "library": "si3n4-on-sio2", "wavelength_nm": 540.0}
    phase = {"family": "hyperbolic", "wavelength_nm": 540.0}
    table = {"aperture_um": 20, "focal_length_um": 30, "phase": phase, "response": response, **lens}
    given = read_camera("hyperbolic").with_(lens=table, sensor={"pixels": (24, 24), "pixel_pitch_um": 0.5})
    path = folder / "lens.toml"
    write_camera(path, given)
    path.write_text(path.read_text() + '\n[lens.neighbours]\nfile = "verification.json"\n')
    return read_camera(path)


def test_the_correction_is_a_part_of_the_cameras_hash(tmp_path):
    first = camera(tmp_path, one_zone())
    assert first.lens.neighbours.sha256 is not None
    (tmp_path / "other").mkdir()
    assert camera(tmp_path / "other", one_zone(0.2)).hash != first.hash
    assert metalens_of(first).neighbours is not None
    assert not metalens_of(first).achromatic


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"library": "other"}, "meta-atoms of the library other, and those of the lens are of si3n4-on-sio2"),
        ({"aperture_um": 80}, "its narrowest zone is 1.75 µm wide, and the lens has zones of 0.675 µm"),
        ({"rows": [row.model_copy(update={"order_shares": ()}) for row in one_zone()]}, "verify the lens again"),
        ({"rows": one_zone()[:-1]}, "not every zone has both polarisations"),
    ],
)
def test_a_correction_that_does_not_fit_the_lens_is_refused(tmp_path, change, told):
    with pytest.raises(InputError, match=told):
        metalens_of(camera(tmp_path, **{"rows": one_zone(), **change}))


def test_a_lens_of_few_zones_is_warned_of(tmp_path, caplog):
    # 20 µm at 30 µm: (√(30² + 10²) − 30)/0.54 turns.
    metalens_of(camera(tmp_path, one_zone()))
    assert "the lens has 3 zones alone from its centre to its rim" in caplog.text


def test_only_meta_atoms_have_neighbours(tmp_path):
    path = tmp_path / "lens.toml"
    write_camera(path, read_camera("hyperbolic"))
    path.write_text(path.read_text() + '\n[lens.neighbours]\nfile = "verification.json"\n')
    with pytest.raises(InputError, match="neighbours corrects meta-atoms of a library"):
        read_camera(path)


def test_wavelengths_and_fields_beyond_the_verification_are_refused():
    neighbours = made()
    with pytest.raises(InputError, match="600 nm lies outside the wavelengths of the verification, 540 to 540 nm"):
        neighbours.check([540e-9, 600e-9])
    with pytest.raises(InputError, match="a field at 25° lies beyond the verification, which goes to 20°"):
        neighbours.check_field(np.sin(np.radians(25)))


@pytest.mark.parametrize("key", ["azimuth_deg", "deflection_sine", "phase_error_rad", "geometry_nm"])
def test_a_number_of_a_verification_that_is_none_is_refused(tmp_path, key):
    content = json.loads(verification(one_zone()).model_dump_json(by_alias=True))
    content["zones"][0][key] = [[float("nan")]] if key == "geometry_nm" else float("nan")
    (tmp_path / "verification.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"{key}.*finite number"):
        read_verification(tmp_path / "verification.json")


def test_a_damaged_verification_is_told(tmp_path):
    path = tmp_path / "verification.json"
    path.write_text(json.dumps({"schema": "metalens.verification", "version": 1}))
    with pytest.raises(InputError, match="not a readable verification"):
        read_verification(path)
    assert replace(made(), veil=False).veil is False
