"""SVG pictures, and the style sheet of the pages that contain them: light and dark, on screen and on paper, without scripts.

Every picture is a figure with a title, a description for screen readers, and a legend in words. Colours are classes of the style
sheet, so that the same picture fits every page.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element, tostring

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import shortened, stylesheet, tag
from zcollection_coverage.grid import Grid, Place

WIDTH: Final = 640
"""The width of every picture, in SVG units (pixels if there is enough room)."""

_LABELS: Final = 104
"""The width of the row labels."""

_WIDEST_LABEL: Final = 13
_CELL: Final = 15
_TICKS: Final = 7

LIGHT: Final = (
    "--zc-ink:#17212b;--zc-soft:#55616d;--zc-paper:#ffffff;--zc-panel:#f4f6f8;--zc-line:#cfd6dd;--zc-accent:#0b62b8;"
    "--zc-l1:#f2c14e;--zc-l2:#c3dcef;--zc-l3:#6aa7d6;--zc-l4:#14599b;--zc-bad:#b3261e;--zc-good:#1a7037"
)
DARK: Final = (
    "--zc-ink:#e7edf3;--zc-soft:#a9b4bf;--zc-paper:#12181f;--zc-panel:#1b232c;--zc-line:#3a4652;--zc-accent:#7cc0ff;"
    "--zc-l1:#c98f1b;--zc-l2:#1f4567;--zc-l3:#3579b5;--zc-l4:#8cc8f8;--zc-bad:#ff8d85;--zc-good:#6fd58b"
)
_SHAPES: Final = """
.zc .zc-l0{fill:var(--zc-paper);stroke:var(--zc-soft);stroke-dasharray:2 2;background:var(--zc-paper)}
.zc .zc-legend .zc-l0{border:1px dashed var(--zc-soft)}
.zc .zc-l1{fill:var(--zc-l1);background:var(--zc-l1)}
.zc .zc-l2{fill:var(--zc-l2);background:var(--zc-l2)}
.zc .zc-l3{fill:var(--zc-l3);background:var(--zc-l3)}
.zc .zc-l4{fill:var(--zc-l4);background:var(--zc-l4)}
.zc .zc-bad{fill:var(--zc-bad);background:var(--zc-bad)}
.zc .zc-frame{fill:none;stroke:var(--zc-line)}
.zc .zc-curve{fill:none;stroke:var(--zc-accent);stroke-width:2;stroke-linejoin:round}
.zc .zc-thin{stroke-width:.7;stroke-opacity:.6}
.zc .zc-dot{fill:var(--zc-accent)}
.zc .zc-under{fill:var(--zc-accent);fill-opacity:.15}
"""
_STYLE: Final = f"""
.zc{{{LIGHT};color:var(--zc-ink);color-scheme:light;font-family:system-ui,sans-serif;line-height:1.45}}
@media screen and (prefers-color-scheme:dark){{
:root:not([data-theme=light]) body:not([data-jp-theme-light=true],.vscode-light) .zc{{{DARK};color-scheme:dark}}}}
@media screen{{:root[data-theme=dark] .zc,body[data-jp-theme-light=false] .zc,body.vscode-dark .zc{{{DARK};color-scheme:dark}}}}
.zc figure{{display:block!important;margin:.8em 0 1.2em;padding:0;max-width:{WIDTH}px}}
.zc figcaption{{font-weight:600;margin-bottom:.3em}}
.zc .zc-scroll{{overflow-x:auto;max-width:100%}}
.zc svg{{display:block;width:100%;min-width:34rem;height:auto;font-size:12px;fill:var(--zc-soft)}}
.zc svg text{{fill:var(--zc-soft);font-family:system-ui,sans-serif}}
.zc .zc-legend{{display:flex;flex-wrap:wrap;gap:.2em 1.1em;color:var(--zc-soft);font-size:.88em;margin-top:.4em}}
.zc .zc-legend span span{{display:inline-block;width:.9em;height:.9em;margin-right:.4em;vertical-align:-.1em;
border:1px solid var(--zc-line)}}
{_SHAPES}@media print{{.zc *{{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
.zc .zc-scroll{{overflow:visible}}.zc svg{{min-width:0}}.zc figure,.zc tr{{break-inside:avoid}}}}
"""


def style() -> Element:
    """Return the style sheet of everything below an element of the class ``zc``."""
    return stylesheet(_STYLE)


def figure(
    title: str, description: str, *, height: float, shapes: Sequence[Element | None], legend: Element | None = None
) -> Element:
    """Return a picture with its title; on narrow screens it scrolls.

    Parameters
    ----------
    title
        The title.
    description
        The content of the picture in words.
    height
        The height of the picture; its width is `WIDTH`.
    shapes
        The elements of the picture.
    legend
        The legend of the colours.
    """
    drawn = tag(
        "svg", tag("title", title), tag("desc", description), shapes, viewBox=f"0 0 {WIDTH} {height:g}", role="img"
    )
    scroll = tag("div", drawn, class_="zc-scroll", tabindex="0", role="group", aria_label=f"Picture: {title}")
    # Untrusted notebooks remove style sheets and pictures; the remaining text alone is useless, so it is hidden.
    return tag("figure", tag("figcaption", title), scroll, legend, style="display:none")


def as_svg(drawn: Element) -> str:
    """Return the picture of a figure as the text of an SVG file; its colours follow the light or dark mode of the reader.

    Examples
    --------
    >>> print(as_svg(figure("Dots", "One dot.", height=10, shapes=[tag("circle", class_="zc-dot", r=2)]))[:70])
    <svg viewBox="0 0 640 10" role="img" xmlns="http://www.w3.org/2000/svg
    """
    picture = next(drawn.iter("svg"))
    dark = f"@media (prefers-color-scheme:dark){{.zc{{{DARK}}}}}"
    text = ".zc text{fill:var(--zc-soft);font-family:system-ui,sans-serif}"
    sheet = stylesheet(f".zc{{{LIGHT};fill:var(--zc-soft);font-size:12px}}{dark}{text}{_SHAPES}")
    title, description, *shapes = picture
    parts = (title, description, sheet, tag("g", shapes, class_="zc"))
    document = tag("svg", parts, **dict(picture.items()), xmlns="http://www.w3.org/2000/svg")
    return tostring(document, encoding="unicode")


def legend(entries: Mapping[str, str]) -> Element:
    """Return a legend; `entries` maps CSS classes to their meaning."""
    swatches = [tag("span", tag("span", class_=name), text) for name, text in entries.items()]
    return tag("div", swatches, class_="zc-legend")


@frozen
class Tile:
    """The content of a cell of a heat map.

    Attributes
    ----------
    shade
        The CSS class of its colour.
    text
        The text that appears when the pointer is on the cell.
    """

    shade: str
    text: str


def heat_map(
    title: str,
    description: str,
    grid: Grid,
    tiles: Mapping[Place, Tile],
    entries: Mapping[str, str],
    *,
    is_titled: bool = True,
) -> Element:
    """Return a grid of coloured cells.

    Parameters
    ----------
    title, description
        As for `figure`.
    grid
        Rows and columns.
    tiles
        The cells that are drawn.
    entries
        As for `legend`.
    is_titled
        Whether each cell has a text; if not, the cells of one colour are one shape.
    """
    width = min((WIDTH - _LABELS) / max(len(grid.columns), 1), 2 * _CELL)
    height = _CELL if len(grid.rows) <= 30 else 12
    draw = _single_cells if is_titled else _joined_cells
    shapes = [*_row_labels(grid, height), *_column_labels(grid, width), *draw(tiles, width, height)]
    folded = f" Each cell: {grid.folded}." if grid.folded else ""
    drawn = figure(
        title, description + folded, height=_TOP + len(grid.rows) * height + 4, shapes=shapes, legend=legend(entries)
    )
    if grid.folded:
        drawn.append(tag("div", f"Each cell: {grid.folded}.", class_="zc-legend"))
    return drawn


_TOP: Final = 20


def _row_labels(grid: Grid, height: float) -> list[Element]:
    every = 1 if height >= 12 else 2
    head = tag("text", shortened(grid.row_names, _WIDEST_LABEL), x=_LABELS - 8, y=13, text_anchor="end", font_size=11)
    return [head] + [
        tag(
            "text",
            shortened(label, _WIDEST_LABEL),
            x=_LABELS - 8,
            y=_TOP + (at + 0.78) * height,
            text_anchor="end",
            font_size=11,
        )
        for at, label in enumerate(grid.rows)
        if at % every == 0
    ]


def _column_labels(grid: Grid, width: float) -> list[Element]:
    if not grid.column_name:
        return []
    longest = max(map(len, grid.columns), default=1)
    apart = max(1, int(np.ceil((min(longest, _WIDEST_LABEL) * 7 + 8) / width)))
    # Labels are far enough apart not to overlap.
    return [
        tag(
            "text",
            shortened(label, _WIDEST_LABEL),
            x=_LABELS + (at + 0.5) * width,
            y=13,
            text_anchor="middle",
            font_size=11,
        )
        for at, label in enumerate(grid.columns)
        if at % apart == 0
    ]


def _single_cells(tiles: Mapping[Place, Tile], width: float, height: float) -> list[Element]:
    return [
        tag(
            "rect",
            tag("title", tile.text),
            class_=tile.shade,
            x=_LABELS + column * width + 0.5,
            y=_TOP + row * height + 0.5,
            width=width - 1.5,
            height=height - 1.5,
        )
        for (row, column), tile in tiles.items()
    ]


def _joined_cells(tiles: Mapping[Place, Tile], width: float, height: float) -> list[Element]:
    paths: dict[str, list[str]] = {}
    across, down = f"{width - 1.5:.4g}", f"{height - 1.5:.4g}"
    for (row, column), tile in tiles.items():
        corner = f"M{_LABELS + column * width + 0.5:.5g} {_TOP + row * height + 0.5:.5g}"
        paths.setdefault(tile.shade, []).append(f"{corner}h{across}v{down}h-{across}z")
    return [tag("path", class_=shade, d="".join(parts)) for shade, parts in paths.items()]


@frozen(kw_only=True)
class Line:
    """An axis from left to right.

    Attributes
    ----------
    first, last
        Values at its ends: times, or numbers.
    left, right
        The x positions of these ends.
    """

    first: Any
    last: Any
    left: float = 0.0
    right: float = float(WIDTH)

    def at(self, values: Any) -> Any:
        """Return the x positions of values: float64, of the same shape."""
        length = _number(np.asarray(self.last) - self.first)
        shares = _number(np.asarray(values) - self.first) / (length or 1.0)
        return self.left + shares * (self.right - self.left)

    def ticks(self, y: float) -> list[Element]:
        """Return tick marks and their labels below a given y position."""
        shapes: list[Element] = []
        for value, label in ticks(self.first, self.last):
            x = float(self.at(value))
            near_left, near_right = x < self.left + 20, x > self.right - 30
            anchor = "start" if near_left else "end" if near_right else "middle"
            x = min(x, WIDTH - 4.0)
            shapes += [
                tag("path", class_="zc-frame", d=f"M{x:.1f} {y}v5"),
                tag("text", label, x=x, y=y + 17, text_anchor=anchor, font_size=11),
            ]
        return shapes


def _number(difference: Any) -> Any:
    found = np.asarray(difference)
    return (found / np.timedelta64(1, "s") if found.dtype.kind == "m" else found).astype(np.float64)


_STEPS: Final = (
    *(("s", count) for count in (1, 5, 15, 30)),
    *(("m", count) for count in (1, 5, 15, 30)),
    *(("h", count) for count in (1, 3, 6, 12)),
    *(("D", count) for count in (1, 2, 5, 10)),
    *(("M", count) for count in (1, 3, 6)),
    *(("Y", count) for count in (1, 2, 5, 10, 20, 50, 100, 1000)),
)


def ticks(first: Any, last: Any) -> list[tuple[Any, str]]:
    """Return a few round values between two, each with its label.

    Examples
    --------
    >>> [label for _, label in ticks(np.datetime64("2023-11-20"), np.datetime64("2024-03-03"))]
    ['2023-12', '2024-01', '2024-02', '2024-03']
    >>> [label for _, label in ticks(0.0, 1.0)]
    ['0', '0.2', '0.4', '0.6', '0.8', '1']
    """
    if isinstance(first, np.timedelta64):  # since 1970 in a calendar that datetime64 does not support
        days = _round_numbers(*(float(value / np.timedelta64(1, "D")) for value in (first, last)))
        return [(np.timedelta64(round(value * 86_400), "s"), f"{label} d") for value, label in days]
    if not isinstance(first, np.datetime64):
        return _round_numbers(float(first), float(last))
    if first == last:
        return [_labelled(first)]
    for unit, count in _STEPS:
        begin, end = first.astype(f"datetime64[{unit}]"), last.astype(f"datetime64[{unit}]")
        if int((end - begin).astype(np.int64)) // count >= _TICKS:
            continue
        numbers = range(int(begin.astype(np.int64)), int(end.astype(np.int64)) + 1)
        chosen = [_instant(number, unit) for number in numbers if _is_round(number, unit, count)]
        found = [value for value in chosen if first <= value <= last]
        labels = [
            _time_of(value, unit, is_first=at == 0) if unit in "hms" else str(value) for at, value in enumerate(found)
        ]
        return list(zip(found, labels, strict=True)) or [_labelled(first)]
    return [(first, str(first.astype("datetime64[Y]"))), (last, str(last.astype("datetime64[Y]")))]


def _time_of(value: np.datetime64, unit: str, *, is_first: bool) -> str:
    """Return a time of day, with the day for the first label and at midnight."""
    day, _, time = str(value.astype(f"datetime64[{'s' if unit == 's' else 'm'}]")).partition("T")
    is_midnight = value == value.astype("datetime64[D]")
    return day if is_midnight else f"{day} {time}" if is_first else time


def _labelled(value: np.datetime64) -> tuple[Any, str]:
    return value, str(value.astype("datetime64[s]")).replace("T", " ")


def _instant(number: int, unit: str) -> np.datetime64:
    found: np.datetime64 = np.array([number]).astype(f"datetime64[{unit}]")[0]
    return found


def _is_round(number: int, unit: str, count: int) -> bool:
    """Return whether a count of a unit since 1970 is a round value."""
    if unit == "Y":
        return (number + 1970) % count == 0
    if unit == "D" and count > 1:
        day = int(str(_instant(number, "D"))[-2:])
        return (day - 1) % count == 0 and day <= 31 - count / 2
    return number % count == 0


def _round_numbers(first: float, last: float) -> list[tuple[Any, str]]:
    rough = (last - first) / _TICKS
    if not rough > max(abs(first), abs(last), 1e-290) * 1e-12:  # smaller differences are not visible in the labels
        return [(first, f"{first:g}")]
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    numbers = np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step
    return [(float(value), f"{value:.10g}") for value in numbers]


def strip(title: str, description: str, line: Line, shares: NDArray[np.float64], entries: Mapping[str, str]) -> Element:
    """Return an axis as columns; each share is a bar of proportional height, at least 3 units high if it is not 0.

    Parameters
    ----------
    title, description, entries
        As for `heat_map`.
    line
        The axis.
    shares
        The share of each column, 0 to 1, shape (columns,); all columns have the same width.
    """
    height, width = 40.0, (line.right - line.left) / len(shares)
    tops = np.where(shares > 0, np.maximum(shares * height, 3.0), 0.0)
    columns = [
        f"M{line.left + at * width:.2f} 6h{width:.2f}v{tops[at]:.1f}h-{width:.2f}z" for at in np.flatnonzero(tops)
    ]
    shapes = [
        tag("rect", class_="zc-l4", x=line.left, y=6, width=line.right - line.left, height=height),
        tag("path", class_="zc-bad", d="".join(columns)),
        *line.ticks(6 + height + 2),
    ]
    return figure(title, description, height=height + 32, shapes=shapes, legend=legend(entries))
