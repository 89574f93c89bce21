"""Recipes: what a file says, what the command line says over it, and what neither may."""

from __future__ import annotations

import pytest

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.restorer import AdapterConfig
from metalens.restore.training.config import TrainConfig, read_train_config


def test_without_a_file_the_recipe_is_the_default():
    assert read_train_config(None, {"training.batch": None}) == TrainConfig()


def test_options_win_over_the_file_and_the_file_over_the_defaults(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(
        "[training]\nbatch = 8\nlearning_rate = 1\n[adapter]\nform = 'global'\n"
        "[paths]\npositive = 0.4\nneutral = 0.3\nnegative = 0.3\n"
    )
    config = read_train_config(path, {"training.batch": 2, "adapter.unet_rank": 32})
    assert (config.batch, config.learning_rate, config.shares.negative) == (2, 1.0, 0.3)
    assert config.adapter == AdapterConfig(unet_rank=32, form="global")
    start = AdapterConfig(unet_rank=4, encoder_rank=4)
    assert read_train_config(path, {}, adapter=start).adapter == AdapterConfig(4, 4, form="global")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[training]\nbach = 8",
            r"recipe\.toml: training: unknown key bach; .*: the nearest key is batch\.$",
        ),
        ("[training]\nbatch = 8.5", "training: batch: expected a whole number, found 8.5"),
        ("[training]\nbatch = true", "batch: expected a whole number, found True"),
        ("[training]\nbatch = 0", "batch: expected 1 or more, found 0"),
        ("[training]\nlearning_rate = nan", "learning_rate: expected .*, found nan"),
        ("[training]\npseudo_share = 1.5", "pseudo_share: expected 1 or less, found 1.5"),
        ("[training]\nprecision = 'fp8'", "precision: expected 'fp32' or 'bf16', found 'fp8'"),
        ("[adapter]\nform = 'round'", "form: expected 'local', 'global', 'mean' or 'plain', found 'round'"),
        ("[paths]\npositive = 0.5", "must be 0 or more and sum to 1"),
        ("[path]\npositive = 1.0", "found 'path', expected the tables adapter, paths, training"),
        ("training = 3", "found 'training', expected the tables"),
        ("[training", "not valid TOML"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(tmp_path, text, message):
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_train_config(tmp_path / "recipe.toml", {})


def test_a_recipe_that_is_not_there_or_far_too_large_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_train_config(tmp_path / "none.toml", {})
    with (tmp_path / "large.toml").open("wb") as file:
        file.truncate(2**21)
    with pytest.raises(InputError, match="at most 1 MiB is read"):
        read_train_config(tmp_path / "large.toml", {})
