"""Arrays that are read when they are asked for, and then only the chunks that hold what was selected."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, product
from typing import Any

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection import portal
from zcollection.contracts.store import Objects, Read
from zcollection.engine.executor import worthwhile_threads
from zcollection.engine.layout import ArrayLayout
from zcollection.engine.read import GroupRead, allocated, check_size, decode_array
from zcollection.engine.work import Work, fetch, perform, perform_here
from zcollection.model.schema import DatasetSchema
from zcollection.model.sections import Printed, Section, heading

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


@frozen(eq=False)
class Sources:
    """Groups, one after the other along a dimension.

    Attributes
    ----------
    groups
        They themselves, in the order of the rows.
    """

    groups: tuple[Source, ...]
    stops: tuple[int, ...] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "stops", tuple(accumulate(source.group.rows for source in self.groups)))

    def holding(self, rows: range) -> tuple["Sources", int]:
        """Return the groups that hold a run of rows, and the number of rows before the first of them."""
        first = min(bisect_right(self.stops, rows.start), len(self.groups) - 1)
        last = max(bisect_left(self.stops, rows.stop), first)
        if (first, last + 1) == (0, len(self.groups)):
            return self, 0
        return Sources(self.groups[first : last + 1]), self.stops[first - 1] if first else 0


@frozen(kw_only=True, eq=False, repr=False)
class LazyRows(Printed):
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
    sources: Sources
    schema: DatasetSchema
    path: str
    dimension: str
    selection: tuple[Positions, ...]

    @classmethod
    def whole(cls, store: Objects, sources: Sources, schema: DatasetSchema, path: str, *, dimension: str) -> "LazyRows":
        """Return all of a variable."""
        rows = sources.stops[-1]
        shape = ArrayLayout.of(schema, path, dimension=dimension, rows=rows).shape
        selection = tuple(map(range, shape))
        return cls(store=store, sources=sources, schema=schema, path=path, dimension=dimension, selection=selection)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions."""
        return tuple(map(len, self.selection))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.schema.get_variable(self.path).dtype

    def _section(self) -> Section:
        return Section(heading(self, f"{self.path} {self.shape} {self.dtype}"))

    def __getitem__(self, index: tuple[Index, ...] | Index) -> "LazyRows":
        """Return a part, selected by slices, positions or booleans along the first dimensions."""
        given = index if isinstance(index, tuple) else (index,)
        chosen = [_chosen(positions, part) for positions, part in zip(self.selection, given, strict=False)]
        return _without_other_groups(evolve(self, selection=(*chosen, *self.selection[len(given) :])))

    @property
    def position(self) -> int | None:
        """The place of the partitioned dimension among those of the variable, None where it lacks it."""
        dimensions = self.schema.get_variable(self.path).dimensions
        return dimensions.index(self.dimension) if self.dimension in dimensions else None

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: bool | None = None) -> NDArray[Any]:
        values = portal.run(self.read)
        return values if dtype is None else np.asarray(values, dtype=dtype, copy=copy)

    def read_here(self) -> NDArray[Any]:
        """Read what is selected, on this thread."""
        out = self._output()
        for _ in perform_here(self.store, self._works(out)):
            pass
        return out

    def _output(self) -> NDArray[Any]:
        return allocated(self.shape, self.dtype)

    async def read(self) -> NDArray[Any]:
        """Read what is selected.

        Raises
        ------
        CorruptionError
            A chunk is missing, or is not what was written.
        """
        out = self._output()
        schema = self.schema.select([self.path])
        rows = self.sources.stops[-1] // len(self.sources.groups)
        threads = worthwhile_threads(schema, self.dimension, rows)
        await perform(self.store, self._works(out), threads=threads)
        return out

    def _works(self, out: NDArray[Any]) -> Iterator[Work[None]]:
        position = self.position
        if position is None:
            yield self._filling(self.sources.groups[0], out, [_Chosen.of(positions) for positions in self.selection])
            return
        rows = np.asarray(self.selection[position], dtype=np.intp)
        for source, stop in zip(self.sources.groups, self.sources.stops, strict=True):
            start = stop - source.group.rows
            places = np.flatnonzero((rows >= start) & (rows < stop))
            if places.size:
                chosen = [_Chosen.of(positions) for positions in self.selection]
                chosen[position] = _Chosen(rows[places] - start, places)
                yield self._filling(source, out, chosen)

    def _filling(self, source: Source, out: NDArray[Any], chosen: list["_Chosen"]) -> Work[None]:
        """Read what is chosen of one group into its place."""
        group, document = source.group, source.group.document
        if self.path in group.absent or self.path not in group.schema.all_variables():
            (data,) = yield from fetch([Read(document)])
            source.check(data)
            layout = ArrayLayout.of(self.schema, self.path, dimension=self.dimension, rows=group.rows)
            out[np.ix_(*(item.places for item in chosen))] = layout.declared_fill[0]
            return
        layout = ArrayLayout.of(group.schema, self.path, dimension=self.dimension, rows=group.rows)
        yield from check_size(group, [layout])
        indices = [*product(*(item.chunks(length) for item, length in zip(chosen, layout.chunks, strict=True)))]
        chunks = yield from fetch([layout.chunk_read(group.prefix, layout.chunk_key(index)) for index in indices])
        # Afterwards: what still is the generation that was meant has been it all the while.
        (data,) = yield from fetch([Read(document)])
        source.check(data)
        for index, chunk in zip(indices, chunks, strict=True):
            single = layout.single(index)
            values = allocated(single.shape, single.variable.dtype)
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


def _without_other_groups(lazy: LazyRows) -> LazyRows:
    """Return the same, without the groups of which nothing is selected, where that is quick to tell."""
    position = lazy.position
    rows = None if position is None else lazy.selection[position]
    if position is None or not isinstance(rows, range) or rows.step != 1 or not rows:
        return lazy
    sources, before = lazy.sources.holding(rows)
    if sources is lazy.sources:
        return lazy
    moved = range(rows.start - before, rows.stop - before)
    selection = (*lazy.selection[:position], moved, *lazy.selection[position + 1 :])
    return evolve(lazy, sources=sources, selection=selection)


def _chosen(positions: Positions, index: Index) -> Positions:
    if isinstance(index, slice):
        return positions[index]
    return np.asarray(positions, dtype=np.intp)[index]
