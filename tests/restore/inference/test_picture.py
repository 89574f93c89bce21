"""One picture in, one picture out: the adapter by name or loaded, with and without the camera's bank."""

import numpy as np
import pytest
import torch

from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import to_8_bit
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.psf.external_bank import grid_bank_of_functions
from metalens.restore.adapter.adapter_file import save_adapter
from metalens.restore.inference.data_consistency import DataConsistency
from metalens.restore.inference.picture import restore_picture
from metalens.restore.inference.restoration import decode_values, latents_of, restore, sound_capture


@pytest.fixture
def capture(textured_pictures):
    return textured_pictures[0]


def test_an_adapters_folder_and_what_was_loaded_of_it_give_the_same(make_restorer, prior_folder, capture, tmp_path):
    restorer = make_restorer(perturb=0.02)
    save_adapter(tmp_path, restorer)
    by_folder = restore_picture(capture, tmp_path, 0.5, prior=prior_folder)
    assert np.abs(by_folder.astype(int) - restore(restorer, capture, [0.5])[0.5]).max() <= 1, "kept in half precision"
    assert by_folder.shape == capture.shape


def test_a_move_to_the_same_device_and_type_leaves_every_bit(make_restorer, capture):
    restorer = make_restorer(perturb=0.02)
    loaded = restore(restorer, capture, [0.5])[0.5]
    latents = latents_of(restorer, capture)
    moved = restorer.to("cpu", torch.float32)
    assert torch.equal(latents_of(moved, capture).positive, latents.positive)
    np.testing.assert_array_equal(restore(moved, capture, [0.5])[0.5], loaded)


def test_with_the_bank_the_picture_is_drawn_towards_the_capture(make_restorer, bank, capture, tmp_path):
    restorer = make_restorer(perturb=0.02)
    write_psf_bank(tmp_path / "psf.h5", bank)
    drawn = restore_picture(capture, restorer, 0.5, bank=tmp_path / "psf.h5")
    plain = decode_values(restorer, latents_of(restorer, capture), 0.5)
    expected = DataConsistency(bank)(plain, sound_capture(restorer, capture, None))
    np.testing.assert_array_equal(drawn, to_8_bit(expected))
    assert (drawn != to_8_bit(plain)).any()


def test_the_bank_of_another_camera_is_refused(make_restorer, camera, bank, capture):
    other = read_camera("hyperbolic").with_(sensor={"pixels": camera.sensor.pixels})
    with pytest.raises(InputError, match="another lens"):
        restore_picture(
            capture, make_restorer(), bank=grid_bank_of_functions(other, bank.as_grid(bank.intensity), {"engine": "no"})
        )
