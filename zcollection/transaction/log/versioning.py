"""Versions of a collection on a store of keys and bytes: each is a record of a log of ours."""

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
from zcollection.transaction.documents import CONFIGURATION, IMMUTABLE, TRANSACTIONS, Configuration
from zcollection.transaction.index import catalog
from zcollection.transaction.index.partitions import Candidates, Partitions
from zcollection.transaction.log import (
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
        self.base: Snapshot | None = None

    def keep(self, taken: Snapshot | None, *, listed: bool) -> None:
        """Keep a snapshot that can be told from that of another collection in the same place, by what is asked for."""
        record = None if taken is None else taken.id
        can_be_told = record is not None and (record.tag if listed else record.transaction) is not None
        # Versions since the catalog are held as they are, as many as are read besides it.
        self.snapshot = taken if taken is not None and can_be_told and len(taken.changes) <= _MOST_CHANGES else None

    def keep_base(self, base: Snapshot | None) -> None:
        """Keep what a change was made from, with the catalog and the changes since, by which the next one is due."""
        can_be_kept = base is not None and base.indexed and not base.pending and len(base.changes) <= _MOST_CHANGES
        self.base = base if can_be_kept and base is not None and base.id.transaction is not None else None

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
        wanted = fetch([Read(CONFIGURATION), Read(commit_log.ANNOUNCED), *self._index])
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
            await portal.run_change(probe.check, self.store)
        if announced is not None:
            await portal.on_loop()
            configuration = await snapshots.current_configuration(self.store, configuration)
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

    async def snapshot(self, configuration: Configuration, candidates: Candidates = None) -> Snapshot:
        """Return the partitions at the newest version, or those that are asked for."""
        taken = await snapshots.take(self.store, configuration, known=self._known.snapshot, candidates=candidates)
        if self.store.blocking is None and taken.indexed and not taken.pending:
            self._known.keep(_put_together(self.store, taken), listed=self.store.has_listing)
        return taken

    def expected(self, configuration: Configuration) -> Snapshot | None:
        """Return the version that was the newest when it was last looked at, where asking again takes a while."""
        known = self._known.snapshot
        if known is None or (known.configuration, known.schema) != (configuration.version, configuration.changed):
            return None
        return known

    async def completed(self, expected: Snapshot, candidates: Candidates) -> Snapshot:
        """Return the same with the partitions that are asked for."""
        return await perform_one(self.store, expected.completed(candidates))

    async def at_once(
        self, configuration: Configuration, read: Callable[[Snapshot], Work[R | None]], candidates: Candidates = None
    ) -> R | None:
        """Return what a short work reads of the newest version, where the store has blocking access."""
        if self.store.blocking is None:
            return None
        return await perform_one(self.store, snapshots.reading_at_once(self.store, configuration, read, candidates))

    async def inspected(self, configuration: Configuration) -> Snapshot:
        """Return the partitions at the newest version, found by walking where the catalog or a record is damaged."""
        return await inspection.inspected(self.store, configuration)

    async def is_outdated(self, taken: Snapshot) -> bool:
        """Return whether a newer version has been committed, or what was committed was moved."""
        return await snapshots.is_outdated(self.store, taken)

    @asynccontextmanager
    async def begin(
        self,
        configuration: Configuration,
        operation: str,
        *,
        source: str | None = None,
        candidates: Candidates = None,
    ) -> AsyncIterator[transaction.LogTransaction]:
        """Open a transaction on the newest version; leaving the block removes its stage unless it was committed.

        Where each request takes a while, the catalog and the records that the last one has read are not read again.
        """
        known = self._known.base
        async with transaction.begin(
            self.store, configuration, operation, source=source, candidates=candidates, known=known
        ) as change:
            yield change
        self._known.keep_base(change.base if self.store.blocking is None and change.knows_catalog else None)

    async def place_statistics(
        self, configuration: Configuration, taken: Snapshot, objects: Mapping[str, tuple[str, bytes]]
    ) -> None:
        """Put statistics beside partitions, while nobody publishes others; where there is no lock, their stamp tells."""
        async with self.store.lock():
            now = await self.snapshot(configuration, list(objects))
            same = [path for path in objects if path not in now.places and now.is_same(taken, path)]
            await self.store.put(dict(objects[path] for path in same))

    async def history(self, last: int | None = None) -> tuple[HistoryEntry, ...]:
        """Return the versions that the log and its history hold, oldest first."""
        if last is not None:
            return tuple(_entry(version, None) for version in await history.newest(self.store, last))
        versions = await history.every(self.store)
        return tuple(starmap(_entry, zip(versions, history.totals(versions), strict=True)))

    async def sources(self) -> tuple[str, ...]:
        """Return the sources of the records; those that were read once are not read again."""
        known, names = self._known.sources
        newer: list[Version] | None = None
        if known is not None:
            with suppress(ConflictError):  # restored from a copy meanwhile
                newer = await history.after(self.store, known)
        if newer is None or any(version.restored is not None for version in newer):
            newer, names = await history.every(self.store), ()
        names = history.sources(newer, names)
        self._known.sources = newer[-1].id if newer else known, names
        return names

    async def at(self, moment: Moment) -> past.PastVersioning:
        """Return the collection as it was at a version that is kept."""
        return await past.resolved(self.store, self, moment)

    async def tags(self) -> dict[str, Label]:
        """Return the versions that the configuration gives names."""
        retention = (await self.load()).retention
        return {} if retention is None else dict(sorted(retention.tagged.items()))

    async def tag(self, configuration: Configuration, name: str, version: Label | None) -> None:
        """Give a version a name, in the configuration."""
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
        """Take a name out of the configuration."""
        retention = configuration.retention or Retention()
        if name not in retention.tags:
            message = f"{self.store.url} has no tag {name!r}; {accepted(name, retention.tags)}"
            raise SettingError(message)
        tags = {known: number for known, number in retention.tags.items() if known != name}
        await self._reconfigure(configuration, "untag", evolve(retention, tags=tags))

    async def retain(self, configuration: Configuration, *, versions: int | None, seconds: float | None) -> None:
        """Write it into the configuration."""
        before = configuration.retention or Retention()
        after = evolve(before, versions=versions, seconds=seconds)
        if not before.keeps_recent:
            after = evolve(after, since=None)  # nothing was kept until now
        await self._reconfigure(configuration, "retain", after)

    async def _reconfigure(
        self, configuration: Configuration, operation: str, retention: Retention, *, tagged: int | None = None
    ) -> None:
        """Write another retention, as one change; a version that gets a tag must be readable until the change is committed."""

        async def attempt() -> None:
            async with self.begin(configuration, operation) as change:
                change.growth = evolve(configuration, retention=retention)
                if tagged is not None:
                    past.check_kept(self.store, configuration, tagged, change.base.version, SettingError)
                    change.watch(lambda _: True)  # what others replace meanwhile may not be kept
                await change.commit()

        await retrying(attempt)

    async def changes(self, configuration: Configuration, since: Label) -> Changes:  # noqa: ARG002 - a contract
        """Return the partitions that the commit records after a version name."""
        newest = (await commit_log.listed(self.store))[0].number
        return await history.changes(self.store, since, newest)

    async def newer(self, since: Label | None) -> list[Committed]:
        """Return what the records after a version say; where none is new, this asks for two objects."""
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
        return await repair.mend(self.store, configuration, taken, documents)

    async def rebuild_catalog(self, configuration: Configuration) -> int:
        """Write the catalog from what is found by walking."""
        return await transaction.rebuild_catalog(self.store, configuration)

    async def refreshed(self) -> Self:
        """Return the same: every operation looks at the newest version."""
        return evolve(self)

    async def zarr(self) -> "zarr.abc.store.Store":
        """Return the store, in which the newest version lies."""
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


def _put_together(store: KeyStore, taken: Snapshot) -> Snapshot:
    """Return a snapshot that is to be kept: without changes, where all partitions are known."""
    known = taken.checkpoint.partitions
    if not taken.changes or not isinstance(known, Partitions):
        return taken
    return Snapshot(store, evolve(taken.to_checkpoint(), partitions=taken.partitions.made()))
