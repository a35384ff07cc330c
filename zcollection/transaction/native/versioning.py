"""Versions of a collection in a transactional store: each is a snapshot of the store."""

import datetime as dt
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from attrs import evolve, field, frozen

from zcollection.contracts.objects import Read
from zcollection.contracts.transactional import Commit, Moment, StoreSession, TransactionalStore
from zcollection.engine.write import GROUP_DOCUMENT
from zcollection.errors import (
    CollectionNotFoundError,
    CorruptionError,
    FormatVersionError,
    OutdatedError,
    ReadOnlyError,
    SettingError,
    StoreError,
    accepted,
)
from zcollection.model.documents import parse_json
from zcollection.transaction.caches import Cache
from zcollection.transaction.documents import CONFIGURATION, Configuration
from zcollection.transaction.index import tree
from zcollection.transaction.index.partitions import Candidates
from zcollection.transaction.moments import time_of
from zcollection.transaction.native.listing import Listing
from zcollection.transaction.native.transaction import ATTRIBUTE, NativeTransaction
from zcollection.transaction.native.zarr_objects import SnapshotObjects, unless_removed
from zcollection.transaction.reports import Changes, Committed, HistoryEntry, Label, Problem, VacuumReport
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.versioning import TransactionFactory, Versioning, already_exists

if TYPE_CHECKING:
    import zarr.abc.store


_SOURCES: Final = "_sources.json"


class _Cache(Cache):
    """A cache of the last listing and of the last sources; the content of a snapshot never changes."""

    def __init__(self) -> None:
        self.listing: Listing | None = None
        self.sources: tuple[str | None, tuple[str, ...]] = None, ()


@frozen
class NativeVersioning(Versioning):
    """The snapshots of a transactional store, as versions.

    Attributes
    ----------
    store
        The store of the collection.
    pinned_at
        Id of the snapshot to which a reader is pinned; None for a reader of the newest snapshot.
    """

    has_catalog: ClassVar[bool] = False

    store: TransactionalStore
    pinned_at: str | None = None
    _cache: _Cache = field(factory=_Cache, eq=False, repr=False, init=False)

    async def _snapshot_id(self) -> str:
        now = self.pinned_at or await self.store.current()
        if now is None:
            raise self.not_found()
        return now

    async def load(self) -> Configuration:
        """Return the configuration in the snapshot."""
        return await self._configuration(await self._snapshot_id())

    async def _configuration(self, now: str) -> Configuration:
        async with unless_removed(self.store, now):
            document = await self.store.load_document(CONFIGURATION, snapshot=now)
        if document is None:
            raise self.not_found()
        return Configuration.load(document, what=f"{CONFIGURATION} of {self.store.url}")

    async def initialise(self, configuration: Configuration, *, overwrite: bool) -> Configuration:
        """Write the root group; with `overwrite`, replace the existing hierarchy."""
        self.store.check_writable()
        return await retrying(lambda: self._initialise(configuration, overwrite=overwrite))

    async def _initialise(self, configuration: Configuration, *, overwrite: bool) -> Configuration:
        async with self._replacing(configuration, "create", overwrite=overwrite) as transaction:
            await transaction.commit()
            return transaction.configuration

    async def creation(self, configuration: Configuration, operation: str, *, overwrite: bool) -> TransactionFactory:
        """Return a function that opens a transaction to create a collection and its partitions by one commit."""
        self.store.check_writable()
        return lambda: self._replacing(configuration, operation, overwrite=overwrite)

    @asynccontextmanager
    async def _replacing(
        self, configuration: Configuration, operation: str, *, overwrite: bool
    ) -> AsyncIterator[NativeTransaction]:
        """Open a transaction that replaces an existing collection completely."""
        session = await self.store.begin(create=True)
        objects = SnapshotObjects(self.store, session.base)
        if not overwrite and (await objects.get([Read(GROUP_DOCUMENT)]))[0] is not None:
            raise already_exists(self.store)
        made = evolve(configuration, version=await self._next_version(session.base))
        transaction = NativeTransaction(
            store=self.store,
            session=session,
            configuration=made,
            base=Snapshot(objects, commit=session.base),
            operation=operation,
            replacement=made,
        )
        await transaction.replace()
        yield transaction

    async def _next_version(self, base: str) -> int:
        """Return a number that distinguishes a new collection from an otherwise equal one that it replaces."""
        try:
            return (await self._configuration(base)).version + 1
        except CollectionNotFoundError:
            return 0
        except (CorruptionError, FormatVersionError, StoreError):
            return len(await self.store.history(base))

    async def snapshot(self, configuration: Configuration, candidates: Candidates = None) -> Snapshot:
        """Return the partitions of the newest snapshot, or of the snapshot to which the reader is pinned."""
        now = await self._snapshot_id()
        await self._check_configuration(now, configuration)
        return await self._listing(now, configuration).snapshot(candidates)

    async def _check_configuration(self, now: str, configuration: Configuration) -> None:
        current = await self._configuration(now)
        if current != configuration:
            raise self.changed(configuration, current)

    def _listing(self, now: str, configuration: Configuration) -> Listing:
        last = self._cache.listing
        if last is None or last.commit != now:
            last = self._cache.listing = Listing(SnapshotObjects(self.store, now), configuration)
        return last

    async def is_outdated(self, snapshot: Snapshot) -> bool:  # noqa: ARG002 - a snapshot never changes
        """Return False: data read with a snapshot always belongs to that snapshot."""
        return False

    @asynccontextmanager
    async def begin(
        self,
        configuration: Configuration,
        operation: str,
        *,
        source: str | None = None,
        candidates: Candidates = None,
    ) -> AsyncIterator[NativeTransaction]:
        """Open a transaction in a new session; a session that is not committed leaves no trace."""
        self._check_writable()
        session = await self._session(configuration)
        listing = self._listing(session.base, configuration)
        transaction = NativeTransaction(
            store=self.store,
            session=session,
            configuration=configuration,
            base=await listing.snapshot(candidates),
            operation=operation,
            source=source,
        )
        async with unless_removed(self.store, session.base):
            yield transaction
        self._cache.listing = transaction.outcome(listing) or self._cache.listing

    async def _session(self, configuration: Configuration) -> StoreSession:
        session = await self.store.begin()
        await self._check_configuration(session.base, configuration)
        return session

    def _check_writable(self) -> None:
        self.store.check_writable()
        if self.pinned_at is not None:
            message = f"{self.store.url} is pinned to snapshot {self.pinned_at}; open it without at=, with mode='rw', to write"
            raise ReadOnlyError(message)

    async def place_statistics(
        self, configuration: Configuration, snapshot: Snapshot, objects: Mapping[str, tuple[str, bytes]]
    ) -> None:
        """Store statistics beside partitions, by a separate commit."""
        async with self.begin(configuration, "statistics", candidates=list(objects)) as transaction:
            same = [path for path in objects if transaction.base.is_same(snapshot, path)]
            for path in same:
                transaction.reads(path)
            transaction.extra_objects = dict(objects[path] for path in same)
            await transaction.commit()

    async def history(self, last: int | None = None) -> tuple[HistoryEntry, ...]:
        """Return the commits that led to the snapshot, oldest first."""
        now = await self._snapshot_id()
        async with unless_removed(self.store, now):
            return tuple(_entry(commit) for commit in reversed((await self.store.history(now))[:last]))

    async def sources(self) -> tuple[str, ...]:
        """Return the sources of all commits, including commits that a vacuum has removed."""
        now = await self._snapshot_id()
        if now != self._cache.sources[0]:
            self._cache.sources = now, await self._sources(now)
        return self._cache.sources[1]

    async def _sources(self, now: str) -> tuple[str, ...]:
        known, names = self._cache.sources
        newer: list[str] = []
        for commit in await self.store.history(now):
            entry = commit.metadata.get(ATTRIBUTE, {})
            if commit.snapshot == known or entry.get("operation") == "create":
                names = names if commit.snapshot == known else ()
                break
            if "restored" in entry:
                names = await self._sources(str(entry["restored"]))
                break
            newer += [str(entry["source"])] if "source" in entry else []
        else:
            names = await self._kept_sources(now)
        return tuple(dict.fromkeys([*names, *reversed(newer)]))

    async def _kept_sources(self, now: str) -> tuple[str, ...]:
        """Return the sources of commits that a vacuum has removed."""
        document = await self.store.load_document(_SOURCES, snapshot=now)
        if document is None:
            return ()
        names = parse_json(document, what=f"{_SOURCES} of {self.store.url}").get("sources", [])
        return tuple(map(str, names))

    async def at(self, moment: Moment) -> Self:
        """Return the collection at the snapshot that a moment selects."""
        return evolve(self, pinned_at=await self._resolved(moment))

    async def _resolved(self, moment: Moment) -> str:
        """Return the id of the snapshot that a moment selects; a string that names no snapshot may be a time."""
        try:
            return await self.store.resolve(moment)
        except StoreError:
            time = time_of(moment) if isinstance(moment, str) else None
            if time is None:
                raise
        return await self.store.resolve(time)

    async def tags(self) -> dict[str, Label]:
        """Return the tags of the store."""
        return dict(await self.store.tags())

    async def tag(self, configuration: Configuration, name: str, version: Label | None) -> None:  # noqa: ARG002 - a contract
        """Tag a snapshot in the store."""
        self._check_writable()
        known = await self.store.tags()
        if name in known:
            message = f"tag {name!r} of {self.store.url} is taken, by snapshot {known[name]}; accepted: another name"
            raise SettingError(message)
        await self.store.add_tag(name, await (self._snapshot_id() if version is None else self._resolved(version)))

    async def untag(self, configuration: Configuration, name: str) -> None:  # noqa: ARG002 - a contract
        """Remove a tag from the store."""
        self._check_writable()
        known = await self.store.tags()
        if name not in known:
            message = f"{self.store.url} has no tag {name!r}; {accepted(name, known)}"
            raise SettingError(message)
        await self.store.remove_tag(name)

    async def retain(
        self,
        configuration: Configuration,  # noqa: ARG002 - a contract
        *,
        versions: int | None,  # noqa: ARG002
        seconds: float | None,  # noqa: ARG002
    ) -> None:
        """Raise an error: the store keeps all snapshots until a vacuum.

        Raises
        ------
        SettingError
            Always.
        """
        raise self.retention_refused()

    async def changes(self, configuration: Configuration, since: Label) -> Changes:
        """Return the partitions whose stamps differ between two snapshots."""
        now = await self.snapshot(configuration)
        before = {} if since == 0 else await self._stamps(str(since))
        stamps = {path: record.stamp for path, record in now.partitions.items()}
        return Changes(
            version=now.label,
            written=tuple(sorted(path for path, stamp in stamps.items() if before.get(path) != stamp)),
            dropped=tuple(sorted(before.keys() - stamps.keys())),
        )

    async def newer(self, since: Label | None) -> list[Committed]:
        """Return the commits after a snapshot, each with the partitions whose stamps it changed."""
        now = await self._snapshot_id()
        if now == since:
            return []
        async with unless_removed(self.store, now):
            commits = await self.store.history(now)
        newer = list(takewhile(lambda commit: commit.snapshot != since, commits[:1] if since is None else commits))
        if since not in {None, 0} and len(newer) == len(commits):
            message = f"since={since!r}; accepted: the version of an entry of history(), or 0"
            raise SettingError(message)
        before = commits[len(newer) :][:1]
        known = await self._stamps(before[0].snapshot) if before else {}
        found = []
        for commit in reversed(newer):
            stamps = await self._stamps(commit.snapshot)
            found.append(_committed(commit, known, stamps))
            known = stamps
        return found

    async def _stamps(self, since: str) -> dict[str, str]:
        try:
            before = await self.store.resolve(since)
            older = await self._configuration(before)  # its partitioning may differ
            snapshot = await Listing(SnapshotObjects(self.store, before), older).snapshot()
        except (OutdatedError, StoreError) as error:
            message = f"since={since!r}; accepted: the version of an entry of history(), or 0: {error}"
            raise SettingError(message) from error
        return {path: record.stamp for path, record in snapshot.partitions.items()}

    async def vacuum(self, configuration: Configuration, older_than: float) -> VacuumReport:
        """Let the store expire old snapshots and delete their objects, after storing the names of the sources."""
        self._check_writable()
        limit = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=older_than)
        if set(await self.sources()) != set(await self._kept_sources(await self._snapshot_id())):
            await retrying(lambda: self._keep_sources(configuration))
        reclaimed = await self.store.vacuum(limit)
        return VacuumReport(stages=0, bytes=reclaimed.bytes, versions=reclaimed.snapshots)

    async def _keep_sources(self, configuration: Configuration) -> None:
        async with self.begin(configuration, "vacuum") as transaction:
            names = list(await self.sources())
            transaction.documents[_SOURCES] = json.dumps({"sources": names}).encode()
            await transaction.commit()

    async def examine(self, configuration: Configuration, snapshot: Snapshot) -> tuple[list[Problem], list[str]]:
        """Return notes about groups among the partitions that are not partitions."""
        known = snapshot.partitions
        unknown = [path for path in await tree.candidates(snapshot.objects, configuration) if path not in known]
        return [], [f"{path}/ is not part of the collection" for path in unknown]

    async def repair(
        self,
        configuration: Configuration,  # noqa: ARG002 - a contract
        snapshot: Snapshot,  # noqa: ARG002
        documents: Mapping[str, bytes],  # noqa: ARG002
    ) -> list[str]:
        """Return nothing: commits are complete, and damage is repaired by means of the store's own history."""
        return []

    async def rebuild_catalog(self, configuration: Configuration) -> int:
        """Return the number of partitions: there is no catalog."""
        return len((await self.snapshot(configuration)).partitions)

    async def refreshed(self) -> Self:
        """Return the versions, pinned to the newest snapshot if the reader was pinned to an older one."""
        return self if self.pinned_at is None else evolve(self, pinned_at=await self.store.current())

    async def zarr(self) -> "zarr.abc.store.Store":
        """Return the snapshot as a Zarr store."""
        return await SnapshotObjects(self.store, await self._snapshot_id()).zarr()


def _committed(commit: Commit, before: Mapping[str, str], stamps: Mapping[str, str]) -> Committed:
    entry = _entry(commit)
    return Committed(
        version=entry.version,
        time=entry.time,
        operation=entry.operation,
        source=entry.source,
        written=tuple(path for path, stamp in stamps.items() if before.get(path) != stamp),
        dropped=tuple(path for path in before if path not in stamps),
    )


def _entry(commit: Commit) -> HistoryEntry:
    entry: dict[str, Any] = commit.metadata.get(ATTRIBUTE, {})
    return HistoryEntry(
        version=commit.snapshot,
        time=commit.time.isoformat(timespec="milliseconds"),
        operation=str(entry.get("operation", commit.message)),
        partitions=int(entry.get("partitions", 0)),
        rows=int(entry.get("rows", 0)),
        source=None if entry.get("source") is None else str(entry["source"]),
        writer=str(entry.get("writer", "")),
    )
