"""Who plays: processes of this machine, or the workers of a Dask cluster that is there already."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tandem import compiled
from tandem.errors import InvalidInputError
from tandem.simulator.league import fingerprint

_ANSWER_S = 5  # that a scheduler has to answer within, and a first worker to show up
_FLAG = "--dask"


@dataclass(frozen=True, slots=True)
class Crew:
    """So many processes (None: one a core), or the workers of the Dask scheduler at an address."""

    processes: int | None
    dask: str | None


@contextmanager
def workers(crew: Crew) -> Iterator[Executor]:
    """An executor for as long as it is needed; leaving early ends what still runs."""
    playing = _processes(crew.processes) if crew.dask is None else _cluster(crew.dask)
    with playing as executor:
        yield executor


@contextmanager
def _processes(count: int | None) -> Iterator[Executor]:
    context = multiprocessing.get_context("spawn")  # no state of this process is copied by chance
    executor = ProcessPoolExecutor(count or _cores(), mp_context=context, initializer=_quietly)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    executor.shutdown()


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quietly() -> None:
    """Ctrl-C reaches every process of a terminal: a worker ends at once and prints nothing."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    compiled.use()


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    with _client(address) as client:
        _require_same_source(client, address)
        client.run(compiled.use)
        with client.get_executor(pure=False) as executor:
            yield executor


def _client(address: str) -> Any:
    """A client of the scheduler at an address; one that does not answer is refused in seconds."""
    try:
        distributed: Any = import_module("distributed")  # an extra, half a second to import
    except ImportError:
        needs = "left out, or pip install 'tandem-llm[dask]'"
        raise InvalidInputError(_FLAG, address, needs) from None
    try:
        client = distributed.Client(address, timeout=_ANSWER_S, set_as_default=False)
        client.wait_for_workers(1, timeout=_ANSWER_S)
    except (OSError, TimeoutError, ValueError) as error:
        allowed = f"a Dask scheduler with workers that answers within {_ANSWER_S} s"
        raise InvalidInputError(_FLAG, address, f"{allowed} ({_first_line(error)})") from None
    return client


def _require_same_source(client: Any, address: str) -> None:
    """Workers of another version would give other results under the same keys."""
    here = fingerprint.source()
    others = {of for of in client.run(fingerprint.source).values() if of != here}
    if others:
        shown = ", ".join(sorted(map(fingerprint.shown, others)))
        same = f"workers with the same tandem as here, {fingerprint.shown(here)}, not {shown}"
        raise InvalidInputError(_FLAG, address, same)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
