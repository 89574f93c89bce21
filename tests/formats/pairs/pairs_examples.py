"""A small folder of pairs, for the tests of its reader and its writer."""

import time
from pathlib import Path

import numpy as np

from metalens.formats.pairs.reader import (
    PairSample,
    PairsCamera,
    PairsManifest,
    PairsSource,
    SkippedSource,
    open_pairs_writer,
)

ROWS, COLUMNS = 6, 8


def camera_of(**changes: object) -> PairsCamera:
    return PairsCamera(**({"name": "test camera", "lens_hash": "0" * 64, "sensor": (ROWS, COLUMNS)} | changes))


def manifest_of(count: int = 7, shard_size: int = 3, **changes: object) -> PairsManifest:
    settings: dict = {
        "kind": "simulated",
        "count": count,
        "shard_size": shard_size,
        "pixels": (ROWS, COLUMNS),
        "seed": 5,
        "cameras": (camera_of(),),
        "config": {"cropping": "random", "scale": [1, 2]},
        "sources": (PairsSource(name="höhle", licence="CC0", credit="nobody", sha256="a" * 64),),
        "skipped": (SkippedSource(name="broken", reason="cut short"),),
        "versions": {"numpy": "2"},
    }
    return PairsManifest(**(settings | changes))


def sample_of(number: int) -> PairSample:
    clean, degraded = np.random.default_rng(number).integers(0, 256, (2, ROWS, COLUMNS, 3), dtype=np.uint8)
    return PairSample(clean, degraded, 0, number)


def write(folder: Path, manifest: PairsManifest, *, resume: bool = False, pause: float = 0.0) -> None:
    with open_pairs_writer(folder, manifest, resume=resume) as writer:
        for shard in writer.missing:
            time.sleep(pause)
            writer.write(shard, [sample_of(n) for n in range(shard.first, shard.first + shard.count)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
