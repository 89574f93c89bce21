"""The ``[[lens.surfaces]]`` tables of ``lens.toml``: refractive surfaces in front of the metasurface and behind it."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from pydantic import Field, StrictBool, model_validator

from metalens.formats.files.errors import InputError
from metalens.formats.files.record import Finite, Micrometres, NotNegative, Positive, Record

AIR: tuple[object, ...] = (1.0, None, None, None, None)
"""The medium in front of the first surface, as :attr:`RefractiveSurface.medium`."""

SAMPLES = 257
"""Heights at which neighbouring surfaces are compared."""

Index = Annotated[float, Field(ge=1, le=4.5, allow_inf_nan=False)]
Terms = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=6)]


class RefractiveSurface(Record):
    """A rotationally symmetric surface: sphere, conic or even asphere; and the medium behind it, air by default.

    One of them may be the metasurface itself: those behind it follow.
    """

    metasurface: StrictBool | None = Field(
        default=None, description="true marks the plane of the metasurface, which has only a thickness and a medium"
    )
    thickness_um: NotNegative | None = Field(
        default=None,
        description="to the next surface; of the last one in front to the stop or the lens; the last one behind the "
        "metasurface has none, as focal_length_um tells the sensor",
    )
    clear_diameter_um: Micrometres | None = Field(
        default=None, description="beyond it the surface is dark; the metasurface has none, but aperture_um"
    )
    radius_of_curvature_um: Finite | None = Field(
        default=None, description="positive where the centre lies behind the surface; None is a plane"
    )
    conic: Finite | None = Field(default=None, description="0 is a sphere, −1 a paraboloid; None is 0")
    coefficients_um: Annotated[tuple[Finite, ...], Field(min_length=1, max_length=16)] | None = Field(
        default=None, description="heights of (r/R)², (r/R)⁴, … that are added"
    )
    normalisation_radius_um: Micrometres | None = Field(default=None, description="R of the coefficients")
    index: Index | None = Field(default=None, description="refractive index behind the surface, at 587.6 nm")
    abbe_number: Annotated[float, Field(ge=5, le=200, allow_inf_nan=False)] | None = Field(
        default=None, description="V_d; None is an index without dispersion"
    )
    sellmeier_b: Terms | None = Field(default=None, description="B of n² = 1 + Σ Bλ²/(λ² − C)")
    sellmeier_c_um2: Terms | None = Field(default=None, description="C, as many")
    material: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description='page of refractiveindex.info, "shelf/book/page"'
    )

    @model_validator(mode="after")
    def _fit(self) -> RefractiveSurface:
        media = [name for name in ("index", "sellmeier_b", "material") if getattr(self, name) is not None]
        if len(media) > 1:
            raise ValueError(
                f"{media[0]} and {media[1]} both tell the medium behind the surface; leave out one of them"
            )
        if self.abbe_number is not None and self.index is None:
            raise ValueError("abbe_number needs the index at 587.6 nm; give index")
        if len(self.sellmeier_b or ()) != len(self.sellmeier_c_um2 or ()):
            raise ValueError("sellmeier_b and sellmeier_c_um2 must have as many numbers; give one C for each B")
        if (self.coefficients_um is None) != (self.normalisation_radius_um is None):
            raise ValueError("coefficients_um and normalisation_radius_um need each other; give both or none")
        radius = self.radius_of_curvature_um
        if radius is not None and abs(radius) < 1e-3:
            raise ValueError(f"radius_of_curvature_um {radius:g} is too small; leave it out for a plane")
        if self.metasurface is False:
            raise ValueError("metasurface = false: it marks the metasurface alone; leave it out of other surfaces")
        if self.metasurface:
            self._check_metasurface()
            return self
        if self.clear_diameter_um is None:
            raise ValueError("clear_diameter_um is missing; give the diameter of the surface's opening")
        if not np.isfinite(self.sag_um(np.array(0.5 * self.clear_diameter_um))):
            raise ValueError(
                f"clear_diameter_um {self.clear_diameter_um:g} reaches beyond the end of the surface, whose "
                f"radius_of_curvature_um is {radius:g}; make it smaller"
            )
        return self

    def _check_metasurface(self) -> None:
        own = ("clear_diameter_um", "radius_of_curvature_um", "conic", "coefficients_um")
        shape = next((name for name in own if getattr(self, name) is not None), None)
        if shape is not None:
            raise ValueError(
                f"metasurface and {shape} exclude each other: it is a plane of the diameter aperture_um; "
                f"leave out {shape}"
            )
        if self.thickness_um is None:
            raise ValueError("thickness_um is missing; give the distance from the metasurface to the next surface")

    @property
    def medium(self) -> tuple[object, ...]:
        """What tells the medium behind the surface; equal for equal media."""
        return self.index or 1.0, self.abbe_number, self.sellmeier_b, self.sellmeier_c_um2, self.material

    def sag_um(self, height: np.ndarray) -> np.ndarray:
        """Height in µm over the vertex.

        Args:
            height: ``[...]`` distance r from the axis in µm.

        Returns:
            ``[...]``; not a number where the surface has no point.
        """
        curvature = 0.0 if self.radius_of_curvature_um is None else 1 / self.radius_of_curvature_um
        inside = 1 - (1 + (self.conic or 0.0)) * (curvature * height) ** 2
        root = np.sqrt(np.where(inside > 0, inside, math.nan))
        ratio = (height / (self.normalisation_radius_um or 1.0)) ** 2
        terms = np.polynomial.polynomial.polyval(ratio, np.r_[0.0, self.coefficients_um or 0.0])
        return np.asarray(curvature * height**2 / (1 + root) + terms)


def surfaces_in_front(surfaces: tuple[RefractiveSurface, ...] | None) -> tuple[RefractiveSurface, ...]:
    """Those in front of the metasurface: all of them where it is not marked.

    Args:
        surfaces: in the order of the light.
    """
    return tuple(surfaces or ())[: _place_of_metasurface(surfaces)]


def surfaces_behind(surfaces: tuple[RefractiveSurface, ...] | None) -> tuple[RefractiveSurface, ...]:
    """The metasurface and those behind it; empty where it is not marked.

    Args:
        surfaces: in the order of the light.
    """
    return tuple(surfaces or ())[_place_of_metasurface(surfaces) :]


def _place_of_metasurface(surfaces: tuple[RefractiveSurface, ...] | None) -> int:
    marks = [bool(each.metasurface) for each in surfaces or ()]
    return marks.index(True) if True in marks else len(marks)


def check_surfaces(surfaces: tuple[RefractiveSurface, ...], room_um: float) -> None:
    """Check that curved surfaces refract, and that none overlaps the next one or the plane behind the last one.

    Args:
        surfaces: in the order of the light.
        room_um: from the metasurface to the sensor or its cover glass, in µm.

    Raises:
        ValueError: the medium is the same on both sides of a curved surface, two surfaces overlap inside their clear
            diameters, surfaces behind the metasurface reach the sensor, or lengths are missing; the message names them.
    """
    front, behind = surfaces_in_front(surfaces), surfaces_behind(surfaces)
    _check_media(front, 1)
    _check_room(front, 1, "the plane of the stop or lens")
    if not behind:
        return
    if any(each.metasurface for each in behind[1:]):
        raise ValueError("surfaces has two that are marked as the metasurface; mark one")
    if len(behind) == 1:
        raise ValueError(
            "surfaces ends with the metasurface, behind which nothing refracts; give the surfaces behind it, or leave "
            "its mark out"
        )
    if behind[-1].thickness_um is not None or behind[-1].medium != AIR:
        raise ValueError(
            f"surface {len(surfaces)} of surfaces is the last one, with air behind it to the sensor, whose place "
            "focal_length_um tells; leave out its thickness_um, index, sellmeier_b and material"
        )
    _check_media(behind, len(front) + 1)
    room = room_um - sum(each.thickness_um or 0.0 for each in behind)
    if room <= 0:
        raise ValueError(
            f"surface {len(surfaces)} of surfaces lies {-room:z.4g} µm behind the sensor or its cover glass; use a "
            "larger focal_length_um or a smaller thickness_um"
        )
    _check_room(
        (*behind[:-1], behind[-1].model_copy(update={"thickness_um": room})),
        len(front) + 1,
        "the sensor or cover glass",
    )


def _check_room(surfaces: tuple[RefractiveSurface, ...], first: int, end: str) -> None:
    """Refuse surfaces that overlap, the first one of such a number, or reach what lies behind the last one."""
    for number, surface in enumerate(surfaces):
        following = surfaces[number + 1] if number + 1 < len(surfaces) else None
        if surface.thickness_um is None:
            raise ValueError(
                f"surface {first + number} of surfaces has no thickness_um; give the distance to what lies behind it"
            )
        openings = (surface.clear_diameter_um, None if following is None else following.clear_diameter_um)
        clear = min(each for each in openings if each is not None)
        height = np.linspace(0, 0.5 * clear, SAMPLES)
        behind = 0.0 if following is None else following.sag_um(height)
        gap = surface.thickness_um + behind - surface.sag_um(height)
        if gap.min() < -1e-9 * clear:
            what = end if following is None else f"surface {first + number + 1}"
            raise ValueError(
                f"surface {first + number} of surfaces reaches {-gap.min():.4g} µm into {what}, "
                f"{height[gap.argmin()]:.4g} µm from the axis; use a larger thickness_um, a smaller clear_diameter_um "
                "or another order"
            )


def _check_media(surfaces: tuple[RefractiveSurface, ...], first: int) -> None:
    """Refuse a curved surface that does not refract: its index was forgotten."""
    before: tuple[object, ...] = AIR
    for number, surface in enumerate(surfaces, start=first):
        curved = surface.radius_of_curvature_um is not None or surface.coefficients_um is not None
        if curved and surface.medium == before:
            raise ValueError(
                f"surface {number} of surfaces is curved, with {'air' if before == AIR else 'the same medium'} on both "
                "sides, and refracts nothing; give the index, sellmeier_b or material behind it, or leave it out"
            )
        before = surface.medium


def refuse_surfaces(what: str, surfaces: tuple[RefractiveSurface, ...] | None) -> None:
    """Refuse a lens with refractive surfaces where they are not taken into account.

    Args:
        what: begins the sentence, such as ``"tolerance"``.
        surfaces: of the lens.

    Raises:
        InputError: there are some.
    """
    if surfaces is not None:
        raise InputError(
            f"{what}: lens.surfaces: refractive surfaces are not taken into account here; leave "
            "them out, or simulate the camera with metalens psf."
        )
