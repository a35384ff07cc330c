"""Adds variables to a collection, and drops them, as one change."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve, frozen

from zcollection import config
from zcollection.collection import partition_groups
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.neighbours import Halo
from zcollection.collection.read.window import Windows
from zcollection.collection.write.insert import immutable_write, partition_write
from zcollection.collection.write.update import Update
from zcollection.contracts.partitioning import Key
from zcollection.engine.work import Work, perform
from zcollection.engine.write import GroupWrite, validate_codecs
from zcollection.errors import SchemaError, accepted
from zcollection.model.dataset import Dataset
from zcollection.model.names import join, normalise_path
from zcollection.model.schema import DatasetSchema, VariableSchema
from zcollection.model.xarray_source import is_xarray
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.change import StagedPartition, Transaction
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.retrying import retrying

VariableFunction = Callable[..., Any]
"""A function from a Dataset to the values of the new variable, or to a mapping that contains them."""


async def add_variable(
    opened: OpenCollection,
    variable: VariableSchema,
    function: VariableFunction | None,
    *,
    group: str,
    halo: Halo,
    progress: ProgressOption,
) -> None:
    """Add a variable; see `Collection.add_variable`."""
    opened.store.check_writable()
    path = normalise_path(join(normalise_path(group), _checked(variable).name))
    target = opened.with_schema(_with(opened.schema, path, variable))
    validate_codecs(target.schema.select([path]), dimension=opened.dimension)
    if function is not None and not target.schema.spans(path, opened.dimension):
        message = (
            f"variable {path!r} does not span {opened.dimension!r}, and a function computes partitions; accepted: no function, "
            f"and its values given to insert()"
        )
        raise SchemaError(message)

    async def attempt() -> None:
        async with opened.begin("add variable") as transaction:
            transaction.reconfiguration = target.configuration
            if function is not None:
                await _compute(
                    target, opened.schema, transaction, path=path, function=function, halo=halo, progress=progress
                )
            elif variable.fill_value is None:
                _check_empty(transaction, path)
            await transaction.commit()

    await retrying(attempt)


async def drop_variable(opened: OpenCollection, name: str, *, progress: ProgressOption) -> None:
    """Drop a variable; see `Collection.drop_variable`."""
    opened.store.check_writable()
    path = normalise_path(name)
    opened.schema.get_variable(path)
    needed = {opened.configuration.axis: "the axis"}
    needed |= {normalise_path(column): "read by the partitioning" for column in opened.partitioning.variables}
    if path in needed:
        message = f"variable {path!r} is {needed[path]}; accepted: any other variable"
        raise SchemaError(message)
    target = opened.with_schema(opened.schema.without_variable(path))

    async def attempt() -> None:
        async with opened.begin("drop variable") as transaction:
            transaction.reconfiguration = target.configuration
            transaction.watch(lambda _: True)
            await _rewrite_without(opened, target, transaction, path, progress)
            await transaction.commit()

    await retrying(attempt)


def _checked(variable: object) -> VariableSchema:
    if not isinstance(variable, VariableSchema):
        message = f"variable is a {type(variable).__name__}; {accepted('', ['zcollection.VariableSchema'])}"
        raise SchemaError(message)
    return variable


def _with(schema: DatasetSchema, path: str, variable: VariableSchema) -> DatasetSchema:
    if path in schema.all_variables():
        message = f"there is a variable {path!r}; accepted: another name, or drop_variable({path!r}) before"
        raise SchemaError(message)
    return schema.with_variables({path: variable})


def _check_empty(transaction: Transaction, path: str) -> None:
    """Check that no partitions exist, now and at the commit, because the variable has no fill value."""
    if len(transaction.base.partitions):
        message = (
            f"variable {path!r} has no fill value, and there are partitions that lack it; declare one, or give the function "
            f"that computes it"
        )
        raise SchemaError(message)
    transaction.watch(lambda _: True)


async def _compute(
    target: OpenCollection,
    before: DatasetSchema,
    transaction: Transaction,
    *,
    path: str,
    function: VariableFunction,
    halo: Halo,
    progress: ProgressOption,
) -> None:
    """Stage every partition with the new variable; all others keep their objects."""
    transaction.watch(lambda _: True)
    windows = Windows(opened=target, snapshot=transaction.base, halo=halo)
    windows.read_by(transaction, transaction.base.partitions)
    immutable = await partition_groups.read_immutable(target, transaction.base, before)

    def compute(rows: Dataset) -> Mapping[str, Any]:
        return _only(function(rows), path)

    work, stage = Update(target, compute, before, immutable), transaction.stage
    partitions = transaction.base.partitions
    with tracking(progress, len(partitions), "add variable") as advance:
        works = (work.staging(windows.plan(path, record), stage, {}) for path, record in partitions.items())
        staged = await perform(stage.objects, works, threads=config.get().threads, progress=advance)
    for partition in filter(None, staged):
        transaction.add(partition)


def _only(result: object, path: str) -> Mapping[str, Any]:
    """Return the values of one variable, by its path."""
    if isinstance(result, Dataset):
        result = result.all_variables()
    if not isinstance(result, Mapping) or is_xarray(result):
        return {path: result}
    if {normalise_path(name) for name in result} != {path}:
        message = f"the function returned {', '.join(map(repr, result)) or 'nothing'}; accepted: the values of {path!r}"
        raise SchemaError(message)
    return result


async def _rewrite_without(
    opened: OpenCollection, target: OpenCollection, transaction: Transaction, path: str, progress: ProgressOption
) -> None:
    """Stage every group that contains a variable again, without this variable; the objects of all others are kept."""
    base = transaction.base
    records = {
        partition: record
        for partition, record in base.partitions.items()
        if partition_groups.declares(opened, record, path)
    }
    immutable = base.immutable
    if immutable is not None and partition_groups.declares(opened, immutable, path):
        records[IMMUTABLE] = immutable
    for partition in records:
        transaction.reads(partition)
    work = _Dropping(opened, target, transaction)
    with tracking(progress, len(records), "drop variable") as advance:
        works = (work.staging(partition, record) for partition, record in records.items())
        stage = transaction.stage.objects
        for staged in await perform(stage, works, threads=config.get().threads, progress=advance):
            transaction.add(staged)


@frozen
class _Dropping:
    """One attempt at removing a variable from groups."""

    opened: OpenCollection
    target: OpenCollection
    transaction: Transaction

    def staging(self, path: str, record: PartitionRecord) -> Work[StagedPartition]:
        base = partition_groups.group_of(self.opened, path, record)
        group, written = self._write(path, record)
        return (yield from self.transaction.stage.writing(path, evolve(group, base=base), written))

    def _write(self, path: str, record: PartitionRecord) -> tuple[GroupWrite, PartitionRecord]:
        configuration = self.target.configuration
        if path == IMMUTABLE:
            schema = configuration.immutable_schema
            kept = partition_groups.variables_in(self.opened, record, schema)
            return immutable_write(self.target, schema, Dataset(schema, {}), kept=kept)
        schema = configuration.rows_schema
        kept = partition_groups.variables_in(self.opened, record, schema)
        group, written = partition_write(self.target, Key(record.key), Dataset(schema, {}), rows=record.rows, kept=kept)
        return group, evolve(written, axis_range=record.axis_range, origin=record.origin)
