import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cluster.kubernetes import bodies

from tandem.api.role import Role
from tandem.cluster.kubernetes.rollout import current, may_retire, older
from tandem.cluster.kubernetes.victims import costs
from tandem.cluster.pod import Pod, PodPhase

OLD, NEW = "old", "new"


def pods(role: Role, old: int, new: int) -> list[Pod]:
    return [
        Pod(
            name=f"{role}-{revision}-{n}",
            role=role,
            phase=PodPhase.READY,
            url="",
            revision=revision,
        )
        for revision, count in ((OLD, old), (NEW, new))
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("asked", "old", "new", "may"),
    [
        (4, 4, 3, False),
        (4, 4, 4, True),
        (2, 4, 2, True),  # fewer are wanted now
        (8, 4, 4, True),  # as many as the old ones; the rest may come later
        (4, 0, 0, True),  # the old ones serve nobody
        (0, 4, 0, True),
    ],
)
def test_a_new_revision_must_stand_in_for_the_old_one(
    asked: int,
    old: int,
    new: int,
    may: bool,  # noqa: FBT001
) -> None:
    enough = pods(Role.PREFILL, 1, 1)
    wanted = {Role.DECODE: asked, Role.PREFILL: 1}
    assert may_retire(wanted, [*enough, *pods(Role.DECODE, old, new)], NEW) is may
    lacking = pods(Role.PREFILL, 1, 0)
    assert not may_retire(wanted, [*lacking, *pods(Role.DECODE, old, new)], NEW)


def test_a_role_without_a_new_deployment_keeps_the_old_ones() -> None:
    assert not may_retire({Role.DECODE: 1}, [], NEW)


def test_deployments_that_are_deleted_or_no_engines_are_not_counted() -> None:
    going, gateway = bodies.deployment(revision=OLD), bodies.deployment()
    going["metadata"]["deletionTimestamp"] = "2026-11-20T11:00:00Z"
    gateway["metadata"]["labels"] = None
    there = bodies.deployment(revision=NEW)
    assert older([going, gateway, there], "third") == [there]
    assert current([going, gateway, there], Role.DECODE, NEW) == there
    assert current([going, gateway, there], Role.DECODE, OLD) is None


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.integers(-2, 8))
def test_the_first_to_drain_costs_least_and_nobody_else_costs_anything(
    order: list[str], leaving: int
) -> None:
    there = [bodies.pod(name) for name in "abcd"]
    changes = costs(there, order, leaving)
    going = [name for name in order if name in "abcd"][: max(0, leaving)]
    assert sorted(changes, key=lambda name: int(changes[name] or 0)) == going
    assert all(int(cost or 0) < 0 for cost in changes.values())
