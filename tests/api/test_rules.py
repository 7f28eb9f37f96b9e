"""A rule says the same in CEL and in Python."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import create_model
from tests.api import cel
from tests.api.documents import PROFILE, fleet

from tandem.api import crd
from tandem.api.autoscaling import Ratio
from tandem.api.base import ApiModel
from tandem.api.engine_costs import DecodeCost, KvCache, PrefillCost
from tandem.api.engine_profile import EngineProfileSpec
from tandem.api.engine_spec import EngineSpec, KvTransfer
from tandem.api.fleet import DisaggregatedLLMSpec
from tandem.api.metrics_spec import Metrics
from tandem.api.parse import parse_fleet
from tandem.api.role_spec import Replicas
from tandem.api.schedule import Schedule
from tandem.errors import InvalidInputError
from tandem.planner.spec import RatioBounds

SMALL = st.integers(1, 6)
PAIRS = st.fixed_dictionaries({"prefill": SMALL, "decode": SMALL})
RATIOS = st.fixed_dictionaries({}, optional={"min": PAIRS, "max": PAIRS})
REPLICAS = st.tuples(SMALL, SMALL).map(lambda pair: {"min": min(pair), "max": max(pair)})
COSTS = st.sampled_from([0.0, 1e-3])
SCHEDULES = st.fixed_dictionaries(
    {"cron": st.just("0 9 * * *"), "lasts": st.just("1h")},
    optional={"prefillMin": SMALL, "decodeMin": SMALL},
)
SPEC = {
    DisaggregatedLLMSpec: st.builds(
        lambda prefill, decode, count, scaling: fleet(
            prefill__replicas=prefill,
            decode__replicas=decode,
            prefill__pools__0__accelerator__count=count,
            decode__pools__0__accelerator__count=1,
            autoscaling=scaling,
        )["spec"],
        REPLICAS,
        REPLICAS,
        SMALL,
        st.fixed_dictionaries(
            {},
            optional={
                "ratio": RATIOS,
                "budget": st.fixed_dictionaries({}, optional={"accelerators": st.integers(1, 40)}),
                "schedules": st.lists(SCHEDULES, max_size=2),
            },
        ),
    ),
    EngineProfileSpec: st.builds(
        lambda cap, tokens: PROFILE["spec"] | {"batchCap": cap, "batchTokens": tokens},
        SMALL,
        SMALL,
    ),
    Replicas: st.fixed_dictionaries({"min": SMALL, "max": SMALL}),
    Ratio: RATIOS,
    KvTransfer: st.fixed_dictionaries(
        {"lease": st.sampled_from(["5999ms", "6s", "0.1m", "5s999ms", "1h", "1s"])}
    ),
    EngineSpec: st.fixed_dictionaries(
        {
            "kvTransfer": st.fixed_dictionaries({"lease": st.sampled_from(["6s", "30s", "1m"])}),
            "drain": st.sampled_from(["10s", "11s", "35s", "34999ms", "64s", "1m5s", "2h"]),
        }
    ),
    Schedule: SCHEDULES,
    Metrics: st.fixed_dictionaries(
        {"source": st.sampled_from(["direct", "prometheus"])},
        optional={"prometheus": st.just({"url": "http://prometheus:9090"})},
    ),
    PrefillCost: st.fixed_dictionaries(
        {"aSeconds": COSTS, "bSecondsPerToken": COSTS, "cSecondsPerToken2": COSTS}
    ),
    DecodeCost: st.fixed_dictionaries(
        {"alphaSeconds": COSTS, "betaSecondsPerSequence": COSTS, "gammaSecondsPerToken": COSTS}
    ),
    KvCache: st.fixed_dictionaries(
        {"bytesPerToken": st.just(1.0), "capacityTokens": SMALL, "blockTokens": SMALL}
    ),
}
SPEC_SCHEMA = crd.schema(crd.FLEET.model)["properties"]["spec"]["properties"]
INTERVAL = SPEC_SCHEMA["autoscaling"]["properties"]["interval"]
[DURATION_RULE] = (validation["rule"] for validation in INTERVAL["x-kubernetes-validations"])
LOOSER_IN_CEL = "autoscaling.ratio"


def with_rules() -> set[type[ApiModel]]:
    """Every model that tells a rule in CEL."""
    waiting, found = list(ApiModel.__subclasses__()), set()
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if any(rule.cel for rule in model.RULES):
            found.add(model)
    return found


def test_every_rule_is_tried_here() -> None:
    assert with_rules() == SPEC.keys()


@pytest.mark.parametrize("model", SPEC, ids=lambda model: model.__name__)
@given(data=st.data())
def test_a_rule_holds_in_cel_where_it_holds_in_python(
    model: type[ApiModel], data: st.DataObject
) -> None:
    given_values = data.draw(SPEC[model])
    try:
        read = model.model_validate(given_values, strict=False)
    except ValueError as error:
        [broken, *_] = error.errors()  # type: ignore[attr-defined]
        _refused_in_cel_too(model, given_values, broken)
        return
    stored = read.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert all(cel.holds(rule.cel, stored) for rule in model.RULES if rule.cel)


def _refused_in_cel_too(model: type[ApiModel], values: Any, broken: dict[str, Any]) -> None:
    if broken["loc"]:
        return  # a part of this model broke a rule of its own, which is tried by itself
    rule = next(rule for rule in model.RULES if rule.field == broken["ctx"]["field"])
    if rule.field != LOOSER_IN_CEL:
        assert not cel.holds(rule.cel, _stored(model, values))


def _stored(model: type[ApiModel], values: Any) -> Any:
    """Values with every default, of a model that would refuse them."""
    unruled = create_model(model.__name__, __base__=model)
    unruled.RULES = ()
    return unruled.model_validate(values, strict=False).model_dump(
        mode="json", by_alias=True, exclude_none=True
    )


@given(ratio=RATIOS, prefill=REPLICAS, decode=REPLICAS)
def test_a_ratio_is_refused_where_the_planner_would_find_no_pair(
    ratio: dict[str, Any], prefill: dict[str, int], decode: dict[str, int]
) -> None:
    assume(not _crossed(ratio))
    bounds = Ratio.model_validate(ratio, strict=False)
    spans = [range(role["min"], role["max"] + 1) for role in (prefill, decode)]
    low, high = ((pair.prefill, pair.decode) if pair else None for pair in (bounds.min, bounds.max))
    planner = RatioBounds(lowest=low, highest=high)

    found = any(planner.allow(p, d) for p in spans[0] for d in spans[1])

    assert bounds.is_met_by_some(*spans) == found


def _crossed(ratio: dict[str, Any]) -> bool:
    if len(ratio) < 2:
        return False
    low, high = ratio["min"], ratio["max"]
    return bool(low["prefill"] * high["decode"] > high["prefill"] * low["decode"])


def test_between_two_pairs_of_integers_only_python_refuses() -> None:
    document = fleet(
        prefill__replicas={"min": 1, "max": 1},
        decode__replicas={"min": 1, "max": 2},
        autoscaling__ratio={"min": {"prefill": 2, "decode": 3}, "max": {"prefill": 3, "decode": 4}},
    )
    rule = next(rule for rule in DisaggregatedLLMSpec.RULES if rule.field == LOOSER_IN_CEL)

    assert cel.holds(rule.cel, document["spec"])
    with pytest.raises(InvalidInputError, match=r"^spec\.autoscaling\.ratio: "):
        parse_fleet(document)


@given(text=st.from_regex(r"\A[0-9]{1,5}(\.[0-9])?(ms|s|m|h)([0-9]{1,3}s)?\Z"))
def test_a_duration_is_bounded_alike_in_both_languages(text: str) -> None:
    try:
        parse_fleet(fleet(autoscaling__interval=text))
        taken = True
    except InvalidInputError:
        taken = False

    assert cel.holds(DURATION_RULE, text) == taken
