"""The cluster in a box from outside: it comes up, survives being killed, and leaves nothing behind.

It runs beside the cluster that other tests use, under a name of its own.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.cluster import network
from e2e.left_behind import Cluster

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[1]
NAME = "trial"
RUN = ROOT / ".run" / f"cluster-{NAME}"
NETNS = f"tandem-e2e-{NAME}"
CLUSTER = Cluster(RUN, NETNS)
READY_S = 60.0  # a busy machine; alone it takes 4 s
ENVIRONMENT = {**os.environ, "TANDEM_BOX_NAME": NAME}
COMMAND = [sys.executable, "-m", "e2e.cluster"]
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: localhost/tandem-shell:1
        imagePullPolicy: Never
        command: [/bin/httpd, -f, -v, -p, "8080", -h, /bin]
        readinessProbe: {httpGet: {path: /sh, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: absent}
spec:
  containers: [{name: c, image: "example.test/absent:1"}]
---
apiVersion: v1
kind: Pod
metadata: {name: wide}
spec:
  containers: [{name: c, image: "localhost/tandem-shell:1", resources: {requests: {cpu: 999}}}]
"""


def box(command: str) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run(
        [*COMMAND, command], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    sys.stderr.write(done.stderr)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    exported = dict(shlex.split(line)[1].split("=", 1) for line in box("env").splitlines() if line)
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{NETNS}", "kubectl", *arguments],
        env={**os.environ, **exported},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def python(*lines: str) -> str:
    """All that a Python program says that imports the cluster's modules."""
    program = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(
        program, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def started(daemon: str) -> bool:
    return (RUN / "pids" / daemon).exists()


def kill_while_starting(daemon: str) -> None:
    """Kill the command that brings the cluster up, as soon as a daemon has started."""
    up = subprocess.Popen([*COMMAND, "up"], cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    with up:
        deadline_s = time.monotonic() + READY_S
        while not started(daemon):
            assert up.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        up.kill()


@pytest.fixture(autouse=True, scope="module")
def _on_the_machine() -> Iterator[None]:
    """Look at the machine's own network, whichever one the tests before this were in."""
    with network.left():
        yield


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left() -> Iterator[None]:
    if os.geteuid() != 0 and os.environ.get("CI") != "true":
        pytest.skip("a network namespace and containers need root")
    box("down")
    yield
    box("down")


@pytest.fixture
def before() -> dict[str, object]:
    """The machine without this cluster."""
    box("down")
    found = CLUSTER.found()
    assert not any(found[x] for x in ("processes", "mounts", "cgroups", "state", "files"))
    return found


def test_a_cluster_comes_up_with_a_network_names_and_images_of_its_own_and_leaves_nothing(
    before: dict[str, object],
) -> None:
    start_s = time.monotonic()
    box("up")
    ready_s = time.monotonic() - start_s
    sys.stderr.write(f"{ready_s:6.1f} s  up, programs and packages being there\n")
    assert ready_s < READY_S

    kubectl("apply", "-f", "-", stdin=WEB)
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=40s")
    fetch = (
        "exec",
        "deployment/web",
        "--",
        "wget",
        "-q",
        "-O",
        "/dev/null",
        "http://web.default.svc.cluster.local/sh",
    )
    kubectl(*fetch)
    assert "response:200" in kubectl("logs", "-l", "app=web")
    kubectl(
        "wait", "pod/absent", "--timeout=20s", "--for=jsonpath={..waiting.reason}=ImagePullBackOff"
    )
    assert "Insufficient cpu" in kubectl(
        "get", "events", "--field-selector=reason=FailedScheduling"
    )

    inside = Path("/run/netns", NETNS).stat().st_ino
    daemons = [int(path.read_text().split()[0]) for path in (RUN / "pids").iterdir()]
    assert len(daemons) == 8
    assert {Path(f"/proc/{pid}/ns/net").stat().st_ino for pid in daemons} == {inside}

    box("down")
    assert CLUSTER.found() == before


@pytest.mark.parametrize("daemon", [pytest.param("etcd", marks=pytest.mark.full), "kubelet"])
def test_a_start_that_was_killed_half_way_is_cleared_up_by_the_next(
    daemon: str, before: dict[str, object]
) -> None:
    kill_while_starting(daemon)
    assert CLUSTER.processes()
    box("up")
    assert kubectl("get", "nodes", "-o=name") == "node/tandem-box\n"
    box("down")
    assert CLUSTER.found() == before


@pytest.mark.full  # two more starts; every run of these tests keeps a cluster that runs
def test_a_cluster_that_runs_is_kept_and_one_that_lost_a_daemon_is_made_anew() -> None:
    box("up")
    first = (RUN / "pids" / "kube-apiserver").read_text()
    box("up")
    assert (RUN / "pids" / "kube-apiserver").read_text() == first

    os.kill(int((RUN / "pids" / "containerd").read_text().split()[0]), signal.SIGKILL)
    box("up")
    assert (RUN / "pids" / "kube-apiserver").read_text() != first


def test_a_link_that_another_cluster_removes_meanwhile_stops_nothing(tmp_path: Path) -> None:
    ours = tmp_path / "ours.log"
    ours.symlink_to(RUN / "pods" / "0.log")
    told = python(
        "from pathlib import Path",
        "from e2e.cluster import machine",
        "class Logs:",
        "    def glob(self, pattern):",
        f"        return [Path({str(tmp_path)!r}, name) for name in ('gone.log', 'ours.log')]",
        "machine.CONTAINER_LOGS = Logs()",
        "machine.remove_leftovers()",
    )
    assert told == ""
    assert not ours.is_symlink()


def test_a_socket_is_removed_once_nobody_holds_it_in_any_network() -> None:
    path = Path("/run/containerd/s/of-another-cluster")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove = "from e2e.cluster import machine; machine.remove_leftovers()"
    bind = f"s = socket.socket(socket.AF_UNIX); s.bind({str(path)!r}); s.listen()"
    holder = f"import socket; {bind}; print('bound', flush=True); input()"
    with subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", holder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"bound\n"
        assert python(remove) == ""
        held = path.exists()
        other.communicate(b"\n")
    assert python(remove) == ""
    assert (held, path.exists()) == (True, False)


def test_a_daemon_that_cannot_start_is_named_with_the_end_of_its_log() -> None:
    box("up")
    told = python(
        "from e2e.cluster.daemons import Daemon, wait_ready",
        "daemon = Daemon('broken', ['sh', '-c', 'echo no such flag; exit 2'])",
        "daemon.start()",
        "wait_ready('it is ready', lambda: False, [daemon])",
    )
    assert "BoxError: broken ended before it is ready" in told
    assert "no such flag" in told


def test_a_python_process_may_enter_the_clusters_network_and_leave_it() -> None:
    box("up")
    told = python(
        "import os, socket",
        "from e2e.cluster import network",
        "outside = os.stat('/proc/self/ns/net').st_ino",
        "with network.entered(): socket.create_connection(('10.88.0.1', 6443)).close()",
        "print('left', os.stat('/proc/self/ns/net').st_ino == outside)",
    )
    assert "left True" in told
