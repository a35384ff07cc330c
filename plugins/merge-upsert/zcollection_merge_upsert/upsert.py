"""The strategy that replaces rows one by one."""

from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.plugin import MergeStrategy, RowPlan
from zcollection_merge_upsert.nearest import nearest_first
from zcollection_merge_upsert.tolerance import as_tolerance, measure, reach


@frozen(kw_only=True)
class Upsert(MergeStrategy):
    """An inserted row takes the place of the existing row with the same axis value; the others stay.

    The result is sorted by axis value; existing rows of one value keep their order. Where several inserted rows have
    the same value, the last wins; where several existing rows have it, all of them give way.

    With a tolerance, an inserted row without an equal takes the place of the nearest existing row at most that far
    away, for instance when a stretch is delivered again with times that differ by some microseconds. A value is
    replaced by at most one other, and replaces at most one. The nearest pairs are matched first, equal values before all
    others; of pairs equally near, the one with the earlier existing row, then the one with the later inserted row.

    Rows whose axis value is NaN or NaT match nothing: they are all kept, and sort last.

    Parameters
    ----------
    tolerance
        Largest distance between rows taken for the same, included. None: only equal values are the same. A
        ``numpy.timedelta64`` for an axis of times, else a number, in the unit of the axis.

    Raises
    ------
    PluginConfigurationError
        The tolerance is neither, or it is negative, NaN, NaT or infinite.

    Examples
    --------
    >>> existing, inserted = np.array([0, 10, 20]), np.array([10, 19, 30])
    >>> Upsert().rows(existing, inserted).source.tolist()
    [0, -1, -2, 2, -3]
    >>> Upsert(tolerance=1).rows(existing, inserted).source.tolist()
    [0, -1, -2, -3]
    """

    tolerance: int | float | np.timedelta64 | None = field(default=None, converter=as_tolerance)

    def rows(self, existing: NDArray[Any], inserted: NDArray[Any]) -> RowPlan:
        """Return the plan that keeps the last inserted row of each value, and the existing rows that none replaces.

        Parameters
        ----------
        existing, inserted
            Axis values of the rows that are there, shape (n,), and of those that arrive, shape (m,), of one type that
            has an order; either may be empty, neither need be sorted.

        Returns
        -------
        RowPlan
            At most n + m rows, sorted.

        Raises
        ------
        SchemaError
            The tolerance does not fit the type of the axis.
        """
        arriving = _last_of_each(inserted)
        values = inserted[arriving]
        start, stop = self._window(existing, values)
        replaced = self._replaced(existing[start:stop], values)
        kept = start + np.flatnonzero(~replaced)
        order = np.argsort(np.concatenate([existing[kept], values]), kind="stable")
        part = np.concatenate([kept, ~arriving])[order]
        source = np.concatenate([np.arange(start), part, np.arange(stop, len(existing))])
        return RowPlan(source.astype(np.int64, copy=False), replaced=int(np.count_nonzero(replaced)))

    def _window(self, existing: NDArray[Any], values: NDArray[Any]) -> tuple[int, int]:
        """Return the limits of the existing rows outside which all stay in place, given the inserted values, sorted.

        Of sorted rows these are those from the smallest inserted value to the largest.
        """
        # NaN and NaT are sorted last.
        if self.tolerance is not None or not _present(values[-1:]).any() or not _is_sorted(existing):
            return 0, len(existing)
        return int(np.searchsorted(existing, values[0])), int(np.searchsorted(existing, values[-1], side="right"))

    def _replaced(self, existing: NDArray[Any], values: NDArray[Any]) -> NDArray[np.bool_]:
        equal = _among(existing, values)
        if self.tolerance is None:
            return equal
        farthest = reach(self.tolerance, existing.dtype)
        candidates = _distinct(existing[~equal & _present(existing)])
        others = values[~_among(values, _distinct(existing[equal])) & _present(values)]
        taken = nearest_first(measure(candidates), measure(others), farthest)
        return equal | _among(existing, candidates[taken])


def _last_of_each(inserted: NDArray[Any]) -> NDArray[np.intp]:
    """Return the position of the last row of each value, in the order of the values; every NaN and NaT counts."""
    order = np.argsort(inserted, kind="stable")
    values = inserted[order]
    last = np.ones(order.shape, dtype=np.bool_)
    last[:-1] = values[1:] != values[:-1]
    return order[last]


def _is_sorted(rows: NDArray[Any]) -> bool:
    """Return whether rows are in ascending order; NaN and NaT are in none."""
    with np.errstate(invalid="ignore"):  # NumPy warns of complex ones
        return bool((rows[1:] >= rows[:-1]).all())


def _distinct(values: NDArray[Any]) -> NDArray[Any]:
    # Several times faster than np.unique where most of the values are sorted and distinct, as they are here.
    return values[_last_of_each(values)]


def _among(rows: NDArray[Any], values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows have one of the values, which are sorted; NaN and NaT equal nothing."""
    among, values = np.zeros(rows.shape, dtype=np.bool_), values[_present(values)]
    if values.size:
        with np.errstate(invalid="ignore"):  # NumPy warns of complex ones
            near = np.flatnonzero((rows >= values[0]) & (rows <= values[-1]))  # few of the rows that exist
        among[near] = values[np.searchsorted(values, rows[near])] == rows[near]
    return among


def _present(values: NDArray[Any]) -> NDArray[np.bool_]:
    # NaN and NaT alone differ from themselves.
    present: NDArray[np.bool_] = np.equal(values, values)
    return present
