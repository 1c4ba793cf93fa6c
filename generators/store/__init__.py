"""Datasets in HDF5: written whole or not at all, read without a simulator or a learning library.

A dataset is a folder. `plan.json` says what it is to hold and is written first. `shard-00000.h5` and its
fellows each hold the concatenated arrays of some repetitions; the JSON beside each says what it must hold;
`manifest.json` joins them and is written last.
"""

from generators.store.dataset import Dataset, write_dataset
from generators.store.fields import FIELDS, DatasetError, DiskError, Field, Repetition, Worn
from generators.store.integrity import verify, write_manifest
from generators.store.manifest import Manifest, Shard
from generators.store.plan import Plan
from generators.store.shard import write_shard

__all__ = [
    "FIELDS",
    "Dataset",
    "DatasetError",
    "DiskError",
    "Field",
    "Manifest",
    "Plan",
    "Repetition",
    "Shard",
    "Worn",
    "verify",
    "write_dataset",
    "write_manifest",
    "write_shard",
]
