"""Arrays that are read when they are asked for, and then only the chunks that hold what was selected."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, pairwise, product
from typing import Any

import numpy as np
from attrs import Factory, evolve, field, frozen
from numpy.typing import NDArray

from zcollection import portal
from zcollection.contracts.objects import Objects, Read
from zcollection.engine.executor import worthwhile_threads
from zcollection.engine.layout import ArrayLayout
from zcollection.engine.read import GroupRead, Scalar, allocated, check_size, decode_array
from zcollection.engine.work import Work, fetch, perform, perform_here
from zcollection.errors import CorruptionError, OutdatedError
from zcollection.model.printed import Printed
from zcollection.model.schema import DatasetSchema
from zcollection.model.sections import Section, heading

Positions = range | NDArray[np.intp]
"""What is selected along one dimension, in order."""
Index = slice | NDArray[Any]
Points = tuple[NDArray[np.intp], ...]
"""Positions of single values along each dimension, in arrays of one shape."""


@frozen(kw_only=True)
class Source:
    """A group to read from, and how to know that it is still the one that was meant.

    Attributes
    ----------
    group
        The group.
    check
        Called with the group's document when something is read; raises where the group has been replaced.
    kept
        Where the group is stored once it has been replaced; None where it is removed then.
    """

    group: GroupRead
    check: Callable[[bytes | None], None]
    kept: GroupRead | None = None


@frozen(eq=False)
class Sources:
    """Groups, one after the other along a dimension.

    Attributes
    ----------
    groups
        They themselves, in the order of the rows; what is known of each may be looked up when it is asked for.
    lengths
        The rows of each.
    limits
        The smallest and largest axis value of each, as it is stored; None where they are not known.
    """

    groups: Sequence[Source]
    lengths: Sequence[int] = field(
        default=Factory(lambda self: [source.group.rows for source in self.groups], takes_self=True), repr=False
    )
    limits: Sequence[tuple[Scalar, ...] | None] = field(
        default=Factory(lambda self: [source.group.limits for source in self.groups], takes_self=True), repr=False
    )

    @cached_property
    def stops(self) -> NDArray[np.intp]:
        """The row after the last one of each.

        Raises
        ------
        CorruptionError
            There are more rows than can be: what says so is damaged.
        """
        stops = list(accumulate(self.lengths))
        try:
            return np.array(stops, np.intp)
        except OverflowError as error:
            message = f"the partitions are said to have {stops[-1]} rows, more than any memory holds; call verify()"
            raise CorruptionError(message) from error

    @property
    def rows(self) -> int:
        """How many rows they have together."""
        return int(self.stops[-1]) if self.groups else 0

    def numbers(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return which of the groups holds each of some rows."""
        return np.searchsorted(self.stops, rows, side="right")

    def start(self, number: int) -> int:
        """Return the first row of a group."""
        return int(self.stops[number]) - self.lengths[number]

    def holding(self, rows: range) -> tuple["Sources", int]:
        """Return the groups that hold a run of rows, and the number of rows before the first of them."""
        first, last = self.numbers(np.array([rows.start, rows.stop - 1])).tolist()
        if (first, last + 1) == (0, len(self.groups)):
            return self, 0
        part = slice(first, last + 1)
        return Sources(self.groups[part], self.lengths[part], self.limits[part]), self.start(first)


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
        rows = sources.rows
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
        values = self.values()
        return values if dtype is None else np.asarray(values, dtype=dtype, copy=copy)

    def values(self, points: Points | None = None) -> NDArray[Any]:
        """Read what is selected, on this thread where it lies in one group; the parameter is that of `read`."""
        return self.read_here(points) if len(self.sources.groups) == 1 else portal.run(self.read, points)

    def read_here(self, points: Points | None = None) -> NDArray[Any]:
        """Read what is selected, on this thread; the parameter is that of `read`."""
        out = self._output(points)
        for _ in perform_here(self.store, self._works(out, points)):
            pass
        return out

    def _output(self, points: Points | None) -> NDArray[Any]:
        return allocated(self.shape if points is None else points[0].shape, self.dtype)

    async def read(self, points: Points | None = None) -> NDArray[Any]:
        """Read what is selected.

        Parameters
        ----------
        points
            Single values of it, by their positions along each dimension; the result has the shape of these arrays. None
            for all that is selected.

        Raises
        ------
        CorruptionError
            A chunk is missing, or is not what was written.
        """
        out = self._output(points)
        schema = self.schema.select([self.path])
        rows = self.sources.rows // max(len(self.sources.groups), 1)
        threads = worthwhile_threads(schema, self.dimension, rows)
        await perform(self.store, self._works(out, points), threads=threads)
        return out

    def _works(self, out: NDArray[Any], points: Points | None) -> Iterator[Work[None]]:
        if not out.size:
            return
        if points is None:
            wanted: _Wanted = _Block(tuple(_Chosen.of(positions) for positions in self.selection), out)
        else:
            rows = tuple(_at(positions, at.ravel()) for positions, at in zip(self.selection, points, strict=True))
            wanted = _Scatter(rows, np.arange(points[0].size), out.reshape(-1))
        if self.position is None:
            yield self._filling(self.sources.groups[0], wanted)
            return
        for number, part in wanted.by_group(self.sources, self.position):
            yield self._filling(self.sources.groups[number], part)

    def _filling(self, source: Source, wanted: "_Wanted") -> Work[None]:
        """Read what is wanted of one group into its place, also where the group was moved since it was looked up."""
        try:
            yield from self._filling_from(source, wanted)
        except (CorruptionError, OutdatedError) as error:
            if source.kept is None:
                raise
            try:
                yield from self._filling_from(Source(group=source.kept, check=source.check), wanted)
            except OutdatedError:
                raise error from None

    def _filling_from(self, source: Source, wanted: "_Wanted") -> Work[None]:
        group, document = source.group, source.group.document
        if self.path in group.absent or self.path not in group.schema.all_variables():
            (data,) = yield from fetch([Read(document)])
            source.check(data)
            layout = ArrayLayout.of(self.schema, self.path, dimension=self.dimension, rows=group.rows)
            wanted.fill(layout.declared_fill[0])
            return
        layout = ArrayLayout.of(group.schema, self.path, dimension=self.dimension, rows=group.rows)
        yield from check_size(group, [layout])
        pieces = wanted.pieces(layout.chunks)
        keys = [layout.chunk_key(index) for index, _, _ in pieces]
        chunks = yield from fetch([layout.chunk_read(group.prefix, key) for key in keys])
        # Afterwards: what still is the generation that was meant has been it all the while.
        (data,) = yield from fetch([Read(document)])
        source.check(data)
        for (index, places, inside), chunk in zip(pieces, chunks, strict=True):
            single = layout.single(index)
            values = allocated(single.shape, single.variable.dtype)
            decode_array(group, single, iter([chunk]), values)
            wanted.out[places] = values[inside]


_Piece = tuple[tuple[int, ...], Any, Any]
"""The index of a chunk, where in the output those of its values go that are wanted, and which they are."""


@frozen(eq=False)
class _Chosen:
    """Positions along one dimension of an array, and where they go in the output."""

    rows: NDArray[np.intp]
    places: NDArray[np.intp]

    @classmethod
    def of(cls, positions: Positions) -> "_Chosen":
        return cls(np.asarray(positions, dtype=np.intp), np.arange(len(positions)))

    def by_number(self, numbers: NDArray[np.intp], starts: Callable[[int], int]) -> Iterator[tuple[int, "_Chosen"]]:
        """Yield those of each number, counted from where its part starts; `starts` takes the number."""
        for number, at in _grouped(numbers):
            yield number, _Chosen(self.rows[at] - starts(number), self.places[at])


@frozen(eq=False)
class _Block:
    """What is chosen along each dimension, in all combinations."""

    chosen: tuple[_Chosen, ...]
    out: NDArray[Any]

    def by_group(self, sources: Sources, position: int) -> Iterator[tuple[int, "_Block"]]:
        """Yield what is wanted of each group that holds some of it, by its number."""
        along = self.chosen[position]
        for number, part in along.by_number(sources.numbers(along.rows), sources.start):
            yield number, evolve(self, chosen=(*self.chosen[:position], part, *self.chosen[position + 1 :]))

    def fill(self, value: Any) -> None:
        """Put one value everywhere."""
        self.out[_combined([part.places for part in self.chosen])] = value

    def pieces(self, lengths: tuple[int, ...]) -> list[_Piece]:
        """Return the chunks that hold some of it."""
        along = [
            [*part.by_number(part.rows // length, length.__mul__)]
            for part, length in zip(self.chosen, lengths, strict=True)
        ]
        return [
            (
                tuple(number for number, _ in each),
                _combined([part.places for _, part in each]),
                _combined([part.rows for _, part in each]),
            )
            for each in product(*along)
        ]


@frozen(eq=False)
class _Scatter:
    """Single values: their positions along each dimension, and their places in an output of one dimension."""

    rows: Points
    places: NDArray[np.intp]
    out: NDArray[Any]

    def by_group(self, sources: Sources, position: int) -> Iterator[tuple[int, "_Scatter"]]:
        """Yield what is wanted of each group that holds some of it, by its number."""
        for number, at in _grouped(sources.numbers(self.rows[position])):
            rows = [along[at] for along in self.rows]
            rows[position] -= sources.start(number)
            yield number, _Scatter(tuple(rows), self.places[at], self.out)

    def fill(self, value: Any) -> None:
        """Put one value everywhere."""
        self.out[self.places] = value

    def pieces(self, lengths: tuple[int, ...]) -> list[_Piece]:
        """Return the chunks that hold some of it."""
        numbers = np.stack([along // length for along, length in zip(self.rows, lengths, strict=True)])
        chunks, of_each = np.unique(numbers, axis=1, return_inverse=True)
        pieces: list[_Piece] = []
        for number, at in _grouped(of_each.reshape(-1)):
            index = chunks[:, number].tolist()
            inside = [
                along[at] - first * length for along, first, length in zip(self.rows, index, lengths, strict=True)
            ]
            pieces.append((tuple(index), self.places[at], tuple(inside)))
        return pieces


_Wanted = _Block | _Scatter


def _grouped(numbers: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each number, and where it stands."""
    order = np.argsort(numbers, kind="stable")
    edges = [0, *(np.flatnonzero(np.diff(numbers[order])) + 1).tolist(), numbers.size]
    for first, last in pairwise(edges):
        yield int(numbers[order[first]]), order[first:last]


def _combined(parts: list[NDArray[np.intp]]) -> Any:
    """Return the index of positions along each dimension in all combinations: slices where they follow each other."""
    if all(part[-1] - part[0] + 1 == part.size and (np.diff(part) == 1).all() for part in parts):
        return tuple(slice(int(part[0]), int(part[-1]) + 1) for part in parts)
    return np.ix_(*parts)


def _at(positions: Positions, numbers: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return some of the positions selected along a dimension, by their numbers."""
    if isinstance(positions, range):
        return positions.start + positions.step * numbers
    return positions[numbers]


def _without_other_groups(lazy: LazyRows) -> LazyRows:
    """Return the same, without the groups before and behind all that is selected."""
    position = lazy.position
    rows = range(0) if position is None else lazy.selection[position]
    if position is None or not len(rows):
        return lazy
    ends = (rows[0], rows[-1]) if isinstance(rows, range) else (int(rows.min()), int(rows.max()))
    sources, before = lazy.sources.holding(range(min(ends), max(ends) + 1))
    if sources is lazy.sources:
        return lazy
    moved = rows - before if not isinstance(rows, range) else range(rows.start - before, rows.stop - before, rows.step)
    selection = (*lazy.selection[:position], moved, *lazy.selection[position + 1 :])
    return evolve(lazy, sources=sources, selection=selection)


def _chosen(positions: Positions, index: Index) -> Positions:
    if isinstance(index, slice):
        return positions[index]
    return np.asarray(positions, dtype=np.intp)[index]
