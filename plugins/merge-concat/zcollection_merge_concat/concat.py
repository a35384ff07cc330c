"""The strategy that appends to a partition."""

from typing import Any, ClassVar

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import MergeStrategy, RowPlan


@frozen
class Concat(MergeStrategy):
    """Inserted rows follow those that are there; nothing is compared, sorted or dropped.

    The strategy works without an axis variable. Inserting the same rows twice keeps them twice. Rows whose axis value is
    NaN or NaT are rows like any other.

    Examples
    --------
    >>> Concat().rows(np.array([1, 2, 3]), np.array([3, 0])).source.tolist()
    [0, 1, 2, -1, -2]
    """

    compares_axis: ClassVar[bool] = False

    def rows(self, existing: NDArray[Any], inserted: NDArray[Any]) -> RowPlan:
        """Return the plan that keeps every row: the existing, then the inserted, each in their order.

        Parameters
        ----------
        existing, inserted
            Axis values of the rows that are there, shape (n,), and of those that arrive, shape (m,); only their numbers
            matter.

        Returns
        -------
        RowPlan
            n + m rows.
        """
        kept, arriving = (np.arange(rows.size, dtype=np.int64) for rows in (existing, inserted))
        return RowPlan(np.concatenate([kept, ~arriving]))
