"""Every way in which a dataset is hurt, and what comes of it: the tests do each a few times, the benchmark many."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from toy import ToyRecipe, make_eating, make_hanging, make_toy, make_with_many_deaths

from generators.attempts import Limits
from generators.engines import Dask, Engine, Sequential
from generators.produce import missing_shards, produce
from generators.shards import plan_of
from generators.store import Dataset, DatasetError, Manifest, verify

HERE = Path(__file__).parent
RECIPE = ToyRecipe(repetitions=24, shard_repetitions=2)
SMALL = replace(RECIPE, repetitions=8)
LIMITS = Limits(seconds=2.0, memory_bytes=1 << 29)
PATIENT = Limits(seconds=60.0, memory_bytes=1 << 29)  # the memory is at its end first, on a busy machine too


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of a fault.

    Attributes:
        lost: repetitions that are not in the dataset in the end.
        undetected: damages that nobody named.
        digest_equal: whether the contents are those of an undisturbed run.
    """

    lost: int = 0
    undetected: int = 0
    digest_equal: bool = True


@cache
def undisturbed(recipe: ToyRecipe) -> str:
    """Digest of the dataset that one process makes undisturbed."""
    with TemporaryDirectory() as folder:
        return produce(recipe, folder, make=make_toy, engine=Sequential()).digest


def judge(folder: Path, recipe: ToyRecipe = RECIPE, *, detected: bool = True) -> Verdict:
    """Look at a dataset that should be whole again."""
    clean = not verify(folder) and {path.suffix for path in folder.iterdir()} == {".h5", ".json"}
    dataset = Dataset(folder)
    return Verdict(
        lost=recipe.repetitions - len(dataset),
        undetected=int(not (detected and clean)),
        digest_equal=dataset.digest == undisturbed(recipe),
    )


def finish(folder: Path, recipe: ToyRecipe = RECIPE, engine: Engine | None = None, *, detected: bool = True) -> Verdict:
    """Run again, with all that was verified before kept as it is, and look at the result."""
    before = kept(folder, recipe)
    produce(recipe, folder, make=make_toy, engine=engine or Sequential(), progress=False)
    times = {path: path.stat().st_mtime_ns for path in before}
    assert before == times, "a sound shard was made again"
    return judge(folder, recipe, detected=detected)


def kept(folder: Path, recipe: ToyRecipe = RECIPE) -> dict[Path, int]:
    """Time stamps of the sound shards in a folder."""
    plan = plan_of(recipe)
    with suppress(DatasetError):
        listed = Manifest.read(folder / "manifest.json").shards
        return _times(folder, set(plan.shards) - set(missing_shards(plan, folder, listed=listed)))
    return _times(folder, set(plan.shards) - set(missing_shards(plan, folder)))


def _times(folder: Path, numbers: set[int]) -> dict[Path, int]:
    paths = [folder / f"shard-{number:05d}.h5" for number in numbers]
    return {path: path.stat().st_mtime_ns for path in paths}


# Processes that are killed and interrupted

SCRIPT = """
import resource, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and pass that on
from toy import ToyRecipe, make_toy
from generators.produce import produce
limit = int(sys.argv[4])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
recipe = ToyRecipe(repetitions=24, shard_repetitions=2, pause_s=float(sys.argv[3]))
produce(recipe, sys.argv[1], make=make_toy, jobs=int(sys.argv[2]), progress=False)
"""


def start(folder: Path, *, jobs: int = 2, pause_s: float = 0.05, file_bytes: int = 0) -> subprocess.Popen[str]:
    """Make the dataset in a process of its own, in a session of its own as a terminal gives it."""
    command = [sys.executable, "-c", SCRIPT, str(folder), str(jobs), str(pause_s), str(file_bytes)]
    return subprocess.Popen(command, cwd=HERE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], object], limit_s: float) -> bool:
    """Wait for a condition; whether it was met in time."""
    end = time.monotonic() + limit_s
    while not (met := bool(condition())) and time.monotonic() < end:
        time.sleep(0.01)
    return met


def under_way(folder: Path, rng: random.Random) -> bool:
    """Wait until a random number of shards, from none to most, is finished."""
    wanted = rng.randrange(9)
    return wait_until(lambda: folder.exists() and len(list(folder.glob("shard-*.json"))) >= wanted, 30)


def workers_of(run: subprocess.Popen[str]) -> list[int]:
    """The worker processes of a run, as soon as there are two."""
    assert wait_until(lambda: len(children(run.pid)) >= 2, 30)
    return children(run.pid)


def kill_worker(folder: Path, rng: random.Random) -> Verdict:
    """The run goes on by itself and ends well."""
    with start(folder) as run:
        workers_of(run)
        assert under_way(folder, rng)
        for victim in rng.sample(children(run.pid), 1):
            os.kill(victim, signal.SIGKILL)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 0, said
    return judge(folder)


def kill_parent(folder: Path, rng: random.Random) -> Verdict:
    """The workers go too, within 2 s, and the next run keeps what was finished."""
    with start(folder) as run:
        workers = workers_of(run)
        assert under_way(folder, rng)
        run.kill()
        run.wait(timeout=5)
    gone = wait_until(lambda: not any(map(is_running, workers)), 2)
    return finish(folder, detected=gone)


def interrupt(folder: Path, rng: random.Random) -> Verdict:
    """Ctrl-C: out in 5 s, saying how to go on."""
    with start(folder, pause_s=0.2) as run:
        workers = workers_of(run)
        assert under_way(folder, rng)
        return _stopped(folder, run, workers)


def _stopped(folder: Path, run: subprocess.Popen[str], workers: list[int]) -> Verdict:
    """Interrupts a run as a terminal does, and finishes it."""
    begun = time.monotonic()
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=60)
    prompt = time.monotonic() - begun < 5
    last = said.splitlines()[-1] if said else ""
    told = "of 12 shards finished in" in last and "run the same command again" in last
    gone = wait_until(lambda: not any(map(is_running, workers)), 2)
    return finish(folder, detected=told and gone and prompt and run.returncode != 0)


def interrupt_at_the_start(folder: Path, rng: random.Random) -> Verdict:
    """Ctrl-C while the workers are being started."""
    with start(folder, pause_s=0.2) as run:
        assert wait_until(lambda: (folder / "plan.json").exists(), 30)
        time.sleep(0.3 * rng.random())
        return _stopped(folder, run, children(run.pid))


def fill_disk(folder: Path, rng: random.Random) -> Verdict:
    """No file may grow beyond a size: named, with the bytes needed, and no bad file under a final name."""
    with start(folder, pause_s=0, file_bytes=rng.choice([0, 1, 2, 4, 8, 16, 24, 32, 40, 48]) * 1024 + 1) as run:
        _, said = run.communicate(timeout=60)
    told = "bytes and did not fit" in said and run.returncode == 1
    present = [path for path in folder.glob("shard-*.h5") if path.with_suffix(".json").exists()]
    return finish(folder, detected=told and len(present) == len(kept(folder)))


def two_writers(folder: Path, rng: random.Random) -> Verdict:
    """The second one is refused and changes nothing."""
    with start(folder) as run:
        assert wait_until(lambda: (folder / "plan.json").exists(), 30)
        try:
            produce(RECIPE, folder, make=make_toy, engine=Sequential())
            refused = False
        except DatasetError as error:
            refused = "is being written by process" in str(error)
        run.communicate(timeout=60)
    return judge(folder, detected=refused)


# Repetitions that do not end well


def bad_repetition(make: Callable, sign: str, limits: Limits = LIMITS) -> Callable[[Path, random.Random], Verdict]:
    """One repetition ruins whoever makes it: the others are made, its shard is named, the next run makes it."""

    def hurt(folder: Path, rng: random.Random) -> Verdict:
        index = rng.randrange(RECIPE.repetitions)
        flag = folder.with_name(f"{folder.name}-flag")
        recipe = replace(RECIPE, fault_index=index, fault_flag=str(flag))
        shard = index // RECIPE.shard_repetitions
        try:
            produce(recipe, folder, make=make, jobs=2, limits=limits, progress=False)
            told = False
        except DatasetError as error:
            told = f"shard {shard} (repetitions" in str(error) and sign in str(error)
        others = missing_shards(plan_of(RECIPE), folder) == [shard]
        reported = any(f"shard-{shard:05d}.try-3.txt" in damage for damage in verify(folder))
        return finish(folder, detected=told and others and reported)

    return hurt


# Files that are damaged


def damaged(damage: Callable[[Path, random.Random], str]) -> Callable[[Path, random.Random], Verdict]:
    """A finished dataset is damaged: `verify` names the file, the next run makes what it was."""

    def hurt(folder: Path, rng: random.Random) -> Verdict:
        shutil.copytree(finished(), folder)
        name = damage(folder, rng)
        named = any(name in found for found in verify(folder))
        if damage is plant:  # only the owner may remove what is not the dataset's
            for path in folder.glob(f"{name}*"):
                path.unlink()
        return finish(folder, SMALL, detected=named)

    return hurt


@cache
def finished() -> Path:
    """A sound dataset to copy."""
    folder = Path(_KEEP.name) / "finished"
    produce(SMALL, folder, make=make_toy, engine=Sequential())
    return folder


_KEEP = TemporaryDirectory()


def any_file(folder: Path, rng: random.Random) -> Path:
    """A random file of a dataset."""
    return rng.choice(sorted(folder.iterdir()))


def truncate(folder: Path, rng: random.Random) -> str:
    path = any_file(folder, rng)
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])
    return path.name


def truncate_by_a_byte(folder: Path, rng: random.Random) -> str:
    path = any_file(folder, rng)
    path.write_bytes(path.read_bytes()[:-1])
    return path.name


def flip(folder: Path, rng: random.Random) -> str:
    path = any_file(folder, rng)
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return path.name


def remove(folder: Path, rng: random.Random) -> str:
    """The plan is the only file that the others make up for."""
    path = rng.choice([path for path in sorted(folder.iterdir()) if path.name != "plan.json"])
    path.unlink()
    return path.name


def duplicate(folder: Path, rng: random.Random) -> str:
    source, target = rng.sample(range(4), 2)
    copy_shard(folder, source, folder, target)
    return f"shard-{target:05d}"


def plant(folder: Path, rng: random.Random) -> str:
    """A sound shard of the same recipe, beyond the last one of this dataset."""
    number = rng.randrange(4, 8)
    with TemporaryDirectory() as other:
        produce(replace(SMALL, repetitions=16), other, make=make_toy, engine=Sequential())
        copy_shard(Path(other), number, folder, number)
    return f"shard-{number:05d}"


def outdate(folder: Path, rng: random.Random) -> str:
    """A shard of the same range and another seed, sound by its own sidecar."""
    number = rng.randrange(4)
    with TemporaryDirectory() as other:
        produce(replace(SMALL, seed=1), other, make=make_toy, engine=Sequential())
        copy_shard(Path(other), number, folder, number)
    return f"shard-{number:05d}.h5"


def copy_shard(source: Path, number: int, target: Path, as_number: int) -> None:
    for ending in ("h5", "json"):
        shutil.copy(source / f"shard-{number:05d}.{ending}", target / f"shard-{as_number:05d}.{ending}")


def halve_manifest(folder: Path, rng: random.Random) -> str:
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path.name


FAULTS: dict[str, tuple[Callable[[Path, random.Random], Verdict], int, int]] = {
    "kill_worker": (kill_worker, 2, 20),
    "kill_parent": (kill_parent, 2, 20),
    "interrupt": (interrupt, 2, 20),
    "interrupt_at_the_start": (interrupt_at_the_start, 2, 20),
    "fill_disk": (fill_disk, 3, 10),
    "two_writers": (two_writers, 1, 5),
    "self_killing_repetition": (bad_repetition(make_with_many_deaths, "its process was killed"), 1, 5),
    "hanging_repetition": (bad_repetition(make_hanging, "Timeout"), 1, 3),
    "eating_repetition": (bad_repetition(make_eating, "MemoryError", PATIENT), 1, 5),
    "truncation": (damaged(truncate), 10, 50),
    "truncation_by_a_byte": (damaged(truncate_by_a_byte), 3, 20),
    "bit_flip": (damaged(flip), 20, 200),
    "missing_file": (damaged(remove), 5, 20),
    "duplicated_shard": (damaged(duplicate), 3, 20),
    "foreign_shard": (damaged(plant), 2, 5),
    "stale_shard": (damaged(outdate), 2, 10),
    "half_a_manifest": (damaged(halve_manifest), 1, 5),
}
"""Name -> the fault, how often the tests inject it, and how often the benchmark does."""


def killed_on_loky_finished_on_dask(folder: Path, rng: random.Random, scheduler: str) -> Verdict:
    """Half of a dataset is made on loky, the run is killed, and a Dask cluster makes the rest."""
    with start(folder) as run:
        assert wait_until(lambda: len(list(folder.glob("shard-*.json"))) >= 6, 30)
        run.kill()
        run.wait(timeout=5)
    return finish(folder, engine=Dask(scheduler=scheduler))
