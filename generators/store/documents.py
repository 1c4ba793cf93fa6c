"""JSON files that carry their format and a checksum of themselves."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from generators.store.atomic import write_atomically
from generators.store.fields import DatasetError

FORMATS = ("squat-sensor dataset 1", "squat-sensor dataset 2", "squat-sensor dataset 3")
"""What can be read. In 1, the recipe in every file held the number of repetitions too; 3 has further mountings."""
FORMAT = FORMATS[-1]
"""What is written."""
_END = b"\n}\n"


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON file atomically, with a checksum over everything in it."""
    document = {"format": FORMAT, **document}
    document["checksum"] = hash_of_json(document)
    write_atomically(path, json.dumps(document, indent=1, sort_keys=True).removesuffix("\n}").encode() + _END)


@contextmanager
def read_document(path: Path) -> Iterator[dict[str, Any]]:
    """What `write_document` wrote; values that the body refuses count as damage to the file.

    Raises:
        DatasetError: the file is missing, damaged, or of an unknown format.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is missing, expected it beside the shards; make the dataset again")
    try:
        content = path.read_bytes()
        if not content.endswith(_END):
            raise ValueError("its end is missing")
        document = json.loads(content)
        checksum, found = document.pop("checksum"), hash_of_json(document)
        if document["format"] not in FORMATS:
            raise ValueError(f"its format is {document['format']!r}, expected one of {list(FORMATS)}")
        if checksum != found:
            raise ValueError(f"its checksum is {found}, expected {checksum}")
        yield document
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{path} is damaged or foreign ({error}); make the file again") from error


def recipe_hash(recipe: dict[str, Any]) -> str:
    """Hash of a recipe, whatever the order of its keys.

    Raises:
        DatasetError: the recipe is not JSON.
    """
    try:
        return hash_of_json(recipe)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"the recipe cannot be kept ({error}), expected only what JSON holds; convert it") from error


def as_json(document: dict[str, Any]) -> dict[str, Any]:
    """A document as it comes back from a file: tuples are lists.

    Raises:
        DatasetError: it is not JSON.
    """
    recipe_hash(document)
    return json.loads(canonical_json(document))


def canonical_json(document: dict[str, Any]) -> str:
    """JSON whose text is the same for equal documents."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_of_json(document: dict[str, Any]) -> str:
    """Hash of a document's canonical text."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()
