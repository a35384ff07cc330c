"""The `Collection` class: the public operations on a collection."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Self, TypeVar, overload

from zcollection.collection import create, stores
from zcollection.collection.base import CollectionBase
from zcollection.collection.filters import Filter
from zcollection.collection.maintain import copy, statistics
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read import mapping, query, sampling, zones
from zcollection.collection.read.consistent_read import OnError
from zcollection.collection.read.keyed import Keys
from zcollection.collection.read.neighbours import Depth, as_halo
from zcollection.collection.read.request import Where
from zcollection.collection.read.rows import Rows
from zcollection.collection.read.sampling import PartitionSampling
from zcollection.collection.read.scan import BLOCK_SIZE, CollectionSource, Scan
from zcollection.collection.read.zones import PartitionZones
from zcollection.collection.report import ChangeReport, InsertReport, ReshapeReport
from zcollection.collection.stores import Location
from zcollection.collection.write import delete, drop, insert, repartition, rewrite, schema_changes, update
from zcollection.collection.write.conform import check_conventions
from zcollection.collection.write.drop import Age
from zcollection.collection.write.insert import Immutable
from zcollection.collection.write.merging import Merge
from zcollection.collection.write.prepare import InsertOptions, Missing, Unknown
from zcollection.collection.write.rewrite import Codecs, Lengths
from zcollection.collection.write.schema_changes import VariableFunction
from zcollection.collection.write.update import UpdateFunction
from zcollection.contracts.partitioning import Key, Partitioning
from zcollection.contracts.store import Mode
from zcollection.contracts.transactional import At
from zcollection.engine.dask_blocks import Chunks
from zcollection.engine.executors import ClientOption
from zcollection.model import bridges
from zcollection.model.conventions import Conventions
from zcollection.model.dataset import Dataset
from zcollection.model.schema import VariableSchema
from zcollection.portal import run_change, synchronous
from zcollection.progress import ProgressOption
from zcollection.transaction.documents import PartitionRecord

R = TypeVar("R")


class Collection(CollectionBase):
    """A dataset split along one axis into partitions, each of which is a Zarr group.

    Returned by `create_collection` and `open_collection`. Most methods have an asynchronous variant,
    whose name ends with ``_async``. A collection can be pickled: the pickle contains the URL and the options of its store.

    Every change is atomic, even if its task is cancelled or the program is interrupted (Ctrl-C). The method then raises
    `asyncio.CancelledError` (or `KeyboardInterrupt`) when its work has ended, which may be after the commit. In that
    case a note on the error says so; `history` lists the committed versions.
    """

    async def insert_async(
        self,
        dataset: object,
        *,
        merge: Merge = None,
        overwrite: bool = True,
        immutable: Immutable = "check",
        columns: Mapping[str, Any] | None = None,
        unknown: Unknown = "raise",
        missing: Missing = "raise",
        conventions: Conventions = "check",
        source: str | None = None,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> InsertReport:
        """Split a dataset into partitions and write them, as one change.

        The rows may be in any order. Variables may be dask arrays: the axis and the variables that the partitioning reads
        are computed first. All others are computed one partition at a time, by the worker that writes the partition.

        Parameters
        ----------
        dataset
            A Dataset, an `xarray.Dataset` or `xarray.DataTree`, a `pandas.DataFrame`, or a mapping from variable paths to
            arrays, to `xarray.Variable` or to `Variable`.
        merge
            How rows are combined with a partition that exists. None replaces the partition. Otherwise the name of a merge
            strategy ("concat", "time_series", "upsert", …), a merge strategy object, or a function ``(existing, inserted,
            *, axis, partitioning_dim)`` that returns the merged Dataset.
        overwrite
            False raises if a partition exists, before anything is written.
        immutable
            What to do if an immutable variable (one that does not span the axis) has other values than those stored:
            "check" raises, "replace" stores the new values.
        columns
            Values of variables that the dataset does not contain, by variable path: one value for all rows, such as a cycle
            number that only the file name contains, or one value per row.
        unknown
            What to do with variables that the collection does not have: "raise"; "drop", which ignores them; or "add",
            which adds them to the collection in the same version as the rows. Existing rows then read as the fill
            value.
        missing
            What to do if the dataset lacks a variable of the collection: "raise", or "fill", which gives the rows its fill
            value.
        conventions
            What to do if the attributes or the encoding of a variable give its numbers another meaning than the collection
            declares (units, packing, calendar, flags …): "check" converts them exactly or raises, "ignore" stores the
            numbers unchanged.
        source
            Name of the source of the rows, such as a file name. A source that was inserted before is not inserted again,
            so that a job that failed can simply be repeated; see `sources`.
        client
            A `distributed.Client`, or "active" for the current one: the workers of its cluster merge and write the
            partitions. The default is the client set in `zcollection.config`, or else threads of this process.
        progress
            True shows a progress bar; a function is called with (done, total).

        Returns
        -------
        InsertReport
            The paths of the partitions written, and the numbers of rows added, replaced, dropped and unchanged. Empty if `source`
            was inserted before.

        Raises
        ------
        SchemaError
            The dataset does not fit the schema, or its values have another meaning; nothing was written.
        PartitionError
            A row belongs to no partition; nothing was written.
        CollectionExistsError
            A partition exists and `overwrite` is False.
        ConflictError
            Other writers kept changing the same partitions.
        ReadOnlyError
            The collection was opened for reading.
        ClusterError
            Workers died too often; nothing was written.
        asyncio.CancelledError
            The task was cancelled. Either all rows were inserted or none: ``history()[-1]``, or ``sources()`` if `source`
            was given, shows which.
        """
        options = InsertOptions(columns=columns, unknown=unknown, missing=missing, conventions=conventions)
        report = await self._change(
            lambda opened: insert.insert(
                opened,
                dataset,
                merge=merge,
                overwrite=overwrite,
                immutable=immutable,
                options=options,
                source=source,
                client=client,
                progress=progress,
            )
        )
        if report.variables_added:
            self._opened = await self._opened.reloaded()
        return report

    insert = synchronous(insert_async)

    async def plan_async(
        self,
        dataset: object,
        *,
        merge: Merge = None,
        columns: Mapping[str, Any] | None = None,
        unknown: Unknown = "raise",
        missing: Missing = "raise",
        conventions: Conventions = "check",
        client: ClientOption = None,
    ) -> InsertReport:
        """Return the report that `insert` would return, without writing anything; the parameters are those of `insert`."""
        options = InsertOptions(columns=columns, unknown=unknown, missing=missing, conventions=conventions)
        return await self._run(lambda opened: insert.plan(opened, dataset, merge=merge, options=options, client=client))

    plan = synchronous(plan_async)

    async def query_async(
        self,
        *,
        filters: Filter = None,
        where: Where = None,
        variables: Iterable[str] | None = None,
        lazy: bool = False,
        chunks: Chunks | None = None,
        on_error: OnError = "raise",
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> Dataset | None:
        """Read the selected rows into one Dataset, in the order of the partition keys.

        Parameters
        ----------
        filters
            Which partitions to read: an expression over the components of their keys, such as ``"year == 2024 and month in
            range(3, 6)"``, a mapping from components to a value or values, or a function of the key. None selects all.
        where
            Which rows to read: a condition on variables whose only dimension is the partitioned one, such as ``"time >=
            '2024-01-03' and flag == 0"``; a condition of `zcollection.rows`, such as a box; or the `Rows` that `find`
            returned. Partitions and chunks without such rows are not read. None selects all.
        variables
            Paths of the variables to read; None selects all.
        lazy
            True returns lazy variables. Slicing them reads nothing; using their values reads only the chunks that
            contain the selected part. They raise `ConflictError` if another writer has changed one of their partitions
            in the meantime.
        chunks
            Return lazy dask arrays. ``{}`` makes one block per stored chunk of each partition. A mapping gives block
            lengths by dimension: a number of elements, which is rounded to whole chunks; -1 for the whole dimension; or
            "partition" for one block per partition. A number lets small partitions share a block.
        on_error
            What to do if a partition is damaged: "raise", or "skip", which omits the partition and warns.
        client
            As for `insert`. All rows are sent back to this process, so that a cluster rarely makes `query` faster; consider
            `chunks` and `map`.
        progress
            True shows a progress bar; a function is called with (done, total).

        Returns
        -------
        Dataset or None
            None if no partition matches. With `where`, always a Dataset, which may have no rows.

        Raises
        ------
        SchemaError
            A variable is unknown.
        ExpressionError
            The filter or the condition is invalid.
        OutdatedError
            `where` is a `Rows` whose partitions have changed since `find`.
        CorruptionError
            A chunk is missing or damaged.

        Warns
        -----
        CorruptionWarning
            A partition is damaged and was omitted; one warning per partition.
        """
        return await self._run(
            lambda opened: query.query(
                opened,
                filters=filters,
                where=where,
                variables=variables,
                lazy=lazy,
                chunks=chunks,
                on_error=on_error,
                client=client,
                progress=progress,
            )
        )

    query = synchronous(query_async, begins_here=True)

    async def scan_async(
        self,
        *,
        filters: Filter = None,
        where: Where = None,
        variables: Iterable[str] | None = None,
        keys: Keys = False,
        block_size: int = BLOCK_SIZE,
    ) -> Scan:
        """Return an iterable over the selected rows as a sequence of Datasets, in bounded memory; nothing is read yet.

        Parameters
        ----------
        filters, where, variables
            As for `query`.
        keys
            Fields of the partition key to return as variables of type int64, string or bool, whose value is the same in all
            rows of a partition: True for all fields, a list of some, or a mapping to other variable names, such as
            ``{"cycle": "cycle_number"}``.
        block_size
            Target size of one Dataset, in bytes. A Dataset contains at least one chunk of each variable. The variables of
            the condition are read for at least one whole partition at a time.

        Returns
        -------
        Scan
            An iterable of Datasets, for ``for`` and ``async for``.

        Raises
        ------
        SchemaError
            A variable is unknown, or has the same name as a field of the key.
        ExpressionError
            The condition is invalid.
        SettingError
            The partition key has no such field.
        """

        async def scan_of(opened: OpenCollection) -> Scan:
            source = CollectionSource.of(opened, filters=filters, where=where, variables=variables)
            return Scan.of(source, block_size=block_size, keys=keys)

        return await self._run(scan_of)

    scan = synchronous(scan_async, begins_here=True)

    async def find_async(
        self,
        where: Where,
        *,
        filters: Filter = None,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> Rows:
        """Find the rows that pass a condition, reading only the variables of the condition.

        Parameters
        ----------
        where, filters, client, progress
            As for `query`.

        Returns
        -------
        Rows
            The positions of the rows in each partition. A `Rows` has a length, supports ``a & b``, ``a | b`` and ``a - b``,
            and is accepted as `where` by the other methods.

        Raises
        ------
        ExpressionError
            The condition is invalid.
        CorruptionError
            A chunk is missing or damaged.
        """
        return await self._run(
            lambda opened: query.find(opened, filters=filters, where=where, client=client, progress=progress)
        )

    find = synchronous(find_async)

    async def count_async(
        self,
        where: Where = None,
        *,
        filters: Filter = None,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> int:
        """Count the rows that pass a condition, or all rows, reading only what is needed.

        Parameters
        ----------
        where, filters, client, progress
            As for `query`.
        """
        return await self._run(
            lambda opened: query.count(opened, filters=filters, where=where, client=client, progress=progress)
        )

    count = synchronous(count_async)

    async def sampling_async(
        self, *, filters: Filter = None, where: Where = None, progress: ProgressOption = None
    ) -> list[PartitionSampling]:
        """Return the sampling of the axis in each partition: runs of rows with a constant step, and their insertion times.

        The partitions are in the order of their keys. No values are read if a partition has statistics. `add_statistics` adds
        missing statistics to partitions that an older release wrote; the insertion times of their rows remain unknown.

        Parameters
        ----------
        filters, progress
            As for `query`.
        where
            Which rows, as for `query`; None selects all. With a condition, the axis is read, and partitions without such
            rows are omitted.

        Raises
        ------
        SchemaError
            The axis is not a variable, or its values are neither numbers nor times.
        ExpressionError
            `where` is invalid.
        CorruptionError
            A chunk is missing or damaged.
        """
        return await self._run(
            lambda opened: sampling.sampling(opened, filters=filters, where=where, progress=progress)
        )

    sampling = synchronous(sampling_async)

    async def zones_async(
        self, *, variables: Iterable[str] | None = None, filters: Filter = None, progress: ProgressOption = None
    ) -> list[PartitionZones]:
        """Return the bounds of variables in each zone of 256 rows, per partition in the order of the keys.

        The bounds come from the statistics of the partition; no values are read. The axis, latitudes, longitudes and
        variables declared with ``statistics=True`` have statistics. A partition without statistics has no bounds.

        Parameters
        ----------
        variables
            Paths of the variables; None selects all that have bounds.
        filters, progress
            As for `query`.

        Raises
        ------
        SchemaError
            A variable is unknown.
        """
        return await self._run(
            lambda opened: zones.zones(opened, variables=variables, filters=filters, progress=progress)
        )

    zones = synchronous(zones_async)

    def coverage(self, *, every: Any = None, gap: Any = None, filters: Filter = None, where: Where = None) -> Any:
        """Return the coverage of the axis: intervals with rows, gaps, and the fraction of the expected rows.

        Calls ``zcollection_coverage.coverage`` with these parameters, and returns its ``Coverage``.

        Raises
        ------
        MissingDependencyError
            zcollection-coverage is not installed.
        """
        measured = bridges.bridge("coverage", "coverage()").coverage
        return measured(self, every=every, gap=gap, filters=filters, where=where)

    def plot(
        self,
        variable: str | None = None,
        *,
        filters: Filter = None,
        where: Where = None,
        ax: Any = None,
        **options: Any,
    ) -> Any:
        """Draw the positions of rows on a map, coloured by a variable, and return the Matplotlib axes.

        Calls ``zcollection_plot.track`` with these parameters. A sample of the rows of a large collection is read and drawn.
        To draw the coverage of the axis, use ``collection.coverage().plot()``.

        Raises
        ------
        MissingDependencyError
            zcollection-plot is not installed.
        """
        drawn = bridges.bridge("plot", "plot()").track
        return drawn(self, variable, filters=filters, where=where, ax=ax, **options)

    async def partitions_async(self, *, filters: Filter = None) -> tuple[str, ...]:
        """Return the paths of the partitions that match, in the order of their keys."""
        return tuple(await self._run(lambda opened: query.records(opened, filters=filters)))

    partitions = synchronous(partitions_async)

    async def keys_async(self, *, filters: Filter = None) -> tuple[Key, ...]:
        """Return the keys of the partitions that match, in order."""
        return await self._run(lambda opened: query.keys(opened, filters=filters))

    keys = synchronous(keys_async)

    async def records_async(self, *, filters: Filter = None) -> Mapping[str, PartitionRecord]:
        """Return the catalog record of each partition that matches (key, number of rows, axis range, bytes …), by path."""
        return await self._run(lambda opened: query.records(opened, filters=filters))

    records = synchronous(records_async)

    @overload
    async def map_async(
        self,
        function: Callable[..., R],
        *,
        filters: Filter = None,
        where: Where = None,
        variables: Iterable[str] | None = None,
        depth: Depth = 0,
        reduce: None = None,
        on_error: OnError = "raise",
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> dict[str, R]: ...
    @overload
    async def map_async(
        self,
        function: Callable[..., R],
        *,
        filters: Filter = None,
        where: Where = None,
        variables: Iterable[str] | None = None,
        depth: Depth = 0,
        reduce: Callable[[R, R], R],
        on_error: OnError = "raise",
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> R | None: ...
    async def map_async(
        self,
        function: Callable[..., R],
        *,
        filters: Filter = None,
        where: Where = None,
        variables: Iterable[str] | None = None,
        depth: Depth = 0,
        reduce: Callable[[R, R], R] | None = None,
        on_error: OnError = "raise",
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> dict[str, R] | R | None:
        """Call a function with the rows of each selected partition, and return its results by path, or reduced to one.

        Parameters
        ----------
        function
            Called with the Dataset of one partition, on a worker thread or in a task of a cluster; it may call zcollection.
            If it has a parameter `own`, it also receives which of the rows belong to the partition itself: a slice, or
            positions.
        filters, variables, on_error, client, progress
            As for `query`. With a client, the function and the partition paths are sent to the workers, and the results are
            sent back.
        where
            As for `query`: the function receives the rows that pass. It is not called for partitions without such rows.
        depth
            Neighbouring rows before and after the partition along the axis that the function also receives: a number of
            rows, or a timedelta. They are read even if `filters` excludes their partitions, and from several partitions if
            necessary. At the ends of the axis there are fewer. With a depth, rows are sorted by the axis. Not accepted
            together with `where`.
        reduce
            A function that combines two results; its first argument is from partitions that are earlier in the order of
            the keys. Adjacent results are combined in a tree, on the workers if there are any, so the function must be
            associative. None returns all results.

        Returns
        -------
        dict, or the type that `reduce` returns
            With `reduce`, None if no partition matches.
        """
        halo = as_halo(depth)

        def mapped(opened: OpenCollection) -> "mapping.PartitionMap[R]":
            return mapping.PartitionMap.of(
                opened,
                function,
                filters=filters,
                where=where,
                variables=variables,
                halo=halo,
                on_error=on_error,
                client=client,
            )

        if reduce is None:
            return await self._run(lambda opened: mapped(opened).all(progress))
        return await self._run(lambda opened: mapped(opened).reduced(reduce, progress))

    map = synchronous(map_async)

    @overload
    async def update_async(
        self,
        function: UpdateFunction,
        *,
        filters: Filter = None,
        where: Where = None,
        variables: Iterable[str] | None = None,
        depth: Depth = 0,
        conventions: Conventions = "check",
        dry_run: Literal[False] = False,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> tuple[str, ...]: ...
    @overload
    async def update_async(
        self,
        function: UpdateFunction,
        *,
        filters: Filter = None,
        where: Where = None,
        variables: Iterable[str] | None = None,
        depth: Depth = 0,
        conventions: Conventions = "check",
        dry_run: Literal[True],
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> ChangeReport: ...
    async def update_async(
        self,
        function: UpdateFunction,
        *,
        filters: Filter = None,
        where: Where = None,
        variables: Iterable[str] | None = None,
        depth: Depth = 0,
        conventions: Conventions = "check",
        dry_run: bool = False,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> tuple[str, ...] | ChangeReport:
        """Replace values of variables by those that a function computes, in the selected partitions or rows, as one change.

        Parameters
        ----------
        function
            Called with the Dataset of one partition, on a worker thread or in a task of a cluster. It returns a Dataset, or
            a mapping from variable paths to arrays. Variables that it does not return are not changed. It may be called
            again for a partition if another writer changes it in the meantime, or if its worker dies.
        filters, variables, client, progress
            As for `query`: which partitions to update, and which variables the function receives. With a client, only the
            function and the partition paths are sent to the workers.
        where
            As for `query`: the function receives the rows that pass, in order, and only their values change.
        depth
            Neighbouring rows that the function also receives, as for `map`. It returns values for all rows that it receives;
            those of neighbouring rows are ignored. Not accepted together with `where`.
        conventions
            As for `insert`, for returned variables whose attributes describe their numbers.
        dry_run
            True writes nothing, and does not call the function.

        Returns
        -------
        tuple of str, or ChangeReport
            Paths of the updated partitions. With `dry_run`, the partitions and the numbers of rows that the function would
            receive.

        Raises
        ------
        SchemaError
            The function returned an unknown variable, or not as many rows as it received; nothing was written.
        PartitionError
            The returned values would move rows to another partition; nothing was written.
        """
        halo = as_halo(depth)
        check_conventions(conventions)
        if dry_run:
            return await self._run(lambda opened: update.planned(opened, filters=filters, where=where, client=client))
        return await self._change(
            lambda opened: update.update(
                opened,
                function,
                filters=filters,
                where=where,
                variables=variables,
                halo=halo,
                conventions=conventions,
                client=client,
                progress=progress,
            )
        )

    update = synchronous(update_async)

    async def delete_async(
        self,
        where: Where,
        *,
        filters: Filter = None,
        dry_run: bool = False,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> ChangeReport:
        """Delete the rows that pass a condition, as one change; partitions that become empty are dropped.

        Parameters
        ----------
        where, filters, client, progress
            As for `query`.
        dry_run
            True writes nothing.

        Returns
        -------
        ChangeReport
            The partitions, and how many of their rows were deleted, or would be.

        Raises
        ------
        ExpressionError
            The condition is missing or invalid; nothing was written.
        ReadOnlyError
            The collection was opened for reading.
        """
        if dry_run:
            return await self._run(lambda opened: delete.planned(opened, filters=filters, where=where, client=client))
        return await self._change(
            lambda opened: delete.delete(opened, filters=filters, where=where, client=client, progress=progress)
        )

    delete = synchronous(delete_async)

    async def drop_partitions_async(
        self, *, filters: Filter = None, older_than: Age = None, dry_run: bool = False
    ) -> tuple[str, ...]:
        """Drop the partitions that match both `filters` and `older_than`, as one change, and return their paths.

        Parameters
        ----------
        filters
            As for `query`; ``"True"`` matches all.
        older_than
            A time, or a timedelta before now: drops partitions whose largest axis value is before this time.
        dry_run
            True drops nothing.

        Raises
        ------
        ExpressionError
            Neither condition is given.
        """
        do = self._run if dry_run else self._change
        return await do(
            lambda opened: drop.drop_partitions(opened, filters=filters, older_than=older_than, dry_run=dry_run)
        )

    drop_partitions = synchronous(drop_partitions_async)

    async def copy_async(
        self,
        url: Location,
        *,
        filters: Filter = None,
        overwrite: bool = False,
        storage_options: Mapping[str, Any] | None = None,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> "Collection":
        """Copy the collection, or the partitions that match, to another location, and return the copy.

        Parameters
        ----------
        url, overwrite, storage_options
            As for `create_collection`.
        filters, client, progress
            As for `query`.
        """
        target = stores.versioning_of(await stores.open_store(url, mode="rw", storage_options=storage_options))
        made = await run_change(
            self._run,
            lambda opened: copy.copy(
                opened, target, filters=filters, overwrite=overwrite, client=client, progress=progress
            ),
        )
        return Collection(made, mode="rw")

    copy = synchronous(copy_async)

    async def add_variable_async(
        self,
        variable: VariableSchema,
        fn: VariableFunction | None = None,
        *,
        group: str = "",
        depth: Depth = 0,
        progress: ProgressOption = None,
    ) -> None:
        """Add a variable to the collection, as one change.

        Without a function no partition is written, and existing rows read as the fill value. Other processes that have
        opened the collection see the variable from their next operation on.

        Parameters
        ----------
        variable
            The variable; its dimensions must exist.
        fn
            Computes the variable in every partition. It is called with the Dataset of one partition, as for `update`, and
            returns the values, or a mapping from the path of the variable to the values. The stored bytes of all other
            variables do not change.
        group
            Path of the variable's group, which is created if necessary.
        depth
            Neighbouring rows that the function also receives, as for `map`.
        progress
            As for `query`.

        Raises
        ------
        SchemaError
            The variable exists, a dimension is unknown, the variable has neither a fill value nor a function, or the
            function returned values that do not fit; nothing was written.
        ReadOnlyError
            The collection was opened for reading.
        """
        halo = as_halo(depth)
        await self._change(
            lambda opened: schema_changes.add_variable(opened, variable, fn, group=group, halo=halo, progress=progress)
        )
        self._opened = await self._opened.reloaded()

    add_variable = synchronous(add_variable_async)

    async def add_statistics_async(self, names: Iterable[str] = (), *, progress: ProgressOption = None) -> None:
        """Store statistics of variables: the smallest and largest value of every 256 rows, so that conditions read less.

        The axis, and latitudes and longitudes (recognised by their CF attributes), always have statistics. Partitions without
        statistics, such as those that an older release wrote, also get them now, even if no variables are named. No chunk is
        written, and no partition changes. If the call is interrupted, repeat it: it continues where it stopped.

        Parameters
        ----------
        names
            Paths of variables of numbers, booleans or times whose only dimension is the partitioned one.
        progress
            As for `query`.

        Raises
        ------
        SchemaError
            A variable is unknown or cannot have statistics; nothing was written.
        ReadOnlyError
            The collection was opened for reading.
        """
        chosen = (names,) if isinstance(names, str) else tuple(names)
        self._opened = await self._change(lambda opened: statistics.add_statistics(opened, chosen, progress=progress))

    add_statistics = synchronous(add_statistics_async)

    async def drop_variable_async(self, name: str, *, progress: ProgressOption = None) -> None:
        """Drop a variable from the collection and from every partition, as one change.

        The stored bytes of all other variables do not change.

        Parameters
        ----------
        name
            Path of the variable.
        progress
            As for `query`.

        Raises
        ------
        SchemaError
            The variable is unknown, is the axis, or is read by the partitioning.
        ReadOnlyError
            The collection was opened for reading.
        """
        await self._change(lambda opened: schema_changes.drop_variable(opened, name, progress=progress))
        self._opened = await self._opened.reloaded()

    drop_variable = synchronous(drop_variable_async)

    async def repartition_async(
        self,
        partitioning: Partitioning | str,
        *,
        dry_run: bool = False,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> ReshapeReport:
        """Change the partitioning of the collection in place, as one change: for example from daily to monthly partitions.

        The rows of a new partition are sorted by the axis; rows with equal axis values keep the order in which `query`
        returned them. Readers see either the old partitions or the new ones. Each thread needs memory for one old and
        one new partition. If the call fails or is interrupted, repeat it: on key-value stores, finished partitions are
        not written again. If another writer changes partitions in the meantime, only the partitions made from them are
        written again.

        Parameters
        ----------
        partitioning
            As for `create_collection`. If it equals the current partitioning, nothing is done.
        dry_run
            True writes nothing, and reads only the variables that the partitioning needs.
        client
            As for `insert`.
        progress
            As for `query`: first for the partitions that are examined, then for those that are written.

        Returns
        -------
        ReshapeReport
            The numbers of partitions and bytes before the change and after it (with `dry_run`, as expected).

        Raises
        ------
        SchemaError
            The partitioning does not fit the collection; nothing was written.
        PartitionError
            A row belongs to no partition of the new partitioning; nothing was written.
        ConflictError
            Other writers kept changing the collection.
        ReadOnlyError
            The collection was opened for reading.
        """
        do = self._run if dry_run else self._change
        report = await do(
            lambda opened: repartition.repartition(
                opened, partitioning, dry_run=dry_run, client=client, progress=progress
            )
        )
        if not dry_run:
            self._opened = await self._opened.reloaded()
        return report

    repartition = synchronous(repartition_async)

    async def rewrite_async(
        self,
        *,
        codecs: Codecs = None,
        chunks: Lengths = None,
        shards: Lengths = None,
        dry_run: bool = False,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> ReshapeReport:
        """Rewrite the partitions with other codecs, chunks or shards, as one change; values and partitions do not change.

        Without codecs, chunks and shards, it rewrites partitions with an older layout, such as those written before a variable
        was added, in the current layout. Partitions that already have the requested layout are not written. Concurrent reads,
        memory and interruption are as for `repartition`.

        Parameters
        ----------
        codecs
            The name of a codec profile, such as "cloud-balanced", or a sequence of codecs, for all variables; or a mapping
            from variable paths to one of these. As for `VariableSchema`.
        chunks, shards
            Lengths by dimension, or one number of rows. They apply to all variables that have the dimension. A chunk length
            of None lets zcollection choose; a shard length of None means no shards.
        dry_run
            True writes nothing.
        client, progress
            As for `insert` and `query`.

        Returns
        -------
        ReshapeReport
            The partitions written, and the numbers of bytes before the change and after it.

        Raises
        ------
        SchemaError
            A variable or a dimension is unknown, a codec does not accept the values, or a shard is not a multiple of the
            chunk; nothing was written.
        ConflictError
            Other writers kept changing the collection.
        ReadOnlyError
            The collection was opened for reading.
        """
        do = self._run if dry_run else self._change
        report = await do(
            lambda opened: rewrite.rewrite(
                opened,
                codecs=codecs,
                chunks=chunks,
                shards=shards,
                dry_run=dry_run,
                client=client,
                progress=progress,
            )
        )
        if not dry_run:
            self._opened = await self._opened.reloaded()
        return report

    rewrite = synchronous(rewrite_async)

    @classmethod
    async def _create(cls, location: Location, *, storage_options: Mapping[str, Any] | None, **options: Any) -> Self:
        store = await stores.open_store(location, mode="rw", storage_options=storage_options)
        return cls(await run_change(create.create, stores.versioning_of(store), **options), mode="rw")

    @classmethod
    async def _open(cls, location: Location, *, mode: Mode, at: At, storage_options: Mapping[str, Any] | None) -> Self:
        store = await stores.open_store(location, mode=mode, storage_options=storage_options)
        versioning = await stores.versioning_at(store, mode=mode, at=at)
        return cls(OpenCollection(versioning, await stores.load_collection(versioning)), mode=mode)
