"""A gateway as its own process in front of pods that a test lists."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from tandem.api.role import Role
from tandem.cluster import registry
from tandem.cluster.exposition import samples
from tandem.cluster.pod import Pod, PodPhase

PROFILE = "h200-llama-3.1-8b-fp8-tp1"
START_S = 20.0
NOTICE_S = 0.3  # the gateway looks at the registry ten times a second


def metric(url: str, name: str, **labels: str) -> float:
    """Sum of a series of a process; 0 where it has none."""
    with urlopen(f"{url}/metrics", timeout=5) as answer:  # noqa: S310 - http, on loopback
        found = samples(answer.read().decode(), [name])
    return sum(x.value for x in found if labels.items() <= x.labels.items())


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """A gateway that runs."""

    url: str
    registry: Path
    process: "subprocess.Popen[bytes]"

    def list_pods(self, *pods: tuple[str, Role, str], revision: str = "") -> None:
        """List pods, each (name, role, url), and wait until the gateway has seen them."""
        listed = [
            Pod(name=name, role=role, phase=PodPhase.READY, url=url, revision=revision or name)
            for name, role, url in pods
        ]
        registry.write(self.registry, listed)
        time.sleep(NOTICE_S)

    def metric(self, name: str, **labels: str) -> float:
        """Sum of one of its series."""
        return metric(self.url, name, **labels)


@contextmanager
def gateway(folder: Path, *flags: str) -> Iterator[GatewayProcess]:
    """Start a gateway on a free port, yield it, and end it as Kubernetes does."""
    log, pods = folder / "gateway.log", folder / "pods.json"
    command = [sys.executable, "-m", "tandem.gateway", "--port", "0", "--registry", str(pods)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--profile", PROFILE, *flags], stderr=out, env=dict(os.environ)
        )
    try:
        yield GatewayProcess(_address(log, process), pods, process)
    finally:
        process.terminate()
        assert process.wait(40) == 0, log.read_text()


def _address(log: Path, process: "subprocess.Popen[bytes]") -> str:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"listening on (http://\S+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the gateway did not start:\n{log.read_text()}")
