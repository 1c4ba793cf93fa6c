"""Join datasets that were made apart from one recipe, such as parts from several machines."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from generators.store import Dataset, DatasetError, Manifest, Plan, write_manifest
from generators.store.atomic import named_failure, sync_folder, temporary_beside
from generators.store.documents import recipe_hash
from generators.store.integrity import spans
from generators.store.manifest import MANIFEST, sidecar_of

READERS = 4
"""How many files are read at once when the result is checked."""


def merge(sources: Sequence[Path | str], folder: Path | str, *, copy: bool = False) -> Dataset:
    """Join finished datasets of one recipe whose shards follow one another; they may overlap in equal shards.

    Args:
        sources: folders of the datasets, in any order.
        folder: new or empty; it appears under its name only when everything is in it.
        copy: make copies; otherwise the files get a second name where the file system can do that.

    Returns:
        The whole dataset; its digest is that of one made in one go.

    Raises:
        DatasetError: a source is unfinished or damaged, the recipes differ, shards of one number differ, or
            shards are missing between others.
    """
    folder = Path(folder).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder} holds something already, expected a new or empty folder; choose another")
    manifests = {Path(source).resolve(): Manifest.read(Path(source) / MANIFEST) for source in sources}
    _refuse_other_recipes(manifests)
    owners = _owners(manifests)
    numbers = _refuse_gaps(owners)
    temporary = temporary_beside(folder)
    try:
        with named_failure(folder):
            temporary.mkdir(parents=True)
        for number in numbers:
            _take(owners[number], temporary, number, copy=copy)
        manifest = write_manifest(temporary, numbers, threads=READERS)
        _refuse_changes(manifest, manifests, owners)
        _write_plan(temporary, manifest)
        with named_failure(folder, sum(shard.bytes for shard in manifest.shards)):
            os.replace(temporary, folder)
            sync_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Dataset(folder)


def _refuse_other_recipes(manifests: dict[Path, Manifest]) -> None:
    (first, reference), *others = manifests.items()
    for path, manifest in others:
        if (manifest.recipe, manifest.format) != (reference.recipe, reference.format):
            odd = [k for k, v in reference.recipe.items() if manifest.recipe.get(k) != v] or ["format"]
            raise DatasetError(
                f"{path} was made by the recipe {recipe_hash(manifest.recipe)[:12]}, expected "
                f"{recipe_hash(reference.recipe)[:12]} of {first}; they differ in {odd}, merge only parts of one"
            )


def _owners(manifests: dict[Path, Manifest]) -> dict[int, Path]:
    """Where each shard is taken from; shards of the same number must be equal."""
    owners: dict[int, Path] = {}
    shards = {}
    for path, manifest in manifests.items():
        for shard in manifest.shards:
            other = shards.setdefault(shard.number, shard)
            owners.setdefault(shard.number, path)
            if (other.first, other.last, other.digest) != (shard.first, shard.last, shard.digest):
                raise DatasetError(
                    f"shard {shard.number} holds the repetitions {shard.first}-{shard.last} with the digest "
                    f"{shard.digest[:12]} in {path}, expected {other.first}-{other.last} with {other.digest[:12]} as "
                    f"in {owners[shard.number]}; leave out the one that you do not trust"
                )
    return owners


def _refuse_gaps(owners: dict[int, Path]) -> range:
    numbers = range(min(owners), max(owners) + 1)
    if missing := sorted({*numbers} - {*owners}):
        raise DatasetError(f"none of the datasets holds the shards {spans(missing)}, expected all in a row; add them")
    return numbers


def _take(source: Path, target: Path, number: int, *, copy: bool) -> None:
    """Bring a shard and its sidecar into another folder."""
    sidecar = sidecar_of(source, number)
    for path in (sidecar.with_suffix(".h5"), sidecar):
        if not path.is_file():
            raise DatasetError(f"{path} is missing, expected it beside its manifest; run `squat repair {source}`")
        with named_failure(target / path.name, path.stat().st_size):
            if not copy:
                with suppress(OSError):  # another disk, or one without hard links
                    os.link(path, target / path.name)
                    continue
            shutil.copyfile(path, target / path.name)


def _refuse_changes(merged: Manifest, manifests: dict[Path, Manifest], owners: dict[int, Path]) -> None:
    """Refuse shards that are sound but not those which their manifests list."""
    listed = {(path, shard.number): shard for path, manifest in manifests.items() for shard in manifest.shards}
    for shard in merged.shards:
        source = owners[shard.number]
        if listed[source, shard.number] != shard:
            raise DatasetError(
                f"{source / shard.file} is stale or newer, expected what its manifest lists; run `squat repair "
                f"{source}`"
            )


def _write_plan(folder: Path, merged: Manifest) -> None:
    try:
        plan = Plan.of_folder(folder)
    except DatasetError:  # a dataset that was not made from a recipe has no plan
        return
    for shard in merged.shards:
        if shard.last != plan.indices(shard.number)[-1]:
            raise DatasetError(
                f"shard {shard.number} ends with repetition {shard.last}, expected "
                f"{plan.indices(shard.number)[-1]} where others follow; extend its dataset first"
            )
    plan.write(folder)
