"""Revisions of a hub on this machine: pulled, resumed, checked, pinned, kept; what does not belong is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metalens.formats.files.errors import InputError, Notice
from metalens.formats.hub.address import HubAddress, hub_address, is_hub_address
from metalens.formats.hub.content import selected
from metalens.formats.hub.kept import kept_revisions, local_folder, local_psf
from metalens.formats.hub.listing import HubUnreachable, list_revision
from metalens.formats.hub.pulling import NOTE, pull, read_note

from ...hub_server import Hub

ADAPTER = {"adapter.json": b"{}", "adapter.safetensors": bytes(20_000), "README.md": b"# An adapter\n"}


def pulled(hub: Hub, source: str = "hf:ann/adapter", content: str = "adapter") -> Path:
    with pytest.warns(Notice, match="MB are pulled"):
        return local_folder(source, content)  # type: ignore[arg-type]


def test_an_address_names_a_repository_and_a_revision() -> None:
    assert hub_address("hf:ann/a.b-c") == HubAddress("ann/a.b-c")
    assert hub_address("hf:ann/x@v1.0") == HubAddress("ann/x", "v1.0")
    assert str(hub_address("hf:ann/x@v1.0")) == "hf:ann/x@v1.0"
    assert hub_address(f"hf:ann/x@{'a' * 40}").is_pinned
    assert not hub_address("hf:ann/x").is_pinned
    assert is_hub_address(Path("hf:ann/x"))
    assert not is_hub_address("ann/x")


@pytest.mark.parametrize("text", ["hf:", "hf:ann", "hf:ann/x/y", "hf:../x", "hf:ann/x@", "hf:ann/x@a..b", "hf:a n/x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no address on the hub; write hf:user/name"):
        hub_address(text)


def test_a_path_is_its_own_folder(tmp_path: Path) -> None:
    assert local_folder(tmp_path, "pairs") == tmp_path
    assert local_psf(tmp_path / "psf.h5") == tmp_path / "psf.h5"


def test_a_revision_is_kept_under_its_hash_and_pulled_once(hub: Hub) -> None:
    sha = hub.add("models", "ann/adapter", ADAPTER | {".gitattributes": b""})
    folder = pulled(hub)
    assert folder.name == sha
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != NOTE} == ADAPTER
    assert read_note(folder).revision == sha
    sent = len(hub.sent)
    assert local_folder("hf:ann/adapter", "adapter") == folder
    assert len(hub.sent) == sent
    assert [(str(address), place) for address, place in kept_revisions("adapter")] == [
        (f"hf:ann/adapter@{sha}", folder)
    ]


def test_a_pinned_revision_that_is_kept_asks_nobody(hub: Hub) -> None:
    sha = hub.add("models", "ann/adapter", ADAPTER)
    folder = pulled(hub)
    hub.add("models", "ann/adapter", ADAPTER | {"adapter.json": b"{ }"})
    asked = len(hub.requests)
    assert local_folder(f"hf:ann/adapter@{sha}", "adapter") == folder
    assert len(hub.requests) == asked
    assert pulled(hub) != folder


def test_without_the_hub_the_revision_that_is_kept_is_taken_and_told(hub: Hub, monkeypatch) -> None:
    hub.add("models", "ann/adapter", ADAPTER)
    folder = pulled(hub)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.warns(Notice, match=rf"could not be reached .* Revision {folder.name[:12]} is taken, kept here"):
        assert local_folder("hf:ann/adapter", "adapter") == folder


def test_without_the_hub_and_a_copy_one_sentence_is_told(hub: Hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnreachable, match=r"hf:ann/x: the model hub could not be reached .*; check the network"):
        local_folder("hf:ann/x", "pairs")


@pytest.fixture
def impatient(monkeypatch) -> None:
    """What huggingface_hub does about a broken connection, five times anew, without its pauses and by small parts."""
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1024)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)


@pytest.mark.usefixtures("impatient")
def test_a_file_whose_connection_breaks_goes_on_at_its_byte(hub: Hub, tmp_path: Path) -> None:
    hub.add("models", "ann/adapter", ADAPTER)
    hub.cuts = {"adapter.safetensors": 1}
    listing = selected(list_revision(HubAddress("ann/adapter"), "model"), "adapter")
    pull(listing, tmp_path / "a", resume=False)
    assert [sent for sent in hub.sent if "safetensors" in sent] == ["adapter.safetensors:0", "adapter.safetensors:9216"]
    assert (tmp_path / "a" / "adapter.safetensors").read_bytes() == ADAPTER["adapter.safetensors"]


@pytest.mark.usefixtures("impatient")
def test_an_interrupted_pull_goes_on_with_the_files_that_are_missing(hub: Hub, tmp_path: Path) -> None:
    hub.add("models", "ann/adapter", ADAPTER)
    hub.cuts = {"adapter.safetensors": 99}
    listing = selected(list_revision(HubAddress("ann/adapter"), "model"), "adapter")
    with pytest.raises(InputError, match=r"adapter.safetensors: the model hub could not be reached"):
        pull(listing, tmp_path / "a", resume=False)
    assert not (tmp_path / "a" / "adapter.safetensors").exists()
    hub.cuts, before = {}, len(hub.sent)
    pull(listing, tmp_path / "a", resume=True)
    assert hub.sent[before:] == ["adapter.safetensors:0"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir() if path.name != NOTE} == ADAPTER


def test_a_pull_of_another_revision_is_not_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    hub.add("models", "ann/adapter", ADAPTER)
    pull(selected(list_revision(HubAddress("ann/adapter"), "model"), "adapter"), tmp_path / "a", resume=False)
    hub.add("models", "ann/adapter", ADAPTER | {"adapter.json": b"{ }"})
    newer = selected(list_revision(HubAddress("ann/adapter"), "model"), "adapter")
    with pytest.raises(InputError, match="cannot be resumed"):
        pull(newer, tmp_path / "a", resume=True)


@pytest.mark.parametrize("data", [b"[]", b"{}  "], ids=["other content", "other size"])
def test_a_file_that_is_not_what_the_hub_lists_is_refused(hub: Hub, tmp_path: Path, data: bytes) -> None:
    hub.add("models", "ann/adapter", ADAPTER)
    hub.tampered["adapter.json"] = data
    listing = selected(list_revision(HubAddress("ann/adapter"), "model"), "adapter")
    with pytest.raises(InputError, match=r"adapter.json"):
        pull(listing, tmp_path / "a", resume=False)
    assert not (tmp_path / "a" / "adapter.json").exists()


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "optimizer.pt", "model.pkl", "setup.py", "../evil.json", "deep/adapter.json"]
)
def test_what_is_no_part_of_an_adapter_is_refused(hub: Hub, name: str) -> None:
    hub.add("models", "ann/adapter", ADAPTER | {name: b"x"})
    with pytest.raises(InputError, match=rf"holds .*{Path(name).name}, which is no part of an adapter"):
        local_folder("hf:ann/adapter", "adapter")
    assert hub.sent == []


def test_what_a_revision_lacks_is_named(hub: Hub) -> None:
    hub.add("models", "ann/adapter", {"README.md": b""})
    hub.add("datasets", "ann/pairs", {"README.md": b""})
    with pytest.raises(InputError, match=r"holds no adapter.json, it is not an adapter of metalens"):
        local_folder("hf:ann/adapter", "adapter")
    with pytest.raises(InputError, match=r"holds no manifest.json, it is not pairs of metalens"):
        local_folder("hf:ann/pairs", "pairs")


def test_what_is_not_there_is_named(hub: Hub) -> None:
    hub.add("models", "ann/adapter", ADAPTER)
    with pytest.raises(InputError, match=r"no such model on the hub, or it is private"):
        local_folder("hf:ann/other", "adapter")
    with pytest.raises(InputError, match=r"the model has no such revision"):
        local_folder("hf:ann/adapter@v9", "adapter")


def test_point_spread_functions_lie_in_a_dataset_or_in_a_model(hub: Hub) -> None:
    hub.add("models", "ann/adapter", ADAPTER | {"psf.h5": b"of the adapter"})
    hub.add("datasets", "ann/pairs", {"manifest.json": b"{}", "psf.h5": b"of the pairs"})
    for name, content in (("adapter", b"of the adapter"), ("pairs", b"of the pairs")):
        with pytest.warns(Notice):
            assert local_psf(f"hf:ann/{name}").read_bytes() == content


def test_a_damaged_note_is_refused(hub: Hub) -> None:
    hub.add("models", "ann/adapter", ADAPTER)
    folder = pulled(hub)
    (folder / NOTE).write_text(json.dumps({"schema": "metalens.hub"}))
    with pytest.raises(InputError, match=NOTE):
        local_folder("hf:ann/adapter", "adapter")
