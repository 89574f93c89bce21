"""A report on pairs: each capture is filtered at its place on the sensor, whole frame or crop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metalens.formats.pairs.manifest import PairsCamera, PairsManifest, PairsSource
from metalens.formats.pairs.reader import Pairs, pair_names, read_pairs
from metalens.formats.pairs.shard import PairSample
from metalens.formats.pairs.writer import open_pairs_writer
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.restore.adapter.adapter_file import save_adapter
from metalens.restore.deconvolution.joint_wiener import wiener_joint
from metalens.restore.deconvolution.wiener import tune_regulariser, wiener_tiled
from metalens.restore.inference.restored_names import restored_name, uncertainty_name
from metalens.restore.methods.method import Training
from metalens.restore.methods.wiener import JOINT, TILED
from metalens.restore.report import evaluation
from metalens.restore.report.evaluation import EvaluationInputs, evaluate
from metalens.restore.training.optimisation import Budget

from ..conftest import box_blur, textured

PLACES = ((0, 0), (32, 40), (16, 8), (30, 2))


@pytest.fixture
def crops(tmp_path: Path, camera) -> Pairs:
    """Crops of half the sensor's size, at places of their own."""
    clean = textured(len(PLACES), pixels=(32, 40))
    manifest = PairsManifest(
        kind="simulated",
        count=len(PLACES),
        shard_size=2,
        pixels=(32, 40),
        seed=0,
        cameras=(PairsCamera(name=camera.name, lens_hash=camera.hash, sensor=camera.sensor.pixels),),
        sources=(
            PairsSource(name="p.png", sha256="0" * 64, split="validation"),
            PairsSource(name="q.png", sha256="1" * 64),
        ),
    )
    with open_pairs_writer(tmp_path / "crops", manifest) as writer:
        for shard in writer.missing:
            samples = [
                PairSample(clean[n], box_blur(clean[n]), source=min(n, 1), seed=n, position=PLACES[n])
                for n in range(shard.first, shard.first + shard.count)
            ]
            writer.write(shard, samples)
    return read_pairs(tmp_path / "crops")


@pytest.mark.long
def test_crops_are_tuned_on_and_compared_at_their_places(tmp_path, bank, crops, make_restorer, monkeypatch):
    write_psf_bank(tmp_path / "psf.h5", bank)
    (tmp_path / "adapter").mkdir()
    save_adapter(tmp_path / "adapter", make_restorer())
    (tmp_path / "restored").mkdir()
    for name, (_, captured) in zip(pair_names(crops), crops, strict=True):
        write_picture(tmp_path / "restored" / restored_name(name, 0.75), captured)
    first = tmp_path / "restored" / restored_name(pair_names(crops)[0], 0.75)
    write_picture(first.with_name(uncertainty_name(first.name)), np.full((32, 40, 3), 51, np.uint8))
    # Drawing the page is another file's work and takes seconds.
    monkeypatch.setattr(evaluation, "write_report", lambda output, **given: given)
    inputs = EvaluationInputs(
        tmp_path / "psf.h5", crops.folder, tmp_path / "restored", str(tmp_path / "adapter"), crops.folder
    )
    given = evaluate(tmp_path / "report", inputs)
    ratio, scale = (given["provenance"][key] for key in ("wiener_noise_to_signal", "wiener_joint_noise_scale"))
    assert [list(sample.expected_error) for sample in given["samples"]] == [[0.75], [], [], []]
    np.testing.assert_allclose(given["samples"][0].expected_error[0.75], 32 / 255 / 5, rtol=1e-6)
    for sample, place in zip(given["samples"], PLACES, strict=True):
        assert np.array_equal(sample.wiener, wiener_tiled(sample.captured, bank, ratio, place=place))
        assert np.array_equal(sample.wiener_joint, wiener_joint(sample.captured, bank, scale, place=place))
    # As the benchmark does: on the training side of the split.
    assert ratio == tune_regulariser([crops[n] for n in range(1, 4)], bank, places=PLACES[1:])
    task = Training(crops, bank, prior="none", budget=Budget(steps=1), folder=tmp_path)
    assert [each.fit(task).chosen for each in (TILED, JOINT)] == [{"noise_to_signal": ratio}, {"noise_scale": scale}]
