"""Lazy arrays: values are read when they are used, and only from the chunks that contain the selection."""

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
"""The positions selected along one dimension, in order."""
Index = slice | NDArray[Any]
Points = tuple[NDArray[np.intp], ...]
"""Positions of single values along each dimension, in arrays of one shape."""


@frozen(kw_only=True)
class Source:
    """A group to read from, and a check that it has not been replaced.

    Attributes
    ----------
    group
        The group.
    check
        Called with the group's document after a read; raises if the group has been replaced.
    kept
        Where the group is stored after it has been replaced; None if it is removed then.
    """

    group: GroupRead
    check: Callable[[bytes | None], None]
    kept: GroupRead | None = None


@frozen(eq=False)
class Sources:
    """Groups that are concatenated along a dimension.

    Attributes
    ----------
    groups
        The groups, in the order of the rows; the sequence may create each element on access.
    lengths
        The number of rows of each group.
    limits
        The smallest and largest stored axis value of each group; None if they are not known.
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
        """The row after the last row of each group.

        Raises
        ------
        CorruptionError
            There are more rows than an index can count: the catalog is damaged.
        """
        stops = list(accumulate(self.lengths))
        try:
            return np.array(stops, np.intp)
        except OverflowError as error:
            message = (
                f"the partitions have {stops[-1]} rows in the catalog, more than fit into any memory; call verify()"
            )
            raise CorruptionError(message) from error

    @property
    def rows(self) -> int:
        """The total number of rows."""
        return int(self.stops[-1]) if self.groups else 0

    def numbers(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the number of the group that contains each row."""
        return np.searchsorted(self.stops, rows, side="right")

    def start(self, number: int) -> int:
        """Return the first row of a group."""
        return int(self.stops[number]) - self.lengths[number]

    def covering(self, rows: range) -> tuple["Sources", int]:
        """Return the groups that contain a run of rows, and the number of rows before the first of these groups."""
        first, last = self.numbers(np.array([rows.start, rows.stop - 1])).tolist()
        if (first, last + 1) == (0, len(self.groups)):
            return self, 0
        part = slice(first, last + 1)
        return Sources(self.groups[part], self.lengths[part], self.limits[part]), self.start(first)


@frozen(kw_only=True, eq=False, repr=False)
class LazyRows(Printed):
    """A lazy array: one variable of several groups, concatenated along a dimension, with a selection.

    Slicing returns another lazy array; ``np.asarray`` reads the values. It can be pickled if its store can.

    Attributes
    ----------
    store
        The store of the groups.
    sources
        The groups, in the order of the rows.
    schema, path
        The variable.
    dimension
        The partitioned dimension; a variable without it has one group.
    selection
        The positions selected along each dimension.
    """

    store: Objects
    sources: Sources
    schema: DatasetSchema
    path: str
    dimension: str
    selection: tuple[Positions, ...]

    @classmethod
    def whole(cls, store: Objects, sources: Sources, schema: DatasetSchema, path: str, *, dimension: str) -> "LazyRows":
        """Return a lazy array of all rows of a variable."""
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
        """Return a lazy array of a part, selected by slices, positions or booleans along the first dimensions."""
        indices = index if isinstance(index, tuple) else (index,)
        selected = [_select(positions, part) for positions, part in zip(self.selection, indices, strict=False)]
        return _without_other_groups(evolve(self, selection=(*selected, *self.selection[len(indices) :])))

    @property
    def position(self) -> int | None:
        """The index of the partitioned dimension among those of the variable; None for an immutable variable."""
        dimensions = self.schema.get_variable(self.path).dimensions
        return dimensions.index(self.dimension) if self.dimension in dimensions else None

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: bool | None = None) -> NDArray[Any]:
        values = self.values()
        return values if dtype is None else np.asarray(values, dtype=dtype, copy=copy)

    def values(self, points: Points | None = None) -> NDArray[Any]:
        """Read the selection, on this thread if it is within one group; see `read` for the parameter."""
        return self.read_here(points) if len(self.sources.groups) == 1 else portal.run(self.read, points)

    def read_here(self, points: Points | None = None) -> NDArray[Any]:
        """Read the selection on this thread; see `read` for the parameter."""
        out = self._output(points)
        for _ in perform_here(self.store, self._works(out, points)):
            pass
        return out

    def _output(self, points: Points | None) -> NDArray[Any]:
        return allocated(self.shape if points is None else points[0].shape, self.dtype)

    async def read(self, points: Points | None = None) -> NDArray[Any]:
        """Read the selection.

        Parameters
        ----------
        points
            Single values within the selection, by their positions along each dimension; the result has the shape of
            these arrays. None to read the full selection.

        Raises
        ------
        CorruptionError
            A chunk is missing or damaged.
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
            request: _Request = _Block(tuple(_DimensionPositions.of(positions) for positions in self.selection), out)
        else:
            rows = tuple(_at(positions, at.ravel()) for positions, at in zip(self.selection, points, strict=True))
            request = _Scatter(rows, np.arange(points[0].size), out.reshape(-1))
        if self.position is None:
            yield self._filling(self.sources.groups[0], request)
            return
        for number, part in request.by_group(self.sources, self.position):
            yield self._filling(self.sources.groups[number], part)

    def _filling(self, source: Source, request: "_Request") -> Work[None]:
        """Read the requested values of one group into the output, even if the group has been moved meanwhile."""
        try:
            yield from self._filling_from(source, request)
        except (CorruptionError, OutdatedError) as error:
            if source.kept is None:
                raise
            try:
                yield from self._filling_from(Source(group=source.kept, check=source.check), request)
            except OutdatedError:
                raise error from None

    def _filling_from(self, source: Source, request: "_Request") -> Work[None]:
        group, document = source.group, source.group.document
        if self.path in group.absent or self.path not in group.schema.all_variables():
            (data,) = yield from fetch([Read(document)])
            source.check(data)
            layout = ArrayLayout.of(self.schema, self.path, dimension=self.dimension, rows=group.rows)
            request.fill(layout.declared_fill[0])
            return
        layout = ArrayLayout.of(group.schema, self.path, dimension=self.dimension, rows=group.rows)
        yield from check_size(group, [layout])
        pieces = request.pieces(layout.chunks)
        keys = [layout.chunk_key(index) for index, _, _ in pieces]
        chunks = yield from fetch([layout.chunk_read(group.prefix, key) for key in keys])
        # Checked after the read: if the group is still the expected generation, it was so during the read.
        (data,) = yield from fetch([Read(document)])
        source.check(data)
        for (index, positions, inside), chunk in zip(pieces, chunks, strict=True):
            single = layout.single(index)
            values = allocated(single.shape, single.variable.dtype)
            decode_array(group, single, iter([chunk]), values)
            request.out[positions] = values[inside]


_Piece = tuple[tuple[int, ...], Any, Any]
"""The index of a chunk, the positions of its requested values in the output, and their positions in the chunk."""


@frozen(eq=False)
class _DimensionPositions:
    """Positions along one dimension of an array, and their positions along that dimension of the output."""

    rows: NDArray[np.intp]
    targets: NDArray[np.intp]

    @classmethod
    def of(cls, positions: Positions) -> "_DimensionPositions":
        return cls(np.asarray(positions, dtype=np.intp), np.arange(len(positions)))

    def by_number(
        self, numbers: NDArray[np.intp], starts: Callable[[int], int]
    ) -> Iterator[tuple[int, "_DimensionPositions"]]:
        """Yield each distinct number with its positions, relative to the start that `starts` returns for the number."""
        for number, at in _grouped(numbers):
            yield number, _DimensionPositions(self.rows[at] - starts(number), self.targets[at])


@frozen(eq=False)
class _Block:
    """A request for all combinations of the positions selected along each dimension."""

    selected: tuple[_DimensionPositions, ...]
    out: NDArray[Any]

    def by_group(self, sources: Sources, position: int) -> Iterator[tuple[int, "_Block"]]:
        """Yield the number of each group that contains some of the values, and the request within that group."""
        along = self.selected[position]
        for number, part in along.by_number(sources.numbers(along.rows), sources.start):
            yield number, evolve(self, selected=(*self.selected[:position], part, *self.selected[position + 1 :]))

    def fill(self, value: Any) -> None:
        """Set all requested values to one value."""
        self.out[_combined([part.targets for part in self.selected])] = value

    def pieces(self, lengths: tuple[int, ...]) -> list[_Piece]:
        """Return the chunks that contain some of the values; `lengths` is the shape of a chunk."""
        along = [
            [*part.by_number(part.rows // length, length.__mul__)]
            for part, length in zip(self.selected, lengths, strict=True)
        ]
        return [
            (
                tuple(number for number, _ in each),
                _combined([part.targets for _, part in each]),
                _combined([part.rows for _, part in each]),
            )
            for each in product(*along)
        ]


@frozen(eq=False)
class _Scatter:
    """A request for single values: their positions along each dimension, and in a one-dimensional output."""

    rows: Points
    targets: NDArray[np.intp]
    out: NDArray[Any]

    def by_group(self, sources: Sources, position: int) -> Iterator[tuple[int, "_Scatter"]]:
        """Yield the number of each group that contains some of the values, and the request within that group."""
        for number, at in _grouped(sources.numbers(self.rows[position])):
            rows = [along[at] for along in self.rows]
            rows[position] -= sources.start(number)
            yield number, _Scatter(tuple(rows), self.targets[at], self.out)

    def fill(self, value: Any) -> None:
        """Set all requested values to one value."""
        self.out[self.targets] = value

    def pieces(self, lengths: tuple[int, ...]) -> list[_Piece]:
        """Return the chunks that contain some of the values; `lengths` is the shape of a chunk."""
        numbers = np.stack([along // length for along, length in zip(self.rows, lengths, strict=True)])
        chunks, inverse = np.unique(numbers, axis=1, return_inverse=True)
        pieces: list[_Piece] = []
        for number, at in _grouped(inverse.reshape(-1)):
            index = chunks[:, number].tolist()
            inside = [
                along[at] - first * length for along, first, length in zip(self.rows, index, lengths, strict=True)
            ]
            pieces.append((tuple(index), self.targets[at], tuple(inside)))
        return pieces


_Request = _Block | _Scatter


def _grouped(numbers: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each distinct number, and the positions at which it occurs."""
    order = np.argsort(numbers, kind="stable")
    edges = [0, *(np.flatnonzero(np.diff(numbers[order])) + 1).tolist(), numbers.size]
    for first, last in pairwise(edges):
        yield int(numbers[order[first]]), order[first:last]


def _combined(parts: list[NDArray[np.intp]]) -> Any:
    """Return an index for all combinations of positions along each dimension: slices if all are consecutive."""
    if all(part[-1] - part[0] + 1 == part.size and (np.diff(part) == 1).all() for part in parts):
        return tuple(slice(int(part[0]), int(part[-1]) + 1) for part in parts)
    return np.ix_(*parts)


def _at(positions: Positions, numbers: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the elements of a selection along one dimension with the given numbers."""
    if isinstance(positions, range):
        return positions.start + positions.step * numbers
    return positions[numbers]


def _without_other_groups(lazy: LazyRows) -> LazyRows:
    """Return a lazy array with the same selection, without the groups before and after it."""
    position = lazy.position
    rows = range(0) if position is None else lazy.selection[position]
    if position is None or not len(rows):
        return lazy
    ends = (rows[0], rows[-1]) if isinstance(rows, range) else (int(rows.min()), int(rows.max()))
    sources, before = lazy.sources.covering(range(min(ends), max(ends) + 1))
    if sources is lazy.sources:
        return lazy
    shifted = (
        rows - before if not isinstance(rows, range) else range(rows.start - before, rows.stop - before, rows.step)
    )
    selection = (*lazy.selection[:position], shifted, *lazy.selection[position + 1 :])
    return evolve(lazy, sources=sources, selection=selection)


def _select(positions: Positions, index: Index) -> Positions:
    if isinstance(index, slice):
        return positions[index]
    return np.asarray(positions, dtype=np.intp)[index]
