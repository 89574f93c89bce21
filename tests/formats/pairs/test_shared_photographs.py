"""Test photographs that also trained are named; others are not."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from metalens.formats.pairs.manifest import PairsSource
from metalens.formats.pairs.photograph_split import look_of
from metalens.formats.pairs.shared_photographs import (
    SharedPhotograph,
    shared_photographs,
    shared_sentence,
)

from .test_photograph_split import picture_of


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
