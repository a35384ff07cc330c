"""Finds the rows that pass a condition, and reads the selected variables for these rows only.

There are three steps, each on the result of the previous one:

1. Read the statistics of the partitions. For every zone of rows they show whether no row, perhaps some rows, or all rows pass.
2. Read the condition's own variables, from the chunks that contain an undecided zone.
3. Read the selected variables, from the chunks that contain a row that passes.
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
    worth_buffering,
)
from zcollection.engine.statistics import ZONE, Form, Statistics, zones_in
from zcollection.engine.work import Work, fetch, perform, perform_one, stream
from zcollection.model.schema import DatasetSchema

Slab = tuple[int, int, int, Any]
"""A run of chunks: its number, the start and the stop of its rows among the selected rows, and their positions within it."""

_TOGETHER: Final = 64
"""Number of partitions whose statistics are read by one request."""
_DEFERRED: Final = 2**20
"""Largest total number of rows for which the condition is evaluated once for all partitions, instead of once per partition."""


@frozen(kw_only=True)
class VariableSource:
    """Some of the variables to read, and the store that contains them: that of a collection, or that of a view.

    Attributes
    ----------
    schema
        The variables, all of which are partitioned variables.
    objects
        The store; None for the store on which the work runs.
    """

    schema: DatasetSchema
    objects: Objects | None = None


@frozen(kw_only=True)
class Target:
    """A partition to search for rows.

    Attributes
    ----------
    rows
        The number of its rows.
    key
        Its partition key.
    groups
        Its group in each source.
    """

    rows: int
    key: Mapping[str, KeyValue]
    groups: tuple[GroupRead, ...]


@frozen
class Runs:
    """One or several runs of consecutive rows, in order.

    Attributes
    ----------
    pairs
        The first row of each run, and the row after its last.
    """

    pairs: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """The number of rows."""
        return sum(stop - start for start, stop in self.pairs)

    @property
    def positions(self) -> NDArray[np.intp]:
        """The row numbers within the partition."""
        return np.concatenate([np.empty(0, np.intp), *(np.arange(start, stop) for start, stop in self.pairs)])

    def at(self, numbers: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the rows with the given positions in the concatenated runs."""
        starts, stops = np.array(self.pairs).T
        before = np.cumsum(stops - starts)
        positions: NDArray[np.intp] = numbers + (stops - before)[np.searchsorted(before, numbers, side="right")]
        return positions

    def slabs(self, length: int) -> list[Slab]:
        """Return the runs of `length` rows that contain some of these rows."""
        found: list[Slab] = []
        before = 0
        for start, stop in self.pairs:
            for number in range(start // length, -(-stop // length)):
                first, last = max(number * length, start), min((number + 1) * length, stop)
                within: Any = slice(first - number * length, last - number * length)
                here = before + first - start
                if found and found[-1][0] == number:  # two runs of rows in one run of chunks, which is read once
                    within, here = np.r_[found[-1][3], within], found.pop()[1]
                found.append((number, here, before + last - start, within))
            before += stop - start
        return found


@frozen
class Scattered:
    """Rows that are not consecutive, in order.

    Attributes
    ----------
    positions
        The row numbers within the partition.
    """

    positions: NDArray[np.intp] = field(eq=False, repr=False)

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.positions.size

    def slabs(self, length: int) -> list[Slab]:
        """Return the runs of `length` rows that contain some of these rows."""
        numbers = self.positions // length
        edges = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist(), numbers.size]
        return [
            (number, first, last, self.positions[first:last] - number * length)
            for first, last in pairwise(edges)
            for number in (int(numbers[first]),)
        ]


@frozen(eq=False)
class SelectedRows:
    """Selected rows of one partition.

    Attributes
    ----------
    rows
        The rows.
    columns
        Their values for the variables that have already been read, by path.
    """

    rows: Runs | Scattered
    columns: Mapping[str, NDArray[Any]] = field(factory=dict, repr=False)

    @classmethod
    def at(cls, rows: NDArray[np.intp], columns: Mapping[str, NDArray[Any]] | None = None) -> "SelectedRows":
        """Return a selection of rows, given their numbers in order."""
        if not rows.size:
            return NO_ROWS
        if rows[-1] - rows[0] == rows.size - 1:
            return cls(Runs(((int(rows[0]), int(rows[-1]) + 1),)), columns or {})
        return cls(Scattered(rows), columns or {})

    @classmethod
    def all(cls, rows: int) -> "SelectedRows":
        """Return a selection of all rows of a partition."""
        return cls(Runs(((0, rows),)))

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.rows.count

    @property
    def positions(self) -> NDArray[np.intp]:
        """The row numbers within the partition."""
        return self.rows.positions


NO_ROWS: Final = SelectedRows(Runs(()))


class Finder(ABC):
    """Selects rows in partitions."""

    @abstractmethod
    async def find(
        self,
        objects: Objects,
        targets: Sequence[Target],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[SelectedRows]:
        """Return the selected rows of each partition, in the order of `targets`.

        Raises
        ------
        CorruptionError
            A chunk is missing or damaged.
        """

    @abstractmethod
    def finding(self, target: Target) -> Work[SelectedRows]:
        """Return the selected rows of one partition."""

    def only(self, target: Target) -> "Finder":
        """Return a finder for one partition, small enough to be sent to a worker; it need not work for other partitions."""
        del target  # a condition is the same for all partitions
        return self


@frozen
class KnownRows(Finder):
    """Rows that are already known.

    Attributes
    ----------
    rows
        The rows by the path of their partition.
    """

    rows: Mapping[str, SelectedRows]

    async def find(
        self,
        objects: Objects,
        targets: Sequence[Target],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[SelectedRows]:
        """Return the known rows of each partition; none for a partition without an entry."""
        del objects, executor, progress
        return [self._of(target) for target in targets]

    def finding(self, target: Target) -> Work[SelectedRows]:
        """Return the known rows of one partition."""
        return self._of(target)
        yield  # makes this a generator, as `Work` is; it requests nothing

    def only(self, target: Target) -> "KnownRows":
        """Return a finder with the rows of one partition only."""
        return KnownRows({target.groups[0].path: self._of(target)})

    def _of(self, target: Target) -> SelectedRows:
        return self.rows.get(target.groups[0].path, NO_ROWS)


@frozen(kw_only=True)
class ConditionFinder(Finder):
    """Finds the rows that pass a condition.

    Attributes
    ----------
    bound
        The condition.
    dimension
        The partitioned dimension.
    sources
        The variables of the condition, among others.
    """

    bound: Bound
    dimension: str
    sources: tuple[VariableSource, ...]

    async def find(
        self,
        objects: Objects,
        targets: Sequence[Target],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[SelectedRows]:
        """Return the rows of each partition that pass."""
        if not targets:
            return []
        threads = self._threads(targets)
        if not executor.is_local:
            jobs = (Job(partial(self._find_on_worker, target)) for target in targets)
            site = ReadingSite(objects)
            return await executor.run(site, jobs, total=len(targets), label="find", threads=threads, progress=progress)
        if objects.blocking is not None and threads == 1:
            return await perform_one(objects, self._finding_all(targets, progress))
        batches = [targets[first : first + _TOGETHER] for first in range(0, len(targets), _TOGETHER)]
        read = await perform(objects, map(self._statistics, batches), threads=1)
        verdicts = self._verdicts(targets, [known for batch in read for known in batch])
        room = self._deferrable_rows(targets)
        works = (self._searching(target, verdict, room) for target, verdict in zip(targets, verdicts, strict=True))
        searched = await perform(objects, works, threads=threads, progress=progress)
        return await in_thread(self._evaluated, searched)

    def finding(self, target: Target) -> Work[SelectedRows]:
        """Return the rows of one partition that pass."""
        (found,) = yield from self._finding_all([target], None)
        return found

    def _finding_all(self, targets: Sequence[Target], progress: Callable[[], None] | None) -> Work[list[SelectedRows]]:
        """Return the rows of each partition that pass, one partition after the other."""
        verdicts = self._verdicts(targets, (yield from self._statistics(targets)))
        searched, room = [], self._deferrable_rows(targets)
        for target, verdict in zip(targets, verdicts, strict=True):
            searched.append((yield from self._searching(target, verdict, room)))
            if progress is not None:
                progress()
        return self._evaluated(searched)

    def _deferrable_rows(self, targets: Sequence[Target]) -> int:
        """Return up to how many rows of one partition are evaluated together with those of other partitions."""
        return 0 if self.bound.fields else _DEFERRED // len(targets)

    def _find_on_worker(self, target: Target, site: Site, arrays: Arrays) -> Work[SelectedRows]:
        del site, arrays
        return (yield from self.finding(target))

    def _threads(self, targets: Sequence[Target]) -> int:
        rows = sum(target.rows for target in targets) // max(len(targets), 1)
        return max((worthwhile_threads(schema, self.dimension, rows) for schema in self._schemas), default=1)

    @cached_property
    def _schemas(self) -> tuple[DatasetSchema, ...]:
        """The variables that the condition reads from each source."""
        return tuple(
            source.schema.select(path for path in self.bound.variables if path in source.schema.all_variables())
            for source in self.sources
        )

    @cached_property
    def _paths(self) -> tuple[tuple[str, ...], ...]:
        """The paths of the variables that the condition reads from each source."""
        return tuple(tuple(schema.all_variables()) for schema in self._schemas)

    def _source(self, path: str) -> int:
        return next(at for at, paths in enumerate(self._paths) if path in paths)

    def _statistics(self, targets: Sequence[Target]) -> Work[list[tuple[Statistics | None, ...]]]:
        """Return the statistics of each partition in each source; None where they are not needed or do not exist."""
        needed = [bool(paths) for paths in self._paths]
        known: list[list[Statistics | None]] = [[None] * len(self.sources) for _ in targets]
        for at, source in enumerate(self.sources):
            groups = [target.groups[at] for target in targets]
            keys = [Form.of_group(group, dimension=self.dimension).key for group in groups]
            requested = [number for number, key in enumerate(keys) if needed[at] and key is not None]
            contents = yield from fetch(
                [Read(f"{groups[number].prefix}{keys[number]}") for number in requested], source.objects
            )
            for number, data in zip(requested, contents, strict=True):
                known[number][at] = Statistics.load(
                    data, groups[number], dimension=self.dimension, only=self._paths[at]
                )
        return [tuple(each) for each in known]

    def _verdicts(self, targets: Sequence[Target], known: Sequence[tuple[Statistics | None, ...]]) -> list[Verdicts]:
        """Return the verdict on each zone of each partition: never, perhaps or always."""
        counts = [-(-target.rows // ZONE) for target in targets]
        zones = {name: field_zones([target.key[name] for target in targets], counts) for name in self.bound.fields}
        for path in self.bound.variables:
            source = self._source(path)
            groups = (
                (target.groups[source], by_source[source]) for target, by_source in zip(targets, known, strict=True)
            )
            zones[path] = zones_in(groups, self.sources[source].schema.get_variable(path), path)
        stops = list(accumulate(counts))
        verdicts = self.bound.verdicts(zones, stops[-1] if stops else 0)
        return [verdicts[stop - count : stop] for stop, count in zip(stops, counts, strict=True)]

    def _searching(self, target: Target, verdict: Verdicts, room: int) -> "Work[SelectedRows | _Candidates]":
        """Return the rows of a partition that pass; at most `room` candidates are returned instead, to be evaluated later."""
        if not (verdict > NEVER).any():
            return NO_ROWS
        if (verdict == ALWAYS).all():
            return SelectedRows.all(target.rows)
        always = np.repeat(verdict == ALWAYS, ZONE)[: target.rows] if (verdict == ALWAYS).any() else None
        runs = self._runs(target, verdict)
        candidates = _Candidates(runs, (yield from self._columns(target, SelectedRows(runs))), always)
        if runs.count <= room:
            return candidates
        key = {name: target.key[name] for name in self.bound.fields}
        return candidates.passing(self.bound.mask({**candidates.columns, **key}, runs.count))

    def _evaluated(self, searched: "Sequence[SelectedRows | _Candidates]") -> list[SelectedRows]:
        """Return the rows that pass, with one mask for all candidates: evaluating many small masks would cost more."""
        candidates = [item for item in searched if isinstance(item, _Candidates)]
        if not candidates:
            return [item for item in searched if isinstance(item, SelectedRows)]
        columns = {path: np.concatenate([item.columns[path] for item in candidates]) for path in self.bound.variables}
        counts = [item.runs.count for item in candidates]
        mask = self.bound.mask(columns, sum(counts))
        masks = iter(np.split(mask, np.cumsum(counts)[:-1]))
        return [item if isinstance(item, SelectedRows) else item.passing(next(masks)) for item in searched]

    @staticmethod
    def _runs(target: Target, verdict: Verdicts) -> Runs:
        """Return the rows of the undecided zones, in which some rows may pass."""
        pairs: list[tuple[int, int]] = []
        for zone in np.flatnonzero(verdict == PERHAPS).tolist():
            start, stop = zone * ZONE, min((zone + 1) * ZONE, target.rows)
            first = pairs.pop()[0] if pairs and pairs[-1][1] == start else start
            pairs.append((first, stop))
        return Runs(tuple(pairs))

    def _columns(self, target: Target, found: SelectedRows) -> Work[dict[str, NDArray[Any]]]:
        """Return the values of the condition's variables for some rows of a partition."""
        columns: dict[str, NDArray[Any]] = {}
        for at, source in enumerate(self.sources):
            variables = {path: source.schema.get_variable(path) for path in self._paths[at]}
            outputs = {path: allocated((found.count,), variable.dtype) for path, variable in variables.items()}
            group = target.groups[at]
            yield from filling(group, source, found, outputs, dimension=self.dimension)
            if group.axis in outputs:
                check_within_limits(group, outputs[group.axis], variables[group.axis])
            columns |= outputs
        return columns


@frozen(eq=False)
class _Candidates:
    """Rows of a partition that may pass.

    Attributes
    ----------
    runs
        The rows.
    columns
        The values of the condition's variables for these rows, by path.
    always
        A mask of the rows of the partition in zones in which all rows pass; None if there are none.
    """

    runs: Runs
    columns: Mapping[str, NDArray[Any]]
    always: NDArray[np.bool_] | None

    def passing(self, mask: NDArray[np.bool_]) -> SelectedRows:
        """Return the rows that pass, given the mask over the candidates."""
        passed = np.flatnonzero(mask)
        rows = self.runs.at(passed)
        if self.always is None:
            return SelectedRows.at(rows, {path: values[passed] for path, values in self.columns.items()})
        every = self.always.copy()
        every[rows] = True
        return SelectedRows.at(np.flatnonzero(every))


def _has(group: GroupRead, path: str) -> bool:
    return path not in group.absent and path in group.schema.all_variables()


def _layout(group: GroupRead, path: str, dimension: str) -> ArrayLayout:
    return ArrayLayout.of(group.schema, path, dimension=dimension, rows=group.rows)


@frozen(kw_only=True)
class RowReader:
    """Reads variables for selected rows.

    Attributes
    ----------
    dimension
        The partitioned dimension.
    sources
        The variables to read.
    """

    dimension: str
    sources: tuple[VariableSource, ...]

    async def read(
        self,
        objects: Objects,
        targets: Sequence[Target],
        found: Sequence[SelectedRows],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[dict[str, NDArray[Any]]]:
        """Return the values for the selected rows of all partitions, concatenated: for each source, the arrays by variable path.

        Raises
        ------
        CorruptionError
            A chunk is missing or damaged.
        """
        rows = max((target.rows for target in targets), default=0)
        threads = max((worthwhile_threads(source.schema, self.dimension, rows) for source in self.sources), default=1)
        outputs = self._allocated(sum(item.count for item in found))
        starts = list(accumulate((item.count for item in found), initial=0))
        parts = list(zip(targets, found, strict=True))
        if executor.is_local:
            works = (self._filling(*part, outputs, start) for part, start in zip(parts, starts, strict=False))
            await perform(objects, works, threads=threads, progress=progress)
        else:
            jobs = (Job(partial(self._read_on_worker, *part)) for part in parts)
            site = ReadingSite(objects)
            results = await executor.run(
                site, jobs, total=len(parts), label="query", threads=threads, progress=progress
            )
            for arrays, item, start in zip(results, found, starts, strict=False):
                for output, by_path in zip(outputs, arrays, strict=True):
                    for path, values in by_path.items():
                        output.part(path, start, item.count)[...] = values
        return [dict(output.arrays) for output in outputs]

    def reading(self, target: Target, found: SelectedRows) -> Work[list[dict[str, NDArray[Any]]]]:
        """Return the values for the selected rows of one partition: for each source, the arrays by variable path."""
        outputs = self._allocated(found.count)
        yield from self._filling(target, found, outputs, 0)
        return [dict(output.arrays) for output in outputs]

    def _read_on_worker(
        self, target: Target, found: SelectedRows, site: Site, arrays: Arrays
    ) -> Work[list[dict[str, NDArray[Any]]]]:
        del site, arrays
        return (yield from self.reading(target, found))

    def _allocated(self, rows: int) -> list[Outputs]:
        return [Outputs.allocated(source.schema, self.dimension, rows) for source in self.sources]

    def _filling(self, target: Target, found: SelectedRows, outputs: Sequence[Outputs], start: int) -> Work[None]:
        if not found.count:
            return
        for group, source, output in zip(target.groups, self.sources, outputs, strict=True):
            parts = {path: output.part(path, start, found.count) for path in output.arrays}
            yield from filling(group, source, found, parts, dimension=self.dimension)


def filling(
    group: GroupRead,
    source: VariableSource,
    found: SelectedRows,
    outputs: Mapping[str, NDArray[Any]],
    *,
    dimension: str,
) -> Work[None]:
    """Read the selected rows of one group into output arrays, by variable path; absent variables get their fill value."""
    columns, slabs = [], {}
    for path, output in outputs.items():
        if path in found.columns:
            output[...] = found.columns[path]
        elif not _has(group, path):
            output[...] = ArrayLayout.of(source.schema, path, dimension=dimension, rows=group.rows).declared_fill[0]
        else:
            layout = _layout(group, path, dimension)
            position = layout.variable.dimensions.index(dimension)
            length = layout.chunks[position]
            if length not in slabs:
                slabs[length] = found.rows.slabs(length)
            columns.append(_Column(layout=layout, position=position, slabs=slabs[length], output=output))
    if not columns:
        return
    layouts = [column.layout for column in columns]
    yield from check_size(group, layouts)
    reads = [column.layout.chunk_read(group.prefix, key) for column in columns for key, _ in column.chunks]
    supply = yield from stream(reads, source.objects, buffered=worth_buffering(layouts))
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
        The index of the partitioned dimension among its dimensions.
    slabs
        The runs of chunks along that dimension that contain some of the rows.
    output
        The array that receives the values.
    """

    layout: ArrayLayout
    position: int
    slabs: Sequence[Slab]
    output: NDArray[Any]

    @cached_property
    def chunks(self) -> list[Chunk]:
        """The chunks, slab by slab, in the order in which they are decoded."""
        key = self.layout.chunk_key
        if self.output.ndim == 1:
            return [(key((slab,)), (slab,)) for slab, *_ in self.slabs]
        return [(key(index), index) for slab, *_ in self.slabs for index in self._indices(slab)]

    def _indices(self, slab: int) -> Iterator[tuple[int, ...]]:
        """Yield the indices of the chunks of a slab."""
        counts = (range(last + 1) for last in self.layout.last_chunk)
        return product(*((slab,) if at == self.position else numbers for at, numbers in enumerate(counts)))

    def decode(self, group: GroupRead, supply: Iterator[bytes | None]) -> None:
        """Decode the chunks: directly into the output where all of their rows are selected."""
        length, size = self.layout.chunks[self.position], self.layout.shape[self.position]
        before, buffer = (slice(None),) * self.position, None  # one buffer for all chunks that are selected in part
        each = len(self.chunks) // len(self.slabs)
        for number, (slab, first, last, within) in enumerate(self.slabs):
            chunks = self.chunks[number * each : (number + 1) * each]
            rows = min(length, size - slab * length)
            part = self.output[(*before, slice(first, last))]
            if last - first == rows:
                self._decode(group, chunks, supply, part)
                continue
            shape = (*part.shape[: self.position], rows, *part.shape[self.position + 1 :])
            if buffer is None or buffer.shape != shape:
                buffer = allocated(shape, part.dtype)
            self._decode(group, chunks, supply, buffer)
            part[...] = buffer[(*before, within)]

    def _decode(
        self, group: GroupRead, chunks: Sequence[Chunk], supply: Iterator[bytes | None], out: NDArray[Any]
    ) -> None:
        if out.ndim == 1:
            decode_chunk(group, self.layout, chunks[0], next(supply), out)
            return
        for chunk in chunks:
            index = chunk[1]
            slices = self.layout.chunk_slices(index)[: len(index)]
            part = (*slices[: self.position], slice(None), *slices[self.position + 1 :])
            decode_chunk(group, self.layout, chunk, next(supply), out[part])


def field_zones(values: Sequence[KeyValue], counts: Sequence[int] | int = 1) -> Zones:
    """Return the bounds of a key field in the zones of partitions: its exact value; unknown for strings."""
    repeated = np.repeat(np.asarray(values), counts)
    if repeated.dtype.kind not in "biu":
        return Zones.unknown()
    return Zones.exactly(repeated)
