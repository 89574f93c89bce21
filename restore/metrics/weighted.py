"""Metrics with trained weights: computed where the weights are on this machine, otherwise named with the reason.

Nothing is downloaded. Weight files are read as tensors, except CLIP's, which is a TorchScript archive that its loader
checks against the published SHA-256.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import torch
import torch.hub

from metalens.formats.files.errors import InputError
from metalens.restore.conditioning.quality import MUSIQ_WEIGHTS, cached_musiq_weights, load_musiq
from metalens.restore.metrics.lpips import HEADS, LPIPS, NETWORK, find_lpips
from metalens.restore.metrics.metric import Compare
from metalens.restore.metrics.unweighted import comparing, of_pyiqa, without_pyiqa

DISTS_WEIGHTS = "DISTS_weights-f5e65c96.pth"
NIQE_MODEL = "niqe_modelparameters.mat"
MANIQA_WEIGHTS = "ckpt_koniq10k.pt"
CLIP_WEIGHTS = "RN50.pt"


def _hub(folder: str) -> Path:
    return Path(torch.hub.get_dir()) / folder


def _missing(*paths: Path) -> str | None:
    lacking = [path for path in paths if not path.is_file()]
    return f"its weights are not on this machine: put {lacking[0].name} into {lacking[0].parent}" if lacking else None


def lpips_missing() -> str | None:
    """Why LPIPS cannot be computed, if it cannot."""
    if find_lpips() is not None:
        return None
    places = _hub("checkpoints"), _hub("pyiqa")
    return f"its weights are not on this machine: put {NETWORK} into {places[0]} and {HEADS} into {places[1]}"


def load_lpips(device: str) -> Compare:
    """LPIPS with VGG-16 (Zhang et al. 2018)."""
    return comparing(LPIPS(), device)


def dists_missing() -> str | None:
    """Why DISTS cannot be computed, if it cannot."""
    return without_pyiqa() or _missing(_hub("checkpoints") / NETWORK, _hub("pyiqa") / DISTS_WEIGHTS)


def load_dists(device: str) -> Compare:
    """DISTS (Ding et al. 2020)."""
    network = of_pyiqa("dists_arch", "DISTS", pretrained=False)
    _fill(network, _hub("pyiqa") / DISTS_WEIGHTS, needed=("alpha", "beta"))
    return comparing(network, device)


def niqe_missing() -> str | None:
    """Why NIQE cannot be computed, if it cannot."""
    return without_pyiqa() or _missing(_hub("pyiqa") / NIQE_MODEL)


def load_niqe(device: str) -> Compare:
    """NIQE (Mittal et al. 2013); looks at the picture alone."""
    path = str(_hub("pyiqa") / NIQE_MODEL)
    network = of_pyiqa("niqe_arch", "NIQE", test_y_channel=True, pretrained_model_path=path)
    return comparing(network, device, reference=False)


def maniqa_missing() -> str | None:
    """Why MANIQA cannot be computed, if it cannot."""
    return without_pyiqa() or _missing(_hub("pyiqa") / MANIQA_WEIGHTS)


def load_maniqa(device: str) -> Compare:
    """MANIQA trained on KonIQ-10k (Yang et al. 2022); looks at the picture alone."""
    import timm

    create = timm.create_model
    # Its constructor would download the weights of its backbone, which the file holds as well.
    with patch.object(timm, "create_model", lambda name, **settings: create(name, **settings | {"pretrained": False})):
        network = of_pyiqa("maniqa_arch", "MANIQA", pretrained=False, train_dataset="koniq", scale=0.8)
    _fill(network, _hub("pyiqa") / MANIQA_WEIGHTS, needed=tuple(network.state_dict()))
    return comparing(network, device, reference=False)


def musiq_missing() -> str | None:
    """Why MUSIQ cannot be computed, if it cannot."""
    found = cached_musiq_weights()
    return without_pyiqa() or (_missing(_hub("pyiqa") / MUSIQ_WEIGHTS) if found is None else None)


def load_musiq_metric(device: str) -> Compare:
    """MUSIQ trained on KonIQ-10k (Ke et al. 2021); looks at the picture alone."""
    return comparing(load_musiq(), device, reference=False)


def clip_iqa_missing() -> str | None:
    """Why CLIP-IQA cannot be computed, if it cannot."""
    if importlib.util.find_spec("pkg_resources") is None:
        return "it needs pkg_resources, which setuptools has dropped in version 81"
    return without_pyiqa() or _missing(Path.home() / ".cache" / "clip" / CLIP_WEIGHTS)


def load_clip_iqa(device: str) -> Compare:
    """CLIP-IQA (Wang et al. 2023); looks at the picture alone."""
    return comparing(of_pyiqa("clipiqa_arch", "CLIPIQA"), device, reference=False)


def _fill(network: torch.nn.Module, path: Path, *, needed: Sequence[str]) -> None:
    """Read a weight file as tensors into a network.

    Raises:
        InputError: it is damaged or lacks something.
    """
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
        network.load_state_dict(tensors, strict=False)
        lacking = sorted(set(needed) - set(tensors))
    except Exception as error:  # torch and pickle raise many kinds for a damaged file
        raise InputError(
            f"{path}: not a readable weight file ({type(error).__name__}); remove it and fetch it again."
        ) from error
    if lacking:
        raise InputError(f"{path}: lacks {lacking[0]}; remove it and fetch it again.")
