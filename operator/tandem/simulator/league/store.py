"""Results on disk, one file each, named by the key of what made them: a league that was killed goes on.

A file is a digest and, on the next line, the JSON that it is of. One that does not agree with its digest,
or is not what it should be, is as good as none: it is done again and replaced.
"""

import os
from hashlib import sha256
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from tandem.errors import InvalidInputError
from tandem.simulator.league.job import Survey, Task
from tandem.simulator.league.play import Done, Played, Surveyed
from tandem.whole_file import written_whole

_FIELD = "--store"
_PLAYED, _SURVEYED = TypeAdapter(Played), TypeAdapter(Surveyed)


def default_folder() -> Path:
    """Where results are kept if nobody says: $XDG_CACHE_HOME/tandem/league, else ~/.cache/tandem/league."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "tandem" / "league"


class Store:
    """A folder of results; made when it is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = error.strerror or type(error).__name__
            allowed = f"a folder that can be made and written ({why})"
            raise InvalidInputError(_FIELD, str(folder), allowed) from None

    def get(self, key: str, task: Task) -> Done | None:
        """What a task came to, if that is known."""
        try:
            digest, _, payload = self._path(key).read_bytes().partition(b"\n")
        except OSError:
            return None
        if digest.decode(errors="replace") != sha256(payload).hexdigest():
            return None
        try:
            return _adapter(task).validate_json(payload)
        except ValidationError:
            return None

    def put(self, key: str, task: Task, done: Done) -> None:
        """Keep a result: whole or not at all.

        Raises:
            OSError: the disk is full or gone; it names the file.

        """
        payload = _adapter(task).dump_json(done)  # type: ignore[arg-type]
        with written_whole(self._path(key)) as stream:
            stream.write(sha256(payload).hexdigest().encode() + b"\n" + payload)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def _adapter(task: Task) -> TypeAdapter[Played] | TypeAdapter[Surveyed]:
    return _SURVEYED if isinstance(task, Survey) else _PLAYED
