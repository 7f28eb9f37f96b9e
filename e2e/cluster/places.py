"""Where the cluster in a box keeps what it builds and what it runs on."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GO = ROOT / "e2e" / "go"
PROGRAMS = ROOT / ".cache" / "programs"
"""What was built; outlives the cluster."""
_NAME = os.environ.get("TANDEM_BOX_NAME", "")
"""More than one cluster on a machine: each has a name, but for the usual one."""
_SUFFIX = f"-{_NAME}" if _NAME else ""
RUN = ROOT / ".run" / f"cluster{_SUFFIX}"
"""State, logs and kubeconfigs of the running cluster."""
LOGS = RUN / "logs"
KUBECONFIGS = RUN / "kubeconfigs"
PKI = RUN / "pki"

NETNS = f"tandem-e2e{_SUFFIX}"
NETNS_PATH = Path("/run/netns") / NETNS
NODE_IP = "10.88.0.1"
NODE_NAME = "tandem-box"
CGROUP = NETNS


def direct_environment() -> dict[str, str]:
    """This process's environment without proxies: nothing in the cluster is behind one."""
    return {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }


class BoxError(Exception):
    """The cluster cannot be brought up; the message says what to look at."""


def say(text: str) -> None:
    """Tell the person who waits; stdout stays for what programs read."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def timed(part: str) -> Iterator[None]:
    """Print the seconds that a part took."""
    start_s = time.monotonic()
    yield
    say(f"{time.monotonic() - start_s:6.1f} s  {part}")
