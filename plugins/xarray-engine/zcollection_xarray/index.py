"""A lazy index of a coordinate, which uses the bounds of each partition to find labels."""

import datetime as dt
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import pandas as pd
import xarray as xr
from attrs import frozen
from numpy.typing import NDArray
from xarray.core import indexing
from xarray.core.indexes import PandasIndex, normalize_label
from xarray.core.indexing import IndexSelResult

from zcollection.plugin import declared_values
from zcollection_xarray.arrays import AxisArray, StoredVariable

_ORDERED: Final = "iufM"
"""The dtype kinds for which the bounds of partitions are used."""


class _AsPandasIndex(type):
    """A metaclass that lets xarray align this index with `PandasIndex`: xarray compares the types of indexes."""

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is PandasIndex

    def __hash__(cls) -> int:
        return hash(PandasIndex)


class PartitionedIndex(PandasIndex, metaclass=_AsPandasIndex):
    """An index of a coordinate along its dimension that finds labels without reading the complete coordinate.

    If the partitions are in order along the axis, ``sel`` reads only the partitions that contain a label, and ``isel`` reads
    nothing. All other operations (alignment, concatenation, ``to_pandas_index``, a selection from unordered partitions) read the
    coordinate once, and are delegated to `xarray.indexes.PandasIndex`.

    The engine ``zcollection`` creates it. Its constructor returns a `xarray.indexes.PandasIndex`.
    """

    _name: Any
    _axis: AxisArray
    _pandas: "pd.Index[Any] | None"

    def __new__(cls, array: Any, dim: Any, coord_dtype: Any = None, *, fastpath: bool = False) -> Any:
        """Return a `PandasIndex`, because computed indexes are in memory."""
        return PandasIndex(array, dim, coord_dtype, fastpath=fastpath)

    @classmethod
    def of(cls, name: Any, dim: Any, axis: AxisArray) -> Self:
        """Return the index of a coordinate, without reading it."""
        index: Self = object.__new__(cls)
        index._name, index.dim, index._axis, index._pandas = name, dim, axis, None
        index.coord_dtype = axis.dtype
        return index

    @property
    def index(self) -> "pd.Index[Any]":
        """The complete pandas index, which is read at the first access."""
        if self._pandas is None:
            index = PandasIndex(self._axis.values(), self.dim).index.copy()
            index.name = self._name
            self._pandas = index
        return self._pandas

    @property
    def axis(self) -> AxisArray:
        """The coordinate."""
        return self._axis

    @property
    def is_loaded(self) -> bool:
        """Whether the coordinate is in memory."""
        return self._axis.is_loaded

    def create_variables(self, variables: Mapping[Any, xr.Variable] | None = None) -> dict[Any, xr.Variable]:
        """Return the coordinate; it is lazy if the index is."""
        known = (variables or {}).get(self._name)
        attrs, encoding = (None, None) if known is None else (known.attrs, known.encoding)
        data = self._axis.values() if self.is_loaded else indexing.LazilyIndexedArray(self._axis)
        return {self._name: StoredVariable((self.dim,), data, attrs, encoding)}

    def isel(self, indexers: Mapping[Any, Any]) -> PandasIndex | None:
        """Return the index of a selection by position; None if the result does not have the dimension."""
        chosen = indexers[self.dim]
        if isinstance(chosen, xr.Variable):
            if chosen.dims != (self.dim,):
                return None
            chosen = chosen.data
        if not isinstance(chosen, slice):
            chosen = np.asarray(chosen)
            if chosen.ndim == 0:
                return None
        return self.of(self._name, self.dim, self._axis.selected(chosen))

    def sel(self, labels: dict[Any, Any], method: str | None = None, tolerance: Any = None) -> IndexSelResult:
        """Return the positions of labels; the results are those of `xarray.indexes.PandasIndex`."""
        (label,) = labels.values()
        found = None
        if not self.is_loaded and (edges := _Edges.of(self._axis)) is not None:
            if not isinstance(label, slice):
                found = self._of_labels(edges, labels, method, tolerance)
            elif method is None and tolerance is None and label.step in {None, 1}:
                found = self._of_slice(edges, label)
        return super().sel(labels, method=method, tolerance=tolerance) if found is None else found

    def _of_slice(self, edges: "_Edges", label: slice) -> IndexSelResult | None:
        start, stop = (_plain(bound) for bound in (label.start, label.stop))
        if isinstance(start, dt.time) or isinstance(stop, dt.time):  # times of day do not select a single range
            return None
        first = 0 if start is None else edges.bound(start, "left")
        last = len(self._axis) if stop is None else edges.bound(stop, "right")
        return None if first is None or last is None else IndexSelResult({self.dim: slice(first, max(first, last))})

    def _of_labels(
        self, edges: "_Edges", labels: dict[Any, Any], method: str | None, tolerance: Any
    ) -> IndexSelResult | None:
        (label,) = labels.values()
        if isinstance(label, str):
            return self._of_period(edges, label, method)
        values_of_labels = np.asarray(normalize_label(label, dtype=self.coord_dtype))
        if values_of_labels.dtype.kind not in _ORDERED and values_of_labels.dtype != np.dtype(object):
            return None
        rows = edges.around(values_of_labels.ravel(), exactly=method is None)
        if rows is None:
            return None
        values = np.concatenate([np.empty(0, self.coord_dtype), *(self._axis.part(*pair) for pair in rows)])
        near = PandasIndex(values, self.dim, self.coord_dtype)
        if not near.index.is_monotonic_increasing:
            return None
        near.index.name = self._name
        positions = np.concatenate([np.empty(0, np.intp), *(np.arange(*pair) for pair in rows)])
        found = near.sel(labels, method=method, tolerance=tolerance).dim_indexers[self.dim]
        return IndexSelResult({self.dim: _at(positions, found)})

    def _of_period(self, edges: "_Edges", label: str, method: str | None) -> IndexSelResult | None:
        """Return the rows of a period such as "2024-01"; None if pandas must decide with all values whether it is a period."""
        if method is not None or not edges.is_period(label):
            return None
        first, last = edges.bound(label, "left"), edges.bound(label, "right")
        if first is None or last is None or first == last:
            return None  # pandas raises the error for an empty period
        return IndexSelResult({self.dim: slice(first, last)})

    def equals(self, other: Any, *, exclude: Any = None) -> bool:
        """Return whether another index is equal; nothing is read for equal selections of the same coordinate."""
        del exclude
        if isinstance(other, PartitionedIndex) and self._axis.is_same(other.axis):
            return self.dim == other.dim
        return bool(super().equals(other))

    def rename(self, name_dict: Mapping[Any, Any], dims_dict: Mapping[Any, Any]) -> "PartitionedIndex":
        """Return the index with a renamed coordinate and dimension."""
        return self.of(name_dict.get(self._name, self._name), dims_dict.get(self.dim, self.dim), self._axis)

    def _copy(self, deep: bool = True, memo: dict[int, Any] | None = None) -> "PartitionedIndex":
        del deep, memo
        return self  # immutable

    def __getitem__(self, indexer: Any) -> Any:
        return PandasIndex(self.index[indexer], self.dim, self.coord_dtype)

    def __len__(self) -> int:
        return len(self._axis)

    def __repr__(self) -> str:
        what = "read" if self.is_loaded else f"{len(self._axis.stored.rows.sources.groups):,} partitions"
        return f"PartitionedIndex({self._name!r}, {len(self):,} rows, {what})"

    def _repr_inline_(self, max_width: int) -> str:
        del max_width
        return repr(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).of, (self._name, self.dim, self._axis)


@frozen(eq=False)
class _Edges:
    """The bounds of a coordinate: the smallest and largest value of each partition with rows.

    Attributes
    ----------
    axis
        The coordinate.
    limits
        The smallest and the largest value of each partition, in a flat sorted sequence.
    starts
        The first row of each partition, and the number of all rows.
    """

    axis: AxisArray
    limits: "pd.Index[Any]"
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, axis: AxisArray) -> "_Edges | None":
        """Return the bounds of a coordinate; None if its partitions are not in order."""
        return axis.remembered(_Edges, lambda: cls._computed(axis))

    @classmethod
    def _computed(cls, axis: AxisArray) -> "_Edges | None":
        rows = axis.stored.rows
        if rows.position is None or axis.dtype.kind not in _ORDERED:
            return None
        selected = np.asarray(rows.selection[0], np.intp)
        if (np.diff(selected) < 1).any():
            return None
        counts = np.bincount(rows.sources.numbers(selected), minlength=len(rows.sources.groups))
        pairs = [pair for pair, count in zip(rows.sources.limits, counts.tolist(), strict=True) if count]
        if any(pair is None or None in pair for pair in pairs):
            return None
        variable = rows.schema.get_variable(rows.path)
        stored = declared_values(np.array(pairs, variable.stored_dtype).reshape(-1), variable)
        values = np.sort(axis.stored.convert(stored).reshape(-1, 2))  # a negative scale reverses them
        limits = PandasIndex(values.reshape(-1), "limits").index
        if limits.hasnans or not limits.is_monotonic_increasing:
            return None
        return cls(axis, limits, np.concatenate([[0], np.cumsum(counts[counts > 0])]).astype(np.intp))

    @cached_property
    def is_exact(self) -> bool:
        """Whether the bounds are values of the coordinate; in a row selection, they may belong to rows that are not selected."""
        return len(self.axis) == self.axis.stored.rows.sources.rows

    def bound(self, label: Any, side: str) -> int | None:
        """Return the number of rows before a label; None if the partition that contains it is not sorted.

        Parameters
        ----------
        label
            A label, as pandas accepts it.
        side
            "left" or "right": the position before or after rows with the same value.
        """
        number = int(self.limits.get_slice_bound(label, side))
        partition, within = divmod(number, 2)
        first = int(self.starts[partition])
        if not within:
            return first
        values = pd.Index(self.axis.part(first, int(self.starts[partition + 1])))
        return first + int(values.get_slice_bound(label, side)) if values.is_monotonic_increasing else None

    def around(self, labels: NDArray[Any], *, exactly: bool) -> list[tuple[int, int]] | None:
        """Return ranges of rows that contain the nearest rows to labels; None if pandas must search all rows.

        Parameters
        ----------
        labels
            The values, shape (n,).
        exactly
            Whether only rows with the same value are searched.
        """
        try:
            index = pd.Index(labels.tolist() if labels.dtype.kind == "O" else labels)
        except (TypeError, ValueError):
            return None
        kinds = {index.dtype.kind, self.limits.dtype.kind}
        if index.hasnans or not isinstance(index.dtype, np.dtype) or not (kinds == {"M"} or kinds <= set("iuf")):
            return None
        left, right = (self.limits.searchsorted(index, side=side) for side in ("left", "right"))
        first, last = (left // 2, (right - 1) // 2) if exactly else ((left - 1) // 2, right // 2)
        count = len(self.starts) - 1
        first, last = np.clip(first, 0, None), np.clip(last, None, count - 1)
        changes = np.zeros(count + 1, np.intp)
        is_range = first <= last
        np.add.at(changes, first[is_range], 1)
        np.add.at(changes, last[is_range] + 1, -1)
        needed = np.flatnonzero(np.cumsum(changes[:-1]))
        if not self.is_exact and not exactly:
            needed = np.unique(np.clip(needed[:, None] + np.array([-1, 0, 1]), 0, count - 1))
        if 2 * needed.size > count > 4:
            return None  # reading the complete coordinate once is cheaper
        runs = np.split(needed, np.flatnonzero(np.diff(needed) > 1) + 1) if needed.size else []
        return [(int(self.starts[run[0]]), int(self.starts[run[-1] + 1])) for run in runs]

    def is_period(self, label: str) -> bool:
        """Return whether pandas treats a string as a period for any other values: the bounds have a finer resolution."""
        if not self.is_exact or not isinstance(self.limits, pd.DatetimeIndex):
            return False
        try:
            return isinstance(self.limits.get_loc(label), slice)
        except KeyError:
            return False


def _plain(bound: Any) -> Any:
    """Return a bound of a slice as a pandas scalar."""
    value = bound.values if isinstance(bound, xr.Variable | xr.DataArray) else bound
    return value[()] if isinstance(value, np.ndarray) else value


def _at(positions: NDArray[np.intp], found: Any) -> Any:
    """Map an indexer of the rows that were read to positions of all rows."""
    if isinstance(found, xr.Variable | xr.DataArray):
        return found.copy(data=positions[found.values])
    if isinstance(found, slice):
        chosen = positions[found]
        return slice(int(chosen[0]), int(chosen[-1]) + 1)
    return positions[found] if isinstance(found, np.ndarray) else int(positions[found])
