"""Neural nano-optics' restorer (Tseng et al., Nature Communications 2021, 10.1038/s41467-021-26443-0), for a known
bank.

A feature extractor of three scales with 15, 30 and 60 channels (a 7 × 7 convolution, then 5 × 5 of stride 2), Wiener
deconvolution of the features of each scale with the point spread function resampled to it and a learned signal-to-noise
ratio, and a U-Net decoder of the three scales. The loss is L1 + 0.1 perceptual.

Differences from the publication: the features of each colour stay separate and are deconvolved by the function of that
colour. The function varies over the field: in training it is that of the crop's centre; in a whole picture the results
of all nodes are blended. The extractor's input is linear light; the output is added to the capture. The perceptual term
is LPIPS or its shift-tolerant form (published: VGG-19 features). The peak learning rate is 5·10⁻⁴ (published: 10⁻⁴).
The lens is fixed, not trained.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metalens.formats.camera.sensor import Sensor
from metalens.formats.pictures.encoding import inverse_colour_matrix
from metalens.formats.psf.bank import PsfBank
from metalens.restore.conditioning.degradation_map import Region
from metalens.restore.methods.feature_wiener import PsfField, deconvolve, middle_of, resized
from metalens.restore.methods.learning import Crops, Learner, fit_learner, full_precision
from metalens.restore.methods.method import Description, Method
from metalens.restore.methods.nafnet import silent
from metalens.restore.metrics.perceptual_loss import perceptual_network

CHANNELS = (15, 30, 60)
_NODES_AT_A_TIME = 7


class NanoOpticsLearner(Learner):
    """Extractor, deconvolution and decoder.

    Args:
        bank: point spread functions of the camera.
        device: device of the networks.
        channels: feature channels of each scale, multiples of 3.
        perceptual: weight of the perceptual term; 0 leaves it out.
    """

    multiple = 8
    aids = ("perceptual",)

    def __init__(
        self, bank: PsfBank, device: torch.device, channels: tuple[int, ...] = CHANNELS, perceptual: float = 0.1
    ) -> None:
        super().__init__()
        self.field = PsfField(bank, device)
        self.sensor = bank.camera.sensor
        self.weight = perceptual
        self.metric, network = perceptual_network("auto") if perceptual else (None, None)
        self.perceptual = network
        self.extract = nn.ModuleList(
            _extractor(before, after, first=scale == 0)
            for scale, (before, after) in enumerate(zip((3, *channels), channels, strict=False))
        )
        self.snr = nn.Parameter(torch.full((len(channels),), 2.0))
        self.decode = Decoder(channels)

    def losses(self, crops: Crops, random: torch.Generator) -> dict[str, Tensor]:
        """L1 + 0.1 perceptual. See :class:`Learner`."""
        del random
        pixels = crops.captured.shape[-2], crops.captured.shape[-1]
        with full_precision(crops.captured):
            functions = self.field.at(crops.regions, pixels)
            captured = self.field.registered(crops.captured, crops.regions)
        deconvolved = [
            self._deconvolve(features, functions, scale) for scale, features in enumerate(self._features(captured))
        ]
        restored = captured + self.decode(deconvolved).float()
        l1 = (restored - crops.clean).abs().mean()
        if self.perceptual is None:
            return {"loss": l1}
        distance = self.perceptual(restored.clamp(0, 1), crops.clean).mean()
        return {"loss": l1 + self.weight * distance, "l1": l1, "perceptual": distance}

    def restored(self, captured: Tensor, region: Region, variant: str) -> Tensor:
        """Deconvolve the features by the function of every node, then blend. See :class:`Learner`."""
        del variant
        captured = self.field.registered(captured, [region])
        rows, columns = self.field.hats(region, (captured.shape[-2], captured.shape[-1]))
        nodes = [(i, j) for i in range(len(rows)) for j in range(len(columns)) if rows[i].any() and columns[j].any()]
        blended = []
        for scale, features in enumerate(self._features(captured)):
            weights = [F.avg_pool1d(hats[:, None], 2**scale)[:, 0] for hats in (rows, columns)]
            total = torch.zeros_like(features, dtype=torch.float32)
            for first in range(0, len(nodes), _NODES_AT_A_TIME):
                some = nodes[first : first + _NODES_AT_A_TIME]
                functions = torch.stack([self.field.functions[node] for node in some])
                hats = torch.stack([torch.outer(weights[0][i], weights[1][j]) for i, j in some])
                total += (hats[:, None] * self._deconvolve(features, functions, scale)).sum(dim=0, keepdim=True)
            blended.append(total)
        restored: Tensor = captured + self.decode(blended)
        return restored

    def _features(self, captured: Tensor) -> list[Tensor]:
        """Features of each scale, ``[batch, channel, y / 2ˢ, x / 2ˢ]``."""
        current, found = linear_light(captured, self.sensor), []
        for extract in self.extract:
            current = extract(current)
            found.append(current)
        return found

    def _deconvolve(self, features: Tensor, functions: Tensor, scale: int) -> Tensor:
        factor = 2**scale
        middle = middle_of(functions.shape[-2], factor), middle_of(functions.shape[-1], factor)
        with full_precision(features):
            return deconvolve(features, resized(functions, factor), middle, 10 ** -self.snr[scale])


class Decoder(nn.Module):
    """A U-Net decoder of the deconvolved features of three scales, from the coarsest to the finest."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        wide = [4 * each for each in channels]
        self.enter = nn.ModuleList(_double(before, after) for before, after in zip(channels, wide, strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in pairwise(wide))
        self.join = nn.ModuleList(_double(2 * fine, fine) for fine in wide[:-1])
        self.exit = silent(nn.Conv2d(wide[0], 3, 3, padding=1))

    def forward(self, features: list[Tensor]) -> Tensor:
        """Features from fine to coarse → ``[batch, 3, y, x]``; 0 before training."""
        current = self.enter[-1](features[-1])
        for scale in reversed(range(len(self.up))):
            beside = self.enter[scale](features[scale])
            current = self.join[scale](torch.cat([self.up[scale](current), beside], dim=1))
        out: Tensor = self.exit(current)
        return out


def _extractor(before: int, after: int, *, first: bool) -> nn.Sequential:
    """Convolutions that keep the three colours apart."""
    entry = (
        nn.Conv2d(before, after, 7, padding=3, groups=3)
        if first
        else nn.Conv2d(before, after, 5, stride=2, padding=2, groups=3)
    )
    return nn.Sequential(entry, nn.LeakyReLU(0.2), nn.Conv2d(after, after, 3, padding=1, groups=3))


def _double(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(after, after, 3, padding=1),
        nn.LeakyReLU(0.2),
    )


def linear_light(pictures: Tensor, sensor: Sensor) -> Tensor:
    """Decode sRGB pictures to linear light; see :func:`metalens.formats.pictures.encoding.decode_picture`.

    Args:
        pictures: ``[batch, 3, y, x]`` encoded values in 0..1.
        sensor: gives the encoding: sRGB, or the gamma of its development.

    Returns:
        Linear light of the same shape, float32 in 0..1.
    """
    values = pictures.float().clamp(0, 1)
    gamma = None if sensor.development is None else sensor.development.gamma
    if gamma is None:
        light = torch.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    else:
        light = values**gamma
    inverse = inverse_colour_matrix(sensor)
    return light if inverse is None else torch.einsum("ij,bjyx->biyx", torch.from_numpy(inverse).to(light), light)


METHOD = Method(
    Description(
        title="neural nano-optics",
        reference="Tseng et al. 2021, 10.1038/s41467-021-26443-0",
        knows="the bank",
        differs="functions that vary over the field, features kept apart by colour, another perceptual term",
    ),
    lambda training: fit_learner(training, lambda device: NanoOpticsLearner(training.bank, device)),
)
