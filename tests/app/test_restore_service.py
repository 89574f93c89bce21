"""What the app shows is what ``metalens restore`` writes, to the bit."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from metalens.app.embedded import embedded_bank
from metalens.app.photographs import add_pairs, add_upload
from metalens.app.restore_service import map_name
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.formats.psf.bank_file import read_psf_bank, write_psf_bank


@pytest.fixture
def ask(studio):
    return lambda **request: asyncio.run(studio.restoring.ask(request))


@pytest.fixture
def opened(ask, project, scene_png):
    """An upload that is smaller than the sensor, opened all the same."""
    given = add_upload(project, scene_png, "scene.png")
    return ask(do="open", key=given.key, adapter="metacamera", any_lens=True, cut=True)


def test_a_picture_of_another_size_waits_for_a_click(ask, project, scene_png):
    given = add_upload(project, scene_png, "scene.png")
    found = ask(do="open", key=given.key, adapter="metacamera")
    assert found == {"foreign": "it has 64 × 80 pixels, the camera metacamera has 400 × 400"}


def test_functions_of_another_lens_wait_for_a_click(ask, project, scene_png, tmp_path):
    bank = read_psf_bank(embedded_bank(project))
    write_psf_bank(tmp_path / "other.h5", replace(bank, camera=bank.camera.with_(lens={"defocus_um": 3.0})))
    given = add_upload(project, scene_png, "scene.png")
    found = ask(do="open", key=given.key, adapter="metacamera", psf="other.h5")
    assert found == {"foreign": "the adapter was trained for metacamera, not for metacamera"}


@pytest.mark.long
def test_every_picture_is_the_command_s_to_the_bit(ask, run, project, opened, tmp_path):
    brush = np.full((64, 80), 30, np.uint8)
    brush[20:40, 20:60] = 220
    folder = tmp_path / opened["folder"]
    write_picture(folder / map_name(brush.tobytes()), brush)
    key = opened["key"]
    capture = next((tmp_path / "metalens-app/photographs" / key).glob("*.png"))
    common = [capture, "--place", "168,160"]
    assert run("restore", *common, "-o", tmp_path / "a", "--alpha", "0.3", "--latents", tmp_path / "latents")[0] == 0
    assert run("restore", *common, "-o", tmp_path / "b", "--alpha", "0.3", "--consistent", "--uncertainty")[0] == 0
    assert run("restore", *common, "-o", tmp_path / "c", "--alpha-map", folder / map_name(brush.tobytes()))[0] == 0
    bank = embedded_bank(project)
    assert run("restore", *common, "-o", tmp_path / "d", "--method", "wiener-joint", "--psf", bank)[0] == 0

    def shown(**request):
        return read_picture(tmp_path / ask(folder=opened["folder"], **request)["picture"])

    def written(name):
        return read_picture(next(tmp_path.glob(name)))

    np.testing.assert_array_equal(shown(do="decode", alpha=0.3), written("a/*-alpha0.3.png"))
    np.testing.assert_array_equal(shown(do="decode", alpha=0.3, consistent=True), written("b/*-alpha0.3.png"))
    np.testing.assert_array_equal(
        shown(do="uncertainty", alpha=0.3, consistent=True), written("b/*-alpha0.3-uncertainty.png")
    )
    np.testing.assert_array_equal(shown(do="decode", alpha=map_name(brush.tobytes())), written("c/*-map.png"))
    filtered = ask(do="wiener", key=key)["picture"]
    np.testing.assert_array_equal(read_picture(tmp_path / filtered), written("d/*-wiener-joint.png"))
    kept = next((tmp_path / "latents").iterdir())
    # The order of the header's keys is not determined.
    ours, theirs = (load_file(path) for path in (folder / "latents.safetensors", kept))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_consistency_of_an_adapter_without_a_block_is_the_command_s_to_the_bit(ask, run, project, scene_png, tmp_path):
    given, bank = add_upload(project, scene_png, "scene.png"), project.relative(embedded_bank(project))
    opened = ask(do="open", key=given.key, adapter="metacamera-200um", psf=bank, any_lens=True, cut=True)
    assert not opened["consistent"]
    picture = ask(do="decode", folder=opened["folder"], alpha=0.3, consistent=True)["picture"]
    capture = next((tmp_path / "metalens-app/photographs" / opened["key"]).glob("*.png"))
    other = ("--adapter", "metacamera-200um", "--psf", tmp_path / bank, "--any-lens", "--consistent")
    assert run("restore", capture, "--place", "168,160", "-o", tmp_path / "b", "--alpha", "0.3", *other)[0] == 0
    np.testing.assert_array_equal(
        read_picture(tmp_path / picture), read_picture(next(tmp_path.glob("b/*-alpha0.3.png")))
    )


def test_kept_latents_are_read_again(studio, ask, opened):
    before = studio.restoring.handlers.latents.pop(next(iter(studio.restoring.handlers.latents)))
    assert ask(do="open", key=opened["key"], adapter="metacamera", any_lens=True) == opened
    (after,) = studio.restoring.handlers.latents.values()
    np.testing.assert_array_equal(after.positive.numpy(), before.positive.numpy())


def test_pairs_bring_their_clean_picture_place_and_figures(studio, ask, project, pairs):
    given, _ = add_pairs(project, project.relative(pairs))
    opened = ask(do="open", key=given.key, adapter="metacamera")
    assert opened["camera"] == "metacamera"
    capture = project.relative(given.capture)
    pictures = {"captured": capture, "clean": f"{given.folder}/clean.png"}
    rows = {
        metric: ask(do="figures", key=given.key, pictures=pictures, metric=metric)["rows"]
        for metric in ("psnr", "ssim", "st_lpips")
    }
    assert all(set(each["captured"]) == {"whole", "centre", "middle", "edge"} for each in rows.values())
    assert rows["ssim"]["clean"]["whole"] == pytest.approx(1)

    # What was measured is kept.
    studio.restoring.handlers.measured[str(given.clean), capture, "psnr"]["whole"] = 99.0
    assert ask(do="figures", key=given.key, pictures=pictures, metric="psnr")["rows"]["captured"]["whole"] == 99.0
