"""An exploration goes on after an interruption, does not depend on the order of its workers, and keeps what failed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metalens.formats.camera.camera import camera_of_json, read_camera, write_camera
from metalens.formats.design.exploration_run import Candidate
from metalens.formats.design.spec import DesignSpec, read_design
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import library_path
from metalens.psf.design.exploration import ExplorationResult, explore_architectures
from metalens.psf.design.exploration_report import write_exploration_report

SPEC = read_design("explore-1mm3").with_(explore={"candidates": 24})


class Made:
    """A runner whose lenses are not designed: the restored picture is a function of the architecture.

    Args:
        reverse: give the results from the last to the first.
        limit: results, after which the run is interrupted.
        fails: candidates that fail.
    """

    def __init__(self, *, reverse: bool = False, limit: int = 10**6, fails: tuple[int, ...] = ()) -> None:
        self.reverse, self.limit, self.fails, self.asked = reverse, limit, fails, 0

    def open(self, folder: Path, here: Any) -> Made:
        del folder, here
        return self

    def close(self) -> None:
        pass

    def run(self, job: str, specs: Any, tell: Any = None) -> Iterator[tuple[int, Any]]:
        del job, tell
        places = list(enumerate(specs))
        for place, spec in reversed(places) if self.reverse else places:
            if self.asked == self.limit:
                raise KeyboardInterrupt
            self.asked += 1
            yield place, self.answer(spec)

    def answer(self, spec: Any) -> dict[str, Any]:
        camera, output = camera_of_json(spec["camera"]), Path(spec["output"])
        if int(output.stem) in self.fails:
            return {"failed": "the light went out.", "seconds": 0.5}
        write_camera(output, camera)
        lens = camera.lens
        pupil = lens.aperture_um if lens.stop is None else lens.stop.diameter_um
        restored = 30 - ((pupil - 140) / 50) ** 2
        figures: dict[str, Any] = {"captured_db": 1.0, "loss": 1.0, "tolerance_loss_db": 0.1}
        figures |= dict.fromkeys(("restored_db", "restored_centre_db", "restored_edge_db"), restored)
        figures |= {"light": (pupil / lens.focal_length_um) ** 2}
        figures |= {"track_length_um": lens.focal_length_um, "diameter_um": lens.aperture_um, "field_deg": 30.0}
        figures |= {"f_number": lens.focal_length_um / pupil, "steps": 1, "lens_hash": camera.hash}
        return {"figures": figures, "seconds": 0.5}


def explored(folder: Path, made: Made, spec: DesignSpec = SPEC, **more: Any) -> ExplorationResult:
    return explore_architectures(spec, folder, backend=made, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Candidate]:
    return explored(tmp_path_factory.mktemp("whole") / "run", Made()).candidates


def test_the_order_of_the_workers_does_not_matter(whole: list[Candidate], tmp_path: Path) -> None:
    assert explored(tmp_path / "run", Made(reverse=True)).candidates == whole


@pytest.mark.parametrize("limit", [1, 13, 17])
def test_an_interrupted_run_goes_on_to_the_same_candidates(whole: list[Candidate], limit: int, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        explored(tmp_path / "run", Made(limit=limit))
    lines = tmp_path / "run" / "candidates.jsonl"
    assert lines.read_bytes().count(b"\n") == limit
    lines.write_bytes(lines.read_bytes()[:-5])
    rest = Made()
    assert explored(tmp_path / "run", rest, resume=True).candidates == whole
    assert rest.asked == 24 - limit + 1


def test_later_candidates_come_nearer_to_the_best(whole: list[Candidate]) -> None:
    first, later = (sum(each.figures.restored_db for each in part) / 12 for part in (whole[:12], whole[12:]))  # type: ignore[union-attr]
    assert later > first


def test_a_candidate_that_fails_stays_in_the_table(tmp_path: Path) -> None:
    found = explored(tmp_path / "run", Made(fails=(0, 14)))
    assert [each.number for each in found.candidates if each.failed] == [0, 14]
    told = write_exploration_report(found)
    text = (tmp_path / "run" / "report.md").read_text()
    assert text.count("the light went out.") == 2
    assert len(told["candidates"]) == 24
    assert told["best"] == max(found.able, key=lambda each: each.figures.restored_db).number  # type: ignore[union-attr]
    assert read_camera(tmp_path / "run" / "best.toml").hash == found.best.figures.lens_hash  # type: ignore[union-attr]


def test_where_all_fail_the_first_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"all 12 candidates failed, the first one as follows: the light went out\."):
        explored(tmp_path / "run", Made(fails=tuple(range(24))))


def test_another_run_is_not_mixed_with_one_that_is_there(tmp_path: Path) -> None:
    explored(tmp_path / "run", Made())
    with pytest.raises(InputError, match=r"cannot be resumed, design\.explore\.seed was 0 and is now 1"):
        explored(tmp_path / "run", Made(), SPEC.with_(explore={"seed": 1}), resume=True)


def test_a_damaged_line_is_refused(tmp_path: Path) -> None:
    explored(tmp_path / "run", Made())
    lines = tmp_path / "run" / "candidates.jsonl"
    lines.write_bytes(lines.read_bytes().replace(b'"seconds":0.5', b'"seconds":"long"', 1))
    with pytest.raises(InputError, match="not a readable list of candidates"):
        explored(tmp_path / "run", Made(), resume=True)


def test_a_full_disk_ends_the_run_and_is_no_fault_of_the_candidate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(spec: DesignSpec, output: Path) -> dict[str, Any]:
        raise InputError(f"{spec.name} at {output.name}: no space.") from OSError(28, "No space left on device")

    monkeypatch.setattr("metalens.psf.design.candidate._designed", refuse)
    with pytest.raises(InputError, match=r"explore-1mm3 000 at 000\.toml: no space"):
        explore_architectures(SPEC, tmp_path / "run")
    assert not (tmp_path / "run" / "candidates.jsonl").exists()


def test_files_of_ones_own_are_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(library_path("si3n4-on-sio2"), "own.h5")
    response = {"kind": "library", "library": "own.h5", "wavelength_nm": 530.0}
    made = Made()
    with pytest.raises(InputError, match="names a file of its own"):
        explored(tmp_path / "run", made, SPEC.with_(camera={"lens": {"response": response}}))
    assert made.asked == 0
