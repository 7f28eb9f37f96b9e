"""Writes a file whole or not at all: whoever looks finds the old one or the new one, never a half.

A full disk, a kill or a mistake half-way leaves what was there before.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file at the end of the block, if it ends well.

    Raises:
        OSError: what went wrong with the disk; it names `path`.

    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        partial.unlink(missing_ok=True)
