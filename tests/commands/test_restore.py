"""``metalens restore`` with the embedded adapter: pictures, kept latents, and one sentence for each bad input."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from metalens.cli import main
from metalens.commands.restored import distortion_for
from metalens.formats.camera.unknown import unknown_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.inference.picture import restore_picture


@pytest.fixture
def run(monkeypatch, capfd):
    """Run ``metalens restore`` in this process and hold it to an exit status: arguments → (stdout, stderr)."""

    def call(*arguments: object, status: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["metalens", "restore", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capfd.readouterr()
        assert int(stopped.value.code or 0) == status, captured.err
        return captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """A part of a frame of 64 × 96 pixels, to be quick."""
    path = tmp_path_factory.mktemp("captures") / "a.png"
    y, x = np.mgrid[:64, :96]
    picture = np.stack([x * 2, y * 3, 128 + 60 * np.sign(np.sin(x / 6))], axis=-1)
    write_picture(path, picture.astype(np.uint8))
    return path


@pytest.mark.long
def test_latents_that_were_kept_give_the_same_picture_and_any_other(run, part, tmp_path):
    out, kept, more = tmp_path / "out", tmp_path / "kept", tmp_path / "more"
    answered = json.loads(run(part, "-o", out, "--place", "32,100", "--alpha", "0,1", "--latents", kept, "--json")[0])
    assert [row["alpha"] for row in answered["restored"]] == ["0", "1"]
    assert answered["latents"] == str(kept)
    run(kept, "-o", more, "--alpha", "1,1.05")
    assert sorted(path.name for path in more.iterdir()) == ["a-alpha1.05.png", "a-alpha1.png", "restoration.json"]
    np.testing.assert_array_equal(read_picture(more / "a-alpha1.png"), read_picture(out / "a-alpha1.png"))
    brush = np.zeros((64, 96), np.uint8)
    write_picture(tmp_path / "brush.png", brush)
    run(kept / "a.safetensors", "-o", tmp_path / "brushed", "--alpha-map", tmp_path / "brush.png")
    brushed = read_picture(tmp_path / "brushed" / "a-map.png")
    np.testing.assert_array_equal(brushed, read_picture(out / "a-alpha0.png"))


def test_without_the_block_the_pictures_are_those_of_the_networks(run, part, tmp_path):
    run(part, "-o", tmp_path / "out", "--place", "32,100")
    run(part, "-o", tmp_path / "alone", "--place", "32,100", "--without-consistency")
    whole, alone = (read_picture(tmp_path / name / "a-alpha0.75.png") for name in ("out", "alone"))
    networks = load_restorer("metacamera")
    networks.leave_out_consistency()
    np.testing.assert_array_equal(alone, restore_picture(read_picture(part), networks, place=(32, 100)))
    assert np.abs(whole.astype(int) - alone).max() > 1
    # A run with the block is not gone on with without it.
    _, error = run(part, "-o", tmp_path / "out", "--place", "32,100", "--without-consistency", "--resume", status=1)
    assert "adapter" in error


def test_the_command_and_python_restore_the_same_bits(run, part, tmp_path):
    run(part, "-o", tmp_path / "out", "--place", "32,100")
    by_command, picture = read_picture(tmp_path / "out" / "a-alpha0.75.png"), read_picture(part)
    for adapter in ("metacamera", load_restorer("metacamera")):
        np.testing.assert_array_equal(restore_picture(picture, adapter, place=(32, 100)), by_command)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--alpha", "3"], "--alpha 3: expected"),
        ([], "a: a capture of 64 × 96 pixels (rows × columns); camera metacamera takes 400 × 400"),
        (["--place", "390,0"], "at row 390, column 0 does not lie on the sensor"),
        (["--place", "0,0", "--tile", "32"], "--tile 32: this prior needs tiles of 64 pixels or more"),
        (["--prior", "nowhere"], "nowhere: no such prior"),
    ],
)
def test_what_cannot_be_used_is_refused_and_leaves_nothing(run, part, tmp_path, options, message):
    _, error = run(part, "-o", tmp_path / "out", *options, status=1)
    assert message in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [["--alpha", "much"], ["--alpha", "nan"], ["--place", "here"], ["--steps", "5"]])
def test_options_that_are_no_numbers_are_refused(run, part, tmp_path, options):
    assert f"Invalid value for '{options[0]}'" in run(part, "-o", tmp_path / "out", *options, status=2)[1]


def test_a_map_of_another_size_and_latents_of_latents_are_refused(run, part, tmp_path):
    write_picture(tmp_path / "brush.png", np.zeros((64, 64), np.uint8))
    place = ("--place", "0,0")
    _, error = run(part, "-o", tmp_path / "out", *place, "--alpha-map", tmp_path / "brush.png", status=1)
    assert "--alpha-map: 64 × 64 pixels, a has 64 × 96" in error
    run(part, "-o", tmp_path / "out", *place, "--latents", tmp_path / "kept")
    _, error = run(tmp_path / "kept", "-o", tmp_path / "more", "--latents", tmp_path / "again", status=1)
    assert "the captures are latents already" in error


@pytest.fixture(scope="module")
def bank_file(tmp_path_factory):
    """A bank of 2 × 2 fields and one wavelength a channel of the metacamera."""
    from metalens.formats.camera.camera import read_camera
    from metalens.formats.psf.bank_file import write_psf_bank
    from metalens.psf.bank import simulate_bank

    path = tmp_path_factory.mktemp("bank") / "psf.h5"
    write_psf_bank(path, simulate_bank(read_camera("metacamera"), fields=(2, 2), wavelengths_per_channel=1))
    return path


def test_the_joint_filter_restores_files_as_it_restores_arrays(run, part, bank_file, tmp_path):
    from metalens.formats.psf.bank_file import read_psf_bank
    from metalens.restore.deconvolution.joint_wiener import wiener_joint

    filtered = ("--method", "wiener-joint", "--psf", bank_file, "--place", "32,100")
    answered = json.loads(run(part, "-o", tmp_path / "out", *filtered, "--noise-scale", "3", "--json")[0])
    assert answered["restored"] == [{"capture": "a", "restored": str(tmp_path / "out" / "a-wiener-joint.png")}]
    expected = wiener_joint(read_picture(part), read_psf_bank(bank_file), 3.0, place=(32, 100))
    np.testing.assert_array_equal(read_picture(tmp_path / "out" / "a-wiener-joint.png"), expected)


def test_distortion_is_that_of_the_cameras_lens(run, part, bank_file, tmp_path):
    """The lens of metacamera is its own stop and has none; of an unknown camera none is known."""
    filtered = (part, "--method", "wiener-joint", "--psf", bank_file, "--place", "32,100")
    run(*filtered, "-o", tmp_path / "out")
    told = run(*filtered, "-o", tmp_path / "straight", "--undistort")[1]
    assert "--undistort, metacamera: its lens has no distortion, the pictures stay as they are." in told
    plain, straight = (read_picture(tmp_path / name / "a-wiener-joint.png") for name in ("out", "straight"))
    np.testing.assert_array_equal(straight, plain)
    with pytest.raises(InputError, match="--undistort needs the lens of the captures' camera, which is unknown"):
        distortion_for(unknown_camera((64, 64)))


def test_the_joint_filter_refuses_what_is_not_its_own(run, part, bank_file, tmp_path):
    method = (part, "-o", tmp_path / "out", "--method", "wiener-joint")
    assert "needs --psf, the psf.h5 of the camera" in run(*method, status=1)[1]
    error = run(*method, "--psf", bank_file, "--alpha", "1", "--consistent", status=2)[1]
    assert "--alpha, --consistent: of the restorer" in error
    assert "a: " in run(*method, "--psf", bank_file, status=1)[1]
    assert (
        "--noise-scale is of --method wiener-joint"
        in run(part, "-o", tmp_path / "o", "--noise-scale", "1", status=2)[1]
    )
    assert not (tmp_path / "out").exists()


def test_sixteen_bits_and_linear_light_are_written_with_what_the_camera_said(run, tmp_path):
    from PIL import ExifTags, Image

    from metalens.formats.pictures.light import read_light

    said = Image.Exif()
    said[ExifTags.Base.Model] = "Model X"
    y, x = np.mgrid[:64, :96]
    Image.fromarray(np.stack([x * 2, y * 3, x + y], axis=-1).astype(np.uint8)).save(tmp_path / "a.jpg", exif=said)
    place = ("--place", "32,100", "--json")
    run(tmp_path / "a.jpg", "-o", tmp_path / "png", *place, "--depth", "16")
    run(tmp_path / "a.jpg", "-o", tmp_path / "exr", *place, "--linear")
    run(tmp_path / "a.jpg", "-o", tmp_path / "tiff", *place, "--depth", "16", "--format", "tiff")
    png, tiff = tmp_path / "png" / "a-alpha0.75.png", tmp_path / "tiff" / "a-alpha0.75.tif"
    light = read_light(tmp_path / "exr" / "a-alpha0.75.exr")
    np.testing.assert_array_equal(read_light(png), read_light(tiff))
    np.testing.assert_allclose(read_light(png), light, atol=2e-5)
    with Image.open(png) as written:
        assert written.getexif()[ExifTags.Base.Model] == "Model X"
    error = run(tmp_path / "a.jpg", "-o", tmp_path / "no", "--linear", "--depth", "8", status=2)[1]
    assert "--depth is of sRGB; --linear writes OpenEXR" in error


def test_a_folder_with_a_bad_picture_restores_the_rest_and_ends_with_status_1(run, part, tmp_path):
    captures = tmp_path / "captures"
    captures.mkdir()
    (captures / "a.png").write_bytes(part.read_bytes())
    (captures / "b.png").write_bytes(part.read_bytes()[:200])
    place = ("-o", tmp_path / "out", "--place", "32,100")
    out, error = run(captures, *place, "--json", status=1)
    answered = json.loads(out)
    assert [row["capture"] for row in answered["restored"]] == ["a"]
    assert [each["capture"] for each in answered["failed"]] == ["b"]
    assert "failed b: " in error
    assert "damaged or cut short" in error
    out, error = run(captures, *place, "--resume", status=1)
    assert "0 pictures from 2 captures; 1 capture had been restored; 1 capture failed" in out
    (captures / "b.png").write_bytes(part.read_bytes())
    out, _ = run(captures, *place, "--resume")
    assert "1 picture from 2 captures; 1 capture had been restored" in out


def test_a_raw_file_is_restored_as_its_development_is(run, tmp_path):
    from metalens.formats.camera.camera import read_camera
    from metalens.formats.captures.capture_picture import read_capture
    from metalens.formats.pictures.picture_output import PictureForm, write_values

    from ..formats.captures.dng import grey_mosaic, write_dng

    sensor = read_camera("metacamera").sensor
    y, x = np.mgrid[:64, :96]
    path = write_dng(tmp_path / "a.dng", grey_mosaic(0.3 + 0.2 * np.sin(x / 7) * np.cos(y / 9), sensor.bayer))
    write_values(tmp_path / "b.png", read_capture(path, sensor), PictureForm("png", 16))
    run(path, tmp_path / "b.png", "-o", tmp_path / "out", "--place", "32,100", "--alpha", "1")
    found = [read_picture(tmp_path / "out" / f"{name}-alpha1.png").astype(int) for name in "ab"]
    # Rounding the development to 16 bits may move a value across the middle of a step.
    assert np.abs(found[0] - found[1]).max() <= 1
