"""Photographs of linear light through ``metalens synth``: found in folders, read as they are, bright beyond white."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from click.testing import CliRunner, Result

from metalens.cli import metalens
from metalens.formats.pairs.reader import read_pairs
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.pictures.scene import linear_to_srgb, srgb_to_linear, to_8_bit
from metalens.formats.psf.bank_file import write_psf_bank

from .conftest import MakeBank

ROWS, COLUMNS = 40, 48


def light() -> np.ndarray:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    waves = 0.3 + 0.25 * np.sin(x / 4)[..., None] * np.cos(y / 5)[..., None] * [1.0, 0.8, 0.5]
    # What 8 bits can hold, so that a PNG holds the same.
    return srgb_to_linear(to_8_bit(linear_to_srgb(waves.astype(np.float32))))


def write_exr(path: Path, values: np.ndarray) -> None:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGB": values.astype(np.float32)}).write(str(path))


@pytest.fixture
def psf(make_bank: MakeBank, tmp_path: Path) -> Path:
    write_psf_bank(tmp_path / "psf.h5", make_bank(pixels=(16, 20), nodes=(1, 1), kernel=(5, 5)))
    return tmp_path / "psf.h5"


def synth(photographs: Path, psf: Path, output: Path, *more: str) -> Result:
    arguments = ["synth", str(photographs), "-o", str(output), "--psf", str(psf), *more]
    return CliRunner().invoke(metalens, arguments, catch_exceptions=True)


def test_light_is_photographed_as_the_same_picture_in_8_bits_is(psf: Path, tmp_path: Path) -> None:
    for name in ("light", "picture"):
        (tmp_path / name).mkdir()
    write_exr(tmp_path / "light" / "scene.exr", light())
    write_picture(tmp_path / "picture" / "scene.png", to_8_bit(linear_to_srgb(light())))
    for name in ("light", "picture"):
        result = synth(tmp_path / name, psf, tmp_path / f"{name}-pairs", "--count", "3")
        assert result.exit_code == 0, result.output
    for ours, other in zip(read_pairs(tmp_path / "light-pairs"), read_pairs(tmp_path / "picture-pairs"), strict=True):
        np.testing.assert_allclose(ours[0].astype(int), other[0], atol=1)
        assert np.abs(ours[1].astype(float) - other[1]).mean() < 1, "shot noise may fall on the other side of a step"


def test_what_is_brighter_than_white_scatters_more_light_around_itself(psf: Path, tmp_path: Path) -> None:
    around = []
    for brightness in (1.0, 50.0):
        scene = np.full((16, 20, 3), 0.02)
        scene[7:9, 9:11] = brightness
        write_exr(tmp_path / f"{brightness:g}.exr", scene)
        output = tmp_path / f"pairs-{brightness:g}"
        assert synth(tmp_path / f"{brightness:g}.exr", psf, output, "--whole").exit_code == 0
        clean, degraded = read_pairs(output)[0]
        assert clean[7, 9].min() == 255
        around.append(degraded[5:11, 7:13].mean())
    assert around[1] > around[0] + 20


def test_a_damaged_file_is_skipped_with_its_reason_or_refused(psf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    write_exr(folder / "whole.exr", light())
    (folder / "cut.exr").write_bytes((folder / "whole.exr").read_bytes()[:300])
    write_exr(folder / "nan.exr", np.where(light() > 0.4, np.nan, light()))
    result = synth(folder, psf, tmp_path / "pairs", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["count"] == 1
    skipped = {each.name: each.reason for each in read_pairs(tmp_path / "pairs").manifest.skipped}
    assert "damaged, or no OpenEXR file" in skipped["cut"]
    assert "holds NaN or infinity" in skipped["nan"]
    assert "cut.exr" in str(synth(folder, psf, tmp_path / "strict", "--strict").exception)
    assert not (tmp_path / "strict").exists()
