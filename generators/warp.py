"""Shards whose physics runs on an accelerator: processes plan and measure the sets, the device steps them together.

While the device steps the sets of some shards, the processes measure those before and plan those after them. A set that
fails is drawn again and stepped with the next ones; its shard waits for it.
"""

import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any, TypeVar, cast

from generators.attempts import LOST, Failure
from generators.engines import Outcome, Task, WorkersLost, on_processes
from generators.recipe import Recipe
from generators.repetition import DrawnSet, SimulatedSet, draw_set, judge_set, make_repetitions
from generators.store import DatasetError, Shard
from squat_env.simulate import Simulation, SimulationFailed
from squat_env.worlds import World

WORLDS = 1024  # 1 MB of the host's memory each, three times over

Stepped = Simulation | SimulationFailed


@dataclass(frozen=True, kw_only=True)
class Warp:
    """mujoco_warp on a device of this machine; it makes recipes whose physics is "mujoco_warp", whatever `Task.make`.

    Attributes:
        jobs: processes that plan and measure.
        worlds: how many sets are stepped at once; those of one layout are stepped together.
        device: a name that Warp knows, such as "cuda:0"; where None, the GPU if there is one, or else the CPU.
    """

    jobs: int
    worlds: int = WORLDS
    device: str | None = None

    def __post_init__(self):
        for name in ("jobs", "worlds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")

    def run(self, task: Task[Recipe], numbers: Sequence[int]) -> Generator[Outcome, None, None]:
        """Yield the outcome of each shard as it is there."""
        try:
            device = _accelerator().device_named(self.device)
        except ValueError as error:
            raise DatasetError(f"{error}; correct --device") from error
        if task.recipe.physics != "mujoco_warp":
            raise DatasetError(
                f"the recipe's physics is {task.recipe.physics}, expected mujoco_warp; choose another backend"
            )
        sets = -(-task.recipe.shard_repetitions // task.recipe.repetitions_a_set)
        windows = _cut(numbers, max(1, self.worlds // sets))
        stop = threading.Event()
        with ThreadPoolExecutor(1, "accelerator") as thread:
            try:
                yield from replace(self, device=device)._run(task, windows, thread, stop)
            finally:
                stop.set()

    def _run(
        self, task: Task[Recipe], windows: Iterator[Sequence[int]], thread: ThreadPoolExecutor, stop: threading.Event
    ) -> Generator[Outcome, None, None]:
        planned, stepped = self._plan(task, next(windows, ())), {}
        while planned or stepped:
            stepping = thread.submit(self._step, planned, stop)
            again = []
            for outcome in self._spread([(_finish, task, *shard) for shard in stepped.items()], task):
                if isinstance(outcome, Shard | Failure):
                    yield outcome
                else:
                    again.append(outcome)
            upcoming = self._plan(task, next(windows, ()))
            stepping.result()
            for number, sets in again:
                upcoming[number] = stepped[number] | sets
            planned, stepped = upcoming, planned

    def _plan(self, task: Task[Recipe], numbers: Sequence[int]) -> dict[int, "_Sets"]:
        """Plans the sets of some shards; where that ends its process again and again, a shard fails for it."""
        planned = self._planned(task, numbers)
        while left := [number for number in numbers if number not in planned]:
            planned |= (found := self._planned(task, left))
            if not found:
                for number in left:
                    first = _numbers(task.recipe, number)[0]
                    alone = self._planned(task, [number]) if len(left) > 1 else {}
                    planned |= alone or {number: {first: f"while it was planned, {LOST}"}}
        return planned

    def _planned(self, task: Task[Recipe], numbers: Sequence[int]) -> dict[int, "_Sets"]:
        """Plans the sets of some shards, or of those before a process is lost."""
        planned: dict[int, _Sets] = {}
        with suppress(WorkersLost):
            for number, sets in self._spread([(_plan, task.recipe, number) for number in numbers], task):
                planned[number] = sets
        return planned

    def _spread(self, calls: Sequence[tuple[Any, ...]], task: Task[Recipe]) -> Iterable[Any]:
        return on_processes(calls, jobs=self.jobs, limits=task.limits) if calls else ()

    def _step(self, shards: Mapping[int, "_Sets"], stop: threading.Event) -> None:
        """Steps the sets that wait for it, in batches of one layout and of like lengths."""
        accelerator = _accelerator()
        waiting: dict[str, list[_Planned]] = {}
        for sets in shards.values():
            for one in sets.values():
                if isinstance(one, _Planned) and one.stepped is None:
                    waiting.setdefault(accelerator.layout(one.world.model), []).append(one)
        for group in waiting.values():
            for batch in _cut(sorted(group, key=lambda one: len(one.world.time)), self.worlds):
                worlds = [one.world for one in batch]
                try:
                    done = accelerator.simulate_worlds(worlds, self.device, stopped=stop.is_set)
                except RuntimeError as error:
                    raise DatasetError(
                        f"{self.device} does not step {len(worlds)} worlds ({error}), expected it to; take fewer"
                        " --worlds, or another --device"
                    ) from error
                for one, stepped in zip(batch, done, strict=True):
                    one.stepped = stepped


@dataclass(kw_only=True)
class _Planned:
    """A set on its way: drawn and planned, then stepped."""

    drawn: DrawnSet
    world: World
    stepped: Stepped | None = None


_Sets = dict[int, _Planned | str]
"""The sets of a shard by their numbers; a text says why one cannot be made."""

T = TypeVar("T")


def _cut(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Pieces of so many items, the last one shorter."""
    return (items[begin : begin + size] for begin in range(0, len(items), size))


def _accelerator() -> Any:
    try:
        return import_module("squat_env.accelerator")
    except ImportError as error:
        raise DatasetError(
            f"mujoco_warp cannot be used ({error}), expected it with --backend warp; `pip install 'squat-sensor[gpu]'`"
        ) from error


def _plan(recipe: Recipe, shard: int) -> tuple[int, _Sets]:
    """Plans the sets of a shard, in a process of its own."""
    return shard, {number: _planned(recipe, number) for number in _numbers(recipe, shard)}


def _numbers(recipe: Recipe, shard: int) -> range:
    """Of the sets of which a shard holds repetitions."""
    first = shard * recipe.shard_repetitions
    last = min(first + recipe.shard_repetitions, recipe.repetitions) - 1
    return range(first // recipe.repetitions_a_set, last // recipe.repetitions_a_set + 1)


def _planned(recipe: Recipe, number: int, after: DrawnSet | None = None) -> _Planned | str:
    try:
        drawn = draw_set(recipe, number, after=after)
        reference = drawn.prepared.reference
        world = World.of(drawn.prepared.model, reference)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    # what the physics alone needs is in the world; without it, a set is half as large
    reference = replace(reference, qvel=reference.qvel[:0], torque=reference.torque[:0], balance=None)
    return _Planned(drawn=replace(drawn, prepared=replace(drawn.prepared, reference=reference)), world=world)


def _finish(task: Task[Recipe], shard: int, sets: _Sets) -> Outcome | tuple[int, _Sets]:
    """Measures the sets of a shard and writes it, in a process of its own; sets that failed come back drawn again."""
    judged = {number: _judged(one) for number, one in sets.items()}
    failed = {number: one for number, one in judged.items() if isinstance(one, DrawnSet)}
    if failed:
        return shard, {number: _planned(task.recipe, number, one) for number, one in failed.items()}
    done = {number: one for number, one in judged.items() if not isinstance(one, DrawnSet)}
    make = partial(make_repetitions, simulated=partial(_simulated, done))
    return replace(task, make=make)(shard)


def _judged(one: _Planned | str) -> SimulatedSet | DrawnSet | str:
    return one if isinstance(one, str) else judge_set(one.drawn, cast(Stepped, one.stepped))


def _simulated(done: Mapping[int, SimulatedSet | str], recipe: Recipe, number: int) -> SimulatedSet:
    """A set that was simulated before.

    Raises:
        RuntimeError: It could not be made.
    """
    found = done[number]
    if isinstance(found, str):
        raise RuntimeError(found)
    return found
