"""What becomes of a partition that exists when rows for it arrive."""

from typing import Any, ClassVar

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.contracts.configurable import Configurable
from zcollection.errors import PluginError
from zcollection.model.dataset import Dataset


@frozen
class RowPlan:
    """Which rows make the merged partition, in order.

    Attributes
    ----------
    source
        int64, shape (rows of the result,): output row i is existing row ``s`` where ``s = source[i] >= 0``, else
        inserted row ``~s``.
    replaced
        How many existing rows gave way to inserted ones.
    """

    source: NDArray[np.int64] = field(eq=False, repr=lambda source: f"<{len(source):,} rows>")
    replaced: int = 0


class MergeStrategy(Configurable):
    """How inserted rows meet those that a partition holds already; merges act within one partition.

    A strategy that keeps or drops whole rows implements `rows`, and the kernel moves the data, rewriting only the
    chunks that change. One that computes new values implements `merge`.

    Attributes
    ----------
    reads_existing
        False for a strategy that never looks at the existing rows: it replaces them blindly, and never conflicts.
    compares_axis
        False for a strategy that needs the number of rows only, and so works without an axis variable.
    contract_versions
        The versions of this contract that this release of zcollection works with.
    """

    __slots__ = ()

    contract_versions: ClassVar[tuple[int, ...]] = (1,)
    reads_existing: ClassVar[bool] = True
    compares_axis: ClassVar[bool] = True

    def rows(self, existing: NDArray[Any], inserted: NDArray[Any]) -> RowPlan | None:  # noqa: ARG002
        """Return the rows of the result, from the two axis columns alone.

        Parameters
        ----------
        existing, inserted
            Axis values of the rows that are there and of those that arrive, of one type, shapes (n,) and (m,); either
            may be empty. Times arrive as datetime64.

        Returns
        -------
        RowPlan or None
            None: this strategy changes values, and implements `merge`.
        """
        return None

    def merge(self, existing: Dataset, inserted: Dataset, *, axis: str, dimension: str) -> Dataset:  # noqa: ARG002 - for those who override
        """Return the merged partition; called when `rows` returns None.

        Parameters
        ----------
        existing, inserted
            Datasets of one schema; neither may be changed, either may have no rows.
        axis
            Name of the axis variable.
        dimension
            Name of the partitioned dimension.
        """
        message = f"{type(self).__name__} implements neither rows() nor merge(); a merge strategy needs one of them"
        raise PluginError(message)


def apply_plan(existing: Dataset, inserted: Dataset, plan: RowPlan, *, dimension: str) -> Dataset:
    """Return the rows that a plan names."""
    count = existing.sizes.get(dimension, 0)
    both = Dataset.concat([existing, inserted], dimension)
    return both.isel({dimension: np.where(plan.source >= 0, plan.source, count + ~plan.source)})
