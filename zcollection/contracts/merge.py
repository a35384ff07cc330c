"""The contract of merge strategies: how inserted rows are combined with the existing rows of a partition."""

from typing import Any, ClassVar

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.contracts.configurable import Configurable
from zcollection.errors import PluginError
from zcollection.model.dataset import Dataset


@frozen
class RowPlan:
    """The rows of the merged partition, in order.

    Attributes
    ----------
    source
        int64, shape (rows of the result,). With ``s = source[i]``, output row i is existing row ``s`` if ``s >= 0``, else
        inserted row ``~s``.
    replaced
        Number of existing rows that were replaced by inserted rows.
    """

    source: NDArray[np.int64] = field(eq=False, repr=lambda source: f"<{len(source):,} rows>")
    replaced: int = 0


class MergeStrategy(Configurable):
    """A strategy that combines inserted rows with the existing rows of one partition.

    A strategy that keeps or drops entire rows implements `rows`; the kernel then moves the data, and rewrites only the
    chunks that change. A strategy that computes new values implements `merge`.

    Attributes
    ----------
    reads_existing
        False for a strategy that replaces the existing rows without reading them; it never conflicts with another writer.
    compares_axis
        False for a strategy that needs only the number of rows, and therefore works without an axis variable.
    contract_versions
        The versions of this contract that this release of zcollection accepts.
    """

    __slots__ = ()

    contract_versions: ClassVar[tuple[int, ...]] = (1,)
    reads_existing: ClassVar[bool] = True
    compares_axis: ClassVar[bool] = True

    def rows(self, existing: NDArray[Any], inserted: NDArray[Any]) -> RowPlan | None:  # noqa: ARG002
        """Return the rows of the result, computed from the two axis columns.

        Parameters
        ----------
        existing, inserted
            Axis values of the existing and of the inserted rows, of the same type, shapes (n,) and (m,). Either may be
            empty. Times are datetime64.

        Returns
        -------
        RowPlan or None
            The rows of the result. None if the strategy changes values, and therefore implements `merge`.
        """
        return None

    def merge(self, existing: Dataset, inserted: Dataset, *, axis: str, dimension: str) -> Dataset:  # noqa: ARG002 - for subclasses
        """Return the merged partition; called when `rows` returns None.

        Parameters
        ----------
        existing, inserted
            Datasets with the same schema. Neither may be modified, and either may have no rows.
        axis
            Name of the axis variable.
        dimension
            Name of the partitioned dimension.
        """
        message = f"{type(self).__name__} implements neither rows() nor merge(); a merge strategy needs one of them"
        raise PluginError(message)


def apply_plan(existing: Dataset, inserted: Dataset, plan: RowPlan, *, dimension: str) -> Dataset:
    """Return the dataset that consists of the rows of a plan.

    Parameters
    ----------
    existing, inserted
        Datasets with the same schema.
    plan
        The rows of the result.
    dimension
        Name of the partitioned dimension.
    """
    count = existing.sizes.get(dimension, 0)
    both = Dataset.concat([existing, inserted], dimension)
    return both.isel({dimension: np.where(plan.source >= 0, plan.source, count + ~plan.source)})
