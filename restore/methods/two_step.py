"""Blind correction in two steps (Eboli, Morel & Facciolo, ECCV 2022): no bank, no prior.

1. The blur of each patch and each colour is estimated from the capture as a Gaussian and undone by a polynomial of it
   (:mod:`metalens.restore.methods.gaussian_blur`).
2. A small convolutional network removes the remaining colour fringes: from (red, green) it predicts red, from (blue,
green) it predicts blue; green is unchanged.

Differences from the publication: c and b of the estimate are calibrated on the clean training pictures. α and β of the
polynomial are chosen on training pairs among the values of published code. Patches have 128 pixels, overlap by half and
are blended by squared cosines (published: 400 pixels, for sensors of many megapixels). The network is trained on the
camera's own pairs with the absolute errors of red and blue (published: on simulated fringes of other lenses, since
there are no pairs).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from metalens.restore.conditioning.degradation_map import Region
from metalens.restore.methods.gaussian_blur import EdgeModel, calibrate, covariance_of, sharpened
from metalens.restore.methods.learning import Crops, Learner, fit_learner, full_precision
from metalens.restore.methods.method import Description, Fitted, Method, Training
from metalens.restore.methods.nafnet import silent
from metalens.restore.methods.tuning import tuning_pairs
from metalens.restore.metrics.picture_tensors import as_tensor

PATCH = 128
POLYNOMIALS = ((2.0, 3.0), (2.0, 4.0), (6.0, 1.0))
"""Candidates of (α, β)."""


class FringeNetwork(nn.Module):
    """The second step: one network corrects red and blue, each with green as its guide."""

    def __init__(self, width: int = 64, layers: int = 6) -> None:
        super().__init__()
        steps: list[nn.Module] = [nn.Conv2d(2, width, 3, padding=1), nn.ReLU()]
        for _ in range(layers - 2):
            steps += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*steps, silent(nn.Conv2d(width, 1, 3, padding=1)))

    def forward(self, pictures: Tensor) -> Tensor:
        """``[batch, 3, y, x]`` → the same, red and blue corrected."""
        green = pictures[:, 1:2]
        sides = [pictures[:, channel : channel + 1] for channel in (0, 2)]
        red, blue = (side + self.layers(torch.cat([side, green], dim=1)).float() for side in sides)
        return torch.cat([red, green, blue], dim=1)


class TwoStepLearner(Learner):
    """Both steps; the second is trained.

    Args:
        model: calibrated estimate of Gaussian blur.
        polynomial: α and β of the inverse.
    """

    multiple = 1
    learning_rate = 1e-3

    def __init__(self, model: EdgeModel, polynomial: tuple[float, float]) -> None:
        super().__init__()
        self.model = model
        self.polynomial = polynomial
        self.network = FringeNetwork()

    def losses(self, crops: Crops, random: torch.Generator) -> dict[str, Tensor]:
        """Mean absolute error of red and blue after the first step. See :class:`Learner`."""
        del random
        with torch.no_grad(), full_precision(crops.captured):
            first = without_blur(crops.captured, self.model, self.polynomial)
        return {"loss": (self.network(first) - crops.clean)[:, ::2].abs().mean()}

    def restored(self, captured: Tensor, region: Region, variant: str) -> Tensor:
        """Both steps on the whole capture. See :class:`Learner`."""
        del region, variant
        restored: Tensor = self.network(without_blur(captured, self.model, self.polynomial))
        return restored


def without_blur(pictures: Tensor, model: EdgeModel, polynomial: tuple[float, float]) -> Tensor:
    """The first step: estimate and undo a Gaussian blur in each patch and colour.

    Args:
        pictures: ``[batch, 3, y, x]`` in 0..1.
        model: calibrated estimate of Gaussian blur.
        polynomial: α and β of the inverse, see :mod:`metalens.restore.methods.gaussian_blur`.

    Returns:
        Pictures of the same shape, clipped to 0..1.
    """
    height, width = pictures.shape[-2:]
    total, weight = torch.zeros_like(pictures), torch.zeros_like(pictures)
    for rows in patches(height):
        for columns in patches(width):
            part = pictures[..., rows, columns]
            flat = part.flatten(0, 1)
            sharp = sharpened(flat, covariance_of(flat, model), *polynomial).reshape(part.shape)
            window = torch.outer(_window(part.shape[-2]), _window(part.shape[-1])).to(part)
            total[..., rows, columns] += window * sharp
            weight[..., rows, columns] += window
    return (total / weight).clamp(0, 1)


def patches(side: int) -> Iterator[slice]:
    """Patches of at most :data:`PATCH` pixels along a side, overlapping by half or more."""
    if side <= PATCH:
        yield slice(0, side)
        return
    count = 1 + -(-(side - PATCH) // (PATCH // 2))
    for number in range(count):
        start = round((side - PATCH) * number / (count - 1))
        yield slice(start, start + PATCH)


def _window(side: int) -> Tensor:
    """Squared cosine; the small offset keeps it above 0, since the blended result is divided by it."""
    return (torch.pi * ((torch.arange(side) + 0.5) / side - 0.5)).cos().square() + 1e-3


def _fit(training: Training) -> Fitted:
    pairs = [(_middle(clean), _middle(capture.picture)) for clean, capture in tuning_pairs(training.pairs)]
    model = calibrate(torch.cat([clean for clean, _ in pairs]))

    def error(polynomial: tuple[float, float]) -> float:
        found = ((clean, without_blur(captured[None], model, polynomial)[0]) for clean, captured in pairs)
        return sum(float((corrected - clean).square().mean()) for clean, corrected in found)

    polynomial = min(POLYNOMIALS, key=error)
    fitted = fit_learner(training, lambda device: TwoStepLearner(model, polynomial))
    fitted.chosen.update({"alpha": polynomial[0], "beta": polynomial[1], "c": model.slope, "b": model.offset})
    return fitted


def _middle(picture: np.ndarray) -> Tensor:
    """Central part of a picture, at most two patches on a side, ``[3, y, x]``."""
    tops = [max(0, (side - 2 * PATCH) // 2) for side in picture.shape[:2]]
    return as_tensor(picture[tops[0] : tops[0] + 2 * PATCH, tops[1] : tops[1] + 2 * PATCH])


METHOD = Method(
    Description(
        title="two-step, blind",
        reference="Eboli et al. 2022",
        knows="nothing",
        differs="estimate calibrated and network trained on the camera's own pairs",
    ),
    _fit,
)
