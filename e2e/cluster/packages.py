"""What Debian ships of the cluster: the container runtime, packet filters, image tools, Prometheus."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster.places import BoxError, timed

COMMANDS = {
    "buildah": "buildah",
    "busybox-static": "busybox",
    "conntrack": "conntrack",
    "containerd": "containerd",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iproute2": "ip",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "nftables": "nft",
    "openssl": "openssl",
    "prometheus": "prometheus",
    "runc": "runc",
    "socat": "socat",
    "util-linux": "nsenter",
}
"""Each package, and a program that is there once it is installed."""
SEARCH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_BEFORE = POLICY.with_name("policy-rc.d.before-tandem")
REFUSE = "#!/bin/sh\n# No service starts while the packages of the cluster in a box are installed.\nexit 101\n"
SERVICES = ("containerd", "prometheus")


def install() -> None:
    """Install what is missing, without starting one of its services."""
    if os.geteuid() != 0:
        raise BoxError(
            "the cluster in a box needs root: it makes a network namespace and containers"
        )
    missing = [name for name, command in COMMANDS.items() if not shutil.which(command, path=SEARCH)]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise BoxError(f"install what Debian calls {', '.join(missing)}")
    with timed(f"installed {' '.join(missing)}"), _no_service_starts():
        _apt("update", "-qq")
        _apt("install", "-y", "-qq", "--no-install-recommends", *missing)
    _keep_services_off(missing)


def _apt(*arguments: str) -> None:
    done = subprocess.run(
        ["apt-get", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BoxError(f"apt-get {arguments[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}")


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian asks this file before a package starts its service; what was there comes back."""
    if POLICY.exists() and not POLICY_BEFORE.exists() and POLICY.read_text() != REFUSE:
        POLICY.rename(POLICY_BEFORE)
    POLICY.write_text(REFUSE)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
        if POLICY_BEFORE.exists():
            POLICY_BEFORE.rename(POLICY)


def _keep_services_off(installed: list[str]) -> None:
    """Nor shall they start with the machine: they would listen on every address."""
    if not Path("/run/systemd/system").is_dir():
        return
    for service in SERVICES:
        if service in installed:
            subprocess.run(["systemctl", "disable", service], capture_output=True, check=False)
