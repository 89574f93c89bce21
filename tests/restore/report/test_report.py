import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.legend import Legend
from scipy.ndimage import gaussian_filter

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.psf.bank import PsfBank
from metalens.restore.metrics.measures import perceptual_distance, psnr, psnr_by_zone, ssim
from metalens.restore.report import figures as report_figures
from metalens.restore.report.report import Sample, judges, measures, write_report

ALPHAS = (0.0, 1.0, 1.05)
TRAINING = {"curves": {"restorer": {"step": [1, 2, 3], "loss": [2.0, 1.0, 0.5]}}, "steps": 3}
STAGES = [{"name": "train", "seconds": 12.5, "peak_memory_mb": 800.0}, {"name": "restore", "seconds": 2}]
PROVENANCE = {"versions": {"metalens": "0.1.0"}, "seeds": {"train": 0}, "note": "<b>&</b>"}


def sample(name: str, seed: int) -> Sample:
    random = np.random.default_rng(seed)
    clean = random.integers(30, 220, (64, 80, 3), dtype=np.uint8)

    def noisy(sigma: float) -> np.ndarray:
        return np.clip(clean + random.normal(0, sigma, clean.shape), 0, 255).astype(np.uint8)

    restored = {alpha: noisy(5 + 10 * abs(1 - alpha)) for alpha in ALPHAS}
    errors = {1.0: smoothed_error(clean, restored[1.0]).astype(np.float32) / 255}
    return Sample(name, clean, noisy(40), noisy(20), noisy(15), restored, errors)


def smoothed_error(clean: np.ndarray, restored: np.ndarray) -> np.ndarray:
    """The true error in 1/255, under the Gaussian of the maps."""
    return gaussian_filter(np.abs(restored.astype(float) - clean).mean(axis=-1), 4.0)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [sample("a <bridge>", 0), sample("b", 1)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, bank: PsfBank, samples: list[Sample]) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("report") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_figures, "RESOLUTION", {"png": 40, "pdf": 40})  # for speed
        report = write_report(
            folder, bank=bank, samples=samples, training=TRAINING, stages=STAGES, provenance=PROVENANCE
        )
    return folder, report


def test_page_refers_only_to_files_that_are_there(written: tuple[Path, dict]) -> None:
    folder, _ = written
    page = (folder / "report.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(named) > 40
    assert all((folder / name).is_file() for name in named)
    assert "http" not in page
    assert "<script" not in page
    assert "url(" not in page


def test_maps_of_the_expected_error_stand_beside_their_agreement_with_the_true_one(
    written: tuple[Path, dict], samples: list[Sample]
) -> None:
    folder, report = written
    found = report["samples"][0]["expected_error"]["1"]
    assert found["rank_correlation"] == pytest.approx(1, abs=1e-4)
    assert found["expected"] == pytest.approx(found["true"], rel=0.05)
    shown = read_picture(folder / "photograph-01-1-uncertainty.png")[..., 0]
    assert np.abs(shown / 255 * 32 - 255 * samples[0].expected_error[1.0]).max() <= 0.07
    assert "expected error, α = 1" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_map_of_another_size_is_refused(tmp_path: Path, bank: PsfBank, samples: list[Sample]) -> None:
    wrong = replace(samples[0], expected_error={1.0: np.zeros((3, 3), np.float32)})
    with pytest.raises(InputError, match=r"map of the expected error at α = 1: found \(3, 3\), expected \(64, 80\)"):
        write_report(tmp_path / "r", bank=bank, samples=[wrong], training={}, stages=(), provenance={})


def test_every_file_is_on_the_page(written: tuple[Path, dict]) -> None:
    folder, _ = written
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert [entry.name for entry in folder.iterdir() if f'"{entry.name}"' not in page] == ["report.html"]


def test_returned_report_is_what_the_file_holds(written: tuple[Path, dict]) -> None:
    folder, report = written
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == report


def test_numbers_equal_those_computed_anew(written: tuple[Path, dict], samples: list[Sample]) -> None:
    _, report = written
    for entry, given in zip(report["samples"], samples, strict=True):
        assert entry["name"] == given.name
        versions = {"captured": given.captured, "wiener": given.wiener, "wiener_joint": given.wiener_joint}
        for version, picture in versions.items():
            assert entry[version]["psnr"] == psnr(given.clean, picture)
            assert entry[version]["ssim"] == ssim(given.clean, picture)
            assert entry[version]["psnr_edge"] == psnr_by_zone(given.clean, picture)["edge"]
        for alpha in ALPHAS:
            assert entry["restored"][f"{alpha:g}"]["psnr"] == psnr(given.clean, given.restored[alpha])
    first = report["samples"][0]["restored"]["1"]
    for backbone in ("vgg", "efficientnet"):
        expected = perceptual_distance(samples[0].clean, samples[0].restored[1.0], backbone)
        assert first[f"perceptual_{backbone}"] == pytest.approx(expected, rel=1e-5)


def test_means_and_best_alphas_follow_from_the_samples(written: tuple[Path, dict]) -> None:
    _, report = written
    for measure in measures(None):
        values = {
            alpha: np.mean([entry["restored"][alpha][measure] for entry in report["samples"]])
            for alpha in report["means"]["restored"]
        }
        for alpha, mean in values.items():
            assert report["means"]["restored"][alpha][measure] == pytest.approx(mean)
        choose = min if measure.startswith("perceptual") else max
        assert report["best_alpha"][measure] == float(choose(values, key=lambda alpha: values[alpha]))
    assert set(report["means"]["restored"]) == {"0", "1", "1.05"}


@pytest.mark.parametrize("loss", ["lpips", "st-lpips", "efficientnet", None])
def test_the_loss_of_a_training_is_no_judge_of_it(loss: str | None) -> None:
    own = {"st-lpips": "alex", "efficientnet": "efficientnet"}.get(loss or "")
    assert own not in judges(loss)
    assert len(set(judges(loss))) == 2
    assert [key for key in measures(loss) if key.startswith("perceptual")] == [f"perceptual_{n}" for n in judges(loss)]


# A second report; which losses are judges is tested above, and the page of the first report is.
@pytest.mark.long
def test_the_page_says_which_loss_is_not_among_the_judges(
    tmp_path: Path, bank: PsfBank, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_figures, "RESOLUTION", {"png": 40, "pdf": 40})
    training = {"adapter": {"perceptual_metric": "efficientnet"}}
    report = write_report(tmp_path / "r", bank=bank, samples=samples[:1], training=training, stages=[], provenance={})
    assert "perceptual_alex" in report["means"]["captured"]
    assert "perceptual_efficientnet" not in report["means"]["captured"]
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "neither is the loss of the training, which was efficientnet" in " ".join(page.split())


def test_lens_widths_are_in_micrometres(written: tuple[Path, dict], bank: PsfBank) -> None:
    _, report = written
    found = report["full_width_half_maximum_um"]["green"]["largest"]
    assert found == pytest.approx(bank.by_channel.full_width_half_maximum[:, 1].max() * 1e6)


def test_names_and_provenance_are_escaped(written: tuple[Path, dict]) -> None:
    folder, _ = written
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "a &lt;bridge&gt;" in page
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in page
    assert "<bridge>" not in page


def test_photographs_are_written_as_they_came(written: tuple[Path, dict], samples: list[Sample]) -> None:
    folder, _ = written
    assert np.array_equal(read_picture(folder / "photograph-02-1.05.png"), samples[1].restored[1.05])
    assert np.array_equal(read_picture(folder / "photograph-01-clean.png"), samples[0].clean)


def test_a_folder_with_something_in_it_is_refused(
    written: tuple[Path, dict], bank: PsfBank, samples: list[Sample]
) -> None:
    folder, _ = written
    with pytest.raises(InputError, match="not empty"):
        write_report(folder, bank=bank, samples=samples, training={}, stages=[], provenance={})


def test_samples_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path, bank: PsfBank, samples: list[Sample]
) -> None:
    one = samples[0]
    other_alphas = Sample("c", one.clean, one.captured, one.wiener, one.wiener, {0.5: one.wiener})
    other_shape = Sample("d", one.clean, one.captured[1:], one.wiener, one.wiener, one.restored)
    floats = Sample("e", one.clean, one.captured / 255, one.wiener, one.wiener, one.restored)
    cases = {"at least one": [], "same, and": [one, other_alphas], "uint8 of one shape": [other_shape]}
    for message, given in {**cases, "float64": [floats]}.items():
        with pytest.raises(InputError, match=message):
            write_report(tmp_path / "r", bank=bank, samples=given, training={}, stages=[], provenance={})
    curves = {"curves": {"loss": {"step": [1, 2], "loss": [1.0]}}}
    with pytest.raises(InputError, match="one length"):
        write_report(tmp_path / "r", bank=bank, samples=[one], training=curves, stages=[], provenance={})
    assert not (tmp_path / "r").exists()


def test_the_legend_of_the_zones_covers_no_number() -> None:
    zones = ("centre", "middle", "edge")
    means = {
        name: dict.fromkeys(zones, 20.0 + number)
        for number, name in enumerate(("captured", "Wiener, tiled", "Wiener, joint", "restored, α = 0.75"))
    }
    figure = report_figures.zone_figure(means, zones)
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    (legend,) = figure.findobj(Legend)
    numbers = [text.get_window_extent() for text in (*axes.get_yticklabels(), *axes.texts)]
    assert numbers
    assert legend.get_window_extent().count_overlaps(numbers) == 0
