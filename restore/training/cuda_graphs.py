"""Gradients of a function of tensors, recorded once as a CUDA graph and replayed.

A small network runs thousands of small kernels per step; launching each from Python takes longer than its execution. A
graph launches all at once. Shapes are fixed by the recording; everything else that the function reads must keep its
memory address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_WARM_UPS = 3


@dataclass
class _Recorded:
    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    outputs: dict[str, Tensor]
    gradients: list[Tensor | None]


class RecordedGradients:
    """Values of a function, with the gradients of its ``loss`` in the parameters' ``grad``.

    Args:
        function: takes a key and tensors; returns named values, ``loss`` among them. It may depend on the key: each key
            is recorded separately.
        parameters: trained parameters, on a CUDA device; their gradients are replaced, not accumulated.
    """

    def __init__(self, function: Callable[..., Mapping[str, Tensor]], parameters: Sequence[nn.Parameter]) -> None:
        self.function = function
        self.parameters = list(parameters)
        self._records: dict[Any, _Recorded] = {}
        self._pool: Any = None

    def __call__(self, key: str, *inputs: Tensor) -> dict[str, Tensor]:
        """The function's values for these inputs, detached from autograd."""
        name = (key, *(tuple(each.shape) for each in inputs))
        if name not in self._records:
            self._records[name] = self._record(key, inputs)
        record = self._records[name]
        for held, given in zip(record.inputs, inputs, strict=True):
            held.copy_(given, non_blocking=True)
        record.graph.replay()
        for parameter, gradient in zip(self.parameters, record.gradients, strict=True):
            parameter.grad = gradient
        return {name: value.detach().clone() for name, value in record.outputs.items()}

    def _compute(self, key: str, inputs: Sequence[Tensor]) -> Mapping[str, Tensor]:
        values = self.function(key, *inputs)
        values["loss"].backward()
        return values

    def _clear(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def _record(self, key: str, inputs: Sequence[Tensor]) -> _Recorded:
        held = [each.clone() for each in inputs]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                self._clear()
                self._compute(key, held)
        torch.cuda.current_stream().wait_stream(aside)
        self._clear()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            values = self._compute(key, held)
        self._pool = graph.pool()
        outputs = {name: value.detach() for name, value in values.items()}
        return _Recorded(graph, held, outputs, [parameter.grad for parameter in self.parameters])
