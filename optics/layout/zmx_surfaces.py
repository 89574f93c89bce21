"""Refractive surfaces of an OpticStudio lens in front of its Binary 2 surface, and its stop.

Of a surface, ``CURV`` is the curvature, ``CONI`` the conic constant, ``DISZ`` the thickness behind it, ``DIAM`` the
semi-diameter, ``GLAS`` the medium behind: a glass of the catalogues of ``GCAT``, or ``___BLANK`` with n_d and V_d. Of
an even asphere, ``PARM i`` is the coefficient of r^(2i) (OpticStudio User Guide, Even Asphere).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from metalens.formats.camera.parts import Stop
from metalens.formats.camera.surfaces import RefractiveSurface, check_surfaces
from metalens.formats.files.record import first_problem

Surface = dict[str, list[str]]
"""The values of each keyword; of ``PARM`` and ``XDAT`` with their number in the name, such as ``XDAT 2``."""

Number = Callable[[Surface, str, float | None], float]
"""The first value of a keyword of a surface, or a value if there is none."""

TERMS = 8
"""Of an even asphere."""

MODEL_GLASS = "___BLANK"


@dataclass(frozen=True)
class ZmxFront:
    """Surfaces in front of a Binary 2 surface.

    Attributes:
        surfaces: refractive ones, in the order of the light.
        stop: in front of the metasurface; None if that is the stop.
        distance_um: from the metasurface to the image.
    """

    surfaces: tuple[RefractiveSurface, ...]
    stop: Stop | None
    distance_um: float


def front_of(
    surfaces: Sequence[Surface], metasurface: int, unit: float, catalogues: Sequence[str], number: Number
) -> ZmxFront | None:
    """What lies in front of a metasurface; None if no surface of the lens refracts.

    Args:
        surfaces: of the lens, the object first and the image last.
        metasurface: number of the Binary 2 surface.
        unit: metres of a lens unit.
        catalogues: of glasses, in their order.
        number: reads a number of a surface.

    Raises:
        ValueError: a surface cannot be described in a ``lens.toml``; the message says which.
        InputError: a glass is in no catalogue that is known.
    """
    micro = 1e6 * unit
    curved = [place for place in range(metasurface + 1, len(surfaces)) if _curved(surfaces[place], number)]
    if curved:
        raise ValueError(
            f"surface {curved[0]} is curved and lies behind the metasurface, surface {metasurface}; only lenses in "
            "front of it are simulated, leave this one out"
        )
    refracting = [place for place in range(metasurface) if _refracts(surfaces[place], number)]
    if not refracting:
        return None
    plates = [place for place in range(metasurface, len(surfaces)) if "GLAS" in surfaces[place]]
    if plates:
        raise ValueError(
            f"glass lies behind surface {plates[0]}, and air was expected behind the metasurface, surface "
            f"{metasurface}; leave the plate out, and give it as cover_glass in the lens.toml that is made"
        )
    stops = [place for place, each in enumerate(surfaces) if "STOP" in each]
    stop_place = stops[0] if stops else metasurface
    if stop_place > metasurface or stop_place <= refracting[-1]:
        raise ValueError(
            f"surface {stop_place} is the stop, and it was expected at the metasurface, surface {metasurface}, or "
            "between it and the last lens; move it there"
        )
    found: list[RefractiveSurface] = []
    for place in range(1, stop_place):
        thickness = micro * number(surfaces[place], "DISZ", None)
        if not found and not _refracts(surfaces[place], number):
            continue  # a dummy surface in air in front of the lenses
        found.append(_surface(surfaces[place], place, micro, thickness, catalogues, number))
    stop = None
    if stop_place < metasurface:
        aside = micro * sum(number(each, "DISZ", None) for each in surfaces[stop_place:metasurface])
        diameter = 2 * micro * number(surfaces[stop_place], "DIAM", 0.0)
        stop = _made(Stop, stop_place, diameter_um=round(diameter, 6), distance_um=round(aside, 6))
    distance = micro * sum(number(each, "DISZ", None) for each in surfaces[metasurface:-1])
    if not distance > 0:
        raise ValueError(f"the image lies {distance:g} µm behind the metasurface; a positive distance was expected")
    check_surfaces(tuple(found), 1e6 * distance)
    return ZmxFront(tuple(found), stop, round(distance, 6))


def _refracts(surface: Surface, number: Number) -> bool:
    """Whether it is curved, or glass lies behind it."""
    return "GLAS" in surface or _curved(surface, number)


def _curved(surface: Surface, number: Number) -> bool:
    terms = range(1, TERMS + 1) if surface.get("TYPE") == ["EVENASPH"] else ()
    return number(surface, "CURV", 0.0) != 0 or any(number(surface, f"PARM {term}", 0.0) for term in terms)


def _surface(
    surface: Surface, place: int, micro: float, thickness: float, catalogues: Sequence[str], number: Number
) -> RefractiveSurface:
    kind = " ".join(surface.get("TYPE", ["STANDARD"]))
    if kind not in ("STANDARD", "EVENASPH"):
        raise ValueError(f"surface {place} is of the type {kind[:40]}; STANDARD and EVENASPH are read")
    radius = micro * number(surface, "DIAM", 0.0)
    if not radius > 0:
        raise ValueError(f"surface {place} has no semi-diameter (DIAM); set it and save the lens again")
    curvature = number(surface, "CURV", 0.0) / micro
    keys: dict[str, Any] = {
        "thickness_um": round(thickness, 6),
        "clear_diameter_um": round(2 * radius, 6),
        "conic": number(surface, "CONI", 0.0) or None,
        "radius_of_curvature_um": 1 / curvature if curvature else None,
    }
    # In lens units, the coefficient of r^(2i) times R^(2i).
    terms = [number(surface, f"PARM {term}", 0.0) for term in range(1, TERMS + 1)] if kind == "EVENASPH" else []
    heights = [micro * value * (radius / micro) ** (2 * power) for power, value in enumerate(terms, start=1)]
    while heights and heights[-1] == 0:
        heights.pop()
    if heights:
        keys |= {"coefficients_um": tuple(heights), "normalisation_radius_um": radius}
    return _made(RefractiveSurface, place, **keys, **_medium(surface, place, catalogues))


def _medium(surface: Surface, place: int, catalogues: Sequence[str]) -> dict[str, Any]:
    if "GLAS" not in surface:
        return {}
    values = surface["GLAS"]
    name = values[0] if values else ""
    if name.upper() == "MIRROR":
        raise ValueError(f"surface {place} is a mirror; surfaces that refract are read")
    if name != MODEL_GLASS:
        # The package of the solver, which smaller installations lack, holds the materials.
        from metalens.optics.rcwa.materials import glass_page

        return {"material": glass_page(name, catalogues)}
    try:
        index, abbe_number = float(values[3]), float(values[4])
    except (IndexError, ValueError):
        raise ValueError(f"surface {place} has a model glass without index and Abbe number; set both") from None
    return {"index": index, "abbe_number": abbe_number or None}


def _made(record: Any, place: int, **keys: Any) -> Any:
    try:
        return record(**keys)
    except ValidationError as error:
        raise ValueError(f"surface {place}: {first_problem(error, record).rstrip('.')}") from error
