"""The cluster's own network namespace: nothing in it can reach the machine's network, nor be reached."""

import ctypes
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from e2e.cluster.places import NETNS, NETNS_PATH, NODE_IP, BoxError

BRIDGE = "tandem0"
POD_RANGE = "10.88.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
DNS_IP = "10.96.0.10"
_NOBODY = "10.88.255.254"
_CLONE_NEWNET = 0x40000000


def make() -> None:
    """Make the namespace with its bridge; what is not in it is unreachable, and said to be so at once.

    Services have a route, to an address that nobody has, because only a packet with a route meets
    the rules that turn a service's address into a pod's.
    """
    _ip("netns", "add", NETNS)
    inside = ("-n", NETNS)
    _ip(*inside, "link", "set", "lo", "up")
    _ip(*inside, "link", "add", BRIDGE, "type", "bridge")
    _ip(*inside, "address", "add", f"{NODE_IP}/16", "dev", BRIDGE)
    _ip(*inside, "link", "set", BRIDGE, "up")
    _ip(*inside, "route", "add", SERVICE_RANGE, "via", _NOBODY)
    _ip(*inside, "route", "add", "unreachable", "default")
    _run([*inside_command(), "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])


def remove() -> None:
    """Remove the namespace, and with it every link, address and rule in it."""
    if NETNS_PATH.exists():
        _ip("netns", "del", NETNS)


def inside_command() -> list[str]:
    """What a command is prefixed with to run in the namespace (`ip netns exec` would hide the cgroups)."""
    return ["nsenter", f"--net={NETNS_PATH}", "--"]


_MACHINE = os.open("/proc/self/ns/net", os.O_RDONLY)  # where this process began


def entered() -> AbstractContextManager[None]:
    """Move this thread, and those it starts, into the namespace and back again."""
    return _moved(NETNS_PATH)


def left() -> AbstractContextManager[None]:
    """Move this thread, and those it starts, to where the process began and back again."""
    return _moved(Path(f"/proc/self/fd/{_MACHINE}"))


@contextmanager
def _moved(namespace: Path) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        raise BoxError("only the main thread moves between networks")
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    after = os.open(namespace, os.O_RDONLY)
    try:
        _set_namespace(after)
        yield
    finally:
        _set_namespace(before)
        os.close(after)
        os.close(before)


def _set_namespace(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns into a network namespace")


def _ip(*arguments: str) -> None:
    _run(["ip", *arguments])


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BoxError(f"{' '.join(command)}: {done.stderr.strip()}")
