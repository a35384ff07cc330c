"""Groups read: each output array allocated once, every chunk decoded straight into its place."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Final

import numpy as np
from attrs import Factory, field, frozen
from numpy.typing import NDArray

from zcollection.contracts.objects import Objects, Read
from zcollection.engine import direct
from zcollection.engine.executor import worthwhile_threads
from zcollection.engine.jobs import Arrays, Executor, Job, ReadingSite, Site
from zcollection.engine.layout import ArrayLayout, Chunk, declared_values, in_place, stored_values
from zcollection.engine.work import Work, fetch, perform, stream
from zcollection.errors import CorruptionError
from zcollection.model.schema import DatasetSchema, VariableSchema

Scalar = int | float | str

_MANY: Final = 64
"""Chunks from which on it is worth a read to see that an array is as large as it is said to be."""

_COMPARED: Final = "iufM"
"""Kinds of axis whose limits are compared with the values that are read."""

_HELD: Final = 4 * 2**20
"""Bytes of chunks that are worth reading at once: more would be memory that is new, and cold, for every partition."""


@frozen(kw_only=True)
class GroupRead:
    """A group to read rows from.

    Attributes
    ----------
    path
        Name of the partition, for messages.
    prefix
        Prefix of the group, ending with "/".
    rows
        Length of the partitioned dimension.
    schema
        The schema that it was written with.
    absent
        Variables that the group lists as absent: they read as fill.
    document
        Key of the group's document.
    stamp
        Which generation of the partition it is; None where that is not known.
    axis
        The variable whose limits are known.
    limits
        Smallest and largest value of the axis, as it is stored; None where they are not known. Rows with others are those
        of another group.
    """

    path: str
    prefix: str
    rows: int
    schema: DatasetSchema
    absent: frozenset[str] = frozenset()
    stamp: str | None = None
    axis: str | None = None
    limits: tuple[Scalar, ...] | None = None
    document: str = field(default=Factory(lambda self: f"{self.prefix}zarr.json", takes_self=True))


async def read_groups(
    store: Objects,
    groups: Sequence[GroupRead],
    schema: DatasetSchema,
    *,
    dimension: str,
    executor: Executor | None = None,
    progress: Callable[[], None] | None = None,
) -> dict[str, NDArray[Any]]:
    """Return the rows of groups, one after the other, by variable path.

    Parameters
    ----------
    store
        Where.
    groups
        What, in the order of the rows wanted.
    schema
        The variables to read; where none of them spans `dimension` there is one group. A variable that a group lacks
        reads as fill.
    dimension
        The partitioned dimension.
    executor
        Where the groups are read and decoded, if not on threads of this process.
    progress
        Called after each group.

    Raises
    ------
    CorruptionError
        A chunk is missing, or is not what was written.
    """
    rows = sum(group.rows for group in groups)
    outputs = Outputs.allocated(schema, dimension, rows)
    starts = accumulate((group.rows for group in groups), initial=0)
    threads = worthwhile_threads(schema, dimension, rows // max(len(groups), 1))
    if executor is None or executor.is_local:
        works = (outputs.filling(group, start) for group, start in zip(groups, starts, strict=False))
        await perform(store, works, threads=threads, progress=progress)
        return outputs.checked(groups)
    jobs = (Job(partial(_read_apart, group, schema, dimension)) for group in groups)
    parts = await executor.run(
        ReadingSite(store), jobs, total=len(groups), label="query", threads=threads, progress=progress
    )
    for group, start, arrays in zip(groups, starts, parts, strict=False):
        outputs.place(group, start, arrays)
    return outputs.checked(groups)


def _read_apart(
    group: GroupRead, schema: DatasetSchema, dimension: str, site: Site, arrays: Arrays
) -> Work[dict[str, NDArray[Any]]]:
    """Return the values of one group, for whoever puts them in their place."""
    del site, arrays
    outputs = Outputs.allocated(schema, dimension, group.rows)
    yield from outputs.filling(group, 0)
    return dict(outputs.arrays)


def reading(groups: Sequence[GroupRead], schema: DatasetSchema, *, dimension: str) -> Work[dict[str, NDArray[Any]]]:
    """Return the rows of groups, by variable path; as `read_groups`, one after the other."""
    outputs = Outputs.allocated(schema, dimension, sum(group.rows for group in groups))
    start = 0
    for group in groups:
        yield from outputs.filling(group, start)
        start += group.rows
    return outputs.checked(groups)


@frozen
class Outputs:
    """An array for each variable, made once, into whose places every chunk is decoded.

    Attributes
    ----------
    dimension
        The partitioned dimension.
    layouts
        How each array would lie in one group that holds all rows.
    arrays
        Values of the declared types, in the shape of the layouts.
    """

    dimension: str
    layouts: Mapping[str, ArrayLayout]
    arrays: Mapping[str, NDArray[Any]]

    @classmethod
    def allocated(cls, schema: DatasetSchema, dimension: str, rows: int) -> "Outputs":
        """Return room for so many rows of the variables of a schema."""
        paths = schema.all_variables()
        layouts = {item.path: item for item in ArrayLayout.several(schema, paths, dimension=dimension, rows=rows)}
        arrays = {path: allocated(layout.shape, layout.variable.dtype) for path, layout in layouts.items()}
        return cls(dimension, layouts, arrays)

    def filling(self, group: GroupRead, start: int) -> Work[None]:
        """Decode one group into the rows from `start` on; variables that it lacks are filled."""
        written = group.schema.all_variables().keys() - group.absent
        places = {path: self.part(path, start, group.rows) for path in self.arrays}
        for path in places.keys() - written:
            places[path][...] = self.layouts[path].declared_fill[0]
        held = [path for path in places if path in written]
        layouts = ArrayLayout.several(group.schema, held, dimension=self.dimension, rows=group.rows)
        yield from check_size(group, layouts)
        largest = [layout.largest_chunk + 1 for layout in layouts]
        reads = [
            Read(group.prefix + key, most=most)
            for layout, most in zip(layouts, largest, strict=True)
            for key, _ in layout.chunk_places
        ]
        supply = yield from stream(reads, held=worth_holding(layouts))
        for layout in layouts:
            decode_array(group, layout, supply, places[layout.path])

    def place(self, group: GroupRead, start: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put the values of one group in the rows from `start` on."""
        for path in self.arrays:
            self.part(path, start, group.rows)[...] = arrays[path]

    def part(self, path: str, start: int, rows: int) -> NDArray[Any]:
        """Return some rows of an output; all of it where the variable has no rows."""
        dimensions, output = self.layouts[path].variable.dimensions, self.arrays[path]
        if self.dimension not in dimensions:
            return output
        part: NDArray[Any] = output[(slice(None),) * dimensions.index(self.dimension) + (slice(start, start + rows),)]
        return part

    def checked(self, groups: Sequence[GroupRead]) -> dict[str, NDArray[Any]]:
        """Return the values after a look at whether they are those of the groups.

        Raises
        ------
        CorruptionError
            The rows of another group lie in the place of one.
        """
        axis = next((group.axis for group in groups if group.axis in self.arrays), None)
        if axis is not None:
            variable = self.layouts[axis].variable
            _check_limits([group for group in groups if group.rows], self.arrays[axis], variable)
        return dict(self.arrays)


def _check_limits(groups: Sequence[GroupRead], values: NDArray[Any], axis: VariableSchema) -> None:
    """Check the smallest and largest axis value of each of some groups, whose rows lie one after the other."""
    if not groups or values.dtype.kind not in _COMPARED:
        return
    stops = list(accumulate(group.rows for group in groups))
    starts = [0, *stops[:-1]]
    # Of nearly all groups the rows are sorted: their first and last value are the limits.
    ends = values[[[start, stop - 1] for start, stop in zip(starts, stops, strict=True)]]
    whole = np.equal(ends, ends)
    # In the place of a missing value one that can be stored: zero may be none, of a packed axis.
    present = ends[whole][:1] if whole.any() else declared_values(np.zeros(1, axis.stored_dtype), axis)
    stored = stored_values(np.where(whole, ends, present), axis).tolist()
    for at, (group, found) in enumerate(zip(groups, stored, strict=True)):
        if group.limits is not None and (group.limits != tuple(found) or not whole[at].all()):
            _check_limits_of(group, values[starts[at] : stops[at]], axis)


def _check_limits_of(group: GroupRead, values: NDArray[Any], axis: VariableSchema) -> None:
    """Check the smallest and largest axis value of a group, missing ones left out."""
    limits = _limits_of(values, axis)
    if group.limits is not None and group.limits != (limits or (None, None)):
        raise _of_another(group, axis, limits)


def check_within_limits(group: GroupRead, values: NDArray[Any], axis: VariableSchema) -> None:
    """Check that some axis values of a group, missing ones left out, lie within its limits.

    Raises
    ------
    CorruptionError
        The rows of another group lie in its place.
    """
    if group.limits is None or values.dtype.kind not in _COMPARED or not values.size:
        return
    limits = _limits_of(values, axis)
    # A packed axis with a negative scale stores its limits the other way round.
    first, last = sorted(group.limits)
    if limits is not None and (min(limits) < first or max(limits) > last):
        raise _of_another(group, axis, limits)


def _limits_of(values: NDArray[Any], axis: VariableSchema) -> tuple[Any, ...] | None:
    """Return the smallest and largest axis value as they are stored, missing ones left out; None where all are."""
    limits = np.array([np.fmin.reduce(values), np.fmax.reduce(values)])
    return tuple(stored_values(limits, axis).tolist()) if np.equal(limits, limits).all() else None


def _of_another(group: GroupRead, axis: VariableSchema, found: tuple[Any, ...] | None) -> CorruptionError:
    low, high = found or (None, None)
    first, last = group.limits or (None, None)
    message = (
        f"partition {group.path!r} has values of {axis.name!r} from {low} to {high}, and those that were committed go from "
        f"{first} to {last}: another partition, or another version of it, lies in its place; restore it, insert it again, or "
        f"drop it"
    )
    return CorruptionError(message)


def worth_holding(layouts: Iterable[ArrayLayout]) -> int:
    """Return how many chunks of arrays are worth reading at once."""
    largest = max((layout.chunk_bytes for layout in layouts), default=1)
    return max(_HELD // largest, 1)


def allocated(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array for what is to be read.

    Raises
    ------
    CorruptionError
        It is larger than any memory: what says so is damaged.
    """
    try:
        return np.empty(shape, dtype)
    except (MemoryError, OverflowError, ValueError) as error:
        message = (
            f"an array of the shape {shape} and type {dtype} does not fit into the memory ({error}); read fewer partitions, or "
            f"call verify() if there cannot be so many rows"
        )
        raise CorruptionError(message) from error


def check_size(group: GroupRead, layouts: Sequence[ArrayLayout]) -> Work[None]:
    """Check that the last chunk of arrays of many chunks is there: a size is not believed before anything is made of it.

    Raises
    ------
    CorruptionError
        One of them is missing.
    """
    large = [layout for layout in layouts if layout.chunk_count > _MANY]
    reads = [Read(group.prefix + layout.chunk_key(layout.last_chunk), length=1) for layout in large]
    for layout, data in zip(large, (yield from fetch(reads)), strict=True):
        if data is None:
            raise _corrupt(group, layout, layout.chunk_key(layout.last_chunk), "it is missing")


def decode_array(group: GroupRead, layout: ArrayLayout, supply: Iterator[bytes | None], target: NDArray[Any]) -> None:
    """Decode all chunks of an array, or of a part of one, into values of the declared type.

    Parameters
    ----------
    group, layout
        The array.
    supply
        Its chunks, taken in the order of their indices.
    target
        Where the values go.

    Raises
    ------
    CorruptionError
        A chunk is missing, or is not what was written.
    """
    variable = layout.variable
    stored = in_place(target, variable)
    if stored is not None:
        decode_stored(group, layout, supply, stored)
    elif not direct.supports(layout):
        stored = allocated(layout.shape, variable.stored_dtype)
        decode_stored(group, layout, supply, stored)
        target[...] = declared_values(stored, variable)
    else:
        memory = allocated(layout.chunks, variable.stored_dtype)  # the same for all chunks: it stays in the cache
        for (key, part), data in zip(layout.chunk_places, supply, strict=False):
            place = target[part]
            chunk = memory if memory.shape == place.shape else allocated(place.shape, variable.stored_dtype)
            _decode_chunk(group, layout, key, data, chunk)
            _declare(chunk, variable, place)


def decode_chunk(group: GroupRead, layout: ArrayLayout, chunk: Chunk, data: bytes | None, out: NDArray[Any]) -> None:
    """Decode one chunk of an array into values of the declared type: those of the part of the array that it holds.

    Raises
    ------
    CorruptionError
        It is missing, or is not what was written.
    """
    key, index = chunk
    if not direct.supports(layout):
        decode_array(group, layout.single(index), iter([data]), out)
        return
    stored = in_place(out, layout.variable)
    if stored is not None:
        _decode_chunk(group, layout, key, data, stored)
        return
    stored = allocated(out.shape, layout.variable.stored_dtype)
    _decode_chunk(group, layout, key, data, stored)
    _declare(stored, layout.variable, out)


def _declare(stored: NDArray[Any], variable: VariableSchema, out: NDArray[Any]) -> None:
    if variable.packing is None:
        out[...] = declared_values(stored, variable)
    else:
        variable.packing.unpack(stored, variable.dtype, out)


def decode_stored(group: GroupRead, layout: ArrayLayout, supply: Iterator[bytes | None], target: NDArray[Any]) -> None:
    """Decode all chunks of an array, or of a part of one, as they are stored; as `decode_array` otherwise."""
    if direct.supports(layout):
        for (key, part), data in zip(layout.chunk_places, supply, strict=False):
            _decode_chunk(group, layout, key, data, target[part])
        return
    pairs = zip(layout.chunk_places, supply, strict=False)
    chunks = {key: _checked_size(group, layout, key, data) for (key, _), data in pairs}
    _decode_with_zarr(group, layout, chunks, target)


def _checked_size(group: GroupRead, layout: ArrayLayout, key: str, data: bytes | None) -> bytes:
    if data is None:
        raise _corrupt(group, layout, key, "it is missing")
    if len(data) > layout.largest_chunk:
        raise _corrupt(group, layout, key, f"it has more than {layout.largest_chunk} bytes, the most that it can have")
    return data


def _decode_chunk(group: GroupRead, layout: ArrayLayout, key: str, data: bytes | None, out: NDArray[Any]) -> None:
    try:
        direct.decode_chunk(layout, _checked_size(group, layout, key, data), out)
    except CorruptionError:
        raise
    except Exception as error:
        raise _corrupt(group, layout, key, str(error)) from error


def _decode_with_zarr(group: GroupRead, layout: ArrayLayout, chunks: Mapping[str, bytes], target: NDArray[Any]) -> None:
    from zcollection.engine import fallback  # loads zarr

    try:
        fallback.decode(layout, chunks, target)
    except Exception as error:
        raise _corrupt(group, layout, f"{layout.path}/c", str(error)) from error


def _corrupt(group: GroupRead, layout: ArrayLayout, key: str, reason: str) -> CorruptionError:
    message = (
        f"partition {group.path!r}, variable {layout.path!r}: chunk {key!r} cannot be read: {reason}; "
        f"insert the partition again, or drop it"
    )
    return CorruptionError(message)
