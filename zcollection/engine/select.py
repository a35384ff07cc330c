"""Rows that pass a condition: found in the zones that may hold some, and only then read of all other variables.

Three steps, of which each reads what the one before has left: the statistics of partitions, which say of every zone of rows
whether none, perhaps some, or all of its rows pass; the columns of the condition, in the chunks that hold a zone with
perhaps; and of the variables wanted the chunks that hold a row which passes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import accumulate, pairwise, product
from typing import Any, Final

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.conditions.condition import Bound
from zcollection.conditions.zones import ALWAYS, NEVER, PERHAPS, Verdicts, Zones
from zcollection.contracts.objects import Objects, Read
from zcollection.contracts.partitioning import KeyValue
from zcollection.engine.executor import in_thread, worthwhile_threads
from zcollection.engine.jobs import Arrays, Executor, Job, ReadingSite, Site
from zcollection.engine.layout import ArrayLayout, Chunk
from zcollection.engine.read import (
    GroupRead,
    Outputs,
    allocated,
    check_size,
    check_within_limits,
    decode_chunk,
    worth_holding,
)
from zcollection.engine.statistics import ZONE, Form, Statistics, zones_in
from zcollection.engine.work import Work, fetch, perform, perform_one, stream
from zcollection.model.schema import DatasetSchema

Slab = tuple[int, int, int, Any]
"""The number of a run of chunks, between which of some rows those lie that it holds, and which they are within it."""

_TOGETHER: Final = 64
"""Partitions whose statistics one piece of work reads."""
_DEFERRED: Final = 2**20
"""Rows whose columns are kept, of all partitions together, to be decided at once."""


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


@frozen
class Runs:
    """Rows that follow each other, or several such runs of rows, in order.

    Attributes
    ----------
    pairs
        The first row of each run, and that after its last.
    """

    pairs: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """How many rows there are."""
        return sum(stop - start for start, stop in self.pairs)

    @property
    def positions(self) -> NDArray[np.intp]:
        """The rows."""
        return np.concatenate([np.empty(0, np.intp), *(np.arange(start, stop) for start, stop in self.pairs)])

    def at(self, numbers: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return which rows some of them are, by their numbers among all of the runs."""
        starts, stops = np.array(self.pairs).T
        before = np.cumsum(stops - starts)
        positions: NDArray[np.intp] = numbers + (stops - before)[np.searchsorted(before, numbers, side="right")]
        return positions

    def slabs(self, length: int) -> list[Slab]:
        """Return the runs of `length` rows that hold some of them."""
        found: list[Slab] = []
        before = 0
        for start, stop in self.pairs:
            for number in range(start // length, -(-stop // length)):
                first, last = max(number * length, start), min((number + 1) * length, stop)
                within: Any = slice(first - number * length, last - number * length)
                here = before + first - start
                if found and found[-1][0] == number:  # two runs in one: it is read once
                    within, here = np.r_[found[-1][3], within], found.pop()[1]
                found.append((number, here, before + last - start, within))
            before += stop - start
        return found


@frozen
class Scattered:
    """Rows that do not all follow each other, in order.

    Attributes
    ----------
    positions
        Which.
    """

    positions: NDArray[np.intp] = field(eq=False, repr=False)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.positions.size

    def slabs(self, length: int) -> list[Slab]:
        """Return the runs of `length` rows that hold some of them."""
        numbers = self.positions // length
        edges = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist(), numbers.size]
        return [
            (number, first, last, self.positions[first:last] - number * length)
            for first, last in pairwise(edges)
            for number in (int(numbers[first]),)
        ]


@frozen(eq=False)
class Found:
    """Rows of one partition.

    Attributes
    ----------
    rows
        Which.
    columns
        What was read of them already, by path.
    """

    rows: Runs | Scattered
    columns: Mapping[str, NDArray[Any]] = field(factory=dict, repr=False)

    @classmethod
    def at(cls, rows: NDArray[np.intp], columns: Mapping[str, NDArray[Any]] | None = None) -> "Found":
        """Return what was found at positions, in order."""
        if not rows.size:
            return NOTHING
        if rows[-1] - rows[0] == rows.size - 1:
            return cls(Runs(((int(rows[0]), int(rows[-1]) + 1),)), columns or {})
        return cls(Scattered(rows), columns or {})

    @classmethod
    def all(cls, rows: int) -> "Found":
        """Return all rows of a partition."""
        return cls(Runs(((0, rows),)))

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.rows.count

    @property
    def positions(self) -> NDArray[np.intp]:
        """Which, as positions."""
        return self.rows.positions


NOTHING: Final = Found(Runs(()))


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
        threads = self._threads(targets)
        if not executor.is_local:
            jobs = (Job(partial(self._finding_apart, target)) for target in targets)
            site = ReadingSite(objects)
            return await executor.run(site, jobs, total=len(targets), label="find", threads=threads, progress=progress)
        if objects.blocking is not None and threads == 1:
            return await perform_one(objects, self._finding_all(targets, progress))
        batches = [targets[first : first + _TOGETHER] for first in range(0, len(targets), _TOGETHER)]
        read = await perform(objects, map(self._statistics, batches), threads=1)
        verdicts = self._verdicts(targets, [known for batch in read for known in batch])
        room = self._room(targets)
        works = (self._looking(target, verdict, room) for target, verdict in zip(targets, verdicts, strict=True))
        looked = await perform(objects, works, threads=threads, progress=progress)
        return await in_thread(self._decided, looked)

    def finding(self, target: Target) -> Work[Found]:
        """Return the rows of one partition that pass."""
        (found,) = yield from self._finding_all([target], None)
        return found

    def _finding_all(self, targets: Sequence[Target], progress: Callable[[], None] | None) -> Work[list[Found]]:
        """Return the rows of partitions that pass, looked at one after the other."""
        verdicts = self._verdicts(targets, (yield from self._statistics(targets)))
        looked, room = [], self._room(targets)
        for target, verdict in zip(targets, verdicts, strict=True):
            looked.append((yield from self._looking(target, verdict, room)))
            if progress is not None:
                progress()
        return self._decided(looked)

    def _room(self, targets: Sequence[Target]) -> int:
        """Return how many rows of a partition may be decided together with those of others."""
        return 0 if self.bound.fields else _DEFERRED // len(targets)

    def _finding_apart(self, target: Target, site: Site, arrays: Arrays) -> Work[Found]:
        del site, arrays
        return (yield from self.finding(target))

    def _threads(self, targets: Sequence[Target]) -> int:
        rows = sum(target.rows for target in targets) // max(len(targets), 1)
        return max((worthwhile_threads(schema, self.dimension, rows) for schema in self._schemas), default=1)

    @cached_property
    def _schemas(self) -> tuple[DatasetSchema, ...]:
        """The variables that are read, of each side."""
        return tuple(
            side.schema.select(path for path in self.bound.variables if path in side.schema.all_variables())
            for side in self.sides
        )

    @cached_property
    def _paths(self) -> tuple[tuple[str, ...], ...]:
        """Their paths."""
        return tuple(tuple(schema.all_variables()) for schema in self._schemas)

    def _side(self, path: str) -> int:
        return next(at for at, paths in enumerate(self._paths) if path in paths)

    def _statistics(self, targets: Sequence[Target]) -> Work[list[tuple[Statistics | None, ...]]]:
        """Return the statistics of partitions, one for each side; None where none are needed, or there are none."""
        needed = [bool(paths) for paths in self._paths]
        known: list[list[Statistics | None]] = [[None] * len(self.sides) for _ in targets]
        for at, side in enumerate(self.sides):
            groups = [target.groups[at] for target in targets]
            keys = [Form.of_group(group, dimension=self.dimension).key for group in groups]
            asked = [number for number, key in enumerate(keys) if needed[at] and key is not None]
            contents = yield from fetch(
                [Read(f"{groups[number].prefix}{keys[number]}") for number in asked], side.objects
            )
            for number, data in zip(asked, contents, strict=True):
                known[number][at] = Statistics.load(
                    data, groups[number], dimension=self.dimension, only=self._paths[at]
                )
        return [tuple(each) for each in known]

    def _verdicts(self, targets: Sequence[Target], known: Sequence[tuple[Statistics | None, ...]]) -> list[Verdicts]:
        """Return what is said of each zone of each partition."""
        counts = [-(-target.rows // ZONE) for target in targets]
        zones = {name: field_zones([target.key[name] for target in targets], counts) for name in self.bound.fields}
        for path in self.bound.variables:
            side = self._side(path)
            groups = ((target.groups[side], of_each[side]) for target, of_each in zip(targets, known, strict=True))
            zones[path] = zones_in(groups, self.sides[side].schema.get_variable(path), path)
        stops = list(accumulate(counts))
        whole = self.bound.verdicts(zones, stops[-1] if stops else 0)
        return [whole[stop - count : stop] for stop, count in zip(stops, counts, strict=True)]

    def _looking(self, target: Target, verdict: Verdicts, room: int) -> "Work[Found | _Candidates]":
        """Return the rows of a partition that pass or, where there are few to look at, what is to be decided of them."""
        if not (verdict > NEVER).any():
            return NOTHING
        if (verdict == ALWAYS).all():
            return Found.all(target.rows)
        always = np.repeat(verdict == ALWAYS, ZONE)[: target.rows] if (verdict == ALWAYS).any() else None
        runs = self._runs(target, verdict)
        candidates = _Candidates(runs, (yield from self._columns(target, Found(runs))), always)
        if runs.count <= room:
            return candidates
        key = {name: target.key[name] for name in self.bound.fields}
        return candidates.passing(self.bound.mask({**candidates.columns, **key}, runs.count))

    def _decided(self, looked: "Sequence[Found | _Candidates]") -> list[Found]:
        """Return the rows that pass, those of all candidates decided at once: a mask costs as much for few rows as for many."""
        candidates = [item for item in looked if isinstance(item, _Candidates)]
        if not candidates:
            return [item for item in looked if isinstance(item, Found)]
        columns = {path: np.concatenate([item.columns[path] for item in candidates]) for path in self.bound.variables}
        counts = [item.runs.count for item in candidates]
        mask = self.bound.mask(columns, sum(counts))
        masks = iter(np.split(mask, np.cumsum(counts)[:-1]))
        return [item if isinstance(item, Found) else item.passing(next(masks)) for item in looked]

    @staticmethod
    def _runs(target: Target, verdict: Verdicts) -> Runs:
        """Return the zones in which some rows may pass."""
        pairs: list[tuple[int, int]] = []
        for zone in np.flatnonzero(verdict == PERHAPS).tolist():
            start, stop = zone * ZONE, min((zone + 1) * ZONE, target.rows)
            first = pairs.pop()[0] if pairs and pairs[-1][1] == start else start
            pairs.append((first, stop))
        return Runs(tuple(pairs))

    def _columns(self, target: Target, found: Found) -> Work[dict[str, NDArray[Any]]]:
        """Return the values that the condition reads, of some rows of a partition."""
        columns: dict[str, NDArray[Any]] = {}
        for at, side in enumerate(self.sides):
            variables = {path: side.schema.get_variable(path) for path in self._paths[at]}
            places = {path: allocated((found.count,), variable.dtype) for path, variable in variables.items()}
            group = target.groups[at]
            yield from filling(group, side, found, places, dimension=self.dimension)
            if group.axis in places:
                check_within_limits(group, places[group.axis], variables[group.axis])
            columns |= places
        return columns


@frozen(eq=False)
class _Candidates:
    """Rows of a partition that may pass.

    Attributes
    ----------
    runs
        Which.
    columns
        What the condition reads of them, by path.
    always
        Which rows of the whole partition pass in any case; None for none.
    """

    runs: Runs
    columns: Mapping[str, NDArray[Any]]
    always: NDArray[np.bool_] | None

    def passing(self, mask: NDArray[np.bool_]) -> Found:
        """Return the rows that pass, those of the candidates by a mask."""
        passed = np.flatnonzero(mask)
        rows = self.runs.at(passed)
        if self.always is None:
            return Found.at(rows, {path: values[passed] for path, values in self.columns.items()})
        whole = self.always.copy()
        whole[rows] = True
        return Found.at(np.flatnonzero(whole))


def _has(group: GroupRead, path: str) -> bool:
    return path not in group.absent and path in group.schema.all_variables()


def _layout(group: GroupRead, path: str, dimension: str) -> ArrayLayout:
    return ArrayLayout.of(group.schema, path, dimension=dimension, rows=group.rows)


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
    columns, slabs = [], {}
    for path, place in places.items():
        if path in found.columns:
            place[...] = found.columns[path]
        elif not _has(group, path):
            place[...] = ArrayLayout.of(side.schema, path, dimension=dimension, rows=group.rows).declared_fill[0]
        else:
            layout = _layout(group, path, dimension)
            position = layout.variable.dimensions.index(dimension)
            length = layout.chunks[position]
            if length not in slabs:
                slabs[length] = found.rows.slabs(length)
            columns.append(_Column(layout=layout, position=position, slabs=slabs[length], place=place))
    if not columns:
        return
    layouts = [column.layout for column in columns]
    yield from check_size(group, layouts)
    reads = [column.layout.chunk_read(group.prefix, key) for column in columns for key, _ in column.chunks]
    supply = yield from stream(reads, side.objects, held=worth_holding(layouts))
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
    slabs
        The runs of chunks along that dimension that hold some of the rows.
    place
        Where the values go.
    """

    layout: ArrayLayout
    position: int
    slabs: Sequence[Slab]
    place: NDArray[Any]

    @cached_property
    def chunks(self) -> list[Chunk]:
        """The chunks, slab by slab, in the order in which they are decoded."""
        key = self.layout.chunk_key
        if self.place.ndim == 1:
            return [(key((slab,)), (slab,)) for slab, *_ in self.slabs]
        return [(key(index), index) for slab, *_ in self.slabs for index in self._indices(slab)]

    def _indices(self, slab: int) -> Iterator[tuple[int, ...]]:
        """Yield the indices of the chunks of a slab."""
        others = (range(last + 1) for last in self.layout.last_chunk)
        return product(*((slab,) if at == self.position else numbers for at, numbers in enumerate(others)))

    def decode(self, group: GroupRead, supply: Iterator[bytes | None]) -> None:
        """Decode the chunks, each straight into its place where all of it is wanted."""
        length, size = self.layout.chunks[self.position], self.layout.shape[self.position]
        before, whole = (slice(None),) * self.position, None  # the same memory for all that is not wanted whole
        each = len(self.chunks) // len(self.slabs)
        for number, (slab, first, last, within) in enumerate(self.slabs):
            chunks = self.chunks[number * each : (number + 1) * each]
            rows = min(length, size - slab * length)
            place = self.place[(*before, slice(first, last))]
            if last - first == rows:
                self._decode(group, chunks, supply, place)
                continue
            shape = (*place.shape[: self.position], rows, *place.shape[self.position + 1 :])
            if whole is None or whole.shape != shape:
                whole = allocated(shape, place.dtype)
            self._decode(group, chunks, supply, whole)
            place[...] = whole[(*before, within)]

    def _decode(
        self, group: GroupRead, chunks: Sequence[Chunk], supply: Iterator[bytes | None], out: NDArray[Any]
    ) -> None:
        if out.ndim == 1:
            decode_chunk(group, self.layout, chunks[0], next(supply), out)
            return
        for chunk in chunks:
            index = chunk[1]
            others = self.layout.chunk_slices(index)[: len(index)]
            part = (*others[: self.position], slice(None), *others[self.position + 1 :])
            decode_chunk(group, self.layout, chunk, next(supply), out[part])


def field_zones(values: Sequence[KeyValue], counts: Sequence[int] | int = 1) -> Zones:
    """Return what is known of a field of the key in the zones of partitions: its value, unless that is a text."""
    repeated = np.repeat(np.asarray(values), counts)
    if repeated.dtype.kind not in "biu":
        return Zones.unknown()
    return Zones.exactly(repeated)
