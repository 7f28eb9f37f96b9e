import json
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from tests.controller.builders import (
    CLAMP,
    FAILED,
    NOW,
    PREDICTION,
    change,
    condition,
    fleet,
    later,
    plan,
    tick,
)
from tests.examples import fewer
from tests.planner.builders import ENGINE, D, P, costing, pair, spec

from tandem.api import crd
from tandem.api.autoscaling import Mode
from tandem.api.condition import Condition, ConditionState
from tandem.api.fleet_status import MOST_BYTES, FleetStatus, Phase
from tandem.api.policy_names import BOTTLENECKS
from tandem.controller.loop import Tick
from tandem.controller.reasons import SAID, Reason, Trouble
from tandem.controller.recent import Recent
from tandem.controller.status import fleet_status, percent, should_write, written
from tandem.planner.cells import NO_CELLS, Cells
from tandem.planner.model import Bottleneck, Decision, Memory, Plan, RunnerUp, Sums
from tandem.planner.observation import (
    Figure,
    LengthCounts,
    Missing,
    Observation,
    PodCounts,
    Traffic,
)
from tandem.planner.plan import plan as real_plan

PRICED = spec(profile=costing(ENGINE, cost_per_hour=2.5))


def status(**changes: object) -> FleetStatus:
    given_ = {"spec": PRICED, **changes}
    return fleet_status(fleet(), tick(changes=[change()]), None, 7, NOW, **given_)  # type: ignore[arg-type]


def test_a_whole_tick_fills_every_block() -> None:
    told = written(status(), "team", "chat")["status"]

    claims = {each["type"]: (each["status"], each["reason"]) for each in told.pop("conditions")}
    assert claims == {
        "Ready": ("True", "EnoughPods"),
        "Reconciled": ("True", "AsAsked"),
        "MetricsFresh": ("True", "Fresh"),
        "SLOMet": ("True", "Attained"),
        "CapacityAvailable": ("True", "PodsPlaced"),
        "Provisioning": ("True", "PodsStarting"),
        "RatioSatisfied": ("True", "WithinBounds"),
        "ModelTrusted": ("Unknown", "NoModel"),
        "MemoryKept": ("True", "Kept"),
        "Paused": ("False", "ModeAuto"),
    }
    counted = ["arrivals", "dispersion", "lengths", "prompts", "finished", "metBoth"]
    never = [{"figure": name, "reason": "never read"} for name in ("metTTFT", "metTPOT")]
    assert told == {
        "observedGeneration": 7,
        "phase": "Ready",
        "roles": {
            "prefill": {
                "desired": 3,
                "current": 3,
                "ready": 2,
                "starting": 1,
                "draining": 0,
                "readyOfDesired": "2/3",
            },
            "decode": {
                "desired": 4,
                "current": 4,
                "ready": 4,
                "starting": 0,
                "draining": 1,
                "readyOfDesired": "4/4",
            },
        },
        "ratio": {"current": "2:4", "optimal": "3:5"},
        "slo": {
            "attainment": 0.995,
            "attainmentPercent": "99.5%",
            "ttftP50": "200ms",
            "ttftP95": "450ms",
            "ttftP99": "500ms",
            "tpotP50": "20ms",
            "tpotP95": "31ms",
            "exactness": {
                "exact": [*counted, "queuedRequests", "queuedTokens"],
                "bounds": [],
                "missing": never,
            },
        },
        "bottleneck": "decodeCompute",
        "cost": {"perHour": "20.00", "per1kTokens": "0.003704"},
        "lastDecision": {
            "time": "2026-05-01T12:00:00Z",
            "inputs": {
                "arrivalsPerSecond": 10.0,
                "arrivalDispersion": 1.25,
                "meanInputTokens": 1250.0,
                "meanCachedTokens": 150.0,
                "meanOutputTokens": 150.0,
                "queuedRequests": 0.0,
                "ageSeconds": 0.0,
            },
            "unclamped": {"prefill": 3, "decode": 5},
            "clamps": [
                {
                    "limit": "max",
                    "role": "decode",
                    "before": 5,
                    "after": 4,
                    "reason": "the role's maximum",
                }
            ],
            "final": {"prefill": 3, "decode": 4},
            "reason": "prefill: 10 requests/s now: 3 prefill | decode: max 5 -> 4",
            "counterfactual": {
                "replicas": {"prefill": 2, "decode": 5},
                "reason": "attains 98.2 %, short of 99 %",
            },
            "nextReview": "2026-05-01T12:00:05Z",
        },
        "history": [
            {
                "time": "2026-05-01T12:00:00Z",
                "role": "prefill",
                "before": 2,
                "after": 3,
                "reason": "more load",
            }
        ],
    }


def test_the_body_of_an_apply_names_the_fleet() -> None:
    body = written(status(), "team", "chat")

    assert body["kind"] == "DisaggregatedLLM"
    assert body["metadata"] == {"name": "chat", "namespace": "team"}


def test_what_the_real_planner_says_can_be_told() -> None:
    seen = tick(finished=Missing("no gateway"), met_both=Missing("no gateway")).observation
    assert seen is not None
    decided = real_plan(seen, Memory(), spec())

    told = fleet_status(fleet(), tick(planned=decided), None, 1, NOW, spec=spec())

    assert told.last_decision is not None
    assert told.last_decision.inputs.arrivals_per_second == 20.0
    assert told.slo is not None
    assert told.slo.ttft_p50 is not None


def test_figures_that_decide_nothing_wait_until_a_status_is_written() -> None:
    asked: list[None] = []
    predicted = replace(plan(), predicted=lambda: asked.append(None))
    before = fleet_status(fleet(), tick(), None, 1, NOW)
    now = tick(changes=[change()], planned=predicted)

    after = fleet_status(fleet(), now, before, 1, later(5), whole=False)

    assert not asked, "a prediction costs as much as half a plan"
    assert should_write(before, after, NOW, later(5)), "what was decided is told at once"
    assert after.slo == before.slo


def test_what_is_not_known_is_not_there() -> None:
    blind = tick(
        planned=plan(prediction=None, memory=Memory(), runner_up=None),
        rate_rps=Missing("no scrape"),
        finished=Missing("no scrape"),
        queued_requests=Missing("no scrape"),
    )
    told = written(fleet_status(fleet(), blind, None, 1, NOW, spec=spec()), "n", "f")["status"]

    assert "cost" not in told
    assert set(told["slo"]) == {"exactness"}
    assert set(told["lastDecision"]["inputs"]) == {"ageSeconds"}
    assert "counterfactual" not in told["lastDecision"]


def test_a_figure_is_exact_a_bound_missing_or_too_old() -> None:
    looked = tick(
        met_both=Figure(9.0, exact=False),
        met_ttft=Figure(9.0, age_s=61.0),
        running={P: Figure(1.0), D: Missing("no decode pod was ready")},
    )
    told = fleet_status(fleet(), looked, None, 1, NOW)

    assert told.slo is not None
    found = told.slo.exactness
    assert found is not None
    assert "running.prefill" in found.exact
    assert found.bounds == ("metBoth",)
    assert {each.figure: each.reason for each in found.missing} == {
        "metTTFT": "61 s old",
        "metTPOT": "never read",
        "running.decode": "no decode pod was ready",
    }


def test_a_tick_that_failed_leaves_what_was_told_and_says_so() -> None:
    before = status()
    after = fleet_status(fleet(), FAILED, before, 7, later(5))

    assert after.roles == before.roles
    assert after.last_decision == before.last_decision
    assert after.history == before.history
    assert condition(after, "Ready").status is ConditionState.TRUE
    assert condition(after, "Reconciled").reason == "ApiError"


def test_a_resource_that_cannot_be_carried_out_is_invalid() -> None:
    trouble = Trouble(Reason.INVALID_SPEC, "spec.prefill.pools[0]: 2 is not allowed: 1")
    told = fleet_status(None, None, None, 3, NOW, troubles=[trouble])

    assert told.phase is Phase.INVALID
    assert told.observed_generation == 3
    assert condition(told, "Ready").reason == "InvalidSpec"


def test_a_paused_fleet_shows_the_replicas_that_it_keeps() -> None:
    told = fleet_status(fleet(autoscaling__mode="Paused"), tick(), None, 1, NOW)

    assert told.phase is Phase.PAUSED
    assert told.roles is not None
    assert told.roles.prefill.ready_of_desired == "2/2"
    assert told.last_decision is not None
    assert told.last_decision.final.prefill == 3


def test_a_reason_that_roles_share_is_told_once() -> None:
    held = {role: Decision(target=1, unclamped=1, reason="held: no scrape") for role in (P, D)}
    told = fleet_status(fleet(), tick(planned=plan(roles=held)), None, 1, NOW)

    assert told.last_decision is not None
    assert told.last_decision.reason == "held: no scrape"


def test_the_last_ten_changes_are_told_the_newest_first() -> None:
    told = None
    for n in range(12):
        changed = tick(changes=[change(before=n, after=n + 1)])
        told = fleet_status(fleet(), changed, told, 1, later(n))

    assert told is not None
    assert [each.after for each in told.history] == list(range(12, 2, -1))


@pytest.mark.parametrize(
    ("share", "text"),
    [
        pytest.param(1.0, "100%", id="all"),
        pytest.param(0.999999, "99.999%", id="a miss is never all"),
        pytest.param(0.995, "99.5%", id="no zero at the end"),
        pytest.param(0.991, "99.1%", id="no rounding error"),
        pytest.param(0.98765, "98.7%", id="coarser away from all"),
        pytest.param(0.5, "50%", id="half"),
        pytest.param(0.0, "0%", id="none"),
    ],
)
def test_a_share_reads_well(share: float, text: str) -> None:
    assert percent(share) == text


def quiet(**changes: object) -> FleetStatus:
    told = fleet_status(fleet(), tick(), None, 1, NOW)
    return told.model_copy(update=changes)


def ready(state: ConditionState, reason: str, message: str = "") -> Condition:
    return Condition(
        type="Ready", status=state, reason=reason, message=message, last_transition_time=NOW
    )


DECIDED = quiet().last_decision
assert DECIDED is not None
TRUE, FALSE = ConditionState.TRUE, ConditionState.FALSE


@pytest.mark.parametrize(
    ("changes", "after_s", "writes"),
    [
        pytest.param({}, 29.0, False, id="nothing new"),
        pytest.param({}, 30.0, True, id="half a minute later"),
        pytest.param({"phase": Phase.STARTING}, 1.0, True, id="phase"),
        pytest.param({"observed_generation": 2}, 1.0, True, id="generation"),
        pytest.param(
            {"last_decision": DECIDED.model_copy(update={"time": later(5)})},
            1.0,
            False,
            id="the same decision again",
        ),
        pytest.param(
            {"last_decision": DECIDED.model_copy(update={"final": DECIDED.unclamped})},
            1.0,
            True,
            id="decision",
        ),
        pytest.param(
            {"conditions": (ready(FALSE, "PodsStarting"),)}, 1.0, True, id="condition turned"
        ),
        pytest.param({"conditions": (ready(TRUE, "Other"),)}, 1.0, True, id="another reason"),
        pytest.param(
            {"conditions": (ready(TRUE, "EnoughPods", "3 pods"),)},
            1.0,
            False,
            id="other figures in a message",
        ),
    ],
)
def test_a_status_is_written_on_a_change_else_every_half_minute(
    changes: dict[str, object], after_s: float, *, writes: bool
) -> None:
    before = quiet(conditions=(ready(TRUE, "EnoughPods", "2 pods"),))
    after = before.model_copy(update=changes)

    assert should_write(before, after, NOW, later(after_s)) is writes


def test_the_first_status_is_written_at_once() -> None:
    assert should_write(None, quiet(), None, NOW)
    assert should_write(quiet(), quiet(), None, NOW)


# -- properties ------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["x" * 2000, '"\\' * 2000, "ä" * 2000, "𝄞" * 2000, "\x00" * 2000, "a\nb"])
COUNTS = st.builds(
    PodCounts, **dict.fromkeys(("desired", "ready", "starting"), st.integers(0, 4096))
)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
READINGS = st.one_of(TEXTS.map(Missing), st.builds(Figure, NUMBERS, NUMBERS, st.booleans()))
CELLS = st.lists(
    st.tuples(st.just(10**7), st.just(0), st.just(10**7), st.floats(1e-3, 1e6)), max_size=3
).map(lambda rows: Cells.of(*rows))


@dataclass(frozen=True)
class Wild:
    """What a broken exporter, a broken planner or a huge fleet might say."""

    text: str
    pods: PodCounts
    reading: Figure | Missing
    number: float
    cells: Cells

    def tick(self) -> Tick:
        return Tick(
            observation=Observation(
                now_s=1000.0, pods={P: self.pods, D: self.pods}, traffic=self.traffic()
            ),
            plan=self.plan(),
            changes=(change(reason=self.text),) * 20,
        )

    def traffic(self) -> Traffic:
        figure, per_role = self.reading, {P: self.reading, D: self.reading}
        return Traffic(
            arrivals=figure,
            dispersion=figure,
            lengths=figure if isinstance(figure, Missing) else LengthCounts(),
            prompts=figure if isinstance(figure, Missing) else LengthCounts(),
            finished=figure,
            met_ttft=figure,
            met_tpot=figure,
            met_both=figure,
            queued_requests=figure,
            queued_tokens=figure,
            running=per_role,
            kv_usage=per_role,
            utilisation=per_role,
        )

    def plan(self) -> Plan:
        clamp = replace(CLAMP, limit=self.text, reason=self.text)
        decision = Decision(target=9, unclamped=9, reason=self.text, clamps=(clamp,) * 40)
        quantiles = (self.number,) * 4
        return plan(
            roles={P: decision, D: replace(decision, reason=f"{self.text}!")},
            memory=Memory(
                rates=((1.0, 5.0, 1e5),),
                cells=self.cells,
                dispersion=self.number,
                times={P: Sums(2.0, 1.0, 100.0)},
            ),
            prediction=replace(PREDICTION, ttft_s=quantiles, tpot_s=quantiles),
            runner_up=RunnerUp(replicas=pair(1, 1), reason=self.text),
        )


SCHEMA = Draft4Validator(crd.schema(crd.FLEET.model)["properties"]["status"])


@given(st.builds(Wild, TEXTS, COUNTS, READINGS, NUMBERS, CELLS))
@fewer(60)
def test_no_status_is_larger_than_its_bound_or_refused_by_the_schema(wild: Wild) -> None:
    troubles = [Trouble(reason, wild.text) for reason in SAID]

    told = fleet_status(fleet(), wild.tick(), None, 1, NOW, spec=PRICED, troubles=troubles)

    body = written(told, "team", "chat")["status"]
    assert len(json.dumps(body)) <= MOST_BYTES
    SCHEMA.validate(body)
    assert FleetStatus.model_validate_json(json.dumps(body)) == told


def test_the_largest_status_uses_the_bound() -> None:
    told = fleet_status(
        fleet(),
        Wild("𝄞" * 2000, PodCounts(), Missing("𝄞" * 200), 1.0, NO_CELLS).tick(),
        None,
        1,
        NOW,
        troubles=[Trouble(reason, "𝄞" * 2000) for reason in SAID],
    )

    assert len(json.dumps(written(told, "team", "chat")["status"])) > MOST_BYTES // 2


LOOKS = st.lists(
    st.tuples(
        st.booleans(),  # whether the tick fails
        st.integers(0, 2),  # ready pods of each role
        st.sampled_from([None, *SAID]),
        st.sampled_from([Figure(1.0), Missing("no scrape")]),
        st.sampled_from(Mode),
        st.floats(0.0, 2.0),  # of those that ended, how many met both
    ),
    min_size=1,
    max_size=8,
)


@given(LOOKS)
@fewer(60)
def test_the_transition_time_of_a_condition_moves_only_when_its_status_does(
    looks: list[tuple[bool, int, Reason | None, Figure | Missing, Mode, float]],
) -> None:
    told: FleetStatus | None = None
    for n, (fails, pods, reason, arrivals, mode, met) in enumerate(looks):
        counts = {role: PodCounts(desired=2, ready=pods) for role in (P, D)}
        made = tick(
            pods=counts, rate_rps=arrivals, finished=Figure(2.0), met_both=Figure(met), now_s=n
        )
        after = fleet_status(
            fleet(autoscaling__mode=mode.value),
            FAILED if fails else made,
            told,
            n,
            later(60 * n),
            troubles=[] if reason is None else [Trouble(reason, "words")],
        )
        old = {each.type: each for each in told.conditions} if told else {}
        for each in after.conditions:
            was = old.get(each.type)
            moved = was is None or was.last_transition_time != each.last_transition_time
            assert moved == (was is None or was.status is not each.status)
        assert len({each.type for each in after.conditions}) == len(after.conditions)
        told = after


def test_every_bottleneck_has_the_name_that_a_status_takes() -> None:
    assert {each.value for each in Bottleneck} == set(BOTTLENECKS)


def test_a_window_of_looks_gives_attainment_where_one_look_has_no_requests() -> None:
    idle = tick(finished=Figure(0.0), met_both=Figure(0.0), now_s=1010.0)
    recent = Recent().after(tick(finished=Figure(4.0), met_both=Figure(3.0))).after(idle)
    told = fleet_status(fleet(), idle, None, 1, NOW, recent=recent)

    assert told.slo is not None
    assert told.slo.attainment_percent == "75%"
