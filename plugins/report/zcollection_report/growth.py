"""The growth of a collection, and its last versions."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray
from zcollection_coverage import Coverage
from zcollection_coverage.drawing import WIDTH, Line, figure
from zcollection_coverage.drawing import ticks as ticks_of

from zcollection.plugin import format_bytes, tag
from zcollection_report.facts import Facts
from zcollection_report.page import Chapter, facts, table

_LAST: Final = 15
"""The number of versions that are listed."""

_FEWEST: Final = 3
"""The smallest number of versions for a curve."""

_MOST_POINTS: Final = 600
_LEFT: Final = 62
_HEIGHT: Final = 150


def growth(found: Facts) -> Chapter:
    """Return the chapter of growth and deliveries."""
    history = found.history.value
    if history is None:
        return Chapter(
            "growth", "Growth and last deliveries", [tag("p", f"The versions are not known: {found.history.why}")]
        )
    # The newest come first.
    last = [
        (str(entry.version), when(entry.time), entry.operation, entry.partitions, entry.rows, entry.source)
        for entry in history[: -_LAST - 1 : -1]
    ]
    header = ("version", "time (UTC)", "operation", "partitions", "rows", "source")
    listed = table("Last versions", header, last, numeric=("partitions", "rows"), rest=len(history) - len(last))
    sources = [entry.source for entry in history if entry.source is not None]
    summary = {
        "versions": len(history),
        "sources inserted": len(sources) or None,
        "last source": sources[-1] if sources else None,
        **_lateness(found.coverage.value),
    }
    drawn = curves(history)
    pair = tag("div", drawn, class_="zc-pair") if drawn else None
    return Chapter("growth", "Growth and last deliveries", [facts(summary), pair, listed])


def _lateness(coverage: Coverage | None) -> dict[str, str | None]:
    """Return the lateness of rows if it is known."""
    if coverage is None or not coverage.has_lateness or coverage.total.first is None:
        return {}
    return {"lateness": f"{coverage.lateness}"}


def when(text: str) -> str:
    """Return a time of the history without fractions of a second and time zone.

    Examples
    --------
    >>> when("2024-03-01T02:30:05.123+00:00")
    '2024-03-01 02:30:05'
    """
    time = instant(text)
    return text if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def instant(text: str) -> dt.datetime | None:
    """Return a time of the history in UTC; None if the writer recorded no valid time."""
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(dt.UTC).replace(tzinfo=None) if time.tzinfo is not None else time


def curves(history: Sequence[Any]) -> list[Element]:
    """Return the pictures of growth; if versions have no totals, the pictures show what each version wrote."""
    dated = [(time, entry) for entry in history if (time := instant(entry.time)) is not None]
    if len(dated) < _FEWEST:
        return []
    times = np.array([time for time, _ in dated], "datetime64[ms]")
    order = np.argsort(times, kind="stable")
    entries = [dated[at][1] for at in order]
    if any(entry.total is None for entry in entries):
        written = np.cumsum([entry.rows for entry in entries])
        return [
            curve("Rows written, all versions together", times[order], written, _count),
            curve("Versions", times[order], np.arange(1, len(entries) + 1), _count),
        ]
    return [
        curve("Rows", times[order], np.array([entry.total.rows for entry in entries]), _count),
        curve("Bytes stored", times[order], np.array([entry.total.bytes for entry in entries]), format_bytes),
        curve("Partitions", times[order], np.array([entry.total.partitions for entry in entries]), _count),
        curve("Versions", times[order], np.arange(1, len(entries) + 1), _count),
    ]


def _count(number: int) -> str:
    for size, name in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if number >= size:
            return f"{number / size:.4g}{name}"
    return f"{number}"


def curve(title: str, times: NDArray[Any], values: NDArray[Any], text_of: Callable[[int], str]) -> Element:
    """Return a step curve: each value is valid from its time on.

    Parameters
    ----------
    title
        The title.
    times
        datetime64, ascending, shape (n,).
    values
        Integers, not negative, shape (n,).
    text_of
        A function that returns a value as text.
    """
    line = Line(first=times[0], last=times[-1], left=_LEFT, right=WIDTH - 12.0)
    top = max(int(values.max()), 1)
    marks = [(value, label) for value, label in ticks_of(0.0, float(top)) if value == int(value)]
    xs, ys = _thinned(line.at(times), _y(values, top))
    path = f"M{xs[0]:.1f} {ys[0]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in zip(xs[1:], ys[1:], strict=True))
    area = f"{path}H{line.right}V{_y(np.array(0), top):.1f}H{xs[0]:.1f}z"
    shapes = [
        *(
            tag("path", class_="zc-frame", d=f"M{_LEFT} {_y(np.array(value), top):.1f}H{WIDTH - 12}")
            for value, _ in marks
        ),
        *(
            tag("text", text_of(int(value)), x=_LEFT - 8, y=float(_y(np.array(value), top)) + 4, text_anchor="end")
            for value, _ in marks[:: -(-len(marks) // 5)]
        ),
        tag("path", class_="zc-under", d=area),
        tag("path", class_="zc-curve", d=path),
        *line.ticks(_HEIGHT + 12),
    ]
    description = f"From {text_of(int(values[0]))} at {when(str(times[0]))} to {text_of(int(values[-1]))} at {when(str(times[-1]))}."
    return figure(title, description, height=_HEIGHT + 36, shapes=shapes)


def _y(values: NDArray[Any], top: int) -> Any:
    return 12 + _HEIGHT * (1 - values / top)


def _thinned(xs: NDArray[Any], ys: NDArray[Any]) -> tuple[list[float], list[float]]:
    """Return as many points as are distinguishable: the last one at each position."""
    if len(xs) <= _MOST_POINTS:
        return xs.tolist(), ys.tolist()
    slots = np.floor((xs - xs[0]) / (xs[-1] - xs[0] or 1) * (_MOST_POINTS - 1)).astype(np.int64)
    last = np.flatnonzero(np.append(slots[1:] != slots[:-1], True))
    chosen = np.unique(np.concatenate([[0], last]))
    return xs[chosen].tolist(), ys[chosen].tolist()
