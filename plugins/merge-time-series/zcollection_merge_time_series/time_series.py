"""The strategy that replaces the period covered by the inserted rows."""

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import MergeStrategy, RowPlan


@frozen
class TimeSeries(MergeStrategy):
    """Replace the existing rows from the first to the last inserted axis value, both included.

    The strategy suits complete reprocessed periods of a series. The result is sorted by axis value; rows with the same value
    keep their order, existing rows before inserted ones. Every inserted row is kept, including duplicates.

    Rows whose axis value is NaN or NaT belong to no period: they replace nothing, are not replaced, and sort last.

    Examples
    --------
    >>> TimeSeries().rows(np.array([0, 10, 20, 30]), np.array([22, 8])).source.tolist()
    [0, -2, -1, 3]
    """

    def rows(self, existing: NDArray[Any], inserted: NDArray[Any]) -> RowPlan:
        """Return the plan that keeps every inserted row, and the existing rows outside their period.

        Parameters
        ----------
        existing, inserted
            Axis values of the existing rows, shape (n,), and of the inserted rows, shape (m,), of the same ordered type.
            Either may be empty, and they need not be sorted.

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
    # NaN and NaT differ from themselves. Use sort instead of min and max: NumPy has no minimum for strings.
    present = np.sort(by[np.equal(by, by)])
    if not present.size:
        return np.zeros(existing.shape, dtype=np.bool_)
    covered: NDArray[np.bool_] = (existing >= present[0]) & (existing <= present[-1])
    return covered
