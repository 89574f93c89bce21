"""One layer of meta-atoms between two half-spaces: the zeroth order and the powers, by rigorous coupled-wave analysis.

The method is that of Liu and Fan (doi:10.1016/j.cpc.2012.04.026) for a single layer, with fmmax's Fourier matrices.
Every cell here is its own mirror image across x and across y. With the plane of incidence x–z, s- and p-polarised light
do not couple, and at normal incidence there are four uncoupled symmetries; each is solved separately, with a half or a
quarter of the unknowns, in a sixth to a fiftieth of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import scipy.linalg

from metalens.optics.rcwa.layer import FourierLayer


@dataclass(frozen=True)
class Scattered:
    """Scattering of a plane wave by a periodic array.

    Attributes:
        transmission: zeroth order, |t|² its share of the incident power, arg t the phase that the electric field gains
            from one side of the layer to the other; time runs as exp(−iωt).
        transmittance: transmitted share of the incident power, all orders together.
        reflectance: reflected share.
        order_shares: ``[order]`` share of the incident power that goes through in each of the layer's orders.
        order_phases: ``[order]`` phase that the electric field along the layer gains, in the incident polarisation's
            direction; meaningless where the share is zero.
        by_height: transmission with the height increased by each of the requested steps.
    """

    transmission: complex
    transmittance: float
    reflectance: float
    order_shares: np.ndarray
    order_phases: np.ndarray
    by_height: tuple[complex, ...] = ()


def scatter_plane_wave(
    layer: FourierLayer,
    *,
    height: float,
    wavelength: float,
    angle: float,
    polarisation: str,
    before: complex,
    behind: complex,
    steps: tuple[float, ...] = (),
    azimuth: float = 0.0,
    mirror_x: bool = True,
    mirror_y: bool = True,
) -> Scattered:
    """Scatter a plane wave by a layer whose cell has mirror symmetry in x and in y unless told otherwise.

    Args:
        layer: from :func:`fourier_layer`.
        height: of the layer in metres.
        wavelength: in vacuum, in metres.
        angle: of incidence in air, in radians, towards x.
        polarisation: ``"s"`` (electric field along y) or ``"p"``.
        before: refractive index where light comes from, real.
        behind: refractive index on the other side.
        steps: heights in metres that are added for ``by_height``.
        azimuth: of the plane of incidence from x towards y in radians; any but 0 breaks both mirror symmetries.
        mirror_x: whether the cell is its own mirror image across x; a row of different meta-atoms is not.
        mirror_y: whether it is across y; a turned meta-atom is not. Then some light goes into the other polarisation:
            into the transmittance, not into the transmission.

    Returns:
        Amplitudes, and shares of the incident power in each order.
    """
    number = 2 * np.pi / wavelength
    # Wave vectors are in units of the vacuum wave number from here on.
    along = np.array([np.cos(azimuth), np.sin(azimuth)])
    wave_vectors = layer.wave_vectors / number + np.sin(angle) * along
    if azimuth != 0 or not mirror_y:
        basis = _all_waves(len(wave_vectors), polarisation, along)
    else:
        basis = _basis(layer, polarisation, normal=mirror_x and abs(np.sin(angle)) < 1e-12)
    halves = [_uniform_electric(index**2, wave_vectors) for index in (before, behind)]
    stack = _stack(layer, basis, wave_vectors, *halves)
    waves = [_send(stack, number * (height + added)) for added in (0.0, *steps)]
    transmitted, reflected = waves[0]
    power = _flux(stack.incident, stack.before)
    amplitudes = [_zeroth(stack, each) for each, _ in waves]
    return Scattered(
        amplitudes[0],
        _flux(transmitted, stack.behind) / power,
        _flux(reflected, stack.before) / power,
        _order_shares(basis.spread(transmitted), halves[1]) / power,
        _order_phases(halves[1] @ basis.spread(transmitted), halves[0] @ basis.spread(stack.incident)),
        tuple(amplitudes[1:]),
    )


@dataclass(frozen=True)
class _Stack:
    """A layer between two half-spaces, in the basis of one symmetry of the field.

    Attributes:
        along: ``[mode]`` wave numbers along z of the layer's modes.
        magnetic: ``[unknown, mode]`` their magnetic fields along the layer.
        electric: ``[unknown, mode]`` their electric fields (−E_y, E_x), of those that go up.
        before: ``[unknown, unknown]`` electric of magnetic fields that go up in the half-space of the light.
        behind: the same in the other one.
        returned: ``[mode, mode]`` reflection of the modes at the layer's far side.
        incident: ``[unknown]`` magnetic field of the light.
    """

    along: np.ndarray
    magnetic: np.ndarray
    electric: np.ndarray
    before: np.ndarray
    behind: np.ndarray
    returned: np.ndarray
    incident: np.ndarray


def _stack(
    layer: FourierLayer, basis: _Basis, wave_vectors: np.ndarray, before_all: np.ndarray, behind_all: np.ndarray
) -> _Stack:
    script = basis.reduced(_omega_script_k(layer.inverse_z_permittivity, wave_vectors))
    outer = basis.reduced(_outer_product(wave_vectors))
    transverse = basis.reduced(layer.transverse_permittivity)
    # Eq. 28: the squares of the wave numbers along z, and the magnetic fields of the layer's modes.
    squares, magnetic = scipy.linalg.eig(transverse @ script - outer)
    along = _upward_root(squares)
    electric = script @ magnetic / along
    before, behind = basis.reduced(before_all), basis.reduced(behind_all)
    both = np.linalg.inv(electric) @ behind @ magnetic
    unit = np.eye(len(along))
    returned = np.linalg.solve((unit + both).T, (unit - both).T).T
    return _Stack(along, magnetic, electric, before, behind, returned, basis.of_order_zero)


def _send(stack: _Stack, thickness: float) -> tuple[np.ndarray, np.ndarray]:
    """Magnetic fields ``[unknown]`` of what goes through and of what comes back; thickness times the wave number."""
    passed = np.exp(1j * thickness * stack.along)
    unit = np.eye(len(passed))
    # No exponential grows: reflected modes are normalised at the side where they start.
    there_and_back = passed[:, None] * stack.returned * passed
    forward, backward = unit + there_and_back, unit - there_and_back
    joined = stack.before @ stack.magnetic @ forward + stack.electric @ backward
    modes = np.linalg.solve(joined, 2 * stack.before @ stack.incident)
    transmitted = stack.magnetic @ ((unit + stack.returned) @ (passed * modes))
    return transmitted, stack.magnetic @ (forward @ modes) - stack.incident


@dataclass(frozen=True)
class _Basis:
    """An orthonormal basis of the magnetic fields (H_x, H_y) of one symmetry, each a sum of up to four waves.

    Attributes:
        waves: ``[unknown, 4]`` places among the H_x of all orders and then their H_y.
        weights: ``[unknown, 4]``; 0 where there are fewer waves.
        of_order_zero: ``[unknown]`` of unit light of the zeroth order.
        count: number of waves.
    """

    waves: np.ndarray
    weights: np.ndarray
    of_order_zero: np.ndarray
    count: int

    def reduced(self, matrix: np.ndarray) -> np.ndarray:
        """``[unknown, unknown]`` of a matrix over all waves."""
        total = np.zeros((len(self.waves), len(self.waves)), dtype=complex)
        for i, j in product(range(self.waves.shape[1]), repeat=2):
            weight = self.weights[:, i, None] * self.weights[:, j]
            total += weight * matrix[self.waves[:, i, None], self.waves[:, j]]
        return total

    def spread(self, fields: np.ndarray) -> np.ndarray:
        """Magnetic fields of all waves from those in the basis."""
        total = np.zeros(self.count, dtype=complex)
        np.add.at(total, self.waves, self.weights * fields[:, None])
        return total


def _all_waves(count: int, polarisation: str, along: np.ndarray) -> _Basis:
    """The basis without symmetry; light from the direction ``[(x, y)]`` along the layer."""
    zeroth = np.zeros(2 * count)
    # The magnetic field of s lies along the plane of incidence, that of p across.
    zeroth[[0, count]] = along if polarisation == "s" else (-along[1], along[0])
    return _Basis(np.arange(2 * count)[:, None], np.ones((2 * count, 1)), zeroth, 2 * count)


def _basis(layer: FourierLayer, polarisation: str, *, normal: bool) -> _Basis:
    # In thousandths of the smallest step, so that mirror images are equal as integers.
    step = np.abs(layer.wave_vectors[np.abs(layer.wave_vectors) > 0]).min()
    places = np.rint(layer.wave_vectors / step * 1e3).astype(np.int64)
    return _symmetric(places.tobytes(), len(places), polarisation, normal)


@cache
def _symmetric(places: bytes, count: int, polarisation: str, normal: bool) -> _Basis:
    """The basis by the orders' places ``[order, (x, y)]``, whole numbers in any unit, the zeroth order first.

    Of s-polarised light H_x is even in y and H_y odd; of p-polarised the reverse. At normal incidence H_x is also even
    in x and H_y odd for s, and the reverse for p.
    """
    points = [(int(x), int(y)) for x, y in np.frombuffer(places, dtype=np.int64).reshape(count, 2)]
    order_at = {point: order for order, point in enumerate(points)}
    sign = 1 if polarisation == "s" else -1
    flips = list(product((1, -1) if normal else (1,), (1, -1)))
    waves, weights = [], []
    for component, parity in ((0, sign), (1, -sign)):
        for order, (x, y) in enumerate(points):
            total: dict[int, int] = {}
            for flip_x, flip_y in flips:
                other = order_at[flip_x * x, flip_y * y]
                total[other] = total.get(other, 0) + parity ** ((flip_x < 0) + (flip_y < 0))
            if order != min(total) or not any(total.values()):
                continue
            length = np.sqrt(sum(weight**2 for weight in total.values()))
            missing = len(flips) - len(total)
            waves.append([component * count + other for other in total] + [0] * missing)
            weights.append([weight / length for weight in total.values()] + [0.0] * missing)
    zeroth = np.array([each[0] == (0 if polarisation == "s" else count) for each in waves], dtype=float)
    return _Basis(np.array(waves), np.array(weights), zeroth, 2 * count)


def _omega_script_k(inverse_permittivity: np.ndarray, wave_vectors: np.ndarray) -> np.ndarray:
    """Eq. 26: 1 − k × ε_z⁻¹ k ×, which makes (−E_y, E_x) of (H_x, H_y)."""
    x, y = wave_vectors.T
    along_x, along_y = inverse_permittivity * x, inverse_permittivity * y
    script = np.block([[y[:, None] * along_y, -y[:, None] * along_x], [-x[:, None] * along_y, x[:, None] * along_x]])
    return np.eye(2 * len(x)) - script


def _outer_product(wave_vectors: np.ndarray) -> np.ndarray:
    x, y = wave_vectors.T
    return _diagonal_blocks(x * x, x * y, x * y, y * y)


def _uniform_electric(permittivity: complex, wave_vectors: np.ndarray) -> np.ndarray:
    """(−E_y, E_x) of unit (H_x, H_y) of waves that go up in a uniform medium."""
    x, y = wave_vectors.T
    along = _upward_root(permittivity - x**2 - y**2 + 0j)
    mixed = x * y / permittivity / along
    return _diagonal_blocks((1 - y**2 / permittivity) / along, mixed, mixed, (1 - x**2 / permittivity) / along)


def _diagonal_blocks(first: np.ndarray, second: np.ndarray, third: np.ndarray, fourth: np.ndarray) -> np.ndarray:
    return np.block([[np.diag(first), np.diag(second)], [np.diag(third), np.diag(fourth)]])


def _upward_root(squares: np.ndarray) -> np.ndarray:
    """The root that decays upwards or, without decay, travels upwards."""
    root = np.sqrt(squares.astype(complex))
    # A root that is real except for rounding belongs to a propagating wave, whatever the sign of the rounding.
    decays = np.abs(root.imag) > 1e-9 * np.abs(root)
    return np.where(np.where(decays, root.imag < 0, root.real < 0), -root, root)


def _flux(magnetic: np.ndarray, electric_of: np.ndarray) -> float:
    """Power along z, half of it left out, of magnetic amplitudes in a uniform medium."""
    return float(np.real(np.vdot(magnetic, electric_of @ magnetic)))


def _order_shares(magnetic: np.ndarray, electric_of: np.ndarray) -> np.ndarray:
    return np.real(magnetic.conj() * (electric_of @ magnetic)).reshape(2, -1).sum(axis=0)


def _order_phases(electric: np.ndarray, incident: np.ndarray) -> np.ndarray:
    """``[order]`` phases of (−E_y, E_x) of all orders along that of the light."""
    field, light = electric.reshape(2, -1), incident.reshape(2, -1)[:, 0]
    return np.angle(light.conj() @ field)


def _zeroth(stack: _Stack, transmitted: np.ndarray) -> complex:
    """The zeroth order's electric amplitude along the layer over the incident one, times the root of the powers'."""
    place = int(np.argmax(np.abs(stack.incident)))
    before, behind = stack.before[place, place], stack.behind[place, place]
    ratio = behind * transmitted[place] / (before * stack.incident[place])
    return complex(ratio * np.sqrt((1 / behind).real / (1 / before).real))
