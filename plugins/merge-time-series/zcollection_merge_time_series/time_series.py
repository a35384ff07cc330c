"""The strategy that replaces the period which the inserted rows cover."""

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import MergeStrategy, RowPlan


@frozen
class TimeSeries(MergeStrategy):
    """Inserted rows take the place of the existing ones between the first and the last of them, both included.

    This is how a reprocessed stretch of a series is delivered: whole. The result is sorted by axis value; rows of one
    value keep their order, the existing before the inserted. Every inserted row is kept, duplicates too.

    Rows whose axis value is NaN or NaT lie in no period: they replace nothing, are not replaced, and sort last.

    Examples
    --------
    >>> TimeSeries().rows(np.array([0, 10, 20, 30]), np.array([22, 8])).source.tolist()
    [0, -2, -1, 3]
    """

    def rows(self, existing: NDArray[Any], inserted: NDArray[Any]) -> RowPlan:
        """Return the plan that keeps every inserted row, and the existing ones outside of their period.

        Parameters
        ----------
        existing, inserted
            Axis values of the rows that are there, shape (n,), and of those that arrive, shape (m,), of one type that
            has an order; either may be empty, neither need be sorted.

        Returns
        -------
        RowPlan
            At least m rows, sorted.
        """
        replaced = _covered(existing, by=inserted)
        kept = np.flatnonzero(~replaced)
        source = np.concatenate([kept, ~np.arange(inserted.size)]).astype(np.int64, copy=False)
        order = np.argsort(np.concatenate([existing[kept], inserted]), kind="stable")
        return RowPlan(source[order], replaced=int(np.count_nonzero(replaced)))


def _covered(existing: NDArray[Any], *, by: NDArray[Any]) -> NDArray[np.bool_]:
    # NaN and NaT differ from themselves. Sorted rather than reduced: NumPy has no minimum for strings.
    present = np.sort(by[np.equal(by, by)])
    if not present.size:
        return np.zeros(existing.shape, dtype=np.bool_)
    covered: NDArray[np.bool_] = (existing >= present[0]) & (existing <= present[-1])
    return covered
