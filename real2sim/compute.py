"""Where networks are trained: on the processor, or on a GPU.

Inside `placed_on` PyTorch makes every new tensor there, so that no method has to say where it works. What is trained
is saved without a place; recordings are read on the processor, which is quick enough.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

AUTO = "auto"


def choose_device(name: str = AUTO) -> str:
    """The device that a name stands for: `auto` is the GPU where PyTorch can use one, otherwise the processor.

    Args:
        name: `auto`, `cpu`, `cuda`, `cuda:1`, ...

    Raises:
        ValueError: There is no such device here.
    """
    there = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    chosen = {AUTO: there[min(1, len(there) - 1)], "cuda": "cuda:0"}.get(name, name)
    if chosen not in there:
        raise ValueError(f"--device is {name}, expected {' or '.join([AUTO, *there])}; choose one that is here")
    return chosen


@contextmanager
def placed_on(device: str) -> Iterator[None]:
    """Inside, new tensors are made on this device and random numbers drawn there; on the processor nothing changes."""
    if device == "cpu":
        yield
        return
    with torch.cuda.device(device) if device.startswith("cuda") else nullcontext(), torch.device(device):
        yield


def generators() -> dict[str, torch.Generator]:
    """PyTorch's generators that numbers are drawn from here: the processor's, and the GPU's where one is worked on."""
    found, device = {"generator": torch.default_generator}, torch.get_default_device()
    if device.type == "cuda":
        found["generator_gpu"] = torch.cuda.default_generators[device.index or 0]
    return found


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seeds PyTorch's generators inside the block and leaves them as they were."""
    before = {name: generator.get_state() for name, generator in generators().items()}
    try:
        for generator in generators().values():
            generator.manual_seed(seed)
        yield
    finally:
        for name, generator in generators().items():
            generator.set_state(before[name])
