"""Versions of a collection in a key-value store: each is a commit record of the kernel's log."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import starmap
from typing import TYPE_CHECKING, Final, Self, TypeVar

from attrs import evolve, field, frozen

from zcollection import portal
from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.contracts.transactional import Moment
from zcollection.engine.work import Work, fetch, perform_one
from zcollection.engine.write import GROUP_DOCUMENT
from zcollection.errors import (
    CollectionNotFoundError,
    ConflictError,
    CorruptionError,
    FormatVersionError,
    SettingError,
    accepted,
)
from zcollection.transaction import foreign
from zcollection.transaction.caches import Cache
from zcollection.transaction.documents import CONFIGURATION, IMMUTABLE, TRANSACTIONS, Configuration
from zcollection.transaction.index import catalog
from zcollection.transaction.index.partitions import Candidates, Partitions
from zcollection.transaction.log import (
    catalog_writing,
    commit_log,
    first,
    history,
    inspection,
    past,
    probe,
    repair,
    snapshots,
    transaction,
    vacuum,
)
from zcollection.transaction.reports import Changes, Committed, HistoryEntry, Label, Problem, Total, VacuumReport
from zcollection.transaction.retention import Retention
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.version import RecordId, Version
from zcollection.transaction.versioning import TransactionFactory, Versioning

if TYPE_CHECKING:
    import zarr.abc.store


R = TypeVar("R")
_MOST_CHANGES: Final = 16
"""Largest number of versions that are cached after a catalog: the most by which it may be behind."""


class _Cache(Cache):
    """A cache of data read from the log; committed versions never change."""

    def __init__(self) -> None:
        self.sources: tuple[RecordId | None, tuple[str, ...]] = None, ()
        self.snapshot: Snapshot | None = None
        self.base: Snapshot | None = None

    def keep(self, snapshot: Snapshot | None, *, listed: bool) -> None:
        """Keep a snapshot, if a later read can distinguish its record from that of another collection at the same URL."""
        record = None if snapshot is None else snapshot.id
        is_identified = record is not None and (record.tag if listed else record.transaction) is not None
        # Versions after the catalog are kept unmerged, as many as a reader may have to read after it.
        self.snapshot = (
            snapshot if snapshot is not None and is_identified and len(snapshot.changes) <= _MOST_CHANGES else None
        )

    def keep_base(self, base: Snapshot | None) -> None:
        """Keep the base of a change, with its catalog and the versions since, from which the next catalog becomes due."""
        can_be_kept = base is not None and base.indexed and not base.pending and len(base.changes) <= _MOST_CHANGES
        self.base = base if can_be_kept and base is not None and base.id.transaction is not None else None


@frozen
class LogVersioning(Versioning):
    """The commit log of a collection, as its versions.

    Attributes
    ----------
    store
        The store of the collection.
    """

    store: KeyStore
    _cache: _Cache = field(factory=_Cache, eq=False, repr=False, init=False)

    async def load(self) -> Configuration:
        """Return the configuration that was committed last."""
        documents = fetch([Read(CONFIGURATION), Read(commit_log.ANNOUNCED), *self._index])
        data, announced, *index = await perform_one(self.store, documents)
        checkpoint = catalog.parsed(index[0]) if index else None
        known = None if checkpoint is None else Snapshot(self.store, checkpoint)
        self._cache.keep(known, listed=self.store.has_listing)
        if data is None:
            await portal.on_loop()
            data = await first.committed_configuration(self.store)
        if data is None:
            raise self.not_found(await foreign.recognise(self.store))
        configuration = self._parsed(data)
        if not self.store.read_only:
            await portal.run_change(probe.check, self.store)
        if announced is not None:
            await portal.on_loop()
            configuration = await snapshots.current_configuration(self.store, configuration)
        return configuration

    def _parsed(self, data: bytes) -> Configuration:
        try:
            return Configuration.load(data, what=f"{CONFIGURATION} of {self.store.url}")
        except CorruptionError:
            if foreign.is_of_rewrite(data):
                raise self.not_found(foreign.REWRITE) from None
            raise

    @property
    def _index(self) -> list[Read]:
        """The read of the catalog, to be requested together with other documents; empty if requests are fast."""
        return [catalog.READ] if self.store.blocking is None else []

    async def initialise(self, configuration: Configuration, *, overwrite: bool) -> Configuration:
        """Create an empty collection by its first version; an existing collection is replaced by one change."""
        begin = await self.creation(configuration, "create", overwrite=overwrite)

        async def attempt() -> None:
            async with begin() as change:
                await change.commit()

        await retrying(attempt)
        return await self.load()

    async def creation(self, configuration: Configuration, operation: str, *, overwrite: bool) -> TransactionFactory:
        """Return a function that opens a transaction to create a collection, or to replace an existing one."""
        self.store.check_writable()
        await probe.check(self.store)
        if overwrite:
            if (old := await self._replaceable()) is not None:
                return lambda: self._replacing(old, configuration, operation)
            await self._clear()
        await first.check_free(self.store)
        return lambda: first.begin(self.store, configuration, operation)

    async def _replaceable(self) -> Configuration | None:
        """Return the existing configuration; None if the collection is missing or too damaged to be replaced by one change."""
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
        """Replace a collection by another as one change: readers see either the old or the new one."""
        async with self.begin(old, operation) as change:
            for path in change.base.partitions:
                change.drop(path)
            change.replacement = configuration
            yield change

    async def _clear(self) -> None:
        """Delete the collection's documents, the configuration and the log first, and the Zarr hierarchy; foreign files stay."""
        await self.store.delete([CONFIGURATION, f"{TRANSACTIONS}/log/", f"{TRANSACTIONS}/history/"])
        prefixes = [entry.key async for entry in self.store.list("") if entry.is_prefix]
        documents = await self.store.get([Read(f"{prefix}{GROUP_DOCUMENT}") for prefix in prefixes])
        groups = [prefix for prefix, data in zip(prefixes, documents, strict=True) if data is not None]
        await self.store.delete([*groups, GROUP_DOCUMENT, f"{TRANSACTIONS}/"])

    async def snapshot(self, configuration: Configuration, candidates: Candidates = None) -> Snapshot:
        """Return a snapshot of the newest version, or of its candidates."""
        snapshot = await snapshots.take(self.store, configuration, known=self._cache.snapshot, candidates=candidates)
        if self.store.blocking is None and snapshot.indexed and not snapshot.pending:
            self._cache.keep(_merged(self.store, snapshot), listed=self.store.has_listing)
        return snapshot

    def expected(self, configuration: Configuration) -> Snapshot | None:
        """Return the snapshot that was the newest when it was last read; None on a store with fast requests."""
        known = self._cache.snapshot
        if known is None or (known.configuration, known.schema) != (configuration.version, configuration.changed):
            return None
        return known

    async def completed(self, expected: Snapshot, candidates: Candidates) -> Snapshot:
        """Return the expected snapshot with the segments of the candidates loaded."""
        return await perform_one(self.store, expected.completed(candidates))

    async def read_on_one_thread(
        self, configuration: Configuration, read: Callable[[Snapshot], Work[R | None]], candidates: Candidates = None
    ) -> R | None:
        """Perform a short read of the newest version, if the store has blocking access."""
        if self.store.blocking is None:
            return None
        return await perform_one(
            self.store, snapshots.reading_on_one_thread(self.store, configuration, read, candidates)
        )

    async def inspected(self, configuration: Configuration) -> Snapshot:
        """Return the newest version, found by listing if the catalog or a record is damaged."""
        return await inspection.inspected(self.store, configuration)

    async def is_outdated(self, snapshot: Snapshot) -> bool:
        """Return whether a newer version was committed, or a group of the snapshot was moved by its publication."""
        return await snapshots.is_outdated(self.store, snapshot)

    @asynccontextmanager
    async def begin(
        self,
        configuration: Configuration,
        operation: str,
        *,
        source: str | None = None,
        candidates: Candidates = None,
    ) -> AsyncIterator[transaction.LogTransaction]:
        """Open a transaction on the newest version; leaving the block removes its staging area unless it was committed.

        On a store with slow requests, the catalog and the records that the last transaction read are not read again.
        """
        known = self._cache.base
        async with transaction.begin(
            self.store, configuration, operation, source=source, candidates=candidates, known=known
        ) as change:
            yield change
        self._cache.keep_base(change.base if self.store.blocking is None and change.knows_catalog else None)

    async def place_statistics(
        self, configuration: Configuration, snapshot: Snapshot, objects: Mapping[str, tuple[str, bytes]]
    ) -> None:
        """Store statistics beside partitions under the lock; without a lock, the stamp in them shows outdated statistics."""
        async with self.store.lock():
            now = await self.snapshot(configuration, list(objects))
            same = [path for path in objects if path not in now.places and now.is_same(snapshot, path)]
            await self.store.put(dict(objects[path] for path in same))

    async def history(self, last: int | None = None) -> tuple[HistoryEntry, ...]:
        """Return the versions in the log and the history, oldest first."""
        if last is not None:
            return tuple(_entry(version, None) for version in await history.newest(self.store, last))
        versions = await history.all_versions(self.store)
        return tuple(starmap(_entry, zip(versions, history.totals(versions), strict=True)))

    async def sources(self) -> tuple[str, ...]:
        """Return the sources in the records; records that were read before are not read again."""
        known, names = self._cache.sources
        newer: list[Version] | None = None
        if known is not None:
            with suppress(ConflictError):  # restored from a copy meanwhile
                newer = await history.after(self.store, known)
        if newer is None or any(version.restored is not None for version in newer):
            newer, names = await history.all_versions(self.store), ()
        names = history.sources(newer, names)
        self._cache.sources = newer[-1].id if newer else known, names
        return names

    async def at(self, moment: Moment) -> past.PastVersioning:
        """Return the collection at a version that is kept."""
        return await past.resolved(self.store, self, moment)

    async def tags(self) -> dict[str, Label]:
        """Return the tags in the configuration."""
        retention = (await self.load()).retention
        return {} if retention is None else dict(sorted(retention.tagged.items()))

    async def tag(self, configuration: Configuration, name: str, version: Label | None) -> None:
        """Add a tag to the configuration."""
        retention = configuration.retention or Retention()
        if name in retention.tags:
            message = (
                f"tag {name!r} of {self.store.url} is taken, by version {retention.tags[name]}; accepted: another name"
            )
            raise SettingError(message)
        number = None if version is None else await self._numbered(version)
        try:
            tagged = evolve(retention, tags={**retention.tags, name: number})
        except (ValueError, TypeError) as error:
            message = f"tag {name!r}; accepted: a letter, and up to 99 letters, digits and . _ + - after it"
            raise SettingError(message) from error
        await self._reconfigure(configuration, "tag", tagged, tagged=number)

    async def _numbered(self, version: Label) -> int:
        """Return the number of a version that can be read."""
        found = await self.at(version)
        return found.number

    async def untag(self, configuration: Configuration, name: str) -> None:
        """Remove a tag from the configuration."""
        retention = configuration.retention or Retention()
        if name not in retention.tags:
            message = f"{self.store.url} has no tag {name!r}; {accepted(name, retention.tags)}"
            raise SettingError(message)
        tags = {known: number for known, number in retention.tags.items() if known != name}
        await self._reconfigure(configuration, "untag", evolve(retention, tags=tags))

    async def retain(self, configuration: Configuration, *, versions: int | None, seconds: float | None) -> None:
        """Write the retention into the configuration."""
        before = configuration.retention or Retention()
        after = evolve(before, versions=versions, seconds=seconds)
        if not before.keeps_recent:
            after = evolve(after, since=None)  # no version was kept until now
        await self._reconfigure(configuration, "retain", after)

    async def _reconfigure(
        self, configuration: Configuration, operation: str, retention: Retention, *, tagged: int | None = None
    ) -> None:
        """Write another retention as one change; a newly tagged version must be readable until the change is committed."""

        async def attempt() -> None:
            async with self.begin(configuration, operation) as change:
                change.reconfiguration = evolve(configuration, retention=retention)
                if tagged is not None:
                    past.check_kept(self.store, configuration, tagged, change.base.version, SettingError)
                    change.watch(lambda _: True)  # partitions that other writers replace meanwhile may not be kept
                await change.commit()

        await retrying(attempt)

    async def changes(self, configuration: Configuration, since: Label) -> Changes:  # noqa: ARG002 - a contract
        """Return the partitions that changed after a version, from the commit records."""
        newest = (await commit_log.listed(self.store))[0].number
        return await history.changes(self.store, since, newest)

    async def newer(self, since: Label | None) -> list[Committed]:
        """Return the versions committed after `since`; if there are none, this takes two reads."""
        if since is None:
            newest = (await commit_log.listed(self.store))[0].number
            return list(map(_committed, await history.between(self.store, newest, newest)))
        known = int(since) if isinstance(since, int) or since.isdigit() else -1
        if known >= 0:
            itself, following = await self.store.get(
                [Read(commit_log.record_key(known)), Read(commit_log.record_key(known + 1))]
            )
            if itself is not None and following is None:
                return []
        newest = (await commit_log.listed(self.store))[0].number
        if not 0 <= known <= newest:
            message = f"since={since!r}; accepted: a version of {self.store.url}, 0 to {newest}"
            raise SettingError(message)
        return list(map(_committed, await history.between(self.store, known + 1, newest)))

    async def vacuum(self, configuration: Configuration, older_than: float) -> VacuumReport:
        """Remove staging areas of dead writers and versions that are not kept, and fold old records."""
        return await retrying(lambda: vacuum.vacuum(self.store, configuration, older_than))

    async def examine(self, configuration: Configuration, snapshot: Snapshot) -> tuple[list[Problem], list[str]]:
        """Return problems of the catalog, the parent groups and the log, and notes about objects that dead writers left."""
        return await inspection.examine(self.store, configuration, snapshot)

    async def repair(
        self,
        configuration: Configuration,
        snapshot: Snapshot,
        documents: Mapping[str, bytes],
    ) -> list[str]:
        """Restore documents, publish pending versions, and repair the log and the catalog."""
        return await repair.repair(self.store, configuration, snapshot, documents)

    async def rebuild_catalog(self, configuration: Configuration) -> int:
        """Write the catalog from the partitions found by listing."""
        return await catalog_writing.rebuild_catalog(self.store, configuration)

    async def refreshed(self) -> Self:
        """Return the versions: every operation already uses the newest one."""
        return evolve(self)

    async def zarr(self) -> "zarr.abc.store.Store":
        """Return the store, in which the newest version is published."""
        return self.store.zarr


def _entry(version: Version, total: Total | None) -> HistoryEntry:
    return HistoryEntry(
        version=version.number,
        time=version.time,
        operation=version.operation,
        partitions=len(version.partitions) + len(version.dropped),
        rows=sum(record.rows for record in version.partitions.values()),
        source=version.source,
        writer=version.writer,
        total=total,
    )


def _committed(version: Version) -> Committed:
    return Committed(
        version=version.number,
        time=version.time,
        operation=version.operation,
        source=version.source,
        written=tuple(version.partitions),
        dropped=tuple(path for path in version.dropped if path != IMMUTABLE),
    )


def _merged(store: KeyStore, snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with its changes merged into the checkpoint, if no segments are used."""
    known = snapshot.checkpoint.partitions
    if not snapshot.changes or not isinstance(known, Partitions):
        return snapshot
    return Snapshot(store, evolve(snapshot.to_checkpoint(), partitions=snapshot.partitions.materialised()))
