"""Versions of a collection on a store of keys and bytes: each is a record of a log of ours."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Final, Self, TypeVar

from attrs import evolve, field, frozen

from zcollection import portal
from zcollection.contracts.store import KeyStore, Read
from zcollection.engine.work import Work, fetch, perform_one
from zcollection.engine.write import GROUP_DOCUMENT
from zcollection.errors import CollectionNotFoundError, ConflictError, CorruptionError, FormatVersionError, SettingError
from zcollection.transaction import (
    catalog,
    first,
    foreign,
    history,
    inspection,
    log,
    mending,
    probe,
    snapshot,
    transaction,
    vacuum,
)
from zcollection.transaction.documents import CONFIGURATION, TRANSACTIONS, Configuration
from zcollection.transaction.partitions import Concern, Partitions
from zcollection.transaction.reports import Changes, HistoryEntry, Label, Problem, VacuumReport
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.version import RecordId
from zcollection.transaction.versioning import Beginning, Versioning

if TYPE_CHECKING:
    import zarr.abc.store

R = TypeVar("R")
_MOST_CHANGES: Final = 16
"""Versions that are held besides a catalog: as many as it may be behind."""


class _Known:
    """What was read of the log, up to some version: what was committed stays so."""

    def __init__(self) -> None:
        self.sources: tuple[RecordId | None, tuple[str, ...]] = None, ()
        self.snapshot: Snapshot | None = None

    def keep(self, taken: Snapshot | None, *, listed: bool) -> None:
        """Keep a snapshot that can be told from that of another collection in the same place, by what is asked for."""
        record = None if taken is None else taken.id
        can_be_told = record is not None and (record.tag if listed else record.transaction) is not None
        # Versions since the catalog are held as they are, as many as are read besides it.
        self.snapshot = taken if taken is not None and can_be_told and len(taken.changes) <= _MOST_CHANGES else None

    def __reduce__(self) -> tuple[type["_Known"], tuple[()]]:
        return _Known, ()


@frozen
class LogVersioning(Versioning):
    """The log of a collection.

    Attributes
    ----------
    store
        Where it lies, beside the partitions.
    """

    store: KeyStore
    _known: _Known = field(factory=_Known, eq=False, repr=False, init=False)

    async def load(self) -> Configuration:
        """Return the configuration that was committed last."""
        wanted = fetch([Read(CONFIGURATION), Read(log.ANNOUNCED), *self._index])
        data, announced, *index = await perform_one(self.store, wanted)
        checkpoint = catalog.understood(index[0]) if index else None
        known = None if checkpoint is None else Snapshot(self.store, checkpoint)
        self._known.keep(known, listed=self.store.has_listing)
        if data is None:
            await portal.on_loop()
            data = await first.committed_configuration(self.store)
        if data is None:
            raise self.not_found(await foreign.found(self.store))
        configuration = self._understood(data)
        if not self.store.read_only:
            await portal.carried_out(probe.check, self.store)
        if announced is not None:
            await portal.on_loop()
            configuration = await snapshot.current_configuration(self.store, configuration)
        return configuration

    def _understood(self, data: bytes) -> Configuration:
        try:
            return Configuration.load(data, what=f"{CONFIGURATION} of {self.store.url}")
        except CorruptionError:
            if foreign.is_of_rewrite(data):
                raise self.not_found(foreign.REWRITE) from None
            raise

    @property
    def _index(self) -> list[Read]:
        """The catalog, where it is worth asking for at the same time as for other documents."""
        return [catalog.READ] if self.store.blocking is None else []

    async def initialise(self, configuration: Configuration, *, overwrite: bool) -> Configuration:
        """Make an empty collection by its first version; one that is to be overwritten is replaced as one change."""
        beginning = await self.making(configuration, "create", overwrite=overwrite)

        async def attempt() -> None:
            async with beginning() as change:
                await change.commit()

        await retrying(attempt)
        return await self.load()

    async def making(self, configuration: Configuration, operation: str, *, overwrite: bool) -> Beginning:
        """Return how to make a collection by one change: its first version, or one of the collection that it replaces."""
        self.store.check_writable()
        await probe.check(self.store)
        if overwrite:
            if (old := await self._replaceable()) is not None:
                return lambda: self._replacing(old, configuration, operation)
            await self._clear()
        await first.check_free(self.store)
        return lambda: first.begin(self.store, configuration, operation)

    async def _replaceable(self) -> Configuration | None:
        """Return what is there, or None where it is so damaged that it cannot be replaced as one change."""
        try:
            old = await self.load()
            dict((await self.snapshot(old)).partitions)
        except (CollectionNotFoundError, CorruptionError, FormatVersionError, ConflictError):
            return None
        return old

    @asynccontextmanager
    async def _replacing(
        self, old: Configuration, configuration: Configuration, operation: str
    ) -> AsyncIterator[transaction.LogTransaction]:
        """Put a collection in the place of another, as one change of that: readers see the one or the other."""
        async with self.begin(old, operation) as change:
            for path in change.base.partitions:
                change.drop(path)
            change.replacement = configuration
            yield change

    async def _clear(self) -> None:
        """Delete the Zarr hierarchy below the root and our documents, what makes it a collection first; foreign files stay."""
        await self.store.delete([CONFIGURATION, f"{TRANSACTIONS}/log/", f"{TRANSACTIONS}/history/"])
        prefixes = [entry.key async for entry in self.store.list("") if entry.is_prefix]
        documents = await self.store.get([Read(f"{prefix}{GROUP_DOCUMENT}") for prefix in prefixes])
        ours = [prefix for prefix, data in zip(prefixes, documents, strict=True) if data is not None]
        await self.store.delete([*ours, GROUP_DOCUMENT, f"{TRANSACTIONS}/"])

    async def snapshot(self, configuration: Configuration, concern: Concern = None) -> Snapshot:
        """Return the partitions at the newest version, or those that are asked for."""
        taken = await snapshot.take(self.store, configuration, known=self._known.snapshot, concern=concern)
        if self.store.blocking is None and taken.indexed and not taken.pending:
            self._known.keep(_put_together(self.store, taken), listed=self.store.has_listing)
        return taken

    def expected(self, configuration: Configuration) -> Snapshot | None:
        """Return the version that was the newest when it was last looked at, where asking again takes a while."""
        known = self._known.snapshot
        if known is None or (known.configuration, known.schema) != (configuration.version, configuration.changed):
            return None
        return known

    async def completed(self, expected: Snapshot, concern: Concern) -> Snapshot:
        """Return the same with the partitions that are asked for."""
        return await perform_one(self.store, expected.completed(concern))

    async def at_once(
        self, configuration: Configuration, read: Callable[[Snapshot], Work[R | None]], concern: Concern = None
    ) -> R | None:
        """Return what a short work reads of the newest version, where the store has blocking access."""
        if self.store.blocking is None:
            return None
        return await perform_one(self.store, snapshot.reading_at_once(self.store, configuration, read, concern))

    async def inspected(self, configuration: Configuration) -> Snapshot:
        """Return the partitions at the newest version, found by walking where the catalog or a record is damaged."""
        return await inspection.inspected(self.store, configuration)

    async def is_outdated(self, taken: Snapshot) -> bool:
        """Return whether a newer version has been committed, or what was committed was moved."""
        return await snapshot.is_outdated(self.store, taken)

    def begin(
        self,
        configuration: Configuration,
        operation: str,
        *,
        source: str | None = None,
        concern: Concern = None,
    ) -> AbstractAsyncContextManager[transaction.LogTransaction]:
        """Open a transaction on the newest version; leaving the block removes its stage unless it was committed."""
        return transaction.begin(self.store, configuration, operation, source=source, concern=concern)

    async def place_statistics(
        self, configuration: Configuration, taken: Snapshot, objects: Mapping[str, tuple[str, bytes]]
    ) -> None:
        """Put statistics beside partitions, while nobody publishes others; where there is no lock, their stamp tells."""
        async with self.store.lock():
            now = await self.snapshot(configuration, list(objects))
            same = [path for path in objects if path not in now.places and now.is_same(taken, path)]
            await self.store.put(dict(objects[path] for path in same))

    async def history(self) -> tuple[HistoryEntry, ...]:
        """Return the versions that the log and its history hold, oldest first."""
        return tuple(
            HistoryEntry(
                version=version.number,
                time=version.time,
                operation=version.operation,
                partitions=len(version.partitions) + len(version.dropped),
                rows=sum(record.rows for record in version.partitions.values()),
                source=version.source,
                writer=version.writer,
            )
            for version in await history.every(self.store)
        )

    async def sources(self) -> tuple[str, ...]:
        """Return the sources of the records; those that were read once are not read again."""
        known, names = self._known.sources
        try:
            versions = await (history.every(self.store) if known is None else log.after(self.store, known))
        except ConflictError:  # folded into the history meanwhile, or restored from a copy
            versions, names = await history.every(self.store), ()
        for version in versions:
            known = version.id
            names = () if version.configuration is not None else names
            names = names if version.source is None else (*names, version.source)
        self._known.sources = known, names
        return names

    async def changes(self, configuration: Configuration, since: Label) -> Changes:  # noqa: ARG002 - a contract
        """Return what the records after a version name."""
        newest = (await log.listed(self.store))[0].number
        if not isinstance(since, int) or not 0 <= since <= newest:
            message = f"since={since!r}; accepted: a version of {self.store.url}, 0 to {newest}"
            raise SettingError(message)
        there: dict[str, bool] = {}
        versions = await history.every(self.store)
        # Of a copy, the first version has partitions.
        for version in versions[since + 1 :] if since else versions:
            there |= dict.fromkeys(version.partitions, True) | dict.fromkeys(version.dropped, False)
            newest = version.number
        return Changes(
            version=newest,
            written=tuple(sorted(path for path, is_there in there.items() if is_there)),
            dropped=tuple(sorted(path for path, is_there in there.items() if not is_there)),
        )

    async def vacuum(self, configuration: Configuration, older_than: float) -> VacuumReport:
        """Remove the stages of writers that died, and fold old records."""
        return await retrying(lambda: vacuum.vacuum(self.store, configuration, older_than))

    async def examine(self, configuration: Configuration, taken: Snapshot) -> tuple[list[Problem], list[str]]:
        """Return what is wrong with the catalog, the tree and the log, and what is left over."""
        return await inspection.examine(self.store, configuration, taken)

    async def mend(
        self,
        configuration: Configuration,
        taken: Snapshot,
        documents: Mapping[str, bytes],
    ) -> list[str]:
        """Write documents as they should be, publish what is pending, and make a wrong log or catalog anew."""
        return await mending.mend(self.store, configuration, taken, documents)

    async def rebuild_catalog(self, configuration: Configuration) -> int:
        """Write the catalog from what is found by walking."""
        return await transaction.rebuild_catalog(self.store, configuration)

    async def refreshed(self) -> Self:
        """Return the same: every operation looks at the newest version."""
        return evolve(self)

    async def zarr(self) -> "zarr.abc.store.Store":
        """Return the store, in which the newest version lies."""
        return self.store.zarr


def _put_together(store: KeyStore, taken: Snapshot) -> Snapshot:
    """Return a snapshot that is to be kept: without changes, where all partitions are known."""
    known = taken.checkpoint.partitions
    if not taken.changes or not isinstance(known, Partitions):
        return taken
    return Snapshot(store, evolve(taken.to_checkpoint(), partitions=taken.partitions.made()))
