"""What SVDA is told of the lenses that pairs were made with: an FWHM map for every camera of a training."""

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
    """A lens that is known: the camera's name, and its FWHM map ``[3, n, n]`` in 0..1."""

    name: str
    fwhm_map: np.ndarray


class LensMaps:
    """FWHM maps by the hash of their camera.

    Args:
        banks: point spread functions of the cameras; taken one at a time, and only their maps are kept.

    Raises:
        InputError: a bank's nodes are no grid.
    """

    def __init__(self, banks: Iterable[PsfBank]) -> None:
        self._known: dict[str, LensMap] = {}
        for bank in banks:
            self._known[bank.camera.hash] = LensMap(bank.camera.name, fwhm_map(bank))

    def of(self, pairs: Pairs) -> list[LensMap]:
        """The map of each camera of a set of pairs, in the manifest's order.

        A camera that was drawn as one of an ensemble, and whose own bank is not there, has the map of its design.

        Raises:
            InputError: a camera is none of those that are known.
        """
        return [self._one(pairs, camera) for camera in pairs.manifest.cameras]

    def of_bank(self, bank: PsfBank) -> np.ndarray:
        """The map of one of the banks that were given."""
        return self._known[bank.camera.hash].fwhm_map

    def is_its_own(self, camera: PairsCamera) -> bool:
        """Whether a camera has a map of itself, and not only of the design that it was drawn from."""
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
