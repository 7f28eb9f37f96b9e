"""All that a cluster could leave behind, or change, on the machine; another may run, and change what is its own."""

import json
import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.machine import dead_sockets

_KERNEL = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory")
_SHORT_S = 0.5


@dataclass(frozen=True)
class Cluster:
    """A cluster by its run folder and by the name of its network and of its cgroups."""

    run: Path
    name: str

    def found(self) -> dict[str, object]:
        """What of it is on the machine, and how the machine stands."""
        mounts = Path("/proc/mounts").read_text().splitlines()
        return {
            "processes": self.processes(),
            "mounts": [line for line in mounts if self.name in line or f"{self.run}/" in line],
            "cgroups": sorted(f"{x}" for x in self._cgroups() if x.name == self.name),
            "links": [x["ifname"] for x in json.loads(_output("ip", "-json", "link"))],
            "addresses": [x["addr_info"] for x in json.loads(_output("ip", "-json", "address"))],
            "rules": _output("nft", "list", "ruleset"),
            "state": sorted(x.name for x in self.run.glob("*") if x.name != "logs"),
            "kernel": {x: Path("/proc/sys", x).read_text() for x in _KERNEL},
            "files": self._files(),
        }

    def processes(self) -> list[int]:
        """Daemons by what they were started with, containers by their cgroup."""
        daemons = [int(path.name) for path in Path("/proc").glob("[0-9]*") if self._started(path)]
        contained = [
            int(pid) for path in self._cgroups() for pid in _told(path / "cgroup.procs").split()
        ]
        return sorted({*daemons, *contained} - {os.getpid()})

    def _started(self, process: Path) -> bool:
        with suppress(OSError):
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            return f"{self.run}".encode() in told
        return False

    def _cgroups(self) -> list[Path]:
        folders = [Path(folder) for folder, _, _ in os.walk("/sys/fs/cgroup")]
        return [folder for folder in folders if self.name in folder.parts]

    def _files(self) -> list[str]:
        """Outside its run folder: a namespace, links to logs, addresses, dead sockets.

        A socket does not say whose it is: one that is dead for a moment is of a cluster that runs.
        """
        sockets = dead_sockets()
        time.sleep(_SHORT_S if sockets else 0.0)
        logs, addresses = Path("/var/log/containers"), Path("/var/lib/cni/results")
        found = [Path("/run/netns", self.name), *(sockets & dead_sockets())]
        found += [x for x in logs.glob("*") if _told(x).startswith(f"{self.run}/")]
        found += [x for x in addresses.glob("*") if f"{self.run}/" in _told(x)]
        return sorted(f"{path}" for path in found if os.path.lexists(path))


def _told(path: Path) -> str:
    """What a file says, or where a link goes; nothing of one that has gone."""
    with suppress(OSError):
        return f"{path.readlink()}" if path.is_symlink() else path.read_text()
    return ""


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
