"""Datasets in HDF5: written whole or not at all, read without a simulator or a learning library.

A dataset is a folder. `shard-00000.h5` and its fellows each hold the concatenated arrays of some
repetitions; the JSON beside each says what it must hold; `manifest.json` joins them and is written last.
"""

from generators.store.dataset import Dataset, verify, write_dataset
from generators.store.fields import FIELDS, DatasetError, Field, Repetition
from generators.store.manifest import Manifest, Shard, write_manifest
from generators.store.shard import write_shard

__all__ = [
    "FIELDS",
    "Dataset",
    "DatasetError",
    "Field",
    "Manifest",
    "Repetition",
    "Shard",
    "verify",
    "write_dataset",
    "write_manifest",
    "write_shard",
]
