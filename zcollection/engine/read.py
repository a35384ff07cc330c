"""Groups read: each output array allocated once, every chunk decoded straight into its place."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.contracts.store import KeyStore, Read
from zcollection.engine import direct
from zcollection.engine.executor import gather, in_thread, parallelism
from zcollection.engine.layout import ArrayLayout, declared_values
from zcollection.errors import CorruptionError
from zcollection.model.schema import DatasetSchema


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
    """

    path: str
    prefix: str
    rows: int
    schema: DatasetSchema
    absent: frozenset[str] = frozenset()


async def read_groups(
    store: KeyStore,
    groups: Sequence[GroupRead],
    schema: DatasetSchema,
    *,
    dimension: str,
    progress: Callable[[], None] = lambda: None,
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
    progress
        Called after each group.

    Raises
    ------
    CorruptionError
        A chunk is missing, or is not what was written.
    """
    rows = sum(group.rows for group in groups)
    layouts = {path: ArrayLayout.of(schema, path, dimension=dimension, rows=rows) for path in schema.all_variables()}
    outputs = {path: np.empty(layout.shape, layout.variable.stored_dtype) for path, layout in layouts.items()}
    starts = np.cumsum([0, *(group.rows for group in groups)]).tolist()

    async def read(item: tuple[GroupRead, int]) -> None:
        group, start = item
        places = {path: _rows(output, layouts[path], dimension, start, group.rows) for path, output in outputs.items()}
        await _read_group(store, group, layouts, places, dimension=dimension)
        progress()

    await gather(read, list(zip(groups, starts, strict=False)), limit=parallelism(store))
    return {path: declared_values(output, layouts[path].variable) for path, output in outputs.items()}


def _rows(output: NDArray[Any], layout: ArrayLayout, dimension: str, start: int, rows: int) -> NDArray[Any]:
    """Return the part of an output that belongs to one group: all of it where the variable has no rows."""
    dimensions = layout.variable.dimensions
    if dimension not in dimensions:
        return output
    part: NDArray[Any] = output[(slice(None),) * dimensions.index(dimension) + (slice(start, start + rows),)]
    return part


async def _read_group(
    store: KeyStore,
    group: GroupRead,
    wanted: Mapping[str, ArrayLayout],
    places: Mapping[str, NDArray[Any]],
    *,
    dimension: str,
) -> None:
    """Decode the variables of one group into their places; those that it lacks are filled."""
    written = group.schema.all_variables().keys() - group.absent
    for path in wanted.keys() - written:
        places[path][...] = wanted[path].fill
    layouts = [
        ArrayLayout.of(group.schema, path, dimension=dimension, rows=group.rows) for path in wanted if path in written
    ]
    reads = [Read(group.prefix + layout.chunk_key(i)) for layout in layouts for i in layout.chunk_indices]
    blocking = store.blocking

    def decode(chunks: Sequence[bytes | None]) -> None:
        supply = iter(chunks)
        for layout in layouts:
            _decode_array(group, layout, supply, places[layout.path])

    if blocking is not None:
        get = blocking.get
        await in_thread(lambda: decode(get(reads)))
    else:
        await in_thread(decode, await store.get(reads))


def _decode_array(group: GroupRead, layout: ArrayLayout, supply: Iterator[bytes | None], target: NDArray[Any]) -> None:
    chunks: dict[str, bytes] = {}
    directly = direct.supports(layout)
    for index in layout.chunk_indices:
        key, data = layout.chunk_key(index), next(supply)
        if data is None:
            raise _corrupt(group, layout, key, "it is missing")
        if not directly:
            chunks[key] = data
            continue
        try:
            direct.decode_chunk(layout, data, target[layout.chunk_slices(index)])
        except Exception as error:
            raise _corrupt(group, layout, key, str(error)) from error
    if not directly:
        _decode_with_zarr(group, layout, chunks, target)


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
