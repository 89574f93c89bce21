"""What the contact sheet tells of pairs."""

import numpy as np
import pytest

from metalens.app.pairs_statistics import pairs_statistics, sharpness


def test_a_flat_picture_has_no_sharpness_and_a_checkerboard_that_of_its_contrast():
    rows, columns = np.mgrid[:20, :20]
    board = np.repeat(((rows + columns) % 2 * 100).astype(np.uint8)[..., None], 3, axis=-1)
    assert sharpness(np.full((20, 20, 3), 90, np.uint8)) == 0
    # Each inner pixel differs by 100 from each of its four neighbours.
    assert sharpness(board) == pytest.approx(400, rel=0.1)


def test_each_pair_is_told_with_its_place_and_each_skipped_photograph_with_its_reason(made_pairs):
    found = pairs_statistics(made_pairs)
    assert (found.count, found.pixels, found.kind) == (2, (64, 64), "simulated")
    assert [name for name, _ in found.skipped] == ["bad"]
    assert "not a picture" in found.skipped[0][1]
    for number, pair in enumerate(found.pairs):
        assert (pair.index, pair.photograph, pair.sensor) == (number, "good", (400, 400))
        assert pair.captured_sharpness < pair.sharpness
        assert 0 < pair.brightness < 1
    splits = [{pair.split for pair in pairs_statistics(made_pairs, held_out=held).pairs} for held in (False, True)]
    assert splits == [{"train"}, {"held out"}]
