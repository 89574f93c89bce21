"""What SVDA and the linear estimates need of all cameras in a training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.manifest import PairsCamera
from metalens.formats.pairs.reader import Pairs
from metalens.formats.psf.bank import PsfBank
from metalens.restore.conditioning.degradation_map import CELLS, Conditioning, lens_channels, lens_map


@dataclass(frozen=True)
class LensMap:
    """Name of a camera, its lens map ``[3 or 9, n, n]`` in 0..1, and its functions if linear estimates need them."""

    name: str
    values: np.ndarray
    bank: PsfBank | None = None


def slim(bank: PsfBank) -> PsfBank:
    """The bank without its sub-pixels and its figures by wavelength, which no restorer reads."""
    return replace(bank, subpixel_intensity=None, simulated_position=None, by_wavelength=None)


class LensMaps:
    """Lens maps by the hash of their camera.

    Args:
        banks: point spread functions of the cameras; read one at a time, and only the maps are kept.
        conditioning: what the restorer is told; ``optics`` keeps the functions too.

    Raises:
        InputError: a bank's nodes are no grid.
    """

    def __init__(self, banks: Iterable[PsfBank], conditioning: Conditioning = "published") -> None:
        self._known: dict[str, LensMap] = {}
        for bank in banks:
            kept = slim(bank) if conditioning == "optics" else None
            self._known[bank.camera.hash] = LensMap(bank.camera.name, lens_map(bank, conditioning), kept)

    @classmethod
    def without_bank(cls, camera: Camera) -> LensMaps:
        """The map of a camera whose point spread functions nobody knows: 0 everywhere.

        Args:
            camera: the only one that is known then.
        """
        maps = cls(())
        maps._known[camera.hash] = LensMap(
            camera.name, np.zeros((lens_channels("published"), CELLS, CELLS), np.float32)
        )
        return maps

    def of(self, pairs: Pairs) -> list[LensMap]:
        """The map of each camera of a set of pairs, in the manifest's order.

        A camera drawn from an ensemble without a bank of its own gets the map of the nominal design.

        Raises:
            InputError: the bank of a camera was not given.
        """
        return [self._one(pairs, camera) for camera in pairs.manifest.cameras]

    def of_bank(self, bank: PsfBank) -> LensMap:
        """The map of one of the given banks."""
        return self.of_camera(bank.camera)

    def of_camera(self, camera: Camera) -> LensMap:
        """The map of the camera of one of the given banks."""
        return self._known[camera.hash]

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
