"""The path embedding: every block of the U-Net knows its path."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.adapter_file import load_restorer, save_adapter
from metalens.restore.adapter.lens_transfer import initialise
from metalens.restore.adapter.merging import merged_prior
from metalens.restore.prior.prior import PATHS

MAPS = torch.rand(2, 4, 7, 7, generator=torch.Generator().manual_seed(2))
LATENTS = torch.rand(2, 8, 16, 16, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_a_new_embedding_changes_nothing(make_restorer):
    plain, told = make_restorer(perturb=0.05), make_restorer(path_embedding=True)
    with torch.no_grad():
        for name, parameter in plain.parameters().items():
            told.parameters()[name].copy_(parameter)
    paths = ["positive", "neutral"]
    assert torch.equal(told.step(LATENTS, MAPS, paths), plain.step(LATENTS, MAPS, paths))


@torch.no_grad()
def test_each_sample_of_a_batch_gets_the_vector_of_its_path(make_restorer):
    restorer = make_restorer(path_embedding=True, perturb=0.05)
    restorer.path_embedding.vectors.normal_(generator=torch.Generator().manual_seed(0))
    together = restorer.step(LATENTS, MAPS, ["positive", "neutral"])
    alone = [
        restorer.step(LATENTS[n : n + 1], MAPS[n : n + 1], [path]) for n, path in ((0, "positive"), (1, "neutral"))
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)
    before = restorer.step(LATENTS[:1], MAPS[:1], ["neutral"])
    restorer.path_embedding.vectors[PATHS.index("positive")] += 1
    assert torch.equal(restorer.step(LATENTS[:1], MAPS[:1], ["neutral"]), before)
    assert not torch.equal(restorer.step(LATENTS[:1], MAPS[:1], ["positive"]), alone[0])


def test_only_the_vector_of_its_path_has_a_gradient(make_restorer):
    restorer = make_restorer(path_embedding=True, perturb=0.05)
    restorer.step(LATENTS, MAPS, ["neutral", "neutral"]).square().mean().backward()
    norms = restorer.path_embedding.vectors.grad.norm(dim=1)
    assert [path for path, norm in zip(PATHS, norms, strict=True) if norm > 0] == ["neutral"]


def test_it_is_kept_in_the_file_and_an_adapter_without_it_can_start_one(make_restorer, tmp_path, prior_folder):
    for folder, restorer in (("plain", make_restorer(perturb=0.05)), ("told", make_restorer(path_embedding=True))):
        (tmp_path / folder).mkdir()
        with torch.no_grad():
            if restorer.path_embedding is not None:
                restorer.path_embedding.vectors.fill_(0.25)
        save_adapter(tmp_path / folder, restorer)
    read = load_restorer(tmp_path / "told")
    assert read.config.path_embedding
    assert (read.path_embedding.vectors == 0.25).all()
    started = make_restorer(path_embedding=True)
    with torch.no_grad():
        started.path_embedding.vectors.fill_(1)
    initialise(started, str(tmp_path / "plain"))
    assert (started.path_embedding.vectors == 0).all()
    known = load_restorer(tmp_path / "plain").parameters()
    assert all(torch.equal(each, known[name]) for name, each in started.parameters().items() if name in known)
    with pytest.raises(InputError, match="this training asks for"):
        initialise(make_restorer(), str(tmp_path / "told"))
    assert asdict(read.config)["path_embedding"]


def test_an_adapter_with_it_is_not_merged(make_restorer):
    with pytest.raises(InputError, match="with a path embedding cannot be merged"):
        merged_prior(make_restorer(path_embedding=True, form="plain"), None)
