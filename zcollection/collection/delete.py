"""Rows taken away, as one change: of partitions that lose all of theirs nothing remains."""

from functools import partial

import numpy as np
from attrs import evolve

from zcollection.collection.asking import Asked, RowsPlan, Where
from zcollection.collection.filters import Filter
from zcollection.collection.find import ConsistentFind
from zcollection.collection.handle import Handle
from zcollection.collection.insert import axis_range, partition_write
from zcollection.collection.report import ChangeReport
from zcollection.collection.staging import staged
from zcollection.contracts.partitioning import Key
from zcollection.engine.executors import ClientOption, chosen
from zcollection.engine.jobs import Arrays, Job
from zcollection.engine.read import Outputs
from zcollection.engine.work import Work
from zcollection.errors import ExpressionError
from zcollection.model.dataset import Dataset
from zcollection.progress import ProgressOption
from zcollection.transaction.change import Stage, StagedPartition
from zcollection.transaction.retrying import retrying


async def delete(
    handle: Handle, *, filters: Filter, where: Where, client: ClientOption, progress: ProgressOption
) -> ChangeReport:
    """Delete rows; see `Collection.delete`."""
    handle.store.check_writable()
    asked, executor = _asked(handle, where, filters), chosen(client, handle.store)

    async def attempt() -> ChangeReport:
        async with handle.begin("delete", concern=asked.concern) as transaction:
            selected = await asked.chosen(transaction.base)
            for path in selected.partitions:
                transaction.reads(path)
            jobs = (Job(partial(_without_rows, selected.alone(path))) for path in selected.partitions)
            found = await staged(executor, transaction, jobs, total=len(selected.partitions), progress=progress)
            counts = {path: count for path, (count, _) in zip(selected.partitions, found, strict=True) if count}
            left = {item.path: item for _, item in found if item is not None}
            gone = tuple(path for path in counts if path not in left)
            transaction.add_all(left.values())
            for path in gone:
                transaction.drop(path)
            await transaction.commit()
            return ChangeReport(rows=counts, dropped=gone)

    return await retrying(attempt)


async def planned(handle: Handle, *, filters: Filter, where: Where, client: ClientOption) -> ChangeReport:
    """Return what `delete` would do."""
    asked = _asked(handle, where, filters)
    _, rows = await ConsistentFind(asked, chosen(client, handle.store)).rows(None)
    return evolve(rows.report, dropped=rows.whole_partitions)


def _asked(handle: Handle, where: Where, filters: Filter) -> Asked:
    if where is None:
        message = "delete() needs where, lest every row go by mistake; drop_partitions() drops whole partitions"
        raise ExpressionError(message)
    return Asked.of(handle, filters, where)


def _without_rows(plan: RowsPlan, stage: Stage, arrays: Arrays) -> Work[tuple[int, StagedPartition | None]]:
    """Stage a partition without the rows that are asked for, and return how many these are; None where none is left."""
    del arrays  # all that it needs is read
    handle, path, record = plan.handle, plan.path, plan.record
    found, _ = yield from plan.finding(handle.schema.select([]), {})
    if found.count in {0, record.rows}:
        return found.count, None
    staying = np.delete(np.arange(record.rows), found.positions)
    held = handle.held(record) & handle.configuration.rows_schema.all_variables().keys()
    none = Outputs.allocated(handle.configuration.rows_schema.select(held), handle.dimension, 0)
    nothing = Dataset(handle.configuration.rows_schema, none.arrays)
    group, written = partition_write(handle, Key(record.key), nothing, rows=staying.size)
    group = evolve(group, base=handle.group(path, record), source=staying)
    axis = None
    if handle.axis_variable is not None:
        before = yield from handle.reading(path, record, handle.schema.select([handle.axis_variable]))
        axis = before.get_variable(handle.axis_variable).to_numpy()[staying]
    written = evolve(written, axis_range=axis_range(handle, axis))
    return found.count, (yield from stage.writing(path, evolve(group, axis_values=axis), written))
