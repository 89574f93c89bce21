"""``import metalens``: what it offers, that it is instant, and that none of it changes unnoticed."""

import ast
import dataclasses
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import metalens
from metalens.formats.files.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
RECORDED = Path(__file__).with_name("public_names.txt")

FUNCTIONS = [name for name in metalens.__all__ if inspect.isfunction(getattr(metalens, name))]
RECORDS = [name for name in metalens.__all__ if inspect.isclass(getattr(metalens, name))]


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def loaded_by(program: str) -> set[str]:
    """The modules that a program loads and an empty one does not."""
    tell = "\nimport json, sys; print(json.dumps(list(sys.modules)))"
    runs = [run(each + tell) for each in ("", program)]
    assert [each.returncode for each in runs] == [0, 0], runs[1].stderr
    empty, full = (set(json.loads(each.stdout)) for each in runs)
    return full - empty


def test_import_loads_nothing_but_the_front_door():
    loaded = loaded_by("import metalens; dir(metalens); metalens.__version__")
    assert {name for name in loaded if name.startswith("metalens")} == {"metalens"}
    assert {name.partition(".")[0] for name in loaded} <= {"metalens", *sys.stdlib_module_names}


def test_a_name_loads_only_what_it_needs():
    assert {"torch", "jax"}.isdisjoint(loaded_by("import metalens; metalens.read_camera('metacamera')"))
    assert "torch" not in loaded_by("import metalens; metalens.restore; metalens.read_bank; metalens.read_pairs")


def test_dir_lists_the_public_names_and_each_leads_somewhere():
    assert dir(metalens) == sorted([*metalens.__all__, "__version__"])
    assert list(metalens.__all__) == sorted(metalens.__all__)
    for name in metalens.__all__:
        assert getattr(metalens, name) is not None
    with pytest.raises(AttributeError, match="module 'metalens' has no attribute 'focus'"):
        _ = metalens.focus


def test_type_checkers_are_told_of_the_same_objects():
    """The imports that only type checkers see are those that happen when a name is used."""
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    shown = next(node for node in tree.body if isinstance(node, ast.If))
    for node in shown.body:
        assert isinstance(node, ast.ImportFrom)
        for each in node.names:
            public, found = each.asname or each.name, getattr(metalens, each.asname or each.name)
            if public == "restore":
                assert inspect.signature(found) == inspect.signature(metalens.restore)
            elif isinstance(found, ModuleType):
                assert found.__name__ == f"metalens.{public}"
            else:
                assert found is getattr(sys.modules[str(node.module)], each.name)
    names = {each.asname or each.name for node in shown.body for each in node.names}  # type: ignore[attr-defined]
    assert names == set(metalens.__all__)


WITHOUT_METHOD = re.compile("read_.*|write_.*|.*_names|load_restorer|photographs_of|psf_figure|psnr")
"""Functions that rest on no published method; all others state theirs."""


@pytest.mark.parametrize("name", [*FUNCTIONS, "restore"])
def test_a_function_says_what_it_takes_gives_and_refuses_with_an_example_and_its_sources(name):
    function = getattr(metalens, name)
    if name == "restore":
        from metalens.restore.inference.picture import restore_picture as function
    text = inspect.getdoc(function) or ""
    takes = inspect.signature(function).parameters
    assert "Example" in text
    for parameter in takes:
        assert re.search(rf"^    {parameter}: ", text, re.MULTILINE), f"{name}: {parameter} is not described"
    if takes:
        assert "Raises:" in text
    sources = re.search(r"^References:\n((?: +.*\n)+)", text, re.MULTILINE)
    assert (sources is None) == (WITHOUT_METHOD.fullmatch(name) is not None)
    if sources is not None:
        assert re.search(r"doi:10\.|arXiv \d|\(\d{4}\)", sources[1])


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_described(name):
    assert len(inspect.getdoc(getattr(metalens, name)) or "") > 20


def members(name: str) -> list[str]:
    """The public fields, properties and methods of a record, a line each."""
    kind = getattr(metalens, name)
    fields = {each.name for each in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
    fields |= set(getattr(kind, "__pydantic_fields__", {}))
    lines = [f"{name}.{field}" for field in sorted(fields)]
    for member, value in sorted(vars(kind).items()):
        if member.startswith("_"):
            continue
        if inspect.isfunction(value):
            lines.append(f"{name}.{member}{inspect.signature(value)}")
        elif isinstance(value, property):
            lines.append(f"{name}.{member} (property)")
    return lines


def described() -> list[str]:
    """All public names with their signatures, a line each."""
    lines = []
    for name in metalens.__all__:
        value = getattr(metalens, name)
        if inspect.isclass(value):
            lines += [f"class {name}", *members(name)]
        elif callable(value):
            lines.append(f"{name}{inspect.signature(value)}")
        else:
            lines.append(f"module {name}")
    return lines


def test_public_names_and_signatures_are_those_that_are_recorded(tmp_path):
    found = tmp_path / RECORDED.name
    found.write_text("\n".join(described()) + "\n", encoding="utf-8")
    recorded = RECORDED.read_text(encoding="utf-8") if RECORDED.is_file() else ""
    assert found.read_text(encoding="utf-8") == recorded, (
        f"the public names or their signatures changed. If that is meant, copy {found} to tests/{RECORDED.name}, and "
        "say in CHANGELOG.md what users have to change."
    )


def test_the_folder_restore_stays_callable_when_its_modules_are_imported():
    import metalens.restore.adapter.restorer as restorer

    assert callable(metalens.restore)
    assert metalens.restore.adapter.restorer is restorer
    assert list(inspect.signature(metalens.restore).parameters)[:3] == ["picture", "adapter", "alpha"]


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (np.zeros((64, 64, 3), np.int16), r"int16, expected \[y, x, 3\] of uint8 sRGB, or of floats in 0..1"),
        (np.full((64, 64, 3), 90.0), r"floats beyond 0..1, expected sRGB values in 0..1"),
        (np.zeros((64, 64), np.uint8), r"shape \(64, 64\)"),
        (np.zeros((64, 64, 4), np.uint8), r"shape \(64, 64, 4\)"),
        ("photo.png", "found str, expected an array"),
    ],
)
def test_what_is_no_picture_is_refused_before_anything_is_loaded(picture, said):
    with pytest.raises(InputError, match=said):
        metalens.restore(picture, "no-such-adapter")


def test_an_alpha_out_of_range_is_refused_before_anything_is_loaded():
    with pytest.raises(InputError, match="alpha 3"):
        metalens.restore(np.zeros((64, 64, 3), np.uint8), "no-such-adapter", alpha=3)


def test_a_picture_is_restored_as_by_the_stages_own_functions():
    from metalens.restore.inference.restoration import Settings, restore

    picture = np.random.default_rng(0).integers(20, 200, (64, 80, 3), dtype=np.uint8)
    restorer = metalens.load_restorer("metacamera")
    expected = restore(restorer, picture, [0.5], Settings(place=(10, 20)))[0.5]
    np.testing.assert_array_equal(metalens.restore(picture, restorer, 0.5, place=(10, 20)), expected)
    by_map = metalens.restore(picture, "metacamera", np.full((64, 80), 0.5), place=(10, 20))
    assert np.abs(by_map.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda f: metalens.train("pairs", f / "a", bank="psf.h5"), "needs --steps or --minutes"),
        (lambda f: metalens.train(f / "none", f / "a", bank="psf.h5", steps=1), "none"),
        (lambda f: metalens.design("held", f / "no" / "lens.toml"), "does not exist"),
        (lambda f: metalens.design("held", f / "lens.toml", minutes=0), "minutes 0 must be more than 0"),
        (lambda f: metalens.design("no-such", f / "lens.toml"), "held"),
        (lambda f: metalens.generate_pairs(f / "none", "psf.h5", f / "pairs"), "none"),
        (lambda f: metalens.generate_pairs("embedded", "psf.h5", f, settings={"noise": 1}), "unknown key noise"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused_in_a_sentence(tmp_path, call, said):
    with pytest.raises(InputError, match=said):
        call(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["formats.psf_bank", "formats.pairs", "restore.restorer", "restore.graphed"])
def test_an_old_import_path_is_pythons_ordinary_error(module):
    if module == "formats.pairs":
        program = "from metalens.formats.pairs import read_pairs"
        assert "ImportError: cannot import name 'read_pairs'" in run(program).stderr
        return
    assert f"ModuleNotFoundError: No module named 'metalens.{module}'" in run(f"import metalens.{module}").stderr


def python_of(path: Path) -> list[str]:
    """The blocks of Python in a document."""
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


JOBS = python_of(ROOT / "README.md")


def test_the_readme_shows_each_job():
    shown = "".join(JOBS)
    for name in ("design", "with_", "simulate_bank", "generate_pairs", "train", "restore"):
        assert f"{name}(" in shown


@pytest.mark.parametrize("code", JOBS, ids=range(len(JOBS)))
def test_a_job_in_the_readme_takes_one_import_and_at_most_six_statements(code):
    imports, *statements = ast.parse(code).body
    assert ast.unparse(imports) == "import metalens"
    assert 0 < len(statements) <= 6
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner, name = node.func.value, node.func.attr
            if isinstance(owner, ast.Name) and owner.id == "metalens":
                keywords = {str(each.arg): None for each in node.keywords}
                inspect.signature(getattr(metalens, name)).bind(*node.args, **keywords)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_takes_from_the_front_door_what_stands_there(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    lines = "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "code").splitlines()
    nodes = list(ast.walk(ast.parse("\n".join(line for line in lines if not line.startswith(("%", "!"))))))
    imported = {each.name for node in nodes if isinstance(node, ast.ImportFrom) for each in node.names}
    offered = {*metalens.__all__, "read_psf_bank", "write_psf_bank", "design_lens"}
    assert sorted(imported & offered) == []
    assert "import metalens" in lines


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # to Python, a module that is None cannot be found
import numpy as np
import metalens
calls = {
    "train": lambda: metalens.train,
    "load_restorer": lambda: metalens.load_restorer,
    "restore": lambda: metalens.restore(np.zeros((400, 400, 3), np.uint8)),
}
for name, call in calls.items():
    try:
        call()
    except metalens.InputError as error:
        print(error)
print(metalens.read_camera("metacamera").name)
"""


def test_a_name_whose_extra_is_missing_says_which_one_to_install():
    run = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        *(
            f"metalens.{name}: the package torch is not installed; run `pip install 'metalens[restore]'`."
            for name in ("train", "load_restorer", "restore")
        ),
        "metacamera",
    ]
