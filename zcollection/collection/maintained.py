"""What keeps a store in order: its history, what is wrong with it, and what nobody needs; alike for collections and views."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from zcollection.collection import verify as _verify
from zcollection.collection.ages import Duration, seconds_of
from zcollection.collection.handle import Handle
from zcollection.collection.verify import RepairReport, VerifyReport
from zcollection.contracts.url import StoreURL
from zcollection.engine.executors import ClientOption
from zcollection.model.sections import Printed, Section, Table, heading
from zcollection.portal import carried_out, synchronous
from zcollection.progress import ProgressOption
from zcollection.transaction.reports import Changes, History, Label, VacuumReport

R = TypeVar("R")


def section_of(item: object, url: StoreURL, facts: Mapping[str, object], *, read_only: bool) -> Section:
    """Return the section of what was opened at a URL."""
    mode = "read-only" if read_only else "read and write"
    return Section(heading(item, f"{url} ({mode})"), [Table.pairs("", facts)])


class Maintained(Printed, ABC):
    """A store with versions, in order or not."""

    @abstractmethod
    async def _now(self, operation: Callable[[Handle], Awaitable[R]]) -> R:
        """Do something with the store, again where another writer has changed the schema or the partitioning meanwhile."""

    async def _change(self, operation: Callable[[Handle], Awaitable[R]]) -> R:
        """Do something that changes the store, to its end or not at all, whoever waits for it."""
        self._check_writable()
        return await carried_out(self._now, operation)

    @abstractmethod
    def _check_writable(self) -> None:
        """Raise `ReadOnlyError` unless it was opened for writing."""

    async def history_async(self) -> History:
        """Return the versions of this collection that the log holds, oldest first."""
        return History(await self._now(lambda handle: handle.versioning.history()))

    history = synchronous(history_async)

    async def changes_async(self, *, since: Label) -> Changes:
        """Return which partitions changed after a version, so that a job can follow the collection.

        Parameters
        ----------
        since
            A version, such as the `Changes.version` of the last time, or that of a `HistoryEntry`; 0 for all that ever
            changed.

        Raises
        ------
        SettingError
            There is no such version.
        """
        return await self._now(lambda handle: handle.versioning.changes(handle.configuration, since))

    changes = synchronous(changes_async)

    async def sources_async(self) -> tuple[str, ...]:
        """Return the sources that have been inserted, in order, since the collection was created.

        They stay known when their rows are dropped, and after a vacuum.
        """
        return await self._now(lambda handle: handle.versioning.sources())

    sources = synchronous(sources_async)

    async def verify_async(
        self, *, data: bool = False, client: ClientOption = None, progress: ProgressOption = None
    ) -> VerifyReport:
        """Look for what is wrong, and change nothing.

        Every document and the existence of every chunk are checked, and the catalog against the partitions.

        Parameters
        ----------
        data
            Also read every chunk: one that is cut or damaged is found where its codecs can tell.
        client, progress
            As for `query`.

        Returns
        -------
        VerifyReport
            Its `problems` name partition, variable and chunk; there are none where all is well.

        Raises
        ------
        ConflictError
            Other writers kept changing the collection.
        """
        return await self._now(lambda handle: _verify.verify(handle, data=data, client=client, progress=progress))

    verify = synchronous(verify_async)

    async def repair_async(self) -> RepairReport:
        """Mend what can be mended without losing anything that readers see.

        Changes that a dead writer committed are put in their place, missing documents of the tree are written, and a
        wrong or lost catalog is made anew. Damaged data cannot be mended: they remain in the report.

        Raises
        ------
        ReadOnlyError
            The collection was opened for reading.
        """
        return await self._change(_verify.repair)

    repair = synchronous(repair_async)

    async def vacuum_async(self, *, older_than: Duration = "24h") -> VacuumReport:
        """Remove what nobody needs any more: stages of writers that died, and old records of the log.

        The history of versions is kept. A writer that was only slow, and whose stage is removed, runs its operation again;
        a reader that has been reading for longer than `older_than` may have to query again.

        Parameters
        ----------
        older_than
            Age from which on, by the store's own clock: such as "24h", "30min" or "7d", or a timedelta.

        Raises
        ------
        SettingError
            It is no duration.
        ReadOnlyError
            The collection was opened for reading.
        """
        age = seconds_of(older_than)
        return await self._change(lambda handle: handle.versioning.vacuum(handle.configuration, age))

    vacuum = synchronous(vacuum_async)

    async def repair_catalog_async(self) -> int:
        """Make the catalog anew from the partitions themselves, and return how many there are.

        A wrong or lost catalog hides nothing, and the next insert makes a new one; this spares readers the wait.

        Raises
        ------
        ReadOnlyError
            The collection was opened for reading.
        """
        return await self._change(lambda handle: handle.versioning.rebuild_catalog(handle.configuration))

    repair_catalog = synchronous(repair_catalog_async)
