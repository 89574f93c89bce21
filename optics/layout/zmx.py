"""Lens files of OpticStudio (``.zmx``) whose metalens is a Binary 2 surface: a radial phase, and lenses around it.

A ``.zmx`` is text, UTF-8 or UTF-16: a keyword and its values a line, the lines of a surface behind its ``SURF``. Of
Binary 2, ``PARM 0`` is the diffraction order, ``PARM 1`` to ``8`` are terms of an asphere, and ``XDAT`` holds the
number of terms, the normalisation radius in lens units and the coefficients in radians (OpticStudio User Guide, Binary
2).
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file
from metalens.optics.layout.ray_tracing import RadialPhaseTable, binary_2
from metalens.optics.layout.zmx_surfaces import Surface, ZmxSurfaces, surfaces_of

LARGEST_FILE = 2**24
UNITS = {"MM": 1e-3, "CM": 1e-2, "IN": 25.4e-3, "METER": 1.0, "M": 1.0}
"""Metres of a lens unit."""

MOST_TERMS = 32
SAMPLES = 1001


@dataclass(frozen=True)
class ZmxLens:
    """A lens with one Binary 2 surface.

    Attributes:
        phase: of that surface.
        surfaces: what lies in front of it and behind it; None if nothing refracts.
    """

    phase: RadialPhaseTable
    surfaces: ZmxSurfaces | None


def is_zmx(path: Path) -> bool:
    """Whether a file is one of OpticStudio, by its name or how it begins."""
    with path.open("rb") as file:
        begin = file.read(16)
    return path.suffix.lower() == ".zmx" or _text(begin).startswith("VERS ")


def read_zmx(path: Path) -> ZmxLens:
    """The only Binary 2 surface of a lens file, and the refractive surfaces around it.

    Raises:
        InputError: the file is missing or too large, has no such surface or several, its surface is curved, without a
            semi-diameter or of more than a phase, or surfaces before or behind it cannot be described.
    """
    target = input_file(path, "lens file", largest=LARGEST_FILE, missing="no such file; check its name.")
    try:
        unit, catalogues, surfaces = _surfaces(_text(target.read_bytes()))
        found = [place for place, surface in enumerate(surfaces) if surface.get("TYPE") == ["BINARY_2"]]
        if len(found) != 1:
            raise ValueError(f"{len(found)} Binary 2 surfaces; exactly one was expected")
        phase = _phase(surfaces[found[0]], unit)
        return ZmxLens(phase, surfaces_of(surfaces, found[0], unit, catalogues, _number))
    except (ValueError, OverflowError) as error:
        told = str(error).rstrip(".")
        raise InputError(f"{path}: no lens of a Binary 2 surface that can be read: {told}.") from error


def _text(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return content.decode(encoding, errors="replace")


def _surfaces(text: str) -> tuple[float, list[str], list[Surface]]:
    """Metres of a lens unit, catalogues of glasses, and the surfaces in order."""
    unit = UNITS["MM"]
    catalogues: list[str] = []
    surfaces: list[Surface] = []
    for line in io.StringIO(text):
        keyword, *values = line.split() or [""]
        if keyword == "UNIT":
            if not values or values[0] not in UNITS:
                raise ValueError(f"lens units {' '.join(values)[:40]!r}; {', '.join(UNITS)} were expected")
            unit = UNITS[values[0]]
        elif keyword == "GCAT":
            catalogues = values
        elif keyword == "SURF":
            surfaces.append({})
        elif surfaces:
            numbered = keyword in ("PARM", "XDAT") and values
            surfaces[-1][f"{keyword} {values[0]}" if numbered else keyword] = values[1:] if numbered else values
    return unit, catalogues, surfaces


def _phase(surface: Surface, unit: float) -> RadialPhaseTable:
    curved = [name for name in ("CURV", *(f"PARM {number}" for number in range(1, 9))) if _number(surface, name, 0.0)]
    if curved:
        raise ValueError(f"its surface is no plane, {curved[0]} is not 0; a metalens has a flat one")
    terms = _number(surface, "XDAT 1")
    if not 1 <= terms <= MOST_TERMS:
        raise ValueError(f"XDAT 1 tells {terms:g} terms; 1 to {MOST_TERMS} are read")
    order, radius = _number(surface, "PARM 0", 1.0), unit * _number(surface, "XDAT 2")
    rim = unit * _number(surface, "DIAM", 0.0)
    if not 0 < radius < 1 or not 0 < rim < 1:
        raise ValueError(
            "its normalisation radius (XDAT 2) or semi-diameter (DIAM) is no length between 0 and 1 m; set both and "
            "save the lens again"
        )
    coefficients = order * np.array([_number(surface, f"XDAT {3 + term}") for term in range(int(terms))])
    r = np.linspace(0, rim, SAMPLES)
    with np.errstate(over="ignore", invalid="ignore"):
        phase = binary_2(coefficients, radius, r)
    if not np.isfinite(phase).all():
        raise ValueError("its phase is too large for a number; check the coefficients and their radius (XDAT 2)")
    table = np.stack([r, phase], axis=1)
    return RadialPhaseTable(rim, radius, coefficients, 0.0, table)


def _number(surface: Surface, name: str, without: float | None = None) -> float:
    """The first value of a keyword."""
    if name not in surface and without is not None:
        return without
    text = next(iter(surface.get(name, [])), "")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} is {text[:40]!r}, a number was expected") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} is {text[:40]}, a finite number was expected")
    return value
