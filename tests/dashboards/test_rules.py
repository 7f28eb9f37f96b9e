import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.controller.builders import NOW
from tests.dashboards import promtool

from tandem.cluster import series
from tandem.controller.metrics import OperatorMetrics
from tandem.controller.reasons import Reason, Trouble, Type
from tandem.controller.status import fleet_status
from tandem.dashboards import alerts, files, slo

HERE = Path(__file__).parent
CHART_RULES = HERE.parents[1] / "charts" / "tandem" / files.RULES
SCENARIOS = sorted(HERE.glob("rules*_test.yaml"))
ALERTS = list(alerts.alerts())
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


@promtool.needed
def test_prometheus_reads_the_rules() -> None:
    done = promtool.run("check", "rules", CHART_RULES)
    assert done.returncode == 0, done.stdout


@promtool.needed
@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_alerts_fire_where_they_should_and_nowhere_else(file: Path) -> None:
    done = promtool.run("test", "rules", file)
    assert done.returncode == 0, done.stdout[:4000]


@promtool.needed
def test_the_scenarios_find_a_rule_that_is_wrong(tmp_path: Path) -> None:
    spoilt = files.rules().replace(" > 14.4 and ", " > 1.44 or ")
    (tmp_path / "spoilt.yaml").write_text(spoilt, encoding="utf-8")
    scenario = yaml.safe_load((HERE / "rules_test.yaml").read_text(encoding="utf-8"))
    scenario["rule_files"] = [str(tmp_path / "spoilt.yaml")]
    scenario["tests"] = [test for test in scenario["tests"] if "burn alerts" in test["name"]]

    done = promtool.run("test", "rules", promtool.written(tmp_path / "t.yaml", scenario))

    assert done.returncode != 0
    assert "TandemFastBurn" in done.stdout


@every_alert
def test_every_alert_has_a_scenario_in_which_it_fires(alert: alerts.Alert) -> None:
    assert alert.name in set().union(*(_fired(test) for test in _scenarios()))


@every_alert
def test_every_alert_tells_of_whom_how_bad_and_what_to_do(alert: alerts.Alert) -> None:
    assert alert.severity in alerts.Severity
    for sentence in (alert.summary, alert.description, alert.runbook):
        assert sentence.endswith(".")
        assert len(sentence) < 400
    if "absent" not in alert.promql:
        for label in ("fleet_namespace", "fleet"):
            assert f"$labels.{label} " in alert.summary


@every_alert
def test_labels_in_a_text_are_those_that_the_query_keeps(alert: alerts.Alert) -> None:
    named = set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.description))
    kept = set().union(
        *(names.split(", ") for names in re.findall(r"by \(([^)]*)\)", alert.promql))
    )
    recorded = {"fleet_namespace", "fleet"} if "fleet:tandem" in alert.promql else set()
    assert named <= kept | recorded


def test_windows_and_rates_are_those_of_the_workbook() -> None:
    found = {(burn.rate, burn.long, burn.short) for burn in (slo.FAST, slo.STEADY, slo.SLOW)}
    assert found == {(14.4, "1h", "5m"), (6.0, "6h", "30m"), (1.0, "3d", "6h")}


def test_every_recorded_series_is_read_by_an_alert_or_made_into_one_that_is() -> None:
    rules = [rule for group in _rules()["groups"] for rule in group["rules"]]
    read = " ".join(rule["expr"] for rule in rules)
    for rule in rules:
        if "record" in rule:
            assert rule["record"] in read


def test_names_of_alerts_are_their_own() -> None:
    names = [alert.name for alert in ALERTS]
    assert len(set(names)) == len(names)


def test_a_fleet_that_cannot_be_read_is_exported_as_the_alert_expects() -> None:
    metrics = OperatorMetrics()
    trouble = Trouble(Reason.INVALID_SPEC, "slo.ttft: '0s' is not allowed")
    status = fleet_status(None, None, None, 1, NOW, troubles=(trouble,))
    metrics.told("team", "chat", None, None, status)

    found = {
        (sample.name, sample.labels.get("type")): sample.value
        for family in metrics.collect()
        for sample in family.samples
    }
    assert found[series.CONDITION, Type.RECONCILED] == 0
    assert (series.ATTAINMENT_TARGET, None) not in found


@every_alert
def test_the_guide_lists_every_alert_with_its_severity(alert: alerts.Alert) -> None:
    guide = (HERE.parents[1] / "docs" / "how-to" / "watch-a-fleet.md").read_text(encoding="utf-8")
    assert f"| `{alert.name}` | {alert.severity} |" in guide


def _rules() -> dict[str, Any]:
    document = yaml.safe_load(files.rules())
    assert isinstance(document, dict)
    return document


def _scenarios() -> list[dict[str, Any]]:
    return [
        test
        for file in SCENARIOS
        for test in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]
    ]


def _fired(test: dict[str, Any]) -> set[str]:
    """Names of the alerts that a scenario expects."""
    asked = {each["alertname"] for each in test.get("alert_rule_test", ()) if each["exp_alerts"]}
    samples = [
        sample for each in test.get("promql_expr_test", ()) for sample in each["exp_samples"]
    ]
    named = (re.search(r'alertname="(\w+)"', sample["labels"]) for sample in samples)
    return asked | {match[1] for match in named if match}
