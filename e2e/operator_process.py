"""The operator as a process of this machine in the cluster's network, with a kubeconfig of the test's."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import yaml
from e2e.cluster import images
from e2e.cluster.access import Box
from e2e.cluster.places import LOGS, direct_environment
from e2e.manifests import NAMESPACE
from e2e.processes import end

from tandem.cluster.exposition import samples
from tandem.cluster.local.addresses import LOOPBACK, free_port

START_S = 30.0
END_S = 15.0
_TICKS_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Operator:
    """An operator that runs; figures are those of its process and of its /metrics."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_S

    @property
    def memory_mib(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found[1]) / 1024

    def total(self, series: str, **labels: str) -> float:
        """Sum over all samples of a series that have these labels."""
        with urlopen(f"http://{LOOPBACK}:{self.port}/metrics", timeout=10) as answer:
            rows = samples(answer.read().decode(), (series,))
        return sum(row.value for row in rows if labels.items() <= row.labels.items())

    def said(self) -> str:
        """Its log."""
        return self.log.read_text()


@contextmanager
def installed_one_stopped(box: Box) -> Iterator[None]:
    """Two operators must not keep the same fleets: the installed one rests meanwhile."""
    scale = ("-n", NAMESPACE, "scale", "deployment/tandem")
    box.kubectl(*scale, "--replicas=0")
    pods = ("-n", NAMESPACE, "wait", "pod", "-l", "app.kubernetes.io/name=tandem-operator")
    with suppress(Exception):  # none is there any more
        box.kubectl(*pods, "--for=delete", "--timeout=40s")
    try:
        yield
    finally:
        box.kubectl(*scale, "--replicas=1")
        box.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/tandem", "--timeout=60s")


def kubeconfig(box: Box, token: str, server: str = "") -> str:
    """For who asks with that token, at the cluster's own server or at another; JSON is YAML."""
    (cluster,) = yaml.safe_load(box.kubeconfig.read_text())["clusters"]
    where = {"server": server} if server else cluster["cluster"]
    named = {"cluster": "box", "user": "tandem"}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "box", "cluster": where}],
            "users": [{"name": "tandem", "user": {"token": token}}],
            "contexts": [{"name": "box", "context": named}],
            "current-context": "box",
        }
    )


def token(box: Box) -> str:
    """A token of the operator's own service account, so that its RBAC holds here too."""
    return box.kubectl("-n", NAMESPACE, "create", "token", "tandem").strip()


@contextmanager
def operator(
    folder: Path, kubeconfig: str, environment: Mapping[str, str] | None = None
) -> Iterator[Operator]:
    """Start it, yield once it watches, and end it; to be called inside the cluster's network."""
    file, log, port = folder / "kubeconfig", LOGS / "operator-process.log", free_port()
    file.write_text(kubeconfig)
    named = [f"--{each}-image={images.reference(each)}" for each in ("gateway", "emulator", "vllm")]
    command = [sys.executable, "-m", "tandem.controller", f"--port={port}", *named]
    own = direct_environment() | {"KUBECONFIG": f"{file}"} | dict(environment or {})
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=own, stdout=out, stderr=subprocess.STDOUT)
    made = Operator(process, port, log)
    try:
        _wait(made)
        yield made
    finally:
        end(process, END_S)


def _wait(made: Operator) -> None:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s and made.process.poll() is None:
        if " watches " in made.said():
            with suppress(URLError, OSError):
                made.total("tandem_build_info")
                return
        time.sleep(0.2)
    raise RuntimeError(f"the operator did not start:\n{made.said()[-3000:]}")
