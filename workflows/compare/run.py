"""The whole comparison: all banks first, then lens by lens; a lens that fails ends no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from metalens.formats.files.claim import claimed_folder, write_note
from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import require
from metalens.psf.bank_request import BankRequest
from metalens.restore.adapter.lens_transfer import check_start
from metalens.restore.prior.prior_folder import load_prior
from metalens.workflows.compare.estimate import seconds_of
from metalens.workflows.compare.lenses import ComparedLens, read_lenses
from metalens.workflows.compare.page import write_page
from metalens.workflows.compare.photographs import ComparedPhotographs, choose_photographs
from metalens.workflows.compare.stages import LensWork, relative_light
from metalens.workflows.compare.summary import summarise
from metalens.workflows.compare.terms import NOTE, SCHEMA, VERSION, ComparisonTerms

Report = Callable[[float, str], None]
"""Progress callback: fraction done in 0..1, and a description of the current work."""

LENSES = "lenses"


def checked_request(
    sources: Sequence[str], photos: Sequence[str], test_photos: Sequence[str], terms: ComparisonTerms
) -> tuple[list[ComparedLens], ComparedPhotographs]:
    """Read lenses and photographs, and refuse what cannot be compared before anything is computed.

    Args:
        sources: lenses: names of presets and paths of ``lens.toml`` files.
        photos: training photographs; none takes the embedded ones.
        test_photos: test photographs; none holds out some of ``photos``.
        terms: the terms.

    Returns:
        The lenses and the photographs.

    Raises:
        InputError: what is wrong, in one sentence.
    """
    require("compare", "torch", "diffusers", "peft", "stlpips_pytorch")
    lenses = read_lenses(sources)
    sensor = lenses[0].camera.sensor.pixels
    for each in lenses:
        BankRequest(fields=terms.fields, wavelengths_per_channel=terms.wavelengths).check(each.camera)
    photographs = choose_photographs(photos, test_photos, sensor, lenses[0].name)
    if terms.trains:
        _check_training(terms, sensor)
    return lenses, photographs


def _check_training(terms: ComparisonTerms, sensor: tuple[int, int]) -> None:
    prior = load_prior(terms.prior)
    check_start(terms.initial, prior)
    if terms.crop > min(sensor) or terms.crop % prior.size_multiple:
        raise InputError(
            f"compare: --crop {terms.crop}, expected a multiple of {prior.size_multiple} up to the sensor's "
            f"{min(sensor)} pixels."
        )


def works_of(
    folder: Path, lenses: Sequence[ComparedLens], photographs: ComparedPhotographs, terms: ComparisonTerms
) -> list[LensWork]:
    """The work on each lens, with the steps of it that are done.

    Args:
        folder: folder of the comparison.
        lenses: the lenses.
        photographs: the photographs.
        terms: the terms.

    Returns:
        One for each lens.
    """
    works = [LensWork(folder / LENSES / lens.name, lens, terms, photographs) for lens in lenses]
    for work in works:
        work.look()
    return works


def compare_lenses(
    folder: Path,
    lenses: Sequence[ComparedLens],
    photographs: ComparedPhotographs,
    terms: ComparisonTerms,
    *,
    resume: bool,
    report: Report = lambda share, text: None,
) -> dict[str, Any]:
    """Compare lenses by their restored photographs and write table and page.

    Args:
        folder: folder of the comparison.
        lenses: the lenses, with one sensor.
        photographs: the photographs.
        terms: the terms.
        resume: go on with an existing comparison; steps that do not depend on what changed are kept.
        report: progress callback.

    Returns:
        Content of ``compare.json``.

    Raises:
        InputError: the folder holds something else or is in use, or no lens could be simulated and photographed.
    """
    asked = {
        "schema": SCHEMA,
        "version": VERSION,
        "lenses": {lens.name: lens.camera.hash for lens in lenses},
        "training": {str(each.path): each.sha256 for each in photographs.training},
        "test": {str(each.path): each.sha256 for each in photographs.test},
        "terms": terms.described(),
    }
    free = ("lenses", "training", "test", "terms")
    with claimed_folder(folder, NOTE, asked, resume=resume, may_differ=free) as found:
        if found is not None:
            write_note(folder / NOTE, asked)
        works = works_of(folder, lenses, photographs, terms)
        _tell_all(works, report)
        for work in works:
            work.folder.mkdir(parents=True, exist_ok=True)
            work.simulate()
        _relate_light(works)
        for work in works:
            work.compare()
        summary = summarise(folder, works, photographs, terms)
        if not any(lens["versions"] for lens in summary["lenses"]):
            told = [
                f"{work.lens.name}, {name}: {why.rstrip('.')}" for work in works for name, why in work.failures.items()
            ]
            if any(work.bank is not None for work in works):
                told.append(f"what was made stays in {folder}, the same command goes on with --resume")
            raise InputError(f"compare: no lens came as far as a restored photograph; {'; '.join(told)}.")
        write_page(folder, summary)
    return summary


def _relate_light(works: Sequence[LensWork]) -> None:
    """Light of each lens relative to the first; if that one failed, equal times are not known."""
    simulated = [(work, relative_light(work.bank, work.lens)) for work in works if work.bank is not None]
    for work, light in simulated:
        work.light = light / simulated[0][1]
        if work.terms.exposure == "time" and works[0].bank is None:
            work.failures["exposed"] = f"its exposure follows that of {works[0].lens.name}, which failed."


def _tell_all(works: Sequence[LensWork], report: Report) -> None:
    """Let every step tell the progress of the whole, weighted by its estimated time."""
    weights = {(work.lens.name, name): seconds_of(work, name) for work in works for name in work.names()}
    order, total = sorted(weights, key=lambda each: each[1] != "psf"), sum(weights.values()) or 1.0

    def teller(lens: str) -> Callable[[str, float], None]:
        def tell(name: str, share: float) -> None:
            place = order.index((lens, name))
            before = sum(weights[each] for each in order[:place])
            report((before + share * weights[lens, name]) / total, f"{lens}, {name}")

        return tell

    for work in works:
        work.tell = teller(work.lens.name)
