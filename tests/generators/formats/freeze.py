"""Freeze a tiny dataset of today's format as `formats/<number>`, so that later readers can be held to it.

    python tests/generators/formats/freeze.py

Run once when a format is born: `1` was written at commit 3d0e3b6, `2` and `3` by the commits that brought them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from generators.store import FIELDS, Repetition, Worn, write_dataset

LENGTHS = {"sample": 3, "range": 2}


def frozen_repetitions() -> Iterator[Repetition]:
    """Three repetitions with every field and two mountings, of values that every type holds exactly."""
    for index in range(3):
        arrays = {group: _arrays(group, LENGTHS[group] + index) for group in LENGTHS}
        arrays["sample"]["range"][0] = np.nan
        drawn = {
            "body.height_m": 1.5 + index,
            "watch.wrist": "left",
            "phone.offset_m": np.array([0.5, 0.25]),
            "n": index,
        }
        told = {
            "set": 0,
            "repetition": index,
            "subject": 7,
            "exercise": "squat",
            "lead": "left",
            "correct": 1 - index % 2,
        }
        also = Worn(
            sample={name: -values for name, values in arrays["sample"].items() if _of_a_mounting(name, values)},
            range=_arrays("range", LENGTHS["range"] + 2 * index),
            drawn={"watch.wrist": "right", "phone.offset_m": np.array([-0.5, index])},
        )
        yield Repetition(index=index, **arrays, repetition=told, drawn=drawn, also=(also,))


def _arrays(group: str, count: int) -> dict[str, np.ndarray]:
    arrays = {}
    for name, field in FIELDS.items():
        if field.group == group:
            values = np.arange(count * int(np.prod(field.shape)), dtype=float).reshape(count, *field.shape)
            arrays[name] = (values % 2 if field.dtype in ("|u1", "|i1") else values / 4).astype(field.dtype)
    return arrays


def _of_a_mounting(name: str, values: np.ndarray) -> bool:
    return FIELDS[name].worn and values.dtype.kind == "f"


if __name__ == "__main__":
    from generators.store.documents import FORMAT

    folder = Path(__file__).parent / FORMAT.rpartition(" ")[2]
    print(write_dataset(folder, frozen_repetitions(), recipe={"name": "frozen"}, shard_repetitions=2))
