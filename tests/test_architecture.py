"""The repository is laid out as CONTRIBUTING says: its folders, imports and packaging, and nothing besides."""

import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = sorted(path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in ("tests", "build"))
PACKAGES = sorted(
    path.parent.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py")
)
"""The folders and, one level deeper, the families of a concept that has many (``optics/phase``)."""

PRIVATE_PLACE = re.compile(r"(?<![\w.:/])/(?:home|root|Users|work|mnt|private|opt)/\w")
"""An absolute path on somebody's machine."""


@cache
def tracked_files() -> tuple[Path, ...]:
    """Everything that git tracks and that is text; symbolic links are left out. Outside a checkout, the sources."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        folders = (*FOLDERS, "tests", "docs", "benchmarks", "notebooks", "scripts")
        paths = [*ROOT.glob("*.*"), *(path for folder in folders for path in (ROOT / folder).rglob("*.*"))]
    else:
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return tuple(path for path in paths if path.is_file() and not path.is_symlink() and is_text(path))


def is_text(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" not in file.read(4096)


def test_imports_run_in_one_direction():
    program = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> set[str]:
    """Names of the files in the wheel, built from a copy of the tracked files."""
    tree, dist = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    for path in source_files():
        copy = tree / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    build = [sys.executable, "-c", f"from setuptools import build_meta; build_meta.build_wheel({str(dist)!r})"]
    run = subprocess.run(build, cwd=tree, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (built,) = dist.glob("*.whl")
    return set(ZipFile(built).namelist())


def source_files() -> list[Path]:
    """What a wheel is built from: all files in the package's folders, and those at the root."""
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    return [path for path in (*ROOT.glob("*.*"), ROOT / "LICENSE", *below) if path.is_file()]


def test_the_wheel_holds_every_file_of_every_folder(wheel):
    inside = [path.relative_to(ROOT) for path in source_files() if path.relative_to(ROOT).parts[0] in FOLDERS]
    assert sorted(str(path) for path in inside if f"metalens/{path.as_posix()}" not in wheel) == []


def test_the_wheel_holds_nothing_else(wheel):
    allowed = {*FOLDERS, "__init__.py", "cli.py", "py.typed"}
    inside = {name.split("/")[1] for name in wheel if name.startswith("metalens/")}
    assert inside == allowed


def test_no_package_lies_deeper_than_two_folders():
    assert [name for name in PACKAGES if name.count("/") > 1] == []


def test_nothing_but_the_package_lies_at_the_root():
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py", "cli.py", "setup.py"]


@pytest.mark.parametrize("name", [*FOLDERS, "__init__.py", "cli.py", "py.typed"])
def test_type_checkers_see_each_part_through_a_link(name):
    link = ROOT / ".typings" / "metalens" / name
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == ROOT / name


def test_type_checkers_see_nothing_else():
    assert sorted(path.name for path in (ROOT / ".typings" / "metalens").iterdir()) == sorted(
        [*FOLDERS, "__init__.py", "cli.py", "py.typed"]
    )


@pytest.mark.parametrize("name", PACKAGES)
def test_each_folder_opens_with_a_map_of_its_modules(name):
    description = (ROOT / name / "__init__.py").read_text(encoding="utf-8")
    modules = [path.stem for path in (ROOT / name).glob("*.py") if path.stem != "__init__"]
    missing = sorted(module for module in modules if f"``{module}``" not in description)
    assert missing == []


def test_every_dependency_is_bounded_above():
    extras = PROJECT["project"]["optional-dependencies"].values()
    requirements = [*PROJECT["project"]["dependencies"], *(each for extra in extras for each in extra)]
    bounded = [each for each in requirements if "<" in each or "==" in each]
    # Extras name one another; every other requirement has a bound.
    assert [each for each in requirements if each not in bounded and not each.startswith("metalens[")] == []


def test_constraints_are_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[a-z0-9][a-z0-9-]*==[0-9][0-9a-z.]*", line)] == []
    pinned = {line.partition("==")[0] for line in pins}
    wanted = {re.split(r"[<>=!\[ ]", each)[0].lower() for each in PROJECT["project"]["dependencies"]}
    assert wanted <= pinned


def locked() -> dict[str, list[str]]:
    """Versions of each package in requirements.lock; some have one version a platform."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, version = re.match(r"([a-z0-9-]+)==([0-9][0-9a-z.]*)", line).groups()
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), name
            found.setdefault(name, []).append(version)
    return found


@pytest.mark.parametrize("extra", ["", *PROJECT["project"]["optional-dependencies"]])
def test_the_lock_file_satisfies_every_extra(extra):
    project, versions = PROJECT["project"], locked()
    for each in project["optional-dependencies"][extra] if extra else project["dependencies"]:
        requirement = Requirement(each)
        if requirement.name != "metalens":
            name = canonicalize_name(requirement.name)
            assert [found for found in versions.get(name, ["none"]) if found not in requirement.specifier] == [], name


def test_the_lock_file_holds_the_versions_that_the_tests_passed_with():
    versions = locked()
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name: version for name, version in pins.items() if version not in versions.get(name, [])} == {}


def test_the_lock_file_holds_no_address():
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_no_file_names_a_place_on_somebodys_machine():
    found = []
    for path in tracked_files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if PRIVATE_PLACE.search(line) and path != Path(__file__):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_only_workflows_and_the_app_run_the_command_line():
    """What strings stages together lies above all of them: no stage starts another one as a process."""
    found = [path for path in tracked_files() if path.suffix == ".py" and "metalens.cli" in path.read_text("utf-8")]
    inside = {path.relative_to(ROOT).parts[0] for path in found}
    assert inside & set(FOLDERS) <= {"app", "workflows", "commands"}


UNSIGNED_PLACE = re.compile(r"\(\{[^{}]*:\.\d[efg]\}, \{[^{}]*:\.\d[efg]\}\)")
"""Two numbers in round brackets, such as a place (y, x): rounded to zero a negative one would be told as -0."""


def test_places_are_told_without_a_minus_zero():
    sources = (ROOT / folder for folder in FOLDERS if folder not in ("docs", "benchmarks"))
    found = {
        path.name: UNSIGNED_PLACE.findall(path.read_text(encoding="utf-8"))
        for folder in sources
        for path in folder.rglob("*.py")
    }
    assert {name: places for name, places in found.items() if places} == {}
    assert UNSIGNED_PLACE.search("at ({y:.0f}, {x:.0f}) µm")


def test_nothing_unpickles():
    """Weights are safetensors, data HDF5 and JSON; torch.load only ever reads tensors."""
    found = []
    for path in tracked_files():
        if path.suffix != ".py" or path.relative_to(ROOT).parts[0] == "tests":
            continue
        text = path.read_text(encoding="utf-8")
        if re.search(r"^\s*(?:import|from) (?:pickle|marshal|shelve|dill|joblib)\b", text, re.MULTILINE):
            found.append(f"{path.relative_to(ROOT)} imports a pickler")
        calls = re.findall(r"torch\.load\(([^)]*)\)", text)
        found += [f"{path.relative_to(ROOT)}: torch.load({call})" for call in calls if "weights_only=True" not in call]
    assert found == []
