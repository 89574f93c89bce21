"""How perceptual distances rank known distortions of equal PSNR, and whether their networks look trained.

    python benchmarks/perceptual_distances.py PHOTOGRAPHS [--side 192] [--pictures 12] [--levels 35,32,29,26]

PHOTOGRAPHS is a folder of PNG files. The middle of each picture is distorted in seven ways, each as strongly as gives a
wanted PSNR. Prints two tables in Markdown.

The first has, for each distance, its mean at the last level divided by the mean of blur, white noise, grain and JPEG;
the same for a shift by one pixel; the share of pictures and distortions in which it grows with every level; the rank
correlation of the seven distortions, at equal picture and PSNR, with FSIM (Zhang et al. 2011, 10.1109/TIP.2011.2109730)
and VSI (Zhang et al. 2014, 10.1109/TIP.2014.2346028), two measures without a network that follow people's opinions.

The second has statistics of the first convolution of each network, beside those of the values at which PyTorch starts.
"""

from __future__ import annotations

import argparse
import io
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from scipy import ndimage
from scipy.optimize import bisect
from scipy.stats import spearmanr

from metalens.formats.pictures.pictures import read_picture
from metalens.restore.machine import machine_name
from metalens.restore.metrics.efficientnet_distance import EfficientNetDistance
from metalens.restore.metrics.feature_distance import FeatureDistance
from metalens.restore.metrics.lpips import LPIPS, find_lpips
from metalens.restore.metrics.measures import psnr
from metalens.restore.metrics.picture_tensors import as_tensor
from metalens.restore.metrics.shift_tolerant_lpips import ShiftTolerantLPIPS

COMMON = ("blur", "white noise", "grain", "JPEG")
"""Distortions to whose mean the distances are set in relation."""


def blur(clean: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter(clean, (sigma, sigma, 0), mode="nearest")


def white_noise(clean: np.ndarray, deviation: float) -> np.ndarray:
    return clean + deviation * np.random.default_rng(0).standard_normal(clean.shape)


def grain(clean: np.ndarray, deviation: float) -> np.ndarray:
    """Grey noise of the size of small details: σ = 1 pixel."""
    noise = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal(clean.shape[:2]), 1)
    return clean + deviation * (noise / noise.std())[..., None]


def jpeg(clean: np.ndarray, coarseness: float) -> np.ndarray:
    """JPEG whose quantisation tables are those of quality 50 times the coarseness."""
    picture, file = Image.fromarray(rounded(clean)), io.BytesIO()
    picture.save(file, "JPEG", quality=50)
    tables = JpegImageFile(io.BytesIO(file.getvalue())).quantization
    scaled = [np.clip(np.round(np.array(tables[key]) * coarseness), 1, 255).astype(int).tolist() for key in (0, 1)]
    file = io.BytesIO()
    picture.save(file, "JPEG", qtables=scaled, subsampling=0)
    return np.asarray(Image.open(io.BytesIO(file.getvalue()))) / 255


def colour_fringe(clean: np.ndarray, pixels: float) -> np.ndarray:
    """Red and blue shifted against green, in opposite directions."""
    move = partial(ndimage.shift, order=3, mode="nearest")
    return np.stack([move(clean[..., 0], (0, pixels)), clean[..., 1], move(clean[..., 2], (0, -pixels))], axis=-1)


def low_contrast(clean: np.ndarray, share: float) -> np.ndarray:
    return clean + share * (clean.mean() - clean)


def halos(clean: np.ndarray, gain: float) -> np.ndarray:
    """Unsharp masking with σ = 1.5 pixels."""
    return clean + gain * (clean - blur(clean, 1.5))


DISTORTIONS: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], float, float]] = {
    "blur": (blur, 0.05, 60),
    "white noise": (white_noise, 1e-3, 3),
    "grain": (grain, 1e-3, 3),
    "JPEG": (jpeg, 0.01, 100),
    "colour fringe": (colour_fringe, 0.02, 60),
    "low contrast": (low_contrast, 1e-3, 1),
    "halos": (halos, 1e-2, 200),
}
"""Name → the distortion, and its weakest and strongest setting."""


def rounded(picture: np.ndarray) -> np.ndarray:
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def distorted(clean: np.ndarray, name: str, level: float) -> np.ndarray:
    """A distortion of that PSNR, as nearly as its settings allow."""
    distort, weakest, strongest = DISTORTIONS[name]

    def excess(logarithm: float) -> float:
        return psnr(rounded(clean), rounded(distort(clean, np.exp(logarithm)))) - level

    low, high = np.log(weakest), np.log(strongest)
    return rounded(distort(clean, strongest if excess(high) > 0 else np.exp(bisect(excess, low, high, xtol=1e-3))))


def middles(folder: Path, side: int, count: int) -> list[np.ndarray]:
    """The middles of ``count`` photographs, evenly spread: ``[side, side + 1, 3]`` in 0..1."""
    paths = sorted(folder.glob("*.png"))
    found = []
    for path in paths[:: max(1, len(paths) // count)]:
        picture = read_picture(path)
        top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
        found.append(picture[top : top + side, left : left + side + 1] / 255)
    return found


def measures() -> dict[str, Callable[[np.ndarray, np.ndarray], float]]:
    """Name → distance of a picture from the clean one; the two measures of agreement come first, with a minus."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyiqa.archs.fsim_arch import FSIM
        from pyiqa.archs.vsi_arch import VSI
    found: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {}
    for name, network in {"FSIM": FSIM(chromatic=True), "VSI": VSI(), **networks()}.items():
        sign = 1 if isinstance(network, FeatureDistance) else -1

        def measure(
            clean: np.ndarray, picture: np.ndarray, network: torch.nn.Module = network, sign: int = sign
        ) -> float:
            with torch.no_grad():
                return sign * float(network(as_tensor(picture)[None], as_tensor(clean)[None]))

        found[name] = measure
    return found


def networks() -> dict[str, FeatureDistance]:
    found: dict[str, FeatureDistance] = {
        "ST-LPIPS, AlexNet": ShiftTolerantLPIPS("alex"),
        "ST-LPIPS, VGG": ShiftTolerantLPIPS("vgg"),
        "EfficientNet-Lite0": EfficientNetDistance(),
    }
    return found if find_lpips() is None else {**found, "LPIPS, VGG": LPIPS()}


def rankings(clean_pictures: list[np.ndarray], levels: list[float]) -> None:
    distances = measures()
    found = {name: np.zeros((len(clean_pictures), len(levels), len(DISTORTIONS))) for name in distances}
    shifts = {name: np.zeros(len(clean_pictures)) for name in distances}
    for number, wide in enumerate(clean_pictures):
        clean = rounded(wide[:, :-1])
        for at, level in enumerate(levels):
            for kind, distortion in enumerate(DISTORTIONS):
                picture = distorted(wide[:, :-1], distortion, level)
                for name, measure in distances.items():
                    found[name][number, at, kind] = measure(clean, picture) - measure(clean, clean)
        for name, measure in distances.items():
            shifts[name][number] = measure(clean, rounded(wide[:, 1:])) - measure(clean, clean)
    common = [list(DISTORTIONS).index(name) for name in COMMON]
    print("| |", " | ".join((*DISTORTIONS, "shift", "grows", "with FSIM", "with VSI")), "|")
    print("| --- |" + " ---: |" * (len(DISTORTIONS) + 4))
    for name, values in found.items():
        unit = values[:, -1, common].mean()
        grows = (np.diff(values, axis=1) > 0).all(axis=1).mean()
        agree = [
            np.mean(
                [spearmanr(values[place], found[other][place]).statistic for place in np.ndindex(*values.shape[:2])]
            )
            for other in ("FSIM", "VSI")
        ]
        cells = [f"{value / unit:.2f}" for value in (*values[:, -1].mean(axis=0), shifts[name].mean())]
        print(f"| {name} |", " | ".join((*cells, f"{grows:.2f}", *(f"{value:.2f}" for value in agree))), "|")


def first_layers() -> None:
    torch.manual_seed(0)
    random_vgg = torch.nn.Conv2d(3, 64, 3)
    torch.nn.init.kaiming_normal_(random_vgg.weight, mode="fan_out", nonlinearity="relu")
    kernels = {
        "AlexNet, initial values": torch.nn.Conv2d(3, 64, 11).weight,
        "ST-LPIPS, AlexNet": ShiftTolerantLPIPS("alex").get_parameter("kernel_0"),
        "VGG, initial values": random_vgg.weight,
        "ST-LPIPS, VGG": ShiftTolerantLPIPS("vgg").get_parameter("kernel_0"),
        "EfficientNet-Lite0": EfficientNetDistance().get_parameter("kernel_stem"),
    }
    print("| first convolution | σ · √(inputs) | kurtosis | spread of the filters' norms | neighbours' correlation |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, kernel in kernels.items():
        values = kernel.detach().double()
        norms = values.flatten(1).norm(dim=1)
        unit = values / values.std(dim=(1, 2, 3), keepdim=True)
        cells = (
            f"{float(values.std()) * values[0].numel() ** 0.5:.3f}",
            f"{float((values - values.mean()).pow(4).mean() / values.var().square()):.2f}",
            f"{float(norms.std() / norms.mean()):.3f}",
            f"{float((unit[..., 1:] * unit[..., :-1]).mean()):.3f}",
        )
        print(f"| {name} |", " | ".join(cells), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument(
        "--levels", type=lambda text: [float(part) for part in text.split(",")], default=[35, 32, 29, 26]
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"Middles of {given.pictures} photographs, {given.side}², {machine_name(torch.device('cpu'))}\n")
    rankings(middles(given.photographs, given.side, given.pictures), given.levels)
    print()
    first_layers()


if __name__ == "__main__":
    main()
