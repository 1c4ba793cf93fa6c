"""What a dataset folder is to hold: written before its first shard, so that nobody has to guess what is missing."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from generators.store.documents import FORMAT, read_document, write_document
from generators.store.fields import DatasetError
from generators.store.manifest import MANIFEST, Manifest, Shard

PLAN = "plan.json"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The shards of one recipe that belong in a folder.

    Attributes:
        recipe: what every repetition depends on, as JSON holds it; their number is not part of it.
        repetitions: of the whole dataset.
        shard_repetitions: of a shard; the last one of the dataset holds the rest.
        first_shard: number of the first shard in this folder; 0 but for a later part of a dataset.
        end_shard: number after the last one in this folder.
    """

    recipe: dict[str, Any]
    repetitions: int
    shard_repetitions: int
    first_shard: int
    end_shard: int

    @property
    def shards(self) -> range:
        """Numbers of the shards in this folder."""
        return range(self.first_shard, self.end_shard)

    def indices(self, number: int) -> range:
        """Global indices of the repetitions of a shard."""
        first = number * self.shard_repetitions
        return range(first, min(first + self.shard_repetitions, self.repetitions))

    def is_met_by(self, sidecar: Manifest) -> bool:
        """Whether a sound shard, described by its sidecar, is the one that was planned."""
        shard = sidecar.shards[0]
        if shard.number not in self.shards or sidecar.format != FORMAT or sidecar.recipe != self.recipe:
            return False
        indices = self.indices(shard.number)
        return (shard.first, shard.last, shard.repetitions) == (indices[0], indices[-1], len(indices))

    def write(self, folder: Path) -> None:
        """Write as JSON into a folder, atomically."""
        write_document(folder / PLAN, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            DatasetError: the file is missing, damaged, or of an unknown format.
        """
        with read_document(folder / PLAN) as document:
            del document["format"]
            plan = cls(**document)
            counts = (plan.repetitions, plan.shard_repetitions, plan.first_shard, plan.end_shard)
            if any(type(count) is not int for count in counts) or type(plan.recipe) is not dict:
                raise ValueError("it holds values of another kind")
            last = -(-plan.repetitions // max(1, plan.shard_repetitions))
            if plan.shard_repetitions < 1 or not 0 <= plan.first_shard < plan.end_shard <= last:
                raise ValueError(f"its shards {plan.shards} are not some of {last}")
            return plan

    @classmethod
    def of_folder(cls, folder: Path) -> Self:
        """The plan of a folder, taken from its manifest where the plan itself is lost.

        Raises:
            DatasetError: neither is sound, or the dataset is of an old format or was not planned.
        """
        try:
            return cls.read(folder)
        except DatasetError as error:
            lost = error
        try:
            manifest = Manifest.read(folder / MANIFEST)
        except DatasetError:
            raise lost from None
        size = manifest.recipe.get("shard_repetitions")
        if manifest.format != FORMAT or type(size) is not int or size < 1:
            raise DatasetError(
                f"{folder} is of the format {manifest.format!r} or was not made from a recipe of shards, expected "
                f"{FORMAT!r} by `squat generate`; it can be read, and made anew in another folder"
            )
        return cls._of_shards(manifest.recipe, size, manifest.shards)

    @classmethod
    def _of_shards(cls, recipe: dict[str, Any], size: int, shards: tuple[Shard, ...]) -> Self:
        first, last = shards[0], shards[-1]
        return cls(
            recipe=recipe,
            repetitions=last.last + 1,
            shard_repetitions=size,
            first_shard=first.number,
            end_shard=last.number + 1,
        )
