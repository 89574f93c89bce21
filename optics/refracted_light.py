"""Light behind refractive surfaces: rays in front, waves behind (ray–wave step).

Rays from the field point are aimed through the surfaces at nodes of the stop, or of the lens where there is none. Their
optical paths are a wavefront there, the area between neighbouring rays gives its amplitude. Both are polynomials of the
place, fitted to the nodes, so that an engine on a grid takes them as it takes any source. Diffraction and reflection at
the surfaces are left out; their edges cast sharp shadows. Rays that cross each other before the stop are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.aperture import Aperture
from metalens.optics.metalens import Metalens
from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.refraction import MISSES, OVERLAPS, REFLECTS, Ray, Surface, trace
from metalens.optics.source import Source

DEGREE = 14
"""Total degree of the polynomials in y and x."""

RINGS, SPOKES = 14, 36
"""Nodes of the fit on the disc of the stop."""

MARGIN = 1.02
"""Radius of the disc of the fit over that of the stop: edges are smoothed over a few samples."""

AIMING_STEPS = 8
"""Newton steps to the ray that meets a node."""

ON_PLACE = 1e-4
"""Largest distance of a ray from its node, relative to the radius of the disc."""

LARGEST_ERROR = 0.02
"""Largest error of a wavefront that is accepted, in waves."""

OTHER_WAVEFRONT = 0.5
"""Waves by which the path of a ray differs from the wavefront if it belongs to another one."""

LEAST_LIGHT, MOST_LIGHT = 0.01, 100.0
"""Range of the light per area, relative to the centre's, beyond which rays are near a caustic."""

Surfaces = tuple[Surface, ...]


def _basis(place: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Chebyshev polynomials T₀ … of ``[...]``, as ``[..., degree]``, and their derivatives."""
    terms, slopes = [jnp.ones_like(place), place], [jnp.zeros_like(place), jnp.ones_like(place)]
    for _ in range(DEGREE - 1):
        slopes.append(2 * terms[-1] + 2 * place * slopes[-1] - slopes[-2])
        terms.append(2 * place * terms[-1] - terms[-2])
    return jnp.stack(terms, axis=-1), jnp.stack(slopes, axis=-1)


def _values(
    coefficients: jax.Array, y: jax.Array, x: jax.Array, radius: Scalar
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Polynomials ``[..., (DEGREE + 1)²]`` at places in metres, and their derivatives by y and x in 1/m."""
    matrix = coefficients.reshape(*coefficients.shape[:-1], DEGREE + 1, DEGREE + 1)
    near_y, near_x = (jnp.clip(jnp.asarray(each, dtype=float) / radius, -1.2, 1.2) for each in (y, x))
    # The samples of a grid are products of two matrices.
    grid = near_y.ndim == 2 and near_y.shape[1] == 1 and near_x.shape[:-1] in ((), (1,)) and near_x.ndim > 0
    if grid:
        near_y, near_x = near_y[:, 0], near_x.reshape(-1)
    else:
        near_y, near_x = jnp.broadcast_arrays(near_y, near_x)
        matrix = matrix.reshape(*matrix.shape[:-2], *(1,) * near_y.ndim, DEGREE + 1, DEGREE + 1)

    def product(of_y: jax.Array, of_x: jax.Array) -> jax.Array:
        if grid:
            return jnp.einsum("mi,...ij,nj->...mn", of_y, matrix, of_x, precision="highest")
        return jnp.einsum("...i,...ij,...j->...", of_y, matrix, of_x, precision="highest")

    (of_y, slope_y), (of_x, slope_x) = _basis(near_y), _basis(near_x)
    return product(of_y, of_x), product(slope_y, of_x) / radius, product(of_y, slope_x) / radius


class _Fit(NamedTuple):
    """Nodes ``[node, (y, x)]`` on the unit disc; ``[term, node]`` orthonormal polynomials of growing degree there; and
    ``[coefficient, term]`` these as products of Chebyshev polynomials.

    In two steps single precision suffices: the small terms alone have large coefficients.
    """

    place: np.ndarray
    terms: np.ndarray
    coefficients: np.ndarray

    def __call__(self, values: jax.Array) -> jax.Array:
        """Coefficients ``[coefficient, ...]`` of a polynomial from values ``[node, ...]``."""
        terms = jnp.tensordot(jnp.asarray(self.terms), values, axes=1, precision="highest")
        return jnp.tensordot(jnp.asarray(self.coefficients), terms, axes=1, precision="highest")


@cache
def _fit() -> _Fit:
    radius = np.cos(np.pi * (2 * np.arange(RINGS) + 1) / (4 * RINGS))
    angle = 2 * np.pi * (np.arange(SPOKES) + 0.5) / SPOKES
    place = np.stack([np.outer(radius, np.sin(angle)).ravel(), np.outer(radius, np.cos(angle)).ravel()], axis=-1)
    of_y, of_x = (np.polynomial.chebyshev.chebvander(each, DEGREE) for each in place.T)
    degree = np.add.outer(np.arange(DEGREE + 1), np.arange(DEGREE + 1)).ravel()
    order = np.argsort(degree, kind="stable")[: (DEGREE + 1) * (DEGREE + 2) // 2]
    products = np.einsum("ni,nj->nij", of_y, of_x).reshape(len(place), -1)[:, order]
    orthonormal, triangle = np.linalg.qr(products)
    coefficients = np.zeros((len(degree), len(order)))
    coefficients[order] = np.linalg.inv(triangle)
    return _Fit(place, orthonormal.T, coefficients)


@register_dataclass
@dataclass(frozen=True)
class RefractedLight(Source):
    """Light of one wavelength behind refractive surfaces, in the plane of the stop, or of the lens where there is none.

    Attributes:
        direction: ``[2]`` direction cosines (y, x) of the chief ray there, times the index of the medium.
        radius: of the disc of the polynomials, in metres.
        path_coefficients: ``[(DEGREE + 1)²]`` of the optical path in metres.
        amplitude_coefficients: ``[(DEGREE + 1)²]`` of the amplitude, 1 at the centre.
    """

    direction: jax.Array
    radius: Scalar
    path_coefficients: jax.Array
    amplitude_coefficients: jax.Array

    def path(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Optical path of the rays relative to the chief ray's. See :class:`Source`."""
        return _values(self.path_coefficients, y, x, self.radius)[0]

    def directions(self, y: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Direction cosines (y, x) of the rays times the index there, the slopes of the path.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.
        """
        _, along_y, along_x = _values(self.path_coefficients, y, x, self.radius)
        return along_y, along_x

    def amplitude(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Root of the light per area, by the distances of neighbouring rays. See :class:`Source`."""
        return _values(self.amplitude_coefficients, y, x, self.radius)[0]


@register_dataclass
@dataclass(frozen=True)
class Vignetted(Aperture):
    """An opening less the shadows of the edges of refractive surfaces.

    Attributes:
        opening: without them.
        disc: radius of the disc of the polynomials, in metres.
        excess: ``[surface, (DEGREE + 1)²]`` coefficients of r²/a² − 1, with the height r of the rays on each surface of
            the clear radius a.
    """

    opening: Aperture
    disc: Scalar
    excess: jax.Array

    @property
    def rotationally_symmetric(self) -> bool:
        """False: off the axis the shadows lie on one side."""
        return False

    def edge_distance(self, y: jax.Array, x: jax.Array, radius: Scalar) -> jax.Array:
        """Signed distance in metres to the nearest edge, near the edges. See :class:`Aperture`."""
        excess, slope_y, slope_x = _values(self.excess, y, x, self.disc)
        # The square root is never taken at 0, where its gradient is infinite.
        steep = jnp.sqrt(jnp.square(slope_y) + jnp.square(slope_x) + 1e-6 / jnp.square(self.disc))
        return jnp.maximum(self.opening.edge_distance(y, x, radius), (excess / steep).max(axis=0))

    def area(self, radius: Scalar) -> Scalar:
        """Area in m² of the opening without shadows: the light is counted that would pass without the edges."""
        return self.opening.area(radius)


class _Bundle(NamedTuple):
    """Rays ``[ray]`` that meet given places of the stop; see :class:`Ray`.

    Attributes:
        rays: their paths are those from the source.
        light: ``[ray]`` energy per area of the stop.
    """

    rays: Ray
    light: jax.Array


def _ray_from(surfaces: Surfaces, source: Source, wavelength: jax.Array, begin: jax.Array) -> Ray:
    """The ray of a source from a place ``[2]`` in the plane of the first vertex; its path is that from the source."""
    path, direction = jax.value_and_grad(lambda place: source.path(place[0], place[1]))(begin)
    ray = trace(surfaces, wavelength, begin, direction)
    return ray._replace(path=ray.path + path)


def _bundle(surfaces: Surfaces, source: Source, wavelength: jax.Array, target: jax.Array) -> _Bundle:
    """The rays that meet places ``[ray, (y, x)]`` behind the surfaces, in metres, by Newton's method."""

    def landing(begin: jax.Array) -> tuple[jax.Array, Ray]:
        ray = _ray_from(surfaces, source, wavelength, begin)
        return ray.place, ray

    slope = jax.jacfwd(landing, has_aux=True)

    def of_target(target: jax.Array) -> _Bundle:
        def improve(_: int, begin: jax.Array) -> jax.Array:
            change, ray = slope(begin)
            return begin + _solved(change, target - ray.place)

        begin = jax.lax.stop_gradient(jax.lax.fori_loop(0, AIMING_STEPS, improve, target))
        # At the solution, the derivatives of one more step are those of the implicit function.
        change, ray = slope(begin)
        begin = begin + _solved(jax.lax.stop_gradient(change), target - ray.place)
        change, ray = slope(begin)
        amplitude = source.amplitude(begin[0], begin[1])
        return _Bundle(ray, jnp.square(amplitude) / _determinant(change))

    return jax.vmap(of_target)(target)


def _determinant(matrix: jax.Array) -> jax.Array:
    (a, b), (c, d) = matrix
    return a * d - b * c


def _solved(matrix: jax.Array, right: jax.Array) -> jax.Array:
    (a, b), (c, d) = matrix
    determinant = _determinant(matrix)
    determinant = jnp.where(jnp.abs(determinant) > 1e-9, determinant, 1e-9)
    return jnp.stack([d * right[0] - b * right[1], a * right[1] - c * right[0]]) / determinant


def chief_direction(lens: Metalens, source: Source, wavelength: jax.Array) -> jax.Array:
    """Direction cosines ``[2]`` (y, x) of the chief ray in the plane of the stop, times the index there.

    Args:
        lens: with or without refractive surfaces.
        source: in the plane of the first vertex, or of the stop where there are no surfaces.
        wavelength: scalar, in metres.
    """
    if not lens.surfaces:
        return jnp.asarray(source.direction)
    return _chief_direction(lens.surfaces, source, wavelength)


@jax.jit
def _chief_direction(surfaces: Surfaces, source: Source, wavelength: jax.Array) -> jax.Array:
    return _bundle(surfaces, source, wavelength, jnp.zeros((1, 2))).rays.direction[0]


def _disc(lens: Metalens) -> Scalar:
    """Radius in metres of the disc on which the polynomials hold."""
    return 0.5 * MARGIN * (lens.aperture_diameter if lens.stop is None else lens.stop.diameter)


def behind_surfaces(lens: Metalens, source: Source, wavelength: jax.Array) -> tuple[Metalens, Source]:
    """The flat lens without its refractive surfaces, and the light that they throw on it.

    Args:
        lens: the metalens; without refractive surfaces it and the source are returned as they are.
        source: in air, in the plane of the first vertex.
        wavelength: scalar, in metres.

    Returns:
        A lens whose stop, or whose opening if it has none, has the shadows of the surfaces' edges; and the light there.
    """
    if not lens.surfaces:
        return lens, source
    return _flat(lens, *_refracted(lens.surfaces, _disc(lens), source, wavelength))


def _flat(lens: Metalens, light: RefractedLight, excess: jax.Array) -> tuple[Metalens, Source]:
    flat, disc = replace(lens, surfaces=()), light.radius
    if lens.stop is None:
        return replace(flat, aperture=Vignetted(lens.aperture, disc, excess)), light
    return replace(flat, stop=replace(lens.stop, aperture=Vignetted(lens.stop.aperture, disc, excess))), light


@jax.jit
def _refracted(
    surfaces: Surfaces, disc: Scalar, source: Source, wavelength: jax.Array
) -> tuple[RefractedLight, jax.Array]:
    """The light on a disc of a radius in metres, and the coefficients of :class:`Vignetted`."""
    place = jnp.concatenate([jnp.zeros((1, 2)), disc * jnp.asarray(_fit().place)])
    return _fitted(surfaces, disc, _bundle(surfaces, source, wavelength, place))


def _fitted(surfaces: Surfaces, disc: Scalar, bundle: _Bundle) -> tuple[RefractedLight, jax.Array]:
    """:func:`_refracted`, of the chief ray and the rays to the nodes."""
    fit, rays, relative = _fit(), bundle.rays, bundle.light[1:] / bundle.light[0]
    amplitude = jnp.sqrt(jnp.maximum(relative, LEAST_LIGHT))
    clear = jnp.stack([jnp.square(0.5 * jnp.asarray(each.clear_diameter)) for each in surfaces])
    light = RefractedLight(rays.direction[0], disc, fit(rays.path[1:] - rays.path[0]), fit(amplitude))
    return light, fit(rays.squared_height[1:] / clear - 1).T


class Refraction(NamedTuple):
    """Light behind refractive surfaces whose rays are checked.

    Attributes:
        lens: the flat lens without them, as of :func:`behind_surfaces`.
        light: that they throw on it.
        error: root mean square error of its wavefront in waves, at rays between those that it was fitted to.
    """

    lens: Metalens
    light: Source
    error: float


class _Probe(NamedTuple):
    """The light; and of rays to nodes and places between them: ``[ray]`` faults, distances from the places that were
    aimed at in metres, and light per area relative to the centre's; the wavefront's error in metres; and the largest
    difference from it of the path of any ray through the surfaces and the stop, in metres.
    """

    light: RefractedLight
    excess: jax.Array
    fault: jax.Array
    missed: jax.Array
    density: jax.Array
    error: jax.Array
    other: jax.Array


@jax.jit
def _probe(surfaces: Surfaces, disc: Scalar, source: Source, wavelength: jax.Array) -> _Probe:
    turn, nodes = np.pi / SPOKES, _fit().place
    between = 0.97 * nodes @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    place = disc * jnp.asarray(np.concatenate([np.zeros((1, 2)), nodes, between]))
    bundle = _bundle(surfaces, source, wavelength, place)
    rays, count = bundle.rays, 1 + len(nodes)
    light, excess = _fitted(surfaces, disc, jax.tree.map(lambda each: each[:count], bundle))
    error = light.path(place[count:, 0], place[count:, 1]) - (rays.path[count:] - rays.path[0])
    missed, density = jnp.linalg.norm(rays.place - place, axis=-1), bundle.light / bundle.light[0]
    # Rays over the whole first surface: where several meet one place of the stop, they belong to other wavefronts.
    clear = jnp.stack([jnp.square(0.5 * jnp.asarray(each.clear_diameter)) for each in surfaces])
    every = jax.vmap(partial(_ray_from, surfaces, source, wavelength))(1.2 * jnp.sqrt(clear[0]) * jnp.asarray(nodes))
    passes = (every.fault == 0) & (every.squared_height <= clear).all(axis=-1)
    passes &= jnp.linalg.norm(every.place, axis=-1) <= disc / MARGIN
    away = jnp.abs(light.path(every.place[:, 0], every.place[:, 1]) - (every.path - rays.path[0]))
    return _Probe(
        light,
        excess,
        rays.fault,
        missed,
        density,
        jnp.sqrt(jnp.mean(jnp.square(error))),
        jnp.max(jnp.where(passes, away, 0.0)),
    )


def checked_behind_surfaces(lens: Metalens, source: Source, wavelength: float) -> Refraction:
    """:func:`behind_surfaces`; light is refused whose rays do not come through, or make no wavefront. Outside jit.

    Args:
        lens: the metalens.
        source: in air, in the plane of the first vertex.
        wavelength: in metres.

    Raises:
        InputError: a ray to the stop misses a surface, is totally reflected, meets the next surface first or crosses
            its neighbour, or the wavefront is no polynomial to a fiftieth of a wave.
    """
    if not lens.surfaces:
        return Refraction(lens, source, 0.0)
    disc = _disc(lens)
    found = _probe(lens.surfaces, disc, source, jnp.asarray(wavelength))
    fault, missed, density = (np.asarray(each) for each in (found.fault, found.missed, found.density))
    angle = np.degrees(np.arcsin(min(1.0, float(np.hypot(*np.asarray(source.direction, dtype=float))))))
    field = f"at a field angle of {angle:.1f}° and {1e9 * wavelength:.0f} nm"
    gentler = "use a smaller field angle, a smaller aperture or stop, or a gentler curvature."
    arrives = missed <= ON_PLACE * float(disc)
    # A ray that arrives is the one to blame; where there is none, Newton's method has come to other ones.
    if (arrives & (fault > 0)).any() or not arrives.all():
        meets = bool((arrives & (fault > 0)).any())
        whose = fault[arrives & (fault > 0)] if meets else fault[~arrives]
        ray = "a ray to the stop" if meets else "no ray meets a part of the stop, and one near to it"
        raise InputError(f"lens.surfaces: {field} {ray} {_told(int(whose.max()))}; {gentler}")
    folded = float(found.other) > OTHER_WAVEFRONT * wavelength
    if folded or not LEAST_LIGHT < density.min() <= density.max() < MOST_LIGHT:
        raise InputError(
            f"lens.surfaces: {field} rays cross each other in front of the stop; move the stop away from the focus of "
            "the surfaces, or use a gentler curvature."
        )
    waves = float(found.error) / wavelength
    if not waves <= LARGEST_ERROR:
        raise InputError(
            f"lens.surfaces: {field} the wavefront differs from a polynomial of degree {DEGREE} by {waves:.2g} waves, "
            f"at most {LARGEST_ERROR:g} was expected; {gentler}"
        )
    return Refraction(*_flat(lens, found.light, found.excess), waves)


def _told(fault: int) -> str:
    """A fault of a ray in words."""
    number, cause = divmod(fault, 4)
    return {
        0: "crosses its neighbours in front of it",
        MISSES: f"misses surface {number + 1}, which has no point there",
        REFLECTS: f"is totally reflected at surface {number + 1}",
        OVERLAPS: f"meets what lies behind surface {number + 1} before it: they overlap",
    }[cause]
