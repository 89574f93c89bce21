"""One point spread function."""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Any

import numpy as np

from metalens.formats.files.errors import InputError, InputWarning
from metalens.optics.metalens import Metalens
from metalens.psf.engines.choice import Engine
from metalens.psf.simulator import EngineFault, psf_simulator
from metalens.psf.validation import FieldAngle

HARDLY_ANY = 0.01
"""Share of the light in the window below which a warning is given."""


def simulate_psf(
    lens: Metalens,
    wavelength: float,
    field_angle: FieldAngle,
    *,
    window: tuple[int, int],
    pixel_pitch: float,
    engine: Engine = "auto",
    integrate_pixels: bool = False,
    least_share: float = 0.0,
    object_distance: float = math.inf,
    defocus: float = 0.0,
    sensor_tilt: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Point spread function of a lens for one wavelength and field angle.

    Args:
        lens: the metalens.
        wavelength: in metres, 200 nm to 20 µm.
        field_angle: θ, or (θ, φ), in radians; |θ| up to 75°. φ turns from +x (right) to +y (down). With refractive
            surfaces it is that in front of them; of a near point, from it to the first vertex.
        window: (ny, nx) samples; the chief ray lands on sample (ny // 2, nx // 2).
        pixel_pitch: sample spacing in metres.
        engine: ``direction_cosine`` (float32, fast for small windows and large lenses), ``angular_spectrum``
            (float32, fast for large windows; every lens), ``rayleigh_sommerfeld`` (float64, slow, the reference),
            ``vectorial`` (all components of the field, for high numerical apertures),
            ``fresnel`` (the paraxial approximation, for teaching and as a control: with it, a lens that is its own
            stop has the same image at all field angles); ``auto`` takes the cheaper of the first two and logs why,
            and another one where a result cannot be right.
        integrate_pixels: integrate the intensity over square pixels of the pitch; else sample it at their centres.
        least_share: refuse a window that holds less than this share of the light.
        object_distance: from the point of light to the first refractive surface, or else the stop, or else the lens, in
            metres.
        defocus: how far the sensor lies behind the lens' ``focal_length``, in metres.
        sensor_tilt: slopes (dz/dy, dz/dx) of the sensor; the image is that on a plane parallel to the lens at the
            depth where the chief ray meets the tilted sensor.

    Returns:
        ``[y, x]`` energy per sample: the intensity times the pixel's area, over the light that passes the
        aperture. Its sum, at most 1, is the share of that light that reaches the window (exact with
        ``integrate_pixels``, else as good as the midpoint rule). Less than 1 % is told by an
        :class:`~metalens.formats.files.errors.InputWarning`.

    Raises:
        InputError: a value that is not finite or out of range, samples so far apart that their sum is not the
            energy, a window that holds less than ``least_share``, a chief ray that is totally reflected or misses
            the lens, rays that do not come through refractive surfaces, or a request beyond the engine's reach.

    References:
        Angular spectrum about the chief ray: K. Matsushima, Opt. Express 18, 18453 (2010), doi:10.1364/OE.18.018453.
        Rayleigh–Sommerfeld integral by FFT: F. Shen and A. Wang, Appl. Opt. 45, 1102 (2006), doi:10.1364/AO.45.001102.
        Vectorial: B. Richards and E. Wolf, Proc. R. Soc. Lond. A 253, 358 (1959), doi:10.1098/rspa.1959.0200.
        :mod:`metalens.psf.engines.direction_cosine` derives the integral over direction cosines.

    Example:
        >>> from metalens.optics import Hyperbolic
        >>> phase = Hyperbolic(focal_length=1e-4, wavelength=532e-9)
        >>> lens = Metalens(aperture_diameter=5e-5, focal_length=1e-4, phase=phase)
        >>> psf = simulate_psf(lens, 532e-9, 0.1, window=(32, 32), pixel_pitch=0.5e-6)
        >>> psf.shape, bool(0.9 < psf.sum() <= 1)
        ((32, 32), True)
    """
    simulate = partial(
        _simulate,
        lens,
        wavelength,
        field_angle,
        window=window,
        pixel_pitch=pixel_pitch,
        integrate_pixels=integrate_pixels,
        object_distance=object_distance,
        defocus=defocus,
        sensor_tilt=sensor_tilt,
    )
    try:
        psf = simulate(engine=engine)
    except EngineFault:
        if engine != "auto":
            raise
        psf = simulate(engine="rayleigh_sommerfeld" if lens.cover_glass is None else "angular_spectrum")
    share = float(psf.sum())
    if not share >= least_share:
        raise InputError(
            f"psf: a window of {window[0]} × {window[1]} samples of {1e6 * pixel_pitch:.3g} µm holds {share:.1%} "
            f"of the light, at least {least_share:.1%} was expected; ask for a larger window."
        )
    if share < HARDLY_ANY:
        warnings.warn(
            f"psf: a window of {window[0]} × {window[1]} samples of {1e6 * pixel_pitch:.3g} µm holds {share:.2%} of "
            "the light: at this field angle, distance and wavelength it lands elsewhere or spreads farther; ask for a "
            "larger window.",
            InputWarning,
            stacklevel=2,
        )
    return psf


def _simulate(lens: Metalens, wavelength: float, field_angle: FieldAngle, **options: Any) -> np.ndarray:
    return np.asarray(psf_simulator(lens, [wavelength], [field_angle], **options)(lens)[0, 0])
