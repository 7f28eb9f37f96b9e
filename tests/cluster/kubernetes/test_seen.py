import asyncio
from typing import Any

from tests.cluster.kubernetes import bodies

from tandem.cluster.kubernetes.api import DEPLOYMENT, POD
from tandem.cluster.kubernetes.seen import Seen

FLEET = (bodies.NAMESPACE, bodies.FLEET)


def at(version: int, name: str = "p", uid: str = "u") -> dict[str, Any]:
    body = bodies.pod(name)
    body["metadata"] |= {"resourceVersion": str(version), "uid": uid}
    return body


def versions(seen: Seen) -> dict[str, str]:
    pods = seen.pods(*FLEET)
    return {body["metadata"]["name"]: body["metadata"]["resourceVersion"] for body in pods}


def test_events_add_change_and_remove() -> None:
    seen = Seen()
    seen.event(POD, None, at(1))
    seen.event(POD, "MODIFIED", at(2))
    assert versions(seen) == {"p": "2"}
    seen.event(POD, "DELETED", at(3))
    assert versions(seen) == {}


def test_kinds_and_fleets_do_not_mix() -> None:
    seen = Seen()
    seen.event(POD, "ADDED", at(1))
    other = at(1, "q")
    other["metadata"]["labels"]["tandem.dev/fleet"] = "other"
    seen.event(POD, "ADDED", other)
    seen.event(DEPLOYMENT, "ADDED", bodies.deployment())
    assert versions(seen) == {"p": "1"}
    assert len(seen.deployments(*FLEET)) == 1
    assert [body["metadata"]["name"] for body in seen.pods(FLEET[0], "other")] == ["q"]


def test_what_has_no_label_of_a_fleet_is_nobodys() -> None:
    seen, body = Seen(), at(1)
    body["metadata"]["labels"] = None
    seen.event(POD, "ADDED", body)
    assert seen.pods(FLEET[0], "") == ()


def test_an_older_version_does_not_undo_a_newer_one() -> None:
    seen = Seen()
    seen.wrote(POD, at(9))
    seen.event(POD, "MODIFIED", at(10))
    seen.event(POD, "MODIFIED", at(9))
    assert versions(seen) == {"p": "10"}


def test_a_namesake_with_another_uid_replaces_whatever_its_version() -> None:
    seen = Seen()
    seen.event(POD, "ADDED", at(9))
    seen.event(POD, "ADDED", at(5, uid="v"))
    assert versions(seen) == {"p": "5"}


def test_the_end_of_a_former_namesake_does_not_remove_its_successor() -> None:
    seen = Seen()
    seen.event(POD, "ADDED", at(9, uid="new"))
    seen.event(POD, "DELETED", at(8, uid="old"))
    assert versions(seen) == {"p": "9"}


def test_our_write_does_not_bring_back_what_has_gone() -> None:
    seen = Seen()
    seen.event(POD, "ADDED", at(1))
    seen.event(POD, "DELETED", at(3))
    seen.wrote(POD, at(2))
    assert versions(seen) == {}


def test_a_listing_removes_what_is_not_in_it_and_only_of_its_kind() -> None:
    seen = Seen()
    seen.event(POD, "ADDED", at(1, "p"))
    seen.event(POD, "ADDED", at(1, "q"))
    seen.event(DEPLOYMENT, "ADDED", bodies.deployment())
    seen.replace(POD, [at(2, "q"), at(2, "r")])
    assert versions(seen) == {"q": "2", "r": "2"}
    assert len(seen.deployments(*FLEET)) == 1


def test_an_empty_listing_removes_all() -> None:
    seen = Seen()
    seen.event(POD, "ADDED", at(1))
    seen.replace(POD, [])
    assert versions(seen) == {}


def test_what_came_and_went_while_a_listing_was_made_is_left_as_the_watch_told_it() -> None:
    seen = Seen()
    seen.event(POD, "ADDED", at(1, "going", "g"))
    mark = seen.mark()
    seen.event(POD, "DELETED", at(5, "going", "g"))
    seen.event(POD, "ADDED", at(6, "new", "n"))
    seen.replace(POD, [at(1, "going", "g")], mark)
    assert versions(seen) == {"new": "6"}


async def test_who_waits_is_woken_by_a_change_and_not_by_what_was_known() -> None:
    seen = Seen()
    seen.event(POD, "ADDED", at(1))
    await asyncio.wait_for(seen.wait_changed(*FLEET, 60), 1)
    seen.event(POD, "MODIFIED", at(1))
    waiting = asyncio.create_task(seen.wait_changed(*FLEET, 60))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    seen.event(POD, "MODIFIED", at(2))
    await asyncio.wait_for(waiting, 1)


async def test_waiting_ends_when_nothing_happens() -> None:
    await asyncio.wait_for(Seen().wait_changed(*FLEET, 0.01), 1)


def test_a_fleet_that_is_no_more_is_forgotten() -> None:
    seen = Seen()
    seen.event(POD, "ADDED", at(1))
    seen.forget_fleet(*FLEET)
    assert seen.pods(*FLEET) == ()
