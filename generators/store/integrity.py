"""Whether a dataset folder is intact: every byte of every shard, and that all of them belong together."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import numpy as np

from generators.store.atomic import temporaries
from generators.store.documents import canonical_json, recipe_hash
from generators.store.fields import DatasetError
from generators.store.manifest import MANIFEST, Manifest, check_size, shard_numbers
from generators.store.plan import PLAN, Plan
from generators.store.shard import ShardReader

_TRY_NAME = re.compile(r"shard-(\d{5,9})\.try-(\d+)\.txt")
_BATCH = 64  # sidecars that are checked before the next are looked at


def check_shard(folder: Path, number: int) -> Manifest:
    """Compare a shard with its sidecar, byte for byte.

    Returns:
        The sidecar.

    Raises:
        DatasetError: either file is missing or damaged.
    """
    name = f"shard-{number:05d}"
    path = folder / f"{name}.h5"
    if not path.is_file():
        raise DatasetError(f"{path} is missing, expected shard {number}; make the shard again")
    sidecar = Manifest.read(folder / f"{name}.json")
    numbers = [shard.number for shard in sidecar.shards]
    if numbers != [number]:
        raise DatasetError(
            f"{folder / name}.json describes the shards {numbers}, expected [{number}]; make the shard again"
        )
    shard = sidecar.shards[0]
    check_size(path, shard)
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != shard.sha256:
        raise DatasetError(f"{path} has sha256 {found}, expected {shard.sha256}; make the shard again")
    return sidecar


def check_shards(folder: Path, numbers: Sequence[int], *, threads: int = 1) -> Iterator[Manifest | DatasetError]:
    """Check shards as `check_shard` does: for each number in order, the sidecar or what is wrong.

    Args:
        folder: of the dataset.
        numbers: of the shards.
        threads: how many files are read at once.
    """

    def check(number: int) -> Manifest | DatasetError:
        try:
            return check_shard(folder, number)
        except DatasetError as error:
            return error

    for start in range(0, len(numbers), _BATCH):
        with ThreadPoolExecutor(threads) as pool:
            batch = list(pool.map(check, numbers[start : start + _BATCH]))
        yield from batch  # outside of the pool: whoever stops early leaves nothing to close


def write_manifest(folder: Path | str, numbers: Sequence[int] | None = None, *, threads: int = 1) -> Manifest:
    """Complete a dataset: check every shard and join their sidecars into `manifest.json`.

    Args:
        folder: of the dataset.
        numbers: of its shards, in a row; where None, from 0 to the highest in the folder.
        threads: how many files are read at once.

    Raises:
        DatasetError: a shard is missing, damaged, or does not go with the others.
    """
    folder = Path(folder)
    if numbers is None:
        numbers = range(max(shard_numbers(folder), default=0) + 1)
    first: Manifest | None = None
    shards, kinds = [], {}
    for sidecar in _sound(folder, check_shards(folder, numbers, threads=threads)):
        first = first or sidecar
        shards.extend(sidecar.shards)
        kinds |= {canonical_json(version): version for version in sidecar.versions}
    assert first is not None
    manifest = Manifest(
        recipe=first.recipe,
        fields=first.fields,
        versions=tuple(kinds[key] for key in sorted(kinds)),
        shards=tuple(shards),
        format=first.format,
    )
    manifest.write(folder / MANIFEST)
    return manifest


def _sound(folder: Path, checked: Iterable[Manifest | DatasetError]) -> Iterator[Manifest]:
    """Give the sidecars, in the order of their shards, and raise the first damage or mismatch."""
    reference = before = None
    for sidecar in checked:
        if isinstance(sidecar, DatasetError):
            raise sidecar
        reference = reference or sidecar
        for problem in _mismatches(folder, sidecar, reference, before):
            raise DatasetError(problem)
        yield (before := sidecar)


def _mismatches(folder: Path, sidecar: Manifest, reference: Manifest, before: Manifest | None) -> Iterator[str]:
    """Say how a shard differs from those that it should go with.

    Args:
        folder: of the dataset.
        sidecar: of the shard.
        reference: the manifest, or the sidecar of the first shard.
        before: the sidecar of the shard before it, where there is one.
    """
    shard = sidecar.shards[0]
    path = folder / shard.file
    if sidecar.recipe != reference.recipe:
        yield (
            f"{path} was made by the recipe {recipe_hash(sidecar.recipe)[:12]}, expected "
            f"{recipe_hash(reference.recipe)[:12]}; remove it, or make it again"
        )
    elif sidecar.format != reference.format:
        yield f"{path} is of the format {sidecar.format!r}, expected {reference.format!r}; make the shard again"
    elif sidecar.fields != reference.fields:
        odd = sorted(dict(sidecar.fields.items() ^ reference.fields.items()))
        yield f"{path} differs from the other shards in the fields {odd}; make every shard the same way"
    if before and shard.first <= before.shards[0].last:
        yield (
            f"{path} starts with repetition {shard.first}, expected one after {before.shards[0].last}, the last of "
            f"{before.shards[0].file}: a range is duplicated; make the shard again"
        )


def verify(folder: Path | str) -> list[str]:
    """Check every byte of a dataset folder, finished or not.

    Returns:
        One sentence for each damage: what is missing, foreign, stale, truncated, altered, duplicated, made by
        another recipe, given up, or left over. Empty where all is well.

    Raises:
        DatasetError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is missing, expected the folder of a dataset; check the name")
    damages = [f"{path} is left over from a killed writer, expected none; remove it" for path in temporaries(folder)]
    damages += [f"{path} tells why a shard could not be made; run `squat generate` again" for path in tries(folder)]
    manifest, plan = None, None
    try:
        manifest = Manifest.read(folder / MANIFEST)
    except DatasetError as error:
        damages.append(str(error))
    if (folder / PLAN).exists():
        try:
            plan = Plan.read(folder)
        except DatasetError as error:
            damages.append(str(error))
    damages += _differences(folder, manifest, plan)
    present = shard_numbers(folder)
    expected = _expected_numbers(manifest, plan, present)
    damages += _missing(folder, sorted({*expected} - {*present}))
    return damages + list(_verify_shards(folder, present, manifest, plan))


def tries(folder: Path, number: int | None = None) -> list[Path]:
    """Reports of tries to make one or all shards that did not end well, in order."""
    matches = [(path, _TRY_NAME.fullmatch(path.name)) for path in folder.iterdir()]
    return sorted(path for path, match in matches if match and number in (None, int(match[1])))


def _expected_numbers(manifest: Manifest | None, plan: Plan | None, present: list[int]) -> Iterable[int]:
    if plan:
        return plan.shards
    if manifest:
        return [shard.number for shard in manifest.shards]
    return range(max(present, default=-1) + 1)


def _differences(folder: Path, manifest: Manifest | None, plan: Plan | None) -> Iterator[str]:
    """Say where a manifest is not what the plan led to."""
    if not (manifest and plan):
        return
    listed = [shard.number for shard in manifest.shards]
    wanted = list(plan.shards)
    if manifest.recipe != plan.recipe or listed != wanted:
        yield (
            f"{folder / MANIFEST} lists the shards {spans(listed)} of the recipe {recipe_hash(manifest.recipe)[:12]}, "
            f"expected {spans(wanted)} of {recipe_hash(plan.recipe)[:12]} as {PLAN} has it; run `squat repair`"
        )


def _missing(folder: Path, numbers: list[int]) -> list[str]:
    if not numbers:
        return []
    plural = "s" if len(numbers) > 1 else ""
    return [f"shard{plural} {spans(numbers)} in {folder} missing, expected the file and its sidecar; make it again"]


def spans(numbers: Sequence[int]) -> str:
    """Numbers as people write them, such as "0-3, 7"."""
    runs = [
        [number for _, number in run] for _, run in groupby(enumerate(sorted(numbers)), lambda item: item[1] - item[0])
    ]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _verify_shards(folder: Path, numbers: Sequence[int], manifest: Manifest | None, plan: Plan | None) -> Iterator[str]:
    listed = {shard.number: shard for shard in manifest.shards} if manifest else {}
    reference, before = manifest, None
    for number in numbers:
        try:
            sidecar = _verified(folder, number)
        except DatasetError as error:
            yield str(error)
            continue
        shard = sidecar.shards[0]
        if manifest and listed.get(number) != shard:
            kind = "stale or newer than the manifest" if number in listed else "foreign: not in the manifest"
            yield f"{folder / shard.file} is {kind}, expected what it lists; run `squat repair`"
        elif plan and not plan.is_met_by(sidecar):
            yield f"{folder / shard.file} is not what {PLAN} asks for; run `squat repair`"
        reference = reference or sidecar
        yield from _mismatches(folder, sidecar, reference, before)
        before = sidecar


def _verified(folder: Path, number: int) -> Manifest:
    """The sidecar of a shard whose bytes and contents agree with it."""
    sidecar = check_shard(folder, number)
    shard = sidecar.shards[0]
    reader = ShardReader(folder, sidecar, shard)
    try:
        index, digest = reader.read("repetition/index", 0, shard.repetitions), reader.digest()
    finally:
        reader.close()
    if (np.diff(index) <= 0).any() or (index[0], index[-1]) != (shard.first, shard.last):
        raise DatasetError(
            f"{reader.path} holds repetitions {index[0]} to {index[-1]}, expected {shard.first} to "
            f"{shard.last} in order; make the shard again"
        )
    if digest != shard.digest:
        raise DatasetError(f"{reader.path} has the digest {digest}, expected {shard.digest}; make the shard again")
    return sidecar
