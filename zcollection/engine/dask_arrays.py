"""Dask arrays, recognised without importing Dask: finds the blocks that contain some rows, and computes these rows."""

import sys
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, product
from typing import Any

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection.errors import SchemaError
from zcollection.model.variable import Indexer

Graph = Mapping[Any, Any]


def is_dask(value: object) -> bool:
    """Return whether a value is a Dask collection."""
    library = sys.modules.get("dask.base")
    return library is not None and bool(library.is_dask_collection(value))


def in_task() -> bool:
    """Return whether the caller runs in a Dask task, and so occupies a thread of a worker."""
    library = sys.modules.get("distributed")
    if library is None:
        return False
    try:
        library.get_worker()
    except ValueError:
        return False
    return True


@frozen(kw_only=True, eq=False)
class BlockRows:
    """Rows of a Dask array: the blocks that contain them, and the index of the rows within these blocks.

    Slicing the array itself would add a task for every block and partition to the graph.

    Attributes
    ----------
    graph
        The graph that computes the blocks; empty if another process computes them.
    keys
        The keys of the blocks, in row-major order.
    counts
        The number of blocks along each dimension.
    index
        The selection within the concatenated blocks.
    """

    graph: Graph = field(repr=False)
    keys: tuple[Any, ...]
    counts: tuple[int, ...]
    index: tuple[Indexer, ...]

    def without_graph(self) -> "BlockRows":
        """Return a copy for a process that receives the computed blocks."""
        return evolve(self, graph={})

    def assembled(self, blocks: Iterator[Any]) -> NDArray[Any]:
        """Return the rows, given the computed blocks in the order of the keys."""
        rows: NDArray[Any] = _joined(blocks, self.counts)[self.index]
        return rows


def _joined(blocks: Iterator[Any], counts: tuple[int, ...], axis: int = 0) -> NDArray[Any]:
    if axis == len(counts):
        return np.asarray(next(blocks))
    parts = [_joined(blocks, counts, axis + 1) for _ in range(counts[axis])]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis)


@frozen(eq=False)
class Blocks:
    """A Dask array as blocks with known edges.

    Attributes
    ----------
    graph
        The graph that computes the blocks, common to all arrays that were prepared together.
    name
        Name of the array, which is the first part of the keys.
    edges
        Where the blocks start and end along each dimension.
    """

    graph: Graph = field(repr=False)
    name: Any
    edges: tuple[tuple[int, ...], ...]

    @classmethod
    def of_all(cls, arrays: Mapping[str, Any]) -> dict[str, "Blocks"]:
        """Return the Dask arrays among `arrays`, optimised together.

        Raises
        ------
        SchemaError
            The lengths of blocks are unknown.
        """
        lazy = {path: values for path, values in arrays.items() if is_dask(values)}
        if not lazy:
            return {}
        for path, values in lazy.items():
            if any(size != size for sizes in values.chunks for size in sizes):  # noqa: PLR0124 - NaN is not itself
                message = (
                    f"variable {path!r} has blocks of unknown lengths; call compute_chunk_sizes() on the array first"
                )
                raise SchemaError(message)
        prepared = sys.modules["dask.base"].optimize(*lazy.values())
        graph: dict[Any, Any] = {}
        for array in prepared:
            graph.update(array.__dask_graph__())
        edges = [tuple((0, *accumulate(sizes)) for sizes in array.chunks) for array in prepared]
        return {path: cls(graph, array.name, at) for path, array, at in zip(lazy, prepared, edges, strict=True)}

    def rows(self, position: int, rows: Indexer) -> BlockRows:
        """Return some rows along the dimension at `position`."""
        numbers, before = self._covering(position, rows)
        along = [range(len(edges) - 1) for edges in self.edges]
        along[position] = numbers
        shifted = slice(rows.start - before, rows.stop - before) if isinstance(rows, slice) else rows - before
        return BlockRows(
            graph=self.graph,
            keys=tuple((self.name, *index) for index in product(*along)),
            counts=tuple(map(len, along)),
            index=(*(slice(None),) * position, shifted),
        )

    def _covering(self, position: int, rows: Indexer) -> tuple[range, int]:
        """Return the blocks from the first to the last that contain some rows, and the number of rows before them."""
        edges = self.edges[position]
        start, stop = (rows.start, rows.stop) if isinstance(rows, slice) else (int(rows.min()), int(rows.max()) + 1)
        first = bisect_right(edges, start) - 1
        return range(first, bisect_left(edges, stop)), edges[first]


def computed(arrays: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return arrays with the Dask arrays, and rows of Dask arrays, computed together; other arrays are unchanged."""
    lazy = {path: values for path, values in arrays.items() if is_dask(values)}
    parts = {path: values for path, values in arrays.items() if isinstance(values, BlockRows)}
    if lazy:
        values = sys.modules["dask.base"].compute(*lazy.values(), **_options())
        arrays = {**arrays, **dict(zip(lazy, values, strict=True))}
    return {**arrays, **_assembled(parts, _compute(parts.values()))} if parts else arrays


def _options() -> dict[str, Any]:
    # A task that waits for other tasks may deadlock: it occupies the thread that they need.
    return {"scheduler": "threads"} if in_task() else {}


def _compute(parts: Iterable[BlockRows]) -> Iterator[Any]:
    """Compute the blocks of several parts, each block once, and return them in the order of the parts."""
    from dask.base import get_scheduler
    from dask.optimization import cull
    from dask.threaded import get

    keys = [key for part in parts for key in part.keys]
    graph = next(iter(parts)).graph
    needed, _ = cull(graph, list(dict.fromkeys(keys)))  # type: ignore[no-untyped-call]  # dask is untyped
    run = get_scheduler(**_options()) or get  # type: ignore[no-untyped-call]
    # A cluster identifies results by keys, and other callers may use the same blocks: a new key is requested instead.
    together = f"zcollection-rows-0{uuid.uuid4().hex}"
    return iter(run({**needed, together: (list, keys)}, together))


def _assembled(parts: Mapping[str, BlockRows], blocks: Iterator[Any]) -> dict[str, NDArray[Any]]:
    return {path: part.assembled(blocks) for path, part in parts.items()}


def received(arrays: Mapping[str, Any], blocks: Iterator[Any]) -> dict[str, Any]:
    """Return arrays with the rows of Dask arrays assembled from computed blocks."""
    return {
        path: values.assembled(blocks) if isinstance(values, BlockRows) else values for path, values in arrays.items()
    }
