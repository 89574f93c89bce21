"""Restore a frame by the graphs of ``metalens export onnx``, with onnxruntime and NumPy alone.

    python restore.py frame.npy restored.npy 0.75

``frame.npy`` holds ``[y, x, 3]`` floats in 0..1 as the camera encodes them, the whole frame. Hot and dead pixels are
not filled. Where Q is an input, ``map.npy`` holds the degradation map: the lens', with a middling quality everywhere;
its last channel is the quality, 0 (best) to 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def restored(folder: Path, picture: np.ndarray, alpha: float) -> np.ndarray:
    """Restore a frame.

    Args:
        folder: of the graphs.
        picture: ``[y, x, 3]`` in 0..1.
        alpha: 0 is faithful, 1 detailed.

    Returns:
        ``[y, x, 3]`` float32 in 0..1.
    """
    import onnxruntime

    about = json.loads((folder / "onnx.json").read_text(encoding="utf-8"))
    given = picture.astype(np.float32)
    if about["estimates"]:
        with np.load(folder / "estimates.npz") as arrays:
            given = np.concatenate([given, estimates(given, dict(arrays))], axis=-1)
    rows, columns = picture.shape[:2]
    below, right = (side - length for side, length in zip(about["padded"], (rows, columns), strict=True))
    padded = np.pad(given, ((0, below), (0, right), (0, 0)), mode="reflect").transpose(2, 0, 1)[None]
    maps = {"map": np.load(folder / "map.npy")} if about["map"] == "input" else {}

    def run(name: str, inputs: dict[str, np.ndarray]) -> list[Any]:
        session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        return list(session.run(None, {each.name: inputs[each.name] for each in session.get_inputs()}))

    (latents,) = run("encoder", {"picture": padded, **maps})
    positive, neutral = run("unet", {"latents": latents, **maps})
    (decoded,) = run("decoder", {"latents": np.float32(alpha) * positive + np.float32(1 - alpha) * neutral})
    return np.asarray(np.clip(decoded[0].transpose(1, 2, 0)[:rows, :columns], 0, 1))


def estimates(picture: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Linear restorations of a frame: the Wiener filter over all colours at two noise scales, in windows about nodes.

    Args:
        picture: ``[y, x, 3]`` in 0..1.
        arrays: of ``estimates.npz``.

    Returns:
        ``[y, x, 6]`` in 0..1.
    """
    gamma = float(arrays["gamma"])
    low = picture <= 0.04045
    light = picture**gamma if gamma else np.where(low, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)
    light = (light @ arrays["inverse_matrix"].T).transpose(2, 0, 1)
    size = arrays["row_source"].shape[1], arrays["column_source"].shape[1]
    total = np.zeros((len(arrays["noise"]), *light.shape))
    for row, column in np.ndindex(arrays["functions"].shape[:2]):
        window = _window(_window(light, arrays, "row", row, 1), arrays, "column", column, 2)
        spectrum = np.fft.rfft2(window)
        function = arrays["functions"][row, column]
        frame = np.zeros((3, *size))
        frame[:, : function.shape[1], : function.shape[2]] = function
        transfer = np.fft.rfft2(np.roll(frame, (-(function.shape[1] // 2), -(function.shape[2] // 2)), axis=(1, 2)))
        weight = arrays["row_weight"][row][:, None] * arrays["column_weight"][column]
        start = int(arrays["row_first"][row]), int(arrays["column_first"][column])
        inner, target = (
            tuple(slice(begin, begin + length) for begin, length in zip(begins, weight.shape, strict=True))
            for begins in ((int(arrays["row_margin"]), int(arrays["column_margin"])), start)
        )
        for scale, noise in enumerate(arrays["noise"]):
            filtered = np.fft.irfft2(_filter(transfer, arrays["precision"], noise, spectrum), s=size)
            total[scale][:, target[0], target[1]] += weight * filtered[:, inner[0], inner[1]]
    shown = np.clip(total.reshape(-1, *light.shape[1:]).transpose(1, 2, 0), 0, 1)
    return np.where(shown <= 0.0031308, 12.92 * shown, 1.055 * shown ** (1 / 2.4) - 0.055).astype(np.float32)


def _window(light: np.ndarray, arrays: dict[str, np.ndarray], name: str, node: int, axis: int) -> np.ndarray:
    """The window of a node along one axis: mirrored beyond the frame, and periodic by a fade."""
    here, around = (np.take(light, arrays[f"{name}_{each}"][node], axis) for each in ("source", "wrapped"))
    fade = arrays[f"{name}_fade"].reshape([-1 if each == axis else 1 for each in range(light.ndim)])
    return np.asarray(here + fade * (around - here))


def _filter(transfer: np.ndarray, precision: np.ndarray, noise: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
    """(P⁻¹ + Hᴴ N⁻¹ H)⁻¹ Hᴴ N⁻¹ y at each frequency."""
    weighted = transfer.conj() / noise[:, None, None]
    strength = (weighted * transfer).real.transpose(1, 2, 0)
    matrix = np.moveaxis(precision, (0, 1), (-2, -1)) + strength[..., None] * np.eye(3)
    return np.linalg.solve(matrix, (weighted * spectrum).transpose(1, 2, 0)[..., None])[..., 0].transpose(2, 0, 1)


def main() -> None:
    """Restore the frame that the command line names."""
    source, target, alpha = sys.argv[1:]
    np.save(target, restored(Path(__file__).parent, np.load(source), float(alpha)))


if __name__ == "__main__":
    main()
