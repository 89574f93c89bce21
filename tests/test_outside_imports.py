"""What lies outside the package and is not run by the tests finds what it imports from it."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    [*(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "scripts").glob("*.py"), *(ROOT / "notebooks").glob("*.ipynb")]
)


def code_of(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text
    cells = ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    lines = [line for cell in cells for line in cell.splitlines() if not line.lstrip().startswith(("!", "%"))]
    return "\n".join(lines)


def module_path(module: str) -> Path:
    """The file of a module of the package."""
    inside = ROOT.joinpath(*module.split(".")[1:])
    return inside / "__init__.py" if inside.is_dir() else inside.with_suffix(".py")


def names_of(path: Path) -> set[str]:
    """What a module binds at its top level; for a package, its modules too."""
    found = {each.stem for each in path.parent.iterdir()} if path.name == "__init__.py" else set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {each.asname or each.name for each in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def missing_in(code: str) -> list[str]:
    missing = []
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != "metalens":
            continue
        path = module_path(node.module or "")
        if not path.is_file():
            missing.append(f"{node.module}: no such module")
            continue
        known = names_of(path)
        missing += [f"{node.module} has no {each.name}" for each in node.names if each.name not in known]
    return missing


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_what_is_imported_from_the_package_is_there(path):
    assert missing_in(code_of(path)) == []


def test_a_name_that_moved_is_found():
    moved = "from metalens.restore.inference.restored_names import restored_name, pair_names"
    code = f"{moved}\nfrom metalens.nowhere import nothing"
    assert missing_in(code) == [
        "metalens.restore.inference.restored_names has no pair_names",
        "metalens.nowhere: no such module",
    ]
