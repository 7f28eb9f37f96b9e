import json

import pytest

from tandem.api.policy_names import COMPARED_POLICY_NAMES
from tandem.cli.main import run


def test_all_policies_are_told_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policies"]) == 0
    blocks = capsys.readouterr().out.split("\n\n")
    assert [block.split()[0] for block in blocks] == list(COMPARED_POLICY_NAMES)
    dynamo = blocks[COMPARED_POLICY_NAMES.index("dynamo-sla")].splitlines()
    assert dynamo[0].startswith("dynamo-sla (code): ai-dynamo/dynamo")
    assert "  --param headroom=1  times the predicted load" in dynamo
    assert "  more replicas: higher headroom" in dynamo
    assert dynamo[-1].startswith("  fails where: ")


def test_json_tells_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policies", "--json"]) == 0
    told = {policy["name"]: policy for policy in json.loads(capsys.readouterr().out)}

    assert list(told) == list(COMPARED_POLICY_NAMES)
    for policy in told.values():
        assert {"source", "provenance", "parameters", "aggressiveness", "fails_where"} <= set(
            policy
        )
    assert told["hpa"]["aggressiveness"] == {
        "parameter": "target",
        "least": 0.01,
        "default": 0.7,
        "most": 1.0,
        "more_replicas_when": "lower",
        "sweep": [0.95, 0.9, 0.8, 0.7, 0.55, 0.4, 0.25],
    }
    assert told["static"]["aggressiveness"] is None
    assert told["tokenscale"]["provenance"] == "secondary"
    assert "60 s" in " ".join(told["tokenscale"]["reconstructed"])
    assert told["tandem"]["own_order"] == "feasible-first"
