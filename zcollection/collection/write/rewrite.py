"""Partitions written again as the collection has it now, or is to have it: with other codecs, chunks or shards, the same values."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from attrs import evolve, frozen

from zcollection.collection import partition_groups
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.report import ReshapeReport
from zcollection.collection.write.insert import immutable_write, partition_write
from zcollection.collection.write.resuming import digest, layout_digest, resumable, taken_over
from zcollection.contracts.partitioning import Key
from zcollection.engine.executor import worthwhile_threads
from zcollection.engine.executors import ClientOption, chosen
from zcollection.engine.jobs import Arrays, Executor, Job
from zcollection.engine.layout import as_stored
from zcollection.engine.read import Outputs, reading
from zcollection.engine.work import Work, perform
from zcollection.engine.write import validate_codecs
from zcollection.errors import SchemaError, accepted
from zcollection.model.dataset import Dataset
from zcollection.model.names import join, normalise_path, split
from zcollection.model.schema import DatasetSchema, Dimension
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.change import Stage, StagedPartition, Transaction
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.places import Place
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot

Codecs: TypeAlias = Any
"""A profile's name, or a sequence of codecs, for all variables; or a mapping from variables to one of them."""
Lengths: TypeAlias = int | Mapping[str, int | None] | None
"""A number of rows, or lengths by dimension, of which None leaves the choice to the engine."""


async def rewrite(
    opened: OpenCollection,
    *,
    codecs: Codecs,
    chunks: Lengths,
    shards: Lengths,
    dry_run: bool,
    client: ClientOption,
    progress: ProgressOption,
) -> ReshapeReport:
    """Write partitions again; see `Collection.rewrite`."""
    executor = chosen(client, opened.store)
    schema = _with_codecs(_with_lengths(opened, chunks=chunks, shards=shards), codecs)
    target = opened if schema == opened.schema else opened.grown(schema)
    validate_codecs(target.schema, dimension=opened.dimension)
    work = _Rewrite(opened, target, executor, progress)
    if dry_run:
        return work.report(await opened.snapshot(), ())
    opened.store.check_writable()
    return await retrying(work.attempt)


def _with_codecs(schema: DatasetSchema, given: Codecs) -> DatasetSchema:
    """Return a schema in which variables have other codecs."""
    if given is None:
        return schema
    there = schema.all_variables()
    wanted = given if isinstance(given, Mapping) else dict.fromkeys(there, given)
    by_path = {normalise_path(name): codecs for name, codecs in wanted.items()}
    for path in by_path.keys() - there.keys():
        message = f"codecs are given for the variable {path!r}; {accepted(path, there)}"
        raise SchemaError(message)
    return schema.with_variables({path: evolve(there[path], codecs=codecs) for path, codecs in by_path.items()})


def _with_lengths(opened: OpenCollection, *, chunks: Lengths, shards: Lengths) -> DatasetSchema:
    """Return the schema of a collection, in which dimensions have other chunks and shards."""
    dimensions = {
        join(path, name): item for path, group in opened.schema.walk() for name, item in group.dimensions.items()
    }
    changed: dict[str, dict[str, Any]] = {}
    for what, given in (("chunks", chunks), ("shards", shards)):
        lengths = {} if given is None else given if isinstance(given, Mapping) else {opened.dimension: given}
        for name, length in lengths.items():
            path = normalise_path(name)
            if path not in dimensions:
                message = f"{what} are given for the dimension {name!r}; {accepted(name, dimensions)}"
                raise SchemaError(message)
            changed.setdefault(path, {})[what] = length
    others: dict[tuple[str, str], Dimension] = {
        split(path): evolve(dimensions[path], **lengths) for path, lengths in changed.items()
    }
    return opened.schema.with_variables({}, dimensions=others) if others else opened.schema


@frozen
class _Rewrite:
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

    async def attempt(self) -> ReshapeReport:
        """Do it, as one change."""
        async with self.opened.begin("rewrite") as transaction:
            with resumable(transaction):
                return await self._carried_out(transaction)

    async def _carried_out(self, transaction: Transaction) -> ReshapeReport:
        base = transaction.base
        if self.target is not self.opened:
            transaction.growth = self.target.configuration
        transaction.watch(lambda _: True)
        wanted = self._wanted(base)
        staged, reused = await self._stage(transaction, wanted)
        transaction.add_all(staged)
        if (fixed := self._outdated(base.immutable, partitioned=False)) is not None:
            transaction.reads(IMMUTABLE)
            works = [_Rewriting(self.target).staging_fixed(fixed, transaction.stage)]
            transaction.add_all(await perform(transaction.stage.objects, works, threads=1))
        await transaction.commit()
        return evolve(self.report(base, staged), reused=reused)

    def report(self, base: Snapshot, staged: Sequence[StagedPartition]) -> ReshapeReport:
        """Return what was done, or without anything staged what would be."""
        wanted, before = self._wanted(base), sum(base.partitions.column("stored_bytes"))
        change = sum(item.record.stored_bytes - wanted[item.path].stored_bytes for item in staged)
        return ReshapeReport(
            before=len(base.partitions),
            after=len(base.partitions),
            rows=sum(base.partitions.column("rows")),
            written=tuple(wanted),
            bytes_before=before,
            bytes_after=before + change if len(staged) == len(wanted) else None,
        )

    def _wanted(self, base: Snapshot) -> dict[str, PartitionRecord]:
        """Return the partitions whose objects are to be others than they are."""
        same = self._layouts(partitioned=True)
        return {path: record for path, record in base.partitions.items() if record.layout not in same}

    def _outdated(self, record: PartitionRecord | None, *, partitioned: bool) -> PartitionRecord | None:
        return None if record is None or record.layout in self._layouts(partitioned=partitioned) else record

    def _layouts(self, *, partitioned: bool) -> frozenset[int]:
        """Return which layouts say the same as the new one of the variables that span the axis, or of the others."""
        now = self.target.part(self.target.schema, partitioned=partitioned)
        layouts = enumerate(self.target.configuration.layouts)
        return frozenset(at for at, layout in layouts if self.target.part(layout, partitioned=partitioned) == now)

    async def _stage(
        self, transaction: Transaction, wanted: Mapping[str, PartitionRecord]
    ) -> tuple[list[StagedPartition], int]:
        """Stage the partitions, and return them and how many of them had been made before."""
        for path in wanted:
            transaction.reads(path)
        layout = layout_digest(self.target)
        digests = {path: digest("rewrite", layout, path, record.stamp) for path, record in wanted.items()}
        places = await transaction.resumed(digests) if wanted else {}
        rewriting = _Rewriting(self.target)
        rows = sum(record.rows for record in wanted.values()) // max(len(wanted), 1)
        with tracking(self.progress, len(wanted), "rewrite") as advance:
            staged = await self.executor.run(
                transaction.stage,
                (Job(partial(rewriting.staging, path, record, places.get(path))) for path, record in wanted.items()),
                total=len(wanted),
                label="rewrite",
                threads=worthwhile_threads(self.target.configuration.rows_schema, self.target.dimension, rows),
                progress=advance,
            )
        return [item for item, _ in staged], sum(is_reused for _, is_reused in staged)


@frozen
class _Rewriting:
    """What is done to every group.

    Attributes
    ----------
    target
        The collection as it will be.
    """

    target: OpenCollection

    def staging(
        self, path: str, record: PartitionRecord, earlier: Place | None, stage: Stage, arrays: Arrays
    ) -> Work[tuple[StagedPartition, bool]]:
        """Stage one partition, and return it and whether another attempt had made it.

        Chunks of variables that are as they were keep their bytes.
        """
        del arrays
        target = self.target
        if earlier is not None:
            found = yield from taken_over(target, stage, path, earlier, key=record.key, rows=record.rows)
            if found is not None:
                return found, True
        schema = target.configuration.rows_schema
        held = schema.select(partition_groups.variables_of(target, record) & schema.all_variables().keys())
        no_rows = Dataset(held, Outputs.allocated(held, target.dimension, 0).arrays)
        group, written = partition_write(target, Key(record.key), no_rows, rows=record.rows)
        axis = target.axis_variable
        columns = yield from partition_groups.reading_partition(
            target, path, record, held.select([] if axis is None else [axis])
        )
        group = evolve(
            group,
            base=partition_groups.group_of(target, path, record),
            source=np.arange(record.rows),
            axis_values=None if axis is None else columns.get_variable(axis).to_numpy(),
        )
        written = evolve(written, axis_range=record.axis_range, origin=record.origin)
        return (yield from stage.writing(path, group, written)), False

    def staging_fixed(self, record: PartitionRecord, stage: Stage) -> Work[StagedPartition]:
        """Stage the variables that do not span the axis."""
        target, schema = self.target, self.target.configuration.immutable_schema
        held = schema.select(partition_groups.variables_of(target, record) & schema.all_variables().keys())
        group = partition_groups.group_of(target, IMMUTABLE, record)
        as_they_are = evolve(group, schema=as_stored(group.schema))
        values = yield from reading([as_they_are], as_stored(held), dimension=target.dimension)
        new, written = immutable_write(target, schema, Dataset(as_stored(held), values))
        packed = frozenset(path for path in values if held.get_variable(path).packing is not None)
        return (yield from stage.writing(IMMUTABLE, evolve(new, packed=packed), written))
