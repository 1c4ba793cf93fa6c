"""Files that agree with their hashes and are still not ours."""

import dataclasses
import hashlib
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from toy import SHARD

from generators.store import FIELDS, Dataset, DatasetError, Manifest, verify, write_manifest


def forge(folder: Path, edit) -> None:
    """Edit the second shard, then make the sidecar and the manifest agree with it."""
    path = folder / "shard-00001.h5"
    with h5py.File(path, "r+") as file:
        edit(file)
    content = path.read_bytes()
    sidecar = Manifest.read(folder / "shard-00001.json")
    shard = dataclasses.replace(sidecar.shards[0], bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    dataclasses.replace(sidecar, shards=(shard,)).write(folder / "shard-00001.json")
    (folder / "manifest.json").unlink()
    write_manifest(folder)


def replaced(path: str, **changes):
    def edit(file):
        shape, dtype = file[path].shape, file[path].dtype
        del file[path]
        file.create_dataset(path, **({"shape": shape, "dtype": dtype} | changes))

    return edit


def soft_link(file):
    del file["sample/phase"]
    file["sample/phase"] = h5py.SoftLink("/sample/phase4")


def external_link(file):
    del file["sample/phase"]
    file["sample/phase"] = h5py.ExternalLink("shard-00000.h5", "/sample/phase")


def external_group(file):
    del file["range"]
    file["range"] = h5py.ExternalLink("shard-00000.h5", "/range")


def virtual(file):
    shape = file["sample/phase"].shape
    layout = h5py.VirtualLayout(shape, "i1")
    layout[:] = h5py.VirtualSource("shard-00000.h5", "sample/phase", shape=shape)
    del file["sample/phase"]
    file.create_virtual_dataset("sample/phase", layout)


def external_storage(file):
    replaced("sample/phase", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])(file)


def huge(file):
    del file["sample/phase"]
    file.create_dataset("sample/phase", shape=(10**12,), dtype="i1", chunks=(1000,))


def hidden_chunk(file):
    shape = file["sample/phase"].shape
    replaced("sample/phase", maxshape=(None,), chunks=(2**30,))(file)
    assert file["sample/phase"].shape == shape


FORGERIES = {
    "soft link": (soft_link, "SoftLink"),
    "external link": (external_link, "ExternalLink"),
    "external link to a group": (external_group, "ExternalLink"),
    "virtual dataset": (virtual, "other files"),
    "external storage": (external_storage, "other files"),
    "huge": (huge, "expected \\(dtype"),
    "values never written": (replaced("sample/phase", chunks=(5,)), "declares"),
    "chunk larger than the array": (hidden_chunk, "declares"),
    "compression": (replaced("sample/phase", compression="gzip"), "filters"),
    "other type": (replaced("sample/phase", dtype="f8"), "expected \\(dtype"),
    "objects": (replaced("sample/phase", dtype=h5py.string_dtype()), "expected \\(dtype"),
    "other shape": (replaced("sample/phase", shape=(3,)), "expected \\(dtype"),
    "unknown array": (lambda file: file.create_dataset("sample/extra", data=[1]), "sample/extra"),
    "missing array": (lambda file: file.__delitem__("sample/phase"), "sample/phase"),
    "array at the top": (lambda file: file.create_dataset("extra", data=[1]), "expected a Group"),
    "group in a group": (lambda file: file.create_group("sample/extra"), "expected a Dataset"),
    "cycle": (lambda file: file["sample"].__setitem__("up", file["/"]), "expected a Dataset"),
    "named type": (lambda file: file.__setitem__("sample/type", np.dtype("f8")), "expected a Dataset"),
    "attribute": (lambda file: file["sample/time"].attrs.__setitem__("note", "x"), "attribute note"),
    "attribute of a group": (lambda file: file["sample"].attrs.__setitem__("note", "x"), "attribute note"),
    "long attribute": (
        lambda file: file["sample/time"].attrs.__setitem__("unit", np.bytes_("s" * 60_000)),
        "60000 bytes",
    ),
    "array of attributes": (lambda file: file["sample/time"].attrs.__setitem__("unit", ["s"] * 9), "attribute unit"),
    "other recipe": (lambda file: file.attrs.__setitem__("recipe", np.bytes_("{}")), "recipe"),
    "long recipe": (lambda file: file.attrs.__setitem__("recipe", np.bytes_("x" * 60_000)), "60000 bytes"),
    "other format": (lambda file: file.attrs.__setitem__("format", np.bytes_("squat-sensor dataset 1")), "its format"),
    "no recipe": (lambda file: file.attrs.__delitem__("recipe"), "recipe"),
}


@pytest.mark.parametrize("case", FORGERIES)
def test_the_guard_refuses_what_it_does_not_know(folder, case):
    edit, message = FORGERIES[case]
    forge(folder, edit)
    dataset = Dataset(folder)
    dataset.read("phase", 0, SHARD)
    with pytest.raises(DatasetError, match=message) as refused:
        dataset.read("phase", SHARD)
    assert "shard-00001.h5 is refused" in str(refused.value)
    assert any("shard-00001.h5 is refused" in damage for damage in verify(folder))


def test_offsets_that_do_not_increase_are_refused(folder):
    forge(folder, lambda file: file["sample/offsets"].__setitem__(1, 10**6))
    with pytest.raises(DatasetError, match="sample/offsets"):
        Dataset(folder).read("phase")


def test_text_that_is_no_utf8_is_named(folder):
    forge(folder, lambda file: file["drawn/placement.watch.wrist"].__setitem__(0, b"\xff\xfe"))
    for read in (lambda dataset: dataset.read("placement.watch.wrist"), lambda dataset: dataset[SHARD]):
        with pytest.raises(DatasetError, match="expected UTF-8"):
            read(Dataset(folder))


@pytest.mark.parametrize("kind", ["fifo", "directory", "link to a device"])
def test_what_is_no_file_is_not_opened(folder, kind):
    for name in ("shard-00001.h5", "manifest.json"):
        path = folder / name
        path.unlink()
        {"fifo": os.mkfifo, "directory": Path.mkdir, "link to a device": lambda p: p.symlink_to("/dev/zero")}[kind](
            path
        )
        assert any(f"{name} is missing" in damage for damage in verify(folder))


@pytest.mark.parametrize("content", ["[]", "null", "1", '{"checksum": 1}', "[" * 100_000, '{"a": NaN, "checksum": ""}'])
@pytest.mark.parametrize("name", ["manifest.json", "plan.json", "shard-00001.json"])
def test_foreign_json_is_named(folder, name, content):
    (folder / name).write_text(content)
    assert any(f"{name} is damaged or foreign" in damage for damage in verify(folder))


@pytest.mark.parametrize("name", ["../../etc/passwd", "sample/heart_rate", "drawn/a/b", "drawn/"])
def test_a_manifest_with_unknown_fields_is_refused(folder, name):
    manifest = Manifest.read(folder / "manifest.json")
    fields = manifest.fields | {name: FIELDS["phase"]}
    dataclasses.replace(manifest, fields=fields).write(folder / "manifest.json")
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged or foreign"):
        Dataset(folder)
