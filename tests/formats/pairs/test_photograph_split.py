import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from metalens.formats.pairs.photograph_split import (
    ALIKE,
    look_of,
    pairs_of_each,
    photographs_in_turn,
    split_photographs,
)


def picture_of(number: int, rows: int = 120, columns: int = 160) -> np.ndarray:
    """Smooth random clouds of colour, with a box."""
    generator = np.random.default_rng(number)
    small = Image.fromarray(generator.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    picture = np.array(small.resize((columns, rows), Image.Resampling.BICUBIC))
    picture[rows // 4 : rows // 2, columns // 3 : columns // 2] = generator.integers(0, 256, 3)
    return picture


def hash_of(number: int) -> str:
    return hashlib.sha256(bytes([number])).hexdigest()


def bits(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


@pytest.mark.parametrize("number", range(4))
def test_a_picture_looks_alike_in_another_size_and_compression(number: int) -> None:
    picture = picture_of(number)
    shrunk = Image.fromarray(picture).resize((100, 75), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shrunk.save(buffer, "JPEG", quality=70)
    copy = np.array(Image.open(buffer))
    assert bits(look_of(picture), look_of(copy)) <= ALIKE
    assert bits(look_of(picture), look_of((picture * 0.6).astype(np.uint8))) <= ALIKE


def test_different_pictures_do_not_look_alike() -> None:
    looks = [look_of(picture_of(number)) for number in range(30)]
    assert min(bits(one, other) for place, one in enumerate(looks) for other in looks[:place]) > ALIKE


def test_a_photograph_falls_the_same_way_whatever_the_others_are() -> None:
    hashes = [hash_of(number) for number in range(200)]
    looks = hashes  # as different from each other as any
    whole = split_photographs(hashes, looks, 0.2)
    part = split_photographs(hashes[50:], looks[50:], 0.2)
    assert whole[50:] == part
    # A fifth of 200, within four standard deviations of a binomial.
    assert 40 - 23 < whole.count("validation") < 40 + 23


def test_copies_fall_together() -> None:
    pictures = [picture_of(number) for number in range(40)]
    copies = [np.array(Image.fromarray(each).resize((80, 60))) for each in pictures]
    hashes = [hash_of(number) for number in range(80)]
    looks = [look_of(each) for each in (*pictures, *copies)]
    sides = split_photographs(hashes, looks, 0.3)
    assert sides[:40] == sides[40:]
    assert {"train", "validation"} == set(sides)
    same_file = split_photographs([hash_of(1), hash_of(2), hash_of(1)], ["0" * 64, "f" * 64, "5" * 64], 0.5)
    assert same_file[0] == same_file[2] != same_file[1]


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_both_sides_have_a_photograph_if_there_are_two(share: float) -> None:
    for first in range(8):
        hashes = [hash_of(first), hash_of(first + 1)]
        looks = ["0" * 64, "f" * 64]
        assert set(split_photographs(hashes, looks, share)) == {"train", "validation"}


def test_one_photograph_or_no_share_trains() -> None:
    assert split_photographs([hash_of(0)], ["0" * 64], 0.5) == ["train"]
    assert split_photographs([hash_of(0), hash_of(1)], ["0" * 64, "f" * 64], 0.0) == ["train", "train"]


@pytest.mark.parametrize(("total", "photographs"), [(7, 3), (3, 7), (6, 3), (1, 1), (100, 7)])
def test_pairs_are_shared_evenly_over_photographs_that_train(total: int, photographs: int) -> None:
    each = pairs_of_each(total, ["train"] * photographs, 0.05)
    assert each.sum() == total
    assert each.max() - each.min() <= 1
    assert photographs_in_turn(range(total), each) == [place for place, count in enumerate(each) for _ in range(count)]


@pytest.mark.parametrize(
    ("total", "sides", "expected"),
    [
        # One photograph of four would have a quarter of the pairs; 5 % of 32 are asked for.
        (32, "tvtt", [10, 2, 10, 10]),
        (100, "vtvttttttv", [2, 14, 2, 14, 14, 14, 13, 13, 13, 1]),
        (4, "tvtt", [1, 1, 1, 1]),
        (9, "tvtt", [3, 1, 3, 2]),
        # Of many photographs about the share has been held back, and each has as many pairs.
        (400, "v" + 39 * "t", [10] * 40),
        (2, "vttt", [1, 1, 0, 0]),
    ],
)
def test_few_photographs_validate_with_the_share_of_the_pairs_that_is_asked_for(
    total: int, sides: str, expected: list[int]
) -> None:
    names = ["validation" if each == "v" else "train" for each in sides]
    assert pairs_of_each(total, names, 0.05).tolist() == expected  # type: ignore[arg-type]


def test_all_of_a_test_set_is_dealt_evenly() -> None:
    assert pairs_of_each(9, ["train", "validation", "train"], 1.0).tolist() == [3, 3, 3]
