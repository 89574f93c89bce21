"""Fit of a lens model's few free numbers to point spread functions, by Gauss–Newton with a damped step.

The functions of a bank are compared sample by sample. How bright each one is says little, so each channel of each node
has a factor of its own; of a measured bank each node has a shift of its own too, since no position is known to a
hundredth of a pixel. Neither counts among the numbers that are sought.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from metalens.formats.camera.camera import Camera, dump_camera, parse_camera
from metalens.formats.camera.lens import Lens
from metalens.formats.camera.parts import Fabrication, NanoOpticsProxyResponse
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import GREEN, PsfBank
from metalens.optics.from_lens_toml import metalens_of
from metalens.optics.metalens import Metalens
from metalens.optics.refraction.rear_rays import air_behind
from metalens.psf.captured.fit_model import NUMBERS, LensModel, free_numbers, lens_model
from metalens.psf.captured.variable_projection import (
    NormalEquations,
    closest_factors,
    damped_step,
    normal_equations,
    standard_errors,
)
from metalens.psf.measures import centroid
from metalens.psf.rays import seen_cone

MOST_NODES = 25
"""Nodes that are compared, evenly taken from a larger bank: a few numbers need no more."""

CONFUSED = 0.95
"""Correlation from which on two numbers are said to be hard to tell apart."""

SCAN_REACH = 6
"""How far the first search for the focus goes to both sides, in depths of focus λ/NA²."""

MOST_STEPS = 25
"""Trials of a step from each start."""

MOST_TRIALS = 2 * SCAN_REACH + 2 * MOST_STEPS
"""Trials of all kinds."""


@dataclass(frozen=True)
class LensFit:
    """Result of a fit.

    Attributes:
        names: ``[number]`` of :data:`metalens.psf.captured.fit_model.NUMBERS`, those that were free.
        value: ``[number]`` in metres, slopes, or the meta-atoms' unit.
        standard_error: ``[number]`` for noise that is the same in all samples; infinite where the functions do not
            depend on the number. It does not include model errors.
        correlation: ``[number, number]`` of the estimates.
        residual: √(Σ (measured − model)² / Σ measured²).
        residual_before: the same for the camera as it was.
        shift: ``[node, (y, x)]`` in metres from the chief ray to the windows' middle; ``None`` where they are equal.
        nodes: how many nodes were compared.
    """

    names: tuple[str, ...]
    value: np.ndarray
    standard_error: np.ndarray
    correlation: np.ndarray
    residual: float
    residual_before: float
    shift: np.ndarray | None
    nodes: int

    @property
    def confused(self) -> list[tuple[str, str, float]]:
        """Pairs of strongly correlated numbers, with their correlation."""
        count = len(self.names)
        pairs = [(i, j) for i in range(count) for j in range(i + 1, count) if abs(self.correlation[i, j]) > CONFUSED]
        return [(self.names[i], self.names[j], float(self.correlation[i, j])) for i, j in pairs]

    @property
    def unseen(self) -> list[str]:
        """Numbers that the PSFs do not determine; they keep their start value."""
        return [name for name, error in zip(self.names, self.standard_error, strict=True) if not np.isfinite(error)]


@dataclass(frozen=True)
class _State:
    """Numbers and shifts, and how far their model is from what was measured."""

    values: np.ndarray
    shift: np.ndarray
    misfit: float


def fit_lens(
    bank: PsfBank,
    camera: Camera,
    *,
    parameters: Sequence[str] | None = None,
    wavelengths_per_channel: int | None = None,
    free_shift: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LensFit:
    """Fit the parameters of a camera's lens to the point spread functions of a bank.

    The focus is searched for first, coarsely, since the misfit has several minima in it; from the two best of them all
    numbers are fitted.

    Args:
        bank: the functions, measured or simulated.
        camera: the nominal lens; its defocus, tilt and width error, if given, are the start of the fit.
        parameters: names of :data:`metalens.psf.captured.fit_model.PARAMETERS`: ``defocus`` in metres; ``tilt`` of
            the sensor; ``decentre`` of the lens' axis from the sensor's centre; ``width_error`` of all meta-atoms. By
            default the first three; of a lens with refractive surfaces without the tilt.
        wavelengths_per_channel: quadrature nodes of each channel; by default the camera's own.
        free_shift: whether each node's window has a shift of its own; by default, if the bank says that it was
            measured: a hundredth of a pixel matters, and no position is known so well.
        progress: called with the number of steps done and the largest number of them.

    Returns:
        The parameters, their uncertainty and the misfit that remains.

    Raises:
        InputError: an unknown parameter, ``width_error`` of a lens without meta-atoms, ``tilt`` behind refractive
            surfaces, another pixel pitch than the bank's, or a camera that cannot be simulated.
    """
    free = free_numbers(metalens_of(camera), parameters)
    _check_pitch(bank, camera)
    chosen = np.unique(np.linspace(0, len(bank.position) - 1, min(MOST_NODES, len(bank.position))).round().astype(int))
    measured = np.asarray(bank.intensity[chosen], dtype=np.float64)
    model = lens_model(camera, bank.position[chosen], measured.shape[-2:], wavelengths_per_channel)
    if free_shift is None:
        free_shift = "measured" in bank.provenance
    done = itertools.count(1)

    def tell() -> None:
        if progress is not None:
            progress(min(next(done), MOST_TRIALS), MOST_TRIALS)

    return _Search(model, measured, free, free_shift, bank.pixel_pitch, tell).run()


def _check_pitch(bank: PsfBank, camera: Camera) -> None:
    if not np.isclose(camera.sensor.pixel_pitch_m, bank.pixel_pitch, rtol=1e-6):
        raise InputError(
            f"psf fit: the bank's pixels are {1e6 * bank.pixel_pitch:g} µm, those of {camera.name} "
            f"{camera.sensor.pixel_pitch_um:g} µm; give the lens of the bank's camera."
        )


def fitted_camera(camera: Camera, fit: LensFit) -> Camera:
    """The camera with the numbers of a fit in the places that ``lens.toml`` has for them.

    An error of the meta-atoms goes into ``duty_error`` of a response that has it, else into ``[lens.fabrication]``.

    Args:
        camera: as it was described.
        fit: what was found for it.

    Returns:
        The camera; what was not fitted stays as it is.

    Raises:
        InputError: a number is beyond what such a file may hold.
    """
    found = {name: float(value) for name, value in zip(fit.names, fit.value, strict=True)}
    lens, sensor = camera.lens, camera.sensor
    if "defocus" in found:
        lens = lens.model_copy(update={"defocus_um": round(1e6 * found["defocus"], 4)})
    if "tilt_y" in found:
        tilt = (round(math.degrees(math.atan(found[name])), 5) for name in ("tilt_y", "tilt_x"))
        sensor = sensor.model_copy(update={"tilt_deg": tuple(tilt)})
    if "decentre_y" in found:
        decentre = (round(1e6 * found[name], 4) for name in ("decentre_y", "decentre_x"))
        lens = lens.model_copy(update={"decentre_um": tuple(decentre)})
    if "width_error" in found:
        lens = _with_width_error(lens, found["width_error"])
    fitted = camera.model_copy(update={"lens": lens, "sensor": sensor})
    # A copy is not checked, and parsing its text is what a reader of the file will do.
    parse_camera(dump_camera(fitted), origin="psf fit: the fitted lens")
    return fitted


def _with_width_error(lens: Lens, error: float) -> Lens:
    """The lens with this error of all meta-atoms, in the library's unit, in the place of the one that it has."""
    fabrication = lens.fabrication or Fabrication()
    proxy = isinstance(lens.response, NanoOpticsProxyResponse)
    fabrication = fabrication.model_copy(update={"width_error_nm": None if proxy else round(1e9 * error, 4)})
    changed: dict[str, object] = {"fabrication": fabrication if fabrication.model_dump(exclude_none=True) else None}
    if isinstance(lens.response, NanoOpticsProxyResponse):
        changed["response"] = lens.response.model_copy(update={"duty_error": round(error, 6)})
    return lens.model_copy(update=changed)


def depth_of_focus(lens: Metalens, wavelength: float) -> float:
    """Depth of focus λ/NA² of the lens' own opening, as it is seen from the sensor, in metres.

    Args:
        lens: whose focal length and aperture it has.
        wavelength: in metres.

    Returns:
        In metres.
    """
    aperture = 0.5 * float(lens.aperture_diameter)
    return float(wavelength * (1 + (float(seen_cone(lens, wavelength).focal_length) / aperture) ** 2))


@dataclass(frozen=True)
class _Search:
    """One fit: what it compares, and how far it may go.

    Attributes:
        model: of the lens.
        measured: ``[node, channel, y, x]``.
        free: indices of the numbers that are sought.
        free_shift: whether each node has a shift of its own.
        pitch: of the pixels in metres.
        tell: called after each trial.
    """

    model: LensModel
    measured: np.ndarray
    free: tuple[int, ...]
    free_shift: bool
    pitch: float
    tell: Callable[[], None]

    def run(self) -> LensFit:
        """Search coarsely, fit from the best places, and describe the best fit."""
        before = self._at(self.model.start, self._no_shift())
        fits = [self._descend(start) for start in self._starts(before)]
        return self._described(min(fits, key=lambda state: state.misfit), before)

    def _described(self, best: _State, before: _State) -> LensFit:
        normal = self._normal(best)
        unknowns = len(self.free) + 3 * len(self.measured) + 2 * len(self.measured) * self.free_shift
        variance = best.misfit / max(self.measured.size - unknowns, 1)
        error, correlation = standard_errors(normal.matrix, variance)
        energy = np.square(self.measured).sum()
        return LensFit(
            names=tuple(NUMBERS[number] for number in self.free),
            value=best.values[list(self.free)],
            standard_error=error,
            correlation=correlation,
            residual=float(np.sqrt(best.misfit / energy)),
            residual_before=float(np.sqrt(before.misfit / energy)),
            shift=best.shift if self.free_shift else None,
            nodes=len(self.measured),
        )

    def _starts(self, nominal: _State) -> list[_State]:
        """The two best focuses of a coarse search, or the nominal place where the focus is not free."""
        if NUMBERS.index("defocus") not in self.free:
            return [nominal]
        lens, spacing = self.model.lens, depth_of_focus(self.model.lens, float(np.median(self.model.wavelength)))
        states, air = [nominal], float(air_behind(lens))
        for place in range(-SCAN_REACH, SCAN_REACH + 1):
            moved = self.model.start + spacing * place * (np.arange(len(NUMBERS)) == 0)
            if place == 0 or not -0.5 * air < moved[0] < float(lens.focal_length):
                continue
            states.append(self._at(moved, self._no_shift()))
            self.tell()
        states.sort(key=lambda state: state.values[0])
        misfits = np.array([np.inf, *(state.misfit for state in states), np.inf])
        lowest = (misfits[1:-1] <= misfits[:-2]) & (misfits[1:-1] <= misfits[2:])
        minima = [state for state, low in zip(states, lowest, strict=True) if low]
        return sorted(minima, key=lambda state: state.misfit)[:2]

    def _descend(self, state: _State) -> _State:
        """Levenberg–Marquardt from a start until the misfit stays."""
        damping = 1e-3
        normal = self._normal(state)
        for _ in range(MOST_STEPS):
            step, shift = damped_step(normal, damping)
            trial = self._at(state.values + self._spread(step), state.shift + self._held(shift), centre=False)
            self.tell()
            if not trial.misfit < state.misfit:
                damping *= 10
                if damping > 1e6:
                    break
                continue
            gain = 1 - trial.misfit / state.misfit
            state, damping = trial, max(damping / 10, 1e-9)
            if gain < 1e-6:
                break
            normal = self._normal(state)
        return state

    def _no_shift(self) -> np.ndarray:
        return np.zeros((len(self.measured), 2))

    def _spread(self, step: np.ndarray) -> np.ndarray:
        spread = np.zeros(len(NUMBERS))
        spread[list(self.free)] = step
        return spread

    def _held(self, shift: np.ndarray) -> np.ndarray:
        """Limit each step to one pixel: beyond, the image is not linear in its shift."""
        return np.clip(shift, -self.pitch, self.pitch) if self.free_shift else np.zeros_like(shift)

    def _at(self, values: np.ndarray, shift: np.ndarray, *, centre: bool = True) -> _State:
        """The model at numbers and shifts; ``centre`` lays it on the measured centroids first."""
        image = self.model.images(values, shift)
        if self.free_shift and centre:
            away = centroid(image[:, GREEN], self.pitch) - centroid(self.measured[:, GREEN], self.pitch)
            shift = shift + away
            image = self.model.images(values, shift)
        rest = self.measured - closest_factors(image, self.measured) * image
        return _State(values, shift, float(np.square(rest).sum()))

    def _normal(self, state: _State) -> NormalEquations:
        image, by_number, by_shift = self.model.columns(state.values, state.shift, self.free)
        return normal_equations(self.measured, image, by_number, by_shift if self.free_shift else by_shift[:0])
