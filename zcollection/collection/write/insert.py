"""Inserts rows: splits them by partition, merges them with existing rows, stages the partitions, and commits them."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection.collection import partition_groups
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.report import InsertReport, PartitionReport
from zcollection.collection.split import PartitionRows, split
from zcollection.collection.write.merging import Merge, Merged, as_strategy, merging
from zcollection.collection.write.prepare import InsertOptions, Missing, PreparedDataset, prepare
from zcollection.contracts.merge import MergeStrategy
from zcollection.contracts.objects import Read
from zcollection.contracts.partitioning import Key
from zcollection.engine.dask_arrays import Blocks
from zcollection.engine.executor import in_thread, worthwhile_threads
from zcollection.engine.executors import ClientOption, executor_for
from zcollection.engine.jobs import Arrays, Executor, Job, ReadingSite, Site
from zcollection.engine.layout import stored_values
from zcollection.engine.work import Work, caching_reads, perform
from zcollection.engine.write import GROUP_DOCUMENT, GroupWrite
from zcollection.errors import (
    CollectionExistsError,
    ConflictError,
    CorruptionError,
    SchemaError,
    SettingError,
    accepted,
)
from zcollection.model.dataset import Dataset
from zcollection.model.dtypes import same_values
from zcollection.model.names import normalise_path
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.change import Stage, StagedPartition, Transaction
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot

R = TypeVar("R")
Immutable = Literal["check", "replace"]


async def insert(
    opened: OpenCollection,
    given: object,
    *,
    merge: Merge,
    overwrite: bool,
    immutable: Immutable,
    options: InsertOptions,
    source: str | None,
    client: ClientOption,
    progress: ProgressOption,
) -> InsertReport:
    """Insert rows; see `Collection.insert`."""
    opened.store.check_writable()
    if immutable not in {"check", "replace"}:
        message = f"immutable={immutable!r}; {accepted(immutable, ['check', 'replace'])}"
        raise SettingError(message)
    executor = executor_for(client, opened.store)
    insertion = await _Insertion.prepare(opened, given, merge, options, executor)
    prepared = insertion.prepared

    async def attempt() -> InsertReport:
        async with opened.begin("insert", source=source, candidates=insertion.paths) as transaction:
            if source is not None and source in await opened.versioning.sources():
                return InsertReport()
            _check_overwrite(insertion, transaction, overwrite=overwrite)
            if prepared.added:
                transaction.reconfiguration = prepared.opened.configuration
            works = await _immutable_work(prepared.opened, transaction, insertion.dataset, immutable)
            with tracking(progress, len(insertion.parts), "insert") as advance:
                reports = await insertion.stage(transaction, advance)
            transaction.add_all(await perform(transaction.stage.objects, works, threads=1))
            await transaction.commit()
            return insertion.report(reports)

    return await retrying(attempt)


async def plan(
    opened: OpenCollection, given: object, *, merge: Merge, options: InsertOptions, client: ClientOption
) -> InsertReport:
    """Return the report of an insert without writing; see `Collection.plan`."""
    executor = executor_for(client, opened.store)
    insertion = await _Insertion.prepare(opened, given, merge, options, executor)
    snapshot = await opened.snapshot(insertion.paths)
    jobs = insertion.jobs(snapshot, _PartitionInsert.planning)
    site = ReadingSite(snapshot.objects)
    return insertion.report(
        await executor.run(site, jobs, total=len(insertion.parts), label="plan", threads=insertion.threads)
    )


@frozen(kw_only=True)
class _Insertion:
    """An insert after all checks that need no stored data.

    Attributes
    ----------
    prepared
        The dataset, checked against the schema, and the collection with its new variables.
    strategy
        The merge strategy.
    missing
        What to do with variables that existing rows have and inserted rows lack.
    dataset
        The inserted rows, and possibly immutable variables.
    rows
        The partitioned variables of the dataset.
    parts
        The rows of each partition.
    executor
        The executor that merges and writes the partitions.
    """

    prepared: PreparedDataset
    strategy: MergeStrategy
    missing: Missing
    dataset: Dataset
    rows: Dataset
    parts: list[PartitionRows]
    executor: Executor

    @classmethod
    async def prepare(
        cls, opened: OpenCollection, given: object, merge: Merge, options: InsertOptions, executor: Executor
    ) -> "_Insertion":
        strategy = as_strategy(merge)
        prepared = await in_thread(prepare, given, opened, options)
        opened = prepared.opened
        dataset = await _with_columns(opened, prepared.dataset, executor)
        partitioned = {
            path: item for path, item in dataset.all_variables().items() if opened.dimension in item.dimensions
        }
        return cls(
            prepared=prepared,
            strategy=strategy,
            missing=options.missing,
            dataset=dataset,
            rows=Dataset(opened.configuration.rows_schema, partitioned),
            parts=await in_thread(split, dataset, opened.partitioning, dimension=opened.dimension),
            executor=executor,
        )

    @property
    def opened(self) -> OpenCollection:
        """The collection, with its new variables."""
        return self.prepared.opened

    def report(self, partitions: Iterable[PartitionReport]) -> InsertReport:
        """Return the report of the insert."""
        return InsertReport(tuple(partitions), ignored=dict(self.prepared.ignored), variables_added=self.prepared.added)

    @property
    def paths(self) -> list[str]:
        """Paths of the partitions that receive rows."""
        return [part.path for part in self.parts]

    @property
    def threads(self) -> int:
        """Number of threads worth using."""
        rows = self.rows.sizes.get(self.opened.dimension, 0) // max(len(self.parts), 1)
        return worthwhile_threads(self.opened.configuration.rows_schema, self.opened.dimension, rows)

    async def stage(self, transaction: Transaction, advance: Callable[[], None] | None) -> list[PartitionReport]:
        """Stage every partition with its merged rows; a partition without rows is dropped."""
        if self.strategy.reads_existing:
            for path in self.paths:
                transaction.reads(path)
        await transaction.expect(self.paths)
        base, jobs = transaction.base, self.jobs(transaction.base, _PartitionInsert.staging)
        outcomes = await self.executor.run(
            transaction.stage, jobs, total=len(self.parts), label="insert", threads=self.threads, progress=advance
        )
        for report, staged in outcomes:
            if staged is not None:
                transaction.add(staged)
            elif base.record(report.path) is not None:
                transaction.drop(report.path)
        return [report for report, _ in outcomes]

    def jobs(self, base: Snapshot, function: Callable[..., Work[R]]) -> Iterator[Job[Any, R]]:
        """Yield a job for each partition, with the rows of that partition."""
        dimension = self.opened.dimension
        partitioned = self.rows.all_variables()
        blocks = Blocks.of_all({path: item.data for path, item in partitioned.items()})
        before = {path: (slice(None),) * item.dimensions.index(dimension) for path, item in partitioned.items()}
        for part in self.parts:
            arrays = {
                path: blocks[path].rows(len(before[path]), part.rows)
                if path in blocks
                else item.data[(*before[path], part.rows)]
                for path, item in partitioned.items()
            }
            own = _PartitionInsert(
                self.opened,
                self.strategy,
                self.missing,
                PartitionRows(key=part.key, path=part.path, rows=slice(0, part.count)),
                base.record(part.path),
            )
            yield Job(partial(function, own), arrays)


async def _with_columns(opened: OpenCollection, dataset: Dataset, executor: Executor) -> Dataset:
    """Return a dataset whose axis, partitioning variables and immutable variables are computed."""
    needed = {normalise_path(name) for name in opened.partitioning.variables} | {opened.axis_variable}
    arrays = {
        path: item.data
        for path, item in dataset.all_variables().items()
        if path in needed or opened.dimension not in item.dimensions
    }
    computed = await executor.compute(arrays)
    changed = {path: values for path, values in computed.items() if values is not arrays[path]}
    if not changed:
        return dataset
    return await in_thread(Dataset, dataset.schema, {**dataset.all_variables(), **changed})


@frozen
class _PartitionInsert:
    """The insert of rows into one partition.

    Attributes
    ----------
    opened, strategy, missing
        The collection, the merge strategy, and what to do with missing variables.
    part
        The partition, to which all given rows belong.
    record
        The record of the existing partition; None if it is new.
    """

    opened: OpenCollection
    strategy: MergeStrategy
    missing: Missing
    part: PartitionRows
    record: PartitionRecord | None

    def planning(self, site: Site, arrays: Arrays) -> Work[PartitionReport]:
        """Return the report of the merge."""
        del site
        return (yield from self._merging(arrays)).report

    def staging(self, stage: Stage, arrays: Arrays) -> Work[tuple[PartitionReport, StagedPartition | None]]:
        """Stage the partition, unless it has no rows after the merge; its statistics and each chunk of its axis are read once, to merge and to write."""
        return (yield from caching_reads(self._staging(stage, arrays), _is_lasting))

    def _staging(self, stage: Stage, arrays: Arrays) -> Work[tuple[PartitionReport, StagedPartition | None]]:
        merged = yield from self._merging(arrays)
        if not merged.report.rows:
            return merged.report, None
        return merged.report, (yield from stage.writing(self.part.path, *self._write(merged)))

    def _merging(self, arrays: Arrays) -> Work[Merged]:
        inserted = Dataset(self.opened.configuration.rows_schema, arrays)
        return (yield from merging(self.opened, self.strategy, self.part, inserted, self.record, missing=self.missing))

    def _write(self, merged: Merged) -> tuple[GroupWrite, PartitionRecord]:
        opened = self.opened
        group, record = partition_write(opened, self.part.key, merged.dataset, rows=merged.report.rows)
        group = evolve(group, brings_rows=merged.are_inserted)
        if merged.source is None:
            return group, record
        base = partition_groups.group_of(opened, self.part.path, self.record)
        group = evolve(group, base=base, source=merged.source, axis_values=merged.axis)
        return group, evolve(record, axis_range=axis_range(opened, merged.axis))


def _is_lasting(key: str) -> bool:
    """Return whether an object of a partition may be cached; documents are always read again, to check the generation after a read."""
    return not key.endswith(GROUP_DOCUMENT)


def _check_overwrite(insertion: _Insertion, transaction: Transaction, *, overwrite: bool) -> None:
    if overwrite:
        return
    for path in insertion.paths:
        transaction.reads(path)
    existing = [path for path in insertion.paths if transaction.base.record(path) is not None]
    if existing:
        message = (
            f"{len(existing)} of {len(insertion.parts)} partitions exist in {insertion.opened.store.url}, {existing[0]!r} "
            f"among them, and overwrite is False; nothing was written: pass overwrite=True, or drop them first"
        )
        raise CollectionExistsError(message)


def partition_write(
    opened: OpenCollection,
    key: Key,
    dataset: Dataset,
    *,
    rows: int,
    kept: frozenset[str] = frozenset(),
    axis: NDArray[Any] | None = None,
) -> tuple[GroupWrite, PartitionRecord]:
    """Return the group to write for a partition, and its record; `axis` replaces the axis of the dataset."""
    schema = opened.configuration.rows_schema
    absent = schema.all_variables().keys() - dataset.all_variables().keys() - kept
    group = GroupWrite(
        schema=schema,
        dimension=opened.dimension,
        rows=rows,
        dataset=dataset,
        kept=kept,
        attributes=lambda _: opened.schema.attrs,
        axis=opened.axis_variable,
    )
    record = PartitionRecord(
        key=dict(key),
        rows=rows,
        stamp="",
        layout=len(opened.configuration.layouts) - 1,
        absent=tuple(sorted(absent)),
        axis_range=axis_range(opened, _axis_values(opened, dataset) if axis is None else axis),
    )
    return group, record


def _axis_values(opened: OpenCollection, dataset: Dataset) -> NDArray[Any] | None:
    variable = dataset.all_variables().get(opened.axis_variable or "")
    return None if variable is None else variable.to_numpy()


def axis_range(opened: OpenCollection, values: NDArray[Any] | None) -> tuple[int | float | str, ...] | None:
    """Return the smallest and largest axis value that is not missing, as stored values; None if one of them is infinite."""
    if values is None or opened.axis_variable is None:
        return None
    if values.size == 0 or values.dtype.kind in "cbS":
        return None
    low, high = values.min(), values.max()
    if low != low:  # noqa: PLR0124 - NaN and NaT differ from themselves, and propagate through min() and max()
        return axis_range(opened, values[values == values])  # noqa: PLR0124
    if values.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        return None
    limits = np.array([low, high], dtype=values.dtype)
    return tuple(stored_values(limits, opened.schema.get_variable(opened.axis_variable)).tolist())


async def _immutable_work(
    opened: OpenCollection, transaction: Transaction, dataset: Dataset, immutable: Immutable
) -> list[Work[StagedPartition]]:
    """Return the work that stages the immutable variables, if they are new or replaced."""
    schema = opened.configuration.immutable_schema
    given = {path: item for path, item in dataset.all_variables().items() if path in schema.all_variables()}
    if not given:
        return []
    transaction.reads(IMMUTABLE)
    try:
        stored = await _stored_immutable(opened, transaction.base, schema)
    except CorruptionError:
        if immutable == "check" or given.keys() != schema.all_variables().keys():
            raise
        stored = partition_groups.dataset_of(schema, {})  # every damaged variable is replaced
    changed = [
        path
        for path, item in given.items()
        if path not in stored.all_variables() or not same_values(stored.get_variable(path).to_numpy(), item.to_numpy())
    ]
    different = [path for path in changed if path in stored.all_variables()]
    if different and immutable == "check":
        message = (
            f"variable {different[0]!r} does not span {opened.dimension!r}: it is stored once, with other values than those "
            f"inserted; leave it out, or pass immutable='replace' to change it for all partitions"
        )
        raise SchemaError(message)
    if not changed:
        return []
    complete = Dataset(schema, {**stored.all_variables(), **given})
    return [transaction.stage.writing(IMMUTABLE, *immutable_write(opened, schema, complete))]


async def _stored_immutable(opened: OpenCollection, snapshot: Snapshot, schema: DatasetSchema) -> Dataset:
    present = schema.select(partition_groups.variables_in(opened, snapshot.immutable, schema))
    values = partition_groups.dataset_of(present, await partition_groups.read_immutable(opened, snapshot, present))
    (document,) = await snapshot.objects.get([Read(snapshot.place(IMMUTABLE).document)])
    try:
        partition_groups.generation_check(opened, IMMUTABLE, snapshot.immutable)(document)
    except ConflictError as error:
        message = f"the immutable variables of {opened.store.url} are not those committed; insert them with immutable='replace'"
        raise CorruptionError(message) from error
    return values


def immutable_write(
    opened: OpenCollection, schema: DatasetSchema, dataset: Dataset, *, kept: frozenset[str] = frozenset()
) -> tuple[GroupWrite, PartitionRecord]:
    """Return the group of the immutable variables to write, and its record; `kept` names variables that do not change."""
    group = GroupWrite(
        schema=schema, dimension=opened.dimension, rows=0, dataset=dataset, attributes=lambda _: {}, kept=kept
    )
    absent = schema.all_variables().keys() - dataset.all_variables().keys() - kept
    layout = len(opened.configuration.layouts) - 1
    return group, PartitionRecord(key={}, rows=0, stamp="", layout=layout, absent=tuple(sorted(absent)))
