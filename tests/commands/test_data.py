"""metalens data: what it says, what it writes, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from metalens.cli import metalens
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import (
    PairSample,
    PairsCamera,
    PairsManifest,
    PairsSource,
    open_pairs_writer,
    read_pairs,
)

PIXELS = (6, 8)


def run(*arguments: object) -> dict:
    result = CliRunner().invoke(metalens, ["data", *map(str, arguments), "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    manifest = PairsManifest(
        kind="simulated",
        count=5,
        shard_size=2,
        pixels=PIXELS,
        seed=0,
        cameras=(PairsCamera(name="one", lens_hash="0" * 64, sensor=(10, 12)),),
        sources=(
            PairsSource(name="sea", licence="CC0", sha256="a" * 64),
            PairsSource(name="hill", sha256="b" * 64, split="validation"),
        ),
    )
    pictures = np.random.default_rng(0).integers(0, 256, (5, 2, *PIXELS, 3), dtype=np.uint8)
    with open_pairs_writer(tmp_path / "pairs", manifest) as writer:
        for shard in writer.missing:
            numbers = range(shard.first, shard.first + shard.count)
            writer.write(shard, [PairSample(*pictures[n], n % 2, n, position=(4, 2)) for n in numbers])
    return tmp_path / "pairs"


def test_verify_says_that_all_is_well_and_what_is_not(folder: Path) -> None:
    whole = run("verify", folder, "--thorough")
    assert (whole["whole"], whole["shards"], whole["samples"], whole["damaged"]) == (True, 3, 5, [])
    damaged = bytearray((folder / "shard-00001.h5").read_bytes())
    damaged[-5] ^= 4
    (folder / "shard-00001.h5").write_bytes(damaged)
    result = CliRunner().invoke(metalens, ["data", "verify", str(folder), "--json"])
    assert json.loads(result.stdout)["damaged"][0]["shard"] == "shard-00001.h5"
    assert isinstance(result.exception, InputError)
    assert "1 of 3 shards are missing or damaged (shard-00001.h5)" in str(result.exception)
    assert "--resume" in str(result.exception)


def test_show_says_what_there_is_and_draws_a_sheet(folder: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    shown = run("show", folder, "-o", sheet, "--figures", 3)
    assert (shown["count"], shown["pixels"], shown["train"], shown["validation"]) == (5, [6, 8], 3, 2)
    assert shown["licences"] == {"CC0": 1, "unknown": 1}
    with Image.open(sheet) as picture:
        assert picture.width > picture.height > 500
    assert "not" not in CliRunner().invoke(metalens, ["data", "show", str(folder)]).stdout
    for bad, told in ((sheet, "exists already"), (tmp_path / "sheet.xls", "cannot be drawn in this format")):
        with pytest.raises(InputError, match=told):
            run("show", folder, "-o", bad)


def test_merge_joins_and_resumes(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for path in folder.iterdir():
        (tmp_path / "other" / path.name).write_bytes(path.read_bytes())
    arguments = ("merge", folder, tmp_path / "other", "-o", tmp_path / "both")
    assert run(*arguments)["count"] == 10
    assert run(*arguments, "--resume")["count"] == 10
    assert len(read_pairs(tmp_path / "both")) == 10
    with pytest.raises(InputError, match="not empty"):
        run(*arguments)


@pytest.mark.parametrize("form", ["png", "hf", "webdataset"])
def test_export_writes_each_form(folder: Path, tmp_path: Path, form: str) -> None:
    answer = run("export", folder, "-o", tmp_path / form, "--to", form)
    assert (answer["train"], answer["validation"]) == (3, 2)
    assert (tmp_path / form / "pairs.json").is_file()
    with pytest.raises(InputError, match="not empty"):
        run("export", folder, "-o", tmp_path / form, "--to", form)


@pytest.mark.parametrize("command", ["verify", "show"])
def test_what_is_no_folder_of_pairs_is_refused(command: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no manifest\.json"):
        run(command, tmp_path)
