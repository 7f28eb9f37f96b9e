"""Where the cluster in a box keeps what it builds and what it runs on."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GO = ROOT / "e2e" / "go"
PROGRAMS = ROOT / ".cache" / "programs"
"""What was built; outlives the cluster."""
RUN = ROOT / ".run" / "cluster"
"""State, logs and kubeconfigs of the running cluster."""
LOGS = RUN / "logs"
KUBECONFIGS = RUN / "kubeconfigs"
PKI = RUN / "pki"

NETNS = "tandem-e2e"
NETNS_PATH = Path("/run/netns") / NETNS
NODE_IP = "10.88.0.1"
NODE_NAME = "tandem-box"
CGROUP = "tandem-e2e"


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
