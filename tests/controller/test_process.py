"""What the process lists besides its watches: before the first turn, and in case a watch lost something."""

import asyncio
from typing import Any

import pytest
from tests.api import documents
from tests.cluster.kubernetes import bodies
from tests.controller.test_fleets import Made, turned
from tests.fakes.kubernetes_api import FakeApiServer

from tandem.cluster.kubernetes import api as api_module
from tandem.cluster.kubernetes.api import FLEET
from tandem.cluster.kubernetes.seen import Seen
from tandem.controller import handlers, process


class Listing:
    """The listing of an operator that watches some namespaces."""

    def __init__(self, server: FakeApiServer, *namespaces: str) -> None:
        self.seen, self.fleets = Seen(), Made()
        self._of = server.api(), self.seen, self.fleets, namespaces

    async def run_until(self, holds: Any) -> None:
        listing = asyncio.create_task(process._relist(*self._of))
        for _ in range(200):
            if holds():
                break
            await asyncio.sleep(0.001)
        listing.cancel()
        assert holds()
        await self.fleets.close()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "_PAUSES_S", ())
    monkeypatch.setattr(process, "_RELIST_S", 0.001)
    monkeypatch.setattr(process, "_TRY_AGAIN_S", 0.001)


@pytest.fixture
def server() -> FakeApiServer:
    made = FakeApiServer()
    for namespace in ("prod", "other"):
        place = {"name": "chat", "namespace": namespace}
        made.put(documents.fleet() | {"metadata": place | {"generation": 1}})
        made.put(documents.profile() | {"metadata": {"name": "h200-8b", "namespace": namespace}})
    made.put(bodies.pod("a"))
    return made


async def test_fleets_begin_once_pods_and_profiles_are_known(server: FakeApiServer) -> None:
    server.fail(500, path="/engineprofiles", times=8)
    listing = Listing(server)
    listing.fleets.fleet_seen(None, server.objects[FLEET, "prod", "chat"])
    control = listing.fleets.controls[0]
    await listing.run_until(lambda: control.profiles[-1] == ["h200-8b"])

    assert [pod["metadata"]["name"] for pod in listing.seen.pods("prod", "chat")] == ["a"]


async def test_a_fleet_whose_end_no_watch_told_is_ended(server: FakeApiServer) -> None:
    listing = Listing(server)
    gone = dict(server.objects[FLEET, "prod", "chat"])
    gone["metadata"] = gone["metadata"] | {"name": "gone", "uid": "gone"}
    listing.fleets.fleet_seen(None, gone)
    listing.fleets.fleet_seen(None, server.objects[FLEET, "prod", "chat"])
    await turned()
    await listing.run_until(lambda: list(listing.fleets.mark()) == [("prod", "chat")])


async def test_only_the_namespaces_that_are_watched_are_listed(server: FakeApiServer) -> None:
    listing = Listing(server, "prod")
    await listing.run_until(lambda: len(server.requests) >= 4)

    assert all("/namespaces/prod/" in each.path for each in server.requests)


def test_kopf_tries_again_without_an_end_and_posts_nothing() -> None:
    settings = handlers.settings("pod-1")

    pauses = iter(settings.networking.error_backoffs)  # type: ignore[arg-type]
    assert [next(pauses) for _ in range(100)][-1] == 10.0
    assert not settings.posting.enabled
    assert settings.watching.server_timeout is not None
