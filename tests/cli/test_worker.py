import subprocess
import sys
import time
from pathlib import Path

LEAGUE = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from tandem.cli import worker

if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=worker.begin) as executor:
        print(executor.submit(os.getpid).result(), flush=True)
        executor.submit(time.sleep, 600).result()
"""


def test_a_league_that_is_killed_takes_its_workers_with_it(tmp_path: Path) -> None:
    script = tmp_path / "league.py"
    script.write_text(LEAGUE)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as league:
        assert league.stdout is not None
        worker = int(league.stdout.readline())
        assert _runs(worker)
        league.kill()

    assert _ends(worker, within_s=10.0)


def _ends(process: int, within_s: float) -> bool:
    until_s = time.monotonic() + within_s
    while _runs(process) and time.monotonic() < until_s:
        time.sleep(0.05)
    return not _runs(process)


def _runs(process: int) -> bool:
    """Whether it is there, and no zombie that nobody waits for."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
