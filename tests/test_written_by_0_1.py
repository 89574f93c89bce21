"""Files of version 0.1 still read, and to the same values; tests/written_by_0_1/README.md tells how they were made."""

import json
from pathlib import Path

import numpy as np
import pytest

import metalens
from metalens.restore.inference import restoration

FOLDER = Path(__file__).with_name("written_by_0_1")
VALUES = json.loads((FOLDER / "values.json").read_text(encoding="utf-8"))
"""As version 0.1 read them."""


def test_a_lens_toml_is_the_same_camera():
    camera = metalens.read_camera(FOLDER / "lens.toml")
    assert camera.hash == VALUES["camera"]["hash"]
    assert camera.lens.aperture_um == VALUES["camera"]["aperture_um"]


def test_a_bank_holds_the_same_functions_and_figures():
    bank, values = metalens.read_bank(FOLDER / "psf.h5"), VALUES["bank"]
    assert bank.camera == metalens.read_camera(FOLDER / "lens.toml")
    assert (list(bank.intensity.shape), bank.subpixels) == (values["shape"], values["subpixels"])
    assert bank.intensity.sum(dtype=float) == pytest.approx(values["sum"], rel=1e-12)
    assert float(bank.intensity.max()) == values["brightest"]
    assert bank.wavelength.tolist() == values["wavelength"]
    assert bank.by_channel.full_width_half_maximum.tolist() == values["full_width_half_maximum"]
    assert bank.by_wavelength is not None
    assert bank.by_wavelength.strehl_ratio is not None
    assert bank.by_wavelength.strehl_ratio.tolist() == values["strehl_ratio"]


def test_pairs_hold_the_same_pictures_of_the_same_photographs():
    pairs, values = metalens.read_pairs(FOLDER / "pairs"), VALUES["pairs"]
    pairs.verify()
    assert pairs.source_names() == values["names"]
    assert pairs.of_split("validation").tolist() == values["validation"]
    assert pairs.numbers("position").tolist() == values["position"]
    assert [int(clean.sum(dtype=int)) for clean, _ in pairs] == values["clean"]
    assert [int(captured.sum(dtype=int)) for _, captured in pairs] == values["captured"]
    assert int(pairs.sample(0).neutral.sum(dtype=int)) == values["neutral"]
    assert pairs.manifest.lens_hashes == values["lens_hashes"] == [VALUES["camera"]["hash"]]
    pairs.close()


def test_an_adapter_is_the_same_restorer_and_restores(monkeypatch):
    # 0.1 filled no defective pixels, for some of which the noise below is taken.
    monkeypatch.setattr(restoration, "sound_capture", lambda restorer, capture, place: capture)
    restorer, values = metalens.load_restorer(FOLDER / "adapter"), VALUES["adapter"]
    assert (restorer.identity, restorer.prior.identity) == (values["identity"], values["prior"])
    assert restorer.camera.hash == values["lens_hash"]
    assert restorer.lens_map.sum(dtype=float) == pytest.approx(values["fwhm_map"], rel=1e-12)
    assert (restorer.training["steps"], restorer.quality_metric) == (values["steps"], values["quality_metric"])
    captured = np.random.default_rng(0).integers(20, 200, (64, 64, 3), dtype=np.uint8)
    restored = metalens.restore(captured, restorer)
    assert (restored.shape, restored.dtype) == (captured.shape, np.uint8)
    assert abs(restored.astype(float).mean() - values["restored_mean"]) < 0.5, "machines round differently"
