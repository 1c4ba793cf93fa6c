"""Where a training stands, so that one that was killed goes on and gives the same curve.

A checkpoint is one safetensors file: the weights, the best weights so far, the optimiser's moments and the state of
PyTorch's generators as tensors, everything else as JSON in its header. It is written whole or not at all.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from real2sim.compute import generators

Part = nn.Module | torch.optim.Optimizer


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A file, and what of a training is kept in it.

    Attributes:
        path: The file; its folder is made.
        parts: Networks and optimisers by name; changed in place by `load`.
        identity: What the training is of; a file that says otherwise is not gone on with.
    """

    path: Path
    parts: Mapping[str, Part]
    identity: Mapping[str, Any]

    def save(self, best: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Writes the state of the parts and of the generators, the best weights, and JSON-able facts."""
        tensors = {name: generator.get_state() for name, generator in generators().items()}
        tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
        for name, part in self.parts.items():
            tensors |= {f"{name}/{key}": tensor for key, tensor in _state(part).items()}
        header = {"identity": json.dumps(self.identity), "facts": json.dumps(facts)}
        content = save({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, header)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}-{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(self.path)

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Puts parts and generators back as they were; the best weights and the facts, or None without a file."""
        try:
            with safe_open(self.path, framework="pt") as file:  # type: ignore[no-untyped-call]
                header = file.metadata()
                if json.loads(header["identity"]) != json.loads(json.dumps(self.identity)):
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (FileNotFoundError, SafetensorError):
            return None
        for name, part in self.parts.items():
            _restore(part, _under(tensors, name))
        for name, generator in generators().items():
            if name in tensors:
                generator.set_state(tensors[name])
        return _under(tensors, "best"), json.loads(header["facts"])


def _under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.partition("/")[2]: value for key, value in tensors.items() if key.partition("/")[0] == name}


def _state(part: Part) -> dict[str, Tensor]:
    if isinstance(part, nn.Module):
        return dict(part.state_dict())
    moments = part.state_dict()["state"]
    return {f"{number}/{name}": torch.as_tensor(value) for number, of in moments.items() for name, value in of.items()}


def _restore(part: Part, tensors: Mapping[str, Tensor]) -> None:
    if isinstance(part, nn.Module):
        part.load_state_dict(dict(tensors))
        return
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition("/")
        moments.setdefault(int(number), {})[name] = value
    part.load_state_dict({"state": moments, "param_groups": part.state_dict()["param_groups"]})
