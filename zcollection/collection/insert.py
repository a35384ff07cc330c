"""Rows inserted: split by partition, merged with what is there, staged, and committed together."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection.collection.conform import as_dataset, check_complete
from zcollection.collection.handle import Handle
from zcollection.collection.merging import Merge, Merged, as_strategy, merging
from zcollection.collection.report import InsertReport, PartitionReport
from zcollection.collection.split import PartitionRows, split
from zcollection.contracts.merge import MergeStrategy
from zcollection.contracts.partitioning import Key
from zcollection.contracts.store import Read
from zcollection.engine.executor import in_thread, worthwhile_threads
from zcollection.engine.layout import stored_values
from zcollection.engine.work import Work, perform
from zcollection.engine.write import GROUP_DOCUMENT, GroupWrite
from zcollection.errors import CollectionExistsError, ConflictError, CorruptionError, SchemaError, accepted
from zcollection.model.dataset import Dataset
from zcollection.model.dtypes import same_values
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.change import Stage, StagedPartition, Transaction
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot

Immutable = Literal["check", "replace"]


async def insert(
    handle: Handle, given: object, *, merge: Merge, overwrite: bool, immutable: Immutable, progress: ProgressOption
) -> InsertReport:
    """Insert rows; see `Collection.insert`."""
    handle.store.check_writable()
    if immutable not in {"check", "replace"}:
        message = f"immutable={immutable!r}; {accepted(immutable, ['check', 'replace'])}"
        raise SchemaError(message)
    insertion = await in_thread(_Insertion.prepare, handle, given, merge)

    async def attempt() -> InsertReport:
        async with handle.begin("insert") as transaction:
            _check_overwrite(insertion, transaction, overwrite=overwrite)
            await _stage_immutable(handle, transaction, insertion.dataset, immutable)
            with tracking(progress, len(insertion.parts), "insert") as advance:
                reports = await insertion.stage(transaction, advance)
            await transaction.commit()
            return InsertReport(tuple(reports))

    return await retrying(attempt)


async def plan(handle: Handle, given: object, *, merge: Merge) -> InsertReport:
    """Return what an insert would do; see `Collection.plan`."""
    insertion = await in_thread(_Insertion.prepare, handle, given, merge)
    taken = await handle.snapshot()

    def reporting(part: PartitionRows) -> Work[PartitionReport]:
        return (yield from insertion.merging(taken, part)).report

    works = (reporting(part) for part in insertion.parts)
    return InsertReport(tuple(await perform(taken.objects, works, threads=insertion.threads)))


@frozen(kw_only=True)
class _Insertion:
    """What is inserted: all that could be checked and decided before anything was read.

    Attributes
    ----------
    handle
        The collection.
    strategy
        What becomes of rows that exist.
    dataset
        The rows, and perhaps variables that do not span the axis.
    rows
        The variables that span it.
    parts
        Which rows belong to which partition.
    """

    handle: Handle
    strategy: MergeStrategy
    dataset: Dataset
    rows: Dataset
    parts: list[PartitionRows]

    @classmethod
    def prepare(cls, handle: Handle, given: object, merge: Merge) -> "_Insertion":
        strategy = as_strategy(merge)
        dataset = as_dataset(given, handle.schema)
        check_complete(dataset, handle)
        moving = {path: item for path, item in dataset.all_variables().items() if handle.dimension in item.dimensions}
        rows = Dataset(handle.configuration.rows_schema, moving)
        parts = split(dataset, handle.partitioning, dimension=handle.dimension)
        return cls(handle=handle, strategy=strategy, dataset=dataset, rows=rows, parts=parts)

    @property
    def threads(self) -> int:
        """How many threads are worth using."""
        rows = self.rows.sizes.get(self.handle.dimension, 0) // max(len(self.parts), 1)
        return worthwhile_threads(self.handle.configuration.rows_schema, self.handle.dimension, rows)

    async def stage(self, transaction: Transaction, advance: Callable[[], None] | None) -> list[PartitionReport]:
        """Stage every partition with the rows that the merge leaves it."""
        if self.strategy.reads_existing:
            for part in self.parts:
                transaction.reads(part.path)
        base, stage = transaction.base, transaction.stage
        works = (self._staging(stage, base, part) for part in self.parts)
        outcomes = await perform(stage.objects, works, threads=self.threads, progress=advance)
        for report, staged in outcomes:
            if staged is not None:
                transaction.add(staged)
            elif base.record(report.path) is not None:
                transaction.drop(report.path)
        return [report for report, _ in outcomes]

    def _staging(
        self, stage: Stage, base: Snapshot, part: PartitionRows
    ) -> Work[tuple[PartitionReport, StagedPartition | None]]:
        """Stage one partition, unless the merge leaves it no rows."""
        merged = yield from self.merging(base, part)
        if not merged.report.rows:
            return merged.report, None
        return merged.report, (yield from stage.writing(part.path, *self._write(base, part, merged)))

    def merging(self, taken: Snapshot, part: PartitionRows) -> Work[Merged]:
        """Return one partition merged with what a snapshot holds of it."""
        inserted = self.rows.isel({self.handle.dimension: part.rows})
        return (yield from merging(self.handle, self.strategy, part, inserted, taken.record(part.path)))

    def _write(self, taken: Snapshot, part: PartitionRows, merged: Merged) -> tuple[GroupWrite, PartitionRecord]:
        handle = self.handle
        group, record = partition_write(handle, part.key, merged.dataset, rows=merged.report.rows)
        if merged.source is None:
            return group, record
        base = handle.group(part.path, taken.record(part.path))
        return evolve(group, base=base, source=merged.source), evolve(
            record, axis_range=axis_range(handle, merged.axis)
        )


def _check_overwrite(insertion: _Insertion, transaction: Transaction, *, overwrite: bool) -> None:
    if overwrite:
        return
    for part in insertion.parts:
        transaction.reads(part.path)
    existing = [part.path for part in insertion.parts if transaction.base.record(part.path) is not None]
    if existing:
        message = (
            f"{len(existing)} of {len(insertion.parts)} partitions exist in {insertion.handle.store.url}, {existing[0]!r} "
            f"among them, and overwrite is False; nothing was written: pass overwrite=True, or drop them first"
        )
        raise CollectionExistsError(message)


def partition_write(
    handle: Handle,
    key: Key,
    dataset: Dataset,
    *,
    rows: int,
    kept: frozenset[str] = frozenset(),
) -> tuple[GroupWrite, PartitionRecord]:
    """Return what to write for a partition, and what it says of itself."""
    schema = handle.configuration.rows_schema
    absent = schema.all_variables().keys() - dataset.all_variables().keys() - kept
    group = GroupWrite(
        schema=schema,
        dimension=handle.dimension,
        rows=rows,
        dataset=dataset,
        kept=kept,
        attributes=lambda _: handle.schema.attrs,
    )
    record = PartitionRecord(
        key=dict(key),
        rows=rows,
        stamp="",
        layout=len(handle.configuration.layouts) - 1,
        absent=tuple(sorted(absent)),
        axis_range=axis_range(handle, _axis_values(handle, dataset)),
    )
    return group, record


def _axis_values(handle: Handle, dataset: Dataset) -> NDArray[Any] | None:
    variable = dataset.all_variables().get(handle.axis_variable or "")
    return None if variable is None else variable.to_numpy()


def axis_range(handle: Handle, values: NDArray[Any] | None) -> tuple[int | float | str, ...] | None:
    """Return the smallest and largest axis value, as the axis stores them, missing ones left out."""
    if values is None or handle.axis_variable is None:
        return None
    # NaN and NaT differ from themselves; whole numbers never do.
    present = values if values.dtype.kind in "iu" else values[values == values]  # noqa: PLR0124
    if present.size == 0 or present.dtype.kind in "cbS":
        return None
    limits = np.array([present.min(), present.max()], dtype=values.dtype)
    return tuple(stored_values(limits, handle.schema.get_variable(handle.axis_variable)).tolist())


async def _stage_immutable(handle: Handle, transaction: Transaction, dataset: Dataset, immutable: Immutable) -> None:
    """Stage the variables that do not span the axis, where they are new or to be replaced."""
    schema = handle.configuration.immutable_schema
    given = {path: item for path, item in dataset.all_variables().items() if path in schema.all_variables()}
    if not given:
        return
    transaction.reads(IMMUTABLE)
    try:
        stored = await _stored_immutable(handle, transaction.base, schema)
    except CorruptionError:
        if immutable == "check" or given.keys() != schema.all_variables().keys():
            raise
        stored = handle.dataset(schema, {})  # all of what is damaged is replaced
    changed = [
        path
        for path, item in given.items()
        if path not in stored.all_variables() or not same_values(stored.get_variable(path).to_numpy(), item.to_numpy())
    ]
    different = [path for path in changed if path in stored.all_variables()]
    if different and immutable == "check":
        message = (
            f"variable {different[0]!r} does not span {handle.dimension!r}: it is stored once, with other values than those "
            f"inserted; leave it out, or pass immutable='replace' to change it for all partitions"
        )
        raise SchemaError(message)
    if changed:
        complete = Dataset(schema, {**stored.all_variables(), **given})
        stage = transaction.stage
        work = stage.writing(IMMUTABLE, *immutable_write(handle, schema, complete))
        transaction.add(*await perform(stage.objects, [work], threads=1))


async def _stored_immutable(handle: Handle, taken: Snapshot, schema: DatasetSchema) -> Dataset:
    present = schema.select(schema.all_variables().keys() & handle.held(taken.immutable))
    values = handle.dataset(present, await handle.read_immutable(taken, present))
    (document,) = await taken.objects.get([Read(f"{taken.place(IMMUTABLE)}{GROUP_DOCUMENT}")])
    try:
        handle.stamp(IMMUTABLE, taken.immutable)(document)
    except ConflictError as error:
        message = (
            f"what is stored once in {handle.store.url} is not what was committed; insert it with immutable='replace'"
        )
        raise CorruptionError(message) from error
    return values


def immutable_write(
    handle: Handle, schema: DatasetSchema, dataset: Dataset, *, kept: frozenset[str] = frozenset()
) -> tuple[GroupWrite, PartitionRecord]:
    """Return what to write of the variables that do not span the axis; those kept are those of the base."""
    group = GroupWrite(
        schema=schema, dimension=handle.dimension, rows=0, dataset=dataset, attributes=lambda _: {}, kept=kept
    )
    absent = schema.all_variables().keys() - dataset.all_variables().keys() - kept
    layout = len(handle.configuration.layouts) - 1
    return group, PartitionRecord(key={}, rows=0, stamp="", layout=layout, absent=tuple(sorted(absent)))
