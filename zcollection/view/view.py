"""The `View` class: the public operations on a view."""

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Self, TypeVar

from attrs import evolve

from zcollection.collection import stores
from zcollection.collection.collection import Collection
from zcollection.collection.filters import Filter
from zcollection.collection.maintain.maintained import Maintained, section_of
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read import query as _query
from zcollection.collection.read.keyed import Keys
from zcollection.collection.read.neighbours import Depth, as_halo
from zcollection.collection.read.request import Where
from zcollection.collection.read.rows import Rows
from zcollection.collection.read.scan import BLOCK_SIZE, Scan
from zcollection.collection.stores import Location
from zcollection.collection.write.conform import check_conventions
from zcollection.collection.write.update import UpdateFunction
from zcollection.contracts.computation import Computation
from zcollection.contracts.partitioning import Key, Partitioning
from zcollection.contracts.store import Mode, Store
from zcollection.contracts.transactional import At
from zcollection.engine.dask_blocks import Chunks
from zcollection.engine.executors import ClientOption
from zcollection.errors import ExpressionError, ReadOnlyError, SchemaChangedError, SchemaError
from zcollection.model import bridges
from zcollection.model.conventions import Conventions
from zcollection.model.dataset import Dataset
from zcollection.model.formatting import listed
from zcollection.model.schema import DatasetSchema, parts_of_schema
from zcollection.model.sections import Part, Section
from zcollection.portal import run, run_change, synchronous
from zcollection.progress import ProgressOption
from zcollection.registry.stored import StoredForm
from zcollection.view import create, reading, refresh, snapshot
from zcollection.view.chain import as_computations
from zcollection.view.open_view import OpenView
from zcollection.view.reading import Stale
from zcollection.view.reference import resolve
from zcollection.view.refresh import RefreshReport
from zcollection.view.scan import ViewSource
from zcollection.view.staleness import ViewStatus

R = TypeVar("R")


class View(Maintained):
    """Variables derived from a base collection and stored in a separate store; the base is never written to.

    Returned by `create_view` and `open_view`. A view always has the current rows of its base. In partitions that the
    view has not computed, or whose rows in the base have changed since, the view's variables read as their fill value.
    Most methods have an asynchronous variant, whose name ends with ``_async``. A view can be pickled: the pickle
    contains the URLs and the options of both stores.
    """

    def __init__(self, opened: OpenView, *, mode: Mode) -> None:
        self._opened = opened
        self._mode = mode

    @classmethod
    async def create_async(
        cls,
        url_or_store: Location,
        *,
        base: Location | Collection,
        variables: object = None,
        computation: Computation | Iterable[Computation] | None = None,
        shadow: bool = False,
        conventions: Conventions = "check",
        reference: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        storage_options: Mapping[str, Any] | None = None,
        base_options: Mapping[str, Any] | None = None,
    ) -> Self:
        """Create a view; see `zcollection.create_view`."""
        check_conventions(conventions)
        computations = () if computation is None else as_computations(computation)
        base_opened = await _base(base, base_options)
        store = await stores.open_store(url_or_store, mode="rw", storage_options=storage_options)
        opened = await run_change(
            create.create,
            stores.versioning_of(store),
            base_opened,
            variables=variables,
            computations=computations,
            shadow=shadow,
            conventions=conventions,
            reference=reference,
            overwrite=overwrite,
        )
        return cls(opened, mode="rw")

    @classmethod
    def create(cls, url_or_store: Location, *, base: Location | Collection, **options: Any) -> Self:
        """Create a view; the parameters are those of `zcollection.create_view`."""
        return run(cls.create_async, url_or_store, base=base, **options)

    @classmethod
    async def open_async(
        cls,
        url_or_store: Location,
        *,
        mode: Mode = "r",
        at: At = None,
        base: Location | Collection | None = None,
        storage_options: Mapping[str, Any] | None = None,
        base_options: Mapping[str, Any] | None = None,
    ) -> Self:
        """Open a view; see `zcollection.open_view`."""
        store = await stores.open_store(url_or_store, mode=mode, storage_options=storage_options)
        versioning = stores.versioning_of(store)
        if at is not None:
            versioning = await stores.versioning_at(store, mode=mode, at=at)
        own = OpenCollection(versioning, await create.load(versioning))
        reference = "" if own.configuration.view is None else own.configuration.view.base
        found = resolve(reference, store.url) if base is None else base
        opened = OpenView(await _base(found, base_options), own)
        await opened.check_fits()
        opened.check_computations()
        return cls(opened, mode=mode)

    @classmethod
    def open(cls, url_or_store: Location, **options: Any) -> Self:
        """Open a view; the parameters are those of `zcollection.open_view`."""
        return run(cls.open_async, url_or_store, **options)

    @property
    def store(self) -> Store:
        """The store of the view."""
        return self._opened.own.store

    @property
    def base(self) -> Collection:
        """The base collection, open for reading."""
        return Collection(self._opened.base, mode="r")

    @property
    def schema(self) -> DatasetSchema:
        """The schema of the base together with the variables of the view."""
        return self._opened.schema

    @property
    def variables(self) -> tuple[str, ...]:
        """Paths of the view's own variables."""
        return tuple(self._opened.own.schema.all_variables())

    @property
    def computations(self) -> tuple[StoredForm, ...]:
        """The stored computations of the view, even if their plugins are missing; empty if `update` computes the variables."""
        return self._opened.definition.computations

    @property
    def axis(self) -> str:
        """The variable of the base whose values order and identify rows."""
        return self._opened.base.configuration.axis

    @property
    def dimension(self) -> str:
        """The partitioned dimension of the base and the view."""
        return self._opened.base.dimension

    @property
    def partitioning(self) -> Partitioning:
        """The partitioning of the base, which the view shares."""
        return self._opened.base.partitioning

    @property
    def read_only(self) -> bool:
        """Whether every write raises `ReadOnlyError`."""
        return self._mode == "r"

    async def query_async(
        self,
        *,
        filters: Filter = None,
        where: Where = None,
        variables: Iterable[str] | None = None,
        lazy: bool = False,
        chunks: Chunks | None = None,
        stale: Stale = "fill",
        progress: ProgressOption = None,
    ) -> Dataset | None:
        """Read the selected rows of the base, together with the variables of the view, into one Dataset.

        Parameters
        ----------
        filters, where, lazy, chunks, progress
            As for `Collection.query`; a condition may use variables of the base and of the view.
        variables
            Paths of variables of the base or of the view; None selects all.
        stale
            How to read the view's variables in partitions that are not current: "fill" returns their fill value, "compute"
            computes them without storing them, "error" raises.

        Returns
        -------
        Dataset or None
            None if no partition matches; with `where`, always a Dataset. If the base and the view have variables with the
            same path, those of the view are returned.

        Raises
        ------
        SchemaError
            A variable is unknown, or `stale` is "compute" and the view has no computation.
        StaleError
            A partition is not current, and `stale` is "error"; or the base has been repartitioned since the last refresh.
        ExpressionError
            The filter or the condition is invalid.
        CorruptionError
            A chunk is missing or damaged.
        """
        return await self._run_on_view(
            lambda opened: reading.query(
                opened,
                filters=filters,
                where=where,
                variables=variables,
                lazy=lazy,
                chunks=chunks,
                stale=stale,
                progress=progress,
            )
        )

    query = synchronous(query_async)

    async def scan_async(
        self,
        *,
        filters: Filter = None,
        where: Where = None,
        variables: Iterable[str] | None = None,
        keys: Keys = False,
        block_size: int = BLOCK_SIZE,
        stale: Stale = "fill",
    ) -> Scan:
        """Return an iterable over the selected rows as a sequence of Datasets, in bounded memory; nothing is read yet.

        Parameters
        ----------
        filters, where, variables, stale
            As for `query`. With ``stale="compute"``, a partition that is not current is computed as a whole.
        keys, block_size
            As for `Collection.scan`.

        Returns
        -------
        Scan
            An iterable of Datasets, for ``for`` and ``async for``.

        Raises
        ------
        SchemaError
            A variable is unknown or has the same name as a key field, or `stale` is "compute" and the view has no
            computation.
        ExpressionError
            The condition is invalid.
        SettingError
            A parameter has a value that is not accepted.
        StaleError
            Raised during the iteration if a partition is not current, and `stale` is "error".
        """

        async def scan_of(opened: OpenView) -> Scan:
            source = ViewSource.of(opened, filters=filters, where=where, variables=variables, stale=stale)
            return Scan.of(source, block_size=block_size, keys=keys)

        return await self._run_on_view(scan_of)

    scan = synchronous(scan_async)

    async def find_async(self, where: Where, *, filters: Filter = None, progress: ProgressOption = None) -> Rows:
        """Find the rows that pass a condition on variables of the base, of the view, or of both.

        In partitions that are not current, the variables of the view read as their fill value, which passes no
        comparison.

        Parameters
        ----------
        where, filters, progress
            As for `query`.
        """
        return await self._run_on_view(
            lambda opened: reading.find(opened, filters=filters, where=where, progress=progress)
        )

    find = synchronous(find_async)

    async def count_async(self, where: Where = None, *, filters: Filter = None, progress: ProgressOption = None) -> int:
        """Count the rows that pass a condition, or all rows.

        Parameters
        ----------
        where, filters, progress
            As for `query`.
        """
        if where is not None:
            return len(await self.find_async(where, filters=filters, progress=progress))
        return await self._run_on_view(
            lambda opened: _query.count(opened.base, filters=filters, where=None, client=None, progress=None)
        )

    count = synchronous(count_async)

    def plot(
        self,
        variable: str | None = None,
        *,
        filters: Filter = None,
        where: Where = None,
        ax: Any = None,
        **options: Any,
    ) -> Any:
        """Draw the positions of rows on a map, coloured by a variable of the base or of the view; see `Collection.plot`."""
        drawn = bridges.bridge("plot", "plot()").track
        return drawn(self, variable, filters=filters, where=where, ax=ax, **options)

    async def partitions_async(self, *, filters: Filter = None) -> tuple[str, ...]:
        """Return the paths of the base's partitions that match, in the order of their keys."""
        return tuple(await self._run_on_view(lambda opened: _query.records(opened.base, filters=filters)))

    partitions = synchronous(partitions_async)

    async def keys_async(self, *, filters: Filter = None) -> tuple[Key, ...]:
        """Return the keys of the base's partitions that match, in order."""
        return await self._run_on_view(lambda opened: _query.keys(opened.base, filters=filters))

    keys = synchronous(keys_async)

    async def status_async(self, *, filters: Filter = None) -> ViewStatus:
        """Return which partitions are current, stale, missing or orphaned.

        A partition is stale if the rows that it was computed from have changed, including the neighbouring rows that were
        used, or if the configuration of a computation has changed. After the base has been repartitioned, all partitions of
        the base are missing, and all partitions of the view are orphaned.

        Parameters
        ----------
        filters
            As for `query`.
        """
        return await self._run_on_view(
            lambda opened: snapshot.status(opened, filters=filters), allow_repartitioned=True
        )

    status = synchronous(status_async)

    async def update_async(
        self,
        function: UpdateFunction,
        *,
        filters: Filter = None,
        where: Where = None,
        variables: Iterable[str] | None = None,
        depth: Depth = 0,
        conventions: Conventions = "check",
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> tuple[str, ...]:
        """Compute the view's variables in the partitions that match, as one change.

        Parameters
        ----------
        function
            Called with the Dataset of one partition, on a worker thread or in a task of a cluster. The Dataset contains
            variables of the base and of the view. The function returns a mapping from paths of the view's variables to
            arrays, or a Dataset. Variables that it does not return are not changed; in a partition that was not current,
            they get their fill value.
        filters, progress
            As for `query`.
        where
            As for `query`: the function receives the rows that pass, in order, and only their values change.
        client
            As for `Collection.update`; the workers read the base and write the computed variables.
        variables
            Paths of the variables that the function receives. If the view shadows a variable of the base, the function
            receives the variable of the base.
        depth
            Neighbouring rows that the function also receives, as for `Collection.map`. It returns values for all rows that it
            receives; those of neighbouring rows are ignored.
        conventions
            As for `Collection.update`.

        Returns
        -------
        tuple of str
            Paths of the updated partitions.

        Raises
        ------
        SchemaError
            The function returned an unknown variable, or values of a wrong type or shape; or the view has a computation.
            Nothing was written.
        ReadOnlyError
            The view was opened for reading.
        """
        self._check_writable()
        halo = as_halo(depth)
        check_conventions(conventions)
        return await run_change(
            self._run_on_view,
            lambda opened: refresh.update(
                opened,
                function,
                filters=filters,
                where=where,
                variables=variables,
                halo=halo,
                conventions=conventions,
                client=client,
                progress=progress,
            ),
        )

    update = synchronous(update_async)

    async def refresh_async(
        self,
        *,
        filters: Filter = None,
        everything: bool = False,
        batch: int | None = 64,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> RefreshReport:
        """Compute the partitions that are not current, and drop those that the base no longer has.

        If the base has been repartitioned, the view adopts its partitioning, and all partitions are computed again. If the
        refresh is interrupted, repeat it: committed partitions are not computed again. Several processes may refresh a view
        at the same time.

        Parameters
        ----------
        filters, progress
            As for `query`.
        everything
            True also computes partitions that are current, for example after an upgrade of the plugin that computes them.
        batch
            Number of partitions per commit; None commits all as one change.
        client
            As for `Collection.update`; the workers also need the plugins of the computations.

        Returns
        -------
        RefreshReport
            The paths of the partitions computed, dropped, and still not current.

        Raises
        ------
        PluginError
            The plugin of a computation is missing or broken.
        SchemaError
            A computation no longer fits the base, or returned other variables than it declares.
        ReadOnlyError
            The view was opened for reading.
        """
        self._check_writable()
        dropped = await run_change(self._adopted)
        report = await run_change(
            self._run_on_view,
            lambda opened: refresh.refresh(
                opened, filters=filters, everything=everything, batch=batch, client=client, progress=progress
            ),
        )
        return evolve(report, dropped=(*dropped, *report.dropped))

    async def _adopted(self) -> tuple[str, ...]:
        """Adopt the partitioning of a base that has been repartitioned, and return the paths of the dropped partitions."""
        dropped = await self._run_on_view(refresh.adopt_partitioning, allow_repartitioned=True)
        if not self._opened.splits_as_base:
            self._opened = OpenView(self._opened.base, await self._opened.own.reloaded())
        return dropped

    refresh = synchronous(refresh_async)

    async def _run(self, operation: Callable[[OpenCollection], Awaitable[R]]) -> R:
        return await self._run_on_view(lambda opened: operation(opened.own), allow_repartitioned=True)

    async def _run_on_view(
        self, operation: Callable[[OpenView], Awaitable[R]], *, allow_repartitioned: bool = False
    ) -> R:
        """Run an operation on the view; repeat it if another writer has changed the schema of the base in the meantime.

        It raises `StaleError` if the base has been repartitioned, unless `allow_repartitioned` is true.
        """
        while True:
            opened = self._opened
            try:
                if not allow_repartitioned:
                    opened.check_splits_as_base()
                return await operation(opened)
            except (SchemaChangedError, SchemaError, ExpressionError):
                if self._opened is opened:  # otherwise a concurrent operation has reloaded both
                    self._opened = OpenView(await opened.base.reloaded(), await opened.own.reloaded())
                if self._opened == opened:
                    raise

    async def _reload(self) -> None:
        self._opened = OpenView(self._opened.base, await self._opened.own.reloaded())

    def _check_writable(self) -> None:
        if self.read_only:
            message = f"the view at {self.store.url} is open for reading; open it with mode='rw' to write"
            raise ReadOnlyError(message)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, View):
            return NotImplemented
        return (self._opened, self._mode) == (other._opened, other._mode)

    def __hash__(self) -> int:
        return hash((type(self), str(self.store.url)))

    def _section(self) -> Section:
        facts = {
            "version": self._opened.own.versioning.pinned_at,
            "base": self._opened.base.store.url,
            "version of the base": self._opened.base.versioning.pinned_at,
            "axis": f"{self.axis} (dimension {self.dimension})",
            "variables": listed(self.variables),
            "computed by": ", ".join(map(str, self.computations)) or "update()",
        }
        return section_of(self, self.store.url, facts, read_only=self.read_only)

    def _details(self) -> list[Part]:
        return parts_of_schema(self._opened.own.schema)


async def _base(base: Location | Collection, options: Mapping[str, Any] | None) -> OpenCollection:
    """Return the opened base, for reading."""
    if isinstance(base, Collection):
        return base._opened  # noqa: SLF001 - its own package
    if isinstance(base, View):
        message = f"the base is the view {base.store.url}; accepted: a collection, such as the base of that view"
        raise SchemaError(message)
    store = await stores.open_store(base, mode="r", storage_options=options)
    versioning = stores.versioning_of(store)
    return OpenCollection(versioning, await stores.load_collection(versioning))
