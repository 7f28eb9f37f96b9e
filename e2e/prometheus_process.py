"""A real Prometheus on loopback that scrapes the processes which a test lists."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from e2e.cluster.places import direct_environment
from e2e.conftest import missing
from e2e.processes import end

from tandem.cluster.local.addresses import LOOPBACK, free_port

START_S = 30.0
END_S = 20.0


def configuration(targets: Mapping[str, Mapping[str, str]], scrape_s: int) -> str:
    """Its configuration, which is YAML and so may be JSON: each address with its target labels.

    Two jobs scrape every target, as happens where an operator's monitor meets a job of one's own.
    """
    listed = [{"targets": [address], "labels": dict(own)} for address, own in targets.items()]
    return json.dumps(
        {
            "global": {"scrape_interval": f"{scrape_s}s", "scrape_timeout": f"{scrape_s}s"},
            "scrape_configs": [
                {"job_name": name, "static_configs": listed} for name in ("fleet", "again")
            ],
        }
    )


@contextmanager
def prometheus(
    folder: Path, targets: Mapping[str, Mapping[str, str]], scrape_s: int = 1
) -> Iterator[str]:
    """Start one that scrapes these targets, yield its address once it answers, and end it."""
    with running(folder, configuration(targets, scrape_s), f"{LOOPBACK}:{free_port()}") as url:
        yield url


@contextmanager
def running(folder: Path, configuration: str, address: str) -> Iterator[str]:
    """Start one at an address, yield its URL once it answers, and end it; its data is in the folder."""
    program = shutil.which("prometheus")
    if program is None:
        missing("no prometheus: the Debian package of that name has it")
    file, log = folder / "prometheus.yml", folder / "prometheus.log"
    file.write_text(configuration)
    flags = {
        "config.file": file,
        "storage.tsdb.path": folder / "prometheus",
        "web.listen-address": address,
    }
    with log.open("ab") as out:
        process = subprocess.Popen(
            [program, *(f"--{flag}={value}" for flag, value in flags.items())],
            env=direct_environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(f"http://{address}/-/ready", process, log)
        yield f"http://{address}"
    finally:
        end(process, END_S)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with suppress(URLError, OSError), urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"prometheus did not start:\n{log.read_text()[-3000:]}")
