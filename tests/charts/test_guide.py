"""The guide names what there is: settings of the chart, reasons of conditions, files of the repository."""

import re
from pathlib import Path

import pytest
import yaml

from tandem.controller.reasons import SAID, Reason, Type

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "on-a-cluster.md"
TEXT = GUIDE.read_text(encoding="utf-8")
AMISS = {*SAID, Reason.PODS_STARTING, Reason.METRICS_MISSING, Reason.MISSED, Reason.OUT_OF_BOUNDS}


@pytest.mark.parametrize("reason", sorted(AMISS))
def test_every_reason_for_a_fleet_to_be_amiss_is_told(reason: Reason) -> None:
    assert f"| `{reason}` |" in TEXT


def test_no_row_tells_of_a_condition_or_a_reason_that_is_none() -> None:
    rows = re.findall(r"^\| ([A-Z][A-Za-z:, ]+) \| `(\w+)` \|", TEXT, re.MULTILINE)
    conditions = {word for first, _ in rows for word in re.findall(r"\w+", first)}
    assert len(rows) >= len(AMISS)
    assert {reason for _, reason in rows} <= set(Reason)
    assert conditions - {"True", "False"} <= set(Type)


def test_every_setting_is_a_value_of_the_chart() -> None:
    values = yaml.safe_load((ROOT / "charts" / "tandem" / "values.yaml").read_text())
    settings = [
        each
        for words in re.findall(r"--set (\S+)|^\| `(\S+=\S+)` \|", TEXT, re.MULTILINE)
        for each in "".join(words).split(",")
        if "=" in each
    ]
    assert len(settings) >= 5
    for setting in settings:
        section, name = re.split(r"[=[]", setting)[0].split(".")[:2]
        assert name in values[section], setting


def test_every_file_that_it_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", TEXT)
    files = re.findall(r"(?:docs|charts)/[\w./-]+\w", TEXT)
    assert links
    assert files
    assert [link for link in links if not (GUIDE.parent / link).exists()] == []
    assert [file for file in files if not (ROOT / file).exists()] == []
