"""Embedded ICC profiles: from a picture's values to linear light with the primaries of sRGB.

Matrix profiles, which cameras and editors embed, are three tone curves and a matrix to XYZ under D50 (ICC.1:2022,
sections 8.3.3 and 10.6, 10.18). They are applied in floats, so that 16 bits and colours outside sRGB survive.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from metalens.formats.pictures.scene import srgb_to_linear

XYZ_D50_TO_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)
"""From XYZ under D50 to linear sRGB, Bradford-adapted (B. Lindbloom, RGB/XYZ matrices)."""

_CURVE_VALUES = 65536

_PARAMETERS = {0: "g", 1: "gab", 2: "gabc", 3: "gabcd", 4: "gabcdef"}


@dataclass(frozen=True)
class MatrixProfile:
    """A profile of three curves and a matrix.

    Attributes:
        curves: ``[channel, value]`` linear light at even steps of the encoded value from 0 to 1.
        matrix: ``[channel out, channel in]`` to linear sRGB.
    """

    curves: np.ndarray
    matrix: np.ndarray

    def to_light(self, values: np.ndarray) -> np.ndarray:
        """Linear light ``[y, x, 3]`` float32 from encoded values in 0..1; colours outside sRGB go below 0."""
        return self.mixed(np.stack([self.curve(each, values[..., each]) for each in range(3)], axis=-1))

    def curve(self, channel: int, values: np.ndarray) -> np.ndarray:
        """Linear light of one channel before the matrix.

        Args:
            channel: 0 to 2.
            values: encoded, in 0..1; any shape.

        Returns:
            The same shape.
        """
        return np.interp(values, np.linspace(0, 1, self.curves.shape[1]), self.curves[channel])

    def mixed(self, linear: np.ndarray) -> np.ndarray:
        """Light of sRGB's primaries ``[y, x, 3]`` float32 from that of the profile's, after its curves."""
        return np.asarray(linear @ self.matrix.T, dtype=np.float32)


def matrix_profile(data: bytes) -> MatrixProfile | None:
    """Read a matrix profile, or the curve of a grey one; ``None`` if it is another kind of profile, or broken."""
    try:
        if data[16:20] == b"GRAY":
            curve = _curve(_tags(data)[b"kTRC"])
            return MatrixProfile(np.stack([curve] * 3), np.eye(3)) if np.isfinite(curve).all() else None
        if data[16:20] != b"RGB " or data[20:24] != b"XYZ ":
            return None
        tags = _tags(data)
        columns = [np.array(struct.unpack_from(">3i", tags[name], 8)) / 65536 for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = np.stack([_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")])
    except (KeyError, ValueError, struct.error, IndexError):
        return None
    matrix = XYZ_D50_TO_SRGB @ np.stack(columns, axis=1)
    if not (np.isfinite(curves).all() and np.isfinite(matrix).all()) or abs(np.linalg.det(matrix)) < 1e-6:
        return None
    return MatrixProfile(curves, matrix)


SRGB_TOLERANCE = 1e-3
"""Difference of linear light, by which a profile may differ from sRGB and be it: tables in profiles are rounded."""

_SRGB_GAMMA = 1 / 2.2
"""What a PNG file of sRGB says in its gAMA chunk."""


def encoding_of(info: Mapping[Any, Any]) -> MatrixProfile | None:
    """How the values of a picture stand for light, if not as sRGB has it: by its ICC profile, or a PNG's gAMA chunk.

    What a profile is called does not matter; what it holds does.

    Args:
        info: of a picture, as Pillow has it.
    """
    icc = info.get("icc_profile")
    if icc:
        found = matrix_profile(icc)
        return None if found is None or _is_srgb(found) else found
    gamma = info.get("gamma")
    if "srgb" in info or not isinstance(gamma, float) or not 0.1 <= gamma <= 10 or abs(gamma - _SRGB_GAMMA) < 0.01:
        return None
    curve = np.linspace(0, 1, _CURVE_VALUES) ** (1 / gamma)
    return MatrixProfile(np.stack([curve] * 3), np.eye(3))


def _is_srgb(profile: MatrixProfile) -> bool:
    wanted = srgb_to_linear(np.linspace(0, 1, _CURVE_VALUES))
    matrix = np.abs(profile.matrix - np.eye(3)).max() < 5 * SRGB_TOLERANCE
    return bool(matrix and np.abs(profile.curves - wanted).max() < SRGB_TOLERANCE)


def has_tables(info: Mapping[Any, Any]) -> bool:
    """Whether a picture's profile is one of tables for RGB, which is left to Pillow, in 8 bits.

    Args:
        info: of a picture, as Pillow has it.
    """
    icc = info.get("icc_profile") or b""
    try:
        return icc[16:20] == b"RGB " and matrix_profile(icc) is None and b"A2B0" in _tags(icc)
    except (ValueError, struct.error):
        return False


def _tags(data: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", data, 128)
    if count > 200:
        raise ValueError
    found = {}
    for each in range(count):
        name, offset, size = struct.unpack_from(">4sII", data, 132 + 12 * each)
        found[name] = data[offset : offset + size]
    return found


def _curve(tag: bytes) -> np.ndarray:
    """Values of a ``curv`` or ``para`` tag at even steps."""
    encoded = np.linspace(0, 1, _CURVE_VALUES)
    if tag[:4] == b"para":
        return _parametric(tag, encoded)
    if tag[:4] != b"curv":
        raise ValueError
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return encoded
    if count == 1:
        return np.asarray(encoded ** (struct.unpack_from(">H", tag, 12)[0] / 256))
    table = np.frombuffer(tag, ">u2", count, 12) / 65535
    return np.interp(encoded, np.linspace(0, 1, count), table)


def _parametric(tag: bytes, encoded: np.ndarray) -> np.ndarray:
    (kind,) = struct.unpack_from(">H", tag, 8)
    names = _PARAMETERS[kind]
    given = dict(zip(names, np.array(struct.unpack_from(f">{len(names)}i", tag, 12)) / 65536, strict=True))
    g, a, b = given["g"], given.get("a", 1.0), given.get("b", 0.0)
    c, d, e, f = given.get("c", 0.0), given.get("d"), given.get("e", 0.0), given.get("f", 0.0)
    power = np.clip(a * encoded + b, 0, None) ** g
    if kind == 0:
        return np.asarray(power)
    if kind in (1, 2):
        return np.where(encoded >= -b / a, power + c, c)
    return np.where(encoded >= d, power + e, c * encoded + f)
