"""Whatever happens to a run, nothing is wrong in the pairs and nothing is lost."""

from __future__ import annotations

import io
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import read_pairs
from metalens.formats.pairs.verify import verify_pairs
from metalens.formats.pictures import pictures
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank import PsfBank
from metalens.synth import Execution, PairsOptions, PairsSettings, Photograph, generate_pairs

from .conftest import MakeBank


@pytest.fixture
def bank(make_bank: MakeBank) -> PsfBank:
    return make_bank(pixels=(16, 20), nodes=(1, 1), kernel=(3, 3))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def noise(rows: int = 40, columns: int = 50) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (rows, columns, 3), dtype=np.uint8))


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "truncated": (lambda: encoded(noise(), "JPEG")[:400], "damaged or cut short"),
    "bomb": (lambda: encoded(Image.new("RGB", (300, 300)), "PNG"), "pixels, at most 50000 are read"),
    "cmyk": (lambda: encoded(noise().convert("CMYK"), "TIFF"), "pixels are CMYK"),
    "animated": (
        lambda: encoded(noise(), "WEBP", save_all=True, append_images=[noise().rotate(90)]),
        "several frames or pages",
    ),
    "one-pixel": (lambda: encoded(noise(1, 1), "PNG"), "1 × 1 pixels would be enlarged more than 2 times"),
    "empty": (lambda: b"", "not a picture"),
    "text": (lambda: b"dear diary", "not a picture"),
}


def test_photographs_that_cannot_be_used_are_skipped_each_with_its_reason(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As large to this limit as a decompression bomb is to the usual one.
    monkeypatch.setattr(pictures, "MAXIMUM_PIXELS", 50_000)
    given = []
    for name, (make, _) in BAD.items():
        (tmp_path / name).write_bytes(make())
        given.append(Photograph(name, tmp_path / name))
    given.append(Photograph("gone", tmp_path / "gone"))
    report = generate_pairs([*given, *photographs], bank, tmp_path / "pairs")
    skipped = {entry.name: entry.reason for entry in read_pairs(tmp_path / "pairs").manifest.skipped}
    assert (report.count, set(skipped)) == (3, {*BAD, "gone"})
    for name, (_, reason) in BAD.items():
        assert reason in skipped[name]
    assert "no such file" in skipped["gone"]
    for photograph in given:
        with pytest.raises(InputError, match=photograph.name):
            generate_pairs([photograph, *photographs], bank, tmp_path / "strict", execution=Execution(strict=True))
    assert not (tmp_path / "strict").exists()


def vanishing(path: Path, at: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == at:
            path.unlink()

    return progress


def test_a_photograph_that_vanishes_midway_is_written_down_and_others_stand_in(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    # All train: four pairs of each.
    whole, options = tmp_path / "whole", PairsOptions(count=12, shard_size=2, settings=PairsSettings(validation=0))
    generate_pairs(photographs, bank, whole, options)
    folder, progress = tmp_path / "pairs", vanishing(photographs[2].path, 5)
    report = generate_pairs(photographs, bank, folder, options, execution=Execution(progress=progress))
    assert [entry.name for entry in report.lost] == ["picture-2"]
    pairs = read_pairs(folder)
    assert [(lost.source, "no such file" in lost.reason) for lost in pairs.manifest.lost] == [(2, True)]
    assert verify_pairs(folder, thorough=True).damaged == ()
    names = pairs.source_names()
    assert names[:8] == read_pairs(whole).source_names()[:8]
    assert set(names[8:]) <= {"picture-0", "picture-1"}
    # What has nothing to do with it is what it would have been.
    for shard in range(4):
        name = f"shard-{shard:05d}.h5"
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    assert generate_pairs(photographs, bank, folder, options, resume=True).made == 0


def test_a_run_that_lost_a_photograph_resumes_without_it(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    settings: dict = {"count": 12, "shard_size": 2}
    progress = vanishing(photographs[2].path, 5)
    generate_pairs(
        photographs, bank, tmp_path / "pairs", PairsOptions(**settings), execution=Execution(progress=progress)
    )
    before = contents(tmp_path / "pairs")
    for name in ("shard-00005.h5", "shard-00004.json"):
        (tmp_path / "pairs" / name).unlink()
    generate_pairs(photographs, bank, tmp_path / "pairs", PairsOptions(**settings), resume=True)
    assert contents(tmp_path / "pairs") == before


def test_a_strict_run_stops_at_a_lost_photograph_and_goes_on_when_it_is_back(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    settings: dict = {"count": 12, "shard_size": 2}
    generate_pairs(photographs, bank, tmp_path / "whole", PairsOptions(**settings))
    content = photographs[2].path.read_bytes()
    progress = vanishing(photographs[2].path, 5)
    execution = Execution(strict=True, progress=progress)
    with pytest.raises(InputError, match=r"picture-2 is lost: .* Put it back and run again with --resume"):
        generate_pairs(photographs, bank, tmp_path / "pairs", PairsOptions(**settings), execution=execution)
    photographs[2].path.write_bytes(content)
    generate_pairs(photographs, bank, tmp_path / "pairs", PairsOptions(**settings), resume=True)
    assert contents(tmp_path / "pairs") == contents(tmp_path / "whole")


def test_a_photograph_that_is_changed_midway_counts_as_lost(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    def progress(done: int, total: int) -> None:
        if done == 1:
            write_picture(photographs[2].path, np.zeros((40, 50, 3), np.uint8))

    report = generate_pairs(
        photographs, bank, tmp_path / "pairs", PairsOptions(shard_size=1), execution=Execution(progress=progress)
    )
    assert ["was changed since" in entry.reason for entry in report.lost] == [True]


def test_without_any_photograph_left_a_run_says_so(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    def progress(done: int, total: int) -> None:
        if done == 1:
            for photograph in photographs:
                photograph.path.unlink()

    with pytest.raises(InputError, match="none of the photographs can be read any more"):
        generate_pairs(
            photographs,
            bank,
            tmp_path / "pairs",
            PairsOptions(shard_size=1, count=6),
            execution=Execution(progress=progress),
        )


def test_a_full_disk_is_one_sentence_and_the_run_resumes_to_the_same_bytes(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    settings: dict = {"count": 6, "shard_size": 2}
    generate_pairs(photographs, bank, tmp_path / "whole", PairsOptions(**settings))
    shard = (tmp_path / "whole/shard-00000.h5").stat().st_size
    assert (tmp_path / "whole/manifest.json").stat().st_size < shard // 2
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel refuses to let a file grow past this, in the middle of a write, as a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (shard // 2, before[1]))
    try:
        with pytest.raises(InputError, match=r"shard-00000\.h5: could not be written .* free some disk space"):
            generate_pairs(photographs, bank, tmp_path / "pairs", PairsOptions(**settings))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "pairs").exists()
    generate_pairs(photographs, bank, tmp_path / "pairs", PairsOptions(**settings), resume=True)
    assert contents(tmp_path / "pairs") == contents(tmp_path / "whole")


def test_a_second_run_into_the_folder_is_refused_while_the_first_is_at_work(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    refused = []

    def progress(done: int, total: int) -> None:
        for resume in (True, False):
            with pytest.raises(InputError, match=r"another run is writing here|not empty"):
                generate_pairs(photographs, bank, tmp_path / "pairs", resume=resume)
            refused.append(done)

    generate_pairs(photographs, bank, tmp_path / "pairs", execution=Execution(progress=progress))
    assert len(refused) == 6
    assert verify_pairs(tmp_path / "pairs", thorough=True).damaged == ()


def test_a_flipped_bit_is_found_by_verify_and_remade_by_resume(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    folder = tmp_path / "pairs"
    generate_pairs(photographs, bank, folder, PairsOptions(count=6, shard_size=2))
    before = contents(folder)
    damaged = bytearray(before["shard-00001.h5"])
    damaged[len(damaged) // 2] ^= 16
    (folder / "shard-00001.h5").write_bytes(damaged)
    assert [each.name for each in verify_pairs(folder).damaged] == ["shard-00001.h5"]
    assert generate_pairs(photographs, bank, folder, PairsOptions(count=6, shard_size=2), resume=True).made == 2
    assert contents(folder) == before


def test_resume_with_another_bank_is_refused(
    photographs: list[Photograph], bank: PsfBank, make_bank: MakeBank, tmp_path: Path
) -> None:
    generate_pairs(photographs, bank, tmp_path / "pairs")
    other = make_bank(pixels=(16, 20), nodes=(1, 1), kernel=(3, 3), seed=1)
    with pytest.raises(InputError, match=r"cameras\[0\]\.psf_hash was"):
        generate_pairs(photographs, other, tmp_path / "pairs", resume=True)
