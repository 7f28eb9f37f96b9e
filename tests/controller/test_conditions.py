from dataclasses import replace
from typing import Any

import pytest
from tests.controller.builders import FAILED, MEMORY, NOW, fleet, later, plan, tick
from tests.planner.builders import D, P

from tandem.api.condition import Condition, ConditionState
from tandem.api.engine_profile import EngineProfile
from tandem.api.fleet import DisaggregatedLLM
from tandem.cluster.kubernetes.api_error import api_error
from tandem.cluster.kubernetes.trouble import Trouble as PodTrouble
from tandem.controller.conditions import JUDGES, Look, conditions
from tandem.controller.loop import Tick
from tandem.controller.reasons import SAID, Reason, Trouble, Type, of_error, of_pod, of_tick
from tandem.controller.recent import Recent
from tandem.errors import InvalidInputError
from tandem.planner.from_resource import fleet_spec
from tandem.planner.observation import Figure, Missing, PodCounts
from tandem.planner.policies import state
from tandem.planner.trust import Trust, Window

TRUE, FALSE, UNKNOWN = ConditionState
FEW = {P: PodCounts(desired=2, ready=0, starting=2), D: PodCounts(desired=1, ready=1)}
CALM = {P: PodCounts(desired=1, ready=1), D: PodCounts(desired=1, ready=1)}
ABSENT: dict[str, EngineProfile] = {}


def judged(
    made: Tick | None,
    resource: DisaggregatedLLM | None = None,
    *troubles: Trouble,
    recent: Recent | None = None,
) -> dict[str, Condition]:
    look = Look(
        fleet=resource or fleet(),
        tick=made,
        now=NOW,
        troubles=troubles,
        recent=recent or (Recent() if made is None else Recent().after(made)),
    )
    return {each.type: each for each in conditions(look, (), 1)}


def found(type_: Type, made: Tick | None, *rest: Any, **more: Any) -> tuple[str, str, str]:
    claim = judged(made, *rest, **more)[type_.value]
    return claim.status.value, claim.reason, claim.message


@pytest.mark.parametrize(
    ("type_", "made", "state", "reason", "words"),
    [
        pytest.param(Type.READY, tick(), TRUE, "EnoughPods", "2 prefill and 4 decode", id="ready"),
        pytest.param(
            Type.READY, tick(pods=FEW), FALSE, "PodsStarting", "prefill 0 of 1", id="too few pods"
        ),
        pytest.param(Type.READY, FAILED, UNKNOWN, "NotLooked", "Nobody", id="never seen"),
        pytest.param(Type.RECONCILED, tick(), TRUE, "AsAsked", "all", id="reconciled"),
        pytest.param(
            Type.RECONCILED, FAILED, FALSE, "ApiError", "PUT Deployment chat", id="tick failed"
        ),
        pytest.param(Type.METRICS_FRESH, tick(), TRUE, "Fresh", "known", id="fresh"),
        pytest.param(
            Type.METRICS_FRESH,
            tick(rate_rps=Missing("no scrape for 75 s")),
            FALSE,
            "MetricsMissing",
            "no scrape for 75 s",
            id="missing",
        ),
        pytest.param(
            Type.METRICS_FRESH,
            tick(rate_rps=Figure(5.0, age_s=61.0)),
            FALSE,
            "MetricsMissing",
            "61 s old",
            id="stale",
        ),
        pytest.param(Type.SLO_MET, tick(), TRUE, "Attained", "99.5 %", id="met"),
        pytest.param(
            Type.SLO_MET, tick(met_both=Figure(98.0)), FALSE, "Missed", "98 %", id="missed"
        ),
        pytest.param(
            Type.SLO_MET,
            tick(met_both=Missing("no gateway")),
            UNKNOWN,
            "NoRequests",
            "5 minutes",
            id="nobody counted",
        ),
        pytest.param(Type.CAPACITY_AVAILABLE, tick(), TRUE, "PodsPlaced", "node", id="room"),
        pytest.param(
            Type.PROVISIONING, tick(), TRUE, "PodsStarting", "Ready: 1 prefill.", id="on their way"
        ),
        pytest.param(
            Type.PROVISIONING, tick(pods=CALM), FALSE, "NothingStarting", "there", id="all there"
        ),
        pytest.param(
            Type.PROVISIONING,
            tick(pods=CALM | {D: PodCounts(desired=3, ready=1)}),
            TRUE,
            "PodsStarting",
            "2 decode",
            id="asked for and not yet there",
        ),
        pytest.param(Type.RATIO_SATISFIED, tick(), TRUE, "WithinBounds", "2 prefill", id="ratio"),
        pytest.param(Type.MEMORY_KEPT, tick(), TRUE, "Kept", "whole", id="memory"),
        pytest.param(Type.PAUSED, tick(), FALSE, "ModeAuto", "scaled", id="not paused"),
    ],
)
def test_what_a_tick_shows_is_claimed(
    type_: Type, made: Tick, state: ConditionState, reason: str, words: str
) -> None:
    status, why, message = found(type_, made)

    assert (status, why) == (state.value, reason)
    assert words in message


@pytest.mark.parametrize(
    ("trust", "expected", "words"),
    [
        pytest.param(Trust(), ("True", "AsPredicted"), "trust is 1.0 in prefill", id="right"),
        pytest.param(
            Trust(decode=2.0, is_lost=1.0),
            ("False", "NotAsPredicted"),
            "bands of use: the model of decode is not believed, users get 4.0 times worse",
            id="off",
        ),
        pytest.param(None, ("Unknown", "NoModel"), "no model", id="a policy that asks none"),
    ],
)
def test_a_model_is_trusted_as_far_as_users_bear_it_out(
    trust: Trust | None, expected: tuple[str, str], words: str
) -> None:
    facts = {} if trust is None else state.facts(trust=trust, window=Window())
    made = tick(planned=plan(memory=replace(MEMORY, facts=facts)))
    status, reason, message = found(Type.MODEL_TRUSTED, made)

    assert (status, reason) == expected
    assert words in message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("Bands", "Replicas go by bands of use: the model of decode"),
        ("Hold", "Replicas are held: the model of decode"),
        ("Max", "Replicas go to their maximum: the model of decode"),
    ],
)
def test_a_model_that_is_not_trusted_says_what_replicas_do(answer: str, words: str) -> None:
    facts = state.facts(trust=Trust(decode=2.0, is_lost=1.0), window=Window())
    made = tick(planned=plan(memory=replace(MEMORY, facts=facts)))
    asked = fleet(autoscaling__onUntrusted=answer)

    assert found(Type.MODEL_TRUSTED, made, asked)[2].startswith(words)


@pytest.mark.parametrize(
    ("answer", "unknown_s", "words"),
    [
        ("Hold", 10.0, "so replicas are held: no scrape."),
        ("Max", 990.0, "so replicas are held for the moment: no scrape."),
        ("Max", 940.0, "so replicas go to their maximum: no scrape."),
    ],
)
def test_unknown_arrivals_say_what_replicas_do(answer: str, unknown_s: float, words: str) -> None:
    planned = plan(memory=replace(MEMORY, unknown_s=unknown_s))
    made = tick(planned=planned, rate_rps=Missing("no scrape"), now_s=1000.0)
    status, reason, message = found(Type.METRICS_FRESH, made, fleet(autoscaling__onStale=answer))

    assert (status, reason) == ("False", "MetricsMissing")
    assert message.endswith(words)


def test_a_paused_fleet_says_how_to_go_on() -> None:
    status, reason, message = found(Type.PAUSED, tick(), fleet(autoscaling__mode="Paused"))

    assert (status, reason) == ("True", "ModePaused")
    assert "autoscaling.mode" in message


def test_a_ratio_out_of_bounds_is_said() -> None:
    resource = fleet(autoscaling__ratio={"min": {"prefill": 1, "decode": 1}})

    assert found(Type.RATIO_SATISFIED, tick(), resource)[:2] == ("False", "OutOfBounds")
    assert found(Type.RATIO_SATISFIED, tick(pods=CALM), resource)[:2] == ("True", "WithinBounds")


@pytest.mark.parametrize(
    ("reason", "shows"),
    [
        pytest.param(Reason.INVALID_SPEC, {"Ready": "False", "Reconciled": "False"}, id="spec"),
        pytest.param(
            Reason.PROFILE_NOT_FOUND, {"Ready": "False", "Reconciled": "False"}, id="profile"
        ),
        pytest.param(Reason.API_ERROR, {"Reconciled": "False"}, id="API server"),
        pytest.param(Reason.TICK_FAILED, {"Reconciled": "False"}, id="tick"),
        pytest.param(
            Reason.UNSCHEDULABLE,
            {"Ready": "False", "CapacityAvailable": "False", "Provisioning": "True"},
            id="no node",
        ),
        pytest.param(
            Reason.IMAGE_PULL_FAILED, {"Ready": "False", "Provisioning": "True"}, id="image"
        ),
        pytest.param(Reason.PODS_REFUSED, {"Ready": "False", "Provisioning": "True"}, id="quota"),
        pytest.param(Reason.PODS_NOT_READY, {"Ready": "False", "Provisioning": "True"}, id="crash"),
        pytest.param(Reason.MEMORY_REBUILT, {"MemoryKept": "False"}, id="memory"),
    ],
)
def test_a_trouble_shows_under_its_reason_with_what_was_found(
    reason: Reason, shows: dict[str, str]
) -> None:
    claims = judged(tick(pods=FEW), None, Trouble(reason, "what was found."))

    told = {name: claim for name, claim in claims.items() if claim.reason == reason}
    assert {name: claim.status.value for name, claim in told.items()} == shows
    for claim in told.values():
        assert claim.message.endswith("what was found.")


def test_every_trouble_has_words_and_every_claim_a_judge() -> None:
    assert all(text.count("{}") == 1 for text in SAID.values())
    assert set(judged(tick())) == {name.value for name in Type}
    assert len(JUDGES) == len(Type)


def test_a_pod_in_trouble_does_not_unready_a_fleet_that_has_enough() -> None:
    claims = judged(tick(), None, Trouble(Reason.IMAGE_PULL_FAILED, "not found"))

    assert claims["Ready"].status is TRUE
    assert claims["Provisioning"].reason == "ImagePullFailed"


def test_engines_without_a_gateway_are_no_ready_fleet() -> None:
    claims = judged(tick(), None, Trouble(Reason.NO_GATEWAY, "chat-gateway has no Ready pod"))

    assert (claims["Ready"].status, claims["Ready"].reason) == (FALSE, "NoGateway")
    assert "chat-gateway has no Ready pod" in claims["Ready"].message


def test_metrics_are_not_missed_before_there_is_a_gateway_to_ask() -> None:
    seen = tick(arrivals=Missing("no gateway was there to read"))
    claims = judged(seen, None, Trouble(Reason.NO_GATEWAY, "chat-gateway has no Ready pod"))

    assert (claims["MetricsFresh"].status, claims["MetricsFresh"].reason) == (UNKNOWN, "NoGateway")
    assert judged(seen)["MetricsFresh"].status is FALSE


def test_a_handful_of_requests_is_no_missed_objective() -> None:
    few = judged(tick(), recent=Recent(((999.0, 19.0, 0.0),)))["SLOMet"]
    enough = judged(tick(), recent=Recent(((999.0, 20.0, 0.0),)))["SLOMet"]

    assert (few.status, few.reason) == (UNKNOWN, "TooFewRequests")
    assert (enough.status, enough.reason) == (FALSE, "Missed")


def test_of_two_troubles_the_one_that_a_person_can_mend_comes_first_and_like_ones_are_counted() -> (
    None
):
    pods = [Trouble(Reason.IMAGE_PULL_FAILED, f"chat-{n}") for n in range(3)]
    claims = judged(tick(pods=FEW), None, Trouble(Reason.PODS_NOT_READY, "exit 1"), *pods)

    assert claims["Ready"].reason == "ImagePullFailed"
    assert "chat-0" in claims["Ready"].message
    assert "2 times more" in claims["Ready"].message


def test_a_memory_that_was_rebuilt_is_said_until_it_spans_an_hour_again() -> None:
    def look(seconds: float, *troubles: Trouble) -> Look:
        return Look(fleet=fleet(), tick=tick(), now=later(seconds), troubles=troubles)

    lost = conditions(look(0, Trouble(Reason.MEMORY_REBUILT, "damaged")), (), 1)
    soon = conditions(look(3599), lost, 1)
    whole = conditions(look(3600), soon, 1)

    states = [
        next(each.status for each in told if each.type == "MemoryKept")
        for told in (lost, soon, whole)
    ]
    assert states == [FALSE, FALSE, TRUE]


def test_what_a_failed_tick_cannot_judge_stands_as_it_was() -> None:
    before = conditions(Look(fleet=fleet(), tick=tick(), now=NOW), (), 1)
    after = conditions(Look(fleet=fleet(), tick=FAILED, now=later(5)), before, 1)

    kept = {"Ready", "MetricsFresh", "SLOMet", "CapacityAvailable", "Provisioning"}
    assert [c for c in after if c.type in kept] == [c for c in before if c.type in kept]


# -- where troubles come from ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("Unschedulable", Reason.UNSCHEDULABLE),
        ("ImagePullBackOff", Reason.IMAGE_PULL_FAILED),
        ("InvalidImageName", Reason.IMAGE_PULL_FAILED),
        ("FailedCreate", Reason.PODS_REFUSED),
        ("CrashLoopBackOff", Reason.PODS_NOT_READY),
        ("OOMKilled", Reason.PODS_NOT_READY),
        ("NotReady", Reason.PODS_NOT_READY),
    ],
)
def test_kubernetes_words_have_a_reason_of_ours(word: str, reason: Reason) -> None:
    trouble = of_pod("chat-decode-0", PodTrouble(word, "0/3 nodes are available"))

    assert trouble.reason is reason
    assert trouble.words == "chat-decode-0: 0/3 nodes are available"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(InvalidInputError("spec.x", 1, "2"), Reason.INVALID_SPEC, id="spec"),
        pytest.param(
            api_error("PATCH Deployment chat", 422, {}), Reason.INVALID_SPEC, id="bad template"
        ),
        pytest.param(api_error("PUT Deployment chat", 409, {}), Reason.API_ERROR, id="conflict"),
        pytest.param(api_error("GET Pod", 0, {}), Reason.API_ERROR, id="no answer"),
        pytest.param(TimeoutError(), Reason.API_ERROR, id="slow"),
        pytest.param(ZeroDivisionError("float"), Reason.TICK_FAILED, id="ours"),
    ],
)
def test_an_error_has_a_reason_whether_it_is_raised_or_told(
    error: Exception, reason: Reason
) -> None:
    assert of_error(error).reason is reason
    if reason is not Reason.INVALID_SPEC:
        assert of_tick(f"{type(error).__name__}: {error}").reason is reason


def test_a_profile_that_is_not_there_is_told_from_one_that_does_not_fit() -> None:
    with pytest.raises(InvalidInputError) as missing:
        fleet_spec(fleet(), ABSENT)

    assert of_error(missing.value).reason is Reason.PROFILE_NOT_FOUND
    unfit = InvalidInputError("spec.prefill.pools[0].profileRef", "x", "a profile of m; it is of n")
    assert of_error(unfit).reason is Reason.INVALID_SPEC
