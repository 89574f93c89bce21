"""Pairs in formats of other training programs: folders of PNG, Hugging Face's ``datasets``, and WebDataset.

Nothing but pictures and JSON is written, so that whoever reads it runs no code. Every export has ``pairs.json`` with
the manifest of the pairs, which names the licence and credit of every photograph.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from metalens.formats.files.arguments import require_whole
from metalens.formats.files.atomic import atomic_directory
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import Pairs
from metalens.formats.pairs.shard import NUMBERS, PICTURES, PairSample

Form = Literal["png", "hf", "webdataset"]

SPLITS = ("train", "validation")

TAR_SAMPLES = 1000
"""Samples in a tar of a WebDataset, unless it is asked for otherwise."""

Progress = Callable[[int, int], None]


def export_pairs(
    pairs: Pairs,
    output: str | os.PathLike[str],
    form: Form,
    *,
    tar_samples: int = TAR_SAMPLES,
    progress: Progress = lambda done, total: None,
) -> dict[str, int]:
    """Write a folder of pairs in another form; it appears whole or not at all.

    - ``png``: ``train/clean/00000000.png``, ``train/degraded/…``, ``train/neutral/…``, ``train/samples.jsonl``, and the
      same for ``validation``.
    - ``hf``: ``train/00000000-clean.png``, …, and ``train/metadata.jsonl``, as ``load_dataset("imagefolder",
      data_dir=…)`` reads it: a column for each picture and one for each number.
    - ``webdataset``: ``train-000000.tar``, … of ``00000000.clean.png``, …, ``00000000.json``.

    Args:
        pairs: what to write.
        output: a new folder.
        form: see above.
        tar_samples: samples in each tar of a WebDataset.
        progress: called with samples done and samples in total.

    Returns:
        How many samples were written for each side of the split.

    Raises:
        InputError: the form is unknown, a sample is damaged, or the folder cannot be written.
    """
    require_whole(tar_samples, "export: samples in each tar")
    if form not in get_args(Form) or tar_samples < 1:
        raise InputError(f"export to {form!r} in tars of {tar_samples}: expected {', '.join(get_args(Form))}, and 1.")
    counts = dict.fromkeys(SPLITS, 0)
    with atomic_directory(output) as folder:
        manifest = pairs.manifest.model_dump(mode="json", by_alias=True)
        (folder / "pairs.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        with ExitStack() as stack:
            sinks = {split: _SINKS[form](folder, split, tar_samples, stack) for split in SPLITS}
            for number in range(len(pairs)):
                sample = pairs.sample(number)
                split = pairs.manifest.sources[sample.source].split
                sinks[split].add(f"{number:08d}", _pictures(sample), _described(pairs, sample))
                counts[split] += 1
                progress(number + 1, len(pairs))
    return counts


def _pictures(sample: PairSample) -> Iterator[tuple[str, bytes]]:
    for name in PICTURES:
        picture: np.ndarray = getattr(sample, name)
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="PNG", compress_level=1)
        yield name, buffer.getvalue()


def _described(pairs: Pairs, sample: PairSample) -> dict[str, Any]:
    source, camera = pairs.manifest.sources[sample.source], pairs.manifest.cameras[sample.camera]
    numbers = {name: getattr(sample, name) for name in NUMBERS}
    # JSON has no NaN.
    blur_error = None if np.isnan(sample.blur_error) else sample.blur_error
    return numbers | {
        "blur_error": blur_error,
        "position": list(sample.position),
        "crop": list(sample.crop),
        "photograph": source.name,
        "licence": source.licence,
        "credit": source.credit,
        "camera_name": camera.name,
        "sensor": list(camera.sensor),
    }


class _Folders:
    """A folder for each picture's kind, and one file with a line a sample."""

    lines = "samples.jsonl"

    def __init__(self, folder: Path, split: str, tar_samples: int, stack: ExitStack) -> None:
        del tar_samples
        self.folder = folder / split
        self.stack = stack
        self.file: Any = None

    def place(self, key: str, name: str) -> str:
        """Where a picture lies below the split's folder."""
        return f"{name}/{key}.png"

    def add(self, key: str, pictures: Iterator[tuple[str, bytes]], described: dict[str, Any]) -> None:
        """Write a sample; a side of the split without samples has no folder."""
        if self.file is None:
            self.folder.mkdir()
            self.file = self.stack.enter_context((self.folder / self.lines).open("w", encoding="utf-8"))
        entry = {}
        for name, png in pictures:
            place = self.folder / self.place(key, name)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(png)
            entry[f"{name}_file_name"] = self.place(key, name)
        self.file.write(json.dumps(entry | described, ensure_ascii=False) + "\n")


class _ImageFolder(_Folders):
    """As Hugging Face's ``imagefolder`` reads it."""

    lines = "metadata.jsonl"

    def place(self, key: str, name: str) -> str:
        return f"{key}-{name}.png"


class _Tars:
    """Tars of a WebDataset; every entry has the same owner and time, so that the bytes depend on the samples alone."""

    def __init__(self, folder: Path, split: str, tar_samples: int, stack: ExitStack) -> None:
        self.folder = folder
        self.split = split
        self.tar_samples = tar_samples
        self.stack = stack
        self.count = 0
        self.tar: tarfile.TarFile

    def add(self, key: str, pictures: Iterator[tuple[str, bytes]], described: dict[str, Any]) -> None:
        """Write a sample, into a new tar when the last one is full."""
        if self.count % self.tar_samples == 0:
            if self.count:
                self.tar.close()
            path = self.folder / f"{self.split}-{self.count // self.tar_samples:06d}.tar"
            tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 (the stack closes it)
            self.tar = self.stack.enter_context(tar)
        self.count += 1
        for name, png in pictures:
            self._write(f"{key}.{name}.png", png)
        self._write(f"{key}.json", json.dumps(described, ensure_ascii=False).encode())

    def _write(self, name: str, content: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        self.tar.addfile(entry, io.BytesIO(content))


_SINKS: dict[str, Callable[[Path, str, int, ExitStack], _Folders | _Tars]] = {
    "png": _Folders,
    "hf": _ImageFolder,
    "webdataset": _Tars,
}
