"""Gather the sources of the site: documents, notebooks, and the pages that are generated from the package.

    python docs/site/stage.py build/docs/source

The gathered folder has the layout of the repository, so that the links of its documents hold. README is the start page.
Files that documents link to (a script, a preset) come along as downloads.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from command_pages import command_page
from format_pages import format_pages
from reference_pages import reference_pages

ROOT = Path(__file__).resolve().parents[2]

LINK = re.compile(r"(\[[^\]]*\])\(([^)\s#]+)(#[^)\s]*)?\)")

HOW_TO = {
    "Design": ["lens-toml", "design", "spectra", "meta-atoms", "tolerancing", "fabrication-files"],
    "Training sets": ["training-sets", "blur", "sensor", "photographs", "captured-pairs", "measured-psfs"],
    "Restoring": ["training", "restoration", "weights", "comparing-lenses", "hub"],
    "Installing": ["installing", "performance", "beyond-one-machine", "app"],
}
"""Heading → its documents in ``docs/``; those that are not named stand under the last one."""

ELSEWHERE = {"README", "benchmark"}
"""Documents of ``docs/`` with a place of their own."""

START = """

```{toctree}
:hidden:
:caption: Contents

Tutorials <docs/tutorials/index>
How-to <docs/README>
Gallery <gallery/index>
Reference <reference/index>
File formats <file-formats/index>
Benchmark <docs/benchmark>
Decisions <docs/adr/index>
CHANGELOG
CONTRIBUTING
SECURITY
```
"""


def stage(target: Path) -> None:
    """Write the sources of the site.

    Args:
        target: the folder; replaced if it is there.
    """
    shutil.rmtree(target, ignore_errors=True)
    for path in [*sorted((ROOT / "docs").rglob("*.md")), *(ROOT / f"{name}.md" for name in _AT_ROOT)]:
        _write(target / path.relative_to(ROOT), _with_links(path, target))
    _write(target / "index.md", _with_links(ROOT / "README.md", target) + START)
    shutil.copytree(ROOT / "docs" / "images", target / "docs" / "images", dirs_exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        _write(target / "notebooks" / path.name, path.read_text(encoding="utf-8"))
    _add_contents(target)
    for name, text in {**reference_pages(), **format_pages(), "reference/commands.md": command_page()}.items():
        _write(target / name, text)


_AT_ROOT = ("CHANGELOG", "CONTRIBUTING", "SECURITY")


def _add_contents(target: Path) -> None:
    """Tables of contents of the folders, which the documents in the repository do without."""
    how_to, tutorials = target / "docs" / "README.md", target / "docs" / "tutorials" / "index.md"
    named = {name for names in HOW_TO.values() for name in names} | ELSEWHERE
    others = sorted(path.stem for path in (ROOT / "docs").glob("*.md") if path.stem not in named)
    groups = {**HOW_TO, list(HOW_TO)[-1]: [*list(HOW_TO.values())[-1], *others]}
    _write(how_to, how_to.read_text(encoding="utf-8") + "".join(_toctree(*group) for group in groups.items()))
    steps = [path.stem for path in sorted((ROOT / "docs" / "tutorials").glob("*.md"))]
    notebooks = [f"/notebooks/{path.stem}" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    text = "# Tutorials\n\nOne for each job, on the command line; and notebooks with the same in Python.\n"
    _write(tutorials, text + _toctree("On the command line", steps, False) + _toctree("Notebooks", notebooks, False))
    decisions = [path.stem for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    text = "# Decisions\n\nEach with its context and its consequences.\n"
    _write(target / "docs" / "adr" / "index.md", text + _toctree("", decisions, False))


def _toctree(caption: str, pages: list[str], hidden: bool = True) -> str:
    lines = [":hidden:"] if hidden else [":maxdepth: 1"]
    lines += [f":caption: {caption}"] if caption else []
    return "\n```{toctree}\n" + "\n".join([*lines, "", *pages]) + "\n```\n"


def _with_links(path: Path, target: Path) -> str:
    """The text of a document, with links that hold on the site; what it links to is copied beside it."""

    def link(found: re.Match[str]) -> str:
        text, place, anchor = found[1], found[2], found[3] or ""
        if "://" in place or place.startswith("mailto:"):
            return found[0]
        linked = (path.parent / place).resolve()
        if linked == ROOT / "README.md":
            return f"{text}({place.removesuffix('README.md')}index.md{anchor})"
        if linked == ROOT / "docs" / "adr":
            return f"{text}({place.rstrip('/')}/index.md)"
        if linked.is_dir():
            return text[1:-1]
        copy = target / linked.relative_to(ROOT)
        if linked.suffix == ".md" and not copy.exists() and not _is_staged(linked):
            _write(copy, "---\norphan: true\n---\n\n" + _with_links(linked, target))  # a model card
        elif linked.suffix not in (".md", ".ipynb"):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(linked, copy)
        return found[0]

    return LINK.sub(link, path.read_text(encoding="utf-8"))


def _is_staged(path: Path) -> bool:
    """Whether a document comes to the site by itself."""
    return path.is_relative_to(ROOT / "docs") or path.parent == ROOT


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    stage(Path(sys.argv[1]))
