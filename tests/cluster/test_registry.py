from pathlib import Path

from tandem.api.role import Role
from tandem.cluster import registry
from tandem.cluster.pod import Pod, PodPhase


def test_what_was_written_is_read(tmp_path: Path) -> None:
    pods = (
        Pod(name="p", role=Role.PREFILL, phase=PodPhase.READY, url="http://a", ready_s=2.5),
        Pod(name="d", role=Role.DECODE, phase=PodPhase.STARTING, url="", message="died"),
    )
    registry.write(tmp_path / "pods.json", pods)
    assert registry.read(tmp_path / "pods.json") == pods


def test_before_the_first_write_there_are_no_pods(tmp_path: Path) -> None:
    assert registry.read(tmp_path / "pods.json") == ()
