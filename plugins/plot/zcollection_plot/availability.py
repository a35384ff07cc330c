"""The plot of a coverage, of the kind that suits the partitioning."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import numpy as np
from matplotlib.axes import Axes
from zcollection_coverage import Coverage

from zcollection.plugin import SettingError, accepted
from zcollection_plot.axes import Target
from zcollection_plot.calendar import calendar
from zcollection_plot.dates import calendar_of, days_since_1970
from zcollection_plot.matrix import matrix, matrix_of
from zcollection_plot.timeline import timeline

Kind = Literal["calendar", "timeline", "matrix"]

_KINDS: Final[Mapping[str, Callable[..., Axes]]] = {"calendar": calendar, "timeline": timeline, "matrix": matrix}

_DATES: Final = ("year", "month", "day", "hour", "minute", "second")

_SHORT: Final = 28
"""The smallest number of days for a calendar."""


def availability(found: Coverage, kind: Kind | None = None, *, ax: Target = None, **options: Any) -> Axes:
    """Draw the coverage of the axis of a collection.

    Parameters
    ----------
    found
        The coverage.
    kind
        "calendar", "timeline" or "matrix": see these functions. By default a matrix if the keys are two integers other than a date,
        such as cycle and pass; else a calendar if the axis covers at least four weeks, with at least one expected row per day; else
        a timeline.
    ax
        The axes to draw on. None creates a figure of pyplot; a `matplotlib.figure.Figure` gets axes and a suitable size.
    **options
        The options of the kind.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SettingError
        The kind is unknown, or is not possible for the collection.
    """
    chosen = _default(found) if kind is None else kind
    if chosen not in _KINDS:
        message = f"kind={kind!r}; {accepted(chosen, _KINDS)}"
        raise SettingError(message)
    return _KINDS[chosen](found, ax=ax, **options)


def _default(found: Coverage) -> Kind:
    fields = tuple(found.partitions[0].key) if found.partitions else ()
    if fields != _DATES[: len(fields)] and matrix_of(found) is not None:
        return "matrix"
    if calendar_of(found) is None or found.total.first is None:
        return "timeline"
    first, last = days_since_1970([found.total.first, found.total.last])
    has_rows_a_day = found.every is None or found.every <= np.timedelta64(1, "D")
    return "calendar" if has_rows_a_day and last - first >= _SHORT else "timeline"
