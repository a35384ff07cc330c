"""The collection, as users hold it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Self, TypeVar, overload

from zcollection.collection import create, stores
from zcollection.collection.base import CollectionBase
from zcollection.collection.filters import Filter
from zcollection.collection.maintain import copy, statistics
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read import mapping, query, sampling, zones
from zcollection.collection.read.asking import Where
from zcollection.collection.read.keyed import Keys
from zcollection.collection.read.neighbours import Depth, as_halo
from zcollection.collection.read.reading import OnError
from zcollection.collection.read.rows import Rows
from zcollection.collection.read.sampling import PartitionSampling
from zcollection.collection.read.scan import BLOCK_SIZE, Scan, ScannedCollection
from zcollection.collection.read.zones import PartitionZones
from zcollection.collection.report import ChangeReport, InsertReport, ReshapeReport
from zcollection.collection.stores import Location
from zcollection.collection.write import delete, drop, growth, insert, repartition, rewrite, update
from zcollection.collection.write.conform import check_conventions
from zcollection.collection.write.delivery import Missing, Reading, Unknown
from zcollection.collection.write.drop import Age
from zcollection.collection.write.growth import VariableFunction
from zcollection.collection.write.insert import Immutable
from zcollection.collection.write.merging import Merge
from zcollection.collection.write.rewrite import Codecs, Lengths
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
    """A dataset split along one axis into partitions, each a Zarr group.

    Made by `create_collection` and `open_collection`. Every verb has a twin whose name ends with ``_async``. A
    collection pickles, by the URL and options of its store.

    A verb whose task is cancelled, or that is interrupted (Ctrl-C), leaves all of its change or nothing of it. It raises
    `asyncio.CancelledError` (or `KeyboardInterrupt`) once its work has ended, which may be after the commit: a note on the
    error says so, and `history` settles it.
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
        """Insert rows, in any order, as one change.

        Variables may be lazy (arrays of dask, in ours or xarray's): those that split and order the rows are computed
        first, all others one partition at a time, where the partition is written.

        Parameters
        ----------
        dataset
            A Dataset, an `xarray.Dataset` or `xarray.DataTree`, a `pandas.DataFrame`, or a mapping from variable paths to
            arrays, or to variables of ours or of xarray's.
        merge
            What happens to a partition that exists: None replaces it; else the name of a merge strategy ("concat",
            "time_series", "upsert", …), a configured one, or a function ``(existing, inserted, *, axis,
            partitioning_dim)`` that returns the merged Dataset.
        overwrite
            False raises, before anything is written, if a partition exists.
        immutable
            What happens when a variable that does not span the axis is inserted with other values than those stored:
            "check" raises, "replace" stores the new ones.
        columns
            Values that are not in the dataset, by the path of their variable: one for all rows, such as the cycle that only
            the name of a file says, or one for each.
        unknown
            What happens to variables that the collection does not have: "raise", "drop" leaves them out, "add" adds them to
            the collection, with a fill value for the rows that are there, in the same version as the rows.
        missing
            What happens where the dataset lacks a variable that the collection has: "raise", or "fill", which gives the rows
            its fill value.
        conventions
            What happens where attributes or the encoding of a variable say that its numbers mean something else than the
            collection declares (units, packing, calendar, flags …): "check" converts them exactly or raises, "ignore" takes
            the numbers as they are.
        source
            Name of what is inserted, such as that of a file. A source that was inserted before is not inserted again,
            so that a job that died can be run again; see `sources`.
        client
            A `distributed.Client`, or "active" for the one that is: partitions are merged and written on the workers of
            its cluster. By default what `zcollection.config` says, and threads where that says nothing.
        progress
            True shows a bar; a function is called with (done, total).

        Returns
        -------
        InsertReport
            The paths of the partitions written, and what became of their rows; none for a source that is known.

        Raises
        ------
        SchemaError
            The dataset does not fit the schema, or means something else; nothing was written.
        PartitionError
            A row has no partition; nothing was written.
        CollectionExistsError
            A partition exists and `overwrite` is False.
        ConflictError
            Other writers kept changing the same partitions.
        ReadOnlyError
            The collection was opened for reading.
        ClusterError
            The workers died, too many times; nothing was written.
        asyncio.CancelledError
            The task was cancelled. The rows are there or not, all of them: ``history()[-1]`` says which, or ``sources()``
            where a `source` was given.
        """
        reading = Reading(columns=columns, unknown=unknown, missing=missing, conventions=conventions)
        report = await self._change(
            lambda opened: insert.insert(
                opened,
                dataset,
                merge=merge,
                overwrite=overwrite,
                immutable=immutable,
                reading=reading,
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
        """Return what `insert` would do, without writing anything; the parameters are those of `insert`."""
        reading = Reading(columns=columns, unknown=unknown, missing=missing, conventions=conventions)
        return await self._now(lambda opened: insert.plan(opened, dataset, merge=merge, reading=reading, client=client))

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
        """Return rows, in the order of the partitions' keys.

        Parameters
        ----------
        filters
            Which partitions: an expression over the components of their keys, such as ``"year == 2024 and month in
            range(3, 6)"``, a mapping from components to a value or values, or a function of the key. None reads all.
        where
            Which rows: a condition on variables that span the partitioned dimension alone, such as ``"time >= '2024-01-03'
            and flag == 0"``, one of `zcollection.rows`, such as a box, or the `Rows` that `find` returned. Only what may
            hold such rows is read. None reads all.
        variables
            Paths of the variables to read; None reads all.
        lazy
            Read nothing yet: the variables read, when their values are asked for, only the chunks that hold what has
            been selected of them by then. Values asked for after a partition of theirs was changed raise
            `ConflictError`.
        chunks
            Return arrays of dask, which are as lazy: one block for each stored chunk of each partition where this is
            ``{}``. Else lengths by dimension: a number, which is rounded to whole chunks, -1 for all, or "partition" for
            one block for each partition; small partitions share a block of the length given.
        on_error
            What happens where a partition is damaged: "raise", or "skip", which leaves it out and warns of it.
        client
            As for `insert`. The rows come back to this process, so that a cluster seldom pays; see `chunks` and `map`.
        progress
            True shows a bar; a function is called with (done, total).

        Returns
        -------
        Dataset or None
            None when no partition matches; with `where` a Dataset in any case, of no rows where none passes.

        Raises
        ------
        SchemaError
            A variable is unknown.
        ExpressionError
            The filter or the condition cannot be understood.
        OutdatedError
            The partitions of the rows have changed since they were found.
        CorruptionError
            A chunk is missing or damaged.

        Warns
        -----
        CorruptionWarning
            A partition is damaged and was left out; there is one warning for each.
        """
        return await self._now(
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
        """Return the rows of `query` to be read a part at a time, in bounded memory; nothing is read yet.

        Parameters
        ----------
        filters, where, variables
            As for `query`.
        keys
            Fields of the partition keys that become variables, each of one value in all rows of a partition: True for all
            of them, a list for some, a mapping such as ``{"cycle": "cycle_number"}`` for variables of other names. They
            are int64, string or bool.
        block_size
            Bytes of the variables of one part. No part is smaller than a chunk of each, and the columns of a condition are
            read of one whole partition at least.

        Returns
        -------
        Scan
            Datasets to be iterated over: with ``for``, or with ``async for``.

        Raises
        ------
        SchemaError
            A variable is unknown, or one that is read has the name of a field.
        ExpressionError
            The condition cannot be understood.
        SettingError
            There is no such field.
        """

        async def asked(opened: OpenCollection) -> Scan:
            scanned = ScannedCollection.of(opened, filters=filters, where=where, variables=variables)
            return Scan.of(scanned, block_size=block_size, keys=keys)

        return await self._now(asked)

    scan = synchronous(scan_async, begins_here=True)

    async def find_async(
        self,
        where: Where,
        *,
        filters: Filter = None,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> Rows:
        """Return which rows of which partitions pass a condition; of all other variables nothing is read.

        Parameters
        ----------
        where, filters, client, progress
            As for `query`.

        Returns
        -------
        Rows
            They have a length, and combine: ``a & b``, ``a | b``, ``a - b``. They are used as `where` of the other verbs.

        Raises
        ------
        ExpressionError
            The condition cannot be understood.
        CorruptionError
            A chunk is missing or damaged.
        """
        return await self._now(
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
        """Return how many rows pass a condition, or how many there are; no more is read than that takes.

        Parameters
        ----------
        where, filters, client, progress
            As for `query`.
        """
        return await self._now(
            lambda opened: query.count(opened, filters=filters, where=where, client=client, progress=progress)
        )

    count = synchronous(count_async)

    async def sampling_async(
        self, *, filters: Filter = None, where: Where = None, progress: ProgressOption = None
    ) -> list[PartitionSampling]:
        """Return how the axis is sampled in each partition: runs of rows with one step, and when they were brought.

        Partitions come in the order of their keys. No value is read where the statistics of a partition say it; `add_statistics`
        completes those that an older release wrote, but for when rows were brought, which no value tells.

        Parameters
        ----------
        filters, progress
            As for `query`.
        where
            Which rows, as for `query`; by default all. With it the axis is read, and partitions without such rows are left out.

        Raises
        ------
        SchemaError
            The axis is no variable, or neither numbers nor times.
        ExpressionError
            `where` cannot be understood.
        CorruptionError
            A chunk is missing or damaged.
        """
        return await self._now(
            lambda opened: sampling.sampling(opened, filters=filters, where=where, progress=progress)
        )

    sampling = synchronous(sampling_async)

    async def zones_async(
        self, *, variables: Iterable[str] | None = None, filters: Filter = None, progress: ProgressOption = None
    ) -> list[PartitionZones]:
        """Return the bounds of variables in zones of 256 rows, of each partition in the order of the keys; no value is read.

        They are what the statistics keep: of the axis, of latitudes and longitudes, and of variables declared with
        ``statistics=True``. A partition without statistics has none.

        Parameters
        ----------
        variables
            Paths of the variables; None for all of which there are bounds.
        filters, progress
            As for `query`.

        Raises
        ------
        SchemaError
            A variable is unknown.
        """
        return await self._now(
            lambda opened: zones.zones(opened, variables=variables, filters=filters, progress=progress)
        )

    zones = synchronous(zones_async)

    def coverage(self, *, every: Any = None, gap: Any = None, filters: Filter = None, where: Where = None) -> Any:
        """Return what is there along the axis, and what is missing: gaps, intervals, and the share of the rows expected.

        Calls ``zcollection_coverage.coverage``, whose parameters these are, and returns its ``Coverage``.

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
        """Draw where rows are on a map, coloured by a variable, and return the axes of Matplotlib.

        Calls ``zcollection_plot.track``, whose parameters these are. Of a large collection some rows are read and drawn. What there
        is along the axis is drawn by the ``plot`` of `coverage`.

        Raises
        ------
        MissingDependencyError
            zcollection-plot is not installed.
        """
        drawn = bridges.bridge("plot", "plot()").track
        return drawn(self, variable, filters=filters, where=where, ax=ax, **options)

    async def partitions_async(self, *, filters: Filter = None) -> tuple[str, ...]:
        """Return the paths of the partitions that match, in the order of their keys."""
        return tuple(await self._now(lambda opened: query.records(opened, filters=filters)))

    partitions = synchronous(partitions_async)

    async def keys_async(self, *, filters: Filter = None) -> tuple[Key, ...]:
        """Return the keys of the partitions that match, in order."""
        return await self._now(lambda opened: query.keys(opened, filters=filters))

    keys = synchronous(keys_async)

    async def records_async(self, *, filters: Filter = None) -> Mapping[str, PartitionRecord]:
        """Return what each partition that matches says of itself (key, rows, axis range, bytes …), by path."""
        return await self._now(lambda opened: query.records(opened, filters=filters))

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
        """Return the result of a function for each partition that matches, by path; or all results combined.

        Parameters
        ----------
        function
            Called on a worker thread, or in a task of a cluster, with the Dataset of one partition; it may call
            zcollection. If it has a parameter `own`, it is told by it which rows are the partition's own: a slice, or
            positions.
        filters, variables, on_error, client, progress
            As for `query`. With a client the function and the paths of partitions go to the workers, and its results
            come back.
        where
            As for `query`: the function is given the rows that pass, of partitions that have such.
        depth
            Neighbouring rows that the function is given too, before and after those of the partition along the axis: a
            number of rows, or a timedelta. They are read from the collection even where `filters` excludes them, of
            several partitions where one has too few; at the ends of the axis there are those that exist. With a depth,
            all rows come in the order of the axis. None with `where`.
        reduce
            Combines two results, of which the first is that of earlier partitions in the order of the keys. Neighbours
            are combined in a tree, on the workers where there are such, so that it must not matter which are combined
            first. None returns all results.

        Returns
        -------
        dict, or what `reduce` returns
            None where there is a `reduce` and no partition matches.
        """
        halo = as_halo(depth)

        def mapped(opened: OpenCollection) -> "mapping.Mapping[R]":
            return mapping.Mapping.of(
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
            return await self._now(lambda opened: mapped(opened).all(progress))
        return await self._now(lambda opened: mapped(opened).reduced(reduce, progress))

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
        """Compute variables of the partitions that match anew, or of some of their rows, as one change.

        Parameters
        ----------
        function
            Called on a worker thread, or in a task of a cluster, with the Dataset of one partition; returns a Dataset,
            or a mapping from variable paths to arrays. Variables that it does not return stay as they are. It may be
            called again for a partition that another writer changed meanwhile, or whose worker died.
        filters, variables, client, progress
            As for `query`: which partitions, and which variables the function is given. With a client only the function
            and the paths of partitions go to the workers.
        where
            As for `query`: the function is given the rows that pass, in order, and only their values change.
        depth
            Neighbouring rows that the function is given too, as for `map`. It returns values for all rows that it is
            given, and those of the partition's own are kept. None with `where`.
        conventions
            As for `insert`, where the function returns variables that state what their numbers mean.
        dry_run
            True writes nothing, and does not call the function.

        Returns
        -------
        tuple of str, or ChangeReport
            Paths of the partitions, with `where` of those that have such rows; with `dry_run` how many rows of which
            partitions the function would be given.

        Raises
        ------
        SchemaError
            The function returned something unknown, or another number of rows; nothing was written.
        PartitionError
            Its values would move rows to another partition; nothing was written.
        """
        halo = as_halo(depth)
        check_conventions(conventions)
        if dry_run:
            return await self._now(lambda opened: update.planned(opened, filters=filters, where=where, client=client))
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
        """Delete the rows that pass a condition, as one change; partitions without other rows are dropped.

        Parameters
        ----------
        where, filters, client, progress
            As for `query`.
        dry_run
            True writes nothing.

        Returns
        -------
        ChangeReport
            How many rows of which partitions are gone, or would be.

        Raises
        ------
        ExpressionError
            There is no condition, or it cannot be understood; nothing was written.
        ReadOnlyError
            The collection was opened for reading.
        """
        if dry_run:
            return await self._now(lambda opened: delete.planned(opened, filters=filters, where=where, client=client))
        return await self._change(
            lambda opened: delete.delete(opened, filters=filters, where=where, client=client, progress=progress)
        )

    delete = synchronous(delete_async)

    async def drop_partitions_async(
        self, *, filters: Filter = None, older_than: Age = None, dry_run: bool = False
    ) -> tuple[str, ...]:
        """Drop the partitions that match both conditions, as one change, and return their paths.

        Parameters
        ----------
        filters
            As for `query`; ``"True"`` matches all.
        older_than
            A time, or a timedelta before now: drops partitions whose largest axis value lies before it.
        dry_run
            True drops nothing.

        Raises
        ------
        ExpressionError
            Neither condition is given.
        """
        do = self._now if dry_run else self._change
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
        """Copy the collection, or the partitions that match, to a new place, and return the copy.

        Parameters
        ----------
        url, overwrite, storage_options
            As for `create_collection`.
        filters, client, progress
            As for `query`.
        """
        target = stores.versioning_of(await stores.open_store(url, mode="rw", storage_options=storage_options))
        made = await run_change(
            self._now,
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
        """Add a variable, as one change.

        Without a function no partition is written: those that are there read as fill. Collections that others hold open
        have the variable from their next operation on.

        Parameters
        ----------
        variable
            The variable; it uses dimensions that there are.
        fn
            Computes it in every partition, as for `update`: called with the Dataset of one, it returns the values, or a
            mapping from its path to them. All other variables keep their bytes.
        group
            Path of its group, which may be new.
        depth
            Neighbouring rows that the function is given too, as for `map`.
        progress
            As for `query`.

        Raises
        ------
        SchemaError
            There is such a variable, a dimension is unknown, there is neither a fill value nor a function, or the function
            returned something that does not fit; nothing was written.
        ReadOnlyError
            The collection was opened for reading.
        """
        halo = as_halo(depth)
        await self._change(
            lambda opened: growth.add_variable(opened, variable, fn, group=group, halo=halo, progress=progress)
        )
        self._opened = await self._opened.reloaded()

    add_variable = synchronous(add_variable_async)

    async def add_statistics_async(self, names: Iterable[str] = (), *, progress: ProgressOption = None) -> None:
        """Keep the smallest and largest value of every 256 rows of variables, so that conditions on them read less.

        Of the axis, and of latitudes and longitudes by their CF attributes, they are kept in any case. Partitions that have
        none yet, such as those that an older release wrote, get theirs now, whichever variables are named. No chunk is
        written, and no partition changes. What is interrupted goes on where it is called again.

        Parameters
        ----------
        names
            Paths of variables of one dimension, the partitioned one, whose values are numbers, booleans or times.
        progress
            As for `query`.

        Raises
        ------
        SchemaError
            A variable is unknown, or cannot have statistics; nothing was written.
        ReadOnlyError
            The collection was opened for reading.
        """
        chosen = (names,) if isinstance(names, str) else tuple(names)
        self._opened = await self._change(lambda opened: statistics.add_statistics(opened, chosen, progress=progress))

    add_statistics = synchronous(add_statistics_async)

    async def drop_variable_async(self, name: str, *, progress: ProgressOption = None) -> None:
        """Drop a variable, as one change: nothing of it remains in any partition; the others keep their bytes.

        Parameters
        ----------
        name
            Path of the variable.
        progress
            As for `query`.

        Raises
        ------
        SchemaError
            It is unknown, or it is the axis or read by the partitioning.
        ReadOnlyError
            The collection was opened for reading.
        """
        await self._change(lambda opened: growth.drop_variable(opened, name, progress=progress))
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
        """Partition the collection in another way, as one change: daily partitions become monthly, in place.

        The rows of a new partition are in the order of the axis; rows of one axis value stay in the order in which `query`
        returned them. Readers see the old partitions or the new ones. Memory holds one partition of each for every thread.
        A call that died or was interrupted is called again: what it had finished is not made again, on stores without
        snapshots of their own. Where another writer changes partitions meanwhile, only those made from them are made again.

        Parameters
        ----------
        partitioning
            As for `create_collection`. If it is the one that there is, nothing is done.
        dry_run
            True writes nothing, and reads only the variables that the partitioning needs.
        client
            As for `insert`.
        progress
            As for `query`: first for the partitions that are looked at, then for those that are written.

        Returns
        -------
        ReshapeReport
            How many partitions and bytes there were, and are or would be.

        Raises
        ------
        SchemaError
            The partitioning does not fit the collection; nothing was written.
        PartitionError
            It refuses a row; nothing was written.
        ConflictError
            Other writers kept changing the collection.
        ReadOnlyError
            The collection was opened for reading.
        """
        do = self._now if dry_run else self._change
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
        """Write the partitions with other codecs, chunks or shards, as one change; values and partitions stay what they are.

        Without any of them, partitions that are of an older layout, such as from before a variable was added, are written as
        they would be now. Partitions that are so already are left alone. Readers, memory and what is interrupted are as for
        `repartition`.

        Parameters
        ----------
        codecs
            The name of a profile, such as "cloud-balanced", or a sequence of codecs, for all variables; or one of these for
            some, by their paths. As for `VariableSchema`.
        chunks, shards
            Lengths by dimension, of which None leaves the choice to the engine and means no shards; or rows. They hold for
            all variables of the dimension.
        dry_run
            True writes nothing.
        client, progress
            As for `insert` and `query`.

        Returns
        -------
        ReshapeReport
            Which partitions were written, and how many bytes there were and are.

        Raises
        ------
        SchemaError
            A variable or a dimension is unknown, a codec refuses the values, or shards are no multiple of chunks; nothing
            was written.
        ConflictError
            Other writers kept changing the collection.
        ReadOnlyError
            The collection was opened for reading.
        """
        do = self._now if dry_run else self._change
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
