"""SwinIR (Liang et al., ICCV Workshops 2021, arXiv 2108.10257), trained from scratch: no prior, no bank.

The architecture is that of the package spandrel (MIT), in two of the published sizes without upsampling:

- *small*: 60 features, 4 groups of 6 blocks, 6 heads; 0.9 M parameters
- *colour denoise*: 180 features, 6 groups of 6 blocks, 6 heads; 11.5 M parameters

both with windows of 8 pixels and an MLP of twice the width. The loss is the published Charbonnier loss, ε = 10⁻³.
Differences from the publication: random crops of the benchmark's size; AdamW with a cosine schedule and a peak of
5·10⁻⁴ (published: Adam at 2·10⁻⁴ over 1.6 million steps); no stochastic depth, which does not help short trainings; a
last layer that starts at zero, so that an untrained SwinIR returns the capture and a short training does not first have
to unlearn random output.
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
        features: feature channels of every layer, a multiple of ``heads``.
        depths: blocks in each group.
        heads: attention heads.
        one_by_one: gradient checkpointing crop by crop: the backward pass recomputes the activations of one crop at a
            time, so that memory holds those of a single crop.
    """

    multiple = WINDOW

    def __init__(self, features: int, depths: tuple[int, ...], heads: int, *, one_by_one: bool = False) -> None:
        super().__init__()
        self.one_by_one = one_by_one
        with warnings.catch_warnings():
            # SwinIR calls torch.meshgrid without `indexing`, which torch warns about.
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
        """Charbonnier loss, √(difference² + 10⁻⁶). See :class:`Learner`."""
        del random
        if self.one_by_one:
            parts = [checkpoint(self.network, one, use_reentrant=False) for one in crops.captured.split(1)]
            restored = torch.cat(parts)
        else:
            restored = self.network(crops.captured)
        difference = restored.float() - crops.clean
        return {"loss": (difference.square() + 1e-6).sqrt().mean()}

    def restored(self, captured: Tensor, region: Region, variant: str) -> Tensor:
        """One forward pass on the whole capture. See :class:`Learner`."""
        del region, variant
        restored: Tensor = self.network(captured)
        return restored


def _method(title: str, features: int, depths: tuple[int, ...], heads: int) -> Method:
    def learner(device: torch.device) -> Learner:
        # In the larger size the activations of four crops of 96 pixels take 18 GB.
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
