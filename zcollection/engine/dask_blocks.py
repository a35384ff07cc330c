"""Dask arrays over lazily read rows: each block covers one or several chunks of a partition, or several partitions."""

import uuid
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection.engine.layout import ArrayLayout
from zcollection.engine.lazy import LazyRows, Positions, Sources
from zcollection.errors import MissingDependencyError, SettingError, accepted
from zcollection.model.dataset import Dataset

Length = int | Literal["partition"] | None
Chunks = Mapping[str, Length]
"""Block lengths by dimension: None for the length of the stored chunks, -1 for one block, "partition" for one per partition."""


def chunked(dataset: Dataset, chunks: Chunks) -> Dataset:
    """Return a dataset whose variables are Dask arrays; nothing is read.

    Parameters
    ----------
    dataset
        A dataset whose variables are `LazyRows`.
    chunks
        Block lengths by dimension.

    Raises
    ------
    SettingError
        `chunks` is not a mapping, a dimension is unknown, or a length is invalid.
    MissingDependencyError
        Dask is not installed.
    """
    try:
        from dask.delayed import delayed
    except ImportError as error:
        raise MissingDependencyError.of("dask", extra="dask", purpose="query(chunks=…)") from error
    lazy: dict[str, LazyRows] = {path: variable.data for path, variable in dataset.all_variables().items()}
    _check(chunks, lazy)
    # The groups are sent to each worker once, and not with every block.
    tables = {id(rows.sources): rows.sources for rows in lazy.values()}
    shared = {
        key: delayed(sources, name=f"zcollection-partitions-0{uuid.uuid4().hex}", traverse=False)
        for key, sources in tables.items()
    }
    arrays = {path: _array(rows, chunks, shared[id(rows.sources)]) for path, rows in lazy.items()}
    return Dataset(dataset.schema, arrays, attrs=dataset.attrs)


def _check(chunks: Chunks, lazy: Mapping[str, LazyRows]) -> None:
    if not isinstance(chunks, Mapping):
        message = f"chunks={chunks!r}; accepted: a mapping from dimensions to lengths, such as {{'time': 'partition'}}, or None"
        raise SettingError(message)
    known = {name: rows.dimension for rows in lazy.values() for name in rows.schema.get_variable(rows.path).dimensions}
    for name, length in chunks.items():
        if name not in known:
            message = f"chunks names the dimension {name!r}; {accepted(name, known)}"
            raise SettingError(message)
        by_partition = length == "partition" and known[name] == name
        if length is not None and not by_partition and (not isinstance(length, int) or (length < 1 and length != -1)):
            choices = "a number of at least 1, -1 for all, None for the stored chunks"
            message = (
                f"chunks={{{name!r}: {length!r}}}; accepted: {choices}, 'partition' along the partitioned dimension"
            )
            raise SettingError(message)


def stored_blocks(rows: LazyRows) -> tuple[tuple[int, ...], ...]:
    """Return the block lengths of a lazy array, along each dimension, that match its stored chunks.

    No block contains rows of two partitions. If only some rows are selected, each partition has one block.
    """
    names = rows.schema.get_variable(rows.path).dimensions
    return tuple(
        _selected_rows(rows, positions)
        if position == rows.position
        else _blocks(_stored_chunk(rows, position), len(positions), None)
        for position, (_, positions) in enumerate(zip(names, rows.selection, strict=True))
    )


def _selected_rows(rows: LazyRows, positions: Positions) -> tuple[int, ...]:
    if isinstance(positions, range) and positions == range(rows.sources.rows):
        return _row_blocks(rows, rows.position or 0, None)
    numbers = rows.sources.numbers(np.asarray(positions, np.intp))
    counts = np.bincount(numbers, minlength=1)
    return tuple(counts[counts > 0].tolist()) or (0,)


def _array(rows: LazyRows, chunks: Chunks, table: Any) -> Any:
    """Return one variable as a Dask array."""
    from dask.array import map_blocks

    variable = rows.schema.get_variable(rows.path)
    lengths = tuple(
        _row_blocks(rows, position, chunks.get(name, None))
        if position == rows.position
        else _blocks(_stored_chunk(rows, position), rows.shape[position], chunks.get(name, None))
        for position, name in enumerate(variable.dimensions)
    )
    bare = evolve(rows, sources=Sources(()))
    return map_blocks(  # type: ignore[no-untyped-call]  # dask is untyped
        _Reading(bare, tuple((0, *accumulate(sizes)) for sizes in lengths)),
        table=table,
        chunks=lengths,
        dtype=variable.dtype,
        meta=np.empty((0,) * len(lengths), variable.dtype),
        name=f"zcollection-query-0{uuid.uuid4().hex}",
    )


@frozen
class _Reading:
    """Reads one block, on the thread or worker that computes it.

    Attributes
    ----------
    rows
        A lazy array of the full variable, without the groups.
    edges
        Where the blocks start and end along each dimension.
    """

    rows: LazyRows
    edges: tuple[tuple[int, ...], ...] = field(repr=False)

    def __call__(self, table: Sources, block_id: tuple[int, ...]) -> NDArray[Any]:
        part = tuple(
            slice(edges[number], edges[number + 1]) for edges, number in zip(self.edges, block_id, strict=True)
        )
        return evolve(self.rows, sources=table)[part].read_here()


def _stored_chunk(rows: LazyRows, position: int) -> int:
    longest = max(rows.sources.lengths, default=0)
    return ArrayLayout.of(rows.schema, rows.path, dimension=rows.dimension, rows=longest).chunks[position]


def _blocks(chunk: int, length: int, requested: Length) -> tuple[int, ...]:
    """Return the lengths of blocks, all of which are multiples of the chunk length except for the last one."""
    if requested == -1 or not length:
        return (length,)
    size = chunk if not isinstance(requested, int) else max(requested // chunk, 1) * chunk
    return tuple(min(size, length - start) for start in range(0, length, size))


def _row_blocks(rows: LazyRows, position: int, requested: Length) -> tuple[int, ...]:
    """Return block lengths along the rows: a block contains full partitions, or a part of one partition."""
    partitions = rows.sources.lengths
    if requested == -1:
        return (sum(partitions),)
    if requested == "partition":
        return tuple(partitions)
    chunk = _stored_chunk(rows, position)
    if requested is None and max(partitions, default=0) <= chunk:
        return tuple(partitions)
    blocks: list[int] = []
    room = 0
    for length in partitions:
        if length <= room:
            blocks[-1] += length
            room -= length
        elif isinstance(requested, int) and length <= requested:
            blocks.append(length)
            room = requested - length
        else:
            blocks.extend(_blocks(min(chunk, length), length, requested))
            room = 0
    return tuple(blocks)
