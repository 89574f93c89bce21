"""Videos as captures: their frames, one after another, decoded by FFmpeg in a process of its own.

imageio-ffmpeg (BSD-2-Clause), of the extra ``video``, brings the program FFmpeg (GPL), which writes each frame as a PPM
picture into a pipe. Only plain containers are opened, and only from files: a playlist would lead to other files and
addresses.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import require
from metalens.formats.files.input_file import input_file
from metalens.formats.pictures.pictures import MAXIMUM_PIXELS

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
"""What videos end in."""

LARGEST_FILE = 2**38
MOST_FRAMES = 1_000_000

_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"
_HEADER = re.compile(rb"P6 (\d{1,6}) (\d{1,6}) (255|65535)")
_GUARDED = ["-protocol_whitelist", "file,pipe", "-format_whitelist", _CONTAINERS, "-noautorotate"]


def is_video(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name is that of a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


@dataclass
class Video:
    """An opened video; frames are read best in their order.

    Attributes:
        path: of its file.
        frames: their number.
    """

    path: Path
    frames: int
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _next: int = 0
    _last: np.ndarray | None = field(default=None, repr=False)

    def frame(self, number: int) -> np.ndarray:
        """Read a frame; it is not turned.

        Args:
            number: from 0 on. One before the frame that was read last begins the video anew.

        Returns:
            ``[y, x, 3]`` uint8, or float32 in 0..1 of a video of more than 8 bits.

        Raises:
            InputError: the video is damaged there, or its frames are too large.
        """
        if self._last is not None and number == self._next - 1:
            return self._last
        if self._process is None or number < self._next:
            self.close()
            self._process = _decoding(self.path)
        try:
            for _ in range(self._next, number + 1):
                self._last = self._following(self._process, number)
                self._next += 1
        except InputError:
            self.close()
            raise
        assert self._last is not None
        if self._next == self.frames:
            last = self._last
            self.close()
            self._next, self._last = self.frames, last
        return self._last

    def __del__(self) -> None:
        self.close()

    def _following(self, process: subprocess.Popen[bytes], number: int) -> np.ndarray:
        stream = process.stdout
        assert stream is not None
        header = _HEADER.fullmatch(b" ".join(stream.readline(32).strip() for _ in range(3)))
        if header is None:
            raise InputError(f"{self.path}: its frame {number} cannot be read; the file is damaged or cut short.")
        columns, rows, most = map(int, header.groups())
        if not 0 < rows * columns <= MAXIMUM_PIXELS:
            raise InputError(f"{self.path}: frames of {rows} × {columns} pixels, at most {MAXIMUM_PIXELS} are read.")
        kind = np.dtype("u1" if most == 255 else ">u2")
        data = stream.read(3 * rows * columns * kind.itemsize)
        if len(data) != 3 * rows * columns * kind.itemsize:
            raise InputError(f"{self.path}: its frame {number} is cut short.")
        values = np.frombuffer(data, kind).reshape(rows, columns, 3)
        return values.copy() if most == 255 else values / np.float32(65535)

    def close(self) -> None:
        """End the process that decodes."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process, self._next, self._last = None, 0, None


def open_video(path: str | os.PathLike[str]) -> Video:
    """Open a video and count its frames.

    Args:
        path: an MP4, MOV, Matroska, WebM or AVI file.

    Raises:
        InputError: the extra ``video`` is not installed, or the file is missing, no such video, damaged, or longer than
            a million frames.
    """
    target = Path(path)
    require(str(target), "imageio_ffmpeg")
    missing = "could not be read (no such file); give the path of a video."
    input_file(target, "video", largest=LARGEST_FILE, missing=missing)
    run = subprocess.run(
        _command(target, "-f", "null", "-progress", "-", os.devnull), capture_output=True, text=True, check=False
    )
    counts = [line.partition("=")[2] for line in run.stdout.splitlines() if line.startswith("frame=")]
    frames = int(counts[-1]) if counts and counts[-1].isdecimal() else 0
    if run.returncode != 0 or frames == 0:
        raise InputError(
            f"{target}: no video that can be read, damaged or cut short; give one of {', '.join(VIDEO_SUFFIXES)}."
        )
    if frames > MOST_FRAMES:
        raise InputError(f"{target}: {frames} frames, at most {MOST_FRAMES} are read; cut it into parts.")
    return Video(target, frames)


def _decoding(path: Path) -> subprocess.Popen[bytes]:
    command = _command(path, "-f", "image2pipe", "-c:v", "ppm", "-")
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _command(path: Path, *output: str) -> list[str]:
    import imageio_ffmpeg

    # A path with a colon would be taken for an address.
    given = ["-i", f"file:{path.resolve()}", "-map", "0:v:0", "-fps_mode", "passthrough"]
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-xerror", *_GUARDED, *given, *output]
