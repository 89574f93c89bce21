"""A restorer as ONNX: what PyTorch computes, also for a local Q, and without PyTorch at all."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.adapter.consistency_block import ConsistencyBlock
from metalens.restore.adapter.restorer import blend
from metalens.restore.inference.onnx_export import LARGEST_ERROR, export_onnx
from metalens.restore.inference.restoration import Settings, decode_values, latents_of

from ..adapter.test_optics_conditioning import optics_restorer, perturbed

PIXELS = (64, 80)


def run(folder, name, inputs):
    session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
    return session.run(None, {each.name: inputs[each.name] for each in session.get_inputs()})


@pytest.mark.long
def test_a_local_q_is_formed_from_the_map_that_is_given(make_restorer, tmp_path):
    restorer = make_restorer(perturb=0.02)
    about = export_onnx(restorer, tmp_path / "out", PIXELS)
    assert about["map"] == "input"
    generator = torch.Generator().manual_seed(1)
    picture, maps = torch.rand(1, 3, *PIXELS, generator=generator), torch.rand(1, 4, 7, 7, generator=generator)
    with torch.no_grad():
        latents = restorer.encode(picture, maps)
        both = restorer.step(latents.repeat(2, 1, 1, 1), maps.repeat(2, 1, 1, 1), ["positive", "neutral"])
        decoded = restorer.prior.decode(blend(both[:1], both[1:], 0.75))
    given = {"map": maps.numpy()}
    (found,) = run(tmp_path / "out", "encoder", {"picture": picture.numpy(), **given})
    positive, neutral = run(tmp_path / "out", "unet", {"latents": found, **given})
    (restored,) = run(tmp_path / "out", "decoder", {"latents": 0.75 * positive + 0.25 * neutral})
    for mine, expected in ((found, latents), (positive, both[:1]), (neutral, both[1:]), (restored, decoded)):
        assert np.abs(mine - expected.numpy()).max() < LARGEST_ERROR * expected.abs().max()
    # The map matters: another one gives another picture.
    other = run(tmp_path / "out", "encoder", {"picture": picture.numpy(), "map": 1 - maps.numpy()})[0]
    assert np.abs(other - found).max() > 20 * np.abs(found - latents.numpy()).max()


@pytest.mark.long
def test_a_fixed_q_is_a_constant_of_the_graphs(make_restorer, tmp_path):
    restorer = make_restorer(perturb=0.02)
    about = export_onnx(restorer, tmp_path / "out", PIXELS, quality=0.3)
    assert (about["map"], about["quality"]) == ("fixed", 0.3)
    maps = restorer.maps(torch.full((1, 7, 7), 0.3))
    picture = torch.rand(1, 3, *PIXELS, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        latents = restorer.encode(picture, maps)
    (found,) = run(tmp_path / "out", "encoder", {"picture": picture.numpy()})
    assert np.abs(found - latents.numpy()).max() < LARGEST_ERROR * latents.abs().max()
    assert not (tmp_path / "out" / "map.npy").exists()


def runs_without_pytorch(restorer, folder):
    """Export a restorer with a block of data consistency; run the graphs by themselves and compare the picture."""
    restorer.consistency = ConsistencyBlock()
    about = export_onnx(restorer, folder / "out", without_consistency=True)
    restorer.consistency = None
    assert about["without_consistency"]
    assert max(each["largest_error"] for each in about["graphs"].values()) < LARGEST_ERROR
    rows, columns = restorer.camera.sensor.pixels
    y, x = np.mgrid[:rows, :columns]
    wave = np.sin(x[..., None] / np.array([7, 9, 11])) * np.cos(y[..., None] / 13)
    picture = (0.4 + 0.3 * wave).astype(np.float32)
    np.save(folder / "frame.npy", picture)
    program = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(['torch', 'metalens', 'scipy']));"
        "sys.argv = ['restore.py', 'frame.npy', 'restored.npy', '0.75'];"
        "runpy.run_path('out/restore.py', run_name='__main__')"
    )
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True)
    expected = decode_values(restorer, latents_of(restorer, picture, Settings()), 0.75)
    # Its own Fourier transforms are in double precision: a tenth of a step of 8 bits.
    assert np.abs(np.load(folder / "restored.npy") - expected).max() < 0.1 / 255
    assert json.loads((folder / "out" / "onnx.json").read_text())["pixels"] == [rows, columns]


@pytest.mark.long
def test_an_adapter_by_optics_runs_without_pytorch(bank, prior_folder, tmp_path):
    runs_without_pytorch(perturbed(optics_restorer(bank, prior_folder, form="plain")), tmp_path)


# Its graphs are of 400 × 400 pixels.
@pytest.mark.long
def test_the_embedded_adapter_runs_without_pytorch(tmp_path):
    runs_without_pytorch(load_restorer("metacamera"), tmp_path)


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(make_restorer, tmp_path, monkeypatch):
    embedded = load_restorer("metacamera")
    embedded.consistency = None
    with pytest.raises(InputError, match="the adapter has no Q"):
        export_onnx(embedded, tmp_path / "out", quality=0.5)
    with pytest.raises(InputError, match="of the sensor's whole frame"):
        export_onnx(embedded, tmp_path / "out", (64, 64))
    embedded.consistency = ConsistencyBlock()
    with pytest.raises(InputError, match="not exported; give --without-consistency for the pictures before it"):
        export_onnx(embedded, tmp_path / "out")
    embedded.consistency = None
    with pytest.raises(InputError, match="--without-consistency: the adapter has no block"):
        export_onnx(embedded, tmp_path / "out", without_consistency=True)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"the package onnxruntime is not installed; run .*\[onnx\]"):
        export_onnx(embedded, tmp_path / "out")
    assert not (tmp_path / "out").exists()
