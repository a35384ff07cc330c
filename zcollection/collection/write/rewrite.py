"""Rewrites partitions in the current layout, or with other codecs, chunks or shards, without changing values."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from attrs import evolve, frozen

from zcollection.collection import partition_groups
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.report import ReshapeReport
from zcollection.collection.write.insert import immutable_write, partition_write
from zcollection.collection.write.reshape import Reshape
from zcollection.collection.write.resuming import digest, layout_digest, reuse
from zcollection.contracts.partitioning import Key
from zcollection.engine.executors import ClientOption, executor_for
from zcollection.engine.jobs import Arrays, Job
from zcollection.engine.layout import as_stored
from zcollection.engine.read import Outputs, reading
from zcollection.engine.work import Work, perform
from zcollection.engine.write import validate_codecs
from zcollection.errors import SchemaError, accepted
from zcollection.model.dataset import Dataset
from zcollection.model.names import join, normalise_path, split
from zcollection.model.schema import DatasetSchema, Dimension
from zcollection.progress import ProgressOption
from zcollection.transaction.change import Stage, StagedPartition, Transaction
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.places import Place
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot

Codecs: TypeAlias = Any
"""The name of a codec profile, or a sequence of codecs, for all variables; or a mapping from variable paths to one of these."""
Lengths: TypeAlias = int | Mapping[str, int | None] | None
"""A number of rows, or lengths by dimension, where None is the engine's default."""


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
    """Rewrite partitions; see `Collection.rewrite`."""
    executor = executor_for(client, opened.store)
    schema = _with_codecs(_with_lengths(opened, chunks=chunks, shards=shards), codecs)
    target = opened if schema == opened.schema else opened.with_schema(schema)
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
    variables = schema.all_variables()
    by_name = given if isinstance(given, Mapping) else dict.fromkeys(variables, given)
    by_path = {normalise_path(name): codecs for name, codecs in by_name.items()}
    for path in by_path.keys() - variables.keys():
        message = f"codecs are given for the variable {path!r}; {accepted(path, variables)}"
        raise SchemaError(message)
    return schema.with_variables({path: evolve(variables[path], codecs=codecs) for path, codecs in by_path.items()})


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
class _Rewrite(Reshape):
    """A rewrite of partitions."""

    operation = "rewrite"

    async def _changed(self, transaction: Transaction) -> ReshapeReport:
        base = transaction.base
        if self.target is not self.opened:
            transaction.reconfiguration = self.target.configuration
        transaction.watch(lambda _: True)
        outdated = self._outdated_partitions(base)
        for path in outdated:
            transaction.reads(path)
        layout, rewriting = layout_digest(self.target), _Rewriting(self.target)
        staged, reused = await self._stage(
            transaction,
            transaction.stage,
            {path: digest("rewrite", layout, path, record.stamp) for path, record in outdated.items()},
            lambda path, earlier: Job(partial(rewriting.staging, path, outdated[path], earlier)),
            rows=sum(record.rows for record in outdated.values()),
        )
        transaction.add_all(staged)
        if (immutable := self._outdated(base.immutable, partitioned=False)) is not None:
            transaction.reads(IMMUTABLE)
            works = [rewriting.staging_immutable(immutable, transaction.stage)]
            transaction.add_all(await perform(transaction.stage.objects, works, threads=1))
        await transaction.commit()
        return evolve(self.report(base, staged), reused=reused)

    def report(self, base: Snapshot, staged: Sequence[StagedPartition]) -> ReshapeReport:
        """Return the report of the rewrite; without staged partitions, that of a dry run."""
        outdated, before = self._outdated_partitions(base), sum(base.partitions.column("stored_bytes"))
        change = sum(item.record.stored_bytes - outdated[item.path].stored_bytes for item in staged)
        return ReshapeReport(
            before=len(base.partitions),
            after=len(base.partitions),
            rows=sum(base.partitions.column("rows")),
            written=tuple(outdated),
            bytes_before=before,
            bytes_after=before + change if len(staged) == len(outdated) else None,
        )

    def _outdated_partitions(self, base: Snapshot) -> dict[str, PartitionRecord]:
        """Return the partitions whose layout differs from the new one."""
        same = self._layouts(partitioned=True)
        return {path: record for path, record in base.partitions.items() if record.layout not in same}

    def _outdated(self, record: PartitionRecord | None, *, partitioned: bool) -> PartitionRecord | None:
        return None if record is None or record.layout in self._layouts(partitioned=partitioned) else record

    def _layouts(self, *, partitioned: bool) -> frozenset[int]:
        """Return the layouts that equal the new one in the partitioned variables, or in the immutable ones."""
        now = self.target.part(self.target.schema, partitioned=partitioned)
        layouts = enumerate(self.target.configuration.layouts)
        return frozenset(at for at, layout in layouts if self.target.part(layout, partitioned=partitioned) == now)


@frozen
class _Rewriting:
    """Rewrites a group.

    Attributes
    ----------
    target
        The collection after the change.
    """

    target: OpenCollection

    def staging(
        self, path: str, record: PartitionRecord, earlier: Place | None, stage: Stage, arrays: Arrays
    ) -> Work[tuple[StagedPartition, bool]]:
        """Stage one partition, and return it and whether it was reused from an earlier attempt.

        The chunks of variables whose layout does not change keep their bytes.
        """
        del arrays
        target = self.target
        if earlier is not None:
            found = yield from reuse(target, stage, path, earlier, key=record.key, rows=record.rows)
            if found is not None:
                return found, True
        schema = target.configuration.rows_schema
        stored = schema.select(partition_groups.variables_in(target, record, schema))
        no_rows = Dataset(stored, Outputs.allocated(stored, target.dimension, 0).arrays)
        group, written = partition_write(target, Key(record.key), no_rows, rows=record.rows)
        group = evolve(
            group,
            base=partition_groups.group_of(target, path, record),
            source=np.arange(record.rows),
            axis_values=(yield from partition_groups.reading_axis_values(target, path, record)),
        )
        written = evolve(written, axis_range=record.axis_range, origin=record.origin)
        return (yield from stage.writing(path, group, written)), False

    def staging_immutable(self, record: PartitionRecord, stage: Stage) -> Work[StagedPartition]:
        """Stage the immutable variables."""
        target, schema = self.target, self.target.configuration.immutable_schema
        stored = schema.select(partition_groups.variables_in(target, record, schema))
        group = partition_groups.group_of(target, IMMUTABLE, record)
        packed_group = evolve(group, schema=as_stored(group.schema))
        values = yield from reading([packed_group], as_stored(stored), dimension=target.dimension)
        new, written = immutable_write(target, schema, Dataset(as_stored(stored), values))
        packed = frozenset(path for path in values if stored.get_variable(path).packing is not None)
        return (yield from stage.writing(IMMUTABLE, evolve(new, packed=packed), written))
