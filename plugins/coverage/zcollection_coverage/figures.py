"""Pictures of a coverage: a heat map of the partitions, and a timeline of the gaps."""

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from zcollection.plugin import Key, elements_of, tag, to_html
from zcollection_coverage.coverage import Coverage
from zcollection_coverage.drawing import WIDTH, Line, Tile, heat_map, strip, style
from zcollection_coverage.grid import Grid
from zcollection_coverage.records import PartCoverage
from zcollection_coverage.words import in_words, percent

SHADES: Final = {
    "zc-l0": "absent",
    "zc-l1": "less than half",
    "zc-l2": "half and more",
    "zc-l3": "90 % and more",
    "zc-l4": "all",
}
"""The meaning of the colours of the heat map, by CSS class."""

_COLUMNS: Final = 320
"""The number of columns of the timeline."""


def page(found: Coverage) -> str:
    """Return the HTML of a coverage for notebooks."""
    facts, *tables = found._section().parts  # noqa: SLF001 - its own package
    title = found._section().title  # noqa: SLF001
    shown = [*elements_of([facts]), *pictures(found, is_titled=False), *elements_of(tables)]
    return to_html(tag("div", style(), tag("strong", title), shown, class_="zc"))


def pictures(found: Coverage, *, is_titled: bool = True) -> list[Element]:
    """Return the pictures of a coverage; empty ones are left out.

    Parameters
    ----------
    found
        The coverage.
    is_titled
        As for `heat_map`.
    """
    drawn = [shares(found, is_titled=is_titled), timeline(found)]
    return [element for element in drawn if element is not None]


def shares(found: Coverage, *, is_titled: bool = True) -> Element | None:
    """Return the share of existing rows of each partition as a heat map; None for fewer than two partitions."""
    parts = {part.key: part for part in found.partitions}
    if len(parts) < 2:
        return None
    grid = Grid.of([*parts, *found.absent])
    tiles = {place: _tile([(key, parts.get(key)) for key in keys]) for place, keys in grid.cells.items()}
    complete = sum(part.share is None or part.share >= 1 for part in parts.values())
    description = (
        f"{len(parts):,} partitions exist, {complete:,} of them complete; {len(found.absent):,} are absent between the first "
        f"and the last. The tables list the least complete ones."
    )
    seen = {tile.shade for tile in tiles.values()}
    entries = {shade: text for shade, text in SHADES.items() if shade in seen}
    return heat_map("Share of expected rows by partition", description, grid, tiles, entries, is_titled=is_titled)


def _tile(members: Sequence[tuple[Key, PartCoverage | None]]) -> Tile:
    existing = [part for _, part in members if part is not None]
    name = " to ".join(dict.fromkeys(_named(key) for key, _ in (members[0], members[-1])))
    if not existing:
        return Tile("zc-l0", f"{name}: absent")
    share = _mean_share(existing) * len(existing) / len(members)
    rows = sum(part.rows for part in existing)
    return Tile(shade(share), f"{name}: {rows:,} rows, {percent(share)}")


def _mean_share(parts: Sequence[PartCoverage]) -> float:
    expected = sum(part.expected or 0 for part in parts)
    if not expected:
        return 1.0
    return sum((1.0 if part.share is None else part.share) * (part.expected or 0) for part in parts) / expected


def shade(share: float) -> str:
    """Return the CSS class of a share; only a complete share gets the last class.

    Examples
    --------
    >>> shade(0.2), shade(0.5), shade(0.999), shade(1.0)
    ('zc-l1', 'zc-l2', 'zc-l3', 'zc-l4')
    """
    return "zc-l4" if share >= 1 else "zc-l3" if share >= 0.9 else "zc-l2" if share >= 0.5 else "zc-l1"


def _named(key: Key) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items())


def timeline(found: Coverage) -> Element | None:
    """Return the axis with the share of gaps in each column; None without gaps."""
    total, (starts, stops) = found.total, found.gap_edges
    if not len(starts):
        return None
    line = Line(first=total.first, last=total.last, left=1.0, right=WIDTH - 1.0)
    lost = shares_between(line.at(starts) - line.left, line.at(stops) - line.left, length=line.right - line.left)
    description = (
        f"{total.gaps:,} gaps between {in_words(total.first)} and {in_words(total.last)}, the largest of "
        f"{in_words(total.largest_gap)}, {in_words(total.gap_length)} in total."
    )
    entries = {"zc-l4": "no gap", "zc-bad": "share of the time in gaps"}
    return strip("Gaps along the axis", description, line, lost, entries)


def shares_between(starts: NDArray[np.float64], stops: NDArray[np.float64], *, length: float) -> NDArray[np.float64]:
    """Return the share of each column that is between starts and stops, which are sorted and do not overlap.

    Examples
    --------
    >>> shares_between(np.array([0.0, 300.0]), np.array([1.0, 303.0]), length=320.0).nonzero()[0].tolist()
    [0, 300, 301, 302]
    """
    lengths = np.cumsum(stops - starts)
    # The total length of gaps before a position: it increases inside gaps and is constant between them.
    places = np.column_stack([starts, stops]).ravel()
    before = np.column_stack([lengths - (stops - starts), lengths]).ravel()
    edges = np.linspace(0, length, _COLUMNS + 1)
    shares: NDArray[np.float64] = np.diff(np.interp(edges, places, before, left=0.0)) * _COLUMNS / length
    return np.where(shares < 1e-9, 0.0, np.minimum(shares, 1.0))
