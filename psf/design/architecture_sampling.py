"""Which architectures are tried: a Sobol sequence over the envelope, then steps from the Pareto front.

Sobol sequence scrambled as by Owen: Sobol, USSR Comput. Math. Math. Phys. 7, 86 (1967); Owen, J. Complexity 14, 466
(1998). Both kinds of candidates follow from the seed and the candidates before them alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import qmc

from metalens.formats.design.exploration import Architecture, Exploration
from metalens.formats.design.exploration_run import Candidate
from metalens.formats.design.spec import DesignSpec
from metalens.formats.files.errors import InputError
from metalens.psf.design.architecture import NUMBERS, Branch, branches_of, kept_limits, quantities_of

GENERATION = 8
"""Candidates that are placed near one front; fixed, so that the result does not depend on the number of workers."""

STEP = 0.1
"""Standard deviation of a step from the front, of each range."""

CHOICE_KEPT = 0.75
"""How often a step keeps the choice of the candidate it starts from."""

DRAWN_LOG2 = 14
"""Log₂ of the number of architectures that are drawn; those within the envelope are taken."""

FRONTS = {
    "track": ("restored_db", "-track_length_um"),
    "light": ("restored_db", "light"),
    "tolerance": ("restored_db", "-tolerance_loss_db"),
    "edge": ("restored_centre_db", "restored_edge_db"),
}
"""Name → the two figures of a Pareto front; less is better of those with a minus."""

_AT_ONCE = 512
_TRIES = 32


def pareto_front(values: np.ndarray) -> np.ndarray:
    """Which points no other point dominates: is as good in every value and better in one.

    Args:
        values: ``[point, value]``, more is better.

    Returns:
        ``[point]`` booleans.
    """
    as_good = np.all(values[None] >= values[:, None], axis=-1)
    better = np.any(values[None] > values[:, None], axis=-1)
    return np.asarray(~np.any(as_good & better, axis=1))


def fronts(candidates: Sequence[Candidate]) -> dict[str, np.ndarray]:
    """Which candidates lie on each front of :data:`FRONTS`, by its name; without fronts of figures that are not known.

    Args:
        candidates: with figures.
    """
    told = [each.figures for each in candidates if each.figures is not None]

    def better(signed: str) -> np.ndarray:
        name = signed.removeprefix("-")
        return (-1 if signed != name else 1) * np.array([getattr(each, name) for each in told], dtype=float)

    pairs = {name: np.stack([better(each) for each in pair], axis=-1) for name, pair in FRONTS.items()}
    return {name: pareto_front(values) for name, values in pairs.items() if not np.isnan(values).any()}


class Sampler:
    """The candidates of a specification with a table [explore].

    Args:
        spec: the specification.

    Raises:
        InputError: numbers of the table contradict each other, a choice cannot be, or too few architectures lie within
            the envelope. All problems are told at once.
    """

    def __init__(self, spec: DesignSpec) -> None:
        assert spec.explore is not None
        self.name = spec.name
        self.explore: Exploration = spec.explore
        branches, problems = branches_of(spec)
        problems = self.explore.contradictions() + problems
        self.branches = {branch.choice: branch for branch in branches}
        moving = any((branch.high > branch.low).any() for branch in branches)
        # Refinement needs a number that varies and at least one candidate before it.
        asked = self.explore.candidates
        refined = min(round(self.explore.refine * asked), asked - 1) if moving else 0
        if branches and all((branch.high >= branch.low).all() for branch in branches):
            self.first, lacking = self._first(asked - refined)
            problems += lacking
        if problems:
            raise InputError(f"design {spec.name}: explore: {'; '.join(problems)}.")

    def batches(self) -> Iterator[range]:
        """The numbers of the candidates that are placed together, in order."""
        yield range(len(self.first))
        for begin in range(len(self.first), self.explore.candidates, GENERATION):
            yield range(begin, min(begin + GENERATION, self.explore.candidates))

    def batch(self, numbers: range, done: Sequence[Candidate]) -> list[Architecture]:
        """The architectures of one of :meth:`batches`.

        Args:
            numbers: of its candidates.
            done: the candidates of all batches before it, in the order of their numbers.

        Returns:
            The architectures; the same ones for the same seed and parents.
        """
        if numbers.start == 0:
            return self.first
        able = [each for each in done if each.figures is not None]
        front = np.logical_or.reduce(list(fronts(able).values()))
        parents = [each.architecture for each, on_it in zip(able, front, strict=True) if on_it]
        return [self._near(parents, number) for number in numbers]

    def _first(self, count: int) -> tuple[list[Architecture], list[str]]:
        """The first ones of a Sobol sequence that lie within the envelope, all different; or why there are too few."""
        branches = list(self.branches.values())
        drawn = qmc.Sobol(1 + len(NUMBERS), scramble=True, rng=self.explore.seed).random_base2(DRAWN_LOG2)
        found: dict[Architecture, None] = {}
        kept_by: dict[str, int] = {}
        for begin in range(0, len(drawn), _AT_ONCE):
            part = drawn[begin : begin + _AT_ONCE]
            chosen = np.minimum((part[:, 0] * len(branches)).astype(int), len(branches) - 1)
            architectures = [branches[at].architecture(row) for at, row in zip(chosen, part[:, 1:], strict=True)]
            limits = self._limits(architectures)
            for limit, kept in limits.items():
                kept_by[limit] = kept_by.get(limit, 0) + int(kept.sum())
            inside = np.logical_and.reduce(list(limits.values()))
            found |= dict.fromkeys(each for each, fits in zip(architectures, inside, strict=True) if fits)
            if len(found) >= count:
                return list(found)[:count], []
        shares = ", ".join(f"{limit} by {kept / len(drawn):.2%}" for limit, kept in kept_by.items())
        return [], [
            f"{count} architectures are asked for, but {_different(len(found))} of {len(drawn)} within the ranges fit "
            f"(kept are: {shares}); widen the ranges or the envelope, or ask for fewer candidates"
        ]

    def _limits(self, architectures: Sequence[Architecture]) -> dict[str, np.ndarray]:
        """Limit → ``[architecture]`` whether it is kept."""
        found: dict[str, np.ndarray] = {}
        for choice, branch in self.branches.items():
            at = [place for place, each in enumerate(architectures) if each.choice == choice]
            if not at:
                continue
            camera = branch.spec.camera
            quantities = quantities_of(camera, [architectures[place] for place in at])
            for limit, kept in kept_limits(camera, self.explore.envelope, quantities).items():
                found.setdefault(limit, np.ones(len(architectures), bool))[at] = kept
        return found

    def _near(self, parents: Sequence[Architecture], number: int) -> Architecture:
        """A step from one of the front, within the envelope; smaller steps where it is narrow."""
        generator = np.random.default_rng([self.explore.seed, number])
        size = STEP
        while True:
            tried = [self._step(parents, generator, size) for _ in range(_TRIES)]
            inside = np.logical_and.reduce(list(self._limits(tried).values()))
            if inside.any():
                return tried[int(inside.argmax())]
            size *= 0.5

    def _step(self, parents: Sequence[Architecture], generator: np.random.Generator, size: float) -> Architecture:
        parent = parents[int(generator.integers(len(parents)))]
        branch: Branch = self.branches[parent.choice]
        if generator.random() >= CHOICE_KEPT:
            branch = list(self.branches.values())[int(generator.integers(len(self.branches)))]
        moved = branch.share(parent) + size * generator.standard_normal(len(NUMBERS))
        return branch.architecture(reflected(moved))


def reflected(place: np.ndarray) -> np.ndarray:
    """Places mirrored at 0 and 1 until they lie between."""
    turned = np.abs(place) % 2
    return np.minimum(turned, 2 - turned)


def _different(count: int) -> str:
    """A clause on draws that repeat each other, where few keys vary: each counts once."""
    return {0: "none", 1: "1 different one"}.get(count, f"{count} different ones")
