"""Each fleet has one loop, which ends when the fleet is gone, whichever way that is learnt."""

import asyncio
from typing import Any

import pytest
from tests.api import documents

from tandem.controller.control import FleetControl
from tandem.controller.fleets import Fleets


class Control(FleetControl):
    """Notes what it is told, and runs until it is cancelled."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.profiles: list[list[str]] = []
        self.ran = self.forgot = False

    @property
    def uid(self) -> str:
        return "" if not self.bodies else str(self.bodies[-1]["metadata"]["uid"])

    @property
    def busy_s(self) -> float:
        return float(len(self.bodies))

    def told(self, body: Any, profiles: Any) -> None:
        self.bodies += [] if body is None else [body]
        self.profiles.append(sorted(profiles))

    def forget(self) -> None:
        self.forgot = True

    async def run(self) -> None:
        self.ran = True
        await asyncio.Event().wait()


class Made(Fleets):
    """Fleets whose controls are kept for a look."""

    def __init__(self) -> None:
        self.controls: list[Control] = []
        super().__init__(self._make)

    def _make(self, *_: str) -> FleetControl:
        self.controls.append(Control())
        return self.controls[-1]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)


def fleet(name: str = "chat", uid: str = "1", **metadata: Any) -> dict[str, Any]:
    own = {"name": name, "namespace": "prod", "uid": uid, "generation": 1}
    return documents.fleet() | {"metadata": own | metadata}


def profile(name: str = "h200-8b") -> dict[str, Any]:
    return documents.profile() | {"metadata": {"name": name, "namespace": "prod"}}


async def turned() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_loop_begins_before_what_runs_was_listed() -> None:
    fleets = Made()
    fleets.fleet_seen(None, fleet())
    await turned()
    assert not fleets.controls[0].ran

    fleets.start()
    await turned()
    assert fleets.controls[0].ran
    await fleets.close()


@pytest.mark.parametrize(
    ("kind", "metadata"), [("DELETED", {}), ("MODIFIED", {"deletionTimestamp": "now"})]
)
async def test_a_fleet_that_goes_is_ended_and_forgotten(
    kind: str, metadata: dict[str, Any]
) -> None:
    fleets = Made()
    fleets.fleet_seen(None, fleet())
    fleets.fleet_seen(kind, fleet(**metadata))

    assert fleets.controls[0].forgot
    assert fleets.mark() == {}


async def test_another_resource_of_the_same_name_is_another_fleet() -> None:
    fleets = Made()
    fleets.fleet_seen("ADDED", fleet(uid="1"))
    fleets.fleet_seen("ADDED", fleet(uid="2"))

    assert [control.uid for control in fleets.controls] == ["1", "2"]
    assert fleets.controls[0].forgot
    await fleets.close()


async def test_a_fleet_that_a_listing_lacks_is_ended_but_for_one_that_came_since() -> None:
    fleets = Made()
    for name in ("kept", "gone", "again"):
        fleets.fleet_seen("ADDED", fleet(name, uid=name))
    before = fleets.mark()
    fleets.fleet_seen("ADDED", fleet("new", uid="new"))
    fleets.fleet_seen("ADDED", fleet("again", uid="again-2"))
    fleets.listed([fleet("kept", uid="kept")], before)

    assert sorted(name for _, name in fleets.mark()) == ["again", "kept", "new"]
    await fleets.close()


async def test_profiles_reach_the_fleets_of_their_namespace_whichever_comes_first() -> None:
    fleets = Made()
    fleets.profiles_listed([profile()])
    fleets.fleet_seen("ADDED", fleet())
    fleets.profile_seen("ADDED", profile("other"))
    fleets.profile_seen("DELETED", profile())
    fleets.profile_seen("ADDED", profile() | {"spec": {}})  # can't be read

    assert fleets.controls[0].profiles == [
        ["h200-8b"],
        ["h200-8b", "other"],
        ["other"],
        ["other"],
    ]
    await fleets.close()


async def test_a_listing_does_not_undo_what_a_watch_told_of_a_profile() -> None:
    fleets = Made()
    fleets.fleet_seen("ADDED", fleet())
    fleets.profile_seen("ADDED", profile())
    fleets.profiles_listed([profile()])

    assert len(fleets.controls[0].profiles) == 2
    await fleets.close()


async def test_the_busiest_fleet_tells_how_long_a_turn_has_lasted() -> None:
    fleets = Made()
    assert fleets.busy_s == 0
    fleets.fleet_seen("ADDED", fleet("a"))
    fleets.fleet_seen("ADDED", fleet("b"))
    fleets.fleet_seen("MODIFIED", fleet("b"))

    assert fleets.busy_s == 2
    await fleets.close()
