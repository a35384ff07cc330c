"""Variables of a collection as arrays that xarray indexes, of which only the chunks concerned are read."""

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
    """A variable, and what becomes of the values that are read.

    Attributes
    ----------
    rows
        The variable, and what is selected of it.
    steps
        Functions called, one after the other, with what was read, and the type of what each returns.
    """

    rows: LazyRows
    steps: tuple[tuple[Convert, np.dtype[Any]], ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values that come out."""
        return self.steps[-1][1] if self.steps else self.rows.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions."""
        return self.rows.shape

    def map_blocks(self, function: Convert, dtype: np.dtype[Any]) -> "StoredArray":
        """Return the array whose values a function makes of these, block by block."""
        return evolve(self, steps=(*self.steps, (function, dtype)))

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return what is selected, read now."""
        if isinstance(key, indexing.VectorizedIndexer):
            return self.convert(self.rows.values(_points(key.tuple, self.shape)))
        slices = tuple(slice(at, at + 1 or None) if isinstance(at, _INTEGERS) else at for at in key.tuple)
        values = self.convert(self.rows[slices].values())
        lengths = (length for at, length in zip(key.tuple, values.shape, strict=True) if not isinstance(at, _INTEGERS))
        return values.reshape(tuple(lengths))

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the same, read on another thread."""
        return await asyncio.to_thread(self.__getitem__, key)

    def convert(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what becomes of values as they are read."""
        for function, dtype in self.steps:
            values = function(values)
            if values.dtype != dtype:  # only times before the reform of the standard calendar are other than was said
                message = (
                    f"variable {self.rows.path!r} has times before 1582-10-15 in the calendar 'standard', which {dtype} does "
                    f"not have; accepted: use_cftime=True"
                )
                raise SchemaError(message)
        return values


@frozen(eq=False)
class AxisArray(BackendArray):
    """A coordinate of one dimension that is kept once all of it was read.

    The variable of a dataset and its index share it, so that neither reads what the other has.
    """

    stored: StoredArray
    _whole: list[NDArray[Any]] = field(factory=list, init=False, repr=False)
    _remembered: dict[Any, Any] = field(factory=dict, init=False, repr=False)
    _lock: Any = field(factory=threading.Lock, init=False, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of the dimension."""
        return self.stored.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.stored.dtype

    @property
    def is_loaded(self) -> bool:
        """Whether all of it was read."""
        return bool(self._whole)

    def values(self) -> NDArray[Any]:
        """Return all of it, read once; nobody may write to it."""
        with self._lock:
            if not self._whole:
                read = self.stored.convert(self.stored.rows.values())
                read.flags.writeable = False
                self._whole.append(read)
        return self._whole[0]

    def remembered(self, key: Any, find: Callable[[], T]) -> T:
        """Return what is found out once of what never changes."""
        if key not in self._remembered:
            self._remembered[key] = find()
        found: T = self._remembered[key]
        return found

    def is_same(self, other: "AxisArray") -> bool:
        """Return whether another one is the same selection of the same coordinate; False where that is not known."""
        mine, others = self.stored.rows, other.stored.rows
        (along,), (others_along,) = mine.selection, others.selection
        are_ranges = isinstance(along, range) and isinstance(others_along, range)
        of_one = mine.sources is others.sources and mine.path == others.path
        return self is other or (of_one and are_ranges and along == others_along)

    def part(self, start: int, stop: int) -> NDArray[Any]:
        """Return some rows that follow each other."""
        if self.is_loaded:
            return self._whole[0][start:stop]
        return self.stored.convert(self.stored.rows[start:stop].values())

    def selected(self, index: slice | NDArray[Any]) -> "AxisArray":
        """Return what is selected of it, which is not read either."""
        part = AxisArray(evolve(self.stored, rows=self.stored.rows[index]))
        if self.is_loaded:
            part._whole.append(self._whole[0][index])
        return part

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return what is selected, read now; where that is all of it, it is kept."""
        (at,) = key.tuple
        is_whole = isinstance(at, slice) and range(self.shape[0])[at] == range(self.shape[0])
        if not (is_whole or self.is_loaded):
            return self.stored[key]
        if isinstance(at, _INTEGERS):
            return self.values()[at : at + 1 or None].reshape(())
        return self.values()[at]

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the same, read on another thread."""
        return await asyncio.to_thread(self.__getitem__, key)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.stored, list(self._whole)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.__init__(state[0])  # type: ignore[misc]  # frozen: there is no other way in
        self._whole.extend(state[1])


class StoredVariable(xr.Variable):
    """A variable whose blocks of dask have names of their own, each time that it is opened.

    xarray names the blocks of what it opens after the URL, and dask takes blocks of one name for the same: of what was opened
    before and after a change it would compute but one.
    """

    def chunk(self, *args: Any, **options: Any) -> xr.Variable:  # type: ignore[override]  # a plain one is enough
        """Return the variable in blocks of dask."""
        named = dict(options.get("from_array_kwargs") or {})
        if isinstance(named.get("name"), str):
            options["from_array_kwargs"] = named | {"name": f"{named['name']}-{uuid.uuid4().hex}"}
        made = super().chunk(*args, **options)
        return xr.Variable(made.dims, made.data, made.attrs, made.encoding)


def _points(key: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[NDArray[np.intp], ...]:
    """Return the positions along each dimension, in arrays of one shape, of what a vectorised key selects."""
    whole = indexing._arrayize_vectorized_indexer(indexing.VectorizedIndexer(key), shape).tuple  # noqa: SLF001
    arrays = np.broadcast_arrays(*(np.asarray(at, np.intp) for at in whole))
    return tuple(np.where(at < 0, at + length, at) for at, length in zip(arrays, shape, strict=True))
