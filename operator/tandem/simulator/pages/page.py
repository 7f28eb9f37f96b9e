"""The shell of every page: one HTML file with its style, its charts and nothing from elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from bokeh.embed import components
from bokeh.resources import Resources
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tandem import __version__
from tandem.simulator.pages import wording
from tandem.simulator.pages.charts import Chart
from tandem.whole_file import written_whole

_FOLDER = files("tandem.simulator.pages") / "templates"


@dataclass(frozen=True, slots=True)
class Card:
    """One figure of the summary; `held` is None where it has no target."""

    name: str
    value: str
    note: str = ""
    held: bool | None = None


class Row(NamedTuple):
    """Cells of a table; `kind` is how it stands out: "best", "baseline" or not."""

    cells: Sequence[str]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in groups by their name, "" where there is one alone; a head is (text, is a number)."""

    caption: str
    heads: Sequence[tuple[str, bool]]
    groups: Mapping[str, Sequence[Row]]


def table(caption: str, heads: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str]]) -> Table:
    """A table of plain rows."""
    return Table(caption, heads, {"": [Row(cells) for cells in rows]})


def write(path: Path, template: str, charts: Sequence[Chart], content: Mapping[str, Any]) -> None:
    """Render a page and write it; what is not markup by its type is escaped."""
    script, places = components({chart.key: chart.plot for chart in charts})
    text = (
        _environment()
        .get_template(template)
        .render(
            **content,
            charts={chart.key: chart for chart in charts},
            places={key: _markup(place) for key, place in places.items()},
            script=_markup(script),
            version=__version__,
        )
    )
    with written_whole(path) as stream:
        stream.write(text.encode())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tandem.simulator.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "style": _own("style.css"),
        "theme": _own("theme.js"),
        "bokeh": _markup(Resources(mode="inline", components=["bokeh"]).render_js()),
    }
    environment.filters |= {"clock": wording.clock}
    return environment


def _own(name: str) -> Markup:
    return _markup((_FOLDER / name).read_text(encoding="utf-8"))


def _markup(text: str) -> Markup:
    """What Bokeh or this package wrote: markup already, which escapes what users wrote by itself."""
    return Markup(text)  # noqa: S704
