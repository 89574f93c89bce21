"""LPIPS from weights that lie on the machine; here they are random ones of the right shapes."""

from __future__ import annotations

import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.metrics.lpips import HEADS, LPIPS, NETWORK, find_lpips
from metalens.restore.metrics.perceptual_loss import perceptual_metric
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.loss import PathLoss

CHANNELS = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256)}
CHANNELS |= {17: (512, 256)} | dict.fromkeys((19, 21, 24, 26, 28), (512, 512))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path


@pytest.fixture
def weights(hub):
    torch.manual_seed(0)
    network = {}
    for index, (outputs, inputs) in CHANNELS.items():
        network[f"features.{index}.weight"] = torch.randn(outputs, inputs, 3, 3) * (2 / (9 * inputs)) ** 0.5
        network[f"features.{index}.bias"] = torch.zeros(outputs)
    sizes = (64, 128, 256, 512, 512)
    heads = {f"lin{number}.model.1.weight": torch.rand(1, size, 1, 1) for number, size in enumerate(sizes)}
    for folder, name, tensors in (("checkpoints", NETWORK, network), ("pyiqa", HEADS, heads)):
        (hub / folder).mkdir()
        torch.save(tensors, hub / folder / name)
    return network, heads


def test_it_is_the_sum_of_weighted_differences_of_unit_features(weights):
    """The definition, by torchvision's own VGG-16 with the same weights."""
    from torchvision.models import vgg16

    network, heads = weights
    vgg = vgg16(weights=None).features.eval()
    vgg.load_state_dict({name.removeprefix("features."): value for name, value in network.items()})
    pictures = torch.rand(2, 1, 3, 32, 40, generator=torch.Generator().manual_seed(1))
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    current = (pictures.flatten(0, 1) - mean) / deviation
    expected, stage = 0.0, 0
    with torch.no_grad():
        for index, layer in enumerate(vgg):
            current = layer(current)
            if index in (3, 8, 15, 22, 29):
                unit = current / current.norm(dim=1, keepdim=True).clamp_min(1e-10)
                difference = (unit[0] - unit[1]).square().mean(dim=(1, 2))
                expected += float((heads[f"lin{stage}.model.1.weight"].flatten() * difference).sum())
                stage += 1
        found = LPIPS()(*pictures)
    # LPIPS rounds ImageNet's mean and deviation to three digits of pictures in -1..1.
    assert float(found[0]) == pytest.approx(expected, rel=0.02)


def test_equal_pictures_have_no_distance_and_gradients_are_finite(weights):
    distance = LPIPS()
    picture = torch.zeros(1, 3, 16, 16, requires_grad=True)
    assert distance(picture, picture).tolist() == [0]
    distance(picture, torch.full((1, 3, 16, 16), 0.5)).sum().backward()
    assert torch.isfinite(picture.grad).all()
    assert not any(parameter.requires_grad for parameter in distance.parameters())


def test_the_loss_takes_lpips_where_its_weights_are_and_says_which(weights, hub):
    assert perceptual_metric("auto") == "lpips"
    assert PathLoss(TrainConfig()).metric == "lpips"
    assert perceptual_metric("st-lpips") == "st-lpips"
    (hub / "pyiqa" / HEADS).unlink()
    assert perceptual_metric("auto") == "st-lpips"


def test_missing_or_damaged_weights_are_one_sentence(hub):
    assert find_lpips() is None
    with pytest.raises(InputError, match=f"put {NETWORK} into .*checkpoints and {HEADS} into .*pyiqa, or train with"):
        LPIPS()
    for folder, name in (("checkpoints", NETWORK), ("pyiqa", HEADS)):
        (hub / folder).mkdir()
        (hub / folder / name).write_bytes(b"no weights")
    with pytest.raises(InputError, match="not a readable weight file"):
        LPIPS()
