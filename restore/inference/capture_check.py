"""Whether a camera can have taken a capture, and whether it can be restored."""

from __future__ import annotations

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.restorer import Restorer

_SATURATED_SHARE = 0.25


def check_capture(restorer: Restorer, capture: np.ndarray, place: tuple[int, int] | None = None) -> None:
    """Check that the restorer's camera can have taken a capture, and that it can be restored.

    Args:
        restorer: gives the sensor.
        capture: ``[y, x, 3]`` uint8, or floats in 0..1.
        place: (row, column) on the sensor of its first pixel; ``None`` for a whole frame.

    Raises:
        InputError: it is not of the sensor's size, does not lie on the sensor, or is mostly saturated.
    """
    expected = restorer.camera.sensor.pixels
    if place is not None:
        ends = place[0] + capture.shape[0], place[1] + capture.shape[1]
        if min(place) < 0 or ends[0] > expected[0] or ends[1] > expected[1]:
            raise InputError(
                f"a capture of {capture.shape[0]} × {capture.shape[1]} pixels at row {place[0]}, column {place[1]} "
                f"does not lie on the sensor of {restorer.camera.name}, {expected[0]} × {expected[1]}."
            )
    elif capture.shape[:2] != expected:
        raise InputError(
            f"a capture of {capture.shape[0]} × {capture.shape[1]} pixels (rows × columns); camera "
            f"{restorer.camera.name} takes {expected[0]} × {expected[1]}, and the blur depends on the place in the "
            "frame: give the whole frame as the sensor delivers it, or its place with --place; of another camera give "
            "its psf.h5 or preset with --psf, and --any-lens if the adapter was not trained for it."
        )
    if mostly_saturated(capture):
        raise InputError(
            f"{_saturated(capture):.0%} of the capture is saturated in all channels, at most {_SATURATED_SHARE:.0%} "
            "can be restored; expose it shorter."
        )


def mostly_saturated(capture: np.ndarray) -> bool:
    """Whether too much of a capture ``[y, x, 3]``, uint8 or floats in 0..1, is saturated to be restored."""
    return _saturated(capture) > _SATURATED_SHARE


def _saturated(capture: np.ndarray) -> float:
    white = 255 if capture.dtype == np.uint8 else 1
    return float((capture >= white).all(axis=-1).mean())
