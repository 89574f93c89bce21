"""The pair that comes with the package is what ``synth`` makes today of a held-out photograph."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.pairs.example import EXAMPLE, pairs_folder
from metalens.formats.pairs.reader import read_pairs
from metalens.formats.pairs.verify import verify_pairs
from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.inference.capture_files import captures_of
from metalens.restore.inference.restored_files import known_lenses
from metalens.synth.embedded_photographs import embedded_photographs

ROOT = Path(__file__).resolve().parents[2]


def test_it_is_of_a_free_held_out_photograph_and_of_the_embedded_camera():
    manifest = read_pairs(EXAMPLE).manifest
    ((name, licence),) = [(each.name, each.licence) for each in manifest.sources]
    assert licence == "CC0"
    assert name in [each.name for each in embedded_photographs("held_out")]
    assert set(manifest.lens_hashes) <= known_lenses(load_restorer("metacamera"))
    assert [(each.name, each.place) for each in captures_of([Path(EXAMPLE)])] == [(name, (20, 70))]


def test_it_is_whole_and_small():
    verified = verify_pairs(EXAMPLE, thorough=True)
    assert (verified.damaged, verified.strangers) == ((), ())
    assert sum(path.stat().st_size for path in pairs_folder(EXAMPLE).iterdir()) < 700_000


@pytest.mark.long  # the blur of a bank of the preset's size
def test_its_command_makes_the_same_pair_today(run, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (line,) = [
        each for each in (pairs_folder(EXAMPLE) / "README.md").read_text().splitlines() if "metalens synth" in each
    ]
    words = shlex.split(line)[1:]
    words[words.index("-o") + 1] = str(tmp_path / "pairs")
    assert run(*words)[0] == 0
    then, now = (read_pairs(folder).sample(0) for folder in (EXAMPLE, tmp_path / "pairs"))
    assert (then.position, then.crop, then.seed) == (now.position, now.crop, now.seed)
    for name in ("clean", "neutral"):
        # Rounded to 8 bits, after sums in another order on another processor.
        assert np.abs(getattr(then, name).astype(int) - getattr(now, name)).max() <= 1
    # Where the last bit of a rate differs, all further draws of the shot noise may: so means of 64 pixels are compared.
    light = [each.degraded.reshape(38, 8, 38, 8, 3).mean(axis=(1, 3)) for each in (then, now)]
    np.testing.assert_allclose(*light, atol=4)
