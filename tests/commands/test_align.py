"""``metalens align``: what to display, and from its captures to a folder of pairs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from metalens.cli import metalens
from metalens.formats.camera.camera import dump_camera, read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import read_pairs
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.synth.alignment import DotTarget

from .conftest import texture


def align(*arguments: object) -> Result:
    return CliRunner().invoke(metalens, ["align", *map(str, arguments)])


def sentence(result: Result) -> str:
    assert isinstance(result.exception, InputError), result.output
    return str(result.exception)


def test_captures_become_pairs_and_figures(rig: Path, tmp_path: Path) -> None:
    result = align(rig / "captures.toml", "-o", tmp_path / "pairs", "--figures", tmp_path / "figures", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["output"], found["count"], found["made"]) == (str(tmp_path / "pairs"), 1, 1)
    assert found["calibration"]["residual_px"]["mean"] < 0.05
    assert found["captures"][0]["file"] == "capture/photograph-00001.npy"
    assert found["skipped"][0]["name"] == "capture/photograph-00002.npy"
    assert "moved by 2." in found["skipped"][0]["reason"]
    assert "skipped capture/photograph-00002.npy: " in result.stderr
    with_files = sorted(path.name for path in (tmp_path / "figures").iterdir())
    drawings = ("display", "lateral-colour", "pair", "residuals")
    assert with_files == sorted(["alignment.json", *(f"{name}.{end}" for name in drawings for end in ("png", "pdf"))])
    assert len(read_pairs(tmp_path / "pairs")) == 1
    assert "the output folder is not empty" in sentence(align(rig / "captures.toml", "-o", tmp_path / "pairs"))


def test_a_dry_run_checks_and_writes_nothing(rig: Path, tmp_path: Path) -> None:
    result = align(rig / "captures.toml", "-o", tmp_path / "pairs", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "would make 1 pair in" in result.stdout
    assert "1 capture left out" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_strict_refuses_what_is_otherwise_left_out(rig: Path, tmp_path: Path) -> None:
    result = align(rig / "captures.toml", "-o", tmp_path / "pairs", "--strict")
    assert "photograph-00002.npy: moved by 2." in sentence(result)
    assert list(tmp_path.iterdir()) == []


def test_the_target_is_a_picture_and_tells_its_table(tmp_path: Path) -> None:
    result = align("target", "-o", tmp_path / "dots.png", "--pixels", "480x640", "--spacing", "40")
    assert result.exit_code == 0, result.output
    assert "[target]\npixels = [480, 640]\nspacing_px = 40.0\nradius_px = 8.0" in result.stdout
    np.testing.assert_array_equal(read_picture(tmp_path / "dots.png"), DotTarget((480, 640), 40, 8).picture())
    assert "exists already" in sentence(align("target", "-o", tmp_path / "dots.png"))
    wrong = align("target", "-o", tmp_path / "more.png", "--pixels", "100x100")
    assert "fewer than five dots" in sentence(wrong)
    assert align("target", "-o", tmp_path / "more.png", "--pixels", "big").exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["dots.png"]


def test_screens_are_everything_to_display_and_a_list(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", texture(0)[:300])
    arguments = ("--lens", "metacamera", "--pixels", "240x320", "--spacing", "24", "--json")
    result = align("screens", tmp_path / "a.png", "-o", tmp_path / "set", *arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["screens"] == 14
    shown = {path.stem: read_picture(path) for path in (tmp_path / "set" / "display").iterdir()}
    assert {picture.shape for picture in shown.values()} == {(240, 320, 3)}
    assert {int(shown[f"grey-{value:03d}"].mean()) for value in (0, 96, 224)} == {0, 96, 224}
    assert (shown["red"] == [255, 0, 0]).all()
    assert [path.name for path in (tmp_path / "set").iterdir() if path.is_file()] == ["captures.toml"]
    missing = align(tmp_path / "set" / "captures.toml", "-o", tmp_path / "pairs")
    assert "names capture/dots.npy and 14 more, which is no file in its folder" in sentence(missing)


def test_what_is_no_list_leaves_nothing_behind(tmp_path: Path) -> None:
    assert "no such file" in sentence(align(tmp_path / "captures.toml", "-o", tmp_path / "pairs"))
    (tmp_path / "captures.toml").write_bytes(b"\xff\xfe hostile")
    assert "could not be read as UTF-8 text" in sentence(align(tmp_path / "captures.toml", "-o", tmp_path / "pairs"))
    assert align(tmp_path / "captures.toml").exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["captures.toml"]


def test_a_camera_of_a_file_is_copied_beside_the_list_with_what_it_names(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", texture(0)[:300])
    (tmp_path / "lamp.csv").write_text("wavelength_nm,power\n400,1\n700,2\n")
    camera = read_camera("metacamera")
    own = camera.with_(spectrum={"source": "equal_energy", "sensor": "generic_rgb", "wavelengths_per_channel": 1})
    text = dump_camera(own).replace("equal_energy", "lamp.csv")
    (tmp_path / "own.toml").write_text(text)
    wanted = read_camera(tmp_path / "own.toml")
    arguments = ("--lens", tmp_path / "own.toml", "--pixels", "240x320", "--spacing", "24")
    result = align("screens", tmp_path / "a.png", "-o", tmp_path / "set", *arguments)
    assert result.exit_code == 0, result.output
    assert read_camera(tmp_path / "set" / "lens.toml").hash == wanted.hash
    assert (tmp_path / "set" / "lamp.csv").read_bytes() == (tmp_path / "lamp.csv").read_bytes()
    assert 'lens = "lens.toml"' in (tmp_path / "set" / "captures.toml").read_text()
