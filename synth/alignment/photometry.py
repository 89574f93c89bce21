"""Light of a displayed picture in the camera's channels: transfer curve, black level and primaries of the display."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from metalens.formats.files.errors import InputError

LARGEST_RESIDUAL = 0.02
"""Largest root-mean-square residual, as a share of white; a larger one means that the display adapts to its content."""

_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class DisplayLight:
    """Light of a display in the camera's channels.

    A value v in 0..1 of a primary makes the light ((v + o)/(1 + o))^γ less what v = 0 would make by that, stretched to
    0..1: the gain-offset-gamma model (Berns, 10.1002/(SICI)1520-6378(199610)21:5<299::AID-COL1>3.0.CO;2-Q), of which
    sRGB's curve is very nearly a case (o = 0.055, γ = 2.4). A matrix makes the camera's channels of the primaries, and
    the light of the black screen is added.

    Attributes:
        gamma: ``[primary]`` exponents.
        offset: ``[primary]`` offsets o.
        black: ``[channel]`` light of the black screen, white being 1.
        colour: ``[channel, primary]``, rows sum to 1.
        residual: ``[level, primary]`` measured less modelled light.
    """

    gamma: np.ndarray
    offset: np.ndarray
    black: np.ndarray
    colour: np.ndarray
    residual: np.ndarray

    def light(self, picture: np.ndarray) -> np.ndarray:
        """Linear light ``[y, x, 3]`` float32 of a displayed picture ``[y, x, 3]`` uint8; white is 1."""
        value = np.arange(256) / 255
        table = np.stack([_curve(value, g, o) for g, o in zip(self.gamma, self.offset, strict=True)], axis=-1)
        shown = np.stack([table[picture[..., primary], primary] for primary in range(3)], axis=-1)
        return (self.black + (1 - self.black) * (shown @ self.colour.T)).astype(np.float32)


def fit_display(
    values: np.ndarray, levels: np.ndarray, primaries: np.ndarray | None, *, names: list[str], white: str
) -> DisplayLight:
    """Find the display's curve from screens of known values.

    Args:
        values: ``[level]`` displayed greys, 0..255, with 0 among them and without 255.
        levels: ``[level, channel]`` their light over that of the white screen.
        primaries: ``[primary, channel]`` light of the red, green and blue screen over the white one's; ``None`` takes
            each channel for its own primary.
        names: of the files of the levels, for messages.
        white: of the white screen's file.

    Returns:
        Curve and colours of the display, relative to the light of its white screen.

    Raises:
        InputError: light does not grow with the value, primaries do not add up to white, or no such curve fits.
    """
    order = np.argsort(values)
    values, levels = np.asarray(values, dtype=np.float64)[order], np.asarray(levels, dtype=np.float64)[order]
    names = [names[i] for i in order]
    _check_growth(values, levels, names, white)
    black = np.maximum(levels[0], 0.0)
    if black.max() > 0.2:
        raise InputError(
            f"{names[0]}: the black screen has {black.max():.2f} of the white one's light, at most 0.2 can be used; "
            "darken the room."
        )
    colour = np.eye(3) if primaries is None else _colours(primaries, black)
    above = (levels - black) / (1 - black)
    shown = np.linalg.solve(colour, above.T).T
    value = values / 255
    fitted = [_fit_curve(value, shown[:, primary]) for primary in range(3)]
    gamma, offset = (np.array([each[i] for each in fitted]) for i in (0, 1))
    model = np.stack([_curve(value, g, o) for g, o in fitted], axis=-1)
    residual = shown - model
    worst = np.sqrt((residual**2).mean(axis=0))
    if worst.max() > LARGEST_RESIDUAL:
        level = int(np.abs(residual[:, worst.argmax()]).argmax())
        raise InputError(
            f"{names[level]}: the {_COLOURS[worst.argmax()]} screen's light lies "
            f"{100 * np.abs(residual[level, worst.argmax()]):.2g} % of white off any curve of a display (root mean "
            f"square of all levels {100 * worst.max():.2g} %); switch off its dynamic contrast and local dimming, and "
            "check the levels' values."
        )
    return DisplayLight(gamma, offset, black, colour, residual)


def _check_growth(values: np.ndarray, levels: np.ndarray, names: list[str], white: str) -> None:
    light = np.vstack([levels, np.ones(3)])
    shown = [*(f"value {value:g}" for value in values), "white"]
    files = [*names, white]
    for number in range(1, len(light)):
        step = light[number] - light[number - 1]
        if step.min() <= -0.005:
            raise InputError(
                f"{files[number]}: {_COLOURS[int(step.argmin())]} of {shown[number]} has less light than "
                f"{shown[number - 1]} ({files[number - 1]}): {light[number, step.argmin()]:.3f} and "
                f"{light[number - 1, step.argmin()]:.3f} of white; check which file shows what."
            )


def _colours(primaries: np.ndarray, black: np.ndarray) -> np.ndarray:
    """The matrix from primaries to channels."""
    colour = ((np.asarray(primaries, dtype=np.float64) - black) / (1 - black)).T
    total = colour.sum(axis=1)
    if np.abs(total - 1).max() > 0.1:
        worst = int(np.abs(total - 1).argmax())
        raise InputError(
            f"primaries: the red, green and blue screen together have {total[worst]:.2f} of the white one's "
            f"{_COLOURS[worst]} light, 1 was expected; switch off the display's dynamic contrast, and check which file "
            "shows what."
        )
    if np.linalg.cond(colour) > 50:
        raise InputError("primaries: the screens' colours are too much alike; check which file shows what.")
    brightest = colour.argmax(axis=1)
    if (brightest != np.arange(3)).any():
        channel = int((brightest != np.arange(3)).argmax())
        raise InputError(
            f"primaries: the {_COLOURS[channel]} channel gets the most light from the {_COLOURS[brightest[channel]]} "
            "screen; check which file shows what, and the order of the sensor's colours."
        )
    return colour / total[:, None]


def _curve(value: np.ndarray, gamma: float, offset: float) -> np.ndarray:
    least = (offset / (1 + offset)) ** gamma
    return (((value + offset) / (1 + offset)) ** gamma - least) / (1 - least)


def _fit_curve(value: np.ndarray, light: np.ndarray) -> tuple[float, float]:
    # Weights: the error is proportional to the light, with a floor for noise and stray light.
    weight = 1 / (0.02 + np.abs(light))
    found = least_squares(
        lambda p: weight * (_curve(value, p[0], p[1]) - light), [2.2, 0.02], bounds=([0.5, 0.0], [5.0, 1.0])
    )
    return float(found.x[0]), float(found.x[1])
