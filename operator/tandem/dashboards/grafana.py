"""Dashboards in Grafana's own model, by its foundation SDK; the only file that knows it."""

import json
from collections.abc import Sequence
from itertools import count
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard

from tandem.dashboards.model import Board, Line, Look, Mark, Panel, State, Step, Unit, Variable

SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHT = {Look.NUMBERS: 4, Look.LINES: 8, Look.STATES: 8}  # rows of the grid
_MARK_STEP = "60s"  # decisions are looked for in steps of the minute that the queries span

Built = timeseries.Panel | stat.Panel | statetimeline.Panel


def render(board: Board) -> str:
    """The dashboard as JSON, as Grafana imports it."""
    return json.dumps(build(board), cls=JSONEncoder, indent=1, ensure_ascii=False) + "\n"


def build(board: Board) -> dashboard.Dashboard:
    """The dashboard in the SDK's model."""
    made = (
        builders.Dashboard(board.title)
        .uid(f"tandem-{board.name}")
        .description(board.text)
        .tags(list(board.tags))
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .time("now-3h", "now")
        .refresh("30s")
        .link(_siblings(board))
        .variables([_source(), *(_variable(each) for each in board.variables)])
        .annotations([_Mark(mark) for mark in board.marks])
    )
    numbers = count(1)
    for row in board.rows:
        made.with_row(builders.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            made.with_panel(_panel(panel).id(next(numbers)))
    return made.build()


def _siblings(board: Board) -> builders.DashboardLink:
    return (
        builders.DashboardLink("Tandem")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([board.tags[0]])
        .as_dropdown(True)
        .keep_time(True)
        .include_vars(True)
    )


def _source() -> builders.DatasourceVariable:
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _variable(variable: Variable) -> builders.QueryVariable:
    return (
        builders.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(SOURCE)
        .query(variable.query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )


class _MarkQuery(dashboard.AnnotationQuery):
    """Prometheus' own fields of an annotation, which the SDK's model lacks."""

    title = ""

    def to_json(self) -> dict[str, object]:
        own = {"titleFormat": self.title, "textFormat": "", "step": _MARK_STEP}
        return super().to_json() | own


class _Mark(builders.AnnotationQuery):
    """Moments to mark on every panel."""

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self._internal = _MarkQuery()
        self._internal.title = mark.title
        self.name(mark.name).datasource(SOURCE).expr(mark.promql)
        self.icon_color(mark.colour).enable(True)


def _panel(panel: Panel) -> Built:
    made: Built
    match panel.look:
        case Look.NUMBERS:
            made = _numbers(panel)
        case Look.STATES:
            made = _states()
        case Look.LINES:
            made = _lines(panel)
    made.title(panel.title).description(panel.text).unit(panel.unit.value).datasource(SOURCE)
    made.span(panel.width).height(HEIGHT[panel.look])
    made.targets(
        [_target(panel, *pair) for pair in zip(ascii_uppercase, panel.lines, strict=False)]
    )
    if panel.steps:
        made.thresholds(_thresholds(panel.steps))
    if panel.states:
        made.mappings([_mapping(panel.states)])
    return made


def _target(panel: Panel, name: str, line: Line) -> prometheus.Dataquery:
    query = prometheus.Dataquery().ref_id(name).datasource(SOURCE)
    query.expr(line.promql).legend_format(line.legend)
    return query.instant() if panel.look is Look.NUMBERS else query.range()


def _numbers(panel: Panel) -> stat.Panel:
    newest = common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")
    made = (
        stat.Panel()
        .reduce_options(newest)
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .thresholds(_thresholds([Step(None, "text")]))
    )
    return made.decimals(2) if panel.unit is Unit.SHARE else made


def _states() -> statetimeline.Panel:
    by_value = builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)
    return (
        statetimeline.Panel()
        .show_value(common.VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(70)
        .color_scheme(by_value)
        .legend(_legend())
    )


def _lines(panel: Panel) -> timeseries.Panel:
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    made = (
        timeseries.Panel()
        .line_width(1)
        .show_points(common.VisibilityMode.NEVER)
        .tooltip(tooltip.sort(common.SortOrder.DESCENDING))
        .legend(_legend())
    )
    if panel.from_zero:
        made.min(0.0)
    if panel.stacked:
        stacking = common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
        made.stacking(stacking).fill_opacity(40)
    if panel.steps:
        dashed = common.GraphThresholdsStyleMode.DASHED
        made.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(dashed))
    if panel.unit is Unit.SHARE:
        made.axis_soft_max(1.0)
    for line in panel.lines:
        if line.target:
            made.override_by_name(line.legend, _dashed())
    return made


def _dashed() -> list[dashboard.DynamicConfigValue]:
    return [
        dashboard.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
        dashboard.DynamicConfigValue("custom.lineWidth", 2),
        dashboard.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": "text"}),
    ]


def _legend() -> common_builders.VizLegendOptions:
    return (
        common_builders.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def _thresholds(steps: Sequence[Step]) -> builders.ThresholdsConfig:
    listed = [dashboard.Threshold(value=step.start, color=step.colour) for step in steps]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(listed)


def _mapping(states: Sequence[State]) -> dashboard.ValueMap:
    words = {
        str(state.value): dashboard.ValueMappingResult(
            text=state.word, color=state.colour, index=index
        )
        for index, state in enumerate(states)
    }
    return dashboard.ValueMap(words)
