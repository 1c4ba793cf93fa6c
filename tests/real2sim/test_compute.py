"""Where networks are trained. PyTorch's device without memory stands for a GPU: it refuses to mix devices too."""

from typing import Any

import pytest
import torch
from small_run import EVERY_MODEL, FOLD
from torch.utils._python_dispatch import TorchDispatchMode

from real2sim import stages
from real2sim.compute import choose_device, generators, placed_on, reproducible
from real2sim.pipeline import complete
from real2sim.run import RunError

NOTHING = "meta"


class Elsewhere(TorchDispatchMode):
    """Lets a training run on the device without memory: numbers that leave it are 1, what it cannot know is made up.

    What is made on the processor and meets the rest is refused by PyTorch, as it is on a GPU.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        aten, kwargs = torch.ops.aten, kwargs or {}
        if not any(isinstance(value, torch.Tensor) and value.device.type == NOTHING for value in args):
            return func(*args, **kwargs)
        if func is aten._local_scalar_dense.default:
            return True if args[0].dtype == torch.bool else 1.0
        if func is aten.equal.default:
            return True
        if func is aten.bincount.default:
            return torch.zeros(2, dtype=torch.long, device=NOTHING)
        if func is aten._to_copy.default and kwargs.get("device") == torch.device("cpu"):
            return torch.ones(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        if func is aten.index.Tensor and any(index is not None and index.dtype == torch.bool for index in args[1]):
            mask = args[1][0]
            return func(args[0].flatten(0, mask.ndim - 1), [torch.arange(mask.numel(), device=mask.device)])
        return func(*args, **kwargs)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter:UserWarning")
@pytest.mark.filterwarnings("ignore:.*degrees of freedom is <= 0:UserWarning")  # numbers of samples are made up
@pytest.mark.parametrize("name", EVERY_MODEL)
def test_a_training_leaves_nothing_on_the_processor(trained_run, name, monkeypatch):
    saved, adam = [], torch.optim.Adam
    monkeypatch.setattr(stages, "save_network", lambda path, network, *_: saved.append(network))
    monkeypatch.setattr(torch.optim, "Adam", lambda *of, fused=None, **options: adam(*of, **options))
    fold = None if EVERY_MODEL[name].uses == "nothing" else FOLD
    with Elsewhere():
        stages.train(trained_run, name, trained_run.config.seed, fold, device=NOTHING)
    (network,) = saved
    assert {part.device.type for part in (*network.parameters(), *network.buffers())} == {NOTHING}


def test_what_is_drawn_where_is_reproducible():
    with placed_on(NOTHING), reproducible(3):
        assert torch.rand(2).device.type == NOTHING
    with placed_on("cpu"), reproducible(3):
        drawn = torch.rand(2)
    with reproducible(3):
        assert torch.equal(torch.rand(2), drawn)
    assert list(generators()) == ["generator"]


def test_the_gpu_is_chosen_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert choose_device() == "cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [choose_device(name) for name in ("auto", "cpu", "cuda", "cuda:1")] == ["cuda:0", "cpu", "cuda:0", "cuda:1"]


@pytest.mark.parametrize("name", ["cuda:7", "tpu", ""])
def test_a_device_that_is_not_there_is_refused_before_anything_starts(trained_run, name):
    with pytest.raises(RunError, match=rf"--device is {name}, expected auto or cpu; choose"):
        complete(trained_run, ("train",), device=name)
