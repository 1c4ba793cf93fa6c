"""Make shards until each is made or given up, whatever becomes of the processes that make them."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from generators.attempts import TRIES, Failure, forget, is_crash, is_unexplained, reason, reports
from generators.engines import Engine, Task, WorkersLost
from generators.store import DatasetError, Shard
from generators.store.integrity import check_shard
from generators.store.manifest import sidecar_of


def make_all(
    task: Task, numbers: Sequence[int], engine: Engine, *, made: Callable[[Shard], object], hopeful: bool = False
) -> dict[int, str]:
    """Make shards, each of them tried until it is made or given up.

    Args:
        task: makes any one of them.
        numbers: of the shards.
        engine: where they are made.
        made: is called with each shard that is made.
        hopeful: shards of this recipe have been made before; if not, the first failures end the work.

    Returns:
        Why shards were given up, by their number.

    Raises:
        DatasetError: nothing can be made: the first shards all fail, or processes end before they begin one.
    """
    state = _Progress(task.folder, set(numbers), hopeful=hopeful)
    while pending := state.pending():
        try:
            with closing(engine.run(task, state.round(pending))) as outcomes:
                for outcome in outcomes:
                    if isinstance(outcome, Shard):
                        state.take(outcome)
                        made(outcome)
                    else:
                        state.note(outcome)
        except WorkersLost as lost:
            for shard in state.settle(pending, lost):
                made(shard)
    return state.given_up()


@dataclass
class _Progress:
    """What has become of the shards so far; the reports of their tries in the folder are part of it."""

    folder: Path
    wanted: set[int]
    hopeful: bool
    failed: dict[int, str] = field(default_factory=dict)
    settled: set[Path] = field(default_factory=set)
    idle: int = 0

    def pending(self) -> list[int]:
        return sorted(number for number in self.wanted if len(reports(self.folder, number)) < TRIES)

    def round(self, pending: list[int]) -> list[int]:
        """What to make next: a shard whose process was lost without a word gets its last try alone.

        So no shard answers for the loss of another that was made at the same time.
        """
        for number in pending:
            before = reports(self.folder, number)
            if len(before) == TRIES - 1 and any(map(is_unexplained, before)):
                return [number]
        return pending

    def take(self, shard: Shard) -> None:
        self.wanted.discard(shard.number)
        self.hopeful = True

    def note(self, failure: Failure) -> None:
        self.failed[failure.number] = failure.reason
        if not self.hopeful and len(self.failed) >= TRIES:
            raise DatasetError(
                f"the first {TRIES} shards all failed in {self.folder}, expected some to be made: "
                f"{'; '.join(self.failed.values())}; correct that and run again"
            )

    def settle(self, pending: list[int], lost: WorkersLost) -> list[Shard]:
        """After a loss: find what was made all the same, and let go those that others pulled down."""
        left = [number for number in pending if number in self.wanted and sidecar_of(self.folder, number).exists()]
        shards = [check_shard(self.folder, number).shards[0] for number in left]
        for shard in shards:
            self.take(shard)
            forget(self.folder, shard.number)
        new = {path for number in pending for path in reports(self.folder, number)} - self.settled
        if any(map(is_crash, new)):
            for path in filter(is_unexplained, new):
                path.unlink()
        self.settled |= new
        self.idle = 0 if new or shards else self.idle + 1
        if self.idle == TRIES:
            raise DatasetError(
                f"processes were lost {TRIES} times before they began a shard of {self.folder} ({lost}), expected "
                "them to start; see whether they find the packages and have the memory"
            )
        return shards

    def given_up(self) -> dict[int, str]:
        return {number: reason(reports(self.folder, number)[-1]) for number in sorted(self.wanted)}
