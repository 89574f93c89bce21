"""FWHM maps of all cameras in a training, for SVDA."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.manifest import PairsCamera
from metalens.formats.pairs.reader import Pairs
from metalens.formats.psf.bank import PsfBank
from metalens.restore.conditioning.degradation_map import fwhm_map


@dataclass(frozen=True)
class LensMap:
    """Name of a camera and its FWHM map ``[3, n, n]`` in 0..1."""

    name: str
    fwhm_map: np.ndarray


class LensMaps:
    """FWHM maps by the hash of their camera.

    Args:
        banks: point spread functions of the cameras; read one at a time, and only the maps are kept.

    Raises:
        InputError: a bank's nodes are no grid.
    """

    def __init__(self, banks: Iterable[PsfBank]) -> None:
        self._known: dict[str, LensMap] = {}
        for bank in banks:
            self._known[bank.camera.hash] = LensMap(bank.camera.name, fwhm_map(bank))

    def of(self, pairs: Pairs) -> list[LensMap]:
        """The map of each camera of a set of pairs, in the manifest's order.

        A camera drawn from an ensemble without a bank of its own gets the map of the nominal design.

        Raises:
            InputError: the bank of a camera was not given.
        """
        return [self._one(pairs, camera) for camera in pairs.manifest.cameras]

    def of_bank(self, bank: PsfBank) -> np.ndarray:
        """The map of one of the given banks."""
        return self._known[bank.camera.hash].fwhm_map

    def is_its_own(self, camera: PairsCamera) -> bool:
        """Whether a camera has its own map, not that of the nominal design."""
        return camera.lens_hash in self._known

    def _one(self, pairs: Pairs, camera: PairsCamera) -> LensMap:
        for wanted in (camera.lens_hash, camera.design_hash):
            if wanted in self._known:
                return self._known[wanted]
        known = ", ".join(f"{lens.name!r} ({each[:12]}…)" for each, lens in self._known.items())
        raise InputError(
            f"{pairs.folder}: made for camera {camera.name!r} ({camera.lens_hash[:12]}…), the psf bank is of {known}; "
            "give the bank that the pairs were made with (--psf and --psf-ensemble take several lenses)."
        )
