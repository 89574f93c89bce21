"""Every notebook runs from its first cell to its last, in its quick form, and is committed without outputs."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

SECONDS_A_CELL = 600


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert [number for number, cell in enumerate(cells) if cell.get("outputs") or cell.get("execution_count")] == []


QUICKEST = "making_a_training_set"
"""The notebook that runs in ``make test``; each of the others takes half a minute."""

LONG = [pytest.param(path, id=path.stem, marks=[pytest.mark.long] * (path.stem != QUICKEST)) for path in NOTEBOOKS]


@pytest.mark.parametrize("path", LONG)
# Jupyter's own packages warn of each other's plans; what the notebook's kernel warns of is not raised here anyway.
@pytest.mark.filterwarnings("default")
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("METALENS_QUICK", "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    errors = [output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    assert errors == []
    assert any("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
