"""The strategy that replaces a partition whole."""

from typing import Any, ClassVar

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import MergeStrategy, RowPlan


@frozen
class Replace(MergeStrategy):
    """Inserted rows take the place of the partition, in the order in which they arrive.

    The existing rows are never looked at: the strategy never conflicts, and works without an axis variable. Rows whose
    axis value is NaN or NaT are rows like any other.

    Examples
    --------
    >>> Replace().rows(np.array([1, 2, 3]), np.array([9, 8])).source.tolist()
    [-1, -2]
    """

    reads_existing: ClassVar[bool] = False
    compares_axis: ClassVar[bool] = False

    def rows(self, existing: NDArray[Any], inserted: NDArray[Any]) -> RowPlan:
        """Return the plan that keeps every inserted row and no other.

        Parameters
        ----------
        existing
            Axis values of the rows that are there, shape (n,); only their number matters, and it may be given as zero.
        inserted
            Axis values of the rows that arrive, shape (m,); only their number matters.

        Returns
        -------
        RowPlan
            m rows.
        """
        return RowPlan(~np.arange(inserted.size, dtype=np.int64), replaced=existing.size)
