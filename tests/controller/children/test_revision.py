import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api import documents
from tests.controller.children import builders
from tests.examples import fewer

from tandem.api.role import Role
from tandem.controller.children import children, revision

POOL: dict[str, Any] = documents.POOL
OTHER_PRICE = POOL | {"accelerator": {"name": "nvidia-h200", "costPerHour": "9"}}
LABELLED = POOL | {"template": {"metadata": {"labels": {"team": "chat"}}}}

UNTOUCHED: dict[str, dict[str, Any]] = {
    "the SLO": {"slo__ttft__target": "900ms", "slo__attainment": 0.9},
    "autoscaling": {"autoscaling": {"mode": "Paused", "interval": "9s"}},
    "bounds": {"decode__replicas": {"min": 3, "max": 9}},
    "the gateway": {"gateway": {"routing": {"order": "edf"}}},
    "metrics": {"metrics": {"maxAge": "9s"}},
    "a price": {"decode__pools": [OTHER_PRICE]},
    "another profile": {"decode__pools": [POOL | {"profileRef": "other"}]},
}
CHANGED: dict[str, dict[str, Any]] = {
    "the model": {"model__name": "org/other"},
    "its folder": {"model__source": {"path": "/models/m"}},
    "its context": {"model__maxContext": 4096},
    "the engine": {"engine__type": "emulator"},
    "its image": {"engine__image": "other:2"},
    "its arguments": {"engine__args": ["--cpu-core=1"]},
    "its environment": {"engine__env": [{"name": "A", "value": "b"}]},
    "the lease": {"engine__kvTransfer": {"lease": "20s"}},
    "the drain": {"engine__drain": "50s"},
    "one role's template": {"prefill__pools": [LABELLED]},
    "one role's accelerators": {"decode__pools__0__accelerator__count": 2},
    "one role's pool": {"decode__pools__0__name": "b200"},
}


def deployments(**changes: Any) -> list[str]:
    fleet = builders.fleet(**changes)
    return [json.dumps(builders.engines(fleet, role)) for role in Role]


@pytest.mark.parametrize("changes", UNTOUCHED.values(), ids=UNTOUCHED)
def test_an_edit_that_engines_do_not_read_changes_no_byte_of_their_deployments(
    changes: dict[str, Any],
) -> None:
    assert deployments(**changes) == deployments()


@pytest.mark.parametrize("changes", CHANGED.values(), ids=CHANGED)
def test_an_edit_that_engines_read_makes_new_deployments_of_both_roles(
    changes: dict[str, Any],
) -> None:
    before, after = builders.fleet(), builders.fleet(**changes)
    for role in Role:
        old, new = builders.engines(before, role), builders.engines(after, role)
        assert old["metadata"]["name"] != new["metadata"]["name"]
        assert old["spec"]["selector"] != new["spec"]["selector"]


def test_another_image_of_the_operators_choice_is_another_revision_of_who_uses_it() -> None:
    fleet, own = builders.fleet(), builders.fleet(engine__image="own:1")
    newer = replace(builders.IMAGES, vllm="tandem/engine-vllm:2", gateway="tandem/gateway:2")
    assert revision(fleet, newer) != revision(fleet, builders.IMAGES)
    assert revision(own, newer) == revision(own, builders.IMAGES)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(UNTOUCHED["the SLO"], id="SLO"),
        pytest.param(UNTOUCHED["the gateway"], id="gateway"),
        pytest.param(CHANGED["the lease"], id="lease"),
        pytest.param(CHANGED["the drain"], id="drain"),
        pytest.param(CHANGED["the model"], id="model"),
    ],
)
def test_an_edit_that_the_gateway_reads_makes_a_new_one(changes: dict[str, Any]) -> None:
    assert builders.gateway(builders.fleet(**changes)) != builders.gateway(builders.fleet())


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(UNTOUCHED["autoscaling"], id="autoscaling"),
        pytest.param(UNTOUCHED["metrics"], id="metrics"),
        pytest.param(CHANGED["its context"], id="context"),
        pytest.param(CHANGED["one role's template"], id="template"),
    ],
)
def test_the_gateway_outlives_an_edit_that_it_does_not_read(changes: dict[str, Any]) -> None:
    assert builders.gateway(builders.fleet(**changes)) == builders.gateway(builders.fleet())


edits = st.lists(st.sampled_from([*UNTOUCHED.values(), *CHANGED.values()]), max_size=4)


def merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {path: value for part in parts for path, value in part.items()}


@fewer(40)
@given(edits, edits)
def test_the_revision_changes_when_and_only_when_the_pods_do(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    one, other = builders.fleet(**merged(first)), builders.fleet(**merged(second))
    same_pods = all(unmarked(one, role) == unmarked(other, role) for role in Role)
    same_revision = revision(one, builders.IMAGES) == revision(other, builders.IMAGES)
    assert same_pods == same_revision


def unmarked(fleet: Any, role: Role) -> Any:
    """The pod template without the revision itself."""
    template = builders.engines(fleet, role)["spec"]["template"]
    del template["metadata"]["labels"]["tandem.dev/revision"]
    return template


def test_another_timing_in_a_profile_makes_a_new_gateway_and_leaves_engines_alone() -> None:
    fleet = builders.fleet(engine__type="emulator")
    slower = replace(builders.PROFILE, batch_cap=7)
    before = builders.rendered(fleet)
    after = children(
        fleet, builders.OWNER, builders.NAMESPACE, dict.fromkeys(Role, slower), builders.IMAGES
    )
    changed = [a["metadata"]["name"] for b, a in zip(before, after, strict=True) if a != b]
    assert changed == ["chat-profiles", "chat-gateway"]
