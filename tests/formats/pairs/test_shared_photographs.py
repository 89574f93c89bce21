"""Test photographs that also trained are named; others are not."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from metalens.formats.pairs.manifest import PairsSource
from metalens.formats.pairs.photograph_split import look_of
from metalens.formats.pairs.shared_photographs import (
    SharedPhotograph,
    duplicates,
    duplicates_sentence,
    shared_photographs,
    shared_sentence,
)
from metalens.formats.pairs.thumbnail import thumbnail_of

from .test_photograph_split import picture_of
from .test_thumbnail import scene, scenes


def source_of(name: str, picture: np.ndarray, *, split: str = "train") -> PairsSource:
    digest = hashlib.sha256(picture.tobytes()).hexdigest()
    return PairsSource(name=name, sha256=digest, look=look_of(picture), split=split)


TRAINING = [source_of(f"t{number}", picture_of(number)) for number in range(20)]


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


CHANGES = {
    "the same file": lambda picture: picture,
    "the same picture": lambda picture: resized(picture, (90, 110)),
    "mirrored": lambda picture: picture[:, ::-1],
    "upside down": lambda picture: picture[::-1],
    "turned by 180°": lambda picture: picture[::-1, ::-1],
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_photograph_that_trained_is_found(how):
    test = [source_of("other", picture_of(50)), source_of("copy", np.ascontiguousarray(CHANGES[how](picture_of(3))))]
    assert shared_photographs(test, TRAINING) == [SharedPhotograph("copy", "t3", how)]


def test_other_photographs_and_those_that_only_validated_are_not_found():
    others = [source_of(f"o{number}", picture_of(number)) for number in range(100, 140)]
    assert shared_photographs(others, TRAINING) == []
    validating = [source_of("v", picture_of(5), split="validation")]
    assert shared_photographs([source_of("v", picture_of(5))], validating) == []
    assert shared_photographs(others, []) == []


def test_a_photograph_without_a_look_is_compared_by_its_file():
    known = PairsSource(name="a", sha256="0" * 64)
    assert shared_photographs([known], [known])[0].how == "the same file"
    assert shared_photographs([PairsSource(name="b", sha256="1" * 64)], [known, *TRAINING]) == []


def test_a_sentence_names_some_of_them():
    said = shared_sentence(shared_photographs(TRAINING, TRAINING))
    assert said.startswith("test photographs that also trained: t0 (the same file), t1 (the same file), t2 (the same")
    assert " and 17 more. " in said
    mirrored = shared_photographs([source_of("new\nline", picture_of(4)[:, ::-1].copy())], TRAINING)
    assert "\n" not in shared_sentence(mirrored)
    assert "(mirrored as t4). " in shared_sentence(mirrored)


def seen(name: str, picture: np.ndarray, *, split: str = "train") -> PairsSource:
    return source_of(name, picture, split=split).model_copy(update={"thumbnail": thumbnail_of(picture)})


# A search takes two seconds.
FURTHER = [
    pytest.param(*each, marks=pytest.mark.long)
    for each in (
        ("turned by 270°", lambda picture: np.rot90(picture, 3)),
        ("mirrored and turned by 90°", lambda picture: np.rot90(picture[:, ::-1])),
        ("a part", lambda picture: picture[40:220, 30:260]),
        ("a part, upside down", lambda picture: picture[20:200, 60:300][::-1]),
    )
]


@pytest.mark.parametrize(
    ("how", "change"),
    [
        ("turned by 90°", np.rot90),
        ("a part, turned by 90°", lambda picture: np.rot90(picture[20:200, 60:300])),
        *FURTHER,
    ],
)
def test_crops_and_turns_by_right_angles_are_found(how, change):
    trained = [seen(f"t{number}", picture) for number, picture in enumerate(scenes()[:5])]
    test = [seen("other", scene(50)), seen("copy", np.ascontiguousarray(change(scenes()[3])))]
    assert shared_photographs(test, trained) == [SharedPhotograph("copy", "t3", how)]


def test_a_photograph_of_which_a_part_trained_is_found():
    trained = [seen("t", np.ascontiguousarray(np.rot90(scenes()[2][30:220, 20:250]))), seen("u", scenes()[1])]
    test = [seen("other", scene(50)), seen("whole", scenes()[2])]
    (found,) = shared_photographs(test, trained)
    assert found == SharedPhotograph("whole", "t", "more, turned by 270°")
    assert "whole (more than t, turned by 270°)" in shared_sentence([found])


def test_of_very_many_only_whole_photographs_are_compared(monkeypatch):
    monkeypatch.setattr("metalens.formats.pairs.shared_photographs.MOST_SEARCHED", 3)
    trained = [seen(f"t{number}", picture) for number, picture in enumerate(scenes()[:2])]
    test = [seen("turned", np.ascontiguousarray(np.rot90(scenes()[0]))), seen("part", scenes()[1][:180, :240])]
    assert [each.name for each in shared_photographs(test, trained)] == ["turned"]


def test_what_is_there_twice_is_told():
    sources = [seen(f"s{number}", picture) for number, picture in enumerate(scenes()[:3])]
    assert duplicates(sources) == []
    again = [*sources, seen("again", resized(scenes()[1], (90, 110))), seen("file", scenes()[0])]
    found = duplicates(again)
    assert [(each.name, each.training_name, each.how) for each in found] == [
        ("again", "s1", "the same picture"),
        ("file", "s0", "the same file"),
    ]
    assert duplicates_sentence(found) == (
        "photographs that are there twice: again (the same picture as s1), file (the same file as s0). They count "
        "twice; remove one of each."
    )
