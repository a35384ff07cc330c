"""What an open collection says of itself, and how an operation is done on it as it is now."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from zcollection.collection.handle import Handle
from zcollection.collection.maintained import Maintained, section_of
from zcollection.contracts.partitioning import Partitioning
from zcollection.contracts.store import Mode, Store
from zcollection.errors import ExpressionError, ReadOnlyError, SchemaChangedError, SchemaError
from zcollection.model import representation
from zcollection.model.schema import DatasetSchema
from zcollection.model.sections import Part, Section
from zcollection.model.texts import listed
from zcollection.portal import on_loop, synchronous

if TYPE_CHECKING:
    import zarr.abc.store

R = TypeVar("R")


class OpenCollection(Maintained):
    """A collection without the verbs that read and write its rows."""

    def __init__(self, handle: Handle, *, mode: Mode) -> None:
        self._handle = handle
        self._mode = mode

    @property
    def store(self) -> Store:
        """Where the collection lies."""
        return self._handle.store

    async def zarr_async(self) -> "zarr.abc.store.Store":
        """Return what zarr-python and xarray can open: all of the collection at the newest version, to read."""
        return await self._handle.versioning.zarr()

    zarr = synchronous(zarr_async)

    async def refresh_async(self) -> None:
        """Look at the newest version, where the collection is held at an older one.

        A collection that is opened for reading on a store with snapshots of its own, such as Icechunk, stays at the
        snapshot that was the newest then, so that all queries agree. On other stores each query reads the newest version.
        """
        versioning = await self._handle.versioning.refreshed()
        self._handle = Handle(versioning, await versioning.load())

    refresh = synchronous(refresh_async)

    @property
    def schema(self) -> DatasetSchema:
        """What a dataset of this collection may have."""
        return self._handle.schema

    @property
    def axis(self) -> str:
        """The variable whose values order and identify rows."""
        return self._handle.configuration.axis

    @property
    def dimension(self) -> str:
        """The dimension along which the collection is partitioned."""
        return self._handle.dimension

    @property
    def partitioning(self) -> Partitioning:
        """How rows map to partitions.

        Raises
        ------
        PluginError
            Its plugin is missing or broken.
        """
        return self._handle.partitioning

    @property
    def catalog_enabled(self) -> bool:
        """Whether the partitions are indexed in ``_catalog``."""
        return self._handle.configuration.catalog

    @property
    def read_only(self) -> bool:
        """Whether every write is refused."""
        return self._mode == "r"

    async def _now(self, operation: Callable[[Handle], Awaitable[R]]) -> R:
        while True:
            handle = self._handle
            try:
                return await operation(handle)
            except (SchemaChangedError, SchemaError, ExpressionError):
                await on_loop()
                if self._handle is handle:  # else another operation has met the same, and loaded it again
                    self._handle = await handle.reloaded()
                if self._handle == handle:
                    raise

    async def _reload(self) -> None:
        self._handle = await self._handle.reloaded()

    def _check_writable(self) -> None:
        if self.read_only:
            message = f"the collection at {self.store.url} is open for reading; open it with mode='rw' to write"
            raise ReadOnlyError(message)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return (self._handle, self._mode) == (other._handle, other._mode)

    def __hash__(self) -> int:
        return hash((type(self), str(self.store.url)))

    def _section(self) -> Section:
        known = self._handle.versioning.expected(self._handle.configuration)  # from when the store was last asked
        facts = {
            "axis": f"{self.axis} (dimension {self.dimension})",
            "partitioning": self._handle.configuration.partitioning,
            "partitions": None
            if known is None
            else f"{len(known.checkpoint.partitions):,} (version {known.checkpoint.version})",
            "variables": listed(self.schema.all_variables()),
        }
        return section_of(self, self.store.url, facts, read_only=self.read_only)

    def _details(self) -> list[Part]:
        return representation.parts_of_schema(self.schema)
