"""Metrics computed by networks: LPIPS, MUSIQ, and others of pyiqa with its default settings.

Nothing is downloaded. If a metric lacks something on this machine, its column in tables names it. Weight files are read
as tensors, except CLIP's: that is a TorchScript archive, which its loader checks against the published SHA-256. pyiqa's
licence is non-commercial (PolyForm Noncommercial and NTU S-Lab).
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.hub

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import is_installed, missing_package
from metalens.restore.conditioning.quality import MUSIQ_WEIGHTS, cached_musiq_weights, load_musiq
from metalens.restore.metrics.lpips import HEADS, LPIPS, NETWORK, find_lpips
from metalens.restore.metrics.metric import WHOLE, Compare
from metalens.restore.metrics.picture_tensors import as_tensor
from metalens.restore.metrics.weight_files import read_weights

Missing = Callable[[], str | None]


@dataclass(frozen=True)
class PyiqaNetwork:
    """A network of pyiqa, and the files that it requires.

    Attributes:
        module: module in ``pyiqa.archs``.
        kind: name of its class.
        settings: arguments of the class.
        files: required files, relative to torch's hub folder.
        needed: names of the tensors that the last file must hold; ``("*",)`` for all of the network's.
        reference: whether the network takes the clean picture as well.
    """

    module: str
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    reference: bool = True

    def missing(self) -> str | None:
        """The reason why it cannot be computed, or ``None``."""
        return _without_pyiqa() or _lacking(*map(_hub, self.files))

    def load(self, device: str) -> Compare:
        """Load the metric on a device.

        Raises:
            InputError: a weight file is damaged.
        """
        with warnings.catch_warnings(), _no_backbone() if self.kind == "MANIQA" else nullcontext():
            # pyiqa imports dozens of metrics at once, and their libraries raise deprecation warnings.
            warnings.simplefilter("ignore")
            network: torch.nn.Module = getattr(import_module(f"pyiqa.archs.{self.module}"), self.kind)(**self.settings)
        if self.needed:
            names = tuple(network.state_dict()) if self.needed == ("*",) else self.needed
            fill(network, _hub(self.files[-1]), needed=names)
        return comparing(network.eval().requires_grad_(False), device, reference=self.reference)


PYIQA = {
    "ms_ssim": PyiqaNetwork(
        "ssim_arch", "MS_SSIM", {"downsample": False, "test_y_channel": True, "is_prod": True}
    ),
    "fsim": PyiqaNetwork("fsim_arch", "FSIM", {"chromatic": True}),
    "vif": PyiqaNetwork("vif_arch", "VIF"),
    "gmsd": PyiqaNetwork("gmsd_arch", "GMSD", {"test_y_channel": True}),
    "dists": PyiqaNetwork(
        "dists_arch", "DISTS", {"pretrained": False},
        (f"checkpoints/{NETWORK}", "pyiqa/DISTS_weights-f5e65c96.pth"), needed=("alpha", "beta"),
    ),
    # Trained on KonIQ-10k.
    "maniqa": PyiqaNetwork(
        "maniqa_arch", "MANIQA", {"pretrained": False, "train_dataset": "koniq", "scale": 0.8},
        ("pyiqa/ckpt_koniq10k.pt",), needed=("*",), reference=False,
    ),
    "clip_iqa": PyiqaNetwork("clipiqa_arch", "CLIPIQA", reference=False),
}  # fmt: skip
"""With pyiqa's default configuration."""


def network_metric(name: str) -> tuple[Callable[[str], Compare], Missing]:
    """The loader of a metric, and the function that gives the reason if it cannot be computed here.

    Args:
        name: ``lpips``, ``musiq`` or one of :data:`PYIQA`.
    """
    if name == "lpips":
        return lambda device: comparing(LPIPS(), device), _lpips_missing
    if name == "musiq":
        return lambda device: comparing(load_musiq(), device, reference=False), _musiq_missing
    network = PYIQA[name]
    return network.load, partial(_clip_missing, network) if name == "clip_iqa" else network.missing


def comparing(network: torch.nn.Module, device: str, *, reference: bool = True) -> Compare:
    """Make a metric from a network.

    Args:
        network: maps pictures ``[1, 3, y, x]`` in 0..1 to a figure; with a reference, (picture, clean).
        device: device name of torch.
        reference: whether the network takes the clean picture as well.

    Returns:
        The function that computes the figures of pictures.
    """
    network.to(device)

    @torch.no_grad()
    def compare(clean: np.ndarray, pictures: Sequence[np.ndarray]) -> list[dict[str, float]]:
        found = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for picture in pictures:
                inputs = (picture, clean) if reference else (picture,)
                score = network(*(as_tensor(each)[None].to(device) for each in inputs))
                found.append({WHOLE: float(score.flatten()[0])})
        return found

    return compare


def fill(network: torch.nn.Module, path: Path, *, needed: Sequence[str]) -> None:
    """Load the tensors of a weight file into a network.

    Args:
        network: takes the tensors, by name.
        path: the weight file.
        needed: names that the file must hold.

    Raises:
        InputError: the file is damaged or lacks a tensor.
    """
    tensors = {name.removeprefix("module."): value for name, value in read_weights(path).items()}
    lacking = sorted(set(needed) - set(tensors))
    if lacking:
        raise InputError(f"{path}: lacks {lacking[0]}; remove it and fetch it again.")
    try:
        network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise InputError(f"{path}: its weights have other shapes; remove it and fetch it again.") from error


def _no_backbone() -> AbstractContextManager[Any]:
    """Prevent MANIQA's constructor from downloading its backbone: the weight file holds the backbone as well."""
    import timm

    create = timm.create_model
    return patch.object(timm, "create_model", lambda name, **given: create(name, **given | {"pretrained": False}))


def _hub(name: str) -> Path:
    return Path(torch.hub.get_dir()) / name


def _lacking(*paths: Path) -> str | None:
    found = [path for path in paths if not path.is_file()]
    return f"its weights are not on this machine: put {found[0].name} into {found[0].parent}" if found else None


def _without_pyiqa() -> str | None:
    return None if is_installed("pyiqa") else f"{missing_package('pyiqa')} (its licence is non-commercial)"


def _lpips_missing() -> str | None:
    if find_lpips() is not None:
        return None
    places = _hub("checkpoints"), _hub("pyiqa")
    return f"its weights are not on this machine: put {NETWORK} into {places[0]} and {HEADS} into {places[1]}"


def _musiq_missing() -> str | None:
    found = cached_musiq_weights()
    return _without_pyiqa() or (_lacking(_hub(f"pyiqa/{MUSIQ_WEIGHTS}")) if found is None else None)


def _clip_missing(network: PyiqaNetwork) -> str | None:
    if importlib.util.find_spec("pkg_resources") is None:
        return "it needs pkg_resources, which setuptools has dropped in version 81"
    return network.missing() or _lacking(Path.home() / ".cache" / "clip" / "RN50.pt")
