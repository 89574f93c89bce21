import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from scipy.ndimage import gaussian_filter

from metalens.formats.files.errors import InputError
from metalens.restore.conditioning import quality
from metalens.restore.conditioning.quality import GRID, piqe, quality_map


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return skimage.data.astronaut()[:200, 100:308]


def test_map_is_7_by_7_from_0_to_1(photograph: np.ndarray) -> None:
    found, name = quality_map(photograph, "piqe")
    assert name == "piqe"
    assert found.shape == (GRID, GRID)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1


def test_each_place_is_the_score_of_its_own_patch(photograph: np.ndarray) -> None:
    found, _ = quality_map(photograph, "piqe")
    rows, columns = photograph.shape[:2]
    for row, column in np.ndindex(GRID, GRID):
        top, left = row * rows // 8, column * columns // 8
        patch = photograph[top : top + rows // 4, left : left + columns // 4].astype(np.float32) / 255
        assert found[row, column] == pytest.approx(float(piqe(patch[None])[0]) / 100, abs=1e-6)


def test_a_400_pixel_picture_is_cut_as_in_dmdiff(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = np.mgrid[:400, :400]
    picture = np.stack([y, x, 0 * x], axis=-1).astype(np.float32) / 400
    corners = []

    def spy(patches: np.ndarray) -> np.ndarray:
        assert patches.shape == (7, 100, 100, 3)
        corners.append(np.rint(patches[:, 0, 0, :2] * 400))
        return np.zeros(len(patches))

    monkeypatch.setattr(quality, "_badness_by_piqe", spy)
    quality_map(picture, "piqe")
    expected = np.stack(np.meshgrid(50 * np.arange(7), 50 * np.arange(7), indexing="ij"), axis=-1)
    assert np.array_equal(np.stack(corners), expected)


def test_8_bit_and_float_pictures_score_alike(photograph: np.ndarray) -> None:
    one, _ = quality_map(photograph, "piqe")
    other, _ = quality_map(photograph / 255, "piqe")
    assert one == pytest.approx(other, abs=1e-6)


def test_blur_in_one_half_reads_worse_there(photograph: np.ndarray) -> None:
    half = photograph.shape[1] // 2
    spoilt = photograph.copy()
    spoilt[:, half:] = gaussian_filter(photograph, (4, 4, 0))[:, half:]
    before, after = quality_map(photograph, "piqe")[0], quality_map(spoilt, "piqe")[0]
    assert after[:, -2:].mean() > before[:, -2:].mean() + 0.2
    assert after[:, :2] == pytest.approx(before[:, :2])


def test_a_flat_picture_reads_worst_and_warns_of_nothing() -> None:
    assert (quality_map(np.zeros((64, 72, 3)), "piqe")[0] == 1).all()
    assert (quality_map(np.full((64, 72, 3), 200, dtype=np.uint8), "piqe")[0] == 1).all()


_REFERENCE = """
import sys, types
from pathlib import Path
import importlib.util
import numpy as np, torch
# The package's own __init__ imports every metric there is, which takes a quarter of a minute.
root = Path(importlib.util.find_spec("pyiqa").submodule_search_locations[0])
for name in ("pyiqa", "pyiqa.archs", "pyiqa.utils"):
    module = types.ModuleType(name)
    module.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
    sys.modules[name] = module
from pyiqa.archs.piqe_arch import piqe
patches = np.load(sys.argv[1])
np.save(sys.argv[2], piqe(torch.from_numpy(patches.transpose(0, 3, 1, 2).copy()))[0].numpy())
"""


@pytest.mark.long
def test_piqe_equals_pyiqa(photograph: np.ndarray, tmp_path: Path) -> None:
    values = photograph.astype(np.float32) / 255
    random = np.random.default_rng(0)
    versions = [values, gaussian_filter(values, (1.5, 1.5, 0))]
    versions.append(np.clip(values + random.normal(0, 0.08, values.shape), 0, 1).astype(np.float32))
    patches = np.stack([v[t : t + 100, s : s + 105] for v in versions for t in (0, 90) for s in (0, 100)])
    np.save(tmp_path / "patches.npy", patches)
    command = [sys.executable, "-W", "ignore", "-c", _REFERENCE]
    subprocess.run([*command, str(tmp_path / "patches.npy"), str(tmp_path / "scores.npy")], check=True)
    assert piqe(patches) == pytest.approx(np.load(tmp_path / "scores.npy"), abs=0.01)


def test_auto_takes_piqe_where_no_weights_are_cached(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(quality, "cached_musiq_weights", lambda: None)
    assert quality_map(photograph)[1] == "piqe"


def test_weights_are_looked_for_where_pyiqa_puts_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "pyiqa").mkdir()
    (tmp_path / "pyiqa" / quality.MUSIQ_WEIGHTS).touch()
    assert quality.cached_musiq_weights() == tmp_path / "pyiqa" / quality.MUSIQ_WEIGHTS


def test_musiq_without_its_weights_says_where_to_put_them(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "cached_musiq_weights", lambda: None)
    with pytest.raises(InputError, match=r"put musiq_koniq.*or use the metric piqe"):
        quality_map(photograph, "musiq")


def test_musiq_without_pyiqa_says_what_to_install(photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'metalens\[metrics-nc\]'` \(its licence is non-commercial"):
        quality_map(photograph, "musiq")


@pytest.mark.parametrize(
    ("picture", "metric", "message"),
    [
        (np.zeros((64, 63, 3)), "piqe", "at least 64"),
        (np.zeros((64, 64)), "piqe", "expected"),
        (np.full((64, 64, 3), np.nan), "piqe", "finite"),
        (np.zeros((64, 64, 3), dtype=np.int32), "piqe", "int32"),
        (np.zeros((64, 64, 3)), "brisque", "expected one of"),
    ],
)
def test_what_cannot_be_scored_is_refused(picture: np.ndarray, metric: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        quality_map(picture, metric)
