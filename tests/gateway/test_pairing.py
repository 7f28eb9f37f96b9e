import pytest

from tandem.api.role import Role
from tandem.gateway.pairing import lack, paired
from tandem.routing.model import RoutePod


def pod(name: str, revision: str, *, draining: bool = False) -> RoutePod:
    role = Role.PREFILL if name.startswith("p") else Role.DECODE
    return RoutePod(
        name=name, role=role, kv_capacity_tokens=10, revision=revision, draining=draining
    )


def test_a_prefill_pod_without_a_reader_of_its_revision_takes_nothing_new() -> None:
    given = [pod("p0", "old"), pod("p1", "new"), pod("d0", "new"), pod("d1", "old", draining=True)]
    assert [made.name for made in paired(given) if not made.draining] == ["p1", "d0"]


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        pytest.param([], "no prefill and no decode pod is ready", id="none"),
        pytest.param([pod("p0", "1")], "no decode pod is ready", id="no decode"),
        pytest.param(
            [pod("p0", "1", draining=True), pod("d0", "1")], "no prefill pod", id="drains"
        ),
        pytest.param([pod("p0", "1"), pod("d0", "2")], "of different revisions", id="revisions"),
        pytest.param([pod("p0", "1"), pod("p1", "2"), pod("d0", "2")], "", id="a pair"),
    ],
)
def test_what_a_fleet_lacks_is_told_in_words(pods: list[RoutePod], words: str) -> None:
    assert words in lack(pods)
    assert bool(words) == bool(lack(pods))
