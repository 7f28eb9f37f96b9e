"""Whatever goes wrong has a reason that a person can act on, ends by itself, and stays with its fleet."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from e2e.cluster.access import Box
from e2e.flaky_api import Fault, FlakyApi, flaky_api
from e2e.fleet import Fleet, emulated, profile
from e2e.operator_process import Operator, installed_one_stopped, kubeconfig, operator, token

pytestmark = pytest.mark.e2e

SICK, WELL = (
    f"e2e-sick-{os.getpid()}",
    f"e2e-well-{os.getpid()}",
)  # namespaces: faults meet the first alone, where they can
AGAIN_S = 40.0  # a turn that failed some times is tried again within it
MOST = 8


@dataclass(frozen=True)
class Place:
    """An operator that reaches the API server through a proxy, a fleet to trouble, and one beside it."""

    api: FlakyApi
    operator: Operator
    sick: Fleet
    well: Fleet

    def ask_for_one_more(self) -> int:
        """Raise the fewest decode replicas by one; how many that are."""
        more = min(MOST, self.sick.replicas()[1] + 1)
        set_least(self.sick, more)
        return more

    def until_well_again(self, decodes: int) -> None:
        """The fleet has what was asked for, says so, and every pod that was there before still is."""
        self.sick.until("it is scaled", lambda: self.sick.replicas()[1] == decodes, AGAIN_S)
        self.sick.until("it says so", lambda: reason(self.sick, "Reconciled") == "AsAsked", AGAIN_S)
        self.sick.until_ready()

    def assert_the_other_goes_on(self) -> None:
        """The fleet beside it still has turns, and its replicas are put back."""
        name = self.well.deployment("decode")["metadata"]["name"]
        self.well.kubectl("scale", "deployment", name, "--replicas=2")
        self.well.until("replicas are put back", lambda: self.well.replicas() == (1, 1), 20)
        assert reason(self.well, "Reconciled") == "AsAsked"

    def turns(self, fleet: Fleet, outcome: str) -> float:
        """Turns of a fleet so far that ended so."""
        labels = {"fleet_namespace": fleet.namespace, "fleet": fleet.name, "outcome": outcome}
        return self.operator.total("tandem_ticks_total", **labels)


@pytest.fixture(scope="module")
def place(tandem: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("operator")
    sick, well = Fleet(tandem, SICK), Fleet(tandem, WELL)
    with installed_one_stopped(tandem), flaky_api(tandem) as api:
        for fleet in (sick, well):
            tandem.kubectl("create", "namespace", fleet.namespace)
            fleet.apply(profile(), emulated(decode=more_decodes()))
        try:
            with operator(folder, kubeconfig(tandem, token(tandem), api.url)) as process:
                for fleet in (sick, well):
                    fleet.until_ready()
                yield Place(api, process, sick, well)
        finally:
            for fleet in (sick, well):
                tandem.kubectl("delete", "namespace", fleet.namespace, "--wait=false")


def more_decodes() -> dict[str, Any]:
    decode: dict[str, Any] = emulated()["spec"]["decode"]
    return decode | {"replicas": {"min": 1, "max": MOST}}


def set_least(fleet: Fleet, decodes: int) -> None:
    patch = {"spec": {"decode": {"replicas": {"min": decodes}}}}
    fleet.kubectl("patch", "dllm", fleet.name, "--type=merge", "-p", json.dumps(patch))


def reason(fleet: Fleet, type_: str) -> str:
    return str(fleet.condition(type_).get("reason", ""))


def engine_uids(fleet: Fleet) -> set[str]:
    pods = fleet.pods("prefill") + fleet.pods("decode")
    return {pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}


# -- the API server -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "retry_after_s", "word"),
    [
        pytest.param(409, 0, "Conflict", id="409"),
        pytest.param(429, 2, "TooManyRequests", id="429", marks=pytest.mark.full),
        pytest.param(500, 0, "InternalError", id="500", marks=pytest.mark.full),
    ],
)
def test_writes_that_are_refused_are_told_and_tried_again(
    place: Place, status: int, retry_after_s: int, word: str
) -> None:
    before = engine_uids(place.sick)
    fault = Fault(
        status=status, retry_after_s=retry_after_s, path=f"/namespaces/{SICK}/", but="/status"
    )
    with place.api.spoilt(fault):
        decodes = place.ask_for_one_more()
        place.sick.until("it is told", lambda: reason(place.sick, "Reconciled") == "ApiError")
        told = place.sick.condition("Reconciled")
        assert told["status"] == "False"
        assert f"{status} {word}" in told["message"]
        assert "is tried again" in told["message"]
        assert reason(place.sick, "Ready") == "EnoughPods"
        place.assert_the_other_goes_on()

    place.until_well_again(decodes)
    assert before < engine_uids(place.sick)
    assert len(engine_uids(place.sick)) == 1 + decodes
    place.sick.until("the trouble was told", lambda: place.sick.events("ApiError"), 10)
    place.sick.until("and its end", lambda: place.sick.events("Reconciled"), 10)


def test_an_api_server_that_is_away_is_waited_for(place: Place) -> None:
    before, failed = engine_uids(place.sick), place.turns(place.sick, "error")
    name = place.well.deployment("decode")["metadata"]["name"]
    refused = Fault(status=500, path="/scale")
    with place.api.spoilt(refused):
        decodes = place.ask_for_one_more()
        place.sick.until("a turn fails", lambda: place.turns(place.sick, "error") > failed)
        with place.api.away():
            place.well.kubectl("scale", "deployment", name, "--replicas=2")
            turned = place.turns(place.well, "ok")
            time.sleep(5)
            assert place.turns(place.well, "ok") > turned
            assert place.operator.process.poll() is None

    place.until_well_again(decodes)
    assert before < engine_uids(place.sick)
    place.well.until(
        "what was missed is put back", lambda: place.well.replicas() == (1, 1), AGAIN_S
    )


@pytest.mark.full
def test_an_api_server_that_takes_5_s_for_each_answer_is_borne(place: Place) -> None:
    before, failed = engine_uids(place.sick), place.turns(place.sick, "error")
    with place.api.spoilt(Fault(wait_s=5.0, writes_only=False)):
        decodes = place.ask_for_one_more()
        place.sick.until("it is scaled", lambda: place.sick.replicas()[1] == decodes)
        place.assert_the_other_goes_on()

    place.until_well_again(decodes)
    assert before < engine_uids(place.sick)
    assert place.turns(place.sick, "error") == failed


def test_watches_that_break_off_within_an_event_lose_nothing(place: Place) -> None:
    before = engine_uids(place.sick)
    assert place.api.cut_watches() >= 4
    with place.api.cut_within_events() as cuts:
        decodes = place.ask_for_one_more()
        place.sick.until("watches broke off", lambda: cuts() >= 2)
        place.assert_the_other_goes_on()

    place.until_well_again(decodes)
    assert before < engine_uids(place.sick)
    assert len(engine_uids(place.sick)) == 1 + decodes


@pytest.mark.full
def test_a_fleet_that_is_deleted_while_no_watch_tells_it_stays_deleted(place: Place) -> None:
    gone = Fleet(place.sick.box, SICK, "gone")
    gone.apply(emulated("gone"))
    gone.until_ready()
    with place.api.spoilt(Fault(status=410, path="disaggregatedllms", watches_only=True)):
        place.api.cut_watches()
        before = [
            one["metadata"]["uid"]
            for one in gone.get("deployments", "-l", "tandem.dev/fleet=gone")["items"]
        ]
        gone.kubectl("delete", "dllm", "gone")
        until_s = time.monotonic() + 12
        while time.monotonic() < until_s:
            made = gone.get("deployments", "-l", "tandem.dev/fleet=gone")["items"]
            assert all(one["metadata"]["uid"] in before for one in made)
            time.sleep(0.3)
    gone.until("its pods are gone", lambda: not gone.pods("prefill") + gone.pods("decode"), 90)
    assert not place.turns(gone, "ok")  # its figures are forgotten


# -- the fleet's own ------------------------------------------------------------------------------


def with_template(spec: dict[str, Any]) -> dict[str, Any]:
    """A decode role whose pods are made from that pod template."""
    decode: dict[str, Any] = emulated()["spec"]["decode"]
    (pool,) = decode["pools"]
    return {"decode": {**decode, "pools": [{**pool, "template": {"spec": spec}}]}}


def of_engine(**changes: Any) -> dict[str, Any]:
    """An engine block with some fields changed."""
    return {"engine": emulated()["spec"]["engine"] | changes}


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a fleet, where that shows, and how it is mended."""

    spec: dict[str, Any]
    claim: str
    reason: str
    words: str


TROUBLES = {
    "image": Trouble(
        of_engine(image="localhost/nobody-has-it:1"),
        "Provisioning",
        "ImagePullFailed",
        "localhost/nobody-has-it:1",
    ),
    "crash": Trouble(
        of_engine(args=["--no-such-flag"]), "Provisioning", "PodsNotReady", "exit code 2"
    ),
    "room": Trouble(
        with_template(
            {"containers": [{"name": "engine", "resources": {"requests": {"cpu": "1000"}}}]}
        ),
        "CapacityAvailable",
        "Unschedulable",
        "Insufficient cpu",
    ),
    "template": Trouble(
        with_template({"tolerations": [{"key": "gpu", "operator": "Perhaps"}]}),
        "Reconciled",
        "InvalidSpec",
        "tolerations[0].operator",
    ),
    "profile": Trouble(
        {"prefill": {**emulated()["spec"]["prefill"]}},
        "Reconciled",
        "ProfileNotFound",
        "profileRef",
    ),
}


def test_each_trouble_of_a_fleet_is_told_and_ends_when_it_is_mended(place: Place) -> None:
    fleets = {name: Fleet(place.sick.box, SICK, name) for name in TROUBLES}
    missing = profile()
    missing["metadata"]["name"] = "made-later"
    (pool,) = emulated()["spec"]["prefill"]["pools"]
    TROUBLES["profile"].spec["prefill"]["pools"] = [pool | {"profileRef": "made-later"}]
    place.sick.apply(*(emulated(name, **trouble.spec) for name, trouble in TROUBLES.items()))
    try:
        for name, trouble in TROUBLES.items():
            assert_told(fleets[name], trouble)
        place.assert_the_other_goes_on()
        mended = [emulated(name) for name in TROUBLES if name != "profile"]
        place.sick.apply(missing, *mended)
        for fleet in fleets.values():
            until_mended(fleet)
    finally:
        place.sick.kubectl("delete", "dllm", *TROUBLES, "--wait=false")


def assert_told(fleet: Fleet, trouble: Trouble) -> None:
    """A condition and one Event say what is wrong."""
    fleet.until("it is told", lambda: reason(fleet, trouble.claim) == trouble.reason)
    assert trouble.words in fleet.condition(trouble.claim)["message"]
    assert fleet.condition("Ready")["status"] == "False"
    fleet.until("there is an Event", lambda: fleet.events(trouble.reason), 10)
    assert len(fleet.events(trouble.reason)) == 1


def until_mended(fleet: Fleet) -> None:
    """It is Ready and says so, and nothing is left of what was wrong."""
    fleet.until_ready()
    deployments = ("deployments", "-l", f"tandem.dev/fleet={fleet.name}")
    fleet.until("the wrong revision is gone", lambda: len(fleet.get(*deployments)["items"]) == 3)
    fleet.until("it says so", lambda: fleet.events("Ready"), 10)
