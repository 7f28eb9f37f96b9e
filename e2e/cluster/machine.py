"""What the cluster changes on the machine outside its run folder: cgroups, kernel settings, leftovers."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from e2e.cluster.places import CGROUP, NETNS, RUN, BoxError

CGROUPS = Path("/sys/fs/cgroup")
KERNEL = Path("/proc/sys")
KERNEL_BEFORE = RUN.with_name("kernel-settings.json")
KUBELET_SETS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
CONTAINER_LOGS = Path("/var/log/containers")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
PATIENCE_S = 10.0


def cgroups() -> list[Path]:
    """The cluster's cgroup in each hierarchy, with one (v2) or one for each controller (v1)."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / CGROUP]
    return [path / CGROUP for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]


def make_cgroups() -> None:
    for path in cgroups():
        path.mkdir(exist_ok=True)


def kill_containers() -> None:
    """Kill all that lives in the cluster's cgroups: the containers, whoever still knows of them."""
    deadline_s = time.monotonic() + PATIENCE_S
    while pids := set(_contained()):
        if time.monotonic() > deadline_s:
            raise BoxError(f"containers {sorted(pids)} survive SIGKILL")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def remove_cgroups() -> None:
    for top in cgroups():
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(FileNotFoundError):
                Path(folder).rmdir()


def _contained() -> Iterator[int]:
    for top in cgroups():
        for folder, _, _ in os.walk(top):  # passes over a folder that has gone
            with suppress(OSError):
                yield from map(int, Path(folder, "cgroup.procs").read_text().split())


def unmount() -> None:
    """Let go of every mount under the run folder, the innermost first."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for target in reversed(mounts):
        if target.startswith(f"{RUN}/"):
            subprocess.run(["umount", "--lazy", target], capture_output=True, check=False)


def remember_kernel_settings() -> None:
    """Keep what the kubelet is about to change; what another cluster or a crash left is the older truth."""
    if not KERNEL_BEFORE.exists():
        before = {name: (KERNEL / name).read_text().strip() for name in KUBELET_SETS}
        KERNEL_BEFORE.write_text(json.dumps(before))


def restore_kernel_settings() -> None:
    """Set them back, unless another cluster still runs."""
    others = [path for path in RUN.parent.glob("cluster*/pids") if path.parent != RUN]
    if KERNEL_BEFORE.exists() and not others:
        for name, value in json.loads(KERNEL_BEFORE.read_text()).items():
            (KERNEL / name).write_text(value)
        KERNEL_BEFORE.unlink()


def remove_leftovers() -> None:
    """Remove what the kubelet, the shims and the CNI library keep outside the run folder.

    Another cluster may run and remove what is its own, between any two lines.
    """
    for link in CONTAINER_LOGS.glob("*"):
        with suppress(FileNotFoundError):
            if f"{link.readlink()}".startswith(f"{RUN}/"):
                link.unlink()
    results = Path("/var/lib/cni/results")
    for path in results.glob(f"{NETNS}-{'[0-9a-f]' * 64}-eth0"):
        container = path.name.removeprefix(f"{NETNS}-").removesuffix("-eth0")
        (results / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    for path in dead_sockets():
        path.unlink(missing_ok=True)


def dead_sockets() -> set[Path]:
    """Sockets of shims and kubelets that nobody holds any more."""
    sockets = {*Path("/run/containerd/s").glob("*"), *DEVICE_PLUGINS.glob("kubelet.sock")}
    held = _held_sockets()  # asked last: what is made meanwhile is not taken for dead
    return {path for path in sockets if f"{path}" not in held}


def _held_sockets() -> str:
    """Unix sockets that somebody holds, as the kernel tells them: of each network namespace in itself alone."""
    networks = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended
            network = (process / "ns" / "net").readlink()
            if network not in networks:
                networks[network] = (process / "net" / "unix").read_text()
    return "".join(networks.values())


def remove_run_folder() -> None:
    """Remove all state but the logs, which say why a cluster is gone."""
    for path in RUN.glob("*"):
        if path.name != "logs":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
