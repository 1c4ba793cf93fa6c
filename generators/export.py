"""A dataset in the forms of other tools: Parquet and CSV tables, or the episodes of Minari."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

from generators.store import Dataset, DatasetError, Field, Repetition
from generators.store.atomic import named_failure, sync_folder, temporary_beside

TABLES = {"samples": ("sample",), "readings": ("range",), "repetitions": ("repetition", "drawn")}
"""Tables by name, and the groups of fields that each has; a row is a sample, a range reading, or a repetition."""
KEYS = ("index", "mounting")
"""The first columns of every table: what a row belongs to."""


def export(dataset: Dataset, folder: Path | str, form: str) -> Path:
    """Writes a dataset in another form.

    Args:
        dataset: What to write; one shard is in memory at a time.
        folder: New or empty; it appears under its name only when everything is in it.
        form: Key of `FORMS`.

    Raises:
        DatasetError: There is no such form, the folder holds something, or a package is not installed.
    """
    folder = Path(folder).resolve()
    if form not in FORMS:
        raise DatasetError(f"the form is {form!r}, expected one of {', '.join(FORMS)}; choose one")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder} holds something already, expected a new or empty folder; choose another")
    temporary = temporary_beside(folder)
    try:
        with named_failure(folder, dataset.bytes):
            temporary.mkdir(parents=True)
            FORMS[form](dataset, temporary)
            os.replace(temporary, folder)
            sync_folder(folder.parent)
    except ImportError as error:
        raise DatasetError(
            f"{error.name} is not installed, expected it; `pip install 'squat-sensor[export]'`"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def columns(fields: Mapping[str, Field], table: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Columns of a table: by name, the field and the place in its item; an item of several numbers has several columns.

    `watch_accel` of shape (3,) becomes `watch_accel.0` to `watch_accel.2`.
    """
    found = {}
    for name, field in fields.items():
        if field.group in TABLES[table] and name not in KEYS:
            for place in product(*map(range, field.shape)):
                found[".".join(map(str, (name, *place)))] = (name, place)
    return found


def _parquet(dataset: Dataset, folder: Path) -> None:
    from pyarrow import parquet

    _write_tables(dataset, lambda name, schema: parquet.ParquetWriter(folder / f"{name}.parquet", schema))


def _csv(dataset: Dataset, folder: Path) -> None:
    from pyarrow import csv

    _write_tables(dataset, lambda name, schema: csv.CSVWriter(folder / f"{name}.csv", schema))


def _write_tables(dataset: Dataset, open_writer: Callable[[str, Any], Any]) -> None:
    import pyarrow as pa

    tables = [name for name in TABLES if columns(dataset.fields, name)]
    schemas = {name: _schema(dataset.fields, name) for name in tables}
    with ExitStack() as stack:
        writers = {name: stack.enter_context(open_writer(name, schemas[name])) for name in tables}
        for start, stop in _spans(dataset):
            for mounting, name in product(range(dataset.mountings), tables):
                rows = _rows(dataset, name, start, stop, mounting)
                # where the store has NaN, there is no value: so the tables have none either
                arrays = [
                    pa.array(values, type=schemas[name].field(key).type, from_pandas=True) for key, values in rows
                ]
                writers[name].write_table(pa.Table.from_arrays(arrays, schema=schemas[name]))


def _schema(fields: Mapping[str, Field], table: str) -> Any:
    import pyarrow as pa

    def kind(dtype: str) -> Any:
        return pa.string() if np.dtype(dtype).kind == "S" else pa.from_numpy_dtype(np.dtype(dtype))

    keys = [pa.field("index", pa.int64()), pa.field("mounting", pa.int16())]
    return pa.schema([*keys, *(pa.field(c, kind(fields[n].dtype)) for c, (n, _) in columns(fields, table).items())])


def _spans(dataset: Dataset) -> Iterator[tuple[int, int]]:
    """First position and the one after the last of each shard's repetitions."""
    begins = np.cumsum([0, *(shard.repetitions for shard in dataset.shards)]).tolist()
    return pairwise(begins)


def _rows(dataset: Dataset, table: str, start: int, stop: int, mounting: int) -> Iterator[tuple[str, np.ndarray]]:
    """The columns of a table's rows for some repetitions of one mounting."""
    index = dataset.read("index", start, stop)
    group = TABLES[table][0]
    if group != "repetition":
        index = np.repeat(index, np.diff(dataset.offsets(group, mounting=mounting)[start : stop + 1]))
    yield "index", index
    yield "mounting", np.full(len(index), mounting)
    values: dict[str, np.ndarray] = {}
    for column, (name, place) in columns(dataset.fields, table).items():
        if name not in values:
            values = {name: dataset.read(name, start, stop, mounting=mounting)}
        yield column, values[name][(slice(None), *place)]


def _minari(dataset: Dataset, folder: Path) -> None:
    """An episode is a repetition as one mounting saw it; observations are its samples, nobody acts, nothing is paid."""
    import minari
    from gymnasium import spaces
    from minari.dataset.minari_storage import MinariStorage

    sample = {name: field for name, field in dataset.fields.items() if field.group == "sample"}
    storage = MinariStorage.new(
        folder, spaces.Dict({name: _space(field) for name, field in sample.items()}), spaces.Box(0.0, 0.0, (0,))
    )
    name = re.sub(r"[^\w-]", "-", str(dataset.recipe.get("name", "dataset")))
    storage.update_metadata(
        {
            "dataset_id": f"squat-sensor/{name}-v0",
            "minari_version": minari.__version__,
            "description": f"Made of a {dataset.format} with the digest {dataset.digest}.",
        }
    )
    episodes = (repetition.seen_by(k) for repetition in dataset for k in range(dataset.mountings))
    # one by one: Minari opens its file for each call, and holds what it is given in memory
    for number, episode in enumerate(episodes):
        storage.update_episodes([_episode(number, episode, number % dataset.mountings)])


def _space(field: Field) -> Any:
    from gymnasium import spaces

    dtype = np.dtype(field.dtype)
    low, high = (-np.inf, np.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return spaces.Box(low, high, field.shape, dtype.type)


def _episode(number: int, repetition: Repetition, mounting: int) -> Any:
    from minari.data_collector import EpisodeBuffer

    steps = len(repetition.sample["time"]) - 1
    told = {"index": repetition.index, "mounting": mounting, **repetition.repetition, **repetition.drawn}
    last = np.arange(steps) == steps - 1
    return EpisodeBuffer(
        id=number,
        options={name.replace("/", "."): value for name, value in told.items()},
        observations=dict(repetition.sample),
        actions=np.zeros((steps, 0), np.float32),  # pyright: ignore[reportArgumentType]
        rewards=np.zeros(steps),  # pyright: ignore[reportArgumentType]
        terminations=last,  # pyright: ignore[reportArgumentType]
        truncations=np.zeros(steps, bool),  # pyright: ignore[reportArgumentType]
        infos={name: values for name, values in repetition.range.items()},
    )


FORMS: dict[str, Callable[[Dataset, Path], None]] = {"parquet": _parquet, "csv": _csv, "minari": _minari}
"""Forms by name."""
