import io
import struct
import zlib
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image, ImageCms

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.colour_profile import matrix_profile
from metalens.formats.pictures.light import decode_light, read_light
from metalens.formats.pictures.scene import srgb_to_linear

VALUES = np.random.default_rng(0).integers(0, 65536, (7, 5, 3), dtype=np.uint16)


def png_of_16_bits(values: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """PNG (third edition, section 11), every line unfiltered."""
    rows, columns, _ = values.shape

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 16, 2, 0, 0, 0))
    more = b"".join(chunk(*each) for each in chunks)
    return b"\x89PNG\r\n\x1a\n" + header + more + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def profile_of(matrix: np.ndarray, curve: bytes) -> bytes:
    """ICC profile of three columns of a matrix and one curve."""
    tags = {
        name: b"XYZ \0\0\0\0" + b"".join(map(s15, column))
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    offset, table, content = 132 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, offset + len(content), len(tag))
        content += tag
    header = bytearray(128)
    header[16:24] = b"RGB XYZ "
    return bytes(header) + struct.pack(">I", len(tags)) + table + content


def test_all_16_bits_of_a_colour_png_are_read() -> None:
    assert decode_light(png_of_16_bits(VALUES), origin="a").whole() == pytest.approx(
        srgb_to_linear(VALUES / 65535), abs=1e-6
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_all_16_bits_of_a_colour_tiff_are_read(order: str) -> None:
    values = VALUES.astype(f"{order}u2")
    entries = [(256, 3, 1, 5), (257, 3, 1, 7), (258, 3, 3, 134), (259, 3, 1, 1), (262, 3, 1, 2)]
    entries += [(273, 4, 1, 140), (277, 3, 1, 3), (278, 3, 1, 7), (279, 4, 1, values.nbytes)]
    mark = b"II" if order == "<" else b"MM"
    data = mark + struct.pack(f"{order}HIH", 42, 8, len(entries))
    for tag, kind, count, value in entries:
        short = kind == 3 and count == 1
        data += struct.pack(f"{order}HHI", tag, kind, count)
        data += struct.pack(f"{order}HH", value, 0) if short else struct.pack(f"{order}I", value)
    data += struct.pack(f"{order}I", 0)
    data = data.ljust(134, b"\0") + struct.pack(f"{order}3H", 16, 16, 16) + values.tobytes()
    assert decode_light(data, origin="a").whole() == pytest.approx(srgb_to_linear(VALUES / 65535), abs=1e-6)


def test_8_bits_read_as_srgb_and_16_bit_grey_is_repeated() -> None:
    buffer = io.BytesIO()
    eight = (VALUES >> 8).astype(np.uint8)
    Image.fromarray(eight).save(buffer, "PNG")
    assert (decode_light(buffer.getvalue(), origin="a").whole() == srgb_to_linear(eight)).all()
    buffer = io.BytesIO()
    Image.fromarray(VALUES[..., 0]).save(buffer, "PNG")
    expected = srgb_to_linear(VALUES[..., :1] / 65535).repeat(3, axis=2)
    assert decode_light(buffer.getvalue(), origin="a").whole() == pytest.approx(expected, abs=1e-6)


def test_orientation_of_16_bits_is_honoured() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = png_of_16_bits(VALUES, (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    expected = srgb_to_linear(np.rot90(VALUES, -1) / 65535)
    assert decode_light(data, origin="a").whole() == pytest.approx(expected, abs=1e-6)


def test_the_srgb_profile_says_what_the_standard_says() -> None:
    profile = matrix_profile(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert profile is not None
    values = VALUES / 65535
    # Profiles round their matrix to 1/65536, and D50 in its last digit.
    assert profile.to_light(values) == pytest.approx(srgb_to_linear(values), abs=5e-4)


@pytest.mark.parametrize(
    "curve",
    [
        b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)),
        b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + s15(2.19921875),
    ],
)
def test_a_wide_profile_is_applied_to_all_16_bits(curve: bytes) -> None:
    # Adobe RGB (1998) under D50; its green, 2.2 being 563/256 there, lies outside sRGB.
    matrix = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
    profile = matrix_profile(profile_of(matrix, curve))
    assert profile is not None
    white = profile.to_light(np.ones((1, 1, 3)))
    assert white == pytest.approx(np.ones((1, 1, 3)), abs=2e-3)
    icc = b"a\0\0" + zlib.compress(profile_of(matrix, curve))
    found = decode_light(png_of_16_bits(VALUES, (b"iCCP", icc)), origin="a").whole()
    assert found == pytest.approx(np.clip(profile.to_light(VALUES / 65535), 0, None), abs=1e-6)
    # In linear light red is 1.398 times sRGB's, and has none of its green.
    red = profile.to_light(np.array([[[1.0, 0, 0]]]))[0, 0]
    assert red == pytest.approx([1.3984, 0, 0], abs=2e-3)


@pytest.mark.parametrize("data", [b"", b"junk" * 50, bytes(16) + b"RGB XYZ " + bytes(300)])
def test_what_is_no_matrix_profile_is_none(data: bytes) -> None:
    assert matrix_profile(data) is None


def write_exr(path: Path, channels: dict[str, np.ndarray], **header: object) -> None:
    with OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, **header}, channels) as file:
        file.write(str(path))


def test_exr_is_linear_and_may_be_brighter_than_white(tmp_path: Path) -> None:
    light = np.random.default_rng(0).random((6, 8, 3)).astype(np.float32) * 5
    write_exr(tmp_path / "a.exr", {name: light[..., each].copy() for each, name in enumerate("RGB")})
    assert read_light(tmp_path / "a.exr") == pytest.approx(light, rel=1e-6)


def test_a_damaged_exr_is_told_by_the_error_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    light = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    write_exr(tmp_path / "a.exr", {name: light[..., each].copy() for each, name in enumerate("RGB")})
    content = (tmp_path / "a.exr").read_bytes()
    for size in (len(content) // 3, len(content) - 2000, len(content) - 5):
        (tmp_path / "a.exr").write_bytes(content[:size])
        with pytest.raises(InputError, match=r"a\.exr: damaged"):
            read_light(tmp_path / "a.exr")
    print("still heard", flush=True)
    assert capfd.readouterr() == ("still heard\n", "")


def test_exr_that_cannot_be_light_is_refused(tmp_path: Path) -> None:
    plane = np.ones((4, 4), dtype=np.float32)
    write_exr(tmp_path / "grey.exr", {"Y": plane})
    with pytest.raises(InputError, match="channels R, G and B"):
        read_light(tmp_path / "grey.exr")
    write_exr(tmp_path / "nan.exr", {"R": plane, "G": plane, "B": plane * np.nan})
    with pytest.raises(InputError, match="NaN or infinity"):
        read_light(tmp_path / "nan.exr")
    (tmp_path / "junk.exr").write_bytes(b"junk")
    with pytest.raises(InputError, match="damaged, or no OpenEXR file"):
        read_light(tmp_path / "junk.exr")
    with pytest.raises(InputError, match="no such file"):
        read_light(tmp_path / "missing.exr")


def test_a_damaged_16_bit_picture_is_refused() -> None:
    data = png_of_16_bits(VALUES)
    with pytest.raises(InputError, match="a: "):
        decode_light(data[: len(data) // 2], origin="a").whole()
