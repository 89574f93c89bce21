"""Pairs, adapters and photographs on a hub on this machine: pushed, pulled, and read by address."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.files.errors import Notice
from metalens.formats.pairs.reader import read_pairs
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.restore.adapter.adapter_file import adapter_folder
from metalens.synth.photograph_sources import photographs_of

from ..hub_server import Hub
from ..restore.conftest import textured, write_pairs
from .test_full_disk import is_told, run_on_a_full_disk

# huggingface_hub sends files to its HTTP client by the older one of two ways.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, camera, bank) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    write_psf_bank(folder / "psf.h5", bank)
    return write_pairs(folder / "pairs", camera, textured(4)).folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_pairs_come_back_as_they_were_sent(hub: Hub, run, pairs: Path, tmp_path: Path) -> None:
    psf = pairs.parent / "psf.h5"
    status, out, err = run("data", "push", pairs, "hf:ann/pairs", "--psf", psf, "--json")
    assert status == 0, err
    told = json.loads(out)
    repository = hub.repositories["datasets", "ann/pairs"]
    assert repository.private
    assert told["address"] == f"hf:ann/pairs@{repository.head}"
    files = repository.revisions[repository.head]
    sent = contents(pairs)
    assert set(files) == {*sent, "README.md", "sheet.png", "psf.h5", ".gitattributes"}
    assert told["bytes"] == sum(len(data) for name, data in files.items() if name != ".gitattributes")
    assert f"{len(files) - 1} files of" in err

    status, out, err = run("data", "pull", told["address"], "-o", tmp_path / "pulled", "--json")
    assert status == 0, err
    pulled = contents(tmp_path / "pulled")
    assert {name: pulled[name] for name in sent} == sent
    assert pulled["psf.h5"] == psf.read_bytes()
    assert run("data", "verify", tmp_path / "pulled")[0] == 0


def test_the_card_of_pairs_states_camera_licences_seed_and_versions(hub: Hub, run, pairs: Path) -> None:
    assert run("data", "push", pairs, "hf:ann/pairs")[0] == 0
    repository = hub.repositories["datasets", "ann/pairs"]
    files = repository.revisions[repository.head]
    card, manifest = files["README.md"].decode(), read_pairs(pairs).manifest
    assert card.startswith("---\nlicense: ")
    assert "- metalens-pairs\n" in card
    assert f"with seed {manifest.seed}" in card
    assert manifest.cameras[0].lens_hash[:16] in card
    for source in manifest.sources:
        row = f"| {source.name} | {source.licence or 'unknown'} | {source.credit or 'unknown'} | {source.split} |"
        assert row in card
    for package, version in manifest.versions.items():
        assert f"{package} {version}" in card
    assert files["sheet.png"].startswith(b"\x89PNG")


def test_a_push_sends_what_changed_and_removes_what_is_stale(hub: Hub, run, pairs: Path) -> None:
    assert run("data", "push", pairs, "hf:ann/pairs")[0] == 0
    repository = hub.repositories["datasets", "ann/pairs"]
    stale = {"shard-00099.h5": b"of a larger set", "notes.txt": b"of the author"}
    repository.commit(repository.revisions[repository.head] | stale)
    sent = len(hub.sent)
    status, out, _ = run("data", "push", pairs, "hf:ann/pairs", "--json", "--psf", pairs.parent / "psf.h5")
    assert status == 0
    told = json.loads(out)
    assert (told["files"], told["removed"]) == (2, ["shard-00099.h5"])  # the psf.h5, and the card that names it
    assert len(hub.sent) == sent + 1
    assert "notes.txt" in repository.revisions[repository.head]
    assert "shard-00099.h5" not in repository.revisions[repository.head]


def test_an_interrupted_push_leaves_no_whole_set_and_goes_on(hub: Hub, run, pairs: Path, monkeypatch) -> None:
    monkeypatch.setattr("metalens.formats.hub.pushing.COMMIT", 2)
    hub.fail_after = 1
    status, _, err = run("data", "push", pairs, "hf:ann/pairs")
    assert status == 1
    assert "the hub does not let you do this (status 403); log in by `hf auth login`" in err
    repository = hub.repositories["datasets", "ann/pairs"]
    assert "manifest.json" not in repository.revisions[repository.head]
    hub.fail_after = None
    status, out, _ = run("data", "push", pairs, "hf:ann/pairs", "--json")
    assert status == 0
    assert json.loads(out)["unchanged"] == 2
    assert "manifest.json" in repository.revisions[repository.head]


def test_photographs_of_unknown_licence_are_not_published(hub: Hub, run, pairs: Path) -> None:
    assert not all(source.licence for source in read_pairs(pairs).manifest.sources)
    status, _, err = run("data", "push", pairs, "hf:ann/pairs", "--public")
    assert status == 1
    assert "photographs is unknown" in err
    assert hub.requests == []


def test_a_dry_push_tells_sizes_and_sends_nothing(hub: Hub, run, pairs: Path) -> None:
    status, out, _ = run("data", "push", pairs, "hf:ann/pairs", "--dry-run")
    assert status == 0
    assert out.startswith("would send ")
    assert " MB to the new private dataset hf:ann/pairs (0 there already, 0 to remove)" in out
    assert hub.repositories == {}


def test_a_dry_pull_tells_sizes_and_pulls_nothing(hub: Hub, run, tmp_path: Path) -> None:
    hub.add("models", "ann/adapter", {"adapter.json": b"{}", "adapter.safetensors": bytes(2_000_000)})
    status, out, _ = run("adapter", "pull", "hf:ann/adapter", "-o", tmp_path / "a", "--dry-run")
    assert status == 0
    assert out.startswith("would pull 2 files of 2.0 MB from hf:ann/adapter@")
    assert list(tmp_path.iterdir()) == []
    assert hub.sent == []


def test_an_adapter_comes_back_and_restores_by_its_address(hub: Hub, run, tmp_path: Path) -> None:
    status, out, err = run("adapter", "push", "metacamera", "hf:ann/camera", "--licence", "mit", "--public", "--json")
    assert status == 0, err
    address = json.loads(out)["address"]
    repository = hub.repositories["models", "ann/camera"]
    assert not repository.private
    files, embedded = repository.revisions[repository.head], contents(adapter_folder("metacamera"))
    assert {name: data for name, data in files.items() if name not in ("README.md", ".gitattributes")} == {
        name: data for name, data in embedded.items() if name != "README.md"
    }
    card = files["README.md"].decode()
    assert card.startswith("---\nlicense: mit\nlibrary_name: metalens\n")
    assert "metalens restore captures/ --adapter hf:ann/camera" in card
    # The figures of the card that the training wrote.
    assert embedded["README.md"].decode().partition("\n")[2].strip() in card

    write_picture(tmp_path / "capture.png", np.full((64, 64, 3), 90, np.uint8))
    part = (tmp_path / "capture.png", "--place", "0,0")
    status, out, err = run("restore", *part, "-o", tmp_path / "restored", "--adapter", address, "--json")
    assert status == 0, err
    assert "files of 12" in err or "MB are pulled" in err
    status, out, _ = run("adapter", "list", "--json")
    assert status == 0
    listed = {each["adapter"]: each for each in json.loads(out)["adapters"]}
    assert {"metacamera", address} <= set(listed)
    assert listed[address]["lens_hash"] == listed["metacamera"]["lens_hash"]
    status, out, _ = run("adapter", "list", "hf:ann")
    assert (status, out) == (0, "hf:ann/camera  (hub)\n")


@pytest.mark.parametrize("line", ["adapter pull hf:ann/adapter -o OUT", "data verify hf:ann/pairs"])
def test_a_full_disk_is_one_sentence(hub: Hub, pairs: Path, tmp_path: Path, monkeypatch, line: str) -> None:
    hub.add("models", "ann/adapter", {"adapter.json": b"{}", "adapter.safetensors": bytes(20_000)})
    hub.add("datasets", "ann/pairs", contents(pairs))
    monkeypatch.setenv("METALENS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    is_told(*run_on_a_full_disk(line, tmp_path, 4096), tmp_path)


def test_pairs_are_read_by_their_address(hub: Hub, run, pairs: Path) -> None:
    hub.add("datasets", "ann/pairs", contents(pairs))
    with pytest.warns(Notice, match="MB are pulled"):
        found = read_pairs("hf:ann/pairs")
    assert found.manifest == read_pairs(pairs).manifest
    np.testing.assert_array_equal(found[1][1], read_pairs(pairs)[1][1])


@pytest.fixture
def photographs(hub: Hub, tmp_path: Path) -> dict[str, bytes]:
    """A dataset of four pictures, of which one is broken."""
    files = {}
    for number, picture in enumerate(textured(3)):
        write_picture(tmp_path / f"{number}.png", picture)
        files[f"train/{number}.png"] = (tmp_path / f"{number}.png").read_bytes()
    files |= {
        "train/broken.png": b"no picture",
        "train/metadata.jsonl": b'{"file_name": "0.png", "license": "CC0", "author": "Ann"}\n{"file_name": "9.png"}\n',
        "README.md": b"",
    }
    hub.add("datasets", "ann/photographs", files, license="cc-by-4.0")
    return files


def test_photographs_keep_their_licences_and_are_pulled_one_by_one(
    hub: Hub, run, photographs: dict[str, bytes], pairs: Path, tmp_path: Path
) -> None:
    found = photographs_of("hf:ann/photographs", streaming=True)
    assert [(each.name, each.licence, each.credit) for each in found] == [
        ("train-0", "CC0", "Ann"),
        ("train-1", "cc-by-4.0", "ann/photographs on the model hub"),
        ("train-2", "cc-by-4.0", "ann/photographs on the model hub"),
        ("train-broken", "cc-by-4.0", "ann/photographs on the model hub"),
    ]
    assert hub.sent == ["train/metadata.jsonl:0"]
    made = ("-o", tmp_path / "out", "--psf", pairs.parent / "psf.h5", "--crop", "32", "--count", "4")
    status, _, err = run("synth", "hf:ann/photographs", *made, "--json")
    assert status == 0, err
    assert "skipped train-broken" in err
    assert sorted(hub.sent[1:]) == [f"train/{name}.png:0" for name in ("0", "1", "2", "broken")]
    sources = read_pairs(tmp_path / "out").manifest.sources
    assert [(each.name, each.licence) for each in sources] == [
        ("train-0", "CC0"),
        ("train-1", "cc-by-4.0"),
        ("train-2", "cc-by-4.0"),
    ]
    # The same as of the files in a folder, and nothing is pulled again.
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(3):
        shutil.copy(tmp_path / f"{number}.png", folder / f"{number}.png")
    sent = len(hub.sent)
    assert run("synth", folder, "-o", tmp_path / "local", *made[2:])[0] == 0
    np.testing.assert_array_equal(read_pairs(tmp_path / "out")[2], read_pairs(tmp_path / "local")[2])
    assert run("synth", "hf:ann/photographs", *made, "--resume")[0] == 0
    assert len(hub.sent) == sent


def test_photographs_inside_of_tables_are_told(hub: Hub) -> None:
    from metalens.formats.files.errors import InputError

    hub.add("datasets", "ann/photographs", {"data/train.parquet": b"PAR1"})
    with pytest.raises(InputError, match=r"holds no picture files outside of data/train.parquet"):
        photographs_of("hf:ann/photographs")


@pytest.mark.parametrize(
    "line",
    [
        "data pull hf:ann/pairs -o {out}",
        "adapter pull hf:ann/adapter -o {out}",
        "adapter list hf:ann",
        "data verify hf:ann/pairs",
        "restore hf:ann/pairs -o {out}",
        "synth hf:ann/photographs -o {out} --psf {psf}",
    ],
)
def test_without_a_network_each_command_tells_one_sentence(
    hub: Hub, run, pairs: Path, tmp_path: Path, monkeypatch, line: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    given = line.format(out=tmp_path / "out", psf=pairs.parent / "psf.h5").split()
    status, out, err = run(*given)
    assert (status, out) == (1, "")
    (said,) = [each for each in err.splitlines() if each and "%|" not in each]
    assert said.startswith("metalens: hf:ann")
    assert "the model hub could not be reached" in said
    assert list(tmp_path.iterdir()) == []


def test_the_embedded_adapters_are_listed_with_the_presets_that_they_were_made_for(run):
    """The camera of the second one was called ``metacamera`` when its adapter was trained."""
    status, told, _ = run("adapter", "list")
    assert status == 0
    assert "metacamera  (embedded; camera metacamera)" in told
    assert "metacamera-200um  (embedded; camera metacamera-200um)" in told
