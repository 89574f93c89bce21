"""The whole chain on embedded defaults, in its quick form: every stage runs and the report holds its figures."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from metalens.restore.adapter.adapter_file import describe_adapter, load_restorer
from metalens.workflows.demo import QUICK
from metalens.workflows.estimate import folder_bytes


# The whole chain in processes of its own: three minutes.
@pytest.mark.long
def test_the_demo_goes_the_whole_road(tmp_path):
    finished = subprocess.run(
        [sys.executable, "-m", "metalens.cli", "demo", "--quick", "-o", str(tmp_path / "demo"), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    answer = json.loads(finished.stdout)
    assert answer["report"].endswith("report.html")
    assert 1 / 1.5 < QUICK.kept_bytes / folder_bytes(tmp_path / "demo") < 1.5
    report = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert [stage["name"] for stage in report["stages"]] == [
        "psf",
        "synth",
        "synth held-out",
        "train",
        "pseudo",
        "train with pseudo pairs",
        "restore",
    ]
    for stage in report["stages"]:
        assert stage["seconds"] > 0
        assert stage["peak_memory_mb"] > 10
    assert set(report["means"]["restored"]) == {"0", "0.5", "0.75", "1", "1.05"}
    for figures in (
        report["means"]["captured"],
        report["means"]["wiener"],
        report["means"]["wiener_joint"],
        *report["means"]["restored"].values(),
    ):
        assert 5 < figures["psnr"] < 60
        assert 0 < figures["ssim"] <= 1
    page = (tmp_path / "demo" / "report.html").read_text()
    assert "http://" not in page
    assert "src=" in page


def test_the_embedded_adapter_belongs_to_the_embedded_prior_and_the_preset():
    from metalens.formats.camera.camera import read_camera

    description = describe_adapter("metacamera")
    assert description["lens_hash"] == read_camera("metacamera").hash
    assert description["prior"]["name"] == "embedded"
    assert load_restorer("metacamera").prior.identity == description["prior"]["identity"]


def test_an_unfinished_demo_folder_is_refused(tmp_path):
    from metalens.formats.files.errors import InputError
    from metalens.workflows.demo import run_demo

    (tmp_path / "old").write_text("something")
    with pytest.raises(InputError, match="not empty"):
        run_demo(tmp_path)
