"""Photographs of a dataset on the hub, with their licences; each file is pulled when it is first read."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from metalens.formats.hub.address import hub_address
from metalens.formats.hub.content import TERMS
from metalens.formats.hub.kept import begin_streaming, listing_of, streamed
from metalens.formats.hub.licences import Terms, read_terms
from metalens.synth.photographs import Photograph


def hub_photographs(source: str | os.PathLike[str]) -> list[Photograph]:
    """List the photographs of a dataset; only the tables of their licences are pulled.

    Args:
        source: ``hf:user/name[@revision]``, a dataset of picture files in folders.

    Returns:
        The photographs, sorted by their names in the dataset; the path of each is in the cache folder, where
        :func:`metalens.formats.hub.kept.streamed` puts the file. Where no table states a licence, it is the dataset's.

    Raises:
        InputError: there is no such dataset, or it holds no picture files.
    """
    address = hub_address(source)
    listing = listing_of(address, "photographs")
    folder = begin_streaming(listing)
    terms: dict[PurePosixPath, Terms] = {}
    for name in listing.files:
        if PurePosixPath(name).name in TERMS:
            found = read_terms(streamed(folder / name))
            terms |= {PurePosixPath(name).parent / file: each for file, each in found.items()}
    photographs = []
    for name in listing.files:
        place = PurePosixPath(name)
        if place.name not in TERMS:
            licence, credit = terms.get(place, Terms())
            credit = credit or f"{address.repository} on the model hub"
            photographs.append(Photograph(_name(place), folder / Path(name), licence or listing.licence, credit))
    return photographs


def _name(place: PurePosixPath) -> str:
    """Identity of a photograph: its path without ending, for datasets number their files anew in each folder."""
    return str(place.with_suffix("")).replace("/", "-")
