import datetime as dt
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import ValidationError
from tests.api.documents import Document, fleet, profile

from tandem.api.autoscaling import Mode
from tandem.api.parse import parse_fleet, parse_profile
from tandem.api.policy_names import POLICY_NAMES
from tandem.errors import InvalidInputError

NINE = {"cron": "0 9 * * 1-5", "lasts": "8h", "decodeMin": 2}
TWO_POOLS = [
    {"name": name, "accelerator": {"name": "nvidia-h200"}, "profileRef": "p"} for name in "ab"
]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param(
            fleet(prefill__replicas={"min": 5, "max": 4}),
            "spec.prefill.replicas.min: 5 is not allowed: at most replicas.max",
            id="min above max",
        ),
        pytest.param(
            fleet(decode__replicas={"min": 0}),
            "spec.decode.replicas.min: 0 is not allowed: 1 or more",
            id="scale to zero",
        ),
        pytest.param(
            fleet(
                prefill__replicas={"max": 2},
                decode__replicas={"min": 9},
                autoscaling__ratio={"min": {"prefill": 1, "decode": 4}},
            ),
            "spec.autoscaling.ratio: {'min': {'prefill': 1, 'decode': 4}} is not allowed: bounds"
            " that some pair of replicas within replicas.min and replicas.max meets",
            id="ratio out of reach",
        ),
        pytest.param(
            fleet(
                autoscaling__ratio={
                    "min": {"prefill": 1, "decode": 1},
                    "max": {"prefill": 1, "decode": 2},
                }
            ),
            "spec.autoscaling.ratio.min: {'prefill': 1, 'decode': 1} is not allowed:"
            " at most ratio.max",
            id="ratio bounds crossed",
        ),
        pytest.param(
            fleet(autoscaling__schedules=[NINE | {"cron": "0 25 * * *"}]),
            "spec.autoscaling.schedules[0].cron: '0 25 * * *' is not allowed: minute, hour, day of"
            " the month, month and day of the week, as cron reads them, that some moment meets,"
            " such as 0 9 * * 1-5",
            id="no cron line",
        ),
        pytest.param(
            fleet(autoscaling__schedules=[NINE, NINE | {"timezone": "Europe/Atlantis"}]),
            "spec.autoscaling.schedules[1].timezone: 'Europe/Atlantis' is not allowed: a name of"
            " the IANA time zone database, such as UTC or Europe/Berlin",
            id="no time zone",
        ),
        pytest.param(
            fleet(
                decode__replicas={"max": 8},
                autoscaling__schedules=[NINE, NINE | {"prefillMin": 64, "decodeMin": 9}],
            ),
            "spec.autoscaling.schedules[1].decodeMin: 9 is not allowed: at most replicas.max of"
            " the role",
            id="floor above the maximum",
        ),
        pytest.param(
            fleet(autoscaling__schedules=[{"cron": "0 9 * * *", "lasts": "8h"}]),
            "spec.autoscaling.schedules[0].cron: '0 9 * * *' is not allowed: moments of a floor:"
            " prefillMin, decodeMin or both beside it",
            id="schedule without a floor",
        ),
        pytest.param(
            fleet(autoscaling__schedules=[{"cron": "0 9 * * *", "prefillMin": 2}]),
            "spec.autoscaling.schedules[0].lasts: None is not allowed: a value is required",
            id="schedule without an end",
        ),
        pytest.param(
            fleet(autoscaling__schedules=[NINE] * 33),
            "spec.autoscaling.schedules: 33 is not allowed: a list of at most 32",
            id="too many schedules",
        ),
        pytest.param(
            fleet(autoscaling__onUntrusted="Panic"),
            "spec.autoscaling.onUntrusted: 'Panic' is not allowed: 'Bands', 'Hold' or 'Max'",
            id="no such answer to a wrong model",
        ),
        pytest.param(
            fleet(
                prefill__replicas={"min": 3},
                prefill__pools__0__accelerator__count=2,
                autoscaling__budget={"accelerators": 6},
            ),
            "spec.autoscaling.budget.accelerators: 6 is not allowed: at least the accelerators of"
            " replicas.min of all roles together",
            id="budget below the minima",
        ),
        pytest.param(
            fleet(slo__ttft__target="half a second"),
            "spec.slo.ttft.target: 'half a second' is not allowed: a duration above 0s and at most"
            " 24h, such as 500ms, 2s, 1m30s or 1h",
            id="no duration",
        ),
        pytest.param(
            fleet(autoscaling__interval="0s"),
            "spec.autoscaling.interval: '0s' is not allowed: a duration above 0s and at most"
            " 24h, such as 500ms, 2s, 1m30s or 1h",
            id="duration of zero",
        ),
        pytest.param(
            fleet(engine__kvTransfer__lease="5900ms"),
            "spec.engine.kvTransfer.lease: '5900ms' is not allowed: at least 6s, or an engine"
            " cannot renew a lease in time",
            id="lease too short",
        ),
        pytest.param(
            fleet(prefill__replica={"min": 1}),
            "spec.prefill: 'replica' is not allowed: one of replicas, pools",
            id="unknown field",
        ),
        pytest.param(
            fleet(prefill__pools__0__profile_ref="p"),
            "spec.prefill.pools[0]: 'profile_ref' is not allowed:"
            " one of profileRef, accelerator, template, name",
            id="snake case",
        ),
        pytest.param(
            fleet(metrics__source="prometheus"),
            "spec.metrics.source: 'prometheus' is not allowed: direct, or prometheus together with"
            " metrics.prometheus.url",
            id="prometheus without a server",
        ),
        pytest.param(
            fleet(engine__drain="34s"),
            "spec.engine.drain: '34s' is not allowed: at least kvTransfer.lease and 5s, or KV that a"
            " decode pod waits for is lost",
            id="drain shorter than a lease",
        ),
        pytest.param(
            fleet() | {"specs": {}},
            "document: 'specs' is not allowed: one of spec, apiVersion, status, metadata, kind",
            id="unknown field at the top",
        ),
        pytest.param(
            fleet(autoscaling__policy__name="magic"),
            "spec.autoscaling.policy.name: 'magic' is not allowed: one of "
            + ", ".join(POLICY_NAMES),
            id="unknown policy",
        ),
        pytest.param(
            fleet(autoscaling__policy__parameters={"target": "high"}),
            "spec.autoscaling.policy.parameters.target: 'high' is not allowed: a number",
            id="parameter no number",
        ),
        pytest.param(
            fleet(autoscaling__mode="auto"),
            "spec.autoscaling.mode: 'auto' is not allowed: 'Auto' or 'Paused'",
            id="unknown mode",
        ),
        pytest.param(
            fleet(prefill__replicas={"min": "1"}),
            "spec.prefill.replicas.min: '1' is not allowed: a whole number",
            id="text for a number",
        ),
        pytest.param(
            fleet(prefill__pools__0__accelerator__costPerHour=4.1),
            "spec.prefill.pools[0].accelerator.costPerHour: 4.1 is not allowed: a text",
            id="number for a quantity",
        ),
        pytest.param(
            fleet(slo__attainment=1),
            "spec.slo.attainment: 1 is not allowed: below 1",
            id="attainment of one",
        ),
        pytest.param(
            fleet(slo__attainment=float("nan")),
            "spec.slo.attainment: nan is not allowed: a finite number",
            id="not a number",
        ),
        pytest.param(
            fleet(slo={"tpot": {"target": "40ms"}}),
            "spec.slo.ttft: None is not allowed: a value is required",
            id="no target",
        ),
        pytest.param(
            fleet(slo__ttft="500ms"),
            "spec.slo.ttft: '500ms' is not allowed: a mapping of fields to values",
            id="text for a mapping",
        ),
        pytest.param(
            fleet(decode__pools=TWO_POOLS),
            "spec.decode.pools: 2 is not allowed: a list of at most 1",
            id="two pools",
        ),
        pytest.param(
            fleet(decode__pools=[]),
            "spec.decode.pools: 0 is not allowed: a list of at least 1",
            id="no pool",
        ),
        pytest.param(
            fleet() | {"kind": "Deployment"},
            "kind: 'Deployment' is not allowed: 'DisaggregatedLLM'",
            id="another kind",
        ),
        pytest.param(
            fleet() | {"metadata": {"name": "Chat!"}},
            "metadata.name: 'Chat!' is not allowed: up to 40 lower-case letters, digits and '-', a"
            " letter first, such as chat",
            id="no name",
        ),
    ],
)
def test_a_mistake_in_a_fleet_is_one_line(document: Document, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_fleet(document)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param(
            profile(prefill__aSeconds=0, prefill__bSecondsPerToken=0),
            "spec.prefill.aSeconds: 0.0 is not allowed: aSeconds or bSecondsPerToken above zero",
            id="prompts for nothing",
        ),
        pytest.param(
            profile(decode__alphaSeconds=0, decode__betaSecondsPerSequence=0),
            "spec.decode.alphaSeconds: 0.0 is not allowed: alphaSeconds or betaSecondsPerSequence"
            " above zero",
            id="tokens for nothing",
        ),
        pytest.param(
            profile(kv__capacityTokens=15),
            "spec.kv.capacityTokens: 15 is not allowed: at least kv.blockTokens",
            id="no block",
        ),
        pytest.param(
            profile(batchTokens=255),
            "spec.batchTokens: 255 is not allowed: at least batchCap",
            id="batch larger than a step",
        ),
        pytest.param(
            profile(coldStart=[{"stage": "image", "seconds": 1}] * 2),
            "spec.coldStart: [{'stage': 'image', 'seconds': 1.0}, {'stage': 'image',"
            " 'seconds': 1.0}] is not allowed: stages of different names",
            id="stage twice",
        ),
        pytest.param(
            profile(firstToken="encode"),
            "spec.firstToken: 'encode' is not allowed: 'prefill' or 'decode'",
            id="unknown role",
        ),
    ],
)
def test_a_mistake_in_a_profile_is_one_line(document: Document, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_profile(document)

    assert str(caught.value) == message


def test_what_is_not_given_has_the_defaults_of_the_reference() -> None:
    spec = parse_fleet(fleet()).spec

    assert (spec.prefill.replicas.min, spec.prefill.replicas.max) == (1, 64)
    assert spec.slo.attainment == 0.99
    assert spec.autoscaling.mode is Mode.AUTO
    assert spec.autoscaling.policy.name == "tandem"
    assert spec.autoscaling.interval == "5s"
    assert spec.metrics.max_age == "60s"
    assert spec.autoscaling.schedules == ()
    assert (spec.autoscaling.on_stale, spec.autoscaling.on_untrusted) == ("Hold", "Bands")
    assert spec.gateway.routing.order == "feasible-first"
    assert spec.engine.kv_transfer.lease == "30s"


def test_a_status_is_never_read_back() -> None:
    written_by_a_later_version = fleet() | {"status": {"phase": "Levitating", "colour": 3}}

    assert parse_fleet(written_by_a_later_version) == parse_fleet(fleet())


def test_metadata_may_hold_what_the_api_server_adds() -> None:
    metadata = {
        "name": "chat",
        "uid": "7",
        "labels": {"a": "b"},
        "creationTimestamp": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    }

    assert parse_fleet(fleet() | {"metadata": metadata}).metadata.name == "chat"


def test_a_document_may_be_any_mapping() -> None:
    def read_only(value: Any) -> Any:
        if isinstance(value, dict):
            return MappingProxyType({key: read_only(item) for key, item in value.items()})
        return value

    assert parse_fleet(read_only(fleet())) == parse_fleet(fleet())


def test_a_document_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"^document: \[\] is not allowed: a mapping"):
        parse_fleet([])  # type: ignore[arg-type]


def test_a_resource_cannot_be_changed() -> None:
    parsed = parse_fleet(fleet())

    with pytest.raises(ValidationError, match="frozen"):
        parsed.spec.slo.attainment = 0.5  # type: ignore[misc]
