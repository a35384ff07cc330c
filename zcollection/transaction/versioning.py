"""The interface to the versions of a collection, in a key-value store (the kernel's commit log) or a transactional store."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, ClassVar, TypeVar

from zcollection.contracts.store import Store
from zcollection.contracts.transactional import Moment
from zcollection.engine.work import Work
from zcollection.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    SchemaChangedError,
    SettingError,
    ZCollectionError,
)
from zcollection.transaction.change import Transaction
from zcollection.transaction.documents import Configuration, PartitionRecord
from zcollection.transaction.index.partitions import Candidates
from zcollection.transaction.places import Place
from zcollection.transaction.reports import Changes, Committed, HistoryEntry, Label, Problem, VacuumReport
from zcollection.transaction.snapshot import Snapshot

if TYPE_CHECKING:
    import zarr.abc.store

R = TypeVar("R")

TransactionFactory = Callable[[], AbstractAsyncContextManager[Transaction]]
"""Opens a transaction as a context manager; leaving the block discards changes that were not committed."""


class Versioning(ABC):
    """The versions of one collection.

    Attributes
    ----------
    store
        The store of the collection.
    has_catalog
        Whether the collection may have a catalog; a transactional store needs none.
    """

    has_catalog: ClassVar[bool] = True

    store: Store

    @property
    def pinned_at(self) -> Label | None:
        """The version to which a reader is pinned; None for a reader that always reads the newest version."""
        return None

    def kept_place(self, path: str, record: PartitionRecord) -> Place | None:
        """Return where a partition is kept after a newer version replaces it; None if it is removed instead."""
        del path, record
        return None

    @abstractmethod
    async def load(self) -> Configuration:
        """Return the configuration of the newest version.

        Raises
        ------
        CollectionNotFoundError
            The collection does not exist.
        CorruptionError, FormatVersionError
            The configuration cannot be read.
        """

    @abstractmethod
    async def initialise(self, configuration: Configuration, *, overwrite: bool) -> Configuration:
        """Create a collection without partitions, and return its configuration as it is stored.

        Raises
        ------
        CollectionExistsError
            A collection, or another Zarr hierarchy, exists in the store, and `overwrite` is false.
        """

    @abstractmethod
    async def creation(self, configuration: Configuration, operation: str, *, overwrite: bool) -> TransactionFactory:
        """Return a function that opens a transaction to create a collection together with its partitions.

        The function may be called again until the commit succeeds without a conflict.

        Raises
        ------
        CollectionExistsError
            As raised by `initialise`.
        """

    @abstractmethod
    async def snapshot(self, configuration: Configuration, candidates: Candidates = None) -> Snapshot:
        """Return a snapshot of the newest version; it need not contain partitions that are not candidates.

        Raises
        ------
        CollectionNotFoundError
            The collection with this configuration was replaced by another one.
        """

    def expected(self, configuration: Configuration) -> Snapshot | None:
        """Return the snapshot that is probably the newest, without a request to the store; None if none is known."""
        del configuration
        return None  # reading the newest version is cheap on most stores

    async def completed(self, expected: Snapshot, candidates: Candidates) -> Snapshot:
        """Return the result of `expected` with the candidates loaded; raise `CorruptionError` if they were removed."""
        del candidates
        return expected

    async def read_on_one_thread(
        self, configuration: Configuration, read: Callable[[Snapshot], Work[R | None]], candidates: Candidates = None
    ) -> R | None:
        """Perform a short read of the newest version, or of the candidates, on one thread, and return its result.

        The result is None if the store has no blocking access, if `read` itself returns None, or if another
        version was committed meanwhile. The caller then reads asynchronously, step by step.
        """
        del configuration, read, candidates
        return None

    async def inspected(self, configuration: Configuration) -> Snapshot:
        """Return a snapshot of the newest version for `verify`, even if some damage has to be bypassed."""
        return await self.snapshot(configuration)

    @abstractmethod
    async def is_outdated(self, snapshot: Snapshot) -> bool:
        """Return whether data read with a snapshot may belong to another version."""

    @abstractmethod
    def begin(
        self,
        configuration: Configuration,
        operation: str,
        *,
        source: str | None = None,
        candidates: Candidates = None,
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction on the newest version; leaving the block discards changes that were not committed.

        Parameters
        ----------
        configuration
            The configuration of the collection.
        operation
            What the change does, such as "insert".
        source
            Name of the inserted source; two changes with the same source conflict.
        candidates
            The partitions that the change reads; the base snapshot may contain only these.
        """

    @abstractmethod
    async def place_statistics(
        self, configuration: Configuration, snapshot: Snapshot, objects: Mapping[str, tuple[str, bytes]]
    ) -> None:
        """Store statistics beside the partitions of a snapshot; partitions that have changed since are skipped.

        Parameters
        ----------
        configuration
            The configuration of the collection.
        snapshot
            The snapshot from which the statistics were computed.
        objects
            Key and bytes of the statistics, by the path of their partition.
        """

    @abstractmethod
    async def history(self, last: int | None = None) -> tuple[HistoryEntry, ...]:
        """Return the versions, oldest first; only the newest `last` of them if it is given."""

    @abstractmethod
    async def sources(self) -> tuple[str, ...]:
        """Return the names of all sources inserted since the collection was created, in the order of the versions."""

    @abstractmethod
    async def at(self, moment: Moment) -> "Versioning":
        """Return a read-only view of the collection as it was at a version.

        Parameters
        ----------
        moment
            A version number, the id of a snapshot, a tag, or a time; a time selects the newest version at that time.

        Raises
        ------
        SettingError, StoreError
            The version does not exist, or is not kept.
        """

    @abstractmethod
    async def tags(self) -> dict[str, Label]:
        """Return the tagged versions, by the name of the tag."""

    @abstractmethod
    async def tag(self, configuration: Configuration, name: str, version: Label | None) -> None:
        """Tag a version, the newest by default, so that it stays readable.

        Raises
        ------
        SettingError
            The name is in use or is not valid, or the version does not exist.
        """

    @abstractmethod
    async def untag(self, configuration: Configuration, name: str) -> None:
        """Remove a tag.

        Raises
        ------
        SettingError
            The tag does not exist.
        """

    @abstractmethod
    async def retain(self, configuration: Configuration, *, versions: int | None, seconds: float | None) -> None:
        """Set which older versions stay readable from now on; see `Retention`."""

    @abstractmethod
    async def changes(self, configuration: Configuration, since: Label) -> Changes:
        """Return the partitions that changed after a version; 0 selects all changes.

        Raises
        ------
        SettingError
            The version does not exist.
        """

    @abstractmethod
    async def newer(self, since: Label | None) -> list[Committed]:
        """Return the versions committed after `since`, oldest first; only the newest version if it is None.

        Raises
        ------
        SettingError
            The version does not exist.
        """

    @abstractmethod
    async def vacuum(self, configuration: Configuration, older_than: float) -> VacuumReport:
        """Remove what no reader needs and is older than `older_than` seconds."""

    @abstractmethod
    async def examine(self, configuration: Configuration, snapshot: Snapshot) -> tuple[list[Problem], list[str]]:
        """Return the problems found outside of partitions, and notes about harmless anomalies."""

    @abstractmethod
    async def repair(
        self,
        configuration: Configuration,
        snapshot: Snapshot,
        documents: Mapping[str, bytes],
    ) -> list[str]:
        """Repair the damage that can be repaired, and return a description of each repair.

        Parameters
        ----------
        configuration
            The configuration of the collection.
        snapshot
            The snapshot that was examined.
        documents
            The correct content of each damaged document of a partition, by key.

        Raises
        ------
        ConflictError
            Another writer has changed the collection since.
        """

    @abstractmethod
    async def rebuild_catalog(self, configuration: Configuration) -> int:
        """Rebuild the catalog, if the collection has one, and return the number of partitions."""

    @abstractmethod
    async def refreshed(self) -> "Versioning":
        """Return the versions up to now, for a reader that is pinned to an older version."""

    @abstractmethod
    async def zarr(self) -> "zarr.abc.store.Store":
        """Return the newest version as a read-only Zarr store."""

    def not_found(self, instead: str | None = None) -> CollectionNotFoundError:
        """Return the error for a missing collection; `instead` describes the other format that was found."""
        url = self.store.url
        message = f"there is no collection at {url}; create one with create_collection(), or check the URL"
        if instead is not None:
            message = (
                f"there is no collection at {url}, but {instead}; make one of it with 'zcollection import {url} NEW'"
            )
        return CollectionNotFoundError(message)

    def retention_refused(self) -> SettingError:
        """Return the error for a retention setting on a store that keeps older versions by itself."""
        message = f"{self.store.url} keeps every snapshot until vacuum(older_than=...) removes old ones; accepted: no retention setting"
        return SettingError(message)

    def replaced(self) -> CollectionNotFoundError:
        """Return the error for an opened collection that another one has replaced."""
        message = (
            f"another collection was created at {self.store.url}, in place of the one that was opened; open it again"
        )
        return CollectionNotFoundError(message)

    def changed(self, old: Configuration, new: Configuration) -> ZCollectionError:
        """Return the error for an opened collection whose configuration was replaced or changed."""
        if not new.is_changed_from(old):
            return self.replaced()
        message = f"the variables, the partitioning or the retention of {self.store.url} were changed; open the collection again"
        return SchemaChangedError(message)


def already_exists(store: Store) -> CollectionExistsError:
    """Return the error for a location at which a collection, or another Zarr hierarchy, already exists."""
    message = f"there is a collection, or another Zarr hierarchy, at {store.url}; open it, or pass overwrite=True to replace it"
    return CollectionExistsError(message)
