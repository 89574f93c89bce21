"""Lenses compared: what is refused, what is kept, what fails, and what the page tells."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.formats.camera.camera import parse_camera
from metalens.formats.files.claim import LOCK, held
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.restore.adapter.adapter_file import save_adapter
from metalens.restore.bench import judge, worker
from metalens.restore.bench.folder import runs_of
from metalens.restore.bench.plan import read_plan
from metalens.restore.bench.run import prepare
from metalens.workflows.compare import run as running
from metalens.workflows.compare import stages
from metalens.workflows.compare.stages import exposed_camera
from metalens.workflows.compare.step import run_logged, step_in

from ..conftest import SMALL_CAMERA
from ..page_links import Sources
from ..restore.conftest import bank, camera, make_restorer, prior_folder

__all__ = ["bank", "camera", "make_restorer", "prior_folder"]


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    """Two lenses of one sensor, and photographs; the sensor has 64 × 64 pixels, the fewest that a restorer takes."""
    folder = tmp_path_factory.mktemp("given")
    small = SMALL_CAMERA.replace("pixels = [32, 32]", "pixels = [64, 64]")
    small = small.replace("[spectrum]", "[spectrum]\nwavelengths_per_channel = 1")
    (folder / "small.toml").write_text(small)
    narrow = small.replace('"small"', '"narrow"').replace("aperture_um = 40.0", "aperture_um = 30.0")
    (folder / "narrow.toml").write_text(narrow)
    for place, count, side in (("photos", 5, 72), ("held-out", 2, 72), ("tiny", 2, 40)):
        (folder / place).mkdir()
        pictures = np.random.default_rng(count + side).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
        for number, picture in enumerate(pictures):
            write_picture(folder / place / f"{place}-{number}.png", picture)
    return folder


@pytest.fixture(scope="module")
def in_one_process():
    """Run the stages in this process, which starts in no time, with one baseline and two metrics; names what is run."""
    called: list[tuple[str, str]] = []

    def command(arguments, log):
        called.append((arguments[0], Path(arguments[arguments.index("-o") + 1]).parent.name))
        log.write_text("")
        result = CliRunner().invoke(metalens, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception

    def restore(folder, *, resume, report):
        prepare(folder, read_plan(folder))
        for each in runs_of(folder, read_plan(folder)):
            if not each.finished:
                called.append((each.method, folder.parent.name))
                worker.main([str(folder), each.method, "0", "--resume"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "run_logged", command)
        patch.setattr(stages, "restore_with_all", restore)
        patch.setattr(stages, "judge_all", lambda folder, device, report: judge.judge(folder, device))
        patch.setattr(stages, "BASELINES", ("wiener-joint",))
        patch.setattr(stages, "METRICS", ("psnr", "ssim"))
        yield called


def words(given: Path, output: Path, *more: object) -> list[str]:
    lenses = [str(given / f"{name}.toml") for name in ("small", "narrow")]
    photographs = ["--photos", str(given / "photos"), "--test-photos", str(given / "held-out")]
    return ["compare", *lenses, "-o", str(output), *photographs, "--fields", "1x1", *map(str, more)]


def call(given: Path, output: Path, *more: object):
    return CliRunner().invoke(metalens, words(given, output, *more))


@pytest.fixture(scope="module")
def whole(given, in_one_process, tmp_path_factory) -> tuple[Path, list[tuple[str, str]]]:
    """A comparison of baselines, and what was run for it."""
    output = tmp_path_factory.mktemp("whole") / "compare"
    result = call(given, output, "--minutes", 0)
    assert result.exit_code == 0, (result.output, result.exception)
    return output, list(in_one_process)


@pytest.fixture
def copied(whole, in_one_process, tmp_path) -> Path:
    """A copy of that comparison; what was run before is forgotten."""
    shutil.copytree(whole[0], tmp_path / "compare")
    in_one_process.clear()
    return tmp_path / "compare"


def summary_of(folder: Path) -> dict:
    return json.loads((folder / "compare.json").read_text(encoding="utf-8"))


def test_every_lens_is_photographed_restored_and_told(whole):
    folder, called = whole
    both = ["small", "narrow"]
    assert called == [*(("psf", name) for name in both)] + [
        (stage, name) for name in both for stage in ("synth", "synth", "wiener-joint")
    ]
    found = summary_of(folder)
    assert [lens["name"] for lens in found["lenses"]] == both
    small, narrow = found["lenses"]
    assert list(small["versions"]) == ["clean", "captured", "Wiener, joint"]
    assert small["versions"]["clean"]["figures"]["ssim"] == pytest.approx(1.0)
    for lens in found["lenses"]:
        for title in ("captured", "Wiener, joint"):
            figures = lens["versions"][title]
            assert figures["figures"]["psnr"] > 0
            assert set(figures["zones"]["psnr"]) == {"centre", "middle", "edge"}
            assert all((folder / path).is_file() for path in figures["pictures"].values())
        assert lens["failures"] == {}
        assert set(lens["seconds"]) == {"psf", "pairs", "test", "baselines"}
    # Light goes with the opening's area, the focal lengths being equal; distortion gathers a few per cent.
    shares = [lens["light"]["efficiency"]["mean"] for lens in (small, narrow)]
    assert narrow["light"]["relative"] == pytest.approx((30 / 40) ** 2 * shares[1] / shares[0], rel=0.03)
    assert (small["f_number"], narrow["f_number"]) == (2.5, pytest.approx(100 / 30))


def test_page_and_table_show_all_lenses_and_link_what_is_there(whole):
    folder, _ = whole
    page, table = ((folder / name).read_text(encoding="utf-8") for name in ("compare.html", "compare.md"))
    sources = Sources()
    sources.feed(page)
    assert sources.found
    assert [source for source in sources.found if not (folder / source).is_file()] == []
    for text in (page, table):
        assert "2 lenses on 2 test photographs" in text
        assert "a white scene brings every lens the same electrons" in text
        assert "baselines alone" in text
    assert "| small | captured |" in table
    assert "| narrow | Wiener, joint |" in table


def test_nothing_is_done_twice(copied, given, in_one_process):
    before = summary_of(copied)
    result = call(given, copied, "--minutes", 0, "--resume")
    assert result.exit_code == 0, (result.output, result.exception)
    assert in_one_process == []
    assert summary_of(copied) == before


# Of the step itself: test_a_step_is_done_once_for_all_that_it_depends_on.
@pytest.mark.long
def test_other_photographs_leave_the_point_spread_functions(copied, given, in_one_process):
    more = ("--minutes", 0, "--resume", "--photos", given / "tiny" / "tiny-0.png")
    result = call(given, copied, *more)
    assert result.exit_code == 0, (result.output, result.exception)
    # Training pairs are others, captures of the test photographs are not.
    assert in_one_process == [(stage, name) for name in ("small", "narrow") for stage in ("synth", "wiener-joint")]


def test_a_run_that_was_stopped_goes_on_where_it_was(copied, given, in_one_process, monkeypatch, whole):
    for made in [*(copied / "lenses" / "narrow").glob("test-*"), *(copied / "lenses" / "narrow").glob("baselines-*")]:
        shutil.rmtree(made) if made.is_dir() else made.unlink()
    (copied / "compare.json").unlink()
    command = stages.run_logged

    def stopped(arguments, log):
        if arguments[0] == "synth" and log.parent.name == "narrow":
            raise KeyboardInterrupt
        command(arguments, log)

    monkeypatch.setattr(stages, "run_logged", stopped)
    assert call(given, copied, "--minutes", 0, "--resume").exit_code == 1
    assert not (copied / "compare.json").exists()
    in_one_process.clear()
    monkeypatch.setattr(stages, "run_logged", command)
    result = call(given, copied, "--minutes", 0, "--resume")
    assert result.exit_code == 0, (result.output, result.exception)
    assert in_one_process == [("synth", "narrow"), ("wiener-joint", "narrow")]
    undisturbed = summary_of(whole[0])["lenses"]
    for lens, other in zip(summary_of(copied)["lenses"], undisturbed, strict=True):
        for title in other["versions"]:
            assert lens["versions"][title]["figures"] == other["versions"][title]["figures"]


def test_a_lens_that_fails_is_told_and_ends_no_other(copied, given, in_one_process, monkeypatch):
    shutil.rmtree(copied / "lenses" / "small")
    command = stages.run_logged

    def failing(arguments, log):
        if arguments[0] == "psf":
            raise InputError("small: its light goes elsewhere; take another lens.")
        command(arguments, log)

    monkeypatch.setattr(stages, "run_logged", failing)
    result = call(given, copied, "--minutes", 0, "--resume", "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    told = json.loads(result.stdout)
    assert told["failed"] == {"small": {"psf": "small: its light goes elsewhere; take another lens."}}
    small, narrow = told["lenses"]
    assert small["versions"] == {}
    assert narrow["versions"]
    for name in ("compare.html", "compare.md"):
        assert "its light goes elsewhere" in (copied / name).read_text(encoding="utf-8")


def test_if_every_lens_fails_there_is_no_page(tmp_path, given, monkeypatch):
    def failing(arguments, log):
        raise InputError("no light.")

    monkeypatch.setattr(stages, "run_logged", failing)
    result = call(given, tmp_path / "compare", "--minutes", 0)
    assert isinstance(result.exception, InputError)
    assert "no lens came as far as a restored photograph; small, psf: no light; narrow, psf: no light." in str(
        result.exception
    )
    assert not (tmp_path / "compare" / "compare.html").exists()


def test_two_runs_in_one_folder_are_refused(copied, given):
    with held(copied / LOCK, copied):
        result = call(given, copied, "--minutes", 0, "--resume")
    assert isinstance(result.exception, InputError)
    assert "another run is writing here" in str(result.exception)


def test_a_folder_that_is_there_is_not_overwritten(copied, given):
    result = call(given, copied, "--minutes", 0)
    assert isinstance(result.exception, InputError)
    assert "the output folder is not empty" in str(result.exception)


@pytest.mark.long
def test_a_restorer_is_adapted_from_the_given_one_for_each_lens(
    copied, given, in_one_process, make_restorer, prior_folder, tmp_path
):
    (tmp_path / "adapter").mkdir()
    save_adapter(tmp_path / "adapter", make_restorer(form="global"))
    start = ("--init", tmp_path / "adapter", "--prior", prior_folder, "--steps", 1, "--crop", 32, "--batch", 1)
    result = call(given, copied, *start, "--count", 12, "--resume")
    assert result.exit_code == 0, (result.output, result.exception)
    # Twelve pairs are what the baselines had.
    assert in_one_process == [("dmdiff-global", "small"), ("dmdiff-global", "narrow")]
    found = summary_of(copied)
    for lens in found["lenses"]:
        assert lens["failures"] == {}
        titles = ["clean", "captured", "Wiener, joint", "restored, α = 0.75", "restored, consistent, α = 0.75"]
        assert list(lens["versions"]) == titles
        assert lens["versions"]["restored, α = 0.75"]["steps"] == 1
        trained = next((copied / lens["files"]["restorer"]).rglob("training.json"))
        assert json.loads(trained.read_text())["summary"]["initial"] == str(tmp_path / "adapter")


@pytest.mark.long
def test_equal_times_leave_a_small_opening_with_few_electrons(copied, given, in_one_process):
    result = call(given, copied, "--minutes", 0, "--resume", "--exposure", "time")
    assert result.exit_code == 0, (result.output, result.exception)
    assert "psf" not in {name for name, _ in in_one_process}
    found = summary_of(copied)
    for lens in found["lenses"]:
        exposed = read_psf_bank(copied / lens["files"]["exposed"]).camera.sensor.white_level
        assert exposed == pytest.approx(0.85 * lens["light"]["relative"])
    assert "equal times" in (copied / "compare.md").read_text(encoding="utf-8")


def test_a_dry_run_tells_what_is_left_and_writes_nothing(copied, given, tmp_path):
    before = sorted(copied.rglob("*"))
    done = call(given, copied, "--minutes", 0, "--resume", "--dry-run", "--json")
    assert json.loads(done.stdout)["seconds"] == 0
    trained = json.loads(call(given, copied, "--minutes", 2, "--crop", 32, "--resume", "--dry-run", "--json").stdout)
    assert trained["seconds"] > 2 * 2 * 60
    assert trained["lenses"]["small"]["psf"] == 0
    new = call(given, tmp_path / "new", "--minutes", 0, "--dry-run")
    assert "would compare 2 lenses on 2 test photographs, with 5 for training: about" in new.stdout
    assert sorted(copied.rglob("*")) == before
    assert not (tmp_path / "new").exists()


def changed(given: Path, folder: Path, name: str, old: str, new: str) -> str:
    text = (given / "small.toml").read_text()
    assert old in text
    (folder / f"{name}.toml").write_text(text.replace(old, new))
    return str(folder / f"{name}.toml")


def test_lenses_of_different_sensors_are_refused(given, tmp_path):
    other = changed(given, tmp_path, "other", 'name = "small"', 'name = "other"')
    Path(other).write_text(Path(other).read_text().replace("bit_depth = 10", "bit_depth = 12"))
    with pytest.raises(InputError, match="the sensor of other differs from that of small in bit_depth, 12 against 10"):
        running.read_lenses([str(given / "small.toml"), other])


def test_presets_are_told_apart_by_their_own_names():
    """The file of metacamera-200um keeps the name metacamera, which its hash covers."""
    assert [lens.name for lens in running.read_lenses(["metacamera", "metacamera-200um"])] == [
        "metacamera",
        "metacamera-200um",
    ]


def test_a_lens_that_is_given_twice_is_refused():
    with pytest.raises(InputError, match="metacamera is given twice; give each lens once"):
        running.read_lenses(["metacamera", "metacamera"])


def test_two_lenses_of_one_name_are_refused(given, tmp_path):
    other = changed(given, tmp_path, "other", "aperture_um = 40.0", "aperture_um = 20.0")
    with pytest.raises(InputError, match=r"small\.toml and .*other\.toml are both named 'small'"):
        running.read_lenses([str(given / "small.toml"), other])


@pytest.mark.parametrize(
    ("photos", "test_photos", "message"),
    [
        (["empty"], [], "no picture found"),
        (["nowhere"], [], "nowhere: no such file or folder"),
        (["photos"], ["photos/photos-1.png"], "photos-1.png of --test-photos is the same picture as .*photos-1.png"),
        (["photos"], ["tiny"], r"no test photograph covers the field of small, 64 × 64 pixels \(the largest has 40 ×"),
        (["tiny"], [], "no test photograph covers the field of small"),
        (["photos/photos-0.png"], [], "no training photograph can be used: 0 are left beside the test"),
    ],
)
def test_photographs_that_tell_nothing_are_refused_before_anything_begins(
    given, tmp_path, photos, test_photos, message
):
    (given / "empty").mkdir(exist_ok=True)
    options = [word for each in photos for word in ("--photos", str(given / each))]
    options += [word for each in test_photos for word in ("--test-photos", str(given / each))]
    arguments = ["compare", str(given / "small.toml"), "-o", str(tmp_path / "compare"), "--minutes", "0", *options]
    result = CliRunner().invoke(metalens, arguments)
    assert isinstance(result.exception, InputError), result.output
    with pytest.raises(InputError, match=message):
        raise result.exception
    assert not (tmp_path / "compare").exists()


def test_a_quarter_is_held_out_whatever_the_files_are_called(given, tmp_path):
    for number, path in enumerate(sorted((given / "photos").iterdir(), reverse=True)):
        shutil.copy(path, tmp_path / f"renamed-{number}.png")
    shutil.copy(given / "photos" / "photos-0.png", tmp_path / "twice.png")
    chosen, renamed = (
        running.choose_photographs([str(folder)], [], (64, 64), "small") for folder in (given / "photos", tmp_path)
    )
    assert {each.sha256 for each in chosen.test} == {each.sha256 for each in renamed.test}
    assert (len(chosen.test), len(chosen.training)) == (1, 4)
    assert len(renamed.training) == 4


def test_an_adapter_of_another_prior_is_refused_before_anything_begins(given, tmp_path, prior_folder):
    result = call(given, tmp_path / "compare", "--steps", 1, "--crop", 32, "--prior", prior_folder)
    assert isinstance(result.exception, InputError)
    assert "metacamera: was trained on another prior than" in str(result.exception)
    assert not (tmp_path / "compare").exists()


def test_a_command_that_fails_gives_its_own_sentence(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("metalens: an older sentence.\n")
    with pytest.raises(InputError, match=r"^nowhere: neither a file nor a preset; give a lens.toml or one of"):
        run_logged(["psf", "nowhere", "-o", str(tmp_path / "psf.h5")], log)


def test_a_step_is_done_once_for_all_that_it_depends_on(tmp_path):
    done = []

    def work(output: Path) -> None:
        done.append(output)
        output.write_text("result")

    for count in (1, 1, 2):
        step = step_in(tmp_path, "pairs", ".txt", {"count": count})
        step.do(lambda output=step.output: work(output))
    assert len(set(done)) == len(done) == 2
    assert step.seconds() is not None
    # A result without its record was interrupted: its time is not known.
    step.record.unlink()
    assert not step.done
    step.do(lambda: work(step.output))
    assert step.done
    assert step.seconds() is None


def test_light_that_would_saturate_the_sensor_is_refused():
    small = parse_camera(SMALL_CAMERA)
    assert exposed_camera(small, 0.5).sensor.white_level == pytest.approx(0.425)
    with pytest.raises(InputError, match=r"gathers 2 times the light of the first lens, .* fill 1\.7 of the full"):
        exposed_camera(small, 2.0)
    photons = small.with_(sensor={"white_photons": 1000.0, "quantum_efficiency": (0.5, 0.6, 0.5)})
    assert exposed_camera(photons, 2.0).sensor.white_photons == pytest.approx(2000)
