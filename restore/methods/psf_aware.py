"""A strong baseline in pixel space that knows the camera: NAFNet with the bank's FWHM and the field position.

NAFNet's blocks (Chen et al., ECCV 2022, arXiv 2204.04676) in a U-Net of 32 to 256 channels, 1-1-2 blocks down, 4 in the
middle, 1-1-1 up. Additional input channels, not part of the publication, hold for every pixel the FWHM of the bank in
red, green and blue (:func:`metalens.restore.conditioning.degradation_map.fwhm_map`, the same map that DMDiff's SVDA
takes), and the field position: y and x from −1 to 1 and the distance from the centre. The network predicts a residual,
which is added to the capture. The loss is the published negative PSNR up to a factor: the mean over the batch of the
logarithm of each crop's squared error. AdamW with a peak of 10⁻³, as published.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metalens.formats.psf.bank import PsfBank
from metalens.restore.conditioning.degradation_map import Region, fwhm_map, position_weights, sample_positions
from metalens.restore.methods.learning import Crops, Learner, fit_learner, full_precision
from metalens.restore.methods.method import Description, Method
from metalens.restore.methods.nafnet import NafNet

KNOWN = 6
"""Additional input channels: FWHM in three colours, y, x, distance from the centre."""


class PsfAwareLearner(Learner):
    """NAFNet on the capture, the bank's FWHM and the field position.

    Args:
        bank: point spread functions of the camera.
        crop: side of a training crop in pixels.
        width: channels of the finest level.
    """

    learning_rate = 1e-3
    fwhm: Tensor

    def __init__(self, bank: PsfBank, crop: int, width: int = 32) -> None:
        super().__init__()
        self.register_buffer("fwhm", torch.from_numpy(fwhm_map(bank)))
        self.network = NafNet(3 + KNOWN, 3, width=width, encoder=(1, 1, 2), middle=4, decoder=(1, 1, 1), window=crop)
        self.multiple = self.network.stride

    def losses(self, crops: Crops, random: torch.Generator) -> dict[str, Tensor]:
        """Mean logarithm of the squared error, which is the negative PSNR up to a factor. See :class:`Learner`."""
        del random
        error = (self._restored(crops.captured, crops.regions) - crops.clean).square().mean(dim=(1, 2, 3))
        return {"loss": (error + 1e-8).log().mean(), "l2": error.mean()}

    def restored(self, captured: Tensor, region: Region, variant: str) -> Tensor:
        """One forward pass on the whole capture. See :class:`Learner`."""
        del variant
        return self._restored(captured, [region])

    def _restored(self, captured: Tensor, regions: Sequence[Region]) -> Tensor:
        with full_precision(captured):
            known = torch.stack([known_at(self.fwhm, each, captured.shape[-2:]) for each in regions])
        return captured + self.network(torch.cat([captured, known.to(captured)], dim=1)).float()


def known_at(fwhm: Tensor, region: Region, pixels: tuple[int, ...]) -> Tensor:
    """Conditioning channels at each pixel of a region.

    Args:
        fwhm: ``[3, n, n]`` normalised FWHM map of the whole sensor, in 0..1.
        region: a part of the sensor.
        pixels: (rows, columns) of the region.

    Returns:
        ``[6, y, x]``: FWHM in 0..1, y and x in −1..1, distance from the centre in 0..√2.
    """
    y = region.top + region.height * sample_positions(pixels[0])
    x = region.left + region.width * sample_positions(pixels[1])
    cells = fwhm.shape[-1]
    along_y, along_x = position_weights(y, cells).to(fwhm), position_weights(x, cells).to(fwhm)
    widths = along_y @ fwhm @ along_x.T
    rows = torch.from_numpy(2 * y - 1).to(fwhm)[:, None].expand(pixels[0], pixels[1])
    columns = torch.from_numpy(2 * x - 1).to(fwhm)[None, :].expand(pixels[0], pixels[1])
    return torch.cat([widths, torch.stack([rows, columns, torch.hypot(rows, columns)])])


METHOD = Method(
    Description(
        title="NAFNet with PSF",
        reference="blocks of Chen et al. 2022, arXiv 2204.04676",
        knows="FWHM map, place",
        differs="a small NAFNet that is told the bank's widths and the place of each pixel",
    ),
    lambda training: fit_learner(training, lambda device: PsfAwareLearner(training.bank, training.crop)),
)
