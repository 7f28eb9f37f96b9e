import re
from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from tests.dashboards import promtool
from tests.dashboards.expositions import FLEET, NAMESPACE, Series, everything

from tandem.dashboards import files
from tandem.dashboards.queries import Query, queries

ASKED = list(queries(NAMESPACE, FLEET))
RULES = [rule for group in yaml.safe_load(files.rules())["groups"] for rule in group["rules"]]
RULE_QUERIES = [Query(rule.get("alert", rule.get("record")), rule["expr"], "") for rule in RULES]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
EVERYTHING = everything()
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
WORD = re.compile(r"(?<![\w:$\"])([a-zA-Z_:][\w:]*)(?![\w:]*\s*\()")
NO_SERIES = {"by", "on", "and", "or", "unless", "offset", "bool"}


def names(promql: str) -> set[str]:
    """Names of series in a query: words outside braces, brackets, strings and lists of labels."""
    bare = re.sub(r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"', "", promql)
    bare = re.sub(r"\b(by|on)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\boffset\s+\w+", "", bare)
    return set(WORD.findall(bare)) - NO_SERIES


def labels_of(name: str) -> dict[str, set[str]]:
    """Every label of a series that is exported, with its values."""
    found: dict[str, set[str]] = defaultdict(set)
    for series in EVERYTHING:
        if series.name == name:
            for label, value in series.labels.items():
                found[label].add(value)
    return found


def test_names_of_series_are_found_in_a_query() -> None:
    query = 'sum by (le) (rate(a:b_total{x="y z"}[5m])) / on (q) (1 - max(c offset 1m) > bool 0)'
    assert names(query) == {"a:b_total", "c"}


@pytest.mark.parametrize("query", [*ASKED, *RULE_QUERIES], ids=lambda query: query.panel)
def test_every_series_of_a_query_is_exported_by_a_process(query: Query) -> None:
    exported = {series.name for series in EVERYTHING} | RECORDED
    assert names(query.promql), "a query of nothing"
    assert names(query.promql) <= exported


@pytest.mark.parametrize("query", [*ASKED, *RULE_QUERIES], ids=lambda query: query.panel)
def test_every_label_of_a_query_is_on_its_series_and_has_that_value(query: Query) -> None:
    for name, inside in SELECTOR.findall(query.promql):
        known = labels_of(name)
        for label, sign, value in MATCHER.findall(inside):
            wanted = value.split("|") if sign == "=~" else [value]
            assert label in known, f"{name} has no label {label}"
            if sign in {"=", "=~"}:
                assert set(wanted) <= known[label], f"{name} never has {label}={value}"


@promtool.needed
def test_prometheus_reads_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": query.promql} for number, query in enumerate(ASKED)
    ]
    file = promtool.written(tmp_path / "r.yml", {"groups": [{"name": "all", "rules": rules}]})
    done = promtool.run("check", "rules", file)
    assert done.returncode == 0, done.stdout
    assert f"{len(ASKED)} rules found" in done.stdout


@promtool.needed
def test_every_query_has_an_answer_from_what_the_processes_export(tmp_path: Path) -> None:
    always = [query for query in ASKED if not query.may_be_empty]
    tests = [
        {
            "expr": f"count({query.promql}) > bool 0",
            "eval_time": "10m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for query in always
    ]
    document = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "15s",
                "input_series": [_growing(series) for series in EVERYTHING],
                "promql_expr_test": tests,
            }
        ],
    }
    done = promtool.run("test", "rules", promtool.written(tmp_path / "t.yml", document))
    assert done.returncode == 0, done.stdout[:4000]
    assert len(always) > 80


def test_few_queries_may_be_empty_and_each_says_why() -> None:
    empty = [query for query in ASKED if query.may_be_empty]
    assert {query.may_be_empty.strip() for query in empty} >= {"every request was granted"}
    assert len(empty) < len(ASKED) / 4


def test_no_variable_is_left_in_a_query_and_the_window_is_the_caller_s() -> None:
    asked = list(queries("a", "b", window="7m"))
    assert not [query for query in asked if "$" in query.promql]
    assert any("[7m]" in query.promql for query in asked)
    assert len({query.panel for query in asked}) == len(asked), "names tell queries apart"


def _growing(series: Series) -> dict[str, str]:
    """A series that grows by one a scrape, for 10 minutes, from the value that was exported."""
    inside = ",".join(f'{label}="{value}"' for label, value in series.labels.items())
    return {"series": f"{series.name}{{{inside}}}", "values": f"{series.value:g}+1x40"}
