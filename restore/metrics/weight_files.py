"""Third-party weight files: read as tensors, never unpickled."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from metalens.formats.files.errors import InputError


def read_weights(path: Path, advice: str = "remove it and fetch it again") -> dict[str, Tensor]:
    """Read the tensors of a file written by torch.

    Args:
        path: the weight file.
        advice: what the error tells the user to do.

    Returns:
        Name → tensor, on the CPU.

    Raises:
        InputError: the file is missing, damaged or holds something else.
    """
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {str(key): tensor for key, tensor in tensors.items()}
    except Exception as error:  # torch and pickle raise many kinds for a damaged file
        raise InputError(f"{path}: not a readable weight file ({type(error).__name__}); {advice}.") from error
