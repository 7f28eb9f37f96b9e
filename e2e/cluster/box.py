"""The cluster as one thing: bring it up, find it, take it down."""

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from e2e.cluster import daemons, machine, network, packages, pki, programs, start
from e2e.cluster.access import Box
from e2e.cluster.places import LOGS, NETNS_PATH, RUN, say, timed

__all__ = ["Box", "down", "running"]


def running() -> Box:
    """The cluster that runs, or else a new one."""
    with _locked():
        packages.install()
        box = Box(pki.ADMIN.kubeconfig, programs.build())
        if NETNS_PATH.exists() and pki.ADMIN.kubeconfig.exists() and start.is_ready(box):
            say("the cluster in a box is up already")
        else:
            _make(box)
    return box


def down() -> None:
    """Take everything away but logs and built programs, whatever state it is in."""
    with _locked(), timed("cluster taken down"):
        _remove()


def _make(box: Box) -> None:
    _remove()
    shutil.rmtree(LOGS, ignore_errors=True)
    RUN.mkdir(parents=True, exist_ok=True)
    started_s = time.monotonic()
    try:
        pki.make()
        network.make()
        machine.make_cgroups()
        machine.remember_kernel_settings()
        start.start(box)
    except BaseException:
        _remove()
        raise
    say(f"{time.monotonic() - started_s:6.1f} s  from nothing to a node that takes pods")


def _remove() -> None:
    """Each step removes what it finds, so that it also clears up after a crash."""
    daemons.kill_all()
    machine.kill_containers()
    machine.unmount()
    network.remove()
    machine.remove_cgroups()
    machine.restore_kernel_settings()
    machine.remove_leftovers()
    machine.remove_run_folder()


@contextmanager
def _locked() -> Iterator[None]:
    """One at a time makes or removes the cluster."""
    RUN.parent.mkdir(parents=True, exist_ok=True)
    with RUN.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
