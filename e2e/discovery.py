"""The pods of the cluster in a box as a Prometheus without Kubernetes discovery gets to know them.

Labels are those that discovery gives a target before relabelling, so that the configuration which users
are told to write is the one that is tried.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from e2e.cluster.access import Box
from e2e.conftest import ROOT

LOOK_S = 1.0
_GUIDE = ROOT / "docs" / "how-to" / "prometheus.md"
_BLOCK = re.compile(r"```yaml\n(scrape_configs:.*?)```", re.DOTALL)


def jobs() -> list[dict[str, Any]]:
    """The jobs that the guide to Prometheus tells users to add."""
    (block,) = _BLOCK.findall(_GUIDE.read_text())
    return list(yaml.safe_load(block)["scrape_configs"])


def configuration(folder: Path, scrape: str, *rules: Path) -> dict[str, Any]:
    """Those jobs as a whole configuration, with targets from files that `listing` keeps."""
    return {
        "global": {"scrape_interval": scrape, "scrape_timeout": scrape},
        "rule_files": [f"{file}" for file in rules],
        "scrape_configs": [_from_file(job, folder, scrape) for job in jobs()],
    }


@contextmanager
def listing(box: Box, folder: Path) -> Iterator[None]:
    """Keep the files of targets up to date meanwhile."""
    over = threading.Event()
    _list(box, folder)
    lister = threading.Thread(target=_keep, args=(box, folder, over))
    lister.start()
    try:
        yield
    finally:
        over.set()
        lister.join()


def _from_file(job: dict[str, Any], folder: Path, scrape: str) -> dict[str, Any]:
    quick = {**job, "scrape_interval": scrape, "scrape_timeout": scrape}
    del quick["kubernetes_sd_configs"]
    file = _file(folder, job)
    return quick | {"file_sd_configs": [{"files": [f"{file}"], "refresh_interval": "1s"}]}


def _file(folder: Path, job: Mapping[str, Any]) -> Path:
    return folder / f"{job['job_name']}.json"


def _keep(box: Box, folder: Path, over: threading.Event) -> None:
    while not over.wait(LOOK_S):
        _list(box, folder)


def _list(box: Box, folder: Path) -> None:
    for job in jobs():
        (discovered,) = job["kubernetes_sd_configs"]
        (chosen,) = discovered["selectors"]
        pods = json.loads(box.kubectl("get", "pods", "-A", "-l", chosen["label"], "-o", "json"))
        targets = [target for pod in pods["items"] for target in _targets(pod)]
        new = _file(folder, job).with_suffix(".new")
        new.write_text(json.dumps(targets))
        new.rename(_file(folder, job))


def _targets(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One for each port that a pod with an address names."""
    address, meta = pod["status"].get("podIP"), pod["metadata"]
    own = {"namespace": meta["namespace"], "pod_name": meta["name"]}
    own["pod_phase"] = pod["status"]["phase"]
    own |= {f"pod_label_{_safe(name)}": value for name, value in meta["labels"].items()}
    ports = [port for each in pod["spec"]["containers"] for port in each.get("ports", ())]
    for port in ports if address else ():
        labels = {**own, "pod_container_port_name": port.get("name", "")}
        yield {
            "targets": [f"{address}:{port['containerPort']}"],
            "labels": {f"__meta_kubernetes_{name}": value for name, value in labels.items()},
        }


def _safe(label: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", label)
