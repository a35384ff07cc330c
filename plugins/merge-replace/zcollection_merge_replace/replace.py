"""The strategy that replaces all rows of a partition."""

from typing import Any, ClassVar

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import MergeStrategy, RowPlan


@frozen
class Replace(MergeStrategy):
    """Replace all rows of the partition with the inserted rows, in the order in which they are given.

    The existing rows are never read: the strategy never conflicts with another writer, and works without an axis variable.
    Rows whose axis value is NaN or NaT are treated like all other rows.

    Examples
    --------
    >>> Replace().rows(np.array([1, 2, 3]), np.array([9, 8])).source.tolist()
    [-1, -2]
    """

    reads_existing: ClassVar[bool] = False
    compares_axis: ClassVar[bool] = False

    def rows(self, existing: NDArray[Any], inserted: NDArray[Any]) -> RowPlan:
        """Return the plan that keeps exactly the inserted rows.

        Parameters
        ----------
        existing
            Axis values of the existing rows, shape (n,); only the length matters, and it may be zero.
        inserted
            Axis values of the inserted rows, shape (m,); only the length matters.

        Returns
        -------
        RowPlan
            m rows.
        """
        return RowPlan(~np.arange(inserted.size, dtype=np.int64), replaced=existing.size)
