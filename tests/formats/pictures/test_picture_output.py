"""Restored pictures as files: every bit, the colours named, and what the camera said kept."""

import numpy as np
import OpenEXR
import pytest
from PIL import ExifTags, Image

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.light import read_light
from metalens.formats.pictures.metadata import NO_METADATA, Metadata, read_metadata
from metalens.formats.pictures.picture_output import PictureForm, srgb_profile, to_16_bit, write_values
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.scene import srgb_to_linear, to_8_bit

from ..captures.dng import write_dng

VALUES = np.random.default_rng(0).random((20, 31, 3), dtype=np.float32)
FORMS = [PictureForm("png", 8), PictureForm("png", 16), PictureForm("tiff", 8), PictureForm("tiff", 16)]


@pytest.fixture
def photograph(tmp_path):
    """A JPEG as a camera writes it, lying on its side."""
    said = Image.Exif()
    said[ExifTags.Base.Make], said[ExifTags.Base.Model] = "Maker", "Model X"
    said[ExifTags.Base.DateTime], said[ExifTags.Base.Orientation] = "2026:01:02 03:04:05", 6
    said.get_ifd(ExifTags.IFD.Exif).update(
        {ExifTags.Base.ExposureTime: 0.01, ExifTags.Base.MakerNote: b"a secret", ExifTags.Base.ExifImageWidth: 31}
    )
    said.get_ifd(ExifTags.IFD.GPSInfo).update({ExifTags.GPS.GPSLatitudeRef: "N"})
    path = tmp_path / "photograph.jpg"
    Image.fromarray(np.zeros((20, 31, 3), np.uint8)).save(path, exif=said)
    return path


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_values_are_rounded_once_to_the_bits_of_the_file(tmp_path, form):
    path = tmp_path / f"a{form.suffix}"
    write_values(path, VALUES, form)
    np.testing.assert_array_equal(read_picture(path), to_8_bit(VALUES) if form.depth == 8 else to_16_bit(VALUES) >> 8)
    steps = 255 if form.depth == 8 else 65535
    # Half a step of the file, on a curve whose slope is 2.3 at most.
    assert np.abs(read_light(path) - srgb_to_linear(VALUES)).max() < 2.3 * 0.5 / steps + 1e-6


def test_light_is_written_in_floats_with_its_primaries(tmp_path):
    path = tmp_path / "a.exr"
    write_values(path, VALUES, PictureForm("exr", 16))
    np.testing.assert_array_equal(read_light(path), srgb_to_linear(VALUES))
    with OpenEXR.File(str(path)) as file:
        assert "chromaticities" in file.header()


def test_what_the_camera_said_is_kept_but_not_what_became_untrue(tmp_path, photograph):
    metadata = read_metadata(photograph)
    for form in (PictureForm("png", 8), PictureForm("png", 16)):
        write_values(tmp_path / "a.png", VALUES, form, metadata)
        with Image.open(tmp_path / "a.png") as written:
            assert written.info["srgb"] == 0
            said = written.getexif()
        assert (said[ExifTags.Base.Make], said[ExifTags.Base.DateTime]) == ("Maker", "2026:01:02 03:04:05")
        assert ExifTags.Base.Orientation not in said
        inner = said.get_ifd(ExifTags.IFD.Exif)
        assert inner == {ExifTags.Base.ExposureTime: pytest.approx(0.01), ExifTags.Base.ColorSpace: 1}
        assert said.get_ifd(ExifTags.IFD.GPSInfo) == {ExifTags.GPS.GPSLatitudeRef: "N"}


@pytest.mark.parametrize("depth", [8, 16])
def test_a_tiff_file_has_the_texts_and_a_profile_of_srgb_that_never_changes(tmp_path, photograph, depth):
    write_values(tmp_path / "a.tif", VALUES, PictureForm("tiff", depth), read_metadata(photograph))
    with Image.open(tmp_path / "a.tif") as written:
        assert written.getexif()[ExifTags.Base.Model] == "Model X"
        assert written.info["icc_profile"] == srgb_profile()


def test_an_openexr_file_has_the_texts(tmp_path, photograph):
    write_values(tmp_path / "a.exr", VALUES, PictureForm("exr", 16), read_metadata(photograph))
    with OpenEXR.File(str(tmp_path / "a.exr")) as file:
        assert file.header()["cameraModel"] == "Model X"
        assert file.header()["capDate"] == "2026:01:02 03:04:05"


def test_a_raw_file_gives_its_texts_and_a_file_without_any_gives_none(tmp_path):
    path = write_dng(tmp_path / "a.dng", np.full((32, 32), 500, np.uint16))
    assert read_metadata(path).texts == {ExifTags.Base.Make: "Maker", ExifTags.Base.Model: "Model X"}
    write_values(tmp_path / "a.png", VALUES, FORMS[0])
    assert read_metadata(tmp_path / "a.png") == NO_METADATA


def test_a_block_that_is_too_large_is_left_out_and_told(tmp_path):
    said = Image.Exif()
    said[ExifTags.Base.ImageDescription] = 100_000 * "x"
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((20, 31, 3), np.uint8)).save(path, exif=said)
    assert read_metadata(path) == Metadata(carried=False)


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="its folder"):
        write_values(tmp_path / "nowhere" / "a.png", VALUES, FORMS[1])
