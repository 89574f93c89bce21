"""Raw frames: numbers as they are, and nothing that only looks like them."""

import struct
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from metalens.formats.captures.raw_frames import read_raw_frames
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture

GREY = np.arange(60, dtype=np.uint16).reshape(2, 5, 6) * 1092
COLOUR = np.arange(90, dtype=np.uint8).reshape(5, 6, 3)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_come_through_pictures_unchanged(tmp_path, suffix):
    path = tmp_path / f"frame{suffix}"
    Image.fromarray(GREY[1]).save(path)
    frames = read_raw_frames(path, planes=1)
    assert frames.dtype == np.float32
    np.testing.assert_array_equal(frames, GREY[1:, None])


def test_pages_of_a_tiff_file_are_frames(tmp_path):
    pages = [Image.fromarray(page) for page in GREY]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(read_raw_frames(tmp_path / "stack.tif", planes=1), GREY[:, None])


def test_three_planes_of_a_picture_and_of_arrays(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "frame.png")
    np.save(tmp_path / "frame.npy", COLOUR)
    np.save(tmp_path / "stack.npy", np.stack([COLOUR, COLOUR]))
    planes = np.moveaxis(COLOUR, -1, 0)[None]
    np.testing.assert_array_equal(read_raw_frames(tmp_path / "frame.png", planes=3), planes)
    np.testing.assert_array_equal(read_raw_frames(tmp_path / "frame.npy", planes=3), planes)
    np.testing.assert_array_equal(read_raw_frames(tmp_path / "stack.npy", planes=3), np.repeat(planes, 2, axis=0))


def test_frames_of_an_hdf5_file(tmp_path):
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file.attrs.update(schema="metalens.frames", version=1)
        file["frames"] = GREY
    np.testing.assert_array_equal(read_raw_frames(tmp_path / "stack.h5", planes=1), GREY[:, None])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["frames"] = GREY
    with pytest.raises(InputError, match=r"metalens\.frames"):
        read_raw_frames(tmp_path / "other.h5", planes=1)


def test_a_file_that_is_not_there_or_of_another_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"frame.png: could not be read"):
        read_raw_frames(tmp_path / "frame.png", planes=1)
    with pytest.raises(InputError, match=r"raw frames end in .png, .tif"):
        read_raw_frames(tmp_path / "frame.jpg", planes=1)


@pytest.mark.parametrize(("suffix", "said"), [(".png", "not a PNG file"), (".npy", "not an array"), (".h5", "HDF5")])
def test_damaged_files_are_refused(tmp_path, suffix, said):
    path = tmp_path / f"frame{suffix}"
    path.write_bytes(b"\x89no such thing" * 9)
    with pytest.raises(InputError, match=said):
        read_raw_frames(path, planes=1)


def test_objects_in_an_array_are_never_unpickled(tmp_path):
    np.save(tmp_path / "frame.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="not an array in NPY format"):
        read_raw_frames(tmp_path / "frame.npy", planes=1)


def test_numbers_that_are_not_linear_are_refused(tmp_path):
    said = PngImagePlugin.PngInfo()
    said.add(b"gAMA", (45455).to_bytes(4, "big"))
    Image.fromarray(GREY[0]).save(tmp_path / "frame.png", pnginfo=said)
    with pytest.raises(InputError, match="not linear in the light"):
        read_raw_frames(tmp_path / "frame.png", planes=1)


def sixteen_bit_colour() -> bytes:
    """A PNG of 1 × 1 pixels, RGB of 16 bits, which Pillow cannot write."""
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" + bytes(6))) + chunk(b"IEND", b"")


def test_colour_of_sixteen_bits_is_refused_before_it_is_cut_to_eight(tmp_path):
    (tmp_path / "frame.png").write_bytes(sixteen_bit_colour())
    with pytest.raises(InputError, match=r"RGB of 16 bits would be cut to 8; save it as an array in .npy"):
        read_raw_frames(tmp_path / "frame.png", planes=3)


@pytest.mark.parametrize(
    ("values", "planes", "said"),
    [
        (np.zeros((2, 3, 4, 5)), 1, r"shape \(2, 3, 4, 5\), expected \[y, x\] or \[frame, y, x\]"),
        (np.zeros((4, 5)), 3, r"expected \[y, x, 3\]"),
        (np.zeros((4, 5, 4)), 3, r"expected \[y, x, 3\]"),
        (np.full((4, 5), np.nan), 1, "NaN or infinity"),
        (np.full((4, 5), "a"), 1, "numbers were expected"),
    ],
)
def test_arrays_that_are_no_frames_are_refused(tmp_path, values, planes, said):
    np.save(tmp_path / "frame.npy", values)
    with pytest.raises(InputError, match=said):
        read_raw_frames(tmp_path / "frame.npy", planes=planes)


def test_arrays_of_matlab_are_turned(tmp_path):
    """MATLAB writes an array of (y, x, colour, frame) to HDF5 so that others find (frame, colour, x, y)."""
    frames = np.random.default_rng(1).integers(0, 1000, (2, 5, 7, 3)).astype(np.float32)
    path = tmp_path / "stack.npy"
    np.save(path, frames.transpose(3, 2, 1, 0))
    found = read_raw_frames(path, planes=3, axes="xy")
    np.testing.assert_array_equal(found, np.moveaxis(frames, -1, 1))
    with pytest.raises(InputError, match='MATLAB writes its axes in the opposite order: say axes = "xy"'):
        read_raw_frames(path, planes=3)


def planar_tiff(samples: int, bits: int, pages: int = 1) -> bytes:
    """A TIFF file with each sample in a plane of its own (PlanarConfiguration 2), 5 × 4 pixels."""
    body, previous = bytearray(b"II*\0\0\0\0\0"), 4
    for _ in range(pages):
        planes = len(body)
        body += bytes(20 * samples * bits // 8)
        offsets, counts, depths = len(body), len(body) + 4 * samples, len(body) + 8 * samples
        body += struct.pack(f"<{samples}I", *(planes + 20 * bits // 8 * each for each in range(samples)))
        body += struct.pack(f"<{samples}I{samples}H", *[20 * bits // 8] * samples, *[bits] * samples)
        body += bytes(len(body) % 2)
        struct.pack_into("<I", body, previous, len(body))
        one = samples == 1
        tags = [(256, 4, 1, 5), (257, 4, 1, 4), (258, 3, samples, bits if one else depths), (259, 3, 1, 1)]
        tags += [(262, 3, 1, 1), (273, 4, samples, planes if one else offsets), (277, 3, 1, samples), (278, 4, 1, 4)]
        tags += [(279, 4, samples, 20 * bits // 8 if one else counts), (284, 3, 1, 2)]
        body += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        previous = len(body)
        body += bytes(4)
    return bytes(body)


@pytest.mark.parametrize(
    ("samples", "bits", "pages", "message"),
    [
        (5, 16, 1, "holds 5 samples of 16 bits a pixel in planes of their own"),
        (7, 8, 1, "holds 7 samples of 8 bits a pixel in planes of their own"),
        (1, 16, 3, r"is stored in planes \(PlanarConfiguration 2\), which is not read for grey"),
    ],
)
def test_planes_of_a_tiff_file_are_refused_with_the_true_reason(tmp_path, samples, bits, pages, message):
    path = tmp_path / "stack.tif"
    path.write_bytes(planar_tiff(samples, bits, pages))
    with pytest.raises(InputError, match=message):
        read_raw_frames(path, planes=1)
    if pages == 1:
        with pytest.raises(InputError, match=message):
            read_picture(path)


@pytest.mark.parametrize(
    ("side", "message"),
    [
        (10_000, "large.png: damaged or of .*OSError"),
        (12_000, "at most 128000000"),
        (20_000, "more than"),
    ],
)
def test_the_size_of_large_frames_is_told_without_warnings(tmp_path, side, message):
    size = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    header = struct.pack(">I", 13) + b"IHDR" + size + struct.pack(">I", zlib.crc32(b"IHDR" + size))
    (tmp_path / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 9) + b"IDAT" + b"123456789")
    with pytest.raises(InputError, match=message):
        read_raw_frames(tmp_path / "large.png", planes=1)
