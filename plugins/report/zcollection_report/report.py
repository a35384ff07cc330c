"""The report of a collection or a view as one HTML document."""

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
from attrs import field, frozen
from zcollection_coverage import Coverage
from zcollection_coverage.drawing import Tile, heat_map
from zcollection_coverage.figures import pictures
from zcollection_coverage.grid import Grid
from zcollection_coverage.words import in_words, percent

import zcollection
from zcollection import Collection, View
from zcollection.plugin import (
    Printed,
    Section,
    SettingError,
    VariableSchema,
    format_bytes,
    heading,
    listed,
    shortened,
    tag,
)
from zcollection_report.facts import Facts
from zcollection_report.growth import growth, when
from zcollection_report.health import health
from zcollection_report.page import Chapter, cards, counted, document, facts, folded, fragment, main_of, table
from zcollection_report.places import places
from zcollection_report.sizes import dtype_name, sizes

SAMPLE: Final = 200
"""The default number of partitions that are checked and measured."""

_GAPS: Final = 12
"""The number of gaps and partitions that are listed."""


@frozen(kw_only=True, repr=False)
class Report(Printed):
    """A report of a collection or a view: one self-contained HTML document.

    Attributes
    ----------
    title
        The title of the document.
    made
        The time of creation, UTC.
    """

    title: str
    made: dt.datetime
    _header: Sequence[Element | None] = field(repr=False, eq=False)
    _chapters: Sequence[Chapter] = field(repr=False, eq=False)

    @property
    def html(self) -> str:
        """The document."""
        return document(self.title, self._page(has_contents=True))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the document to a file atomically, and return its path."""
        target = Path(path)
        written = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            written.write_text(self.html, encoding="utf-8", newline="\n")
            written.replace(target)
        finally:
            written.unlink(missing_ok=True)
        return target

    def _page(self, *, has_contents: bool) -> Element:
        footer = f"Made by zcollection {zcollection.__version__} at {self.made:%Y-%m-%d %H:%M:%S} UTC."
        return main_of(self._header, self._chapters, footer, has_contents=has_contents)

    def _section(self) -> Section:
        return Section(f"{heading(self, self.title)} {listed([chapter.title for chapter in self._chapters])}")

    def _repr_html_(self) -> str:
        return fragment(self._page(has_contents=False))


def report(
    item: Collection | View,
    *,
    every: Any = None,
    gap: Any = None,
    sample: int | None = SAMPLE,
    title: str | None = None,
) -> Report:
    """Return a report of a collection or a view.

    The report contains a summary, the coverage of the axis, the growth, the health and the sizes of variables; a map if rows
    have latitudes and longitudes. A part that is unavailable contains the reason.

    Parameters
    ----------
    item
        The collection or the view.
    every, gap
        As for `coverage`.
    sample
        The number of partitions that are checked for health and measured, evenly spaced; each needs requests. None for all.
    title
        The title of the report; by default the attribute `title` of the collection, or the last part of its URL.

    Raises
    ------
    SettingError
        `sample` is not an integer of at least 1, or `every` or `gap` is not a valid difference of the axis.

    Examples
    --------
    >>> import numpy as np
    >>> import zcollection as zc
    >>> schema = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    >>> hours = zc.create_collection("memory://hours", schema=schema, axis="time", partitioning="date:D")
    >>> _ = hours.insert({"time": np.arange("2024-01-01", "2024-01-04", dtype="datetime64[h]").astype("datetime64[s]")})
    >>> found = report(hours)
    >>> print(found)
    <zcollection.Report hours> Summary, Coverage and gaps, Growth and last deliveries, Health, Size and compression
    """
    if sample is not None and not (type(sample) is int and sample > 0):
        message = f"sample={sample!r}; accepted: an integer of at least 1, or None for all partitions"
        raise SettingError(message)
    found = Facts.of(item, sample, {"every": every, "gap": gap})
    chapters = [
        _summary(found),
        _status(found),
        _coverage(found),
        places(found, sample),
        growth(found),
        health(found),
        sizes(found),
    ]
    named = shortened(title or _title(item), 100)
    return Report(
        title=named,
        made=dt.datetime.now(dt.UTC),
        header=[tag("h1", named), tag("p", f"{item.store.url}", class_="zc-place"), cards(_figures(found))],
        chapters=[chapter for chapter in chapters if chapter is not None],
    )


def _title(item: Collection | View) -> str:
    title = item.schema.attrs.get("title") if isinstance(item, Collection) else None
    parts = [part for part in f"{item.store.url}".replace("://", "/").split("/") if part]
    return title if isinstance(title, str) and title.strip() else parts[-1]


def _figures(found: Facts) -> dict[str, str | None]:
    """Return the key figures at the top."""
    coverage, history = found.coverage.value, found.history.value
    total = None if coverage is None else coverage.total
    problems = found.health.value
    return {
        "rows": f"{sum(record.rows for record in found.records.values()):,}",
        "partitions": f"{len(found.records):,}",
        "stored": format_bytes(sum(record.stored_bytes for record in found.records.values())),
        "from": None if total is None or total.first is None else _day(total.first),
        "to": None if total is None or total.last is None else _day(total.last),
        "share of expected rows": None if total is None or total.share is None else percent(total.share),
        "gaps": None if total is None else f"{total.gaps:,}",
        "last change": when(history[-1].time)[:10] if history else None,
        "problems found": None if problems is None else f"{len(problems.problems):,}",
    }


def _day(value: Any) -> str:
    return _short(value)[:10] if isinstance(value, np.datetime64) else _short(value)


def _short(value: Any) -> str:
    return in_words(value).replace("T", " ").removesuffix(" 00:00:00")


def _summary(found: Facts) -> Chapter:
    item = found.item
    pairs: dict[str, object] = {
        "axis": f"{item.axis} (dimension {item.dimension})",
        "partitioning": _partitioning(found.rows),
    }
    if isinstance(item, View):
        pairs |= {
            "view over": f"{item.base.store.url}",
            "own variables": listed(item.variables),
            "computed by": ", ".join(map(str, item.computations)) or "update()",
        }
    schema = item.schema
    rows = [_variable(path, variable) for path, variable in schema.all_variables().items()]
    header = ("variable", "type", "dimensions", "units", "long name", "statistics")
    dimensions = [
        (name, each.size if each.size is not None else "any", each.chunks, each.shards)
        for name, each in schema.dimensions.items()
    ]
    sized = table("Dimensions", ("name", "size", "chunks", "shards"), dimensions, numeric=("size", "chunks", "shards"))
    attributes = table("Attributes", ("name", "value"), [(name, f"{value}") for name, value in schema.attrs.items()])
    return Chapter(
        "what",
        "Summary",
        [
            facts(pairs),
            table("Variables", header, rows),
            sized,
            folded(counted(len(schema.attrs), "attribute"), attributes),
        ],
    )


def _partitioning(collection: Collection) -> str:
    try:
        return f"{collection.partitioning}"
    except zcollection.PluginError as error:
        return f"{error}"


def _variable(path: str, variable: VariableSchema) -> tuple[object, ...]:
    named = variable.attrs.get("long_name") or variable.attrs.get("standard_name")
    dimensions = f"({', '.join(variable.dimensions)})"
    return (
        path,
        dtype_name(variable),
        dimensions,
        variable.attrs.get("units"),
        named,
        "yes" if variable.statistics else None,
    )


_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "current": ("zc-l4", "current: computed from the current base"),
    "stale": ("zc-l1", "stale: the base has changed since the computation"),
    "missing": ("zc-l0", "missing: not computed yet"),
}


def _status(found: Facts) -> Chapter | None:
    """Return the chapter of the state of a view; None for a collection."""
    if found.status is None:
        return None
    status = found.status.value
    if status is None:
        return Chapter("view", "State of the view", [tag("p", f"The state is unknown: {found.status.why}")])
    counts = {name: len(getattr(status, name)) for name in ("current", "stale", "missing", "orphaned")}
    rows = [(path, name) for name in ("stale", "missing", "orphaned") for path in getattr(status, name)]
    waiting = table(
        "Partitions that refresh() would compute or drop", ("partition", "state"), rows[:_GAPS], rest=len(rows) - _GAPS
    )
    return Chapter("view", "State of the view", [facts(counts), states(status, found.rows), waiting])


def states(status: Any, base: Collection, *, is_titled: bool = True) -> Element | None:
    """Return a heat map of the state of a view in each partition of its base; None for fewer than two."""
    keys = {path: base.partitioning.decode(path) for name in _STATES for path in getattr(status, name)}
    if len(keys) < 2:
        return None
    grid = Grid.of(keys.values())
    state = {key: name for name in _STATES for path in getattr(status, name) if (key := keys[path])}
    tiles = {}
    for place, members in grid.cells.items():
        # A cell with several partitions shows the least current one.
        worst = max((state[key] for key in members), key=list(_STATES).index)
        tiles[place] = Tile(_STATES[worst][0], f"{_text_of(members[0])}: {worst}")
    entries = {shade: text for name, (shade, text) in _STATES.items() if getattr(status, name)}
    counts = ", ".join(f"{len(getattr(status, name)):,} {name}" for name in _STATES)
    return heat_map("State of the view by partition", f"{counts}.", grid, tiles, entries, is_titled=is_titled)


def _coverage(found: Facts) -> Chapter:
    coverage, title = (
        found.coverage.value,
        "Coverage and gaps" if found.status is None else "Coverage and gaps of the base",
    )
    if coverage is None:
        return Chapter("coverage", title, [tag("p", f"Coverage is unavailable: {found.coverage.why}")])
    drawn, (gaps, poorest, absent) = pictures(coverage), _incomplete(coverage)
    pair = tag("div", tag("div", drawn), tag("div", gaps, absent), class_="zc-pair")
    return Chapter("coverage", title, [_sentence(coverage), pair, poorest])


def _sentence(coverage: Coverage) -> Element:
    total = coverage.total
    if total.first is None:
        return tag("p", "There are no rows.")
    rows = f"{counted(total.rows, 'row')} from {_short(total.first)} to {_short(total.last)}"
    step = "" if coverage.every is None else f", one every {in_words(coverage.every)} ({coverage.every_from})"
    share = "" if total.share is None else f": {percent(total.share)} of the {total.expected:,} expected"
    absent = f" {counted(len(coverage.absent), 'partition')} absent." if coverage.absent else ""
    largest = "" if not total.gaps else f", the largest of {in_words(total.largest_gap)}"
    gaps = f" {counted(total.gaps, 'gap')}{largest}." if total.gaps else " No gap."
    return tag("p", f"{rows}{step}{share}.{gaps}{absent}")


def _incomplete(coverage: Coverage) -> list[Element | None]:
    starts, stops = coverage.gap_edges
    longest = sorted(range(len(starts)), key=lambda at: stops[at] - starts[at], reverse=True)[:_GAPS]
    missing = coverage.total.gaps
    gaps = [(_short(starts[at]), _short(stops[at]), in_words(stops[at] - starts[at])) for at in longest]
    poorest = sorted(
        (part for part in coverage.partitions if part.share is not None and part.share < 1), key=lambda part: part.share
    )
    rows = [
        (
            part.path,
            part.rows,
            part.expected,
            percent(part.share),
            part.gaps or None,
            in_words(part.largest_gap) if part.gaps else None,
        )
        for part in poorest[:_GAPS]
    ]
    header = ("partition", "rows", "expected", "share", "gaps", "largest gap")
    return [
        table("Largest gaps", ("after", "until", "length"), gaps, rest=missing - len(gaps)),
        table("Least complete partitions", header, rows, numeric=header[1:5], rest=len(poorest) - len(rows)),
        table(
            "Absent partitions",
            ("partition",),
            [(_text_of(key),) for key in coverage.absent[:_GAPS]],
            rest=len(coverage.absent) - _GAPS,
        ),
    ]


def _text_of(key: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items())
