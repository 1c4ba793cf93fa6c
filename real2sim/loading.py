"""Windows of a dataset for PyTorch, read when they are asked for, in as many processes as a DataLoader has."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch.utils import data

from generators.store import Dataset, DatasetError
from real2sim.sequences import channel_values, channels_of, runs_of_sets
from real2sim.windows import Statistics, window_starts


class WindowDataset(data.Dataset[dict[str, torch.Tensor]]):
    """Overlapping windows of a dataset's repetitions that cover every sample.

    Windows lie within a set: they may span its repetitions, not two sets. It can be pickled and sent to workers,
    however they are started; each of them opens the files for itself.
    """

    def __init__(
        self,
        dataset: Dataset,
        groups: Iterable[str],
        *,
        window: int = 40,
        stride: int = 10,
        statistics: Statistics | None = None,
        repetitions: Iterable[int] | None = None,
        mountings: Iterable[int] | None = None,
        together: bool = False,
        labels: Iterable[str] = ("phase",),
    ):
        """Plans the windows; nothing but the lengths of the repetitions and their sets is read.

        Args:
            dataset: Simulated repetitions.
            groups: Channel groups, see `real2sim.sequences.GROUPS`.
            window: W, samples a window.
            stride: Samples from one start to the next, at most `window`.
            statistics: Scale of the channels; values are in SI units where None.
            repetitions: Positions of the repetitions to take; all where None.
            mountings: Which of the watches and phones that recorded at once; all where None.
            together: A window holds what all of the mountings recorded, and not that of one of them.
            labels: Fields of the dataset with one whole number a sample.

        Raises:
            ValueError: The channels are not those of the statistics, or window and stride leave samples out.
            DatasetError: There is no such field or mounting.
        """
        if not 1 <= stride <= window:
            raise ValueError(f"window is {window} and stride {stride}, expected 1 <= stride <= window")
        self.channels = channels_of(groups)
        if statistics is not None and statistics.channels != self.channels:
            raise ValueError(f"statistics are of {statistics.channels}, expected those of {self.channels}")
        self._dataset, self._window, self._statistics = dataset, window, statistics
        self._labels, self._together = tuple(labels), together
        self._mountings = tuple(range(dataset.mountings) if mountings is None else mountings)
        self._refuse_unknown()
        self._before = dataset.offsets("sample")
        self._starts, self._ends = _plan(dataset, self._before, repetitions, window, stride)

    def _refuse_unknown(self) -> None:
        odd = [k for k in self._mountings if not 0 <= k < self._dataset.mountings]
        if odd or not self._mountings:
            raise DatasetError(f"mountings are {self._mountings}, expected some of {self._dataset.mountings}, from 0")
        fields = self._dataset.fields
        if odd := [n for n in self._labels if n not in fields or fields[n].group != "sample" or fields[n].shape]:
            raise DatasetError(f"labels are {odd}, expected fields with one number a sample")

    def __len__(self) -> int:
        return len(self._starts) * (1 if self._together else len(self._mountings))

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """A window.

        Returns:
            "values" (W, C) float32, 0 where missing; "present" (W, C) bool; each label (W,) int64, -1 beyond the end of
            the set; "repetition", the position of the window's first one; "start", the sample of it; "mounting". With
            `together`, M mountings are stacked: "values" and "present" are (M, W, C) and "mounting" is (M,).
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        number, which = divmod(index % len(self), 1 if self._together else len(self._mountings))
        start, end = int(self._starts[number]), int(min(self._starts[number] + self._window, self._ends[number]))
        first, last = np.searchsorted(self._before, [start, end - 1], side="right") - 1
        part = slice(start - self._before[first], end - self._before[first])
        span = int(first), int(last) + 1
        mountings = self._mountings if self._together else (self._mountings[which],)
        values, present = zip(*(self._values(*span, part, mounting) for mounting in mountings), strict=True)
        item: dict[str, Any] = {
            "values": np.stack(values),
            "present": np.stack(present),
            "mounting": np.array(mountings),
        }
        if not self._together:
            item = {name: array[0] for name, array in item.items()}
        for name in self._labels:
            item[name] = self._padded(self._dataset.read(name, *span)[part].astype(np.int64), -1)
        item |= {"repetition": int(first), "start": int(part.start)}
        return {name: torch.as_tensor(array) for name, array in item.items()}

    def _values(self, first: int, stop: int, part: slice, mounting: int) -> tuple[np.ndarray, np.ndarray]:
        """Values and presence (W, C) of a part of the samples of the repetitions from `first` to before `stop`."""
        values = channel_values(self._dataset, self.channels, first, stop, mounting=mounting)[part]
        values = self._padded(values, np.nan)
        present = np.isfinite(values)
        if self._statistics is not None:
            values = (values - self._statistics.mean) / self._statistics.std
        return np.where(present, values, 0.0).astype(np.float32), present

    def _padded(self, array: np.ndarray, filler: float) -> np.ndarray:
        missing = [(0, self._window - len(array))] + [(0, 0)] * (array.ndim - 1)
        return np.pad(array, missing, constant_values=filler)


def _plan(
    dataset: Dataset, before: np.ndarray, repetitions: Iterable[int] | None, window: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """First sample of each window, counted through the dataset, and where its set ends: (N,) each."""
    wanted = range(len(dataset)) if repetitions is None else repetitions
    chosen = np.unique(np.fromiter(wanted, dtype=np.int64))
    if len(chosen) and not 0 <= chosen[0] <= chosen[-1] < len(dataset):
        raise ValueError(f"got repetitions {chosen[0]} to {chosen[-1]}, expected 0 to {len(dataset) - 1}")
    sets = dataset.read("set") if "set" in dataset.fields else np.arange(len(dataset))
    starts, ends = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for first, last in runs_of_sets(chosen, sets) if len(chosen) else ():
        within = window_starts(int(before[last + 1] - before[first]), window, stride)
        starts.append(before[first] + within)
        ends.append(np.full(len(within), before[last + 1]))
    return np.concatenate(starts), np.concatenate(ends)
