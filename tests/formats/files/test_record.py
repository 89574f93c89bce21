"""What is said of a key that no record has, and of settings that cannot be used."""

import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.restore.inference.restoration import Settings
from metalens.restore.pretraining.recipe import PretrainConfig
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.optimisation import Budget
from metalens.synth.dataset.settings import PairsSettings, described_settings


def said_of(make, *values, **named) -> str:
    with pytest.raises(InputError) as caught:
        make(*values, **named)
    return str(caught.value)


def test_a_misspelt_key_is_told_the_nearest_one():
    assert said_of(TrainConfig, bach=8) == "training: unknown key bach; check its spelling: the nearest key is batch."


def test_a_key_like_no_other_is_told_all_of_its_table():
    said = said_of(PairsSettings, noise=1)
    assert said.endswith("expected one of candidates, cropping, demosaicing, exposure, mirror, turn, validation.")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lens": {"aperture_mm": 0.15}}, "lens.aperture_mm; .* and unit \\(keys end in _um\\): .* aperture_um"),
        (
            {"lens": {"phase": {"family": "hyperbolic", "wavelenght_nm": 500}}},
            "\\(keys end in _nm\\): .* wavelength",
        ),
        ({"lense": {}}, "unknown key lense; .*: the nearest key is lens\\."),
    ],
)
def test_units_and_keys_are_those_of_the_table_in_which_the_key_stands(changes, told):
    with pytest.raises(InputError, match=told):
        read_camera("metacamera").with_(**changes)


@pytest.mark.parametrize(
    ("record", "named", "told"),
    [
        (PairsSettings, {"exposure": (0.3, 0.1)}, "settings of pairs: exposure 0.3 to 0.1: expected a range above 0"),
        (PairsSettings, {"validation": 1.0}, "settings of pairs: validation: expected less than 1, found 1.0."),
        (PairsSettings, {"candidates": True}, "candidates: expected a whole number, found True."),
        (PairsSettings, {"cropping": "left"}, "cropping: expected 'random' or 'centre', found 'left'."),
        (Settings, {"steps": 9}, "restoration: steps: expected 4 or less, found 9."),
        (Settings, {"tile": 0}, "restoration: tile: expected 1 or more, found 0."),
        (Budget, {"steps": 0}, "training: steps: expected 1 or more, found 0."),
        (Budget, {}, "training: needs --steps or --minutes."),
        (PretrainConfig, {"path_share": (0.5, 0.5, 0.5)}, "pretraining: path_share must sum to 1, found"),
        (
            PretrainConfig,
            {"norm_groups": 3},
            "autoencoder_channels must be multiples of norm_groups = 3, found",
        ),
        (PretrainConfig, {"learning_rate": -1.0}, "learning_rate: expected more than 0, found -1.0."),
    ],
)
def test_settings_out_of_range_are_refused_with_place_and_bound(record, named, told):
    assert told in said_of(record, **named)


def test_a_manifest_of_other_pairs_is_told_apart():
    assert said_of(described_settings, {"kind": "screen"}).startswith("the manifest's config is not that of simulated")


def test_a_place_may_be_a_list_of_numpy_numbers():
    assert Settings(place=list(np.arange(2))).place == (0, 1)
