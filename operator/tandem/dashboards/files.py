"""What is rendered, as text by the name of its file inside the chart."""

from collections.abc import Iterable
from typing import Any

import yaml

from tandem.dashboards import boards, slo
from tandem.dashboards.alerts import Alert, alerts
from tandem.dashboards.rules import Record, records
from tandem.errors import TandemError

HEADER = "# Rendered from operator/tandem/dashboards: `tandem dashboards`. Never edited.\n"
RULES = "rules/tandem.yaml"
FOLDERS = ("dashboards", "rules")
_SHORT = ("5m", "30m", "1h")
_LONG = ("6h", "3d")


class NoSdkError(TandemError):
    """Grafana's foundation SDK is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Dashboards are rendered by Grafana's SDK, which is not installed: "
            "pip install 'grafana-foundation-sdk==1769699379!11.6.0'"
        )


def rendered() -> dict[str, str]:
    """Every file by its path inside the chart.

    Raises:
        NoSdkError: Grafana's SDK is not installed.

    """
    return {**dashboards(), RULES: rules()}


def dashboards() -> dict[str, str]:
    """Dashboards as JSON."""
    try:
        from tandem.dashboards import grafana  # noqa: PLC0415 - the SDK is for those who render
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("grafana_foundation_sdk"):
            raise
        raise NoSdkError from error
    made = [each() for each in boards.ALL]
    return {f"dashboards/{board.name}.json": grafana.render(board) for board in made}


def rules() -> str:
    """Recording rules and alerts as a Prometheus rules file."""
    groups = [
        _group("tandem-slo", map(_record, records(*_SHORT)), "30s"),
        _group("tandem-slo-long", map(_record, records(*_LONG)), "2m"),
        _group("tandem-alerts", map(_alert, alerts()), "30s"),
    ]
    assert {*_SHORT, *_LONG} >= {
        window for burn in (slo.FAST, slo.STEADY, slo.SLOW) for window in (burn.long, burn.short)
    }
    return HEADER + yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000)


def _group(name: str, rules: Iterable[dict[str, Any]], interval: str) -> dict[str, Any]:
    return {"name": name, "interval": interval, "rules": list(rules)}


def _record(record: Record) -> dict[str, Any]:
    return {"record": record.name, "expr": record.promql}


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.promql,
        "for": alert.lasts,
        "labels": {"severity": alert.severity.value},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook": alert.runbook,
        },
    }
