"""SwinIR (Liang et al., ICCV Workshops 2021, arXiv 2108.10257), trained from scratch: no prior, no bank.

The architecture is that of the package spandrel (MIT), in two of the published sizes without upsampling:

- *small*: 60 features, 4 groups of 6 blocks, 6 heads; 0.9 M parameters
- *colour denoise*: 180 features, 6 groups of 6 blocks, 6 heads; 11.5 M parameters

both with windows of 8 pixels and an MLP of twice the width. The loss is the published Charbonnier loss, ε = 10⁻³.
Otherwise than published: random crops of the benchmark's size, AdamW at a peak of 5·10⁻⁴ with a cosine (published: Adam
at 2·10⁻⁴ over 1.6 million steps), no stochastic depth, which short trainings have no use for, and a last layer that
begins at zero, so that an untrained SwinIR returns the capture and a short training does not go into forgetting noise.
"""

from __future__ import annotations

import warnings

import torch
from spandrel.architectures.SwinIR.__arch.SwinIR import SwinIR
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from metalens.restore.conditioning.degradation_map import Region
from metalens.restore.methods.learning import Crops, Learner, fit_learner
from metalens.restore.methods.method import Description, Method
from metalens.restore.methods.nafnet import silent

WINDOW = 8


class SwinIRLearner(Learner):
    """SwinIR with the Charbonnier loss.

    Args:
        features: of every layer, a multiple of the heads.
        depths: blocks of each group.
        heads: of attention.
        one_by_one: whether the backward pass computes the activations of one crop after the other again, so that those
            of a single one are held at a time.
    """

    multiple = WINDOW

    def __init__(self, features: int, depths: tuple[int, ...], heads: int, *, one_by_one: bool = False) -> None:
        super().__init__()
        self.one_by_one = one_by_one
        with warnings.catch_warnings():
            # It calls torch.meshgrid in a way that torch means to change.
            warnings.simplefilter("ignore", UserWarning)
            self.network = SwinIR(
                img_size=64,
                embed_dim=features,
                depths=list(depths),
                num_heads=[heads] * len(depths),
                window_size=WINDOW,
                mlp_ratio=2,
                drop_path_rate=0.0,
                upscale=1,
                upsampler="",
                resi_connection="1conv",
            )
        silent(self.network.conv_last)

    def losses(self, crops: Crops, random: torch.Generator) -> dict[str, Tensor]:
        """Charbonnier."""
        del random
        if self.one_by_one:
            parts = [checkpoint(self.network, one, use_reentrant=False) for one in crops.captured.split(1)]
            restored = torch.cat(parts)
        else:
            restored = self.network(crops.captured)
        difference = restored.float() - crops.clean
        return {"loss": (difference.square() + 1e-6).sqrt().mean()}

    def restored(self, captured: Tensor, region: Region, variant: str) -> Tensor:
        """A whole capture at once."""
        del region, variant
        restored: Tensor = self.network(captured)
        return restored


def _method(title: str, features: int, depths: tuple[int, ...], heads: int) -> Method:
    def learner(device: torch.device) -> Learner:
        # Four crops of 96 pixels keep 18 GB of activations in the larger size.
        return SwinIRLearner(features, depths, heads, one_by_one=features > 60 and device.type == "cpu")

    return Method(
        Description(
            title=title,
            reference="Liang et al. 2021, arXiv 2108.10257",
            knows="nothing",
            differs="trained from scratch on the pairs, AdamW, a cosine, no stochastic depth, begins as the capture",
        ),
        lambda training: fit_learner(training, learner),
    )


SMALL = _method("SwinIR, small", 60, (6,) * 4, 6)
COLOUR_DENOISE = _method("SwinIR", 180, (6,) * 6, 6)
