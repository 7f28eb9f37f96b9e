import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.aio.client import models
from pydantic import BaseModel
from tests.controller.children import builders, golden
from tests.examples import fewer

from tandem.api.fleet import DisaggregatedLLM
from tandem.api.role import Role
from tandem.cluster.kubernetes import labels

LABEL_CHARACTERS = "abcxyz0189-."


def word(longest: int, characters: str) -> st.SearchStrategy[str]:
    inner = st.text(characters, max_size=longest - 2)
    return inner.map(lambda text: f"a{text}z")


templates = st.sampled_from(
    [
        {},
        {"metadata": {"annotations": {"a": "b"}}},
        {"spec": {"tolerations": [{"key": "gpu", "operator": "Exists"}], "hostNetwork": True}},
        {"spec": {"containers": [{"name": "engine", "resources": {"limits": {"cpu": "1"}}}]}},
        {"spec": {"volumes": [{"name": "m", "persistentVolumeClaim": {"claimName": "m"}}]}},
    ]
)


@st.composite
def fleets(draw: st.DrawFn) -> DisaggregatedLLM:
    """Any legal fleet, as far as its children read it."""
    lease_s = draw(st.integers(6, 600))
    pools = {
        f"{role}__pools": [
            {
                "name": draw(word(63, LABEL_CHARACTERS)),
                "accelerator": {"name": "nvidia-h200", "count": draw(st.integers(1, 9))},
                "profileRef": "any",
                "template": draw(templates),
            }
        ]
        for role in Role
    }
    engine = {
        "type": draw(st.sampled_from(["vllm", "emulator"])),
        "kvTransfer": {"lease": f"{lease_s}s"},
        "drain": f"{lease_s * 1000 + draw(st.integers(5000, 900_000))}ms",
        "args": draw(st.lists(st.text(max_size=9), max_size=3)),
        "env": [{"name": "A", "value": draw(st.text(max_size=9))}],
    }
    made = builders.fleet(engine=engine, **pools)
    name = draw(word(40, "abcxyz0189-"))
    return made.model_copy(update={"metadata": type(made.metadata)(name=name)})


def model(body: dict[str, Any]) -> type[BaseModel]:
    """The client's own model of a kind; it refuses what the API does not know."""
    found: type[BaseModel] = getattr(models, f"V1{body['kind']}")
    return found


@fewer(40)
@given(fleets())
def test_every_child_of_every_legal_fleet_is_one_that_kubernetes_knows(
    fleet: DisaggregatedLLM,
) -> None:
    for body in builders.rendered(fleet):
        model(body).model_validate(body)


def test_a_field_that_kubernetes_does_not_know_is_seen() -> None:
    body = builders.gateway(builders.fleet())
    body["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["sleeps"] = 5
    with pytest.raises(ValueError, match="sleeps"):
        model(body).model_validate(body)


@fewer(40)
@given(fleets())
def test_every_name_and_label_is_legal_whatever_the_fleet_is_called(
    fleet: DisaggregatedLLM,
) -> None:
    for body in builders.rendered(fleet):
        metadata = body["metadata"]
        template = body.get("spec", {}).get("template", {"metadata": {"labels": {}}})
        assert_dns_label(metadata["name"])
        for value in [*metadata["labels"].values(), *template["metadata"]["labels"].values()]:
            assert len(value) <= 63
            assert value[0].isalnum()
            assert value[-1].isalnum()


def assert_dns_label(name: str) -> None:
    assert len(name) <= 63
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert name[0].isalpha()
    assert name[-1].isalnum()


@fewer(40)
@given(fleets())
def test_a_pod_is_killed_only_after_its_pause_and_its_drain(fleet: DisaggregatedLLM) -> None:
    pod = builders.pod(fleet)
    (container,) = (c for c in pod["containers"] if c["name"] == "engine")
    pause_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    flags = dict(word.split("=", 1) for word in container["args"] if word.startswith("--s"))
    drain_s = int(flags["--shutdown-timeout"])
    lease_s = int(fleet.spec.engine.kv_transfer.lease.removesuffix("s"))
    assert drain_s >= lease_s + 5
    assert pod["terminationGracePeriodSeconds"] > pause_s + drain_s


@fewer(40)
@given(fleets())
def test_the_same_fleet_gives_the_same_bytes(fleet: DisaggregatedLLM) -> None:
    again = DisaggregatedLLM.model_validate_json(fleet.model_dump_json(by_alias=True))
    assert json.dumps(builders.rendered(fleet)) == json.dumps(builders.rendered(again))


@fewer(40)
@given(fleets())
def test_a_selector_selects_the_pods_of_its_own_template(fleet: DisaggregatedLLM) -> None:
    made = [body for body in builders.rendered(fleet) if body["kind"] == "Deployment"]
    for body in made:
        selected = body["spec"]["selector"]["matchLabels"].items()
        owners = [
            b for b in made if selected <= b["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert owners == [body]


def test_no_two_children_are_one_and_all_belong_to_the_resource() -> None:
    made = builders.rendered(builders.fleet())
    assert len({(b["kind"], b["metadata"]["name"]) for b in made}) == len(made)
    for body in made:
        assert body["metadata"]["namespace"] == builders.NAMESPACE
        assert body["metadata"]["labels"].items() >= labels.of_fleet("chat").items()
        (owner,) = body["metadata"]["ownerReferences"]
        assert owner == {**builders.OWNER, "controller": True, "blockOwnerDeletion": False}


def test_deployments_of_engines_name_no_replicas() -> None:
    for role in Role:
        assert "replicas" not in builders.engines(builders.fleet(), role)["spec"]


def test_services_select_by_the_role_that_a_pod_has_now() -> None:
    made = builders.rendered(builders.fleet())
    for role in Role:
        service = builders.found(made, "Service", f"chat-{role}")
        budget = builders.found(made, "PodDisruptionBudget", f"chat-{role}")
        expected = {labels.FLEET: "chat", labels.ROLE: role.value}
        assert service["spec"]["selector"] == budget["spec"]["selector"]["matchLabels"] == expected


def test_a_gateway_and_its_engines_agree_on_the_lease() -> None:
    fleet = builders.fleet(engine__kvTransfer={"lease": "8500ms"})
    args = builders.gateway(fleet)["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--kv-lease=8s" in args
    assert "--kv-lease=8" in builders.engine(fleet)["args"]


@pytest.mark.parametrize("name", golden.FLEETS)
def test_every_pod_runs_without_root_and_without_rights(name: str) -> None:
    for body in builders.rendered(golden.FLEETS[name]):
        if body["kind"] == "Deployment":
            spec = body["spec"]["template"]["spec"]
            assert spec["securityContext"]["runAsNonRoot"]
            assert spec["automountServiceAccountToken"] == ("serviceAccountName" in spec)
            for container in spec["containers"]:
                assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
                assert not container["securityContext"]["allowPrivilegeEscalation"]
