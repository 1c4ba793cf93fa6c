"""Freeze a tiny dataset of today's format as `formats/<number>`, so that later readers can be held to it.

    python tests/generators/formats/freeze.py

Run once when a format is born: `1` was written at commit 3d0e3b6, `2` by the commit that brought it.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from generators.store import FIELDS, Repetition, write_dataset

LENGTHS = {"sample": 3, "range": 2}


def frozen_repetitions() -> Iterator[Repetition]:
    """Three repetitions with every field, of values that every type holds exactly."""
    for index in range(3):
        arrays: dict[str, dict[str, np.ndarray]] = {"sample": {}, "range": {}}
        for name, field in FIELDS.items():
            if field.group in arrays:
                count = LENGTHS[field.group] + index
                values = np.arange(count * int(np.prod(field.shape)), dtype=float).reshape(count, *field.shape)
                arrays[field.group][name] = (values % 2 if field.dtype in ("|u1", "|i1") else values / 4).astype(
                    field.dtype
                )
        arrays["sample"]["range"][0] = np.nan
        drawn = {
            "body.height_m": 1.5 + index,
            "watch.wrist": "left",
            "phone.offset_m": np.array([0.5, 0.25]),
            "n": index,
        }
        yield Repetition(index=index, **arrays, repetition={"set": 0, "repetition": index, "subject": 7}, drawn=drawn)


if __name__ == "__main__":
    from generators.store.documents import FORMAT

    folder = Path(__file__).parent / FORMAT.rpartition(" ")[2]
    print(write_dataset(folder, frozen_repetitions(), recipe={"name": "frozen"}, shard_repetitions=2))
