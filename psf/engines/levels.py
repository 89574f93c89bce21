"""A few samplings for the functions of a batch, so that most of them pay for no finer one than their own.

Each level is compiled, which takes seconds: so there are few, and two are joined where that costs little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import TypeVar

MOST_LEVELS = 3
"""Largest number of samplings in a batch."""

WORTHWHILE = 0.15
"""Least share of a batch's cost that a further level must save."""

_Level = TypeVar("_Level", bound=Hashable)


def joined_levels(
    wanted: Sequence[_Level],
    cost: Callable[[_Level, int], float],
    join: Callable[[Sequence[_Level]], _Level],
) -> dict[_Level, _Level]:
    """Which level serves each of the wanted samplings.

    Args:
        wanted: the sampling that each function needs.
        cost: of so many functions by a sampling.
        join: a sampling as fine as several.

    Returns:
        Wanted sampling → the one to take; the dearest is the first.
    """
    counts = Counter(wanted)
    # The dearest first: neighbours in cost differ the least.
    groups = [([each], each) for each in sorted(counts, key=lambda level: -cost(level, 1))]

    def price(members: Sequence[_Level], level: _Level) -> float:
        return cost(level, sum(counts[each] for each in members))

    while len(groups) > 1:
        total = sum(price(*group) for group in groups)
        neighbours = list(pairwise(groups))
        pairs = [(first[0] + second[0], join(first[0] + second[0])) for first, second in neighbours]
        apart = [price(*first) + price(*second) for first, second in neighbours]
        more = [price(*pair) - separate for pair, separate in zip(pairs, apart, strict=True)]
        least = min(range(len(more)), key=more.__getitem__)
        if len(groups) <= MOST_LEVELS and more[least] > WORTHWHILE * total:
            break
        groups[least : least + 2] = [pairs[least]]
    return {member: level for members, level in groups for member in members}
