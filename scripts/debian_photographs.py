"""About 150 free photographs from Debian packages, as clean scenes for a training set.

Run as ``python scripts/debian_photographs.py photos``: downloads six packages with ``apt-get download``,
unpacks them into a temporary folder without installing anything, takes the photographs by name (drawings,
paintings and renderings stay behind), halves their size to shed compression artefacts, and writes PNG files with a
``manifest.json`` that credits each one. Nothing is redistributed: every user fetches the packages from Debian.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from debian_licences import Terms, terms_from_copyright, terms_from_readme
from qt_resource import read_qt_resources

from metalens.formats.files.atomic import atomic_directory, require_new_directory
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import decode_picture, write_picture
from metalens.formats.pictures.resizing import shrink
from metalens.synth.photographs import MANIFEST

SHORTEST_SIDE = 448
"""Pictures with a shorter side below this are left out, and none is shrunk below it, in pixels."""

# Qt resource file of GCompris: pictures that are not taken (black and white, or a scan with its frame).
_GCOMPRIS: dict[str, frozenset[str]] = {
    "clickgame": frozenset(),
    "erase": frozenset(),
    "explore_farm_animals": frozenset(),
    "explore_monuments": frozenset({"castleClinton", "georgeWashingtonBirthplace"}),
    "explore_world_animals": frozenset(),
    "explore_world_music": frozenset(),
}

# How GCompris' README spells the name of a picture, where it differs from the file's.
_SPELT_IN_README = {"germany/aulaPalatina.webp": "germany/audaPalatina.webp"}

_MATE = [
    "Aqua",
    "Blinds",
    "Dune",
    "FreshFlower",
    "Garden",
    "GreenMeadow",
    "LadyBird",
    "RainDrops",
    "Storm",
    "TwoWings",
    "Wood",
    "YellowFlower",
]
_LOMIRI_16_04 = [
    "Bridge_by_Sander_Klootwijk",
    "Dragonfly_by_Bolly",
    "Picture_0B_by_freespace",
    "Picture_1A_by_freespace",
    "Wine_by_Jakkub_Mede",
    "aitzgorri_by_Aitzol_Berasategi",
    "free_by_Peter_Nerlich",
    "friends_by_Aitzol_Berasategi",
    "greentock_by_Peter_Nerlich",
    "life_by_Aitzol_Berasategi",
    "picosdeeuropa_by_Aitzol_Berasategi",
    "seeding_by_Clements_Engelhardt",
    "sunset_by_Aitzol_Berasategi",
]
_LOMIRI_20_04 = ["Kleiber_by_Lukas_Baubkus"]
_PLASMA = [
    "BytheWater",
    "ColdRipple",
    "ColorfulCups",
    "DarkestHour",
    "EveningGlow",
    "FallenLeaf",
    "Grey",
    "Kite",
    "OneStandsOut",
    "Path",
    "summer_1am",
]
_PALAPELI = [
    "castle-maintenon",
    "cincinnati-bridge",
    "citrus-fruits",
    "european-honey-bee",
    "panther-chameleon-female",
]


@dataclass(frozen=True)
class _Candidate:
    name: str
    path: str
    content: bytes
    terms: Terms


def _gcompris(root: Path, copyright_text: str) -> Iterator[_Candidate]:
    for resource_name, left_out in _GCOMPRIS.items():
        inside = f"usr/share/gcompris-qt/rcc/{resource_name}.rcc"
        if not (root / inside).is_file():
            continue
        entries = list(read_qt_resources(root / inside))
        readmes = {PurePosixPath(entry.path).parent: entry for entry in entries if entry.path.endswith("/README")}
        for entry in entries:
            picture = PurePosixPath(entry.path)
            wanted = picture.suffix in {".webp", ".jpg"} and picture.stem not in left_out
            if not wanted or (resource_name == "clickgame" and not picture.stem.startswith("sea")):
                continue
            terms = None
            for folder in picture.parents:
                if folder in readmes:
                    text = readmes[folder].content.decode("utf-8", errors="replace")
                    name = picture.relative_to(folder).as_posix()
                    spelt = _SPELT_IN_README.get(name, name)
                    terms = terms_from_readme(text, spelt, f"{inside}:{readmes[folder].path}")
                    break
            yield _Candidate(
                f"gcompris-{resource_name.removeprefix('explore_')}-{picture.stem}",
                f"{inside}:{entry.path}",
                entry.content,
                terms or _package_terms(copyright_text, entry.path),
            )


def _folder(prefix: str, pattern: str, names: Sequence[str]) -> Callable[[Path, str], Iterator[_Candidate]]:
    def find(root: Path, copyright_text: str) -> Iterator[_Candidate]:
        for name in names:
            inside = pattern.format(name)
            if (root / inside).is_file():
                terms = _package_terms(copyright_text, inside)
                yield _Candidate(f"{prefix}-{name}", inside, (root / inside).read_bytes(), terms)

    return find


def _plasma(root: Path, copyright_text: str) -> Iterator[_Candidate]:
    for name in _PLASMA:
        folder = root / "usr/share/wallpapers" / name
        pictures = sorted((folder / "contents/images").glob("*.jpg"), key=lambda path: path.stat().st_size)
        if not pictures:
            continue
        inside = pictures[-1].relative_to(root).as_posix()
        terms = _plasma_terms(folder / "metadata.json", root) or _package_terms(copyright_text, inside)
        yield _Candidate(f"plasma-{name}", inside, pictures[-1].read_bytes(), terms)


def _plasma_terms(metadata: Path, root: Path) -> Terms | None:
    if not metadata.is_file():
        return None
    plugin = json.loads(metadata.read_text(encoding="utf-8")).get("KPlugin", {})
    authors = "; ".join(author.get("Name", "") for author in plugin.get("Authors", []))
    return Terms(plugin["License"], authors, str(metadata.relative_to(root))) if "License" in plugin else None


def _palapeli(root: Path, copyright_text: str) -> Iterator[_Candidate]:
    for name in _PALAPELI:
        inside = f"usr/share/palapeli/collection/{name}.jpg"
        if not (root / inside).is_file():
            continue
        described = f"usr/share/palapeli/collection/{name}.desktop"
        entry = dict(
            line.split("=", 1) for line in (root / described).read_text(encoding="utf-8").splitlines() if "=" in line
        )
        licence = entry.get("X-KDE-PluginInfo-License", "")
        author = entry.get("X-KDE-PluginInfo-Author", "")
        website = entry.get("X-KDE-PluginInfo-Website", "")
        terms = Terms(licence, f"{author}; {website}".removesuffix("; "), described)
        if not licence:
            terms = _package_terms(copyright_text, inside)
        yield _Candidate(f"palapeli-{name}", inside, (root / inside).read_bytes(), terms)


def _package_terms(copyright_text: str, path: str) -> Terms:
    return terms_from_copyright(copyright_text, path, "copyright") or Terms("", "", "")


PACKAGES: dict[str, Callable[[Path, str], Iterator[_Candidate]]] = {
    "gcompris-qt-data": _gcompris,
    "lomiri-wallpapers-16.04": _folder("lomiri", "usr/share/backgrounds/{}.jpg", _LOMIRI_16_04),
    "lomiri-wallpapers-20.04": _folder("lomiri", "usr/share/backgrounds/{}.jpg", _LOMIRI_20_04),
    "mate-backgrounds": _folder("mate", "usr/share/backgrounds/mate/nature/{}.jpg", _MATE),
    "palapeli-data": _palapeli,
    "plasma-workspace-wallpapers": _plasma,
}
"""The Debian packages, and how to find the photographs in each one's unpacked folder."""


def fetch_debian_photographs(
    output: str | os.PathLike[str],
    *,
    packages: str | os.PathLike[str] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> int:
    """Fill a new folder with photographs from Debian packages.

    Args:
        output: the folder to make; it appears whole or not at all.
        packages: a folder that already holds the ``.deb`` files; by default they are downloaded.
        report: is told what happens, a line at a time.

    Returns:
        The number of photographs.

    Raises:
        InputError: the folder is not empty, ``apt-get`` or ``dpkg-deb`` is missing or fails.
    """
    require_new_directory(output)
    _require_program("dpkg-deb")
    entries: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as temporary, atomic_directory(output) as part:
        folder = Path(packages) if packages is not None else _download(Path(temporary), report)
        for package, find in PACKAGES.items():
            archive = _archive(folder, package)
            root = Path(temporary) / "unpacked" / package
            root.mkdir(parents=True)
            _run(["dpkg-deb", "-x", str(archive), str(root)], f"{archive} could not be unpacked")
            version = _run(["dpkg-deb", "-f", str(archive), "Version"], f"{archive} could not be read").strip()
            copyright_file = root / "usr/share/doc" / package / "copyright"
            text = copyright_file.read_text(encoding="utf-8") if copyright_file.is_file() else ""
            count = len(entries)
            entries += [
                {"package": package, "version": version} | entry
                for entry in (_keep(candidate, part) for candidate in find(root, text))
                if entry is not None
            ]
            report(f"{package} {version}: {len(entries) - count} photographs")
            shutil.rmtree(root)
        if not entries:
            raise InputError(f"{output}: the packages hold none of the expected photographs; nothing was made.")
        manifest = {"schema": "metalens.photographs", "version": 1, "photographs": entries}
        (part / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
    return len(entries)


def _keep(candidate: _Candidate, folder: Path) -> dict[str, object] | None:
    """Halve one picture and write it; pictures that are too small are left out."""
    picture = decode_picture(candidate.content, origin=candidate.path)
    rows, columns = picture.shape[:2]
    shortest = min(rows, columns)
    if shortest < SHORTEST_SIDE:
        return None
    scale = max(0.5, SHORTEST_SIDE / shortest)
    small = shrink(picture, (round(rows * scale), round(columns * scale)))
    path = folder / f"{candidate.name}.png"
    write_picture(path, small)
    return {
        "file": path.name,
        "path_in_package": candidate.path,
        "licence": candidate.terms.licence,
        "credit": candidate.terms.credit,
        "licence_stated_in": candidate.terms.stated_in,
        "original_rows_columns": [rows, columns],
        "rows_columns": list(small.shape[:2]),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _download(temporary: Path, report: Callable[[str], None]) -> Path:
    _require_program("apt-get")
    folder = temporary / "packages"
    folder.mkdir()
    # apt drops to its own user for the download, who must be able to write here.
    temporary.chmod(0o755)
    folder.chmod(0o777)
    report(f"downloading {', '.join(PACKAGES)}")
    what = "the packages could not be downloaded (is the network up, and was `apt-get update` run?)"
    _run(["apt-get", "download", "-qq", *PACKAGES], what, folder=folder)
    return folder


def _archive(folder: Path, package: str) -> Path:
    found = sorted(folder.glob(f"{package}_*.deb"))
    if not found:
        raise InputError(f"{folder}: holds no {package}_*.deb; download it with `apt-get download {package}` first.")
    return found[-1]


def _require_program(program: str) -> None:
    if shutil.which(program) is None:
        raise InputError(
            f"{program} was not found: these photographs come from Debian packages, so run this on Debian or "
            "Ubuntu, or give any folder of photographs of your own to `metalens synth`."
        )


def _run(command: list[str], what: str, *, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise InputError(f"{what}: {command[0]} could not be started ({error}).") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
        raise InputError(f"{what}: {lines[-1] if lines else f'exit status {done.returncode}'}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", help="the folder to make")
    parser.add_argument("--packages", help="a folder that already holds the .deb files")
    options = parser.parse_args(arguments)
    try:
        count = fetch_debian_photographs(
            options.output, packages=options.packages, report=lambda line: print(line, file=sys.stderr)
        )
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.output}: {count} photographs", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
