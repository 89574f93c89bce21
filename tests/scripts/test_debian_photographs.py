"""Photographs of Debian's packages: who made them, on what terms, and damaged files."""

import contextlib
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import debian_photographs
import numpy as np
import pytest
from debian_licences import Terms, parse_stanzas, terms_from_copyright, terms_from_readme
from debian_photographs import fetch_debian_photographs
from hypothesis import given, settings
from hypothesis import strategies as st
from qt_resource import read_qt_resources

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture, write_picture


def rcc(files: dict[str, bytes], version: int = 2, flags: int = 0) -> bytes:
    """Build a Qt resource file with one folder ``pictures`` that holds the files."""
    names, payload, offsets = b"", b"", []

    def name(text: str) -> int:
        nonlocal names
        start = len(names)
        names += struct.pack(">HI", len(text), 0) + text.encode("utf-16-be")
        return start

    for content in files.values():
        stored = struct.pack(">I", len(content)) + zlib.compress(content) if flags & 1 else content
        offsets.append(len(payload))
        payload += struct.pack(">I", len(stored)) + stored
    stamp = b"" if version == 1 else bytes(8)
    tree = struct.pack(">IHII", 0, 2, 1, 1) + stamp
    tree += struct.pack(">IHII", name("pictures"), 2, len(files), 2) + stamp
    for file, offset in zip(files, offsets, strict=True):
        tree += struct.pack(">IHHHI", name(file), flags, 0, 0, offset) + stamp
    head = 20 if version < 3 else 24
    header = b"qres" + struct.pack(">4I", version, head, head + len(tree), head + len(tree) + len(payload))
    return header + (b"" if version < 3 else bytes(4)) + tree + payload + names


FILES = {"a.webp": b"first" * 50, "höhle.jpg": b"second", "empty": b""}


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("flags", [0, 1])
def test_resources_of_every_version_come_back(tmp_path: Path, version: int, flags: int) -> None:
    (tmp_path / "a.rcc").write_bytes(rcc(FILES, version, flags))
    found = {entry.path: entry.content for entry in read_qt_resources(tmp_path / "a.rcc")}
    assert found == {f"pictures/{name}": content for name, content in FILES.items()}


def test_zstandard_entry_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.rcc").write_bytes(rcc(FILES, 3, 4))
    with pytest.raises(InputError, match=r"pictures/a\.webp is compressed with Zstandard"):
        list(read_qt_resources(tmp_path / "a.rcc"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a Qt resource file"),
        (b"qres" + bytes(3), "not a Qt resource file"),
        (b"PK\x03\x04" + bytes(40), "not a Qt resource file"),
        (b"qres" + struct.pack(">4I", 9, 20, 20, 20), "version 9, expected 1, 2 or 3"),
        (b"qres" + struct.pack(">4I", 1, 2**31, 20, 20), "past its end"),
        (b"qres" + struct.pack(">4I", 1, 20, 20, 20) + struct.pack(">IHII", 0, 2, 2**31, 1), "claims 2147"),
        (b"qres" + struct.pack(">4I", 1, 20, 20, 20) + struct.pack(">IHII", 0, 2, 1, 0), "loops"),
    ],
)
def test_damaged_resource_file_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.rcc").write_bytes(data)
    with pytest.raises(InputError, match=message):
        list(read_qt_resources(tmp_path / "a.rcc"))


def test_entry_that_inflates_beyond_what_it_declares_is_refused(tmp_path: Path) -> None:
    data = rcc({"a": bytes(10_000)}, flags=1)
    declared = struct.pack(">I", 10_000)
    (tmp_path / "a.rcc").write_bytes(data.replace(declared, struct.pack(">I", 10)))
    with pytest.raises(InputError, match="not the declared 10"):
        list(read_qt_resources(tmp_path / "a.rcc"))
    (tmp_path / "a.rcc").write_bytes(data.replace(declared, struct.pack(">I", 2**31)))
    with pytest.raises(InputError, match="declares 2147483648 bytes"):
        list(read_qt_resources(tmp_path / "a.rcc"))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_damage_gives_resources_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    damaged = bytearray(rcc(FILES, flags=1))
    for _ in range(3):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("rcc") / "a.rcc"
    path.write_bytes(damaged)
    # Any other error than this one fails the test.
    with contextlib.suppress(InputError):
        list(read_qt_resources(path))


README = """Copyright: Daniel Schwen
License: CC-BY-SA 4.0
Source: https://example.org/chichen
Files:
wonders/chichenItza.webp
wonders/petra.webp

Copyright: Yann
License: Public Domain
Files: tajMahal.webp
Copyright: Somebody Else
License: CC0-1.0
Files:
lemur.webp
"""


def test_readme_names_author_licence_and_source_of_a_picture() -> None:
    expected = Terms("CC-BY-SA 4.0", "Daniel Schwen; https://example.org/chichen", "README")
    assert terms_from_readme(README, "wonders/petra.webp", "README") == expected
    assert terms_from_readme(README, "tajMahal.webp", "README") == Terms("Public Domain", "Yann", "README")
    lemur = terms_from_readme(README, "lemur.webp", "README")
    assert lemur == Terms("CC0-1.0", "Somebody Else", "README")
    assert terms_from_readme(README, "petra.webp", "README") is None


COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2014, Everybody
License: GPL-2+

Files: nature/Aqua.jpg
       nature/Dune-*.jpg
Copyright: 2008, Charles Barbin
           2009, A Friend
License: CC-BY-4.0
 The full text.
Comment: see AUTHORS
"""


def test_last_fitting_stanza_of_a_copyright_file_holds() -> None:
    expected = Terms("CC-BY-4.0", "2008, Charles Barbin; 2009, A Friend", "copyright")
    for name in ("Aqua", "Dune-2"):
        path = f"usr/share/backgrounds/mate/nature/{name}.jpg"
        assert terms_from_copyright(COPYRIGHT, path, "copyright") == expected
    other = terms_from_copyright(COPYRIGHT, "usr/share/other.jpg", "copyright")
    assert other == Terms("GPL-2+", "2014, Everybody", "copyright")
    assert terms_from_copyright("", "usr/share/other.jpg", "copyright") is None


@settings(max_examples=50, deadline=None)
@given(text=st.text(alphabet="aF:, \n\té*"))
def test_stanzas_of_any_text_can_be_parsed(text: str) -> None:
    assert all(isinstance(stanza, dict) for stanza in parse_stanzas(text))


STAND_IN = """
import sys, tarfile
from pathlib import Path
flags = sys.argv[1:]
if "-b" in flags:
    with tarfile.open(flags[-1], "w") as archive:
        archive.add(flags[-2], arcname=".")
elif "-x" in flags:
    with tarfile.open(flags[1]) as archive:
        archive.extractall(flags[2], filter="data")
else:
    with tarfile.open(flags[1]) as archive:
        control = archive.extractfile("./DEBIAN/control").read().decode()
    print(next(line.split(": ", 1)[1] for line in control.splitlines() if line.startswith(flags[2] + ":")))
"""
"""What is used of dpkg-deb, on plain tar archives: for machines that are not Debian's."""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six Debian packages like the real ones, with two photographs and one that is too small."""
    if shutil.which("dpkg-deb") is None:
        program = tmp_path / "programs" / "dpkg-deb"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\n{STAND_IN}")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    folder = tmp_path / "packages"
    folder.mkdir()
    picture = np.zeros((1000, 1200, 3), dtype=np.uint8)
    picture[200:700, 300:800] = (200, 100, 50)
    write_picture(tmp_path / "large.png", picture)
    write_picture(tmp_path / "small.png", picture[:300])
    for package in debian_photographs.PACKAGES:
        root = tmp_path / "roots" / package
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN/control").write_text(
            f"Package: {package}\nVersion: 1:2-3\nArchitecture: all\nMaintainer: me <me@example.org>\n"
            "Description: pictures\n"
        )
        (root / "usr/share/doc" / package).mkdir(parents=True)
        (root / "usr/share/doc" / package / "copyright").write_text(COPYRIGHT)
        if package == "mate-backgrounds":
            (root / "usr/share/backgrounds/mate/nature").mkdir(parents=True)
            shutil.copy(tmp_path / "large.png", root / "usr/share/backgrounds/mate/nature/Aqua.jpg")
            shutil.copy(tmp_path / "small.png", root / "usr/share/backgrounds/mate/nature/Dune.jpg")
            shutil.copy(tmp_path / "large.png", root / "usr/share/backgrounds/mate/nature/Drawing.jpg")
        if package == "gcompris-qt-data":
            (root / "usr/share/gcompris-qt/rcc").mkdir(parents=True)
            files = {
                "lemur.webp": (tmp_path / "large.png").read_bytes(),
                "README": README.encode(),
                "note.txt": b"",
            }
            (root / "usr/share/gcompris-qt/rcc/explore_world_animals.rcc").write_bytes(rcc(files))
        command = [
            "dpkg-deb",
            "-Znone",
            "--root-owner-group",
            "-b",
            str(root),
            str(folder / f"{package}_2_all.deb"),
        ]
        subprocess.run(command, check=True, capture_output=True)
    return folder


def test_photographs_of_debian_packages_are_halved_and_credited(packages: Path, tmp_path: Path) -> None:
    output = tmp_path / "photos"
    assert fetch_debian_photographs(output, packages=packages) == 2
    manifest = json.loads((output / "manifest.json").read_text())
    lemur, aqua = manifest["photographs"]
    assert (lemur["file"], lemur["licence"], lemur["credit"]) == (
        "gcompris-world_animals-lemur.png",
        "CC0-1.0",
        "Somebody Else",
    )
    assert (aqua["file"], aqua["licence"], aqua["version"]) == ("mate-Aqua.png", "CC-BY-4.0", "1:2-3")
    for entry in (lemur, aqua):
        assert entry["original_rows_columns"] == [1000, 1200]
        assert read_picture(output / entry["file"]).shape == (500, 600, 3)
        assert entry["sha256"] == hashlib.sha256((output / entry["file"]).read_bytes()).hexdigest()
    assert {path.name for path in output.iterdir()} == {"manifest.json", lemur["file"], aqua["file"]}


def test_missing_package_leaves_nothing_behind(packages: Path, tmp_path: Path) -> None:
    (packages / "palapeli-data_2_all.deb").unlink()
    with pytest.raises(InputError, match="apt-get download palapeli-data"):
        fetch_debian_photographs(tmp_path / "photos", packages=packages)
    assert not (tmp_path / "photos").exists()


def test_broken_package_is_one_sentence(packages: Path, tmp_path: Path) -> None:
    (packages / "palapeli-data_2_all.deb").write_bytes(b"no archive")
    with pytest.raises(InputError, match="could not be unpacked"):
        fetch_debian_photographs(tmp_path / "photos", packages=packages)
    assert not (tmp_path / "photos").exists()


@pytest.mark.parametrize("missing", ["dpkg-deb", "apt-get"])
def test_without_apt_or_dpkg_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == missing else "/bin/true")
    assert debian_photographs.main([str(tmp_path / "photos")]) == 1
    error = capsys.readouterr().err
    assert f"error: {missing} was not found" in error
    assert "any folder of photographs of your own" in error
    assert not (tmp_path / "photos").exists()


def test_failed_download_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "apt-get").write_text(f"#!{sys.executable}\nimport sys; sys.exit('E: no route to host')\n")
    (tools / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(InputError, match=r"could not be downloaded .*: E: no route to host"):
        fetch_debian_photographs(tmp_path / "photos")
    assert not (tmp_path / "photos").exists()


def test_full_folder_is_refused_before_anything_is_downloaded(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InputError, match="not empty"):
        fetch_debian_photographs(tmp_path)
