"""The strategy that appends to a partition."""

from typing import Any, ClassVar

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import MergeStrategy, RowPlan


@frozen
class Concat(MergeStrategy):
    """Append inserted rows to the existing rows; nothing is compared, sorted or dropped.

    The strategy works without an axis variable. If the same rows are inserted twice, both copies are kept. Rows whose axis
    value is NaN or NaT are treated like all other rows.

    Examples
    --------
    >>> Concat().rows(np.array([1, 2, 3]), np.array([3, 0])).source.tolist()
    [0, 1, 2, -1, -2]
    """

    compares_axis: ClassVar[bool] = False

    def rows(self, existing: NDArray[Any], inserted: NDArray[Any]) -> RowPlan:
        """Return the plan that keeps every row: the existing rows, then the inserted rows, in their order.

        Parameters
        ----------
        existing, inserted
            Axis values of the existing rows, shape (n,), and of the inserted rows, shape (m,); only the lengths matter.

        Returns
        -------
        RowPlan
            n + m rows.
        """
        old, new = (np.arange(rows.size, dtype=np.int64) for rows in (existing, inserted))
        return RowPlan(np.concatenate([old, ~new]))
