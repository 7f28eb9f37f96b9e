from dataclasses import replace
from typing import Any

import pytest
from tests.controller.children import builders, golden

from tandem.api.role import Role
from tandem.errors import InvalidInputError

EMULATOR = {"engine__type": "emulator"}


def with_template(template: dict[str, Any], **changes: Any) -> Any:
    return builders.fleet(decode__pools__0__template=template, **changes)


def with_container(container: dict[str, Any], **changes: Any) -> Any:
    return with_template({"spec": {"containers": [{"name": "engine", **container}]}}, **changes)


def env(container: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in container["env"]}


def test_vllm_asks_for_the_accelerators_of_its_pool_and_splits_the_model_over_them() -> None:
    container = builders.engine(builders.fleet(decode__pools__0__accelerator__count=4))
    assert container["resources"] == {"limits": {"nvidia.com/gpu": "4"}}
    assert "--tensor-parallel-size=4" in container["args"]


def test_an_emulator_asks_for_no_accelerator_and_reads_its_roles_profile() -> None:
    container = builders.engine(builders.fleet(**EMULATOR), Role.PREFILL)
    assert container["resources"] == {}
    assert container["args"][:2] == ["emulate", "--profile=/etc/tandem/profiles/prefill.json"]
    assert "/etc/tandem/profiles" in [m["mountPath"] for m in container["volumeMounts"]]


@pytest.mark.parametrize("kind", ["vllm", "emulator"])
def test_both_types_hand_kv_over_at_the_pods_own_address(kind: str) -> None:
    args = builders.engine(builders.fleet(engine__type=kind, model__maxContext=9000))["args"]
    assert {"--host=0.0.0.0", "--side-channel-host=$(POD_IP)", "--max-model-len=9000"} < set(args)


def test_a_model_in_a_folder_is_served_under_its_name() -> None:
    args = builders.engine(builders.fleet(model__source={"path": "/models/m"}))["args"]
    assert "--model=/models/m" in args
    assert "--served-name=meta-llama/Llama-3.1-8B-Instruct" in args


def test_arguments_of_the_fleet_come_last() -> None:
    own = ["--cpu-core=0", "--", "--seed=1"]
    assert builders.engine(builders.fleet(engine__args=own))["args"][-3:] == own


def test_all_pods_are_pulled_with_the_operators_secrets_and_a_template_names_its_own() -> None:
    images = replace(builders.IMAGES, pull_secrets=("a", "b"))
    own = with_template({"spec": {"imagePullSecrets": [{"name": "mine"}]}})
    pods = {
        body["metadata"]["name"].split("-")[1]: body["spec"]["template"]["spec"]
        for body in builders.rendered(own, images)
        if body["kind"] == "Deployment"
    }
    named = {name: pod["imagePullSecrets"] for name, pod in pods.items()}
    both = [{"name": "a"}, {"name": "b"}]
    assert named == {"gateway": both, "prefill": both, "decode": [{"name": "mine"}]}


def test_a_template_brings_another_build_of_the_engine_from_the_node() -> None:
    fleet = golden.FLEETS["vllm"]
    container, pod = builders.engine(fleet), builders.pod(fleet)
    assert env(container)["PYTHONPATH"] == "/opt/vllm/more"
    assert container["resources"] == {"requests": {"cpu": "1"}}
    assert {"/opt/vllm", "/dev/shm", "/tmp"} == {m["mountPath"] for m in container["volumeMounts"]}  # noqa: S108
    assert {"name": "vllm", "hostPath": {"path": "/opt/vllm"}} in pod["volumes"]
    assert pod["securityContext"]["runAsUser"] == 1000


@pytest.mark.parametrize(
    "own",
    [
        pytest.param({"command": ["/opt/vllm/bin/tandem-engine"]}, id="command"),
        pytest.param({"imagePullPolicy": "Never"}, id="pull policy"),
        pytest.param({"livenessProbe": {"tcpSocket": {"port": 8000}}}, id="liveness"),
        pytest.param({"resources": {}}, id="resources"),
        pytest.param({"image": "own:1"}, id="image"),
    ],
)
def test_a_template_decides_what_is_its_own(own: dict[str, Any]) -> None:
    container = builders.engine(with_container(own))
    assert own.items() <= container.items()
    assert container["args"] == builders.engine(builders.fleet())["args"]


@pytest.mark.parametrize(
    "own",
    [
        pytest.param({"args": ["sleep"]}, id="arguments"),
        pytest.param({"ports": [{"name": "http", "containerPort": 1}]}, id="port"),
        pytest.param({"readinessProbe": {"exec": {"command": ["true"]}}}, id="readiness"),
        pytest.param({"lifecycle": {"preStop": {"exec": {"command": ["a"]}}}}, id="pre-stop"),
        pytest.param({"env": [{"name": "POD_IP", "value": "10.0.0.1"}]}, id="address"),
    ],
)
def test_a_template_does_not_decide_what_the_fleet_lives_on(own: dict[str, Any]) -> None:
    assert builders.engine(with_container(own)) == builders.engine(builders.fleet())


def test_a_template_gives_no_pod_another_fleet_or_less_time_to_end() -> None:
    plain = builders.engines(builders.fleet())["spec"]["template"]
    template = with_template(
        {
            "metadata": {"labels": {"tandem.dev/fleet": "other", "team": "a"}},
            "spec": {"terminationGracePeriodSeconds": 1},
        }
    )
    made = builders.engines(template)["spec"]["template"]
    assert made["metadata"]["labels"]["tandem.dev/fleet"] == "chat"
    assert made["metadata"]["labels"]["team"] == "a"
    assert made["spec"] == plain["spec"]


def test_an_image_of_the_fleet_wins_over_the_templates() -> None:
    fleet = with_container({"image": "template:1"}, engine__image="fleet:1")
    assert builders.engine(fleet)["image"] == "fleet:1"


def test_a_variable_of_the_fleet_wins_over_the_templates_and_none_over_our_own() -> None:
    own = [{"name": "A", "value": "fleet"}, {"name": "POD_NAME", "value": "x"}]
    fleet = with_container({"env": [{"name": "A", "value": "template"}]}, engine__env=own)
    container = builders.engine(fleet)
    assert env(container)["A"] == "fleet"
    names = [each["name"] for each in container["env"]]
    assert names[:2] == ["POD_IP", "POD_NAME"]
    assert len(names) == len(set(names))


def test_a_template_may_write_where_it_must() -> None:
    container = builders.engine(with_container({"securityContext": {"privileged": True}}))
    assert container["securityContext"]["privileged"]
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_other_containers_of_a_template_stand_beside_the_engine() -> None:
    fleet = with_template({"spec": {"containers": [{"name": "log", "image": "log:1"}]}})
    assert [c["name"] for c in builders.pod(fleet)["containers"]] == ["engine", "log"]


def test_a_template_that_is_none_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidInputError, match=r"spec\.decode\.pools\[0\]\.template\.spec"):
        builders.engine(with_template({"spec": ["containers"]}))
