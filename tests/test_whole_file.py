"""A file is written whole or not at all."""

import errno
from pathlib import Path

import pytest

from tandem.whole_file import written_whole


def test_what_is_written_is_there_at_the_end_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with written_whole(path) as stream:
        stream.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("half-way"), KeyboardInterrupt()])
def test_what_ends_badly_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def half() -> None:
        with written_whole(path) as stream:
            stream.write(b"half of")
            raise error

    with pytest.raises(type(error)):
        half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_with_the_file_and_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match=r"No space left on device.*a\.txt"), written_whole(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_told_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "a.txt"
    with pytest.raises(FileNotFoundError) as error, written_whole(path):
        pass
    assert error.value.filename == str(path)
