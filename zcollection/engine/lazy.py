"""Arrays that are read when they are asked for, and then only the chunks that hold what was selected."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, product
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection import portal
from zcollection.contracts.store import Objects, Read
from zcollection.engine.executor import worthwhile_threads
from zcollection.engine.layout import ArrayLayout, declared_values
from zcollection.engine.read import GroupRead, allocated, check_size, decode_array
from zcollection.engine.work import Work, fetch, perform
from zcollection.model.schema import DatasetSchema

Positions = range | NDArray[np.intp]
"""What is selected along one dimension, in order."""
Index = slice | NDArray[Any]


@frozen(kw_only=True)
class Source:
    """A group to read from, and how to know that it is still the one that was meant.

    Attributes
    ----------
    group
        The group.
    check
        Called with the group's document when something is read; raises where the group has been replaced.
    """

    group: GroupRead
    check: Callable[[bytes | None], None]


@frozen(kw_only=True, eq=False)
class LazyRows:
    """One variable of several groups, one after the other along a dimension, and what is selected of it.

    Slicing it gives another one; NumPy makes an array of it, which reads. It pickles as its store does.

    Attributes
    ----------
    store
        Where the groups lie.
    sources
        The groups, in the order of the rows.
    schema, path
        The variable.
    dimension
        The partitioned dimension; a variable without it has one group.
    selection
        What is selected along each dimension.
    """

    store: Objects
    sources: tuple[Source, ...]
    schema: DatasetSchema
    path: str
    dimension: str
    selection: tuple[Positions, ...]

    @classmethod
    def whole(
        cls, store: Objects, sources: Sequence[Source], schema: DatasetSchema, path: str, *, dimension: str
    ) -> "LazyRows":
        """Return all of a variable."""
        rows = sum(source.group.rows for source in sources)
        shape = ArrayLayout.of(schema, path, dimension=dimension, rows=rows).shape
        selection = tuple(map(range, shape))
        return cls(
            store=store, sources=tuple(sources), schema=schema, path=path, dimension=dimension, selection=selection
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions."""
        return tuple(map(len, self.selection))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.schema.get_variable(self.path).dtype

    def __getitem__(self, index: tuple[Index, ...] | Index) -> "LazyRows":
        """Return a part, selected by slices, positions or booleans along the first dimensions."""
        given = index if isinstance(index, tuple) else (index,)
        chosen = [_chosen(positions, part) for positions, part in zip(self.selection, given, strict=False)]
        return evolve(self, selection=(*chosen, *self.selection[len(given) :]))

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: bool | None = None) -> NDArray[Any]:
        values = portal.run(self.read)
        return values if dtype is None else np.asarray(values, dtype=dtype, copy=copy)

    async def read(self) -> NDArray[Any]:
        """Read what is selected.

        Raises
        ------
        CorruptionError
            A chunk is missing, or is not what was written.
        """
        variable = self.schema.get_variable(self.path)
        out = allocated(self.shape, variable.stored_dtype)
        schema = self.schema.select([self.path])
        rows = sum(source.group.rows for source in self.sources) // max(len(self.sources), 1)
        threads = worthwhile_threads(schema, self.dimension, rows)
        await perform(self.store, self._works(out), threads=threads)
        return declared_values(out, variable)

    def _works(self, out: NDArray[Any]) -> Iterator[Work[None]]:
        dimensions = self.schema.get_variable(self.path).dimensions
        if self.dimension not in dimensions:
            yield self._filling(self.sources[0], out, [_Chosen.of(positions) for positions in self.selection])
            return
        position = dimensions.index(self.dimension)
        rows = np.asarray(self.selection[position], dtype=np.intp)
        stops = [*accumulate(source.group.rows for source in self.sources)]
        for source, stop in zip(self.sources, stops, strict=True):
            start = stop - source.group.rows
            places = np.flatnonzero((rows >= start) & (rows < stop))
            if places.size:
                chosen = [_Chosen.of(positions) for positions in self.selection]
                chosen[position] = _Chosen(rows[places] - start, places)
                yield self._filling(source, out, chosen)

    def _filling(self, source: Source, out: NDArray[Any], chosen: list["_Chosen"]) -> Work[None]:
        """Read what is chosen of one group into its place."""
        group, document = source.group, f"{source.group.prefix}zarr.json"
        if self.path in group.absent or self.path not in group.schema.all_variables():
            (data,) = yield from fetch([Read(document)])
            source.check(data)
            layout = ArrayLayout.of(self.schema, self.path, dimension=self.dimension, rows=group.rows)
            out[np.ix_(*(item.places for item in chosen))] = layout.fill
            return
        layout = ArrayLayout.of(group.schema, self.path, dimension=self.dimension, rows=group.rows)
        yield from check_size(group, [layout])
        indices = [*product(*(item.chunks(length) for item, length in zip(chosen, layout.chunks, strict=True)))]
        keys = [group.prefix + layout.chunk_key(index) for index in indices]
        chunks = yield from fetch([Read(key) for key in keys])
        # Afterwards: what still is the generation that was meant has been it all the while.
        (data,) = yield from fetch([Read(document)])
        source.check(data)
        for index, chunk in zip(indices, chunks, strict=True):
            single = layout.single(index)
            values = allocated(single.shape, single.variable.stored_dtype)
            decode_array(group, single, iter([chunk]), values)
            parts = [
                item.inside(number, length) for item, number, length in zip(chosen, index, layout.chunks, strict=True)
            ]
            out[np.ix_(*(part.places for part in parts))] = values[np.ix_(*(part.rows for part in parts))]


@frozen(eq=False)
class _Chosen:
    """Positions along one dimension of an array, and where they go in the output."""

    rows: NDArray[np.intp]
    places: NDArray[np.intp]

    @classmethod
    def of(cls, positions: Positions) -> "_Chosen":
        return cls(np.asarray(positions, dtype=np.intp), np.arange(len(positions)))

    def chunks(self, length: int) -> list[int]:
        """Return the chunks that hold one of the positions."""
        numbers: list[int] = np.unique(self.rows // max(length, 1)).tolist()
        return numbers

    def inside(self, chunk: int, length: int) -> "_Chosen":
        """Return those that lie in one chunk, counted from its start."""
        here = self.rows // max(length, 1) == chunk
        return _Chosen(self.rows[here] - chunk * length, self.places[here])


def _chosen(positions: Positions, index: Index) -> Positions:
    if isinstance(index, slice):
        return positions[index]
    return np.asarray(positions, dtype=np.intp)[index]
