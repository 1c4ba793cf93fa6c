"""Files that are whole or absent, whatever happens while they are written."""

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from generators.store.fields import DiskError

_TEMPORARY_NAME = re.compile(r".+\.tmp-\d+-[0-9a-f]{32}")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def temporary_beside(path: Path) -> Path:
    """A fresh name in the same folder, for content that is to be renamed to `path` when complete."""
    return path.with_name(f"{path.name}.tmp-{os.getpid()}-{uuid.uuid4().hex}")


def temporaries(folder: Path) -> list[Path]:
    """Files left behind by writers that were killed."""
    return sorted(path for path in folder.iterdir() if _TEMPORARY_NAME.fullmatch(path.name))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that its name only ever stands for all of its content, on the disk.

    Raises:
        DiskError: no room, or no permission.
    """
    temporary = temporary_beside(path)
    with named_failure(path, len(content)):
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def named_failure(path: Path, size: int = 0) -> Iterator[None]:
    """Turn a refusal by the file system into a DiskError that names the path and what it needs.

    Args:
        path: what is being written.
        size: bytes that it needs.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            free = shutil.disk_usage(path.parent).free
            message = (
                f"{path} needs {size} bytes and did not fit ({error.strerror}; {free} bytes are free on the "
                "disk); make room and run again"
            )
        else:
            message = f"{path} cannot be written ({error.strerror}), expected a writable place; choose another"
        raise DiskError(message) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a loss of power, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
