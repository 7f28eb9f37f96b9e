"""`tandem up` as a user runs it: its own process, real gateway, real emulators."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tandem.cluster import registry

pytestmark = pytest.mark.e2e

TANDEM = str(Path(sys.executable).with_name("tandem"))
SMALL = ("--prefill", "1", "--decode", "1")  # a start that the load outgrows at once
START_S = 40.0
END_S = 40.0


def processes_of(folder: Path) -> list[int]:
    """Processes whose command line or working files name the run's folder, or that are its engines."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment = (entry / "environ").read_bytes()
            if f"TANDEM_E2E={folder}".encode() in environment.split(b"\0"):
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


@contextmanager
def marked(folder: Path) -> Iterator[dict[str, str]]:
    """An environment that marks every process of a run, so that none can hide; all are ended after."""
    try:
        yield {**os.environ, "TANDEM_E2E": str(folder)}
    finally:
        for pid in processes_of(folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def until_none_left(folder: Path, patience_s: float) -> list[int]:
    until = time.monotonic() + patience_s
    while processes_of(folder) and time.monotonic() < until:
        time.sleep(0.1)
    return processes_of(folder)


def test_both_roles_scale_at_different_times_and_the_summary_says_why(tmp_path: Path) -> None:
    with marked(tmp_path) as environment:
        ran = subprocess.run(
            [
                TANDEM,
                "up",
                "--for",
                "100s",
                *SMALL,
                "--json",
                "--port",
                "0",
                "--dir",
                str(tmp_path),
            ],
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert until_none_left(tmp_path, 5.0) == []
    summary = json.loads(ran.stdout)
    ups = {
        role: [c for c in summary["changes"] if c["role"] == role and c["to"] > c["from"]]
        for role in ("prefill", "decode")
    }
    assert ups["prefill"], summary
    assert ups["decode"], summary
    assert {c["t_s"] for c in ups["prefill"]} != {c["t_s"] for c in ups["decode"]}
    assert all(change["reason"] for change in summary["changes"])
    assert summary["finished"] > 0.95 * (summary["requests"] - summary["unsettled"])
    assert 0.0 < summary["attainment"] <= 1.0
    assert summary["gpu_hours"] > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_a_live_view_until_ctrl_c_and_no_process_left(
    tmp_path: Path, number: signal.Signals
) -> None:
    with marked(tmp_path) as environment:
        ours, theirs = pty.openpty()
        child = subprocess.Popen(
            [TANDEM, "up", "--port", "0", "--dir", str(tmp_path)],
            env={**environment, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        shown = read_until(ours, r"prefill\s.*\d/\d", START_S)
        assert "attainment" in shown
        assert len(processes_of(tmp_path)) >= 4  # ours, the gateway, an engine of each role
        child.send_signal(number)
        rest = read_until(ours, r"gpu_hours", END_S)
        assert child.wait(END_S) == 0, shown + rest
        assert "Traceback" not in shown + rest
        assert until_none_left(tmp_path, 2.0) == []


def test_engines_end_when_we_are_killed(tmp_path: Path) -> None:
    with marked(tmp_path) as environment:
        child = subprocess.Popen(
            [TANDEM, "up", "--for", "5m", "--port", "0", "--dir", str(tmp_path)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + START_S
        while len(processes_of(tmp_path)) < 4 and time.monotonic() < until:
            time.sleep(0.2)
        assert len(processes_of(tmp_path)) >= 4
        child.kill()
        child.wait()
        assert until_none_left(tmp_path, END_S) == []


def test_an_engine_that_is_killed_is_started_again_and_the_load_goes_on(tmp_path: Path) -> None:
    with marked(tmp_path) as environment:
        child = subprocess.Popen(
            [TANDEM, "up", "--for", "40s", "--json", "--port", "0", "--dir", str(tmp_path)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        victim = wait_for_engine(tmp_path, "decode-2")
        time.sleep(8.0)
        os.kill(victim, signal.SIGKILL)
        out, err = child.communicate(timeout=150)
    assert child.returncode == 0, err
    summary = json.loads(out)
    assert summary["finished"] > 0.7 * summary["requests"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        pytest.param(
            ["--profile", "h9000"], r"--profile: 'h9000' is not allowed: one of .*", id="profile"
        ),
        pytest.param(
            ["--policy", "magic"],
            r".*policy.*'magic' is not allowed: one of .*tandem.*",
            id="policy",
        ),
        pytest.param(
            ["--min-prefill", "3", "--max-prefill", "2"],
            r"--min-prefill: 3 is not allowed: at most --max-prefill \(2\)",
            id="min over max",
        ),
        pytest.param(
            ["--ttft", "1ms"], r"--ttft: .* is not allowed: .*", id="an SLO below physics"
        ),
        pytest.param(["--ttft", "fast"], r"--ttft: 'fast' is not allowed: a duration.*", id="ttft"),
        pytest.param(["--wings"], r"No such option: --wings.*", id="an unknown flag"),
        pytest.param(
            ["--trace", "nowhere.csv"], r"--trace: 'nowhere.csv' is not allowed: .*", id="trace"
        ),
        pytest.param(
            ["--engine", "steam"],
            r"--engine: 'steam' is not allowed: one of emulator, vllm",
            id="engine",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(flags: list[str], message: str) -> None:
    ran = subprocess.run(
        [TANDEM, "up", *flags], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 2, ran.stderr
    (line,) = ran.stderr.splitlines()
    assert re.fullmatch(f"error: {message}", line)
    assert ran.stdout == ""


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ran = subprocess.run(
            [TANDEM, "up", "--port", port, "--dir", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"error: --port: {port} is not allowed: a free port")


def wait_for_engine(folder: Path, pod: str) -> int:
    """Process id of a pod's engine, once the pod is listed and its engine runs."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        urls = [each.url for each in registry.read(folder / "pods.json") if each.name == pod]
        for pid in processes_of(folder) if urls and urls[0] else ():
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if urls[0].rpartition(":")[2].encode() in words:
                    return pid
        time.sleep(0.2)
    raise AssertionError(f"no process serves {pod}")


def read_until(terminal: int, pattern: str, patience_s: float) -> str:
    """What a terminal shows until a pattern is in it, or until it falls silent for good."""
    shown = ""
    until = time.monotonic() + patience_s
    os.set_blocking(terminal, False)
    while time.monotonic() < until and not re.search(pattern, shown):
        try:
            shown += os.read(terminal, 65536).decode(errors="replace")
        except BlockingIOError:
            time.sleep(0.1)
        except OSError:
            break
    return shown


@pytest.mark.full
def test_real_vllm_serves_a_fleet_that_is_up(tmp_path: Path, vllm_python: Path) -> None:
    sizes = ["--prefill", "1", "--decode", "1", "--max-prefill", "1", "--max-decode", "1"]
    slo = ["--ttft", "5s", "--tpot", "200ms", "--rate", "0.5"]
    run = ["--for", "40s", "--json", "--port", "0", "--dir", str(tmp_path)]
    with marked(tmp_path) as environment:
        ran = subprocess.run(
            [TANDEM, "up", "--engine", "vllm", *run, *sizes, *slo],
            env={**environment, "TANDEM_VLLM_PYTHON": str(vllm_python)},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert until_none_left(tmp_path, 10.0) == []
    summary = json.loads(ran.stdout)
    assert summary["requests"] > 5
    assert summary["finished"] == summary["requests"]
