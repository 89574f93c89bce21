"""Where a training runs: one process or several of them, by accelerate, on processors or accelerators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, reduce
from torch import Tensor, nn

from metalens.formats.files.errors import InputError
from metalens.restore.machine import usable_device


class DistributedProcesses:
    """This process among those that train together.

    One process is the usual case. ``accelerate launch`` or ``torchrun`` start several, with a device each; they average
    their gradients, and the first of them writes all files.

    Args:
        device: ``cpu``, or a device of torch. Of several processes each takes the device of its own number.
        precision: ``fp32``, or ``bf16`` for forward passes under autocast.

    Raises:
        InputError: there is no such device.
    """

    def __init__(self, device: str, precision: str) -> None:
        alone = usable_device(device)
        self.accelerator = Accelerator(cpu=alone.type == "cpu")
        self.processes = self.accelerator.num_processes
        self.process = self.accelerator.process_index
        self.is_first = self.accelerator.is_main_process
        self.device = alone if self.processes == 1 else self.accelerator.device
        self.precision = precision

    def prepare(self, module: nn.Module) -> nn.Module:
        """The module as it trains: alone as it is, among several with its gradients averaged."""
        module.to(self.device)
        if self.processes == 1:
            return module
        return self.accelerator.prepare_model(module, device_placement=False)

    def autocast(self) -> AbstractContextManager[None]:
        """Reduced precision inside the block, if that was asked for."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def without_averaging(self, module: nn.Module) -> AbstractContextManager[None]:
        """Keep gradients to this process inside the block: more of the same step follow."""
        return self.accelerator.no_sync(module)

    def backward(self, loss: Tensor) -> None:
        """The backward pass."""
        self.accelerator.backward(loss)

    def agree(self, value: float) -> float:
        """The first process's value, in all of them."""
        if self.processes == 1:
            return value
        return float(broadcast(torch.tensor(value, device=self.device, dtype=torch.float32)))

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the processes."""
        return values if self.processes == 1 else reduce(values, reduction="mean")

    def wait(self) -> None:
        """Go on when all processes have come here."""
        self.accelerator.wait_for_everyone()


@contextmanager
def spoken_memory(advice: str) -> Iterator[None]:
    """Turn running out of memory into one sentence.

    Args:
        advice: what was tried and what to lower.

    Raises:
        InputError: memory ran out inside the block.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise InputError(f"out of memory: {advice}") from error
    except RuntimeError as error:
        # The processor's allocator has no error of its own.
        if "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
            raise
        raise InputError(f"out of memory: {advice}") from error


def lower_precision(modules: list[nn.Module]) -> None:
    """Hold the frozen weights of convolutions and linear layers in bfloat16, in place; what is trained stays float32.

    Under autocast they would be cast anew in every pass: only weights that are trained are kept cast.
    """
    for module in modules:
        for layer in module.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                for parameter in layer.parameters(recurse=False):
                    if not parameter.requires_grad:
                        parameter.data = parameter.data.to(torch.bfloat16)
