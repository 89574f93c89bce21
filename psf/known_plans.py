"""Plans of earlier requests: an engine and its samplings are chosen once for a lens, a window and a light."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

import jax
import numpy as np

from metalens.optics.metalens import Metalens

MOST_PLANS = 256
"""Number of plans that are kept, those that were used last."""

LARGEST_LENS = 1_000_000
"""Bytes of a lens' parameters up to which it is compared with those that were planned before."""

_Plan = TypeVar("_Plan")


def lens_key(lens: Metalens) -> Hashable | None:
    """Structure and all parameters of a lens; None if it is too large to compare, or traced.

    Args:
        lens: the metalens.
    """
    leaves, structure = jax.tree_util.tree_flatten(lens)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return None
    arrays = [np.asarray(leaf) for leaf in leaves]
    if sum(array.nbytes for array in arrays) > LARGEST_LENS:
        return None
    return structure, tuple((array.dtype.str, array.shape, array.tobytes()) for array in arrays)


class KnownPlans(Generic[_Plan]):
    """The last plans that were made; threads may share it."""

    def __init__(self) -> None:
        self._plans: OrderedDict[Hashable, _Plan] = OrderedDict()
        self._lock = Lock()

    def find(self, key: Hashable, plan: Callable[[], _Plan]) -> _Plan:
        """The plan of a request; it is made if it is not known.

        Args:
            key: all that the plan depends on.
            plan: makes it; what it raises is passed on and not kept.

        Returns:
            The plan.
        """
        with self._lock:
            if key in self._plans:
                self._plans.move_to_end(key)
                return self._plans[key]
        made = plan()
        with self._lock:
            self._plans[key] = made
            while len(self._plans) > MOST_PLANS:
                self._plans.popitem(last=False)
        return made
