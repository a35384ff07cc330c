"""Reads groups: each output array is allocated once, and every chunk is decoded directly into it."""

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
from zcollection.engine.layout import ArrayLayout, Chunk, declared_values, stored_values, stored_view
from zcollection.engine.work import Work, fetch, perform, stream
from zcollection.errors import CorruptionError
from zcollection.model.schema import DatasetSchema, VariableSchema

Scalar = int | float | str

_MANY: Final = 64
"""Number of chunks above which the size in an array's document is verified before memory is allocated."""

_COMPARED: Final = "iufM"
"""Kinds of dtypes for which the limits of the axis are compared with the values read."""

_BUFFERED: Final = 4 * 2**20
"""Bytes of chunks that are read at a time: more would not fit in the processor's cache."""


@frozen(kw_only=True)
class GroupRead:
    """A group to read rows from.

    Attributes
    ----------
    path
        Path of the partition, for messages.
    prefix
        Prefix of the group, ending with "/".
    rows
        Length of the partitioned dimension.
    schema
        The schema that it was written with.
    absent
        Variables that the group lists as absent; they read as the fill value.
    document
        Key of the group's document.
    stamp
        The generation of the partition; None if it is not known.
    axis
        The variable whose limits are known.
    limits
        Smallest and largest stored value of the axis; None if they are not known. If the values read have other limits,
        they belong to another group.
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
    """Return the rows of several groups, concatenated, by variable path.

    Parameters
    ----------
    store
        The store of the groups.
    groups
        The groups, in the order in which their rows are returned.
    schema
        The variables to read; if none of them spans `dimension` there is one group. A variable that is absent from a
        group reads as its fill value.
    dimension
        The partitioned dimension.
    executor
        Where the groups are read and decoded; None for threads of this process.
    progress
        Called after each group.

    Raises
    ------
    CorruptionError
        A chunk is missing or damaged, or the rows of another group were found.
    """
    rows = sum(group.rows for group in groups)
    outputs = Outputs.allocated(schema, dimension, rows)
    starts = accumulate((group.rows for group in groups), initial=0)
    threads = worthwhile_threads(schema, dimension, rows // max(len(groups), 1))
    if executor is None or executor.is_local:
        works = (outputs.filling(group, start) for group, start in zip(groups, starts, strict=False))
        await perform(store, works, threads=threads, progress=progress)
        return outputs.checked(groups)
    jobs = (Job(partial(_read_on_worker, group, schema, dimension)) for group in groups)
    parts = await executor.run(
        ReadingSite(store), jobs, total=len(groups), label="query", threads=threads, progress=progress
    )
    for group, start, arrays in zip(groups, starts, parts, strict=False):
        outputs.place(group, start, arrays)
    return outputs.checked(groups)


def _read_on_worker(
    group: GroupRead, schema: DatasetSchema, dimension: str, site: Site, arrays: Arrays
) -> Work[dict[str, NDArray[Any]]]:
    """Return the values of one group, for the caller to copy into the output."""
    del site, arrays
    outputs = Outputs.allocated(schema, dimension, group.rows)
    yield from outputs.filling(group, 0)
    return dict(outputs.arrays)


def reading(groups: Sequence[GroupRead], schema: DatasetSchema, *, dimension: str) -> Work[dict[str, NDArray[Any]]]:
    """Return the rows of several groups, concatenated, by variable path; the groups are read one after the other."""
    outputs = Outputs.allocated(schema, dimension, sum(group.rows for group in groups))
    start = 0
    for group in groups:
        yield from outputs.filling(group, start)
        start += group.rows
    return outputs.checked(groups)


@frozen
class Outputs:
    """One output array for each variable, allocated once; every chunk is decoded into it.

    Attributes
    ----------
    dimension
        The partitioned dimension.
    layouts
        The layout that each array would have in one group of all rows.
    arrays
        Values of the declared types, in the shape of the layouts.
    """

    dimension: str
    layouts: Mapping[str, ArrayLayout]
    arrays: Mapping[str, NDArray[Any]]

    @classmethod
    def allocated(cls, schema: DatasetSchema, dimension: str, rows: int) -> "Outputs":
        """Return uninitialised arrays for `rows` rows of the variables of a schema."""
        paths = schema.all_variables()
        layouts = {item.path: item for item in ArrayLayout.several(schema, paths, dimension=dimension, rows=rows)}
        arrays = {path: allocated(layout.shape, layout.variable.dtype) for path, layout in layouts.items()}
        return cls(dimension, layouts, arrays)

    def filling(self, group: GroupRead, start: int) -> Work[None]:
        """Decode one group into the rows from `start` on; variables absent from the group get their fill value."""
        written = group.schema.all_variables().keys() - group.absent
        parts = {path: self.part(path, start, group.rows) for path in self.arrays}
        for path in parts.keys() - written:
            parts[path][...] = self.layouts[path].declared_fill[0]
        present = [path for path in parts if path in written]
        layouts = ArrayLayout.several(group.schema, present, dimension=self.dimension, rows=group.rows)
        yield from check_size(group, layouts)
        largest = [layout.largest_chunk + 1 for layout in layouts]
        reads = [
            Read(group.prefix + key, most=most)
            for layout, most in zip(layouts, largest, strict=True)
            for key, _ in layout.chunk_parts
        ]
        supply = yield from stream(reads, buffered=worth_buffering(layouts))
        for layout in layouts:
            decode_array(group, layout, supply, parts[layout.path])

    def place(self, group: GroupRead, start: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Copy the values of one group into the rows from `start` on."""
        for path in self.arrays:
            self.part(path, start, group.rows)[...] = arrays[path]

    def part(self, path: str, start: int, rows: int) -> NDArray[Any]:
        """Return a view of some rows of an output; of all of it for an immutable variable."""
        dimensions, output = self.layouts[path].variable.dimensions, self.arrays[path]
        if self.dimension not in dimensions:
            return output
        part: NDArray[Any] = output[(slice(None),) * dimensions.index(self.dimension) + (slice(start, start + rows),)]
        return part

    def checked(self, groups: Sequence[GroupRead]) -> dict[str, NDArray[Any]]:
        """Return the arrays after checking the limits of the axis in each group.

        Raises
        ------
        CorruptionError
            A group contains the rows of another one.
        """
        axis = next((group.axis for group in groups if group.axis in self.arrays), None)
        if axis is not None:
            variable = self.layouts[axis].variable
            check_limits([group for group in groups if group.rows], self.arrays[axis], variable)
        return dict(self.arrays)


def check_limits(groups: Sequence[GroupRead], values: NDArray[Any], axis: VariableSchema) -> None:
    """Check the smallest and largest axis value of each group; `values` are those of all groups, concatenated.

    Raises
    ------
    CorruptionError
        A group contains the rows of another one.
    """
    if not groups or values.dtype.kind not in _COMPARED:
        return
    stops = list(accumulate(group.rows for group in groups))
    starts = [0, *stops[:-1]]
    # The rows of nearly all groups are sorted: their first and last values are the limits.
    ends = values[[[start, stop - 1] for start, stop in zip(starts, stops, strict=True)]]
    is_present = np.equal(ends, ends)
    # Missing values are replaced by one that can be stored; for a packed axis zero may not be storable.
    present = ends[is_present][:1] if is_present.any() else declared_values(np.zeros(1, axis.stored_dtype), axis)
    stored = stored_values(np.where(is_present, ends, present), axis).tolist()
    for at, (group, found) in enumerate(zip(groups, stored, strict=True)):
        if group.limits is not None and (group.limits != tuple(found) or not is_present[at].all()):
            _check_limits_of(group, values[starts[at] : stops[at]], axis)


def _check_limits_of(group: GroupRead, values: NDArray[Any], axis: VariableSchema) -> None:
    """Check the smallest and largest axis value of a group, ignoring missing values."""
    limits = _limits_of(values, axis)
    if group.limits is not None and group.limits != (limits or (None, None)):
        raise _of_another(group, axis, limits)


def check_within_limits(group: GroupRead, values: NDArray[Any], axis: VariableSchema) -> None:
    """Check that some axis values of a group, ignoring missing ones, are within its limits.

    Raises
    ------
    CorruptionError
        The group contains the rows of another one.
    """
    if group.limits is None or values.dtype.kind not in _COMPARED or not values.size:
        return
    limits = _limits_of(values, axis)
    # A packed axis with a negative scale stores its limits in descending order.
    first, last = sorted(group.limits)
    if limits is not None and (min(limits) < first or max(limits) > last):
        raise _of_another(group, axis, limits)


def _limits_of(values: NDArray[Any], axis: VariableSchema) -> tuple[Any, ...] | None:
    """Return the smallest and largest stored axis value, ignoring missing ones; None if all are missing."""
    limits = np.array([np.fmin.reduce(values), np.fmax.reduce(values)])
    return tuple(stored_values(limits, axis).tolist()) if np.equal(limits, limits).all() else None


def _of_another(group: GroupRead, axis: VariableSchema, found: tuple[Any, ...] | None) -> CorruptionError:
    low, high = found or (None, None)
    first, last = group.limits or (None, None)
    message = (
        f"partition {group.path!r} has values of {axis.name!r} from {low} to {high}, but those committed range from {first} "
        f"to {last}: its objects are those of another partition, or of another version; restore it, insert it again, or drop it"
    )
    return CorruptionError(message)


def worth_buffering(layouts: Iterable[ArrayLayout]) -> int:
    """Return how many chunks of some arrays to read at a time."""
    largest = max((layout.chunk_bytes for layout in layouts), default=1)
    return max(_BUFFERED // largest, 1)


def allocated(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an uninitialised array for values to be read.

    Raises
    ------
    CorruptionError
        It does not fit into memory: the metadata with its shape may be damaged.
    """
    try:
        return np.empty(shape, dtype)
    except (MemoryError, OverflowError, ValueError) as error:
        message = (
            f"an array of the shape {shape} and type {dtype} does not fit into memory ({error}); read fewer partitions, or "
            f"call verify() if there should not be that many rows"
        )
        raise CorruptionError(message) from error


def check_size(group: GroupRead, layouts: Sequence[ArrayLayout]) -> Work[None]:
    """Check that the last chunk of every array of many chunks exists, before memory is allocated for its size.

    Raises
    ------
    CorruptionError
        A last chunk is missing.
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
        Its encoded chunks, in the order of their indices.
    target
        The array that receives the values.

    Raises
    ------
    CorruptionError
        A chunk is missing or damaged.
    """
    variable = layout.variable
    stored = stored_view(target, variable)
    if stored is not None:
        decode_stored(group, layout, supply, stored)
    elif not direct.supports(layout):
        stored = allocated(layout.shape, variable.stored_dtype)
        decode_stored(group, layout, supply, stored)
        target[...] = declared_values(stored, variable)
    else:
        buffer = allocated(layout.chunks, variable.stored_dtype)  # one for all chunks: it stays in the cache
        for (key, slices), data in zip(layout.chunk_parts, supply, strict=False):
            part = target[slices]
            chunk = buffer if buffer.shape == part.shape else allocated(part.shape, variable.stored_dtype)
            _decode_chunk(group, layout, key, data, chunk)
            _declare(chunk, variable, part)


def decode_chunk(group: GroupRead, layout: ArrayLayout, chunk: Chunk, data: bytes | None, out: NDArray[Any]) -> None:
    """Decode one chunk into `out`: values of the declared type, in the shape of the part of the array that it covers.

    Raises
    ------
    CorruptionError
        The chunk is missing or damaged.
    """
    key, index = chunk
    if not direct.supports(layout):
        decode_array(group, layout.single(index), iter([data]), out)
        return
    stored = stored_view(out, layout.variable)
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
    """Decode all chunks of an array, or of a part of one, into values of the stored type; see `decode_array`."""
    if direct.supports(layout):
        for (key, part), data in zip(layout.chunk_parts, supply, strict=False):
            _decode_chunk(group, layout, key, data, target[part])
        return
    pairs = zip(layout.chunk_parts, supply, strict=False)
    chunks = {key: _checked_size(group, layout, key, data) for (key, _), data in pairs}
    _decode_with_zarr(group, layout, chunks, target)


def _checked_size(group: GroupRead, layout: ArrayLayout, key: str, data: bytes | None) -> bytes:
    if data is None:
        raise _corrupt(group, layout, key, "it is missing")
    if len(data) > layout.largest_chunk:
        raise _corrupt(group, layout, key, f"it has more than {layout.largest_chunk} bytes, the most that are possible")
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
