from typing import Any

import pytest

from tandem.controller.children.merge import merged
from tandem.errors import InvalidInputError

CASES = [
    pytest.param({"a": 1}, {"a": 2}, {"a": 2}, id="a value is replaced"),
    pytest.param({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}, id="objects merge"),
    pytest.param({"a": 1}, {"a": None}, {"a": 1}, id="nothing is no value"),
    pytest.param({"args": [1, 2]}, {"args": [3]}, {"args": [3]}, id="plain lists are replaced"),
    pytest.param(
        {"env": [{"name": "A", "value": "1"}, {"name": "B"}]},
        {"env": [{"name": "C"}, {"name": "A", "valueFrom": {}}]},
        {"env": [{"name": "C"}, {"name": "A", "valueFrom": {}}, {"name": "B"}]},
        id="variables are replaced by name, whole",
    ),
    pytest.param(
        {"containers": [{"name": "engine", "image": "a", "tty": True}]},
        {"containers": [{"name": "engine", "image": "b"}, {"name": "log"}]},
        {"containers": [{"name": "engine", "image": "b", "tty": True}, {"name": "log"}]},
        id="containers merge by name",
    ),
    pytest.param(
        {"volumeMounts": [{"name": "a", "mountPath": "/x"}]},
        {"volumeMounts": [{"name": "b", "mountPath": "/x"}]},
        {"volumeMounts": [{"name": "b", "mountPath": "/x"}]},
        id="one mount to a path",
    ),
    pytest.param(
        {"volumes": [{"name": "m", "emptyDir": {}}]},
        {"volumes": [{"name": "m", "hostPath": {"path": "/m"}}]},
        {"volumes": [{"name": "m", "hostPath": {"path": "/m"}}]},
        id="a volume has one source",
    ),
    pytest.param(
        {"lifecycle": {"preStop": {"exec": {}}, "postStart": {"exec": {}}}},
        {"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}},
        {"lifecycle": {"preStop": {"sleep": {"seconds": 5}}, "postStart": {"exec": {}}}},
        id="a handler is one thing",
    ),
    pytest.param(
        {"resources": {"limits": {"gpu": "1"}}},
        {"resources": {}},
        {"resources": {}},
        id="resources are one thing",
    ),
]


@pytest.mark.parametrize(("under", "over", "expected"), CASES)
def test_one_template_comes_on_top_of_another(
    under: dict[str, Any], over: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert merged(under, over, "template") == expected


@pytest.mark.parametrize(
    ("over", "field"),
    [
        pytest.param({"spec": "none"}, "template.spec", id="text for an object"),
        pytest.param({"spec": {"env": {}}}, "template.spec.env", id="object for a list"),
        pytest.param({"spec": {"env": ["A"]}}, "template.spec.env", id="text for an item"),
        pytest.param({"spec": {"env": [{}]}}, "template.spec.env[].name", id="no name"),
        pytest.param(
            {"spec": {"env": [{"name": "B"}, {"name": "B"}]}},
            "template.spec.env[].name",
            id="a name twice",
        ),
        pytest.param(
            {"spec": {"containers": [{"name": "engine", "env": 1}]}},
            "template.spec.containers[engine].env",
            id="within a container",
        ),
    ],
)
def test_what_no_pod_template_has_there_is_refused_by_its_place(
    over: dict[str, Any], field: str
) -> None:
    under = {"spec": {"env": [{"name": "A"}], "containers": [{"name": "engine", "env": []}]}}
    with pytest.raises(InvalidInputError) as refused:
        merged(under, over, "template")
    assert refused.value.field == field


def test_what_was_merged_stays_as_it_was() -> None:
    under = {"containers": [{"name": "engine", "env": [{"name": "A"}]}]}
    over = {"containers": [{"name": "engine", "env": [{"name": "B"}]}]}
    found = merged(under, over, "template")
    found["containers"][0]["env"][0]["name"] = "C"
    assert under == {"containers": [{"name": "engine", "env": [{"name": "A"}]}]}
    assert over == {"containers": [{"name": "engine", "env": [{"name": "B"}]}]}
