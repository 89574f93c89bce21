"""The window of the sensor in which an engine computes a PSF."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageWindow:
    """Samples about the chief ray of a field.

    Attributes:
        shape: (ny, nx) samples; sample (ny // 2, nx // 2) is the middle.
        pixel_pitch: their spacing in metres.
        integrate_pixels: whether the intensity is integrated over square pixels of the pitch; else it is sampled at
            their centres.
    """

    shape: tuple[int, int]
    pixel_pitch: float
    integrate_pixels: bool = False

    @property
    def half_side(self) -> float:
        """Half of the longer side in metres."""
        return 0.5 * self.pixel_pitch * max(self.shape)
