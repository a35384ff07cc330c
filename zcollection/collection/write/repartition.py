"""A collection partitioned in another way, in place, as one change: the rows of old partitions gathered into new ones."""

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
from zcollection.collection.write.resuming import digest, layout_digest, resumable, taken_over
from zcollection.contracts.partitioning import Key, Partitioning
from zcollection.engine.deliveries import Deliveries
from zcollection.engine.executor import worthwhile_threads
from zcollection.engine.executors import ClientOption, chosen
from zcollection.engine.jobs import Arrays, Executor, Job, ReadingSite, Site
from zcollection.engine.layout import as_stored, declared_values
from zcollection.engine.read import GroupRead, Outputs, reading
from zcollection.engine.select import Found, Runs, Side, filling
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
"""Rows, and old partitions, that are split together; one partition at least."""

_Old: TypeAlias = tuple[str, PartitionRecord, Place]
"""An old partition: its path, what it says of itself, and where it lies."""


async def repartition(
    opened: OpenCollection,
    partitioning: Partitioning | str,
    *,
    dry_run: bool,
    client: ClientOption,
    progress: ProgressOption,
) -> ReshapeReport:
    """Partition a collection in another way; see `Collection.repartition`."""
    executor = chosen(client, opened.store)
    target = repartitioned(opened, partitioning)
    if target.configuration.splits_as(opened.configuration):
        return _nothing_to_do(await opened.snapshot())
    work = _Repartition(opened, target, executor, progress)
    if dry_run:
        return await retrying(work.planned)
    opened.store.check_writable()
    return await retrying(work.attempt)


def _nothing_to_do(taken: Snapshot) -> ReshapeReport:
    count, size = len(taken.partitions), sum(taken.partitions.column("stored_bytes"))
    rows = sum(taken.partitions.column("rows"))
    return ReshapeReport(before=count, after=count, rows=rows, bytes_before=size, bytes_after=size)


@frozen(kw_only=True)
class Part:
    """Rows of an old partition that belong to a new one.

    Attributes
    ----------
    path, record, place
        The old partition.
    count
        How many rows.
    rows
        The first, and that after the last, where they follow each other; else a digest of which they are.
    span
        The smallest and largest axis value, where the axis rises from row to row; None where it does not.
    """

    path: str
    record: PartitionRecord
    place: Place
    count: int
    rows: tuple[int, int] | str
    span: tuple[Any, Any] | None

    @property
    def is_whole(self) -> bool:
        """Whether they are all rows of the partition."""
        return self.count == self.record.rows


@frozen(kw_only=True)
class NewPartition:
    """A partition that is to be made.

    Attributes
    ----------
    key, path
        Which.
    parts
        What it is made from, in the order of the old partitions' keys.
    """

    key: Key
    path: str
    parts: list[Part] = field(factory=list)

    @property
    def rows(self) -> int:
        """How many rows it will have."""
        return sum(part.count for part in self.parts)

    @property
    def is_in_order(self) -> bool:
        """Whether the axis rises from the first row of the first part to the last one of the last."""
        spans = [part.span for part in self.parts]
        return None not in spans and all(before[1] <= after[0] for before, after in pairwise(spans))  # type: ignore[index]

    def digest(self, layout: str) -> str:
        """Return what tells it from any other partition, and from itself made from anything else."""
        sources = [(part.path, part.record.stamp, part.rows) for part in self.parts]
        return digest("repartition", layout, dict(self.key), sources)


@frozen
class _Repartition:
    """What is to be done.

    Attributes
    ----------
    opened, target
        The collection as it is, and as it will be.
    executor, progress
        Where the work runs, and what its progress is reported to.
    """

    opened: OpenCollection
    target: OpenCollection
    executor: Executor
    progress: ProgressOption

    async def planned(self) -> ReshapeReport:
        """Return what would be done."""
        taken = await self.opened.snapshot()
        made = await self._plan(taken, ReadingSite(taken.objects), "")
        return self._report(taken, [(item.path, item.rows) for item in made], bytes_after=None)

    async def attempt(self) -> ReshapeReport:
        """Do it, as one change."""
        async with self.opened.begin("repartition") as transaction:
            with resumable(transaction):
                return await self._carried_out(transaction)

    async def _carried_out(self, transaction: Transaction) -> ReshapeReport:
        base = transaction.base
        for path in base.partitions:
            transaction.reads(path)
        transaction.watch(lambda _: True)
        transaction.growth = self.target.configuration
        # In a session new partitions take the place of old ones that others are still to be made from.
        is_session = base.commit is not None
        stage = transaction.stage
        site = OverlaidStage(stage=stage, base=base.objects) if is_session else stage
        made = await self._plan(base, site, BASE if is_session else "")
        staged, reused = await self._stage(transaction, site, made)
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
        """Return the partitions that are to be made, in the order of their keys; keys of old ones begin with a prefix."""
        splitting = _Splitting(self.target)
        old = [(path, record, base.place(path).below(prefix)) for path, record in base.partitions.items()]
        rows = sum(record.rows for _, record, _ in old) // max(len(old), 1)
        batches = _together(old)
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

    async def _stage(
        self, transaction: Transaction, site: Site, made: Sequence[NewPartition]
    ) -> tuple[list[StagedPartition], int]:
        """Stage the partitions, and return them and how many of them had been made before."""
        layout = layout_digest(self.target)
        places = await transaction.resumed({item.path: item.digest(layout) for item in made})
        gathering = _Gathering(self.target)
        rows = sum(item.rows for item in made) // max(len(made), 1)
        with tracking(self.progress, len(made), "repartition") as advance:
            staged = await self.executor.run(
                site,
                (Job(partial(gathering.staging, item, places.get(item.path))) for item in made),
                total=len(made),
                label="repartition",
                threads=worthwhile_threads(self.target.configuration.rows_schema, self.target.dimension, rows),
                progress=advance,
            )
        return [item for item, _ in staged], sum(is_reused for _, is_reused in staged)


@frozen
class _Splitting:
    """What is done to the old partitions, a few at once: their rows are told apart by the new partitioning.

    Attributes
    ----------
    target
        The collection as it will be.
    """

    target: OpenCollection

    @cached_property
    def schema(self) -> DatasetSchema:
        """What is read."""
        axis = self.target.axis_variable
        names = {*map(normalise_path, self.target.partitioning.variables), *([] if axis is None else [axis])}
        return self.target.schema.select(names)

    def parts(self, old: Sequence[_Old], site: Site, arrays: Arrays) -> Work[list[tuple[Key, str, Part]]]:
        """Return the parts of partitions, each with the key and the path of the new one that it belongs to."""
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
                    rows=_told(rows),
                    span=(0, 0) if values is None else _span(values),
                )
                found.append((item.key, item.path, part))
        return found

    def positions(self, part: Part, path: str) -> Work[NDArray[np.intp]]:
        """Return which rows of an old partition belong to a new one, where they do not follow each other."""
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
            if len(old) > 1:  # which of them is to be told
                for number, item in enumerate(old):
                    rows = {self.target.dimension: slice(edges[number], edges[number + 1])}
                    self._split(columns.isel(rows), [item], edges)
            message = (
                f"partition {old[0][0]!r} has a row that the new partitioning refuses: {error}; nothing was written"
            )
            raise PartitionError(message) from error


def _together(old: Iterable[_Old]) -> list[list[_Old]]:
    """Return old partitions in groups: what is done to each alone would cost more than what is done to its rows."""
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
    """Yield the rows of each old partition among some, given where each of them begins, and its number."""
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


def _told(rows: slice | NDArray[np.intp]) -> tuple[int, int] | str:
    if isinstance(rows, slice):
        return rows.start, rows.stop
    return hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()


def _span(axis: NDArray[Any]) -> tuple[Any, Any] | None:
    """Return the first and last of some values, if they rise and none of them is missing."""
    rises = axis.size > 0 and bool((axis[1:] >= axis[:-1]).all() and axis[0] == axis[0])
    return (axis[0], axis[-1]) if rises else None


@frozen
class _Gathering:
    """What is done for every new partition: its rows are read where they lie, and written as one group.

    Attributes
    ----------
    target
        The collection as it will be.
    """

    target: OpenCollection

    def staging(
        self, item: NewPartition, earlier: Place | None, site: Stage | OverlaidStage, arrays: Arrays
    ) -> Work[tuple[StagedPartition, bool]]:
        """Stage one partition, and return it and whether another attempt had made it."""
        del arrays
        stage = site.stage if isinstance(site, OverlaidStage) else site
        if earlier is not None:
            found = yield from taken_over(self.target, stage, item.path, earlier, key=dict(item.key), rows=item.rows)
            if found is not None:
                return found, True
        schema = self._schema(item)
        values, deliveries = yield from self._gathered(item, as_stored(schema))
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
        """Return the variables that some part holds; the partition is to lack the others."""
        schema = self.target.configuration.rows_schema
        held = frozenset[str]().union(*(partition_groups.variables_of(self.target, part.record) for part in item.parts))
        return schema.select(held & schema.all_variables().keys())

    def _axis(self, values: Mapping[str, NDArray[Any]], packed: frozenset[str]) -> NDArray[Any] | None:
        axis = self.target.axis_variable
        if axis is None or axis not in packed:
            return None
        return declared_values(values[axis], self.target.schema.get_variable(axis))

    def _gathered(
        self, item: NewPartition, schema: DatasetSchema
    ) -> Work[tuple[Mapping[str, NDArray[Any]], Deliveries]]:
        """Return the rows in the order of the axis, packed variables as they are stored, and when they were brought."""
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
                yield from filling(group, Side(schema=schema), rows, here, dimension=dimension)
            yield from partition_groups.checking_current(self.target, group, part.record)
        return outputs.arrays, (yield from self._deliveries(item, found, places))

    def _deliveries(
        self, item: NewPartition, found: Sequence[Found], places: NDArray[np.intp] | None
    ) -> Work[Deliveries]:
        """Return when the rows were brought, which move with their times."""
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

    def _found(self, item: NewPartition) -> Work[list[Found]]:
        """Return which rows each part is."""
        found = [
            Found.all(part.count) if isinstance(part.rows, str) else Found(Runs((part.rows,))) for part in item.parts
        ]
        for at, part in enumerate(item.parts):
            if isinstance(part.rows, str):
                found[at] = Found.at((yield from _Splitting(self.target).positions(part, item.path)))
        return found

    def _group(self, part: Part) -> GroupRead:
        group = partition_groups.group_of(self.target, part.path, part.record, part.place)
        return evolve(group, schema=as_stored(group.schema))

    def _places(self, item: NewPartition, found: Sequence[Found]) -> Work[NDArray[np.intp]]:
        """Return which row of the new partition each row of the parts becomes: that of its axis value, in a stable order."""
        axis = self.target.schema.select([self.target.axis_variable or ""])
        values: list[NDArray[Any]] = []
        for part, rows in zip(item.parts, found, strict=True):
            columns = Outputs.allocated(axis, self.target.dimension, rows.count)
            group = partition_groups.group_of(self.target, part.path, part.record, part.place)
            yield from filling(group, Side(schema=axis), rows, columns.arrays, dimension=self.target.dimension)
            values += columns.arrays.values()
        order = np.argsort(sortable(np.concatenate(values)), kind="stable")
        places = np.empty_like(order)
        places[order] = np.arange(order.size)
        return places


def _scattering(
    outputs: Outputs, group: GroupRead, schema: DatasetSchema, rows: Found, places: NDArray[np.intp]
) -> Work[None]:
    """Put rows of one old partition where each of them belongs."""
    some = Outputs.allocated(schema, outputs.dimension, rows.count)
    yield from filling(group, Side(schema=schema), rows, some.arrays, dimension=outputs.dimension)
    for path, values in some.arrays.items():
        before: tuple[Any, ...] = (slice(None),) * some.layouts[path].variable.dimensions.index(outputs.dimension)
        outputs.arrays[path][(*before, places)] = values
