"""How the changes of a collection become versions: what a log of ours and a store's own commits have in common."""

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

Beginning = Callable[[], AbstractAsyncContextManager[Transaction]]
"""Opens a transaction; leaving its block undoes what was not committed."""


class Versioning(ABC):
    """The versions of one collection.

    Attributes
    ----------
    store
        Where it lies.
    has_catalog
        Whether an index of the partitions is of use.
    """

    has_catalog: ClassVar[bool] = True

    store: Store

    @property
    def held_at(self) -> Label | None:
        """The version that a reader stays at; None for a reader of the newest version at any time."""
        return None

    def kept_place(self, path: str, record: PartitionRecord) -> Place | None:
        """Return where a partition is stored once a newer version replaces it; None where it is removed then."""
        del path, record
        return None

    @abstractmethod
    async def load(self) -> Configuration:
        """Return the configuration of the newest version.

        Raises
        ------
        CollectionNotFoundError
            There is no collection.
        CorruptionError, FormatVersionError
            Its configuration cannot be understood.
        """

    @abstractmethod
    async def initialise(self, configuration: Configuration, *, overwrite: bool) -> Configuration:
        """Make a collection without partitions, and return its configuration as it is stored.

        Raises
        ------
        CollectionExistsError
            There is one, or another Zarr hierarchy, and `overwrite` is false.
        """

    @abstractmethod
    async def making(self, configuration: Configuration, operation: str, *, overwrite: bool) -> Beginning:
        """Return how to open a transaction that makes a collection together with its partitions.

        It may be opened again and again, until its commit meets no other writer.

        Raises
        ------
        CollectionExistsError
            As for `initialise`.
        """

    @abstractmethod
    async def snapshot(self, configuration: Configuration, candidates: Candidates = None) -> Snapshot:
        """Return which partitions there are now; of those that are not asked for, it need not know.

        Raises
        ------
        CollectionNotFoundError
            Another collection has taken the place of the one with this configuration.
        """

    def expected(self, configuration: Configuration) -> Snapshot | None:
        """Return which partitions there probably are, without asking the store; None where that is not known."""
        del configuration
        return None  # looking is cheap on most stores

    async def completed(self, expected: Snapshot, candidates: Candidates) -> Snapshot:
        """Return what `expected` has returned with the partitions that are asked for; raises `CorruptionError` if they are gone."""
        del candidates
        return expected

    async def at_once(
        self, configuration: Configuration, read: Callable[[Snapshot], Work[R | None]], candidates: Candidates = None
    ) -> R | None:
        """Return what a short work reads of the newest version, or of partitions that are asked for, all of it on one thread.

        None where the store answers no threads, where the work itself has returned it, or where another version was
        committed meanwhile: then one goes step by step.
        """
        del configuration, read, candidates
        return None

    async def inspected(self, configuration: Configuration) -> Snapshot:
        """Return which partitions there are now, for who looks for damage: in spite of any that can be got round."""
        return await self.snapshot(configuration)

    @abstractmethod
    async def is_outdated(self, taken: Snapshot) -> bool:
        """Return whether what was read as a snapshot says may be of another version."""

    @abstractmethod
    def begin(
        self,
        configuration: Configuration,
        operation: str,
        *,
        source: str | None = None,
        candidates: Candidates = None,
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction on the newest version; leaving the block undoes what was not committed.

        Parameters
        ----------
        configuration
            Of the collection.
        operation
            What the change does.
        source
            Name of what is inserted; two changes with the same one are in conflict.
        candidates
            The partitions that the change is made from; its base need not know of others.
        """

    @abstractmethod
    async def place_statistics(
        self, configuration: Configuration, taken: Snapshot, objects: Mapping[str, tuple[str, bytes]]
    ) -> None:
        """Put statistics beside partitions as a snapshot has them; those of partitions that have changed since are left out.

        Parameters
        ----------
        configuration, taken
            Of the collection, and the snapshot.
        objects
            By the path of the partition their key and bytes.
        """

    @abstractmethod
    async def history(self, last: int | None = None) -> tuple[HistoryEntry, ...]:
        """Return the versions, or so many of the newest, oldest first."""

    @abstractmethod
    async def sources(self) -> tuple[str, ...]:
        """Return the names of what was inserted, in the order of the versions, since the collection was created."""

    @abstractmethod
    async def at(self, moment: Moment) -> "Versioning":
        """Return the collection as it was at a version, to read.

        Parameters
        ----------
        moment
            The version, by its number or the id of its snapshot, a tag, or a time: the newest version at that time.

        Raises
        ------
        SettingError, StoreError
            There is no such version, or it is not kept.
        """

    @abstractmethod
    async def tags(self) -> dict[str, Label]:
        """Return the versions that have a name, by name."""

    @abstractmethod
    async def tag(self, configuration: Configuration, name: str, version: Label | None) -> None:
        """Give a version a name, by which it stays readable; the newest by default.

        Raises
        ------
        SettingError
            The name is taken, or none; or there is no such version.
        """

    @abstractmethod
    async def untag(self, configuration: Configuration, name: str) -> None:
        """Take a name away.

        Raises
        ------
        SettingError
            There is no such name.
        """

    @abstractmethod
    async def retain(self, configuration: Configuration, *, versions: int | None, seconds: float | None) -> None:
        """Say which older versions stay readable from now on; see `Retention`."""

    @abstractmethod
    async def changes(self, configuration: Configuration, since: Label) -> Changes:
        """Return the partitions that changed after a version; 0 is the one before the first.

        Raises
        ------
        SettingError
            There is no such version.
        """

    @abstractmethod
    async def newer(self, since: Label | None) -> list[Committed]:
        """Return the versions that were committed after one, oldest first; the newest alone where none is given.

        Raises
        ------
        SettingError
            There is no such version.
        """

    @abstractmethod
    async def vacuum(self, configuration: Configuration, older_than: float) -> VacuumReport:
        """Remove what nobody needs, if it is older than so many seconds."""

    @abstractmethod
    async def examine(self, configuration: Configuration, taken: Snapshot) -> tuple[list[Problem], list[str]]:
        """Return what is wrong outside of partitions, and what is merely strange."""

    @abstractmethod
    async def mend(
        self,
        configuration: Configuration,
        taken: Snapshot,
        documents: Mapping[str, bytes],
    ) -> list[str]:
        """Mend what can be mended of what is wrong, and return what was done.

        Parameters
        ----------
        configuration
            Of the collection.
        taken
            What was looked at.
        documents
            What documents of partitions should be, by key, where they are something else.

        Raises
        ------
        ConflictError
            Another writer has changed the collection since.
        """

    @abstractmethod
    async def rebuild_catalog(self, configuration: Configuration) -> int:
        """Make the catalog anew, where there is one, and return the number of partitions."""

    @abstractmethod
    async def refreshed(self) -> "Versioning":
        """Return the versions up to now, for a reader that is held at one of them."""

    @abstractmethod
    async def zarr(self) -> "zarr.abc.store.Store":
        """Return the newest version as a Zarr store, to read from."""

    def not_found(self, instead: str | None = None) -> CollectionNotFoundError:
        """Return the error that says that there is no collection, and what is there instead."""
        url = self.store.url
        message = f"there is no collection at {url}; create one with create_collection(), or check the URL"
        if instead is not None:
            message = (
                f"there is no collection at {url}, but {instead}; make one of it with 'zcollection import {url} NEW'"
            )
        return CollectionNotFoundError(message)

    def keeps_itself(self) -> SettingError:
        """Return the error that says that the store keeps older versions by its own means."""
        message = f"{self.store.url} keeps every snapshot until vacuum(older_than=...) lets old ones go; accepted: no keep of ours"
        return SettingError(message)

    def replaced(self) -> CollectionNotFoundError:
        """Return the error that says that another collection has taken the place of the one that was opened."""
        message = (
            f"another collection was created at {self.store.url}, in place of the one that was opened; open it again"
        )
        return CollectionNotFoundError(message)

    def changed(self, old: Configuration, new: Configuration) -> ZCollectionError:
        """Return the error that says what has become of the collection that was opened."""
        if not new.is_grown_from(old):
            return self.replaced()
        message = f"the variables, the partitioning or the retention of {self.store.url} were changed; open the collection again"
        return SchemaChangedError(message)


def exists(store: Store) -> CollectionExistsError:
    """Return the error that says that something lies where a collection is to be made."""
    message = f"there is a collection, or another Zarr hierarchy, at {store.url}; open it, or pass overwrite=True to replace it"
    return CollectionExistsError(message)
