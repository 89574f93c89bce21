"""What the documents say can be done: their links lead somewhere, and their commands are ones that metalens takes."""

import re
import shlex
from itertools import combinations
from pathlib import Path

import click
import pytest

from metalens.cli import metalens
from metalens.formats.camera.camera import read_camera
from metalens.restore.methods import METHODS

ROOT = Path(__file__).resolve().parents[1]
CARDS = (ROOT / "restore" / "weights").rglob("README.md")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *CARDS])

LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"^(?:    )?(metalens [^`\n]*)$", re.MULTILINE)


def commands_of(path: Path) -> list[str]:
    """The lines of shell that call metalens, without comments; line continuations joined."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in COMMAND.findall(text) if "…" not in line and not line.startswith("metalens:")]


COMMANDS = [(path, line) for path in DOCUMENTS for line in commands_of(path)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    links = [link for link in LINK.findall(path.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_speeds_in_the_readme_are_those_of_the_page_of_speeds():
    heading = "| job | time | memory |"
    shown, known = (
        text[text.index(heading) :].partition("\n\n")[0]
        for text in ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/performance.md"))
    )
    assert shown == known


def test_the_comparison_of_methods_describes_each():
    table = (ROOT / "docs" / "benchmark.md").read_text(encoding="utf-8").partition("\n## Methods\n")[2]
    assert re.findall(r"^\| `([a-z0-9][a-z0-9-]+)` \|", table.partition("\n## ")[0], re.MULTILINE) == list(METHODS)


def test_the_readme_shows_each_stage():
    shown = " ".join(line for path, line in COMMANDS if path.name == "README.md")
    for name in ("psf", "synth", "train", "restore", "report"):
        assert f"metalens {name}" in shown


@pytest.mark.parametrize(("path", "line"), COMMANDS, ids=lambda value: str(getattr(value, "name", value))[:60])
def test_a_command_in_a_document_is_one_that_metalens_takes(path, line, monkeypatch):
    monkeypatch.setattr("metalens.restore.machine.usable_device", lambda name: None)  # documents name accelerators
    command: click.Command | None = metalens
    arguments = shlex.split(line, comments=True)[1:]
    if arguments[0].startswith("-"):
        return  # metalens --help
    while isinstance(command, click.Group) and arguments[0] in command.list_commands(click.Context(command)):
        name, *arguments = arguments
        command = command.get_command(click.Context(command), name)
    assert command is not metalens, f"there is no command {arguments[0]}"
    try:
        command.make_context(name, arguments)
    except click.UsageError as error:
        pytest.fail(f"{path.name}: {line}: {error.format_message()}")


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.toml")), ids=lambda path: path.name)
def test_a_camera_that_a_document_names_can_be_read(path):
    assert read_camera(str(path)).name == path.stem


VERSIONS = dict(
    re.findall(r"^## (\[[^]]+\])[^\n]*\n(.*?)(?=^## |\Z)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M | re.S)
)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_changelog_has_each_heading_once_and_in_order(version):
    headings = re.findall(r"^### (.*)$", VERSIONS[version], re.MULTILINE)
    order = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    assert headings == [name for name in order if name in headings]


@pytest.mark.parametrize("version", VERSIONS)
def test_no_two_entries_of_a_version_say_the_same(version):
    """Two entries that share half of their words are one entry, once as it was and once reworded."""
    entries = re.findall(r"^- (.*?)(?=^- |^### |\Z)", VERSIONS[version], re.MULTILINE | re.DOTALL)
    words = [(entry, set(re.findall(r"\w+", entry))) for entry in entries]
    assert [(one, two) for (one, a), (two, b) in combinations(words, 2) if len(a & b) > 0.5 * len(a | b)] == []


def test_decisions_are_numbered_without_gap_or_double():
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_changelog_names_documents_that_exist():
    """For the version that comes; documents that former versions named may have moved."""
    named = re.findall(r"docs/[\w/-]+(?:\.md)?", VERSIONS["[Unreleased]"])
    assert named
    assert [name for name in named if not any(ROOT.glob(f"{name}*"))] == []
