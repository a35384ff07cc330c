"""Variables of a collection as lazy arrays for xarray: indexing reads only the selected chunks."""

import asyncio
import threading
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from attrs import evolve, field, frozen
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from zcollection.plugin import LazyRows, SchemaError

T = TypeVar("T")
_INTEGERS = (int, np.integer)
Convert = Callable[[NDArray[Any]], NDArray[Any]]


@frozen(eq=False)
class StoredArray(BackendArray):
    """A lazy variable, and the conversion of its values.

    Attributes
    ----------
    rows
        The variable and the row selection.
    steps
        The functions that convert the values, in order, each with the dtype of its result.
    """

    rows: LazyRows
    steps: tuple[tuple[Convert, np.dtype[Any]], ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the converted values."""
        return self.steps[-1][1] if self.steps else self.rows.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the dimensions."""
        return self.rows.shape

    def map_blocks(self, function: Convert, dtype: np.dtype[Any]) -> "StoredArray":
        """Return the array with another conversion function, which is applied to each block."""
        return evolve(self, steps=(*self.steps, (function, dtype)))

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Read the selected values."""
        if isinstance(key, indexing.VectorizedIndexer):
            return self.convert(self.rows.values(_points(key.tuple, self.shape)))
        slices = tuple(slice(at, at + 1 or None) if isinstance(at, _INTEGERS) else at for at in key.tuple)
        values = self.convert(self.rows[slices].values())
        lengths = (length for at, length in zip(key.tuple, values.shape, strict=True) if not isinstance(at, _INTEGERS))
        return values.reshape(tuple(lengths))

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """Read the selected values on another thread."""
        return await asyncio.to_thread(self.__getitem__, key)

    def convert(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the converted values."""
        for function, dtype in self.steps:
            values = function(values)
            if values.dtype != dtype:  # only times before the reform of the standard calendar have another dtype
                message = (
                    f"variable {self.rows.path!r} has times before 1582-10-15 in the calendar 'standard', which {dtype} does "
                    f"not support; accepted: use_cftime=True"
                )
                raise SchemaError(message)
        return values


@frozen(eq=False)
class AxisArray(BackendArray):
    """A one-dimensional coordinate, which is kept in memory once it is read completely.

    The variable of a dataset and its index share it, so that values are read only once.
    """

    stored: StoredArray
    _loaded: list[NDArray[Any]] = field(factory=list, init=False, repr=False)
    _remembered: dict[Any, Any] = field(factory=dict, init=False, repr=False)
    _lock: Any = field(factory=threading.Lock, init=False, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of the dimension."""
        return self.stored.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        return self.stored.dtype

    @property
    def is_loaded(self) -> bool:
        """Whether the coordinate is in memory."""
        return bool(self._loaded)

    def values(self) -> NDArray[Any]:
        """Return all values, which are read once and not writeable."""
        with self._lock:
            if not self._loaded:
                read = self.stored.convert(self.stored.rows.values())
                read.flags.writeable = False
                self._loaded.append(read)
        return self._loaded[0]

    def remembered(self, key: Any, find: Callable[[], T]) -> T:
        """Return the cached result of `find`."""
        if key not in self._remembered:
            self._remembered[key] = find()
        found: T = self._remembered[key]
        return found

    def is_same(self, other: "AxisArray") -> bool:
        """Return whether another array is the same selection of the same coordinate; False if this is unknown."""
        first, second = self.stored.rows, other.stored.rows
        (first_rows,), (second_rows,) = first.selection, second.selection
        are_ranges = isinstance(first_rows, range) and isinstance(second_rows, range)
        same_source = first.sources is second.sources and first.path == second.path
        return self is other or (same_source and are_ranges and first_rows == second_rows)

    def part(self, start: int, stop: int) -> NDArray[Any]:
        """Return a range of rows."""
        if self.is_loaded:
            return self._loaded[0][start:stop]
        return self.stored.convert(self.stored.rows[start:stop].values())

    def selected(self, index: slice | NDArray[Any]) -> "AxisArray":
        """Return a selection, without reading it."""
        part = AxisArray(evolve(self.stored, rows=self.stored.rows[index]))
        if self.is_loaded:
            part._loaded.append(self._loaded[0][index])
        return part

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Read the selected values; a complete selection is kept in memory."""
        (at,) = key.tuple
        is_complete = isinstance(at, slice) and range(self.shape[0])[at] == range(self.shape[0])
        if not (is_complete or self.is_loaded):
            return self.stored[key]
        if isinstance(at, _INTEGERS):
            return self.values()[at : at + 1 or None].reshape(())
        return self.values()[at]

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """Read the selected values on another thread."""
        return await asyncio.to_thread(self.__getitem__, key)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.stored, list(self._loaded)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.__init__(state[0])  # type: ignore[misc]  # a frozen class has no other way
        self._loaded.extend(state[1])


class StoredVariable(xr.Variable):
    """A variable whose dask blocks get unique names each time it is opened.

    xarray names the dask blocks after the URL, and dask treats blocks with the same name as identical. After a change of the
    collection, it would therefore mix old and new blocks.
    """

    def chunk(self, *args: Any, **options: Any) -> xr.Variable:  # type: ignore[override]  # a plain one is enough
        """Return the variable as a dask array."""
        named = dict(options.get("from_array_kwargs") or {})
        if isinstance(named.get("name"), str):
            options["from_array_kwargs"] = named | {"name": f"{named['name']}-{uuid.uuid4().hex}"}
        chunked = super().chunk(*args, **options)
        return xr.Variable(chunked.dims, chunked.data, chunked.attrs, chunked.encoding)


def _points(key: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[NDArray[np.intp], ...]:
    """Return the positions of a vectorised key along each dimension, as arrays of the same shape."""
    arrayized = indexing._arrayize_vectorized_indexer(indexing.VectorizedIndexer(key), shape).tuple  # noqa: SLF001
    arrays = np.broadcast_arrays(*(np.asarray(at, np.intp) for at in arrayized))
    return tuple(np.where(at < 0, at + length, at) for at, length in zip(arrays, shape, strict=True))
