"""The HTML of collections, views and histories in notebooks. Only the catalog and the last versions are read."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
from zcollection_coverage.drawing import Tile, heat_map, style
from zcollection_coverage.grid import MOST_CELLS, Grid

from zcollection import Collection, View
from zcollection.plugin import Key, Section, Table, ZCollectionError, elements_of, format_bytes, tag, to_html
from zcollection_report.growth import curves, when
from zcollection_report.page import counted
from zcollection_report.report import states

_LAST: Final = 3
"""The number of versions that are shown."""


def shown(item: Any) -> str:
    """Return an object as HTML: a `Collection`, a `View`, or what `history` returns.

    Raises
    ------
    TypeError
        The object is none of these.
    """
    section = item._section()  # noqa: SLF001 - its printed form
    parts: Sequence[Element | None]
    if isinstance(item, View):
        parts = [*_facts(section), *_status(item), *_details(item), *_last(item)]
    elif isinstance(item, Collection):
        parts = [*_facts(section), *_partitions(item), *_details(item), *_last(item)]
    elif isinstance(item, tuple):
        parts = [*curves(item), *elements_of(section.parts)]
    else:
        message = f"a {type(item).__name__}; accepted: a Collection, a View or a History"
        raise TypeError(message)
    return to_html(tag("div", style(), tag("strong", section.title), parts, class_="zc"))


def _facts(section: Section) -> list[Element]:
    return elements_of(section.parts)


def _details(item: Any) -> list[Element]:
    """Return the schema, collapsed because it may be long."""
    return [tag("details", tag("summary", "Schema"), elements_of(item._details()), style="margin-left:1em")]  # noqa: SLF001 - its printed form


def _partitions(item: Collection) -> list[Element]:
    """Return the number of rows of each partition."""
    records = {Key(record.key): record for record in item.records().values()}
    if not records:
        return [tag("div", "no partitions")]
    rows = sum(record.rows for record in records.values())
    size = format_bytes(sum(record.stored_bytes for record in records.values()))
    summary = tag("div", f"{counted(len(records), 'partition')}, {counted(rows, 'row')}, {size}")
    return [summary] if len(records) < 2 else [summary, _rows(records)]


_SHADES: Final = ("zc-l1", "zc-l2", "zc-l3", "zc-l4")


def _rows(records: dict[Key, Any]) -> Element:
    """Return a heat map of the rows of partitions, in quarters of the largest cell."""
    grid = Grid.of(records)
    counts = {place: sum(records[key].rows for key in keys) for place, keys in grid.cells.items()}
    largest = max(counts.values())
    edges = [int(np.ceil(largest * share)) for share in (0, 0.25, 0.5, 0.75, 1)]
    tiles = {
        place: Tile(_SHADES[min(4 * count // max(largest, 1), 3)], f"{count:,} rows") for place, count in counts.items()
    }
    seen = {tile.shade for tile in tiles.values()}
    entries = {
        shade: f"{low:,} to {high:,} rows"
        for shade, (low, high) in zip(_SHADES, pairwise(edges), strict=True)
        if shade in seen
    }
    description = f"{len(records):,} partitions; the cell with most rows has {largest:,}."
    return heat_map(
        "Rows of each partition", description, grid, tiles, entries, is_titled=len(tiles) <= MOST_CELLS // 20
    )


def _status(view: View) -> list[Element | None]:
    """Return which partitions of a view are current."""
    status = view.status()
    names = ("current", "stale", "missing", "orphaned")
    summary = tag("div", ", ".join(f"{len(getattr(status, name)):,} {name}" for name in names))
    return [summary, states(status, view.base, is_titled=False)]


def _last(item: Any) -> Sequence[Element]:
    """Return the last versions; nothing if the store keeps none or they cannot be listed."""
    try:
        history = item.history(last=_LAST)
    except ZCollectionError:
        return []
    columns: Any = {
        "version": lambda entry: str(entry.version),
        "time (UTC)": lambda entry: when(entry.time),
        "operation": lambda entry: entry.operation,
        "partitions": lambda entry: entry.partitions,
        "rows": lambda entry: entry.rows,
        "source": lambda entry: entry.source,
    }
    return elements_of([Table.of("Last versions", history[::-1], columns)])
