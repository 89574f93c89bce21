"""Refractive surfaces of an OpticStudio lens in front of its Binary 2 surface and behind it, and its stop.

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
from metalens.formats.camera.surfaces import AIR, RefractiveSurface, check_surfaces
from metalens.formats.files.record import first_problem

Surface = dict[str, list[str]]
"""The values of each keyword; of ``PARM`` and ``XDAT`` with their number in the name, such as ``XDAT 2``."""

Number = Callable[[Surface, str, float | None], float]
"""The first value of a keyword of a surface, or a value if there is none."""

TERMS = 8
"""Number of terms of an even asphere."""

MODEL_GLASS = "___BLANK"


@dataclass(frozen=True)
class ZmxSurfaces:
    """Surfaces in front of a Binary 2 surface and behind it.

    Attributes:
        surfaces: refractive ones, in the order of the light, and the metasurface where some lie behind it.
        stop: in front of the metasurface; None if that is the stop.
        distance_um: from the metasurface to the image.
    """

    surfaces: tuple[RefractiveSurface, ...]
    stop: Stop | None
    distance_um: float


def surfaces_of(
    surfaces: Sequence[Surface], metasurface: int, unit: float, catalogues: Sequence[str], number: Number
) -> ZmxSurfaces | None:
    """What lies in front of a metasurface and behind it; None if no surface refracts, plates behind it left out.

    Args:
        surfaces: of the lens, the object first and the image last.
        metasurface: number of the Binary 2 surface.
        unit: metres of a lens unit.
        catalogues: of glasses, in their order.
        number: reads a number of a surface.

    Returns:
        The surfaces in the order of the light, lengths in metres; or None.

    Raises:
        ValueError: a surface cannot be described in a ``lens.toml``; the message says which.
        InputError: a glass is in no catalogue that is known.
    """
    micro = 1e6 * unit
    refracting = [place for place in range(metasurface) if _refracts(surfaces[place], number)]
    if not refracting and not any(_curved(each, number) for each in surfaces[metasurface + 1 :]):
        return None
    stops = [place for place, each in enumerate(surfaces) if "STOP" in each]
    stop_place = stops[0] if stops else metasurface
    if stop_place > metasurface or (refracting and stop_place <= refracting[-1]):
        raise ValueError(
            f"surface {stop_place} is the stop, and it was expected at the metasurface, surface {metasurface}, or "
            "between it and the last lens in front; move it there"
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
    found += _behind(surfaces, metasurface, micro, catalogues, number)
    check_surfaces(tuple(found), distance)
    return ZmxSurfaces(tuple(found), stop, round(distance, 6))


def _behind(
    surfaces: Sequence[Surface], metasurface: int, micro: float, catalogues: Sequence[str], number: Number
) -> list[RefractiveSurface]:
    """The metasurface and what refracts behind it, in the order of the light; nothing if that is air alone."""
    last = len(surfaces) - 1
    if _curved(surfaces[last], number):
        raise ValueError(f"surface {last}, the image, is curved; a plane sensor was expected")
    refracting = [place for place in range(metasurface, last) if "GLAS" in surfaces[place]]
    refracting += [place for place in range(metasurface + 1, last) if _curved(surfaces[place], number)]
    if not refracting:
        return []
    own = micro * number(surfaces[metasurface], "DISZ", None)
    medium = _medium(surfaces[metasurface], metasurface, catalogues)
    mark = _made(RefractiveSurface, metasurface, metasurface=True, thickness_um=round(own, 6), **medium)
    found: list[RefractiveSurface] = [mark]
    for place in range(metasurface + 1, last):
        thickness = micro * number(surfaces[place], "DISZ", None)
        if found[-1].medium == AIR and not _refracts(surfaces[place], number):
            own += thickness  # a dummy surface in air
            continue
        found[-1] = found[-1].model_copy(update={"thickness_um": round(own, 6)})
        found.append(_surface(surfaces[place], place, micro, 0.0, catalogues, number))
        own = thickness
    return [*found[:-1], found[-1].model_copy(update={"thickness_um": None})]


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
