"""The base class of `Collection`: its properties, and how an operation runs on the current state of the collection."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from zcollection.collection.maintain.maintained import Maintained, section_of
from zcollection.collection.open_collection import OpenCollection
from zcollection.contracts.partitioning import Partitioning
from zcollection.contracts.store import Mode, Store
from zcollection.errors import ExpressionError, ReadOnlyError, SchemaChangedError, SchemaError
from zcollection.model.formatting import listed
from zcollection.model.schema import DatasetSchema, parts_of_schema
from zcollection.model.sections import Part, Section
from zcollection.portal import on_loop, synchronous

if TYPE_CHECKING:
    import zarr.abc.store

R = TypeVar("R")


class CollectionBase(Maintained):
    """The properties of a collection, without the methods that read and write rows."""

    def __init__(self, opened: OpenCollection, *, mode: Mode) -> None:
        self._opened = opened
        self._mode = mode

    @property
    def store(self) -> Store:
        """The store of the collection."""
        return self._opened.store

    async def zarr_async(self) -> "zarr.abc.store.Store":
        """Return a read-only Zarr store of the whole collection at the newest version, for zarr-python and xarray."""
        return await self._opened.versioning.zarr()

    zarr = synchronous(zarr_async)

    async def refresh_async(self) -> None:
        """Move to the newest version, if the collection reads from a fixed snapshot.

        On a transactional store, such as Icechunk, a collection that is opened for reading stays at the snapshot
        that was the newest when it was opened, so that all queries are consistent. On other stores each query reads the
        newest version.
        """
        versioning = await self._opened.versioning.refreshed()
        self._opened = OpenCollection(versioning, await versioning.load())

    refresh = synchronous(refresh_async)

    @property
    def schema(self) -> DatasetSchema:
        """The groups, dimensions, variables and attributes of the collection."""
        return self._opened.schema

    @property
    def axis(self) -> str:
        """The variable whose values order and identify rows."""
        return self._opened.configuration.axis

    @property
    def dimension(self) -> str:
        """The dimension along which the collection is partitioned."""
        return self._opened.dimension

    @property
    def partitioning(self) -> Partitioning:
        """How rows map to partitions.

        Raises
        ------
        PluginError
            Its plugin is missing or broken.
        """
        return self._opened.partitioning

    @property
    def catalog_enabled(self) -> bool:
        """Whether the partitions are indexed in ``_catalog``."""
        return self._opened.configuration.catalog

    @property
    def read_only(self) -> bool:
        """Whether every write raises `ReadOnlyError`."""
        return self._mode == "r"

    async def _run(self, operation: Callable[[OpenCollection], Awaitable[R]]) -> R:
        while True:
            opened = self._opened
            try:
                return await operation(opened)
            except (SchemaChangedError, SchemaError, ExpressionError):
                await on_loop()
                if self._opened is opened:  # otherwise a concurrent operation has reloaded it
                    self._opened = await opened.reloaded()
                if self._opened == opened:
                    raise

    async def _reload(self) -> None:
        self._opened = await self._opened.reloaded()

    def _check_writable(self) -> None:
        if self.read_only:
            message = f"the collection at {self.store.url} is open for reading; open it with mode='rw' to write"
            raise ReadOnlyError(message)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return (self._opened, self._mode) == (other._opened, other._mode)

    def __hash__(self) -> int:
        return hash((type(self), str(self.store.url)))

    def _section(self) -> Section:
        known = self._opened.versioning.expected(self._opened.configuration)  # cached: does not access the store
        facts = {
            "axis": f"{self.axis} (dimension {self.dimension})",
            "partitioning": self._opened.configuration.partitioning,
            "partitions": None
            if known is None
            else f"{len(known.checkpoint.partitions):,} (version {known.checkpoint.version})",
            "variables": listed(self.schema.all_variables()),
        }
        return section_of(self, self.store.url, facts, read_only=self.read_only)

    def _details(self) -> list[Part]:
        return parts_of_schema(self.schema)
