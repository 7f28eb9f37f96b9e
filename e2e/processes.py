"""Processes that a test starts and must not leave behind."""

import subprocess


def end(process: "subprocess.Popen[bytes]", within_s: float) -> None:
    """Ask a process to end, and make it after `within_s`."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
