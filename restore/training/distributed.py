"""Processes and device of a training: one process or several, by accelerate, on CPUs or accelerators."""

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
    """This process among those of a distributed training.

    Usually there is one process. ``accelerate launch`` or ``torchrun`` start several, each with its own device; they
    average their gradients, and the first process writes all files.

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
        """Wrap a module so that several processes average its gradients; a single process leaves it as it is."""
        module.to(self.device)
        if self.processes == 1:
            return module
        return self.accelerator.prepare_model(module, device_placement=False)

    def autocast(self) -> AbstractContextManager[None]:
        """Reduced precision inside the block, if configured."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def without_averaging(self, module: nn.Module) -> AbstractContextManager[None]:
        """Do not average gradients inside the block: more batches of the same step follow."""
        return self.accelerator.no_sync(module)

    def backward(self, loss: Tensor) -> None:
        """The backward pass."""
        self.accelerator.backward(loss)

    def agree(self, value: float) -> float:
        """Broadcast the value of the first process to all."""
        if self.processes == 1:
            return value
        return float(broadcast(torch.tensor(value, device=self.device, dtype=torch.float32)))

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the processes."""
        return values if self.processes == 1 else reduce(values, reduction="mean")

    def wait(self) -> None:
        """Wait until all processes arrive here."""
        self.accelerator.wait_for_everyone()


@contextmanager
def spoken_memory(advice: str) -> Iterator[None]:
    """Turn an out-of-memory error into one sentence.

    Args:
        advice: size of the training, and what to lower.

    Raises:
        InputError: memory ran out inside the block.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise InputError(f"out of memory: {advice}") from error
    except RuntimeError as error:
        # The CPU allocator raises a plain RuntimeError.
        if "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
            raise
        raise InputError(f"out of memory: {advice}") from error


def lower_precision(modules: list[nn.Module]) -> None:
    """Convert frozen weights of convolutions and linear layers to bfloat16, in place; trained ones stay float32.

    Autocast would cast them again in every pass, since it caches the casts of trained weights only.
    """
    for module in modules:
        for layer in module.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                for parameter in layer.parameters(recurse=False):
                    if not parameter.requires_grad:
                        parameter.data = parameter.data.to(torch.bfloat16)
