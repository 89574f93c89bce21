"""Architectures in numbers: the size of the lens behind a stop, the envelope, and the specification of a candidate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.parts import KinoformResponse
from metalens.formats.camera.surfaces import surfaces_in_front
from metalens.formats.design.exploration import Architecture, Choice, Envelope, Ranges
from metalens.formats.design.spec import DesignSpec
from metalens.formats.files.errors import InputError
from metalens.psf.design.contradictions import NEGLIGIBLE
from metalens.psf.design.hybrid_architecture import focusing_phase, green_wavelength, hybrid_rays
from metalens.psf.spectra.spectrum import spectral_quadrature

NUMBERS = tuple(Ranges.model_fields)

DEFAULT_INDEX = 1.4607
"""Refractive index of the glass between stop and lens, if the camera names none: fused silica at 546 nm (Malitson,
1965).
"""

MARGIN = 1.05
"""The lens behind a stop is larger than the beam of the sensor's corner by this factor: the search moves that beam."""

LARGEST_ANGLE = 75.0
"""In degrees; a camera whose corner lies farther off axis is refused (``formats/camera/camera.py``)."""

DIGITS = 2
"""Decimals of an architecture's numbers, in µm and nm."""

_ANGLES = np.radians(np.arange(0, 90, 0.5))
_BISECTIONS = 40


@dataclass(frozen=True)
class Branch:
    """The architectures of one choice.

    Attributes:
        choice: its name; None where there are none.
        spec: the specification with the choice's changes, without a table [explore].
        low: ``[number]`` least values, in the order of ``NUMBERS``.
        high: ``[number]`` largest values.
        field_share: places of the specification's fields on the sensor, as shares of its half diagonal.
    """

    choice: str | None
    spec: DesignSpec
    low: np.ndarray
    high: np.ndarray
    field_share: np.ndarray

    def fields_deg(self, focal_length_um: float) -> tuple[float, ...]:
        """Angles behind a lens of this focal length of the specification's places on the sensor."""
        radius = self.field_share * half_diagonal_um(self.spec.camera)
        return tuple(float(each) for each in np.degrees(np.arctan2(radius, focal_length_um)))

    def architecture(self, share: np.ndarray) -> Architecture:
        """The architecture at a place ``[number]`` of the box, each coordinate in 0..1."""
        numbers = np.clip(np.round(self.low + share * (self.high - self.low), DIGITS), self.low, self.high)
        told = dict(zip(NUMBERS, map(float, numbers), strict=True))
        if not told["start_wavelength_nm"]:
            del told["start_wavelength_nm"]
        return Architecture(choice=self.choice, **told)

    def share(self, architecture: Architecture) -> np.ndarray:
        """The place ``[number]`` of an architecture in the box, each coordinate in 0..1."""
        numbers = np.array([getattr(architecture, name) or 0.0 for name in NUMBERS])
        width = self.high - self.low
        return np.clip((numbers - self.low) / np.where(width > 0, width, 1.0), 0.0, 1.0)


def branches_of(spec: DesignSpec) -> tuple[list[Branch], list[str]]:
    """The branches of a specification with a table [explore], and a clause for each choice that cannot be.

    Args:
        spec: the specification.
    """
    assert spec.explore is not None
    plain = spec.model_copy(update={"explore": None})
    branches, problems = [], []
    for choice in spec.explore.choices or (None,):
        try:
            changed = plain if choice is None else plain.with_(camera=dict(choice.camera), variables=choice.variables)
        except InputError as error:
            problems.append(f"choices.{choice.name if choice else ''}: {str(error).rstrip('.')}")
            continue
        branch = _branch(changed, spec, choice)
        branches.append(branch)
        problems += _of_surfaces(branch, spec.explore.envelope)
    return branches, problems


def _branch(changed: DesignSpec, spec: DesignSpec, choice: Choice | None) -> Branch:
    assert spec.explore is not None
    lens = changed.camera.lens
    own = {"pupil_um": lens.aperture_um, "focal_length_um": lens.focal_length_um}
    if lens.stop is not None:
        own |= {"pupil_um": lens.stop.diameter_um, "stop_distance_um": lens.stop.distance_um}
        own["substrate_um"] = 0.0 if lens.substrate is None else lens.substrate.thickness_um
    given = spec.explore.range.given | ({} if choice is None else choice.range.given)
    ends = np.array([given.get(name, (own.get(name, 0.0),) * 2) for name in NUMBERS])
    # The fields are given for the focal length of the specification's own camera.
    place = spec.camera.lens.focal_length_um * np.tan(np.radians(spec.sampling.fields_deg))
    share = place / half_diagonal_um(spec.camera)
    return Branch(None if choice is None else choice.name, changed, ends[:, 0], ends[:, 1], share)


def _of_surfaces(branch: Branch, envelope: Envelope) -> list[str]:
    """Clauses for what is not explored with refractive surfaces: stops, and the period of the phase."""
    if branch.spec.camera.lens.surfaces is None:
        return []
    name = "" if branch.choice is None else f"choices.{branch.choice}: "
    found = []
    if branch.high[NUMBERS.index("stop_distance_um")] > 0 or branch.high[NUMBERS.index("substrate_um")] > 0:
        found.append(
            f"{name}camera.lens.surfaces: a metasurface with refractive surfaces is its own stop here; leave out the "
            "stop, stop_distance_um and substrate_um"
        )
    if envelope.period_um is not None:
        found.append(
            f"{name}envelope.period_um is that of a lens without refractive surfaces, which share the power with the "
            "metasurface; leave it out"
        )
    return found


def half_diagonal_um(camera: Camera) -> float:
    """From the sensor's centre to its corner."""
    return 0.5 * math.hypot(*camera.sensor.pixels) * camera.sensor.pixel_pitch_um


def corner_ray(camera: Camera, focal_length: np.ndarray, air: np.ndarray, glass: np.ndarray) -> np.ndarray:
    """Field angle and height on the lens of the chief ray that lands in the sensor's corner.

    Rays go through refractive surfaces to the centre of the metasurface (``hybrid_architecture``). Without them the
    lens has the quadratic phase −π r²/(λ f), the textbook one behind a stop. With σ = sin θ in front of the camera, the
    ray meets the lens at r = a σ/√(1 − σ²) + g σ/√(n² − σ²) behind air a and glass g of index n, and leaves it with the
    sine β = σ − r/f. The image is the branch of landing points that begins on the axis (see ``psf/rays.py``).

    Args:
        camera: whose sensor and plates are meant.
        focal_length: ``[candidate]`` in µm.
        air: ``[candidate]`` between stop and lens, in µm.
        glass: ``[candidate]`` the same.

    Returns:
        ``[candidate, (sine, height in µm)]``; NaN where no chief ray reaches the corner.
    """
    half, index = half_diagonal_um(camera), substrate_index(camera)
    if camera.lens.surfaces is not None:
        sine = hybrid_rays(camera).sine_of(focal_length, half)
        return np.stack([sine, np.zeros_like(sine)], axis=1)
    cover = camera.lens.cover_glass
    behind = (0.0, 1.0) if cover is None else (cover.thickness_um, cover.index)
    length, first, second = (np.asarray(each, dtype=float)[:, None] for each in (focal_length, air, glass))

    def height(sine: np.ndarray) -> np.ndarray:
        return np.asarray(_walk(sine, first, 1.0) + _walk(sine, second, index))

    def landing(sine: np.ndarray) -> np.ndarray:
        met = height(sine)
        bent = sine - met / length
        return np.asarray(met + _walk(bent, length - behind[0], 1.0) + _walk(bent, np.asarray(behind[0]), behind[1]))

    with np.errstate(invalid="ignore"):
        sines = np.broadcast_to(np.sin(_ANGLES), (len(length), len(_ANGLES)))
        landed = landing(sines)
        # NaN beyond the place where a ray cannot leave; the branch ends there or where the image folds over.
        rises = np.diff(landed, axis=1) > 0
        on_branch = np.concatenate([np.ones((len(length), 1), bool), np.logical_and.accumulate(rises, axis=1)], axis=1)
        beyond = np.asarray(on_branch & (landed >= half))
        place = beyond.argmax(axis=1)
        found = np.any(beyond, axis=1, keepdims=True)
        rows = np.arange(len(length))
        low, high = sines[rows, np.maximum(place - 1, 0)][:, None], sines[rows, place][:, None]
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            short = np.asarray(landing(middle) < half)
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        answer = np.concatenate([high, height(high)], axis=1)
    return np.where(found, answer, np.nan)


def _walk(sine: np.ndarray, thickness: np.ndarray, index: float) -> np.ndarray:
    """Way sideways through a plate of a ray with this sine in air; NaN where it cannot travel."""
    return np.asarray(thickness * sine / np.sqrt(index**2 - np.square(sine)))


def substrate_index(camera: Camera) -> float:
    """Refractive index of the glass between stop and lens."""
    return DEFAULT_INDEX if camera.lens.substrate is None else camera.lens.substrate.index


def lens_diameter_um(has_stop: np.ndarray, pupil_um: np.ndarray, height_um: np.ndarray) -> np.ndarray:
    """Diameter of the lens: the pupil, or behind a stop what the beam of the corner needs.

    Args:
        has_stop: ``[candidate]`` whether there is a stop in front.
        pupil_um: ``[candidate]`` its diameter, or the lens'.
        height_um: ``[candidate]`` of the corner's chief ray on the lens.

    Returns:
        ``[candidate]`` in micrometres.
    """
    return np.where(has_stop, np.round(MARGIN * (2 * height_um + pupil_um), DIGITS), pupil_um)


def quantities_of(camera: Camera, architectures: Sequence[Architecture]) -> dict[str, np.ndarray]:
    """What the envelope bounds: name → ``[candidate]`` value, NaN where the sensor's corner is not reached.

    Args:
        camera: with the sensor, the plates and the lattice.
        architectures: of one branch.

    Returns:
        Lengths in micrometres, angles in degrees.
    """
    pupil, focal, air, glass = (
        np.array([getattr(each, name) for each in architectures], dtype=float) for name in NUMBERS[:4]
    )
    has_stop = air + glass > 0
    ray = corner_ray(camera, focal, air, glass)
    diameter = lens_diameter_um(has_stop, pupil, ray[:, 1])
    refracts = camera.lens.surfaces is not None
    sine = np.where(has_stop | refracts, ray[:, 0], np.sin(np.arctan2(half_diagonal_um(camera), focal)))
    cone = hybrid_rays(camera).cone_um(focal) if refracts else focal
    in_front = sum(each.thickness_um or 0.0 for each in surfaces_in_front(camera.lens.surfaces))
    return {
        "focal_length_um": focal,
        "track_length_um": in_front + air + glass + focal,
        "diameter_um": diameter,
        "period_um": 1e-3 * _turn_nm(camera) * focal / (0.5 * diameter),
        "f_number": cone / pupil,
        "field_deg": np.degrees(np.arcsin(sine)),
        "numerical_aperture": np.sin(np.arctan2(0.5 * pupil, cone)),
    }


def _turn_nm(camera: Camera) -> float:
    """Path for which the phase makes a turn: a relief's depth, or the shortest wavelength."""
    response = camera.lens.response
    return response.wavelength_nm if isinstance(response, KinoformResponse) else _shortest_nm(camera)


def _shortest_nm(camera: Camera) -> float:
    """The shortest wavelength that a channel sees."""
    wavelength, weight = spectral_quadrature(camera.spectrum)
    return 1e9 * float(wavelength[weight.max(axis=0) >= NEGLIGIBLE].min())


def kept_limits(camera: Camera, envelope: Envelope, quantities: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Limit → ``[candidate]`` whether it is kept: the envelope's, and those of the optics.

    Args:
        camera: of the branch.
        envelope: that is asked for.
        quantities: of :func:`quantities_of`.

    Returns:
        Name of the limit → ``[candidate]`` boolean.
    """
    kept = {
        f"envelope.{name}": (quantities[name] >= low) & (quantities[name] <= high)
        for name, low, high in envelope.limits()
    }
    half = half_diagonal_um(camera)
    angle = np.degrees(np.arctan2(half, quantities["focal_length_um"]))
    reached = np.isfinite(quantities["field_deg"]) & (angle <= LARGEST_ANGLE)
    kept[f"a chief ray to the sensor's corner, at most {LARGEST_ANGLE:g}° off axis"] = reached
    # The metasurface of a hybrid has a part of the power only: whether the lattice resolves it, its design tells.
    if camera.lens.meta_atoms is not None and camera.lens.surfaces is None:
        shortest = _shortest_nm(camera)
        aperture = np.sin(np.arctan2(0.5 * quantities["diameter_um"], quantities["focal_length_um"]))
        limit = 0.5 * shortest / camera.lens.meta_atoms.pitch_nm
        kept[f"the lattice's largest numerical aperture {limit:.2f}"] = aperture <= limit
    return kept


def candidate_spec(branch: Branch, architecture: Architecture, number: int) -> DesignSpec:
    """The specification of one candidate.

    Args:
        branch: of its choice.
        architecture: its numbers.
        number: by which it is called.

    Returns:
        A specification that ``metalens design`` takes.

    Raises:
        InputError: the camera cannot be, such as an annular stop whose inner diameter is too large.
    """
    spec, camera = branch.spec, branch.spec.camera
    ray = corner_ray(camera, *(np.array([value]) for value in _lengths(architecture)))[0]
    pupil = np.array([architecture.pupil_um])
    diameter = float(lens_diameter_um(np.array([architecture.has_stop]), pupil, ray[1:])[0])
    lens: dict[str, object] = {"aperture_um": diameter, "focal_length_um": architecture.focal_length_um}
    lens |= {"stop": None, "substrate": None}
    if architecture.has_stop:
        lens["stop"] = {"diameter_um": architecture.pupil_um, "distance_um": architecture.stop_distance_um}
        if architecture.substrate_um > 0:
            lens["substrate"] = {"thickness_um": architecture.substrate_um, "index": substrate_index(camera)}
    name = f"{spec.name[:70]} {number:03d}"
    start = architecture.start_wavelength_nm
    if camera.lens.surfaces is not None:
        wavelength = green_wavelength(camera) if start is None else 1e-9 * start
        lens["phase"] = focusing_phase(camera.with_(lens=lens), wavelength)
    return spec.with_(
        name=name,
        camera={"name": name, "lens": lens},
        sampling={"fields_deg": branch.fields_deg(architecture.focal_length_um)},
        start={} if start is None else {"wavelengths_nm": [start]},
    )


def _lengths(architecture: Architecture) -> tuple[float, float, float]:
    return architecture.focal_length_um, architecture.stop_distance_um, architecture.substrate_um
