"""Updates variables of partitions with the user's function; the objects of all other variables are kept."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection.collection import partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.find import ConsistentFind
from zcollection.collection.read.neighbours import Halo
from zcollection.collection.read.request import Request, RowsPlan, Where
from zcollection.collection.read.window import Window, WindowPlan, Windows
from zcollection.collection.report import ChangeReport
from zcollection.collection.split import split
from zcollection.collection.staging import staged
from zcollection.collection.write.conform import as_dataset
from zcollection.collection.write.insert import axis_range, partition_write
from zcollection.contracts.partitioning import Key
from zcollection.engine.executors import ClientOption, executor_for
from zcollection.engine.jobs import Arrays, Job
from zcollection.engine.selected_rows import SelectedRows
from zcollection.engine.work import Work
from zcollection.errors import PartitionError, SchemaError
from zcollection.model.conventions import Conventions
from zcollection.model.dataset import Dataset
from zcollection.model.dtypes import same_values
from zcollection.model.names import normalise_path
from zcollection.model.schema import DatasetSchema
from zcollection.model.xarray_source import is_xarray
from zcollection.progress import ProgressOption
from zcollection.transaction.change import Stage, StagedPartition
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.retrying import retrying

UpdateFunction = Callable[..., "Dataset | Mapping[str, Any]"]
"""A function from a Dataset (and `own`, if it has that parameter) to a Dataset or a mapping of arrays."""


async def update(
    opened: OpenCollection,
    function: UpdateFunction,
    *,
    filters: Filter,
    where: Where,
    variables: Iterable[str] | None,
    halo: Halo,
    conventions: Conventions,
    client: ClientOption,
    progress: ProgressOption,
) -> tuple[str, ...]:
    """Update variables; see `Collection.update`."""
    opened.store.check_writable()
    executor = executor_for(client, opened.store)
    schema = opened.names(variables)
    request = Request.of(opened, filters, where)
    request.check_halo(halo)

    async def attempt() -> tuple[str, ...]:
        async with opened.begin("update", candidates=None if halo else request.candidates) as transaction:
            selected = await request.select(transaction.base)
            partitions = selected.partitions
            immutable = await partition_groups.read_immutable(opened, transaction.base, schema)
            windows = Windows(opened=opened, snapshot=transaction.base, halo=halo)
            windows.read_by(transaction, partitions)
            change = Update(opened, function, schema, immutable, conventions)
            plans = (
                partial(change.staging_rows, selected.rows_plan(path))
                if selected.is_of_rows
                else partial(change.staging, windows.plan(path, record))
                for path, record in partitions.items()
            )
            found = await staged(executor, transaction, map(Job, plans), total=len(partitions), progress=progress)
            changed = list(filter(None, found))
            transaction.add_all(changed)
            await transaction.commit()
            return tuple(item.path for item in changed) if selected.is_of_rows else tuple(partitions)

    return await retrying(attempt)


async def planned(opened: OpenCollection, *, filters: Filter, where: Where, client: ClientOption) -> ChangeReport:
    """Return the rows that `update` would pass to the function."""
    request = Request.of(opened, filters, where)
    return (await ConsistentFind(request, executor_for(client, opened.store)).rows(None))[1].report


def applied(
    function: UpdateFunction,
    window: Window,
    schema: DatasetSchema,
    dimension: str,
    path: str,
    *,
    conventions: Conventions = "check",
) -> Dataset:
    """Return the variables that a function computes for the own rows of a window, converted to the declared types.

    Raises
    ------
    SchemaError
        The function returned an unknown variable, or another number of rows than it received.
    """
    result: object = window.call(function)
    if not isinstance(result, Dataset | Mapping) and not is_xarray(result):
        message = (
            f"the update function returned a {type(result).__name__} for partition {path!r}; accepted: a Dataset, or a "
            f"mapping from variable names to arrays"
        )
        raise SchemaError(message)
    after, given = as_dataset(result, schema, conventions), window.rows_given
    rows = after.sizes.get(dimension, given)
    if rows != given:
        message = (
            f"the update function returned {rows} rows for partition {path!r}, and received {given}; an update computes "
            f"values for each row, and neither adds nor removes rows"
        )
        raise SchemaError(message)
    return window.trimmed(after, dimension)


@frozen
class Update:
    """The update that is applied to every partition."""

    opened: OpenCollection
    function: UpdateFunction
    schema: DatasetSchema
    immutable: Mapping[str, NDArray[Any]]
    conventions: Conventions = "check"

    def staging(self, plan: WindowPlan, stage: Stage, arrays: Arrays) -> Work[StagedPartition | None]:
        """Stage one partition with the variables that the function returns, if any; all others keep their objects."""
        del arrays  # everything is read from the store
        opened, path, record = self.opened, plan.path, plan.record
        window = yield from plan.reading(self.schema, self.immutable)
        after = self._applied(window, path)
        if not after.all_variables():
            return None
        yield from self._check_keys(after, path, record)
        kept, changed = self._kept(record, after)
        if changed:
            rest = yield from partition_groups.reading_partition(opened, path, record, opened.schema.select(changed))
            after = Dataset(opened.schema, {**rest.all_variables(), **after.all_variables()})
        group, written = partition_write(opened, Key(record.key), after, rows=record.rows, kept=kept)
        if opened.axis_variable in kept:
            written = evolve(written, axis_range=record.axis_range)
        return (
            yield from stage.writing(path, evolve(group, base=partition_groups.group_of(opened, path, record)), written)
        )

    def staging_rows(self, plan: RowsPlan, stage: Stage, arrays: Arrays) -> Work[StagedPartition | None]:
        """Stage one partition with the variables that the function returns for the selected rows, if any.

        Chunks without such rows, and all other variables, keep their objects.
        """
        del arrays  # everything is read from the store
        opened, path, record = self.opened, plan.path, plan.record
        found, rows = yield from plan.finding(self.schema, self.immutable)
        if not found.count:
            return None
        after = self._applied(Window(rows, slice(0, found.count), found.count), path)
        if not after.all_variables():
            return None
        yield from self._check_keys_of_rows(after, plan, found)
        kept, changed = self._kept(record, after)
        rest = yield from plan.of_rows(found, opened.schema.select(changed))
        changing = Dataset(opened.schema, {**rest, **after.all_variables()})
        source = np.arange(record.rows)
        source[found.positions] = ~np.arange(found.count)
        group, written = partition_write(opened, Key(record.key), changing, rows=record.rows, kept=kept)
        axis = yield from self._axis(after, plan, found)
        limits = record.axis_range if axis is None else axis_range(opened, axis)
        group = evolve(group, base=partition_groups.group_of(opened, path, record), source=source, axis_values=axis)
        return (yield from stage.writing(path, group, evolve(written, axis_range=limits)))

    def _kept(self, record: PartitionRecord, returned: Dataset) -> tuple[frozenset[str], frozenset[str]]:
        """Return the variables that were not returned: those that keep their objects, and those that are written again.

        A partition has one layout: variables whose layout has changed since it was written are written again.
        """
        opened = self.opened
        stored = partition_groups.variables_in(opened, record, opened.configuration.rows_schema)
        rest = stored - returned.all_variables().keys()
        kept = rest & partition_groups.unchanged_variables(opened, record)
        return kept, rest - kept

    def _axis(self, after: Dataset, plan: RowsPlan, found: SelectedRows) -> Work[NDArray[Any] | None]:
        """Return the axis with the function's values in the selected rows; None if the function does not return the axis."""
        opened, axis = self.opened, self.opened.axis_variable
        if axis is None or axis not in after.all_variables():
            return None
        before = yield from partition_groups.reading_partition(
            opened, plan.path, plan.record, opened.schema.select([axis])
        )
        values: NDArray[Any] = before.get_variable(axis).to_numpy().copy()
        values[found.positions] = after.get_variable(axis).to_numpy()
        return values

    def _applied(self, window: Window, path: str) -> Dataset:
        """Return the variables that the function computed, of the declared types and the partition's length."""
        opened = self.opened
        after = applied(self.function, window, opened.schema, opened.dimension, path, conventions=self.conventions)
        return after.select(_written(self.opened, self.immutable, after))

    def _check_keys(self, after: Dataset, path: str, record: PartitionRecord) -> Work[None]:
        """Check that the rows still belong to their partition, if a variable of the partitioning was returned."""
        returned, others = self._columns_of_keys(after)
        if returned:
            rest = yield from partition_groups.reading_partition(self.opened, path, record, others)
            self._check_split(rest.all_variables(), after.select(returned), path)

    def _check_keys_of_rows(self, after: Dataset, plan: RowsPlan, found: SelectedRows) -> Work[None]:
        """Check that the selected rows still belong to their partition."""
        returned, others = self._columns_of_keys(after)
        if returned:
            rest = yield from plan.of_rows(found, others)
            self._check_split(rest, after.select(returned), plan.path)

    def _columns_of_keys(self, after: Dataset) -> tuple[list[str], DatasetSchema]:
        """Return the variables of the partitioning that were returned, and the others."""
        names = [normalise_path(name) for name in self.opened.partitioning.variables]
        returned = [name for name in names if name in after.all_variables()]
        return returned, self.opened.schema.select(name for name in names if name not in returned)

    def _check_split(self, rest: Mapping[str, Any], returned: Dataset, path: str) -> None:
        columns = Dataset(self.opened.schema, {**rest, **returned.all_variables()})
        found = [part.path for part in split(columns, self.opened.partitioning, dimension=self.opened.dimension)]
        if found != [path]:
            message = (
                f"the update of {', '.join(returned.all_variables())} moves rows of partition {path!r} to {', '.join(found)}; "
                f"insert them there and drop this partition instead"
            )
            raise PartitionError(message)


def _written(opened: OpenCollection, immutable: Mapping[str, NDArray[Any]], after: Dataset) -> list[str]:
    """Return the variables to write: all returned partitioned variables, as the function may change arrays in place.

    Raises
    ------
    SchemaError
        An immutable variable has other values than before.
    """
    written = []
    for path, variable in after.all_variables().items():
        if opened.dimension in variable.dimensions:
            written.append(path)
        elif path not in immutable or not same_values(immutable[path], variable.to_numpy()):
            message = (
                f"variable {path!r} is stored once for the whole collection, and an update works on partitions; change it "
                f"with insert(…, immutable='replace')"
            )
            raise SchemaError(message)
    return written
