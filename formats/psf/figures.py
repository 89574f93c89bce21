"""Figures of merit of point spread functions, stored in ``psf.h5`` with the samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from metalens.formats.files.errors import InputError

LONGEST = 1.0
"""Metres; no sensor or width is longer."""

_LENGTHS = (
    "full_width_half_maximum",
    "tangential_width",
    "sagittal_width",
    "rms_width",
    "half_energy_radius",
    "eighty_percent_energy_radius",
    "centroid",
)


@dataclass(frozen=True)
class PsfFigures:
    """Figures of many point spread functions, all with the same leading axes, written ``...`` below.

    Lengths are metres. *Tangential* is along the line away from the optical axis, *sagittal* across it; on the axis
    itself tangential is x.

    Attributes:
        full_width_half_maximum: ``[...]`` DMDiff Eq. 2: √(FWHM₁² + FWHM₂²) of a Gaussian fit along the principal
            axes; a round spot reads √2 times its width along one axis.
        tangential_width: ``[...]`` full width of the half-maximum contour along the tangential line through the peak.
        sagittal_width: ``[...]`` the same along the sagittal line.
        rms_width: ``[...]`` √(σ₁² + σ₂²) of the light in the window.
        half_energy_radius: ``[...]`` radius about the centroid that holds half of the window's light.
        eighty_percent_energy_radius: ``[...]`` radius about the centroid that holds 80 % of the window's light.
        centroid: ``[..., (y, x)]`` of the light in the window, relative to the chief ray.
        window_share: ``[...]`` share of the light through the aperture that reaches the window.
        frequency: ``[frequency]`` in cycles/m, ascending from 0.
        modulation: ``[..., (tangential, sagittal), frequency]`` modulation transfer for gratings that vary along
            either direction, of all light that goes into the image: at frequency 0 it is the share of that light in
            the window, and what is missing to 1 bounds the error at every frequency. Measured functions, and those of
            version 0.2 and before, refer to the light in the window and read 1 there.
        nyquist_modulation: ``[..., (tangential, sagittal)]`` the same at the sensor's Nyquist frequency, 1/(2 pitch).
        strehl_ratio: ``[...]`` peak against that of the unaberrated lens of equal aperture and focal length; ``None``
            where there is no such lens: a colour channel is a mixture of wavelengths, and a measured function does
            not say how much light came through the aperture.
    """

    full_width_half_maximum: np.ndarray
    tangential_width: np.ndarray
    sagittal_width: np.ndarray
    rms_width: np.ndarray
    half_energy_radius: np.ndarray
    eighty_percent_energy_radius: np.ndarray
    centroid: np.ndarray
    window_share: np.ndarray
    frequency: np.ndarray
    modulation: np.ndarray
    nyquist_modulation: np.ndarray
    strehl_ratio: np.ndarray | None = None

    def __post_init__(self) -> None:
        leading, count = self.rms_width.shape, len(self.frequency)
        for name, values in self.arrays().items():
            expected = _trailing(name, count) if name == "frequency" else (*leading, *_trailing(name, count))
            if values.shape != expected:
                raise InputError(f"psf figures: {name} has shape {values.shape}, the other arrays ask for {expected}.")
            if not np.isfinite(values).all():
                raise InputError(f"psf figures: {name} holds NaN or infinity.")
            if name != "centroid" and (values < 0).any():
                raise InputError(f"psf figures: {name} must not be negative.")
            if name in _LENGTHS and (np.abs(values) > LONGEST).any():
                raise InputError(f"psf figures: {name} must be {LONGEST:g} m at most.")
        if count < 1 or self.frequency[0] != 0 or np.any(np.diff(self.frequency) <= 0):
            raise InputError("psf figures: frequency must ascend from 0.")

    @property
    def shape(self) -> tuple[int, ...]:
        """The leading axes."""
        return self.rms_width.shape

    def arrays(self) -> dict[str, np.ndarray]:
        """Name → array of all figures that are there."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: values for name, values in found.items() if values is not None}

    @classmethod
    def stack(cls, figures: Sequence[PsfFigures]) -> PsfFigures:
        """Figures of equal shapes along a new first axis; their frequencies are those of the first."""
        arrays = {
            name: np.stack([each.arrays()[name] for each in figures])
            for name in figures[0].arrays()
            if name != "frequency"
        }
        return cls(frequency=figures[0].frequency, **arrays)

    def take(self, index: np.ndarray | int) -> PsfFigures:
        """The figures at indices of the first axis, which may repeat; a single index leaves the axis out."""
        return replace(self, **{name: values[index] for name, values in self.arrays().items() if name != "frequency"})


def figure_shapes(leading: tuple[int | None, ...], *, strehl: bool) -> dict[str, tuple[int | None, ...]]:
    """Name → shape of every figure, ``None`` for any length, as a file has to hold it.

    Args:
        leading: the leading axes.
        strehl: whether the Strehl ratio is among them.

    Returns:
        Name → shape.
    """
    names = [field.name for field in fields(PsfFigures) if strehl or field.name != "strehl_ratio"]
    return {
        name: _trailing(name, None) if name == "frequency" else (*leading, *_trailing(name, None)) for name in names
    }


def _trailing(name: str, frequencies: int | None) -> tuple[int | None, ...]:
    known: dict[str, tuple[int | None, ...]] = {
        "centroid": (2,),
        "frequency": (frequencies,),
        "modulation": (2, frequencies),
        "nyquist_modulation": (2,),
    }
    return known.get(name, ())
