"""Neighbouring partitions along the axis, determined from their records, without reading values.

Partitions may overlap along the axis, such as those of two satellites: a neighbour is any partition that may contain a
row within the halo.
"""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from itertools import accumulate
from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.split import as_times
from zcollection.engine.layout import declared_values
from zcollection.errors import SchemaError, SettingError
from zcollection.model.schema import VariableSchema
from zcollection.model.variable import Variable
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.snapshot import Snapshot

Depth = int | dt.timedelta | np.timedelta64
"""How far neighbouring rows reach: a number of rows, or a duration along the axis."""

Halo = tuple[int | np.timedelta64, ...]
"""Depths by which the range of rows of a partition is extended, one after the other."""

_UNORDERED: Final = "cbS"
"""Kinds of dtypes without a recorded range of values."""


def as_halo(depth: object) -> Halo:
    """Return a depth as a halo; the halo of depth 0 is empty.

    Raises
    ------
    SettingError
        The depth is negative, or is neither a number of rows nor a duration.
    """
    if isinstance(depth, int | np.integer) and not isinstance(depth, bool | np.timedelta64) and depth >= 0:
        return (int(depth),) if depth else ()
    if isinstance(depth, dt.timedelta | np.timedelta64):
        length = np.timedelta64(depth)
        unit = np.datetime_data(length.dtype)[0]
        if not np.isnat(length) and length.astype(np.int64) >= 0 and unit not in {"generic", "Y", "M"}:
            return (length.astype(f"timedelta64[{unit}]"),) if length.astype(np.int64) else ()
    message = f"depth={depth!r}; accepted: a number of rows of at least 0, or a timedelta of at least 0 in weeks to attoseconds"
    raise SettingError(message)


def widened(halo: Halo, depth: int | np.timedelta64) -> Halo:
    """Return a halo extended by one more depth; a depth of the same kind as the last one is added to it."""
    if halo and isinstance(halo[-1], np.timedelta64) is isinstance(depth, np.timedelta64):
        return (*halo[:-1], halo[-1] + depth)
    return (*halo, depth)


@frozen
class AxisOrder:
    """The order of rows along the axis: by its values, or by the partition keys if the values have no order.

    Attributes
    ----------
    variable
        The axis; None if rows are ordered by the partition keys.
    """

    variable: VariableSchema | None

    @classmethod
    def of(cls, opened: OpenCollection) -> "AxisOrder":
        """Return the order of a collection's rows."""
        variable = None if opened.axis_variable is None else opened.schema.variables[opened.axis_variable]
        return cls(None if variable is None or variable.dtype.kind in _UNORDERED else variable)

    def comparable(self, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return axis values of the declared type as comparable values, and a mask of the missing ones."""
        times = self._as_times(values)
        if times.dtype.kind in "mM":
            return times.view(np.int64), np.isnat(times)
        missing: NDArray[np.bool_] = np.not_equal(times, times)
        return times, missing

    def ranges(self, records: Sequence[PartitionRecord]) -> list[tuple[Any, Any]]:
        """Return the smallest and largest axis value of partitions that have a range, as comparable values."""
        if self.variable is None:
            return []
        times = self.times([limit for record in records for limit in record.axis_range or ()])
        values = times.view(np.int64) if times.dtype.kind in "mM" else times
        pairs: list[Any] = values.reshape(-1, 2).tolist()
        return [(low, high) for low, high in pairs]

    def times(self, stored: Sequence[Any]) -> NDArray[Any]:
        """Return stored axis values, as in records, as times if the axis is a time."""
        if self.variable is None:
            return np.asarray(stored)
        return self._as_times(declared_values(np.array(stored, dtype=self.variable.stored_dtype), self.variable))

    def steps(self, length: np.timedelta64) -> int:
        """Return a duration in units of the comparable values, rounded down, as these values are integers.

        Raises
        ------
        SchemaError
            The axis is not a time, or counts months or years.
        """
        none = np.empty(0, np.int64 if self.variable is None else self.variable.dtype)
        times = none if self.variable is None else self._as_times(none)
        if times.dtype.kind in "mM":
            with suppress(TypeError):
                return int(length // np.ones(1, times.dtype.str.replace("M8", "m8"))[0])
        name = "of the keys" if self.variable is None else f"{self.variable.name!r}"
        message = (
            f"a depth of {length} needs an axis that counts time, which {name} does not; accepted: a number of rows"
        )
        raise SchemaError(message)

    def _as_times(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self.variable is None else as_times(Variable(self.variable, values))


@frozen
class _Span:
    """The range of axis values of a partition, and its number in the order of the keys."""

    low: Any
    high: Any
    rows: int
    number: int


class Neighbours:
    """The partitions of a snapshot along the axis.

    A partition without any axis value has no neighbours.

    Parameters
    ----------
    order
        The order of rows along the axis.
    snapshot
        The snapshot of the partitions.
    """

    def __init__(self, order: AxisOrder, snapshot: Snapshot) -> None:
        self.order = order
        self._snapshot = snapshot

    def around(self, path: str, halo: Halo) -> list[str]:
        """Return the other partitions that may contain rows within the halo of a partition, in the order of the keys."""
        limits = self.limits(path, halo)
        if limits is None:
            return []
        own = self._spans[path].number
        return [self._paths[span.number] for span in self._within(*limits) if span.number != own]

    def limits(self, path: str, halo: Halo) -> tuple[Any, Any] | None:
        """Return the smallest and largest axis value that a row within the halo may have; None without a halo."""
        span = self._spans.get(path) if halo else None
        if span is None:
            return None
        low, high = span.low, span.high
        for depth in halo:
            low, high = self._widened(low, high, depth)
        return low, high

    @cached_property
    def _paths(self) -> list[str]:
        return list(self._snapshot.partitions)

    @cached_property
    def _spans(self) -> dict[str, _Span]:
        records = dict(self._snapshot.partitions)
        numbers = {path: number for number, path in enumerate(records)}
        if self.order.variable is None:
            return {path: _Span(number, number, records[path].rows, number) for path, number in numbers.items()}
        known = {path: record for path, record in records.items() if record.axis_range is not None}
        ranges = self.order.ranges(list(known.values()))
        return {
            path: _Span(low, high, record.rows, numbers[path])
            for (path, record), (low, high) in zip(known.items(), ranges, strict=True)
        }

    @cached_property
    def _by_low(self) -> list[_Span]:
        return sorted(self._spans.values(), key=lambda span: (span.low, span.high))

    @cached_property
    def _lows(self) -> list[Any]:
        return [span.low for span in self._by_low]

    @cached_property
    def _farthest(self) -> list[Any]:
        """The running maximum of the upper bounds of the spans sorted by their lower bounds."""
        return list(accumulate((span.high for span in self._by_low), max))

    @cached_property
    def _by_high(self) -> list[_Span]:
        return sorted(self._spans.values(), key=lambda span: (span.high, span.low))

    @cached_property
    def _highs(self) -> list[Any]:
        return [span.high for span in self._by_high]

    def _widened(self, low: Any, high: Any, depth: int | np.timedelta64) -> tuple[Any, Any]:
        if isinstance(depth, np.timedelta64):
            steps = self.order.steps(depth)
            return low - steps, high + steps
        # Count only rows of partitions that are completely outside; those that overlap may have no rows outside.
        first, rows, lowest = bisect_left(self._highs, low), 0, low
        while rows < depth and first > 0:
            first -= 1
            rows, lowest = rows + self._by_high[first].rows, min(lowest, self._by_high[first].low)
        last, rows, highest = bisect_right(self._lows, high), 0, high
        while rows < depth and last < len(self._by_low):
            rows, highest = rows + self._by_low[last].rows, max(highest, self._by_low[last].high)
            last += 1
        return lowest, highest

    def _within(self, low: Any, high: Any) -> list[_Span]:
        """Return the spans that intersect a range, in the order of the keys."""
        start, stop = bisect_left(self._farthest, low), bisect_right(self._lows, high)
        found = [span for span in self._by_low[start:stop] if span.high >= low]
        return sorted(found, key=lambda span: span.number)


@frozen
class AxisRanges:
    """Ranges of the axis, to check whether a partition may contain rows in one of them.

    Attributes
    ----------
    order
        The order of rows along the axis.
    limits
        The smallest and largest value of each range.
    """

    order: AxisOrder
    limits: tuple[tuple[Any, Any], ...]

    def __call__(self, record: PartitionRecord) -> bool:
        """Return whether a partition may contain rows in one of the ranges."""
        if self.order.variable is None:
            return True  # without axis values, the position of a partition depends on all keys
        if record.axis_range is None:
            return False
        ((low, high),) = self.order.ranges([record])
        return any(low <= largest and high >= smallest for smallest, largest in self.limits)
