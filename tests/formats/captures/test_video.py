"""Videos as captures: their frames to the bit, and only from a plain file."""

import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import pytest

from metalens.formats.captures.video import open_video
from metalens.formats.files.errors import InputError

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), dtype=np.uint8)


def write_video(path, frames, *, stored="bgr0"):
    """A lossless video (FFV1) of ``[frame, y, x, 3]`` uint8 or uint16."""
    given = "rgb24" if frames.dtype == np.uint8 else "rgb48le"
    source = ["-f", "rawvideo", "-pix_fmt", given, "-s", f"{frames.shape[2]}x{frames.shape[1]}", "-r", "10", "-i", "-"]
    stored = ["-c:v", "ffv1", "-pix_fmt", stored, str(path)]
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([program, "-v", "error", *source, *stored], input=frames.tobytes(), check=True)
    return path


def test_frames_are_those_that_were_written_in_any_order(tmp_path):
    video = open_video(write_video(tmp_path / "a.mkv", FRAMES))
    assert video.frames == 5
    for number in (0, 1, 3, 3, 0, 4):
        np.testing.assert_array_equal(video.frame(number), FRAMES[number])
    with pytest.raises(InputError, match="its frame 5 cannot be read"):
        video.frame(5)
    video.close()


def test_more_than_8_bits_are_floats(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (2, 48, 64, 3), dtype=np.uint16)
    video = open_video(write_video(tmp_path / "a.mkv", deep, stored="gbrp16le"))
    assert video.frame(0).dtype == np.float32
    np.testing.assert_array_equal(np.rint(65535 * video.frame(1)), deep[1])
    video.close()


@pytest.mark.parametrize(
    "content",
    [
        lambda whole, path: b"ffconcat version 1.0\nfile '" + str(path).encode() + b"'\n",
        lambda whole, path: b"#EXTM3U\n#EXTINF:10,\n" + str(path).encode() + b"\n",
        lambda whole, path: whole[:3000],
        lambda whole, path: b"",
    ],
    ids=["list", "playlist", "cut short", "empty"],
)
def test_what_is_no_video_or_leads_to_another_file_is_refused(tmp_path, content):
    whole = write_video(tmp_path / "a.mkv", FRAMES)
    path = tmp_path / "b.mkv"
    path.write_bytes(content(whole.read_bytes(), whole))
    with pytest.raises(InputError, match=r"b\.mkv: no video that can be read"):
        open_video(path)


def test_without_the_extra_a_video_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(InputError, match=r"a\.mp4: the package imageio-ffmpeg is not installed; run .*\[video\]"):
        open_video(path)
