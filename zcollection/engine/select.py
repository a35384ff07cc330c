"""Rows that pass a condition: found in the zones that may hold some, and only then read of all other variables.

Three steps, of which each reads what the one before has left: the statistics of partitions, which say of every zone of rows
whether none, perhaps some, or all of its rows pass; the columns of the condition, in the chunks that hold a zone with
perhaps; and of the variables wanted the chunks that hold a row which passes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, product
from typing import Any, Final

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.conditions.condition import Bound
from zcollection.conditions.zones import ALWAYS, NEVER, PERHAPS, Verdicts, Zones
from zcollection.contracts.partitioning import KeyValue
from zcollection.contracts.store import Objects, Read
from zcollection.engine.executor import worthwhile_threads
from zcollection.engine.jobs import Arrays, Executor, Job, ReadingSite, Site
from zcollection.engine.layout import ArrayLayout, stored_values
from zcollection.engine.read import GroupRead, Outputs, allocated, check_size, decode_chunk
from zcollection.engine.statistics import ZONE, Form, Statistics, zones_in
from zcollection.engine.work import Work, fetch, perform, stream
from zcollection.errors import CorruptionError
from zcollection.model.schema import DatasetSchema, VariableSchema

Positions = NDArray[np.intp] | slice
"""Rows of a partition, in order; a slice where they follow each other."""

_TOGETHER: Final = 64
"""Partitions whose statistics one piece of work reads."""
_HELD: Final = 4 * 2**20
"""Bytes of chunks that are worth reading at once."""


@frozen(kw_only=True)
class Side:
    """Where some of the variables lie: in the collection, or in a view of it.

    Attributes
    ----------
    schema
        The variables that can be read there, each along the partitioned dimension.
    objects
        Its store; None for that of whoever works.
    """

    schema: DatasetSchema
    objects: Objects | None = None


@frozen(kw_only=True)
class Target:
    """A partition in which rows are looked for.

    Attributes
    ----------
    rows
        Of it.
    key
        Its key.
    groups
        Where it lies on each side.
    """

    rows: int
    key: Mapping[str, KeyValue]
    groups: tuple[GroupRead, ...]


@frozen(eq=False, kw_only=True)
class Found:
    """Rows of one partition.

    Attributes
    ----------
    rows
        Which.
    count
        How many.
    columns
        What was read of them already, by path.
    """

    rows: Positions = field(repr=False)
    count: int
    columns: Mapping[str, NDArray[Any]] = field(factory=dict, repr=False)

    @classmethod
    def at(cls, rows: NDArray[np.intp], columns: Mapping[str, NDArray[Any]] | None = None) -> "Found":
        """Return what was found at positions, in order."""
        positions: Positions = rows
        if rows.size and rows[-1] - rows[0] == rows.size - 1:
            positions = slice(int(rows[0]), int(rows[-1]) + 1)
        return cls(rows=positions, count=rows.size, columns=columns or {})

    @classmethod
    def all(cls, rows: int) -> "Found":
        """Return all rows of a partition."""
        return cls(rows=slice(0, rows), count=rows)

    @property
    def positions(self) -> NDArray[np.intp]:
        """The rows as positions."""
        return np.arange(self.rows.start, self.rows.stop) if isinstance(self.rows, slice) else self.rows


NOTHING: Final = Found(rows=slice(0, 0), count=0)


class Finder(ABC):
    """Finds rows of partitions."""

    @abstractmethod
    async def found(
        self,
        objects: Objects,
        targets: Sequence[Target],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[Found]:
        """Return the rows of partitions, in order.

        Raises
        ------
        CorruptionError
            A chunk is missing, or is not what was written.
        """

    @abstractmethod
    def finding(self, target: Target) -> Work[Found]:
        """Return the rows of one partition."""

    def only(self, target: Target) -> "Finder":
        """Return what finds the rows of one partition, and perhaps no others: a small value."""
        del target  # a condition is the same for all
        return self


@frozen
class Listed(Finder):
    """Rows that were found before.

    Attributes
    ----------
    rows
        By the path of the partition.
    """

    rows: Mapping[str, Found]

    async def found(
        self,
        objects: Objects,
        targets: Sequence[Target],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[Found]:
        """Return the rows of partitions; those of others are none."""
        del objects, executor, progress
        return [self._of(target) for target in targets]

    def finding(self, target: Target) -> Work[Found]:
        """Return the rows of one partition."""
        return self._of(target)
        yield  # a piece of work, which asks for nothing

    def only(self, target: Target) -> "Listed":
        """Return the rows of one partition alone."""
        return Listed({target.groups[0].path: self._of(target)})

    def _of(self, target: Target) -> Found:
        return self.rows.get(target.groups[0].path, NOTHING)


@frozen(kw_only=True)
class Question(Finder):
    """A condition, and where the variables lie that it reads.

    Attributes
    ----------
    bound
        The condition.
    dimension
        The partitioned dimension.
    sides
        Where its variables lie.
    """

    bound: Bound
    dimension: str
    sides: tuple[Side, ...]

    async def found(
        self,
        objects: Objects,
        targets: Sequence[Target],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[Found]:
        """Return the rows of partitions that pass."""
        if not targets:
            return []
        if not executor.is_local:
            jobs = (Job(partial(self._finding_apart, target)) for target in targets)
            site = ReadingSite(objects)
            return await executor.run(
                site, jobs, total=len(targets), label="find", threads=self._threads(targets), progress=progress
            )
        batches = [targets[first : first + _TOGETHER] for first in range(0, len(targets), _TOGETHER)]
        read = await perform(objects, map(self._statistics, batches), threads=1)
        verdicts = self._verdicts(targets, [known for batch in read for known in batch])
        works = (self._finding(target, verdict) for target, verdict in zip(targets, verdicts, strict=True))
        return await perform(objects, works, threads=self._threads(targets), progress=progress)

    def finding(self, target: Target) -> Work[Found]:
        """Return the rows of one partition that pass."""
        (known,) = yield from self._statistics([target])
        (verdict,) = self._verdicts([target], [known])
        return (yield from self._finding(target, verdict))

    def _finding_apart(self, target: Target, site: Site, arrays: Arrays) -> Work[Found]:
        del site, arrays
        return (yield from self.finding(target))

    def _threads(self, targets: Sequence[Target]) -> int:
        rows = sum(target.rows for target in targets) // max(len(targets), 1)
        return max((worthwhile_threads(self._read(side), self.dimension, rows) for side in self.sides), default=1)

    def _read(self, side: Side) -> DatasetSchema:
        return side.schema.select(path for path in self.bound.variables if path in side.schema.all_variables())

    def _side(self, path: str) -> int:
        return next(at for at, side in enumerate(self.sides) if path in side.schema.all_variables())

    def _statistics(self, targets: Sequence[Target]) -> Work[list[tuple[Statistics | None, ...]]]:
        """Return the statistics of partitions, one for each side; None where none are needed, or there are none."""
        needed = [bool(self._read(side).all_variables()) for side in self.sides]
        known: list[list[Statistics | None]] = [[None] * len(self.sides) for _ in targets]
        for at, side in enumerate(self.sides):
            groups = [target.groups[at] for target in targets]
            keys = [Form.of_group(group, dimension=self.dimension).key for group in groups]
            asked = [number for number, key in enumerate(keys) if needed[at] and key is not None]
            contents = yield from fetch(
                [Read(f"{groups[number].prefix}{keys[number]}") for number in asked], side.objects
            )
            for number, data in zip(asked, contents, strict=True):
                known[number][at] = Statistics.load(data, groups[number], dimension=self.dimension)
        return [tuple(each) for each in known]

    def _verdicts(self, targets: Sequence[Target], known: Sequence[tuple[Statistics | None, ...]]) -> list[Verdicts]:
        """Return what is said of each zone of each partition."""
        counts = [-(-target.rows // ZONE) for target in targets]
        zones = {name: self._zones_of_field(targets, counts, name) for name in self.bound.fields}
        for path in self.bound.variables:
            side = self._side(path)
            groups = ((target.groups[side], of_each[side]) for target, of_each in zip(targets, known, strict=True))
            zones[path] = zones_in(groups, self.sides[side].schema.get_variable(path), path)
        stops = list(accumulate(counts))
        whole = self.bound.verdicts(zones, stops[-1] if stops else 0)
        return [whole[stop - count : stop] for stop, count in zip(stops, counts, strict=True)]

    @staticmethod
    def _zones_of_field(targets: Sequence[Target], counts: Sequence[int], name: str) -> Zones:
        return field_zones([target.key[name] for target in targets], counts)

    def _finding(self, target: Target, verdict: Verdicts) -> Work[Found]:
        """Return the rows of a partition that pass, from what its zones say."""
        if not (verdict > NEVER).any():
            return NOTHING
        if (verdict == ALWAYS).all():
            return Found.all(target.rows)
        runs = self._runs(target, verdict)
        rows = np.concatenate([np.arange(start, stop) for start, stop in runs])
        columns = yield from self._columns(target, Found.at(rows))
        key = {name: target.key[name] for name in self.bound.fields}
        passed = np.flatnonzero(self.bound.mask({**columns, **key}, rows.size))
        if (verdict == ALWAYS).any():
            whole = np.repeat(verdict == ALWAYS, ZONE)[: target.rows]
            whole[rows[passed]] = True
            return Found.at(np.flatnonzero(whole))
        return Found.at(rows[passed], {path: values[passed] for path, values in columns.items()})

    def _runs(self, target: Target, verdict: Verdicts) -> list[tuple[int, int]]:
        """Return the first row, and that after the last, of each run of chunks in which some rows may pass."""
        unit = max([ZONE, *(length for path in self.bound.variables if (length := self._chunk(target, path)))])
        first = np.flatnonzero(verdict == PERHAPS) * ZONE
        last = np.minimum(first + ZONE, target.rows) - 1
        numbers = np.unique(np.concatenate([first // unit, last // unit]))
        starts = np.flatnonzero(np.diff(numbers, prepend=-2) > 1)
        stops = np.append(starts[1:], numbers.size)
        return [
            (int(numbers[start]) * unit, min((int(numbers[stop - 1]) + 1) * unit, target.rows))
            for start, stop in zip(starts, stops, strict=True)
        ]

    def _chunk(self, target: Target, path: str) -> int:
        """Return the rows of a chunk of a column; 0 where the partition lacks it."""
        group = target.groups[self._side(path)]
        return _layout(group, path, self.dimension).chunks[0] if _has(group, path) else 0

    def _columns(self, target: Target, found: Found) -> Work[dict[str, NDArray[Any]]]:
        """Return the values that the condition reads, of some rows of a partition."""
        columns: dict[str, NDArray[Any]] = {}
        for at, side in enumerate(self.sides):
            paths = [path for path in self.bound.variables if self._side(path) == at]
            variables = {path: side.schema.get_variable(path) for path in paths}
            places = {path: allocated((found.count,), variable.dtype) for path, variable in variables.items()}
            group = target.groups[at]
            yield from filling(group, side, found, places, dimension=self.dimension)
            for path, values in places.items():
                _check_limits(group, path, values, variables[path])
            columns |= places
        return columns


def _has(group: GroupRead, path: str) -> bool:
    return path not in group.absent and path in group.schema.all_variables()


def _layout(group: GroupRead, path: str, dimension: str) -> ArrayLayout:
    return ArrayLayout.of(group.schema, path, dimension=dimension, rows=group.rows)


def _check_limits(group: GroupRead, path: str, values: NDArray[Any], variable: VariableSchema) -> None:
    """Check that values of the axis lie within the limits of the partition.

    Raises
    ------
    CorruptionError
        The rows of another partition lie in its place.
    """
    if path != group.axis or group.limits is None or values.dtype.kind not in "iufM" or not values.size:
        return
    limits = np.array([np.fmin.reduce(values), np.fmax.reduce(values)])
    if not np.equal(limits, limits).all():
        return
    low, high = sorted(stored_values(limits, variable).tolist())
    first, last = sorted(group.limits)
    if low < first or high > last:
        message = (
            f"partition {group.path!r} has values of {path!r} from {low} to {high}, and those that were committed go from {first} "
            f"to {last}: another partition, or another version of it, lies in its place; restore it, insert it again, or drop it"
        )
        raise CorruptionError(message)


@frozen(kw_only=True)
class Wanted:
    """Variables of rows that were found.

    Attributes
    ----------
    dimension
        The partitioned dimension.
    sides
        The variables, where they lie.
    """

    dimension: str
    sides: tuple[Side, ...]

    async def read(
        self,
        objects: Objects,
        targets: Sequence[Target],
        found: Sequence[Found],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[dict[str, NDArray[Any]]]:
        """Return the rows that were found in partitions, one after the other: for each side its variables, by path.

        Raises
        ------
        CorruptionError
            A chunk is missing, or is not what was written.
        """
        rows = max((target.rows for target in targets), default=0)
        threads = max((worthwhile_threads(side.schema, self.dimension, rows) for side in self.sides), default=1)
        outputs = self._allocated(sum(item.count for item in found))
        starts = list(accumulate((item.count for item in found), initial=0))
        parts = list(zip(targets, found, strict=True))
        if executor.is_local:
            works = (self._filling(*part, outputs, start) for part, start in zip(parts, starts, strict=False))
            await perform(objects, works, threads=threads, progress=progress)
        else:
            jobs = (Job(partial(self._apart, *part)) for part in parts)
            site = ReadingSite(objects)
            apart = await executor.run(site, jobs, total=len(parts), label="query", threads=threads, progress=progress)
            for arrays, item, start in zip(apart, found, starts, strict=False):
                for output, of_side in zip(outputs, arrays, strict=True):
                    for path, values in of_side.items():
                        output.part(path, start, item.count)[...] = values
        return [dict(output.arrays) for output in outputs]

    def reading(self, target: Target, found: Found) -> Work[list[dict[str, NDArray[Any]]]]:
        """Return the rows that were found in one partition: for each side its variables, by path."""
        outputs = self._allocated(found.count)
        yield from self._filling(target, found, outputs, 0)
        return [dict(output.arrays) for output in outputs]

    def _apart(self, target: Target, found: Found, site: Site, arrays: Arrays) -> Work[list[dict[str, NDArray[Any]]]]:
        del site, arrays
        return (yield from self.reading(target, found))

    def _allocated(self, rows: int) -> list[Outputs]:
        return [Outputs.allocated(side.schema, self.dimension, rows) for side in self.sides]

    def _filling(self, target: Target, found: Found, outputs: Sequence[Outputs], start: int) -> Work[None]:
        if not found.count:
            return
        for group, side, output in zip(target.groups, self.sides, outputs, strict=True):
            places = {path: output.part(path, start, found.count) for path in output.arrays}
            yield from filling(group, side, found, places, dimension=self.dimension)


def filling(
    group: GroupRead, side: Side, found: Found, places: Mapping[str, NDArray[Any]], *, dimension: str
) -> Work[None]:
    """Put rows that were found in one group in their places, by path of the variable; variables that it lacks are filled."""
    columns = []
    for path, place in places.items():
        if path in found.columns:
            place[...] = found.columns[path]
        elif not _has(group, path):
            place[...] = ArrayLayout.of(side.schema, path, dimension=dimension, rows=group.rows).declared_fill[0]
        else:
            columns.append(_Column.of(_layout(group, path, dimension), found, place, dimension))
    if not columns:
        return
    yield from check_size(group, [column.layout for column in columns])
    reads = [column.layout.chunk_read(group.prefix, key) for column in columns for key in column.keys]
    largest = max((column.layout.chunk_bytes for column in columns), default=1)
    supply = yield from stream(reads, side.objects, held=max(_HELD // largest, 1))
    for column in columns:
        column.decode(group, supply)


@frozen(eq=False, kw_only=True)
class _Column:
    """Rows of one variable of one group, to be read.

    Attributes
    ----------
    layout
        The array.
    position
        The place of the partitioned dimension among its dimensions.
    rows
        Which rows.
    slabs
        Numbers along that dimension of the chunks that hold some of them, and between which of the rows those lie.
    place
        Where the values go.
    """

    layout: ArrayLayout
    position: int
    rows: Positions
    slabs: Sequence[tuple[int, int, int]]
    place: NDArray[Any]

    @classmethod
    def of(cls, layout: ArrayLayout, found: Found, place: NDArray[Any], dimension: str) -> "_Column":
        position = layout.variable.dimensions.index(dimension)
        slabs = _slabs(found.rows, max(layout.chunks[position], 1))
        return cls(layout=layout, position=position, rows=found.rows, slabs=slabs, place=place)

    def _indices(self, slab: int) -> Iterator[tuple[int, ...]]:
        """Yield the indices of the chunks of a slab."""
        others = (range(last + 1) for last in self.layout.last_chunk)
        return product(*((slab,) if at == self.position else numbers for at, numbers in enumerate(others)))

    @property
    def keys(self) -> Iterator[str]:
        """Keys of the chunks, in the order in which they are decoded."""
        return (self.layout.chunk_key(index) for slab, _, _ in self.slabs for index in self._indices(slab))

    def decode(self, group: GroupRead, supply: Iterator[bytes | None]) -> None:
        """Decode the chunks, each straight into its place where all of it is wanted."""
        length, size = self.layout.chunks[self.position], self.layout.shape[self.position]
        for slab, first, last in self.slabs:
            rows = min((slab + 1) * length, size) - slab * length
            place = self.place[(*self._before, slice(first, last))]
            if last - first == rows:
                self._decode(group, slab, supply, place)
                continue
            whole = allocated((*place.shape[: self.position], rows, *place.shape[self.position + 1 :]), place.dtype)
            self._decode(group, slab, supply, whole)
            place[...] = whole[(*self._before, self._within(slab * length, first, last))]

    @property
    def _before(self) -> tuple[slice, ...]:
        return (slice(None),) * self.position

    def _within(self, start: int, first: int, last: int) -> Positions:
        """Return some of the rows, counted from a row."""
        if isinstance(self.rows, slice):
            return slice(self.rows.start + first - start, self.rows.start + last - start)
        return self.rows[first:last] - start

    def _decode(self, group: GroupRead, slab: int, supply: Iterator[bytes | None], out: NDArray[Any]) -> None:
        for index in self._indices(slab):
            others = self.layout.chunk_slices(index)[: len(index)]
            part = (*others[: self.position], slice(None), *others[self.position + 1 :])
            decode_chunk(group, self.layout, index, next(supply), out[part])


def _slabs(rows: Positions, length: int) -> list[tuple[int, int, int]]:
    """Return the numbers of the runs of `length` rows that hold some rows, and between which of the rows those lie."""
    if isinstance(rows, slice):
        numbers = range(rows.start // length, -(-rows.stop // length))
        return [
            (number, max(number * length, rows.start) - rows.start, min((number + 1) * length, rows.stop) - rows.start)
            for number in numbers
        ]
    of_each = rows // length
    starts = np.flatnonzero(np.diff(of_each, prepend=-1))
    stops = np.append(starts[1:], rows.size)
    return list(zip(of_each[starts].tolist(), starts.tolist(), stops.tolist(), strict=True))


def field_zones(values: Sequence[KeyValue], counts: Sequence[int] | int = 1) -> Zones:
    """Return what is known of a field of the key in the zones of partitions: its value, unless that is a text."""
    repeated = np.repeat(np.asarray(values), counts)
    if repeated.dtype.kind not in "biu":
        return Zones.unknown()
    return Zones.exactly(repeated)
