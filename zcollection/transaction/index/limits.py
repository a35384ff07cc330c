"""The limits of keys and axis values in ranges of partitions, by which ranges are pruned without reading them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.contracts.partitioning import KeyValue


@frozen
class Limits:
    """The limits of keys and axis values in ranges of consecutive partitions.

    Attributes
    ----------
    smallest, largest
        By field of the key, one value for each range: numbers, booleans, or strings in an object array.
    axis
        The smallest and the largest axis value in each range, as stored; None if they are not known.
    """

    smallest: Mapping[str, NDArray[Any]]
    largest: Mapping[str, NDArray[Any]]
    axis: Sequence[tuple[Any, Any] | None]

    @classmethod
    def of(
        cls,
        smallest: Mapping[str, Sequence[KeyValue]],
        largest: Mapping[str, Sequence[KeyValue]],
        axis: Sequence[tuple[Any, Any] | None],
    ) -> "Limits":
        """Return the limits, given as columns."""
        low, high = ({name: _array(column) for name, column in columns.items()} for columns in (smallest, largest))
        return cls(low, high, axis)

    def __len__(self) -> int:
        return len(self.axis)


def _array(column: Sequence[KeyValue]) -> NDArray[Any]:
    """Return a column as an array; strings as objects, because NumPy's strings drop trailing null characters."""
    is_text = any(isinstance(value, str) for value in column)
    return np.array(list(column), dtype=object if is_text else None)


@runtime_checkable
class RangePruning(Protocol):
    """Candidates that also prune ranges of partitions by their limits, and name further partitions by path."""

    @property
    def paths(self) -> Collection[str]:
        """Paths of partitions that are requested regardless of the limits."""

    def may_contain(self, limits: Limits) -> Sequence[bool]:
        """Return for each range whether it may contain a requested partition."""
