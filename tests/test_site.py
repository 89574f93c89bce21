"""The site's sources: what is generated from the package is complete, and the checker finds what is wrong.

The build itself, with warnings as errors and every example run, is ``make docs``.
"""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import metalens
from metalens.cli import COMMANDS
from metalens.formats.camera.lens import Lens
from metalens.formats.files.schema_keys import table_of

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "docs" / "site"

LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")


def run_program(name: str, argument: Path) -> None:
    """Run a program of the site in this process, which has imported most of what it needs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.syspath_prepend(SITE)
        patch.setattr(sys, "argv", [name, str(argument)])
        runpy.run_path(str(SITE / name), run_name="__main__")


@pytest.fixture(scope="module")
def staged(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("site") / "source"
    run_program("stage.py", target)
    return target


def test_each_link_of_a_staged_document_leads_to_a_staged_file(staged):
    wrong = []
    for path in staged.rglob("*.md"):
        for link in LINK.findall(path.read_text(encoding="utf-8")):
            if "://" not in link and not (path.parent / link).exists():
                wrong.append(f"{path.relative_to(staged)}: {link}")
    assert wrong == []


def test_each_document_is_in_a_table_of_contents(staged):
    trees = "\n".join(
        f"{(path.parent / name).resolve()}"
        for path in [*staged.rglob("*.md"), *staged.rglob("*.rst")]
        for block in re.findall(r"```\{toctree\}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        for line in block.splitlines()
        if (name := re.sub(r".*<(.*)>", r"\1", line)) and not name.startswith(":")
    ).splitlines()
    absolute = [name for name in trees if name.startswith("/notebooks/")]
    listed = {*trees, *(str(staged / name.lstrip("/")) for name in absolute)}
    texts = {path: path.read_text(encoding="utf-8") for path in staged.rglob("*.md") if path.name != "index.md"}
    pages = {str(path.with_suffix("").resolve()) for path, text in texts.items() if "orphan: true" not in text}
    assert sorted(pages - listed - {str(staged / "reference" / "commands")}) == []


def test_the_reference_has_every_public_name(staged):
    text = (staged / "reference" / "metalens.rst").read_text(encoding="utf-8")
    modules = {"formats", "optics", "psf", "synth"}
    described = re.findall(r":: metalens\.(\w+)", text)
    assert sorted({*described, *modules}) == sorted(metalens.__all__)
    assert "Also here: :py:obj:`metalens.PairsReport`" in (staged / "reference" / "metalens.synth.rst").read_text(
        "utf-8"
    )
    assert ".. py:function:: metalens.restore(picture" in text
    assert ":: metalens.optics.Hyperbolic\n" in (staged / "reference" / "metalens.optics.rst").read_text("utf-8")


def test_the_file_formats_have_every_key_of_their_records(staged):
    text = (staged / "file-formats" / "lens.md").read_text(encoding="utf-8")
    for key in table_of(Lens).keys:
        assert f"| `{key.name}` |" in text
    assert '## [lens.phase] with family = "hyperbolic"' in text
    assert "| `intensity` | float32 | n × 3 × n × n |" in (staged / "file-formats" / "psf.md").read_text("utf-8")
    assert "| `learning_rate` |" in (staged / "file-formats" / "recipe.md").read_text("utf-8")


def test_every_command_has_its_help(staged):
    text = (staged / "reference" / "commands.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"## metalens {name}\n" not in text] == []


@pytest.mark.long  # minutes: every example runs. Notebooks are left unrun: test_notebooks.py runs them
def test_the_site_builds_without_a_warning_with_a_picture_of_each_example(staged, monkeypatch):
    monkeypatch.setenv("METALENS_DOCS", "gallery")
    html = staged.parent / "html"
    sphinx = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-c", SITE]
    for command in ([*sphinx, staged, html], [sys.executable, SITE / "check.py", html]):
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
    pictures = {path.name for path in (html / "_images").iterdir()}
    names = [path.stem for path in (ROOT / "examples").glob("*.py")]
    assert [name for name in names if f"sphx_glr_{name}_001.png" not in pictures] == []
    assert (html / "search.html").is_file()
    assert "simulate_psf" in (html / "searchindex.js").read_text(encoding="utf-8")


def test_the_tools_of_the_site_are_in_no_extra_for_users():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    others = " ".join(each for name, extra in extras.items() if name not in ("docs", "dev") for each in extra)
    assert "sphinx" not in others
    assert "docs" not in others


@pytest.mark.parametrize(
    ("link", "word"),
    [
        ('<a href="other.html#there">', None),
        ('<a href="#here">', None),
        ('<a href="https://example.org/x">', None),
        ('<a href="mailto:a@example.org">', None),
        ('<link rel="canonical" href="https://example.org/">', None),
        ('<img src="data:image/png;base64,AA">', None),
        ('<a href="nowhere.html">', "leads nowhere"),
        ('<a href="other.html#gone">', "no place"),
        ('<img src="gone.png">', "leads nowhere"),
        ('<script src="https://cdn.example.org/a.js">', "from outside"),
        ('<link rel="stylesheet" href="//fonts.example.org/a.css">', "from outside"),
    ],
)
def test_a_broken_link_and_a_file_from_outside_are_found(tmp_path, capsys, link, word):
    (tmp_path / "index.html").write_text(f'<p id="here">{link}</p>')
    (tmp_path / "other.html").write_text('<p id="there"></p>')
    with pytest.raises(SystemExit) as stopped:
        run_program("check.py", tmp_path)
    assert stopped.value.code == (word is not None)
    assert (word or "every link") in capsys.readouterr().out
