"""Repartitions a collection in place, as one change: moves the rows of old partitions into new ones."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import accumulate, pairwise
from typing import Any, Final, TypeAlias

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection.collection import partition_groups
from zcollection.collection.create import repartitioned
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.report import ReshapeReport
from zcollection.collection.split import PartitionRows, sortable, split
from zcollection.collection.write.insert import partition_write
from zcollection.collection.write.reshape import Reshape
from zcollection.collection.write.resuming import digest, layout_digest, reuse
from zcollection.contracts.partitioning import Key, Partitioning
from zcollection.engine.deliveries import Deliveries
from zcollection.engine.executor import worthwhile_threads
from zcollection.engine.executors import ClientOption, executor_for
from zcollection.engine.jobs import Arrays, Job, ReadingSite, Site
from zcollection.engine.layout import as_stored, declared_values
from zcollection.engine.read import GroupRead, Outputs, reading
from zcollection.engine.read_rows import VariableSource, filling
from zcollection.engine.selected_rows import Runs, SelectedRows
from zcollection.engine.statistics import reading_statistics
from zcollection.engine.work import Work
from zcollection.errors import PartitionError
from zcollection.model.dataset import Dataset
from zcollection.model.names import normalise_path
from zcollection.model.schema import DatasetSchema
from zcollection.model.variable import Indexer
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.change import Stage, StagedPartition, Transaction
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.overlay import BASE, OverlaidStage
from zcollection.transaction.places import Place
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot

_ROWS: Final = 2**16
_MOST: Final = 32
"""Largest numbers of rows and of old partitions that one job splits; at least one partition."""

_Old: TypeAlias = tuple[str, PartitionRecord, Place]
"""An old partition: its path, its record and its place."""


async def repartition(
    opened: OpenCollection,
    partitioning: Partitioning | str,
    *,
    dry_run: bool,
    client: ClientOption,
    progress: ProgressOption,
) -> ReshapeReport:
    """Repartition a collection; see `Collection.repartition`."""
    executor = executor_for(client, opened.store)
    target = repartitioned(opened, partitioning)
    if target.configuration.splits_as(opened.configuration):
        return _nothing_to_do(await opened.snapshot())
    work = _Repartition(opened, target, executor, progress)
    if dry_run:
        return await retrying(work.planned)
    opened.store.check_writable()
    return await retrying(work.attempt)


def _nothing_to_do(snapshot: Snapshot) -> ReshapeReport:
    count, size = len(snapshot.partitions), sum(snapshot.partitions.column("stored_bytes"))
    rows = sum(snapshot.partitions.column("rows"))
    return ReshapeReport(before=count, after=count, rows=rows, bytes_before=size, bytes_after=size)


@frozen(kw_only=True)
class Part:
    """Rows of an old partition that belong to a new one.

    Attributes
    ----------
    path, record, place
        The path, the record and the place of the old partition.
    count
        Number of rows.
    rows
        The first row and the row after the last, if the rows are consecutive; otherwise a digest of their positions.
    span
        The first and last axis value, if the axis never decreases from row to row; otherwise None. Constant if the axis
        is not a variable.
    """

    path: str
    record: PartitionRecord
    place: Place
    count: int
    rows: tuple[int, int] | str
    span: tuple[Any, Any] | None

    @property
    def is_whole(self) -> bool:
        """Whether the part contains all rows of the old partition."""
        return self.count == self.record.rows


@frozen(kw_only=True)
class NewPartition:
    """A new partition.

    Attributes
    ----------
    key, path
        The key and the path of the partition.
    parts
        The parts of old partitions whose rows it gets, in the order of the keys of the old partitions.
    """

    key: Key
    path: str
    parts: list[Part] = field(factory=list)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(part.count for part in self.parts)

    @property
    def is_in_order(self) -> bool:
        """Whether the parts, one after the other, are sorted by the axis."""
        spans = [part.span for part in self.parts]
        return None not in spans and all(before[1] <= after[0] for before, after in pairwise(spans))  # type: ignore[index]

    def digest(self, layout: str) -> str:
        """Return a digest of the partition and of all its inputs."""
        sources = [(part.path, part.record.stamp, part.rows) for part in self.parts]
        return digest("repartition", layout, dict(self.key), sources)


@frozen
class _Repartition(Reshape):
    """A repartitioning."""

    operation = "repartition"

    async def planned(self) -> ReshapeReport:
        """Return the report of a dry run."""
        snapshot = await self.opened.snapshot()
        made = await self._plan(snapshot, ReadingSite(snapshot.objects), "")
        return self._report(snapshot, [(item.path, item.rows) for item in made], bytes_after=None)

    async def _changed(self, transaction: Transaction) -> ReshapeReport:
        base = transaction.base
        for path in base.partitions:
            transaction.reads(path)
        transaction.watch(lambda _: True)
        transaction.reconfiguration = self.target.configuration
        # In the session of a transactional store, new partitions overwrite old ones that are still needed to make other new ones.
        is_session = base.commit is not None
        stage = transaction.stage
        site = OverlaidStage(stage=stage, base=base.objects) if is_session else stage
        made = await self._plan(base, site, BASE if is_session else "")
        by_path, layout, assembly = (
            {item.path: item for item in made},
            layout_digest(self.target),
            _Assembly(self.target),
        )
        staged, reused = await self._stage(
            transaction,
            site,
            {path: item.digest(layout) for path, item in by_path.items()},
            lambda path, earlier: Job(partial(assembly.staging, by_path[path], earlier)),
            rows=sum(item.rows for item in made),
        )
        for path in base.partitions:
            transaction.drop(path)
        transaction.add_all(staged)
        await transaction.commit()
        size = sum(item.record.stored_bytes for item in staged)
        report = self._report(base, [(item.path, item.record.rows) for item in staged], bytes_after=size)
        return evolve(report, reused=reused)

    def _report(self, base: Snapshot, made: Sequence[tuple[str, int]], *, bytes_after: int | None) -> ReshapeReport:
        written = tuple(path for path, _ in made)
        return ReshapeReport(
            before=len(base.partitions),
            after=len(made),
            rows=sum(rows for _, rows in made),
            written=written,
            dropped=tuple(sorted(set(base.partitions) - set(written))),
            bytes_before=sum(base.partitions.column("stored_bytes")),
            bytes_after=bytes_after,
        )

    async def _plan(self, base: Snapshot, site: Site, prefix: str) -> list[NewPartition]:
        """Return the new partitions, in the order of their keys; `prefix` precedes the places of old partitions."""
        splitting = _Splitting(self.target)
        old = [(path, record, base.place(path).below(prefix)) for path, record in base.partitions.items()]
        rows = sum(record.rows for _, record, _ in old) // max(len(old), 1)
        batches = _batches(old)
        with tracking(self.progress, len(batches), "plan") as advance:
            found = await self.executor.run(
                site,
                (Job(partial(splitting.parts, batch)) for batch in batches),
                total=len(batches),
                label="plan",
                threads=worthwhile_threads(splitting.schema, self.target.dimension, rows),
                progress=advance,
            )
        made: dict[str, NewPartition] = {}
        for key, path, part in (item for parts in found for item in parts):
            made.setdefault(path, NewPartition(key=key, path=path)).parts.append(part)
        return sorted(made.values(), key=lambda item: item.key)


@frozen
class _Splitting:
    """Splits the rows of old partitions, several at a time, by the new partitioning.

    Attributes
    ----------
    target
        The collection after the change.
    """

    target: OpenCollection

    @cached_property
    def schema(self) -> DatasetSchema:
        """The variables to read: the axis and those of the new partitioning."""
        axis = self.target.axis_variable
        names = {*map(normalise_path, self.target.partitioning.variables), *([] if axis is None else [axis])}
        return self.target.schema.select(names)

    def parts(self, old: Sequence[_Old], site: Site, arrays: Arrays) -> Work[list[tuple[Key, str, Part]]]:
        """Return the parts of old partitions, each with the key and the path of its new partition."""
        del site, arrays
        columns = yield from self._columns(old)
        edges = np.cumsum([0, *(record.rows for _, record, _ in old)])
        axis = None if self.target.axis_variable is None else columns.get_variable(self.target.axis_variable).to_numpy()
        found = []
        for item in self._split(columns, old, edges):
            for number, rows in _cut(item.rows, edges):
                path, record, place = old[number]
                values = None if axis is None else axis[edges[number] : edges[number + 1]][rows]
                part = Part(
                    path=path,
                    record=record,
                    place=place,
                    count=rows.stop - rows.start if isinstance(rows, slice) else rows.size,
                    rows=_identity(rows),
                    span=(0, 0) if values is None else _span(values),
                )
                found.append((item.key, item.path, part))
        return found

    def positions(self, part: Part, path: str) -> Work[NDArray[np.intp]]:
        """Return the positions of the rows of an old partition that belong to a new one, if they are not consecutive."""
        old = [(part.path, part.record, part.place)]
        columns = yield from self._columns(old)
        found = [item.rows for item in self._split(columns, old, np.array([0, part.record.rows])) if item.path == path]
        return np.asarray(found[0], dtype=np.intp)

    def _columns(self, old: Sequence[_Old]) -> Work[Dataset]:
        groups = [partition_groups.group_of(self.target, *item) for item in old]
        return partition_groups.dataset_of(
            self.schema, (yield from reading(groups, self.schema, dimension=self.target.dimension))
        )

    def _split(self, columns: Dataset, old: Sequence[_Old], edges: NDArray[np.intp]) -> list[PartitionRows]:
        try:
            return split(columns, self.target.partitioning, dimension=self.target.dimension)
        except PartitionError as error:
            if len(old) > 1:  # split each alone, so that the error names the partition
                for number, item in enumerate(old):
                    rows = {self.target.dimension: slice(edges[number], edges[number + 1])}
                    self._split(columns.isel(rows), [item], edges)
            message = f"partition {old[0][0]!r} has a row that the new partitioning does not accept: {error}; nothing was written"
            raise PartitionError(message) from error


def _batches(old: Iterable[_Old]) -> list[list[_Old]]:
    """Return old partitions in batches, because the overhead per partition exceeds the cost of splitting its rows."""
    found: list[list[_Old]] = []
    rows = _ROWS
    for item in old:
        rows += item[1].rows
        if rows > _ROWS or len(found[-1]) == _MOST:
            found.append([])
            rows = item[1].rows
        found[-1].append(item)
    return found


def _cut(rows: Indexer, edges: NDArray[np.intp]) -> Iterator[tuple[int, slice | NDArray[np.intp]]]:
    """Yield the number of each old partition and its rows among `rows`, given the first row of each old partition."""
    if isinstance(rows, slice):
        first, last = np.searchsorted(edges, [rows.start, rows.stop - 1], side="right") - 1
        for number in range(first, last + 1):
            start = int(edges[number])
            yield number, slice(max(rows.start - start, 0), min(rows.stop, int(edges[number + 1])) - start)
        return
    for number, (first, last) in enumerate(pairwise(np.searchsorted(rows, edges))):
        here = rows[first:last] - edges[number]
        if here.size:
            follow = here[-1] - here[0] == here.size - 1
            yield number, slice(int(here[0]), int(here[-1]) + 1) if follow else here


def _identity(rows: slice | NDArray[np.intp]) -> tuple[int, int] | str:
    if isinstance(rows, slice):
        return rows.start, rows.stop
    return hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()


def _span(axis: NDArray[Any]) -> tuple[Any, Any] | None:
    """Return the first and last value, if the values never decrease and none of them is missing."""
    rises = axis.size > 0 and bool((axis[1:] >= axis[:-1]).all() and axis[0] == axis[0])
    return (axis[0], axis[-1]) if rises else None


@frozen
class _Assembly:
    """Assembles the rows of a new partition from the old ones, and writes them as one group.

    Attributes
    ----------
    target
        The collection after the change.
    """

    target: OpenCollection

    def staging(
        self, item: NewPartition, earlier: Place | None, site: Stage | OverlaidStage, arrays: Arrays
    ) -> Work[tuple[StagedPartition, bool]]:
        """Stage one partition, and return it and whether it was reused from an earlier attempt."""
        del arrays
        stage = site.stage if isinstance(site, OverlaidStage) else site
        if earlier is not None:
            found = yield from reuse(self.target, stage, item.path, earlier, key=dict(item.key), rows=item.rows)
            if found is not None:
                return found, True
        schema = self._schema(item)
        values, deliveries = yield from self._assembled(item, as_stored(schema))
        declared = schema.all_variables()
        packed = frozenset(path for path in values if declared[path].packing is not None)
        group, record = partition_write(
            self.target,
            item.key,
            Dataset(as_stored(schema), values),
            rows=item.rows,
            axis=self._axis(values, packed),
        )
        return (yield from stage.writing(item.path, evolve(group, packed=packed, deliveries=deliveries), record)), False

    def _schema(self, item: NewPartition) -> DatasetSchema:
        """Return the variables that at least one part contains; the others are absent in the new partition."""
        schema = self.target.configuration.rows_schema
        stored = frozenset[str]().union(
            *(partition_groups.variables_of(self.target, part.record) for part in item.parts)
        )
        return schema.select(stored & schema.all_variables().keys())

    def _axis(self, values: Mapping[str, NDArray[Any]], packed: frozenset[str]) -> NDArray[Any] | None:
        axis = self.target.axis_variable
        if axis is None or axis not in packed:
            return None
        return declared_values(values[axis], self.target.schema.get_variable(axis))

    def _assembled(
        self, item: NewPartition, schema: DatasetSchema
    ) -> Work[tuple[Mapping[str, NDArray[Any]], Deliveries]]:
        """Return the rows in the order of the axis, packed variables as they are stored, and their insertion times."""
        dimension = self.target.dimension
        found = yield from self._found(item)
        places = None if item.is_in_order else (yield from self._places(item, found))
        outputs = Outputs.allocated(schema, dimension, item.rows)
        starts = accumulate((part.count for part in item.parts), initial=0)
        for part, rows, start in zip(item.parts, found, starts, strict=False):
            group = self._group(part)
            if places is not None:
                yield from _scattering(outputs, group, schema, rows, places[start : start + part.count])
            elif part.is_whole:
                yield from outputs.filling(group, start)
            else:
                here = {path: outputs.part(path, start, part.count) for path in outputs.arrays}
                yield from filling(group, VariableSource(schema=schema), rows, here, dimension=dimension)
            yield from partition_groups.checking_current(self.target, group, part.record)
        return outputs.arrays, (yield from self._deliveries(item, found, places))

    def _deliveries(
        self, item: NewPartition, found: Sequence[SelectedRows], places: NDArray[np.intp] | None
    ) -> Work[Deliveries]:
        """Return the insertion times of the rows, which are moved together with the rows."""
        times: list[NDArray[np.datetime64]] = []
        for part, rows in zip(item.parts, found, strict=True):
            group = partition_groups.group_of(self.target, part.path, part.record, part.place)
            known = yield from reading_statistics(group, dimension=self.target.dimension, only=())
            each = Deliveries.from_json(None if known is None else known.deliveries, rows=part.record.rows).each
            times.append(each if part.is_whole else each[rows.positions])
        joined = np.concatenate(times)
        if places is not None:
            joined[places] = joined.copy()
        return Deliveries.of(joined)

    def _found(self, item: NewPartition) -> Work[list[SelectedRows]]:
        """Return the rows of each part."""
        found = [
            SelectedRows.all(part.count) if isinstance(part.rows, str) else SelectedRows(Runs((part.rows,)))
            for part in item.parts
        ]
        for at, part in enumerate(item.parts):
            if isinstance(part.rows, str):
                found[at] = SelectedRows.at((yield from _Splitting(self.target).positions(part, item.path)))
        return found

    def _group(self, part: Part) -> GroupRead:
        group = partition_groups.group_of(self.target, part.path, part.record, part.place)
        return evolve(group, schema=as_stored(group.schema))

    def _places(self, item: NewPartition, found: Sequence[SelectedRows]) -> Work[NDArray[np.intp]]:
        """Return the position in the new partition of each row of the parts, in a stable order by axis value."""
        axis = self.target.schema.select([self.target.axis_variable or ""])
        values: list[NDArray[Any]] = []
        for part, rows in zip(item.parts, found, strict=True):
            columns = Outputs.allocated(axis, self.target.dimension, rows.count)
            group = partition_groups.group_of(self.target, part.path, part.record, part.place)
            yield from filling(
                group, VariableSource(schema=axis), rows, columns.arrays, dimension=self.target.dimension
            )
            values += columns.arrays.values()
        order = np.argsort(sortable(np.concatenate(values)), kind="stable")
        places = np.empty_like(order)
        places[order] = np.arange(order.size)
        return places


def _scattering(
    outputs: Outputs, group: GroupRead, schema: DatasetSchema, rows: SelectedRows, places: NDArray[np.intp]
) -> Work[None]:
    """Write the rows of one old partition to their positions in the new one."""
    some = Outputs.allocated(schema, outputs.dimension, rows.count)
    yield from filling(group, VariableSource(schema=schema), rows, some.arrays, dimension=outputs.dimension)
    for path, values in some.arrays.items():
        before: tuple[Any, ...] = (slice(None),) * some.layouts[path].variable.dimensions.index(outputs.dimension)
        outputs.arrays[path][(*before, places)] = values
