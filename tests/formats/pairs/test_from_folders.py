"""Two folders of equally named pictures become pairs, and what does not match is told before anything is written."""

from __future__ import annotations

import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.unknown import unknown_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.from_folders import ImportOptions, import_pairs
from metalens.formats.pairs.reader import pair_names, read_pairs
from metalens.formats.pictures.pictures import write_picture

PIXELS = (20, 24)


@pytest.fixture
def folders(tmp_path):
    """Makes ``clean/`` and ``captured/`` with a picture of random numbers for each name."""
    random = np.random.default_rng(0)

    def make(clean, captured, pixels=PIXELS):
        for folder, names in (("clean", clean), ("captured", captured)):
            for name in names:
                path = tmp_path / folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                write_picture(path, random.integers(0, 256, (*pixels, 3), dtype=np.uint8))
        return tmp_path / "clean", tmp_path / "captured", tmp_path / "pairs"

    return make


def listed(tmp_path, text):
    path = tmp_path / "names.txt"
    path.write_text(text)
    return ImportOptions(names=path)


def test_pairs_are_those_of_equal_names_and_come_back_as_they_were(folders):
    from metalens.formats.pictures.pictures import read_picture

    names = ["b.png", "a.png", "deep/a.png", "c #1.png"]
    clean, captured, output = folders(names, names)
    manifest = import_pairs(clean, captured, output)
    assert [source.name for source in manifest.sources] == ["a", "b", "c #1", "deep/a"]
    pairs = read_pairs(output)
    for source, pair in zip(manifest.sources, pairs, strict=True):
        for folder, picture in zip((clean, captured), pair, strict=True):
            assert np.array_equal(picture, read_picture(folder / f"{source.name}.png"))
    assert (manifest.kind, manifest.lens_hashes) == ("captured", [unknown_camera(PIXELS).hash])
    assert {source.split for source in manifest.sources} == {"train", "validation"}
    assert pair_names(pairs) == ["a-0", "b", "c #1", "a-1"]


def test_suffixes_may_differ_and_a_list_chooses_and_orders(folders, tmp_path):
    clean, captured, output = folders(["a.png", "b.png", "c.png"], ["c.bmp", "a.bmp", "d.bmp"])
    manifest = import_pairs(clean, captured, output, listed(tmp_path, "c.png\n\na\n"))
    assert [source.name for source in manifest.sources] == ["c", "a"]


def test_a_known_camera_and_the_terms_are_recorded(folders):
    camera = read_camera("metacamera").with_(sensor={"pixels": PIXELS})
    clean, captured, output = folders(["a.png"], ["a.png"])
    options = ImportOptions(camera=camera, kind="pseudo", validation=0, licence="Apache-2.0")
    manifest = import_pairs(clean, captured, output, options)
    assert (manifest.kind, manifest.lens_hashes) == ("pseudo", [camera.hash])
    assert [(source.licence, source.split) for source in manifest.sources] == [("Apache-2.0", "train")]


def test_targets_of_the_neutral_path_are_taken_where_they_are_given(folders, tmp_path):
    clean, captured, output = folders(["a.png"], ["a.png"])
    target = np.full((*PIXELS, 3), 7, np.uint8)
    (tmp_path / "neutral").mkdir()
    write_picture(tmp_path / "neutral" / "a.png", target)
    import_pairs(clean, captured, output, ImportOptions(neutral=tmp_path / "neutral"))
    assert np.array_equal(read_pairs(output).sample(0).neutral, target)
    write_picture(clean / "b.png", target)
    write_picture(captured / "b.png", target)
    with pytest.raises(InputError, match="neutral: lacks b of 2 pictures"):
        import_pairs(clean, captured, tmp_path / "again", ImportOptions(neutral=tmp_path / "neutral"))


def test_an_interrupted_import_goes_on_to_the_same_bytes(folders, tmp_path):
    names = [f"{number}.png" for number in range(5)]
    clean, captured, output = folders(names, names)
    import_pairs(clean, captured, output, ImportOptions(shard_size=2))
    whole = {path.name: path.read_bytes() for path in output.iterdir()}
    for name in ("shard-00001.h5", "shard-00001.json"):
        (output / name).unlink()
    import_pairs(clean, captured, output, ImportOptions(shard_size=2, resume=True))
    assert {path.name: path.read_bytes() for path in output.iterdir()} == whole


@pytest.mark.parametrize(
    ("clean", "captured", "text", "message"),
    [
        (
            ["a.png", "b.png"],
            ["a.png"],
            None,
            r"captured: lacks b of 2 pictures of the other folders; give folders with",
        ),
        (["a.png"], [f"{n}.png" for n in "abcdef"], None, r"clean: lacks b, c, d and 2 more of 6 pictures"),
        (["a.png", "a.bmp"], ["a.png"], None, r"clean: a\.(bmp|png) and a\.(bmp|png) have one name; keep one"),
        (["a.png"], ["a.png"], "", r"names\.txt: names no picture; write one name a line"),
        (["a.png"], ["a.png"], "a\na.png\n", r"names\.txt: names a twice; name each picture once"),
        (["a.png", "b.png"], ["a.png"], "a\nb\n", r"names\.txt: .*captured lacks b; correct the list"),
        (["a.png"], ["a.png"], "../clean/a.png\n", r"clean lacks \.\./clean/a; correct the list"),
        ([], ["a.png"], None, r"clean: no such folder"),
    ],
)
def test_what_does_not_match_is_refused(folders, tmp_path, clean, captured, text, message):
    first, second, output = folders(clean, captured)
    with pytest.raises(InputError, match=message):
        import_pairs(first, second, output, ImportOptions() if text is None else listed(tmp_path, text))
    assert not output.exists()


def test_pictures_of_other_sizes_are_refused_before_anything_is_written(folders):
    clean, captured, output = folders(["a.png", "b.png"], ["a.png", "b.png"])
    write_picture(captured / "b.png", np.zeros((20, 25, 3), np.uint8))
    with pytest.raises(InputError, match=r"captured/b\.png: 20 × 25 pixels, .*clean/a\.png has 20 × 24"):
        import_pairs(clean, captured, output)
    camera = read_camera("metacamera")
    write_picture(captured / "b.png", np.zeros((20, 24, 3), np.uint8))
    with pytest.raises(InputError, match=r"20 × 24 pixels, the sensor of metacamera has 400 × 400"):
        import_pairs(clean, captured, output, ImportOptions(camera=camera))
    assert not output.exists()


def test_damaged_pictures_one_folder_twice_and_tiny_ones_are_refused(folders):
    clean, captured, output = folders(["a.png"], ["a.png"], pixels=(8, 8))
    with pytest.raises(InputError, match="one folder is given twice; give each its own"):
        import_pairs(clean, clean, output)
    with pytest.raises(InputError, match="8 × 8 pixels: a side of 16 to 16384 is expected"):
        import_pairs(clean, captured, output)
    (captured / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"captured/a\.png"):
        import_pairs(clean, captured, output)
    assert not output.exists()
