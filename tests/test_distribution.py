"""Files for other ways to install: Dockerfile, conda recipe, release from a tag, the notebook for Colab; Windows."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path

import yaml

from metalens import __version__

ROOT = Path(__file__).resolve().parents[1]

CONDA_NAMES = {"matplotlib": "matplotlib-base", "OpenEXR": "openexr-python"}
"""Names of packages of PyPI on conda-forge, where they differ."""


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_conda_recipe_requires_what_the_base_installation_does() -> None:
    recipe = yaml.safe_load((ROOT / "packaging" / "conda" / "recipe.yaml").read_text(encoding="utf-8"))
    told = project()
    wanted = [f"python {told['requires-python']}"]
    for requirement in told["dependencies"]:
        name, bounds = re.fullmatch(r"([A-Za-z0-9_-]+)(.*)", requirement).groups()
        wanted.append(f"{CONDA_NAMES.get(name, name)} {bounds}")
    assert sorted(recipe["requirements"]["run"]) == sorted(wanted)
    assert recipe["context"]["version"] == __version__
    assert (ROOT / "packaging" / "conda" / recipe["source"]["path"]).resolve() == ROOT
    assert recipe["about"]["license"] == told["license"]


def test_the_image_has_a_stage_for_processors_and_one_for_cuda() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = {name: base for base, name in re.findall(r"^FROM (\S+) AS (\w+)$", text, re.MULTILINE)}
    assert list(stages) == ["wheel", "base", "cpu", "cuda"]
    assert stages["cpu"] == stages["cuda"] == "base"
    minor = re.search(r"^ARG PYTHON=3\.(\d+)$", text, re.MULTILINE)
    assert minor is not None
    assert 11 <= int(minor[1]) <= 14
    for source in re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE):
        assert (ROOT / source).exists()
    assert text.count("USER metalens") == 2  # no image runs as root
    assert "all" in project()["optional-dependencies"]


def test_what_the_wheel_holds_is_not_kept_from_the_image() -> None:
    kept_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    folders = re.search(r"^FOLDERS = \((.*)\)$", (ROOT / "setup.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert folders is not None
    assert not {name.strip(' "') for name in folders[1].split(",")} & set(kept_out)
    assert not {"README.md", "LICENSE", "pyproject.toml", "setup.py", "constraints.txt"} & set(kept_out)


def test_a_tag_makes_a_release_of_its_version() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads "on" as true
    steps = [step.get("run", "") for step in workflow["jobs"]["wheel"]["steps"]]
    checked = next(number for number, step in enumerate(steps) if "GITHUB_REF_NAME#v" in step)
    released = next(number for number, step in enumerate(steps) if step.startswith("gh release create"))
    assert checked < released


def test_a_change_is_checked_by_the_targets_of_make() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    run = {step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step}
    assert run >= {"make lint", "make type", "make test", "make docs-check", "make docs"}


def test_the_notebook_for_colab_begins_by_installing_a_wheel() -> None:
    cells = json.loads((ROOT / "notebooks" / "the_whole_chain.ipynb").read_text(encoding="utf-8"))["cells"]
    first = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert 'find_spec("metalens") is None' in first
    assert "metalens-*.whl" in first


POSIX_MODULES = {"fcntl", "grp", "posix", "pwd", "resource", "termios"}

POSIX_CALLS = re.compile(
    r"\bimport (fcntl|resource)\b|\b(fork|mkfifo|symlink_to|umask|setrlimit)\(|\bSIG(KILL|TERM)\b|/dev/|/proc/"
)


def test_the_tests_that_are_named_for_windows_need_nothing_of_posix() -> None:
    """Symbolic links count: Windows lets few users make them."""
    text = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
    told = re.search(r"The tests that need no POSIX are (.*?), without (.*?)\.\n", text, re.DOTALL)
    assert told is not None
    folders, without = (re.findall(r"`([^`]+)`", part) for part in told.groups())
    files = [path for folder in folders for path in (ROOT / folder).rglob("test_*.py")]
    needing = [path for path in files if POSIX_CALLS.search(path.read_text(encoding="utf-8"))]
    assert sorted(str(path.relative_to(ROOT)) for path in needing) == sorted(without)


def test_the_packages_that_are_tested_on_windows_import_nothing_of_posix() -> None:
    """At the top of a module; a function may, where it goes on without."""
    found = []
    for package in ("formats", "runners", "optics", "psf", "synth", "restore"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                found += [f"{path.relative_to(ROOT)}: {name}" for name in names if name in POSIX_MODULES]
    assert found == []
