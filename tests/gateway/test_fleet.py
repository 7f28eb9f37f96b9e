"""The gateway of a fleet whose pods an API server tells."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.fakes.fake_engine import Act
from tests.fakes.gateway_fleet import Fleet, fleet
from tests.fakes.watch_server import WatchServer, engine_pod, serving

from tandem.api.role import Role
from tandem.cluster.kubernetes import pods as its_pods
from tandem.cluster.pod import PodPhase


async def health(made: Fleet, path: str = "/health") -> tuple[int, str]:
    async with made.user.get(made.url + path) as answer:
        return answer.status, (await answer.json())["status"]


async def test_it_is_ready_once_its_pods_are_listed_and_stays_so_without_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    place = "kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
    monkeypatch.setattr(place, str(kubeconfig))
    server = WatchServer()
    async with fleet(registry=None, fleet="chat", namespace="prod") as made:
        made.desk.pods.is_known = False  # the fake fleet has listed its own
        assert await health(made) == (503, "starting")
        assert await health(made, "/livez") == (200, "starting")
        urls = {engine.name: engine.url for engine in made.engines.values()}
        monkeypatch.setattr(its_pods, "_url", lambda body: urls[body["metadata"]["name"]])
        server.put(engine_pod("p0"))
        server.put(engine_pod("d0", "decode"))
        async with serving(server, kubeconfig):
            await made.until(lambda: made.desk.pods.is_known)
            assert await health(made) == (200, "ok")
        assert (await made.stream())[0] == 200
        assert await health(made) == (200, "ok")


async def test_a_draining_decode_pod_takes_the_leg_of_a_request_already_begun() -> None:
    async with fleet() as made:
        gate = asyncio.Event()
        made["p0"].acts.append(Act(gate=gate))
        asked = asyncio.create_task(made.stream())
        await made.until(lambda: made["p0"].legs)
        made.desk.pods.replace([made["p0"].pod(), made["d0"].pod(PodPhase.DRAINING)])
        gate.set()
        assert (await asked)[0] == 200
        assert made["d0"].legs[0].end == "answered"
        assert made.desk.pods.ready(Role.DECODE) == 0


async def test_a_draining_pod_takes_no_new_request_and_the_refusal_says_what_lacks() -> None:
    async with fleet(max_wait_s=0.2) as made:
        made.desk.pods.replace([made["p0"].pod(), made["d0"].pod(PodPhase.DRAINING)])
        status, body = await made.ask()
        assert status == 503
        assert json.loads(body)["error"]["message"].endswith("no decode pod is ready")
        assert not made["p0"].legs


async def test_pods_of_different_revisions_serve_nobody_and_say_so() -> None:
    async with fleet(max_wait_s=0.2) as made:
        made.desk.pods.replace([made["p0"].pod(revision="1"), made["d0"].pod(revision="2")])
        status, body = await made.ask()
        assert status == 503
        assert "of different revisions" in json.loads(body)["error"]["message"]
        assert not made["p0"].legs, "nothing is prefilled in vain"


async def test_a_prefill_pod_that_restarts_between_the_legs_leaves_nothing_behind() -> None:
    async with fleet() as made:
        made["d0"].acts.append(Act(status=500))  # the KV is gone: the engine fails to fetch it
        asked = asyncio.create_task(made.stream())
        await made.until(lambda: made["d0"].legs)
        made.desk.pods.replace([made["p0"].pod(PodPhase.STARTING), made["d0"].pod()])
        await asyncio.sleep(0.1)
        made.list_pods()  # same name, same address
        assert (await asked)[0] == 200
        await made.until(made.is_quiet)
        assert len([leg for leg in made["p0"].legs if leg.end == "answered"]) == 2
