"""Adapters as files: what is saved reads the same, and damaged or foreign ones are refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.adapter_file import load_restorer, read_tensors, save_adapter
from metalens.restore.adapter.restorer import AdapterConfig
from metalens.restore.inference.restoration import restore


@pytest.fixture
def adapter(make_restorer, tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    save_adapter(folder, make_restorer(perturb=0.02))
    return folder


def test_an_adapter_loaded_and_saved_is_the_same_file_and_restores_alike(adapter, tmp_path):
    capture = np.random.default_rng(0).integers(0, 255, (64, 80, 3), dtype=np.uint8)
    first = load_restorer(adapter)
    copy = tmp_path / "copy"
    copy.mkdir()
    save_adapter(copy, first)
    again = load_restorer(copy)
    assert again.identity == first.identity
    assert (copy / "adapter.safetensors").read_bytes() == (adapter / "adapter.safetensors").read_bytes()
    np.testing.assert_array_equal(*(restore(each, capture, [0.75])[0.75] for each in (first, again)))


def test_a_damaged_or_foreign_adapter_is_refused(adapter, tmp_path, prior_folder):
    with pytest.raises(InputError, match="is not an adapter"):
        load_restorer(tmp_path / "nowhere")
    description = json.loads((adapter / "adapter.json").read_text())
    for change, message in (
        ({"schema": "else"}, "schema: expected 'metalens.adapter', found 'else'"),
        ({"prior": None}, "prior: expected an object, found 'None'"),
        ({"training": [1]}, "training: expected an object"),
        ({"training": {"pairs": 3}}, "training.pairs: expected a list"),
        ({"lens_toml": 1}, "lens_toml: expected a string"),
        ({"quality_metric": {}}, "quality_metric: expected a string"),
        ({"config": []}, "config: expected an object"),
        ({"prior": {"name": str(prior_folder), "identity": "0" * 64}}, "was trained on prior"),
        ({"config": {"unet_rank": 4, "colour": 1}}, "unknown key colour"),
        ({"config": {"unet_rank": 10**9}}, "unet_rank: expected 1024 or less, found 1000000000"),
    ):
        copy = tmp_path / "copy"
        shutil.copytree(adapter, copy)
        (copy / "adapter.json").write_text(json.dumps(description | change))
        with pytest.raises(InputError, match=message):
            load_restorer(copy)
        shutil.rmtree(copy)
    weights = adapter / "adapter.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(InputError, match="damaged or no safetensors file"):
        load_restorer(adapter)


def test_nan_in_an_adapter_is_refused(adapter):
    import safetensors.torch

    tensors = safetensors.torch.load_file(adapter / "adapter.safetensors")
    name = next(name for name in tensors if name.startswith("svda"))
    tensors[name] = torch.full_like(tensors[name], float("nan"))
    safetensors.torch.save_file(tensors, adapter / "adapter.safetensors")
    with pytest.raises(InputError, match="holds NaN or infinity"):
        load_restorer(adapter)


def test_an_oversized_adapter_is_refused_by_its_header(adapter):
    import safetensors.torch

    path = adapter / "adapter.safetensors"
    tensors = {name: value.clone() for name, value in safetensors.torch.load_file(path).items()}
    name = next(name for name in tensors if name.startswith("svda"))
    safetensors.torch.save_file(tensors | {name: torch.zeros(2000, 2000)}, path)
    with pytest.raises(InputError, match=rf"{name} has shape \(2000, 2000\), expected"):
        load_restorer(adapter)
    safetensors.torch.save_file(tensors | {"more": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="not those that belong there \\(first difference: more\\)"):
        load_restorer(adapter)
    safetensors.torch.save_file(tensors, path)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(InputError, match="damaged or no safetensors file"):
        read_tensors(path)


def test_an_adapter_from_before_skips_has_none(adapter):
    description = json.loads((adapter / "adapter.json").read_text())
    del description["config"]["skips"]
    (adapter / "adapter.json").write_text(json.dumps(description))
    assert load_restorer(adapter).skips is None


def test_adapters_of_impossible_sizes_are_refused():
    with pytest.raises(InputError, match="form: expected 'local', 'global', 'mean' or 'plain', found 'round'"):
        AdapterConfig(form="round")
