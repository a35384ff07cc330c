"""The view, as users hold it."""

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
from zcollection.collection.read.asking import Where
from zcollection.collection.read.keyed import Keys
from zcollection.collection.read.neighbours import Depth, as_halo
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
from zcollection.model.schema import DatasetSchema, parts_of_schema
from zcollection.model.sections import Part, Section
from zcollection.model.texts import listed
from zcollection.portal import run, run_change, synchronous
from zcollection.progress import ProgressOption
from zcollection.registry.stored import StoredForm
from zcollection.view import create, reading, refresh, staleness
from zcollection.view.chain import as_computations
from zcollection.view.pair import Pair
from zcollection.view.reading import Stale
from zcollection.view.reference import resolve
from zcollection.view.refresh import RefreshReport
from zcollection.view.scan import ScannedView
from zcollection.view.staleness import ViewStatus

R = TypeVar("R")


class View(Maintained):
    """Derived variables, in a store of their own, over a base collection that is never written to.

    Made by `create_view` and `open_view`. Rows are those of the base, at any time: a partition that the view has not
    computed, or whose rows have changed since, reads as fill. Every verb has a twin whose name ends with ``_async``. A
    view pickles, by the URLs and options of both stores.
    """

    def __init__(self, pair: Pair, *, mode: Mode) -> None:
        self._pair = pair
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
        opened = await _base(base, base_options)
        store = await stores.open_store(url_or_store, mode="rw", storage_options=storage_options)
        pair = await run_change(
            create.create,
            stores.versioning_of(store),
            opened,
            variables=variables,
            computations=computations,
            shadow=shadow,
            conventions=conventions,
            reference=reference,
            overwrite=overwrite,
        )
        return cls(pair, mode="rw")

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
        pair = Pair(await _base(found, base_options), own)
        await pair.check_fits()
        pair.check_computations()
        return cls(pair, mode=mode)

    @classmethod
    def open(cls, url_or_store: Location, **options: Any) -> Self:
        """Open a view; the parameters are those of `zcollection.open_view`."""
        return run(cls.open_async, url_or_store, **options)

    @property
    def store(self) -> Store:
        """Where the view lies."""
        return self._pair.own.store

    @property
    def base(self) -> Collection:
        """The collection that it lies over, to read."""
        return Collection(self._pair.base, mode="r")

    @property
    def schema(self) -> DatasetSchema:
        """The variables of both."""
        return self._pair.schema

    @property
    def variables(self) -> tuple[str, ...]:
        """Paths of the view's own variables."""
        return tuple(self._pair.own.schema.all_variables())

    @property
    def computations(self) -> tuple[StoredForm, ...]:
        """What computes them, as it is stored, whether its plugins are installed or not; nothing where `update` does."""
        return self._pair.definition.computations

    @property
    def axis(self) -> str:
        """The variable of the base whose values order and identify rows."""
        return self._pair.base.configuration.axis

    @property
    def dimension(self) -> str:
        """The dimension along which both are partitioned."""
        return self._pair.base.dimension

    @property
    def partitioning(self) -> Partitioning:
        """How rows map to partitions, in the base and so here."""
        return self._pair.base.partitioning

    @property
    def read_only(self) -> bool:
        """Whether every write is refused."""
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
        """Return rows of the base, with the variables of the view beside them.

        Parameters
        ----------
        filters, where, lazy, chunks, progress
            As for `Collection.query`; a condition may read variables of either.
        variables
            Paths of variables of either; None reads all.
        stale
            What becomes of the view's variables in partitions that are not current: "fill" reads their fill value,
            "compute" computes them, and writes nothing, "error" raises.

        Returns
        -------
        Dataset or None
            None when no partition matches; with `where` a Dataset in any case. Variables of the view take the place of the
            base's of the same path.

        Raises
        ------
        SchemaError
            A variable is unknown, or there is no computation to compute with.
        StaleError
            A partition is not current, and `stale` is "error"; or the base was partitioned in another way since.
        ExpressionError
            The filter cannot be understood.
        CorruptionError
            A chunk is missing or damaged.
        """
        return await self._both(
            lambda pair: reading.query(
                pair,
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
        """Return the rows of `query` to be read a part at a time, in bounded memory; nothing is read yet.

        Parameters
        ----------
        filters, where, variables, stale
            As for `query`. With ``stale="compute"`` whole partitions that are not current are computed at a time.
        keys, block_size
            As for `Collection.scan`.

        Returns
        -------
        Scan
            Datasets to be iterated over: with ``for``, or with ``async for``.

        Raises
        ------
        SchemaError
            A variable is unknown, one that is read has the name of a field, or there is no computation to compute with.
        ExpressionError
            The condition cannot be understood.
        SettingError
            A parameter has a value that it cannot have.
        StaleError
            While it is iterated over: a partition is not current, and `stale` is "error".
        """

        async def asked(pair: Pair) -> Scan:
            scanned = ScannedView.of(pair, filters=filters, where=where, variables=variables, stale=stale)
            return Scan.of(scanned, block_size=block_size, keys=keys)

        return await self._both(asked)

    scan = synchronous(scan_async)

    async def find_async(self, where: Where, *, filters: Filter = None, progress: ProgressOption = None) -> Rows:
        """Return which rows of which partitions pass a condition on variables of the base, of the view, or of both.

        What the view holds of a partition that is not current reads as fill, which passes no comparison.

        Parameters
        ----------
        where, filters, progress
            As for `query`.
        """
        return await self._both(lambda pair: reading.find(pair, filters=filters, where=where, progress=progress))

    find = synchronous(find_async)

    async def count_async(self, where: Where = None, *, filters: Filter = None, progress: ProgressOption = None) -> int:
        """Return how many rows pass a condition, or how many there are.

        Parameters
        ----------
        where, filters, progress
            As for `query`.
        """
        if where is not None:
            return len(await self.find_async(where, filters=filters, progress=progress))
        return await self._both(
            lambda pair: _query.count(pair.base, filters=filters, where=None, client=None, progress=None)
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
        """Draw where rows are on a map, coloured by a variable of the base or of the view; see `Collection.plot`."""
        drawn = bridges.bridge("plot", "plot()").track
        return drawn(self, variable, filters=filters, where=where, ax=ax, **options)

    async def partitions_async(self, *, filters: Filter = None) -> tuple[str, ...]:
        """Return the paths of the partitions that match, which are the base's, in the order of their keys."""
        return tuple(await self._both(lambda pair: _query.records(pair.base, filters=filters)))

    partitions = synchronous(partitions_async)

    async def keys_async(self, *, filters: Filter = None) -> tuple[Key, ...]:
        """Return the keys of the partitions that match, in order."""
        return await self._both(lambda pair: _query.keys(pair.base, filters=filters))

    keys = synchronous(keys_async)

    async def status_async(self, *, filters: Filter = None) -> ViewStatus:
        """Return which partitions are current, stale, missing or orphaned.

        A partition is stale once the rows that it was computed from have changed, those of neighbours that were used
        among them, or the configuration of what computed it. Where the base was partitioned in another way since, all of the
        base's are missing, and all of the view's orphaned.

        Parameters
        ----------
        filters
            As for `query`.
        """
        return await self._both(lambda pair: staleness.status(pair, filters=filters), in_any_case=True)

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
            Called on a worker thread, or on a worker of a cluster, with the Dataset of one partition, with variables of the base and of the view;
            returns a mapping from paths of the view's variables to arrays, or a Dataset. Variables that it does not
            return stay as they are; in a partition that was not current they are fill.
        filters, progress
            As for `query`.
        where
            As for `query`: the function is given the rows that pass, in order, and only their values change.
        client
            As for `Collection.update`; the workers read the base and write what they compute.
        variables
            Which variables the function is given; of those that the view shadows, it is given the base's.
        depth
            Neighbouring rows that the function is given too, as for `Collection.map`; it returns values for all rows
            that it is given, and those of the partition's own are kept.
        conventions
            As for `Collection.update`.

        Returns
        -------
        tuple of str
            Paths of the partitions.

        Raises
        ------
        SchemaError
            The function returned something unknown, of a wrong type or shape, or the view has a computation; nothing was
            written.
        ReadOnlyError
            The view was opened for reading.
        """
        self._check_writable()
        halo = as_halo(depth)
        check_conventions(conventions)
        return await run_change(
            self._both,
            lambda pair: refresh.update(
                pair,
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

        Where the base was partitioned in another way, the view takes over its partitioning, and all is computed again.

        It may be interrupted, and run again: what was committed is not computed again. Several processes may refresh at
        once.

        Parameters
        ----------
        filters, progress
            As for `query`.
        everything
            Compute also what is current, such as after an upgrade of the plugin that computes it.
        batch
            Partitions that are committed together; None commits all as one change.
        client
            As for `Collection.update`; workers need the plugins of the computations as well.

        Raises
        ------
        PluginError
            The plugin of a computation is missing or broken.
        SchemaError
            A computation does not fit the base any more, or returned something else than it declares.
        ReadOnlyError
            The view was opened for reading.
        """
        self._check_writable()
        dropped = await run_change(self._adopted)
        report = await run_change(
            self._both,
            lambda pair: refresh.refresh(
                pair, filters=filters, everything=everything, batch=batch, client=client, progress=progress
            ),
        )
        return evolve(report, dropped=(*dropped, *report.dropped))

    async def _adopted(self) -> tuple[str, ...]:
        """Take over the partitioning of a base that was partitioned in another way, and return what was dropped."""
        dropped = await self._both(refresh.adopt_partitioning, in_any_case=True)
        if not self._pair.splits_as_base:
            self._pair = Pair(self._pair.base, await self._pair.own.reloaded())
        return dropped

    refresh = synchronous(refresh_async)

    async def _now(self, operation: Callable[[OpenCollection], Awaitable[R]]) -> R:
        return await self._both(lambda pair: operation(pair.own), in_any_case=True)

    async def _both(self, operation: Callable[[Pair], Awaitable[R]], *, in_any_case: bool = False) -> R:
        """Do something with the view, again where another writer has changed the schema of its base meanwhile.

        Of a base that was partitioned in another way only some operations make sense.
        """
        while True:
            pair = self._pair
            try:
                if not in_any_case:
                    pair.check_splits_as_base()
                return await operation(pair)
            except (SchemaChangedError, SchemaError, ExpressionError):
                if self._pair is pair:  # else another operation has met the same, and loaded both again
                    self._pair = Pair(await pair.base.reloaded(), await pair.own.reloaded())
                if self._pair == pair:
                    raise

    async def _reload(self) -> None:
        self._pair = Pair(self._pair.base, await self._pair.own.reloaded())

    def _check_writable(self) -> None:
        if self.read_only:
            message = f"the view at {self.store.url} is open for reading; open it with mode='rw' to write"
            raise ReadOnlyError(message)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, View):
            return NotImplemented
        return (self._pair, self._mode) == (other._pair, other._mode)

    def __hash__(self) -> int:
        return hash((type(self), str(self.store.url)))

    def _section(self) -> Section:
        facts = {
            "version": self._pair.own.versioning.held_at,
            "base": self._pair.base.store.url,
            "version of the base": self._pair.base.versioning.held_at,
            "axis": f"{self.axis} (dimension {self.dimension})",
            "variables": listed(self.variables),
            "computed by": ", ".join(map(str, self.computations)) or "update()",
        }
        return section_of(self, self.store.url, facts, read_only=self.read_only)

    def _details(self) -> list[Part]:
        return parts_of_schema(self._pair.own.schema)


async def _base(base: Location | Collection, options: Mapping[str, Any] | None) -> OpenCollection:
    """Return a base, which is never written to."""
    if isinstance(base, Collection):
        return base._opened  # noqa: SLF001 - its own package
    if isinstance(base, View):
        message = f"the base is the view {base.store.url}; accepted: a collection, such as its base"
        raise SchemaError(message)
    store = await stores.open_store(base, mode="r", storage_options=options)
    versioning = stores.versioning_of(store)
    return OpenCollection(versioning, await stores.load_collection(versioning))
