"""The merge strategy that inserts new rows and replaces existing rows with the same axis value."""

from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.plugin import MergeStrategy, RowPlan
from zcollection_merge_upsert.nearest import nearest_first
from zcollection_merge_upsert.tolerance import as_tolerance, measure, reach


@frozen(kw_only=True)
class Upsert(MergeStrategy):
    """Replace existing rows by inserted rows with the same axis value, and keep all other existing rows.

    The result is sorted by axis value; existing rows with the same value keep their order. If several inserted rows have
    the same value, only the last one is inserted. If several existing rows have this value, it replaces all of them.

    With a tolerance, an inserted row that equals no existing row replaces the nearest existing row within the tolerance.
    This is useful if rows are delivered again with times that differ by a few microseconds. Each axis value replaces at
    most one other value, and is replaced by at most one. Equal values are matched first, then the nearest pairs; among
    pairs at the same distance, the one with the earlier existing row, then the one with the later inserted row.

    Rows whose axis value is NaN or NaT match no other row: all of them are kept, and sorted last.

    Parameters
    ----------
    tolerance
        Largest distance, inclusive, between rows that match: a ``numpy.timedelta64`` for an axis of times, else a number
        in the unit of the axis. None if only equal values match.

    Raises
    ------
    PluginConfigurationError
        The tolerance has another type, or is negative, NaN, NaT or infinite.

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
        """Return the plan with the last inserted row of each axis value, and the existing rows that are not replaced.

        Parameters
        ----------
        existing, inserted
            Axis values of the existing rows, shape (n,), and of the inserted rows, shape (m,), of the same ordered type.
            Either may be empty, and neither has to be sorted.

        Returns
        -------
        RowPlan
            At most n + m rows, sorted.

        Raises
        ------
        SchemaError
            The tolerance does not fit the type of the axis.
        """
        latest = _last_of_each(inserted)
        values = inserted[latest]
        start, stop = self._window(existing, values)
        replaced = self._replaced(existing[start:stop], values)
        kept = start + np.flatnonzero(~replaced)
        order = np.argsort(np.concatenate([existing[kept], values]), kind="stable")
        part = np.concatenate([kept, ~latest])[order]
        source = np.concatenate([np.arange(start), part, np.arange(stop, len(existing))])
        return RowPlan(source.astype(np.int64, copy=False), replaced=int(np.count_nonzero(replaced)))

    def _window(self, existing: NDArray[Any], values: NDArray[Any]) -> tuple[int, int]:
        """Return the range of existing rows that sorted inserted values can change; rows outside it keep their order.

        If the existing rows are sorted, it extends from the smallest to the largest inserted value.
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
        unmatched = values[~_among(values, _distinct(existing[equal])) & _present(values)]
        matched = nearest_first(measure(candidates), measure(unmatched), farthest)
        return equal | _among(existing, candidates[matched])


def _last_of_each(inserted: NDArray[Any]) -> NDArray[np.intp]:
    """Return the position of the last row of each value, sorted by value; each NaN and NaT is a value of its own."""
    order = np.argsort(inserted, kind="stable")
    values = inserted[order]
    last = np.ones(order.shape, dtype=np.bool_)
    last[:-1] = values[1:] != values[:-1]
    return order[last]


def _is_sorted(rows: NDArray[Any]) -> bool:
    """Return whether rows are in ascending order; False if there is NaN or NaT."""
    with np.errstate(invalid="ignore"):  # NumPy warns about complex values
        return bool((rows[1:] >= rows[:-1]).all())


def _distinct(values: NDArray[Any]) -> NDArray[Any]:
    # Several times faster than np.unique for values that are mostly sorted and distinct, as usual here.
    return values[_last_of_each(values)]


def _among(rows: NDArray[Any], values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the mask of rows that have one of the sorted values; NaN and NaT equal no value."""
    among, values = np.zeros(rows.shape, dtype=np.bool_), values[_present(values)]
    if values.size:
        with np.errstate(invalid="ignore"):  # NumPy warns about complex values
            near = np.flatnonzero((rows >= values[0]) & (rows <= values[-1]))  # usually few of the existing rows
        among[near] = values[np.searchsorted(values, rows[near])] == rows[near]
    return among


def _present(values: NDArray[Any]) -> NDArray[np.bool_]:
    # Only NaN and NaT differ from themselves.
    present: NDArray[np.bool_] = np.equal(values, values)
    return present
