import contextlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from metalens.formats.files.errors import InputError
from metalens.formats.pictures import pictures
from metalens.formats.pictures.pictures import decode_picture, list_pictures, read_picture, write_picture

COLOURS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def test_picture_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", COLOURS)
    assert (read_picture(tmp_path / "a.png") == COLOURS).all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "PPM"])
def test_lossless_formats_read_exactly(form: str) -> None:
    assert (decode_picture(encoded(Image.fromarray(COLOURS), form), origin="a") == COLOURS).all()


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_lossy_formats_read(form: str) -> None:
    smooth = np.full((20, 30, 3), (200, 100, 50), dtype=np.uint8)
    found = decode_picture(encoded(Image.fromarray(smooth), form, quality=95), origin="a")
    assert np.abs(found.astype(int) - smooth).max() < 8


def test_grey_is_repeated_over_the_channels() -> None:
    grey = COLOURS[..., 0]
    found = decode_picture(encoded(Image.fromarray(grey), "PNG"), origin="a")
    assert (found == grey[..., None]).all()


def test_16_bit_grey_is_rounded_to_8_bits() -> None:
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    found = decode_picture(encoded(Image.fromarray(values), "PNG"), origin="a")
    assert found[0, :, 0].tolist() == [0, 1, 128, 255]


def test_palette_is_resolved() -> None:
    palette = Image.fromarray(COLOURS).quantize(16)
    found = decode_picture(encoded(palette, "PNG"), origin="a")
    assert (found == np.asarray(palette.convert("RGB"))).all()


def test_exif_orientation_is_honoured() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by a quarter clockwise
    found = decode_picture(encoded(Image.fromarray(COLOURS), "PNG", exif=exif), origin="a")
    assert (found == np.rot90(COLOURS, -1)).all()


def test_opaque_alpha_is_dropped_and_transparency_refused() -> None:
    alpha = np.full((20, 30, 1), 255, dtype=np.uint8)
    opaque = np.concatenate([COLOURS, alpha], axis=2)
    assert (decode_picture(encoded(Image.fromarray(opaque), "PNG"), origin="a") == COLOURS).all()
    opaque[3, 4, 3] = 254
    with pytest.raises(InputError, match="transparent pixels"):
        decode_picture(encoded(Image.fromarray(opaque), "PNG"), origin="a")


def test_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = decode_picture(encoded(Image.fromarray(COLOURS), "PNG", icc_profile=profile), origin="a")
    assert np.abs(found.astype(int) - COLOURS).max() <= 1


def test_broken_profile_changes_nothing() -> None:
    found = decode_picture(encoded(Image.fromarray(COLOURS), "PNG", icc_profile=b"junk"), origin="a")
    assert (found == COLOURS).all()


@pytest.mark.parametrize(
    ("picture", "form", "message"),
    [
        (Image.new("CMYK", (4, 4)), "JPEG", "pixels are CMYK"),
        (Image.new("F", (4, 4)), "TIFF", "pixels are F"),
        (Image.new("I", (4, 4)), "TIFF", "pixels are I"),
        (Image.new("LAB", (4, 4)), "TIFF", "pixels are LAB"),
    ],
)
def test_colours_other_than_rgb_and_grey_are_refused(picture: Image.Image, form: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_picture(encoded(picture, form), origin="a")


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_several_frames_are_refused(form: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "green")]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="several frames or pages"):
        decode_picture(data, origin="a")


def test_more_pixels_than_the_limit_are_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(COLOURS), "PNG")
    monkeypatch.setattr(pictures, "MAXIMUM_PIXELS", 599)
    with pytest.raises(InputError, match="30 × 20 pixels, at most 599"):
        decode_picture(data, origin="a")


def test_decompression_bomb_is_refused() -> None:
    header = bytearray(encoded(Image.new("1", (8, 8)), "PNG"))
    header[16:24] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(InputError, match="a: "):
        decode_picture(bytes(header), origin="a")


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(20)])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="a: "):
        decode_picture(data, origin="a")


def test_gif_is_refused_although_pillow_could_read_it() -> None:
    with pytest.raises(InputError, match="give a PNG, JPEG, WebP"):
        decode_picture(encoded(Image.new("P", (4, 4)), "GIF"), origin="a")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM"])
@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 0.95))
def test_truncated_picture_is_refused(form: str, share: float) -> None:
    data = encoded(Image.fromarray(COLOURS), form)
    with pytest.raises(InputError, match="a: "):
        decode_picture(data[: int(share * len(data))], origin="a")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_damaged_picture_reads_or_gives_an_input_error(form: str, data: st.DataObject) -> None:
    damaged = bytearray(encoded(Image.fromarray(COLOURS), form))
    for _ in range(3):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    # Any other error than this one fails the test.
    with contextlib.suppress(InputError):
        assert decode_picture(bytes(damaged), origin="a").ndim == 3


def test_a_damaged_file_is_told_by_the_error_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros((4, 4, 3), dtype=np.uint8)).save(tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    samples = content.index(bytes([0x15, 0x01, 3, 0])) + 8  # the value of tag 277, SamplesPerPixel
    (tmp_path / "a.tif").write_bytes(content[:samples] + b"\x80\x01" + content[samples + 2 :])
    # In a process of its own: tests have handlers.
    code = "import sys; from metalens.formats.pictures.pictures import read_picture as r, InputError as E\n"
    code += "try:\n    r(sys.argv[1])\nexcept E:\n    print('refused')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.tif")], check=True)
    assert capfd.readouterr() == ("refused\n", "")


def test_missing_file_and_folder_in_its_place_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(InputError, match=r"could not be read|is a folder, a picture is a file"):
            read_picture(path)


@pytest.mark.parametrize(
    "array", [COLOURS.astype(float), COLOURS[..., :2], COLOURS[:0], np.zeros(5, np.uint8), COLOURS[None]]
)
def test_what_is_no_picture_is_not_written(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_picture(tmp_path / "a.png", array)
    assert not list(tmp_path.iterdir())


def test_folders_are_listed_in_order_without_hidden_or_other_files(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "inner/c.webp", ".hidden.png", ".dir/d.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    names = [path.relative_to(tmp_path).as_posix() for path in list_pictures([tmp_path])]
    assert names == ["a.JPG", "b.png", "inner/c.webp"]


def test_named_files_come_first_in_the_order_given_and_none_twice(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "strange.raw"):
        (tmp_path / name).touch()
    found = list_pictures([tmp_path / "strange.raw", tmp_path / "b.png", tmp_path])
    assert [path.name for path in found] == ["strange.raw", "b.png", "a.png"]


def test_nothing_found_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picture found"):
        list_pictures([tmp_path])
    with pytest.raises(InputError, match="nothing was given"):
        list_pictures([])
    with pytest.raises(InputError, match="no such file or folder"):
        list_pictures([tmp_path / "nowhere"])
