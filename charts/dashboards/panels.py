"""The kinds of panels, each with the look that all dashboards share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as style
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, ORANGE, RED, BLUE, GREY = "green", "orange", "red", "blue", "#8a92a0"
Steps = Sequence[tuple[float | None, str]]
"""Thresholds: (from that value on, colour), the first from None."""

PLAIN: Steps = ((None, "text"),)
NONE_IS_GOOD: Steps = ((None, GREEN), (0.5, RED))
NONE_IS_BEST: Steps = ((None, GREEN), (0.5, ORANGE))
HOUR_MS = 3_600_000
POINTS = {"bars": 96, "heatmap": 96, "states": 96}
"""A quarter of an hour in a day: bars that are seen, and the newest of them soon."""

SMALLEST_STEP = "2m"
"""Of bars: four scrapes of 30 s, which is what `$__rate_interval` is at least. Else one run is many bars."""

Kind = Literal["stat", "lines", "area", "bars", "table", "heatmap", "ranking", "states"]


@dataclass(frozen=True)
class Query:
    """An expression, and what its series are called (`{{label}}`)."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table: `source` is a label, or the letter of the query whose values it shows."""

    source: str
    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """A link of a panel, or of a table's column."""

    title: str
    url: str


@dataclass(frozen=True)
class Spec:
    """A panel. `nothing`: what it says when there is no data, and why that may be; width in 24 columns."""

    kind: Kind
    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    nothing: str
    width: int
    height: int = 8
    steps: Steps = PLAIN
    limit: bool = False  # draws the thresholds as lines
    colours: Mapping[str, str] = field(default_factory=dict)  # by a series' name
    endings: Mapping[str, str] = field(default_factory=dict)  # colours by the last word of its name
    decimals: int | None = None
    most: float | None = None
    logarithmic: bool = False
    beside: Sequence[str] = ()  # sums of each series, in a legend beside the graph
    points: int = 0  # in the whole range, at most; 0: as many as the panel is wide
    named: bool = False  # a number with its series' name below it
    limits: Sequence[str] = ()  # letters of the queries that are drawn as limits
    columns: Sequence[Column] = ()
    sorted_by: str = ""
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # a value's text and colour
    links: Sequence[Link] = ()


def build(spec: Spec, number: int, place: model.GridPos) -> Builder[model.Panel]:
    """The panel by Grafana's SDK, with its id and its place."""
    made: Any = _KINDS[spec.kind](spec)
    made.id(number).grid_pos(place).title(spec.title).description(spec.description).datasource(SOURCE)
    made.unit(spec.unit).no_value(spec.nothing)
    steps = [model.Threshold(value=value, color=colour) for value, colour in spec.steps]
    made.thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    if spec.words:
        options = {
            value: model.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(spec.words.items())
        }
        made.mappings([model.ValueMap(options=options)])
    if spec.decimals is not None:
        made.decimals(spec.decimals)
    if spec.most is not None:
        made.max(spec.most)
    if points := spec.points or POINTS.get(spec.kind, 0):
        made.max_data_points(points).interval(SMALLEST_STEP)
    for letter in spec.limits:
        dashed = _property("custom.lineStyle", {"fill": "dash", "dash": [10, 10]})
        made.override_by_query(letter, [_fixed(RED), dashed])
    for name, colour in spec.colours.items():
        made.override_by_name(name, [_fixed(colour)])
    for ending, colour in spec.endings.items():
        made.override_by_regexp(f"/ {ending}$/", [_fixed(colour)])
    if spec.links:
        made.links([_link(link) for link in spec.links])
    return made  # type: ignore[no-any-return]


def _link(link: Link) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(link.title).type(model.DashboardLinkType.LINK).url(link.url)


def _fixed(colour: str) -> model.DynamicConfigValue:
    return _property("color", {"mode": "fixed", "fixedColor": colour})


def _property(name: str, value: object) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val=name, value=value)


def _targets(made: Any, spec: Spec, form: PromQueryFormat, *, instant: bool) -> None:
    for place, query in enumerate(spec.queries):
        target = prometheus.Dataquery().ref_id(chr(ord("A") + place)).expr(query.expr).format(form)
        target.legend_format(query.legend).datasource(SOURCE)
        made.with_target(target.instant() if instant else target.range())


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _by_thresholds() -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)


def _stat(spec: Spec) -> stat.Panel:
    made = stat.Panel().reduce_options(_last()).graph_mode(style.BigValueGraphMode.NONE)
    made.color_mode(style.BigValueColorMode.VALUE).color_scheme(_by_thresholds())
    if spec.named:
        made.text_mode(style.BigValueTextMode.VALUE_AND_NAME)
    _targets(made, spec, PromQueryFormat.TIME_SERIES, instant=True)
    return made


def _graph(spec: Spec) -> timeseries.Panel:
    made = (
        timeseries.Panel().legend(_legend(spec)).span_nulls(HOUR_MS if spec.kind == "lines" else False).min(0)
    )
    made.tooltip(
        common.VizTooltipOptions().mode(style.TooltipDisplayMode.MULTI).sort(style.SortOrder.DESCENDING)
    )
    made.show_points(style.VisibilityMode.AUTO).line_width(1)
    made.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
    if spec.kind == "bars":
        made.draw_style(style.GraphDrawStyle.BARS).bar_alignment(style.BarAlignment.BEFORE).fill_opacity(85)
    if spec.kind == "area":
        made.fill_opacity(45).line_interpolation(style.LineInterpolation.STEP_AFTER)
    if spec.kind in ("bars", "area"):
        made.stacking(common.StackingConfig().mode(style.StackingMode.NORMAL).group("A"))
    if spec.logarithmic:
        made.scale_distribution(common.ScaleDistributionConfig().type(style.ScaleDistribution.LOG).log(10))
    if spec.limit:
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(style.GraphThresholdsStyleMode.DASHED))
    _targets(made, spec, PromQueryFormat.TIME_SERIES, instant=False)
    return made


def _legend(spec: Spec) -> common.VizLegendOptions:
    if not spec.beside:
        legend = common.VizLegendOptions().display_mode(style.LegendDisplayMode.LIST)
        return legend.placement(style.LegendPlacement.BOTTOM).show_legend(True).calcs([])
    legend = common.VizLegendOptions().display_mode(style.LegendDisplayMode.TABLE)
    return legend.placement(style.LegendPlacement.RIGHT).show_legend(True).calcs(list(spec.beside))


def _heatmap(spec: Spec) -> heatmap.Panel:
    colours = (
        heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").exponent(0.5).steps(64)
    )
    made = heatmap.Panel().calculate(False).color(colours).cell_gap(1).show_legend()
    made.y_axis(heatmap.YAxisConfig().unit(spec.unit).decimals(0))
    _targets(made, spec, PromQueryFormat.HEATMAP, instant=False)
    return made


def _ranking(spec: Spec) -> bargauge.Panel:
    made = bargauge.Panel().orientation(style.VizOrientation.HORIZONTAL).reduce_options(_last())
    made.display_mode(style.BarGaugeDisplayMode.BASIC).value_mode(style.BarGaugeValueMode.COLOR).min(0)
    made.color_scheme(_by_thresholds())
    _targets(made, spec, PromQueryFormat.TIME_SERIES, instant=True)
    return made


def _states(spec: Spec) -> statushistory.Panel:
    made = statushistory.Panel().show_value(style.VisibilityMode.NEVER).row_height(0.9).fill_opacity(85)
    made.legend(_legend(spec)).color_scheme(_by_thresholds())
    _targets(made, spec, PromQueryFormat.TIME_SERIES, instant=False)
    return made


def _table(spec: Spec) -> table.Panel:
    made = (
        table.Panel().show_header(True).cell_height(style.TableCellHeight.SM).color_scheme(_by_thresholds())
    )
    many = len(spec.queries) > 1
    sources = {
        column.source: (f"Value #{column.source}" if many else "Value")
        if len(column.source) == 1
        else column.source
        for column in spec.columns
    }
    shows_values = any(len(column.source) == 1 for column in spec.columns)
    organize = {
        "excludeByName": {"Time": True, **({} if shows_values else {"Value": True})},
        "indexByName": {sources[column.source]: place for place, column in enumerate(spec.columns)},
        "renameByName": {sources[column.source]: column.name for column in spec.columns},
    }
    made.transformations(
        [
            model.DataTransformerConfig(id_val="merge", options={}),
            model.DataTransformerConfig(id_val="organize", options=organize),
        ]
    )
    for column in spec.columns:
        if column.properties:
            made.override_by_name(column.name, [_property(*pair) for pair in column.properties.items()])
    if spec.sorted_by:
        made.sort_by([common.TableSortByFieldState().display_name(spec.sorted_by).desc(True)])
    _targets(made, spec, PromQueryFormat.TABLE, instant=True)
    return made


_KINDS = {
    "stat": _stat,
    "lines": _graph,
    "area": _graph,
    "bars": _graph,
    "table": _table,
    "heatmap": _heatmap,
    "ranking": _ranking,
    "states": _states,
}
