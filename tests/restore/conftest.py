"""A tiny prior, a camera with a small sensor, its bank, and pairs: enough to run every path of the restorer."""

from __future__ import annotations

import copy
import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.camera.sensor import Development
from metalens.formats.pairs.reader import (
    Pairs,
    PairSample,
    PairsCamera,
    PairsManifest,
    PairsSource,
    open_pairs_writer,
    read_pairs,
)
from metalens.formats.psf.bank import PsfBank
from metalens.psf.external_bank import grid_bank_of_functions
from metalens.restore.adapter.restorer import AdapterConfig, Restorer
from metalens.restore.pretraining.linear_initialisation import start_autoencoder, start_denoiser
from metalens.restore.pretraining.recipe import PretrainConfig, build_autoencoder, build_denoiser, build_scheduler
from metalens.restore.prior.prior import PATHS, Prior
from metalens.restore.prior.prior_folder import load_prior, save_prior
from metalens.restore.training.optimisation import Optimisation

PIXELS = (64, 80)
TINY = PretrainConfig(denoiser_channels=(32, 32), prompt_tokens=2, prompt_features=32, crop=32, denoiser_crop=32)


@pytest.fixture(scope="session")
def camera() -> Camera:
    preset = read_camera("metacamera")
    return preset.model_copy(update={"sensor": preset.sensor.model_copy(update={"pixels": PIXELS})})


@pytest.fixture(scope="session")
def prior_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prior whose weights are what training starts from, saved as `metalens pretrain` saves it."""
    torch.manual_seed(0)
    autoencoder, denoiser, scheduler = build_autoencoder(TINY), build_denoiser(TINY), build_scheduler()
    start_autoencoder(autoencoder)
    start_denoiser(denoiser, float(scheduler.alphas_cumprod[-1]))
    prompts = {path: torch.randn(TINY.prompt_tokens, TINY.prompt_features) for path in PATHS}
    prior = Prior("tiny", autoencoder, denoiser, scheduler.alphas_cumprod, "v_prediction", prompts)
    folder = tmp_path_factory.mktemp("prior") / "tiny"
    folder.mkdir()
    save_prior(prior, folder, scheduler)
    return folder


_read = functools.cache(load_prior)


def fresh_prior(folder: Path) -> Prior:
    """The prior of a folder, read once: a copy, for an adapter changes its networks."""
    return copy.deepcopy(_read(folder))


@pytest.fixture
def prior(prior_folder: Path) -> Prior:
    return fresh_prior(prior_folder)


@pytest.fixture(scope="session")
def make_restorer(prior_folder: Path, camera: Camera) -> Callable[..., Restorer]:
    def make(seed: int = 0, perturb: float = 0.0, **config: object) -> Restorer:
        torch.manual_seed(seed)
        fwhm_map = np.random.default_rng(0).random((3, 7, 7)).astype(np.float32)
        settings = AdapterConfig(**({"unet_rank": 4, "encoder_rank": 4} | config))  # type: ignore[arg-type]
        restorer = Restorer(fresh_prior(prior_folder), settings, camera, fwhm_map, "piqe")
        with torch.no_grad():
            for parameter in restorer.parameters().values() if perturb else ():
                parameter.add_(perturb * torch.randn(parameter.shape))
        return restorer

    return make


def textured(count: int, seed: int = 0, pixels: tuple[int, int] = PIXELS) -> np.ndarray:
    """Pictures ``[count, y, x, 3]`` uint8 with coloured edges and texture."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: pixels[0], : pixels[1]]
    pictures = []
    for _ in range(count):
        frequency = random.uniform(0.05, 0.5, (3, 2))
        phase = random.uniform(0, 6, 3)
        waves = [0.5 + 0.4 * np.sign(np.sin(f[0] * y + f[1] * x + p)) for f, p in zip(frequency, phase, strict=True)]
        pictures.append(np.stack(waves, axis=-1) + random.normal(0, 0.03, (*pixels, 3)))
    return (np.clip(pictures, 0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="session")
def textured_pictures() -> np.ndarray:
    """Eight of :func:`textured`."""
    return textured(8)


@pytest.fixture(scope="session")
def bank(camera: Camera) -> PsfBank:
    """Nine pixels of equal light everywhere, and widths that differ from node to node."""
    nodes = 3
    intensity = np.zeros((nodes, nodes, 3, 5, 5), dtype=np.float32)
    intensity[..., 1:4, 1:4] = 1 / 9
    bank = grid_bank_of_functions(camera, intensity, {"engine": "made up"})
    widths = np.linspace(2e-6, 2e-5, nodes * nodes * 3).reshape(nodes * nodes, 3)
    return replace(bank, by_channel=replace(bank.by_channel, full_width_half_maximum=widths))


@pytest.fixture(scope="session")
def own_colours(bank: PsfBank) -> PsfBank:
    """The bank of a camera that writes its pictures by a matrix and a power of its own."""
    matrix = ((1.3, -0.2, -0.1), (-0.1, 1.2, -0.1), (0.0, -0.3, 1.3))
    development = Development(colour_matrix=matrix, gamma=1.8)
    sensor = bank.camera.sensor.model_copy(update={"development": development})
    return replace(bank, camera=bank.camera.model_copy(update={"sensor": sensor}))


def step_on(optimisation: Optimisation, loss: torch.Tensor) -> float:
    """One optimiser step on a loss, as the training loop takes it."""
    optimisation.clear()
    loss.backward()
    return optimisation.descend(finite=bool(torch.isfinite(loss.detach())))


def box_blur(picture: np.ndarray) -> np.ndarray:
    padded = np.pad(picture.astype(float), ((1, 1), (1, 1), (0, 0)), mode="reflect")
    height, width = picture.shape[:2]
    total = sum(padded[i : i + height, j : j + width] for i in range(3) for j in range(3))
    return (total / 9).astype(np.uint8)


def write_pairs(
    folder: Path,
    camera: Camera,
    clean: np.ndarray,
    *,
    kind: str = "simulated",
    sources: int = 4,
    cameras: Sequence[PairsCamera] = (),
    degrade: Callable[[np.ndarray], np.ndarray] = box_blur,
) -> Pairs:
    """Pairs of pictures and their 3 × 3 box blur; the cameras take turns."""
    names = [
        PairsSource(
            name=f"p{i}.png",
            sha256=hashlib.sha256(bytes([i])).hexdigest(),
            split="validation" if i == sources - 1 > 0 else "train",
        )
        for i in range(sources)
    ]
    manifest = PairsManifest(
        kind=kind,  # type: ignore[arg-type]
        count=len(clean),
        shard_size=3,
        pixels=clean.shape[1:3],
        seed=0,
        cameras=tuple(cameras) or (PairsCamera(name=camera.name, lens_hash=camera.hash, sensor=camera.sensor.pixels),),
        sources=tuple(names),
    )
    with open_pairs_writer(folder, manifest) as writer:
        for shard in writer.missing:
            numbers = range(shard.first, shard.first + shard.count)
            writer.write(
                shard,
                [
                    PairSample(
                        clean=clean[n],
                        degraded=degrade(clean[n]),
                        source=n % sources,
                        seed=n,
                        camera=n % max(1, len(cameras)),
                    )
                    for n in numbers
                ],
            )
    return read_pairs(folder)


@pytest.fixture
def pairs(tmp_path: Path, camera: Camera) -> Pairs:
    return write_pairs(tmp_path / "pairs", camera, textured(8))
