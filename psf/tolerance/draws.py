"""Random draws of fabrication and assembly errors from their distributions.

A number is a function of the run's seed, the draw's number and the name of its error alone (Philox, a counter-based
generator: Salmon et al., doi:10.1145/2063384.2063405). So draws can be made in any order and by any number of workers,
and another error in the file changes none of the others' numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from metalens.formats.camera.camera import Camera, dump_camera, parse_camera
from metalens.formats.camera.parts import Fabrication as FabricationTable
from metalens.formats.camera.surfaces import RefractiveSurface
from metalens.formats.design.tolerance_spec import Errors, Fixed, Normal, Uniform
from metalens.formats.files.errors import InputError
from metalens.optics.fabrication import Fabrication, fabricated, library_of
from metalens.optics.from_lens_toml import atom_pitch
from metalens.optics.meta_atoms.library import LARGEST_DUTY, width_unit
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.refraction.dispersion import Cauchy
from metalens.optics.refraction.surfaces import Surface

NAMES = tuple(Errors.model_fields)
"""Names of all errors, in the order of the file; a name's place is its counter's word."""

FABRICATION = {
    "width_error_nm": ("width_error", 1e-9),
    "width_spread_nm": ("width_spread", 1e-9),
    "height_error_nm": ("height_error", 1e-9),
    "index_error": ("index_error", 1.0),
    "missing_share": ("missing_share", 1.0),
    "pitch_error_percent": ("pitch_error", 1e-2),
}
"""Name in the file → the number of :class:`metalens.optics.fabrication.Fabrication` that it is, and its unit in SI."""

GLASS = {
    "surface_radius_percent": ("radius", 1e-2),
    "surface_distance_um": ("distance", 1e-6),
    "glass_index_error": ("index", 1.0),
}
"""Name in the file → the number of :class:`GlassErrors` that it is, and its unit in SI."""


@register_dataclass
@dataclass(frozen=True)
class Assembly:
    """Position of the sensor relative to the lens; a JAX pytree.

    Attributes:
        defocus: sensor displacement away from the lens, in metres.
        tilt_y: slope dz/dy of the sensor.
        tilt_x: slope dz/dx of the sensor.
        decentre_y: y of the optical axis on the sensor, from the sensor's centre, in metres.
        decentre_x: the same along x.
    """

    defocus: Scalar = 0.0
    tilt_y: Scalar = 0.0
    tilt_x: Scalar = 0.0
    decentre_y: Scalar = 0.0
    decentre_x: Scalar = 0.0

    @property
    def moved(self) -> tuple[Scalar, Scalar, Scalar]:
        """Defocus and slopes, as :meth:`metalens.psf.PsfSimulator.on_moved_sensor` takes them."""
        return self.defocus, self.tilt_y, self.tilt_x

    @property
    def decentre(self) -> jax.Array:
        """``[(y, x)]`` in metres."""
        return jnp.stack([jnp.asarray(self.decentre_y), jnp.asarray(self.decentre_x)])


@register_dataclass
@dataclass(frozen=True)
class GlassErrors:
    """Errors of refractive surfaces in front of the lens and behind it, the same for all of them; a JAX pytree.

    Attributes:
        radius: relative error of the radii of curvature.
        distance: error of the distance behind each surface, in metres.
        index: error of the refractive index behind each surface; air has none.
    """

    radius: Scalar | None = None
    distance: Scalar | None = None
    index: Scalar | None = None


@register_dataclass
@dataclass(frozen=True)
class Draw:
    """Errors of one lens; a JAX pytree that can be traced, stacked and differentiated.

    Attributes:
        fabrication: errors of the lens; None for errors that are not drawn.
        assembly: errors of the sensor's position.
        glass: errors of refractive surfaces; None for errors that are not drawn.
    """

    fabrication: Fabrication = field(default_factory=Fabrication)
    assembly: Assembly = field(default_factory=Assembly)
    glass: GlassErrors = field(default_factory=GlassErrors)


def perturbed(lens: Metalens, draw: Draw) -> Metalens:
    """Apply the errors of meta-atoms and glass of a draw to a lens; differentiable in both.

    ``draw.assembly`` is not used, as it concerns the sensor: see
    :func:`metalens.psf.tolerance.evaluation.simulate_draw`.

    Args:
        lens: the nominal lens.
        draw: drawn errors.

    Returns:
        The lens with these errors.

    Raises:
        InputError: a meta-atom error for a lens without meta-atoms.
    """
    made = fabricated(lens, draw.fabrication)
    front, rear = (
        tuple(_made(surface, draw.glass) for surface in each) for each in (made.surfaces, made.rear_surfaces)
    )
    return replace(made, surfaces=front, rear_surfaces=rear)


def _made(surface: Surface, errors: GlassErrors) -> Surface:
    """A refractive surface with its errors."""
    if errors.radius is not None:
        surface = replace(surface, curvature=surface.curvature / (1 + errors.radius))
    if errors.distance is not None:
        surface = replace(surface, thickness=surface.thickness + errors.distance)
    if errors.index is not None and isinstance(surface.medium, Cauchy):
        air = (surface.medium.constant == 1) & (surface.medium.slope == 0)
        constant = surface.medium.constant + jnp.where(air, 0.0, errors.index)
        surface = replace(surface, medium=replace(surface.medium, constant=constant))
    return surface


def drawn_numbers(errors: Errors, seed: int, index: int) -> dict[str, float]:
    """Draw the errors of one lens.

    Args:
        errors: their distributions.
        seed: of the run, from 0 to 2⁶³ − 1.
        index: number of the draw, from 0.

    Returns:
        Name of the error → value in the unit of its name.

    Raises:
        InputError: seed or index are out of range.
    """
    if not (0 <= seed < 2**63 and 0 <= index < 2**63):
        raise InputError(f"tolerance: seed {seed} and draw {index} were expected from 0 to 2^63 - 1.")
    return {
        name: float(quantile(distribution, np.float64(_uniform(seed, index, NAMES.index(name)))))
        for name, distribution in errors.terms.items()
    }


def _uniform(seed: int, index: int, term: int) -> float:
    """A uniform number in the open interval (0, 1), so that its quantile is finite."""
    generator = np.random.Philox(key=np.array([seed, index], np.uint64), counter=np.array([0, 0, 0, term], np.uint64))
    return float(np.random.Generator(generator).random() + 2.0**-54)


def quantile(distribution: Fixed | Normal | Uniform, share: np.ndarray | np.float64) -> np.ndarray | np.float64:
    """Quantile of a distribution: its inverse cumulative distribution function.

    Args:
        distribution: of one error.
        share: probabilities of any shape, in 0..1.

    Returns:
        The values in the unit of the distribution, of the shape of ``share``.
    """
    match distribution:
        case Fixed():
            return distribution.nominal + 0 * share
        case Uniform():
            return distribution.nominal + (2 * share - 1) * distribution.plus_minus
        case Normal():
            outside = 0.0
            if distribution.limit is not None:
                outside = float(scipy.special.ndtr(-distribution.limit / distribution.sigma))
            place = scipy.special.ndtri(outside + share * (1 - 2 * outside))
            return distribution.nominal + distribution.sigma * place


def draw_of(numbers: Mapping[str, float], unit: float = 1.0) -> Draw:
    """A draw from numbers in the units of their names.

    Args:
        numbers: name → number; those of :class:`metalens.formats.design.tolerance_spec.Errors`.
        unit: metres in one unit of the library's geometry, of
            :func:`metalens.optics.fabrication.width_unit`.

    Returns:
        Errors in metres and radians.
    """
    fabrication = {
        FABRICATION[name][0]: value * FABRICATION[name][1] for name, value in numbers.items() if name in FABRICATION
    }
    for name in ("width_error", "width_spread"):
        if name in fabrication:
            fabrication[name] /= unit
    assembly = {
        "defocus": 1e-6 * numbers.get("defocus_um", 0.0),
        "tilt_y": math.tan(math.radians(numbers.get("tilt_y_deg", 0.0))),
        "tilt_x": math.tan(math.radians(numbers.get("tilt_x_deg", 0.0))),
        "decentre_y": 1e-6 * numbers.get("decentre_y_um", 0.0),
        "decentre_x": 1e-6 * numbers.get("decentre_x_um", 0.0),
    }
    glass = {GLASS[name][0]: value * GLASS[name][1] for name, value in numbers.items() if name in GLASS}
    return Draw(Fabrication(**fabrication), Assembly(**assembly), GlassErrors(**glass))


def draw_samples(errors: Errors, camera: Camera, lens: Metalens, seed: int, count: int) -> Draw:
    """Several draws as one, with a first axis ``[draw]`` on every number: for ``jax.vmap`` and ``jax.lax.map``.

    Args:
        errors: their distributions; those that do not apply to the lens are ignored.
        camera: whose meta-atoms' pitch turns a width into a duty cycle.
        lens: of the camera.
        seed: of the run.
        count: how many.

    Returns:
        Errors ``[draw]`` in metres and radians.
    """
    kept, _ = applicable_errors(errors, lens)
    unit = geometry_unit(camera, lens)
    draws = [draw_of(drawn_numbers(kept, seed, index), unit) for index in range(count)]
    return stacked(draws)


def stacked(draws: Sequence[Draw]) -> Draw:
    """Draws of the same errors as one, with a first axis ``[draw]`` on every number."""
    found: Draw = jax.tree.map(lambda *values: jnp.asarray(values), *draws)
    return found


def geometry_unit(camera: Camera, lens: Metalens) -> float:
    """Metres per unit of the geometry of a camera's library; 1 for a lens without meta-atoms.

    Args:
        camera: gives the pitch of the meta-atoms.
        lens: gives their library.

    Returns:
        Metres per unit.

    Raises:
        InputError: the library is over duty cycles, and the camera does not tell the pitch.
    """
    library = library_of(lens)
    if library is None:
        return 1.0
    return width_unit(library, atom_pitch(camera.lens, lens))


def applicable_errors(errors: Errors, lens: Metalens) -> tuple[Errors, dict[str, str]]:
    """Split errors into those that apply to a lens and the reasons why the others do not.

    Args:
        errors: all specified errors.
        lens: the metalens.

    Returns:
        The errors that apply; and name → reason for each of the others.
    """
    reasons = {name: reason for name in errors.terms if (reason := _obstacle(name, lens)) is not None}
    return errors.model_copy(update=dict.fromkeys(reasons)), reasons


def _obstacle(name: str, lens: Metalens) -> str | None:
    """Reason why an error does not apply to a lens; None if it applies."""
    surfaces = (*lens.surfaces, *lens.rear_surfaces)
    if name in GLASS and not surfaces:
        return "the lens has no refractive surfaces"
    if name == "glass_index_error" and not all(isinstance(each.medium, Cauchy) for each in surfaces):
        return "a glass of sellmeier_b or material has no error of its index; give its index and abbe_number"
    if name.startswith("tilt") and surfaces:
        return "tilted sensors are not simulated behind refractive surfaces"
    if name not in FABRICATION or name == "pitch_error_percent":
        return None
    library, response = library_of(lens), lens.response
    if library is None:
        return f"the response of the lens is {type(response).__name__}, without meta-atoms"
    if name.startswith("width") and float(np.asarray(library.geometry)[-1]) > LARGEST_DUTY:
        return "its meta-atoms have several widths, and which of them is meant is not known"
    for error, slope in (("height_error_nm", "height_slope"), ("index_error", "index_slope")):
        if name == error and getattr(library, slope) is None:
            return f"the library of meta-atoms has no {slope}"
    # A structure has all orders.
    orders = response.orders if lens.structure is None else (0,)
    if name == "missing_share" and library.empty is None and 0 in orders:
        return "the library does not know what an empty site lets through into the zeroth order"
    return None


def drawn_camera(camera: Camera, numbers: Mapping[str, float]) -> Camera:
    """The camera with the numbers of a draw added to the errors in its ``lens.toml``.

    Args:
        camera: the nominal camera.
        numbers: name of the error → drawn value.

    Returns:
        The drawn camera.

    Raises:
        InputError: a sum is out of the range of ``lens.toml``.
    """
    lens, sensor = camera.lens, camera.sensor
    table = {} if lens.fabrication is None else lens.fabrication.model_dump(exclude_none=True)
    for name in FABRICATION:
        if name in numbers:
            table[name] = _added(name, table.get(name, 0.0), numbers[name])
    changed: dict[str, object] = {"fabrication": FabricationTable(**table) if table else None}
    if "defocus_um" in numbers:
        changed["defocus_um"] = (lens.defocus_um or 0.0) + numbers["defocus_um"]
    if "decentre_y_um" in numbers or "decentre_x_um" in numbers:
        away = (numbers.get(f"decentre_{axis}_um", 0.0) for axis in "yx")
        changed["decentre_um"] = tuple(a + b for a, b in zip(lens.decentre_um or (0.0, 0.0), away, strict=True))
    if "tilt_y_deg" in numbers or "tilt_x_deg" in numbers:
        slopes = (math.tan(math.radians(numbers.get(f"tilt_{axis}_deg", 0.0))) for axis in "yx")
        tilt = (math.degrees(math.atan(math.tan(a) + b)) for a, b in zip(sensor.tilt, slopes, strict=True))
        sensor = sensor.model_copy(update={"tilt_deg": tuple(tilt)})
    if lens.surfaces is not None:
        changed["surfaces"] = tuple(_with_errors(surface, numbers) for surface in lens.surfaces)
    drawn = camera.model_copy(update={"lens": lens.model_copy(update=changed), "sensor": sensor})
    # model_copy does not validate; parsing the text applies the same checks as reading the file.
    parse_camera(dump_camera(drawn), origin="tolerance: the drawn lens")
    return drawn


def _with_errors(surface: RefractiveSurface, numbers: Mapping[str, float]) -> RefractiveSurface:
    """The table of a refractive surface with the errors of a draw."""
    changed: dict[str, float] = {}
    if surface.radius_of_curvature_um is not None and "surface_radius_percent" in numbers:
        stretch = 1 + numbers["surface_radius_percent"] / 100
        changed["radius_of_curvature_um"] = surface.radius_of_curvature_um * stretch
    if surface.thickness_um is not None and "surface_distance_um" in numbers:
        changed["thickness_um"] = surface.thickness_um + numbers["surface_distance_um"]
    if surface.index is not None and "glass_index_error" in numbers:
        error = numbers["glass_index_error"]
        changed["index"] = surface.index + error
        if surface.abbe_number is not None and surface.index != 1:
            # The error is the same at all wavelengths: n_F − n_C stays.
            changed["abbe_number"] = surface.abbe_number * (1 + error / (surface.index - 1))
    return surface.model_copy(update=changed)


def _added(name: str, before: float, error: float) -> float:
    """Sum of two errors of one kind."""
    if name == "width_spread_nm":
        return math.hypot(before, error)
    if name == "missing_share":
        return 1 - (1 - before) * (1 - error)
    return before + error
