"""What a picture's numbers stand for is read from the file, by both readers alike; previews of raw files are none."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from metalens.formats.captures.raw_frames import read_raw_frames
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.colour_profile import XYZ_D50_TO_SRGB
from metalens.formats.pictures.light import decode_light
from metalens.formats.pictures.pictures import decode_picture
from metalens.formats.pictures.scene import linear_to_srgb, srgb_to_linear

SRGB_TO_XYZ = np.linalg.inv(XYZ_D50_TO_SRGB)
# Wide primaries with D50 as their white.
WIDE = np.array([[0.7976, 0.1352, 0.0313], [0.2880, 0.7119, 0.0001], [0.0, 0.0, 0.8249]])
PICTURE = np.random.default_rng(3).integers(0, 256, (12, 17, 3), dtype=np.uint8)


def profile(name: str, gamma: float, matrix: np.ndarray = SRGB_TO_XYZ) -> bytes:
    """An ICC profile of version 2 with any name."""
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name.encode() + b"\0" + bytes(12 + 67)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * gamma)) + b"\0\0"
    columns = [b"XYZ \0\0\0\0" + struct.pack(">3i", *np.rint(65536 * each).astype(int)) for each in matrix.T]
    names = (b"desc", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")
    parts = [description, *columns, curve, curve, curve]
    place, table, body = 132 + 12 * len(names), b"", b""
    for tag, part in zip(names, parts, strict=True):
        table += struct.pack(">4sII", tag, place + len(body), len(part))
        body += part + bytes(-len(part) % 4)
    head = bytearray(128)
    head[8:12], head[12:16], head[16:20], head[20:24] = b"\x02\x10\0\0", b"mntr", b"RGB ", b"XYZ "
    head[36:40] = b"acsp"
    whole = bytes(head) + struct.pack(">I", len(names)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def grey_profile(gamma: float) -> bytes:
    """An ICC profile of one curve."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * gamma))
    head = bytearray(128)
    head[8:12], head[12:16], head[16:20], head[20:24] = b"\x02\x10\0\0", b"mntr", b"GRAY", b"XYZ "
    whole = bytes(head) + struct.pack(">I4sII", 1, b"kTRC", 144, len(curve)) + curve
    return struct.pack(">I", len(whole)) + whole[4:]


def png(picture: np.ndarray, **options: object) -> bytes:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG", **options)
    return data.getvalue()


def with_gamma(data: bytes, gamma: float) -> bytes:
    """The same PNG with a gAMA chunk behind its header."""
    import zlib

    chunk = b"gAMA" + struct.pack(">I", round(100_000 * gamma))
    return data[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


@pytest.mark.parametrize("name", ["GIMP built-in Linear sRGB", "anything"])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.19921875])
@pytest.mark.parametrize("matrix", [SRGB_TO_XYZ, WIDE], ids=["srgb", "wide"])
def test_a_profile_is_what_it_holds_and_not_what_it_is_called(name, gamma, matrix):
    data = png(PICTURE, icc_profile=profile(name, gamma, matrix))
    light = np.clip((PICTURE / 255) ** (round(256 * gamma) / 256) @ (XYZ_D50_TO_SRGB @ matrix).T, 0, None)
    assert decode_light(data, origin="a").whole() == pytest.approx(light, abs=2e-3)
    found = decode_picture(data, origin="a")
    assert np.abs(found - 255 * linear_to_srgb(light)).max() <= 3


@pytest.mark.parametrize("gamma", [1.0, 0.55556, 0.45455])
def test_the_gamma_of_a_png_is_followed(gamma):
    data = with_gamma(png(PICTURE), gamma)
    light = srgb_to_linear(PICTURE) if gamma == 0.45455 else (PICTURE / 255) ** (1 / gamma)
    assert decode_light(data, origin="a").whole() == pytest.approx(light, abs=1e-4)
    assert np.abs(decode_picture(data, origin="a") - 255 * linear_to_srgb(light)).max() <= 1
    grey = with_gamma(png(PICTURE[..., 0]), gamma)
    assert decode_light(grey, origin="a").whole()[..., 1] == pytest.approx(light[..., 0], abs=1e-4)


@pytest.mark.parametrize("bits", [8, 16])
def test_the_curve_of_a_grey_profile_is_followed(bits):
    grey = PICTURE[..., 0] if bits == 8 else PICTURE[..., 0].astype(np.uint16) * 257
    data = png(grey, icc_profile=grey_profile(1.0))
    light = np.repeat(PICTURE[..., :1] / 255, 3, axis=-1)
    assert decode_light(data, origin="a").whole() == pytest.approx(light, abs=1e-4)
    assert np.abs(decode_picture(data, origin="a") - 255 * linear_to_srgb(light)).max() <= 1


def test_a_profile_counts_more_than_a_gamma():
    data = with_gamma(png(PICTURE, icc_profile=profile("a", 1.0)), 0.3)
    assert decode_light(data, origin="a").whole() == pytest.approx(PICTURE / 255, abs=2e-3)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({254: 1}, "its first page is a preview, as raw files have it; develop or export it first"),
        ({50706: b"\1\4\0\0"}, r"is a raw file of a camera \(DNG\)"),
    ],
)
def test_the_preview_of_a_raw_file_is_not_the_picture(tmp_path, tags, message):
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for number, value in tags.items():
        info.tagtype[number] = 1 if isinstance(value, bytes) else 4
        info[number] = value
    path = tmp_path / "raw.tif"
    Image.fromarray(PICTURE[..., 0]).save(path, tiffinfo=info)
    for read in (
        lambda: decode_picture(path.read_bytes(), origin="raw.tif"),
        lambda: decode_light(path.read_bytes(), origin="raw.tif").whole(),
        lambda: read_raw_frames(path, planes=1),
    ):
        with pytest.raises(InputError, match=message):
            read()
