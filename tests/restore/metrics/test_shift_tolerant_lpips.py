import importlib.util
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from scipy.ndimage import gaussian_filter

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture
from metalens.restore.metrics import shift_tolerant_lpips as perceptual
from metalens.restore.metrics.shift_tolerant_lpips import ShiftTolerantLPIPS, shift_tolerant_lpips

KODAK = Path(__file__).parents[3].parent / "shared" / "data" / "kodak24"


def tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32))[None]


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return skimage.data.chelsea()[60:158, 120:218].astype(np.float32) / 255


@pytest.fixture(scope="module", params=["alex", "vgg"])
def distance(request: pytest.FixtureRequest) -> ShiftTolerantLPIPS:
    return shift_tolerant_lpips(request.param)


def measure(distance: ShiftTolerantLPIPS, first: np.ndarray, second: np.ndarray) -> float:
    with torch.no_grad():
        return float(distance(tensor(first), tensor(second)))


def test_a_picture_has_no_distance_from_itself(distance: ShiftTolerantLPIPS, photograph: np.ndarray) -> None:
    assert measure(distance, photograph, photograph) == 0


def test_the_distance_is_symmetric(distance: ShiftTolerantLPIPS, photograph: np.ndarray) -> None:
    blurred = gaussian_filter(photograph, (1, 1, 0))
    forth, back = measure(distance, photograph, blurred), measure(distance, blurred, photograph)
    assert forth == pytest.approx(back, rel=1e-5)


def test_more_blur_is_farther_and_a_shift_hardly_counts(distance: ShiftTolerantLPIPS, photograph: np.ndarray) -> None:
    slight, strong = (measure(distance, photograph, gaussian_filter(photograph, (s, s, 0))) for s in (1, 3))
    shifted = measure(distance, photograph[:, 1:], photograph[:, :-1])
    assert 10 * shifted < slight < strong


def test_a_batch_equals_its_pictures_one_by_one(photograph: np.ndarray) -> None:
    distance = shift_tolerant_lpips("alex")
    pictures = [photograph, photograph[::-1], photograph[:, ::-1]]
    others = [gaussian_filter(picture, (sigma, sigma, 0)) for sigma, picture in enumerate(pictures, start=1)]
    with torch.no_grad():
        together = distance(torch.cat([tensor(p) for p in pictures]), torch.cat([tensor(p) for p in others]))
    alone = [measure(distance, one, other) for one, other in zip(pictures, others, strict=True)]
    assert together.tolist() == pytest.approx(alone, rel=1e-4)


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_values_equal_those_of_the_authors_package(backbone: perceptual.Backbone) -> None:
    # What stlpips-pytorch 0.0.2 itself gives for these two patterns, normalize=True.
    y, x = np.mgrid[:64, :70]
    first = np.stack([0.5 + 0.5 * np.sin(y / 5), 0.5 + 0.5 * np.cos(x / 7), (x + y) / 140], axis=-1)
    second = np.clip(first + 0.2 * np.sin(x * y / 40)[..., None], 0, 1)
    expected = {"alex": 0.48105841875076294, "vgg": 0.5971466898918152}[backbone]
    assert measure(shift_tolerant_lpips(backbone), first, second) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ((1, 3, 40, 40), (1, 3, 40, 41), "expected twice the same"),
        ((1, 1, 40, 40), (1, 1, 40, 40), "expected twice the same"),
        ((1, 3, 40, 31), (1, 3, 40, 31), "at least 32"),
    ],
)
def test_pictures_that_cannot_be_compared_are_refused(
    first: tuple[int, ...], second: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        shift_tolerant_lpips("alex")(torch.zeros(first), torch.zeros(second))


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(InputError, match="expected one of"):
        ShiftTolerantLPIPS("resnet")  # type: ignore[arg-type]


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"stlpips-pytorch is not installed; run `pip install 'metalens\[restore\]'`"):
        ShiftTolerantLPIPS("alex")


@pytest.mark.long
def test_kodak_reads_as_the_metric_is_known_to(capsys: pytest.CaptureFixture[str]) -> None:
    if not KODAK.is_dir():
        with capsys.disabled():
            print(f"\n{KODAK.name} is not beside this repository: its reference readings were not checked.")
        return
    # The middle of each picture: whole pictures take minutes. Crops read somewhat off the whole pictures' means.
    generator = np.random.default_rng(0)
    distance = shift_tolerant_lpips("alex")
    readings: dict[str, list[float]] = {}
    for path in sorted(KODAK.glob("*.png"))[::2]:
        whole = read_picture(path)
        top, left = (whole.shape[0] - 96) // 2, (whole.shape[1] - 97) // 2
        clean = whole[top : top + 96, left : left + 97].astype(np.float32) / 255
        versions = {f"blur {sigma}": gaussian_filter(clean, (sigma, sigma, 0)) for sigma in (1, 2, 4)}
        for sigma in (10, 30):
            noise = generator.normal(0, sigma / 255, clean.shape)
            versions[f"noise {sigma}"] = np.clip(clean + noise, 0, 1)
        with torch.no_grad():
            reference = distance.features(tensor(clean))
            for name, picture in versions.items():
                value = float(distance.compare(reference, distance.features(tensor(picture))))
                readings.setdefault(name, []).append(value)
        readings.setdefault("shift", []).append(measure(distance, clean[:, 1:], clean[:, :-1]))
    found = {name: float(np.mean(values)) for name, values in readings.items()}
    expected = {"blur 1": 0.17, "blur 2": 0.44, "blur 4": 0.63, "noise 10": 0.23, "noise 30": 0.60, "shift": 0.004}
    assert found == pytest.approx(expected, rel=0.4)
