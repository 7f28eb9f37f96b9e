"""The rendered JSON as Grafana reads it: its own model, its grid, and the rules of its linter.

The rules on `job` and `instance` are left out: a fleet is chosen by its namespace and name, which is
checked instead.
"""

import itertools
import json
import re
from string import ascii_uppercase
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tandem.dashboards import boards, files
from tandem.dashboards.model import Board, Unit

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
ADDED = ("titleFormat", "textFormat", "step")  # of annotations; the SDK's model lacks them
GRAFANAS_UNITS = {"short", "s", "percentunit", "reqps", "cps"}  # looked up in its categories.ts
RANGED = re.compile(r"\b(rate|irate|increase)\([^\[\]]*\[([^\]]+)\]")
FIXED = re.compile(r"tandem_gateway_slo_total\{[^}]*\}\[(5m|1h|6h|3d|30d)\]")  # windows of an SLO
COUNTER = re.compile(r"\b[\w:]+_(?:total|count|sum|bucket)\b")
GROWING = re.compile(r"\b(?:rate|irate|increase)\(\s*[\w:]+_(?:total|count|sum|bucket)\b")

PAGES = {name: json.loads(text) for name, text in files.dashboards().items()}
FLEET = "dashboards/fleet.json"
Json = dict[str, Any]
every_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


def panels(page: Json) -> list[Json]:
    return [panel for panel in page["panels"] if panel["type"] != "row"]


def targets(page: Json) -> list[Json]:
    return [target for panel in panels(page) for target in panel["targets"]]


@every_page
def test_grafana_s_own_model_reads_a_dashboard_and_writes_the_same(page: Json) -> None:
    register_default_plugins()
    known = json.loads(json.dumps(page))
    for mark in known["annotations"]["list"] if "annotations" in known else ():
        for name in ADDED:
            assert name in mark
            del mark[name]

    again = json.loads(json.dumps(Dashboard.from_json(known), cls=JSONEncoder))

    assert without_none(again) == without_none(known)


def without_none(value: Any) -> Any:
    """What is not set may stand as null or not stand at all."""
    if isinstance(value, dict):
        return {key: without_none(each) for key, each in value.items() if each is not None}
    return [without_none(each) for each in value] if isinstance(value, list) else value


@every_page
def test_panels_lie_inside_the_grid_and_do_not_overlap(page: Json) -> None:
    places = [panel["gridPos"] for panel in page["panels"]]
    for place in places:
        assert place["x"] >= 0
        assert place["w"] > 0
        assert place["x"] + place["w"] <= 24
    for one, other in itertools.combinations(places, 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y, (one, other)


@every_page
def test_every_line_of_the_grid_is_full(page: Json) -> None:
    width: dict[int, int] = {}
    for panel in page["panels"]:
        place = panel["gridPos"]
        width[place["y"]] = width.get(place["y"], 0) + place["w"]
    assert set(width.values()) == {24}, "a gap in the grid"


@every_page
def test_numbers_of_panels_tell_them_apart(page: Json) -> None:
    numbers = [panel["id"] for panel in page["panels"]]
    assert len(set(numbers)) == len(numbers)


@every_page
def test_the_source_of_data_is_chosen_at_the_top_and_used_everywhere(page: Json) -> None:
    first = page["templating"]["list"][0]
    assert (first["name"], first["type"], first["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    marks = page.get("annotations", {}).get("list", [])
    for each in (*panels(page), *targets(page), *marks, *page["templating"]["list"][1:]):
        assert each["datasource"] == SOURCE


@every_page
def test_every_panel_has_title_description_unit_and_targets(page: Json) -> None:
    for panel in panels(page):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in GRAFANAS_UNITS
        assert panel["targets"]
    titles = [panel["title"] for panel in panels(page)]
    assert len(set(titles)) == len(titles)


@every_page
def test_targets_have_names_of_their_own_and_legends(page: Json) -> None:
    for panel in panels(page):
        names = [target["refId"] for target in panel["targets"]]
        assert all(names)
        assert len(set(names)) == len(names)
        assert all(target["legendFormat"] for target in panel["targets"])


@every_page
def test_a_number_is_asked_for_once_and_a_line_over_time(page: Json) -> None:
    for panel in panels(page):
        for target in panel["targets"]:
            assert target["instant"] is (panel["type"] == "stat")
            assert target["range"] is (panel["type"] != "stat")


@every_page
def test_rates_follow_the_interval_but_for_the_windows_of_the_slo(page: Json) -> None:
    for target in targets(page):
        spans = {span for _, span in RANGED.findall(target["expr"])}
        assert spans <= {"$__rate_interval", *FIXED.findall(target["expr"])}, target["expr"]


@every_page
def test_counters_are_only_looked_at_by_their_growth(page: Json) -> None:
    for target in targets(page):
        counted = COUNTER.findall(target["expr"])
        assert len(counted) == len(GROWING.findall(target["expr"])), target["expr"]


@every_page
def test_a_dashboard_is_no_place_to_edit_and_reloads_its_choices(page: Json) -> None:
    assert page["editable"] is False
    assert page["schemaVersion"] >= 39
    assert page["uid"].startswith("tandem-")
    assert len(page["uid"]) <= 40
    for variable in page["templating"]["list"][1:]:
        assert variable["refresh"] == 2, "on a change of the time range"


def test_every_query_of_the_fleet_is_of_the_chosen_fleet_alone() -> None:
    for target in (*targets(PAGES[FLEET]), *PAGES[FLEET]["annotations"]["list"]):
        selectors = re.findall(r"[\w:]+\{([^}]*)\}", target["expr"])
        assert selectors
        for inside in selectors:
            theirs = 'namespace="$namespace", tandem_dev_fleet="$fleet"'
            ours = 'fleet_namespace="$namespace", fleet="$fleet"'
            assert inside.startswith((theirs, ours)), target["expr"]


def test_no_selector_goes_without_braces_where_a_fleet_is_chosen() -> None:
    for target in targets(PAGES[FLEET]):
        assert not re.search(r"\b(tandem_[a-z]\w+|vllm:\w+)\b(?!\{|=)", bare(target["expr"]))


def bare(query: str) -> str:
    """A query without what its braces and lists of labels hold."""
    return re.sub(r"\bby \([^)]*\)", "", re.sub(r"\{[^}]*\}", "{}", query))


def test_legends_name_labels_that_the_query_keeps() -> None:
    for target in itertools.chain.from_iterable(targets(page) for page in PAGES.values()):
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            kept = re.findall(r"by \(([^)]*)\)", target["expr"])
            assert any(label in names.split(", ") for names in kept), target["expr"]


def test_decisions_are_marked_on_every_panel_with_role_and_direction() -> None:
    marks = PAGES[FLEET]["annotations"]["list"]
    assert [mark["titleFormat"] for mark in marks] == ["{{role}} up", "{{role}} down"]
    assert all(mark["enable"] for mark in marks)


def test_a_target_is_drawn_apart_from_what_was_seen() -> None:
    for panel in panels(PAGES[FLEET]):
        if panel["type"] != "timeseries":
            continue
        dashed = {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]}
        legends = {target["legendFormat"] for target in panel["targets"]}
        assert dashed <= legends
        assert ("target" in legends) == ("target" in dashed)


def test_every_unit_is_one_of_grafana_s() -> None:
    assert {unit.value for unit in Unit} == GRAFANAS_UNITS


def test_a_panel_never_has_more_lines_than_names_for_them() -> None:
    def most(board: Board) -> int:
        return max(len(panel.lines) for panel in board.panels)

    assert max(most(made()) for made in boards.ALL) <= len(ascii_uppercase)
