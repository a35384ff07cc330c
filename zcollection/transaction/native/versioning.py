"""Versions of a collection in a store that commits by itself: each is a snapshot of the store."""

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
from zcollection.transaction.versioning import Beginning, Versioning, exists

if TYPE_CHECKING:
    import zarr.abc.store


_SOURCES: Final = "_sources.json"


class _Last:
    """The snapshot that was listed last, and that whose sources were: what is in one never changes."""

    def __init__(self) -> None:
        self.listing: Listing | None = None
        self.sources: tuple[str | None, tuple[str, ...]] = None, ()

    def __reduce__(self) -> tuple[type["_Last"], tuple[()]]:
        return _Last, ()


@frozen
class NativeVersioning(Versioning):
    """The snapshots of a store.

    Attributes
    ----------
    store
        Which.
    held_at
        Id of the snapshot at which a reader is held; None for the newest at any time.
    """

    has_catalog: ClassVar[bool] = False

    store: TransactionalStore
    held_at: str | None = None
    _last: _Last = field(factory=_Last, eq=False, repr=False, init=False)

    async def _now(self) -> str:
        now = self.held_at or await self.store.current()
        if now is None:
            raise self.not_found()
        return now

    async def load(self) -> Configuration:
        """Return the configuration that the snapshot holds."""
        return await self._configuration(await self._now())

    async def _configuration(self, now: str) -> Configuration:
        async with unless_removed(self.store, now):
            document = await self.store.load_document(CONFIGURATION, snapshot=now)
        if document is None:
            raise self.not_found()
        return Configuration.load(document, what=f"{CONFIGURATION} of {self.store.url}")

    async def initialise(self, configuration: Configuration, *, overwrite: bool) -> Configuration:
        """Write the root group, in the place of all that is there if it is to be overwritten."""
        self.store.check_writable()
        return await retrying(lambda: self._initialise(configuration, overwrite=overwrite))

    async def _initialise(self, configuration: Configuration, *, overwrite: bool) -> Configuration:
        async with self._replacing(configuration, "create", overwrite=overwrite) as transaction:
            await transaction.commit()
            return transaction.configuration

    async def making(self, configuration: Configuration, operation: str, *, overwrite: bool) -> Beginning:
        """Return how to make a collection and its partitions by one commit."""
        self.store.check_writable()
        return lambda: self._replacing(configuration, operation, overwrite=overwrite)

    @asynccontextmanager
    async def _replacing(
        self, configuration: Configuration, operation: str, *, overwrite: bool
    ) -> AsyncIterator[NativeTransaction]:
        """Open a transaction in which nothing is left of an older collection."""
        session = await self.store.begin(create=True)
        objects = SnapshotObjects(self.store, session.base)
        if not overwrite and (await objects.get([Read(GROUP_DOCUMENT)]))[0] is not None:
            raise exists(self.store)
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
        """Return what tells a new collection from the one that it takes the place of, were they equal in all else."""
        try:
            return (await self._configuration(base)).version + 1
        except CollectionNotFoundError:
            return 0
        except (CorruptionError, FormatVersionError, StoreError):
            return len(await self.store.history(base))

    async def snapshot(self, configuration: Configuration, candidates: Candidates = None) -> Snapshot:
        """Return the partitions of the newest snapshot, or of the one at which the reader is held."""
        now = await self._now()
        await self._check_configuration(now, configuration)
        return await self._listing(now, configuration).snapshot(candidates)

    async def _check_configuration(self, now: str, configuration: Configuration) -> None:
        current = await self._configuration(now)
        if current != configuration:
            raise self.changed(configuration, current)

    def _listing(self, now: str, configuration: Configuration) -> Listing:
        last = self._last.listing
        if last is None or last.commit != now:
            last = self._last.listing = Listing(SnapshotObjects(self.store, now), configuration)
        return last

    async def is_outdated(self, taken: Snapshot) -> bool:  # noqa: ARG002 - what a snapshot holds stays
        """Return False: what was read of a snapshot is of that snapshot."""
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
        """Open a transaction in a session of its own; one that is not committed leaves no trace."""
        self._check_free()
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
        self._last.listing = transaction.outcome(listing) or self._last.listing

    async def _session(self, configuration: Configuration) -> StoreSession:
        session = await self.store.begin()
        await self._check_configuration(session.base, configuration)
        return session

    def _check_free(self) -> None:
        self.store.check_writable()
        if self.held_at is not None:
            message = (
                f"{self.store.url} is held at snapshot {self.held_at}; open it without at=, with mode='rw', to write"
            )
            raise ReadOnlyError(message)

    async def place_statistics(
        self, configuration: Configuration, taken: Snapshot, objects: Mapping[str, tuple[str, bytes]]
    ) -> None:
        """Put statistics beside partitions, by a commit of their own."""
        async with self.begin(configuration, "statistics", candidates=list(objects)) as transaction:
            same = [path for path in objects if transaction.base.is_same(taken, path)]
            for path in same:
                transaction.reads(path)
            transaction.beside = dict(objects[path] for path in same)
            await transaction.commit()

    async def history(self, last: int | None = None) -> tuple[HistoryEntry, ...]:
        """Return the commits that led to the snapshot, oldest first."""
        now = await self._now()
        async with unless_removed(self.store, now):
            return tuple(_entry(commit) for commit in reversed((await self.store.history(now))[:last]))

    async def sources(self) -> tuple[str, ...]:
        """Return the sources of the commits, and those of commits that a vacuum has let go."""
        now = await self._now()
        if now != self._last.sources[0]:
            self._last.sources = now, await self._sources(now)
        return self._last.sources[1]

    async def _sources(self, now: str) -> tuple[str, ...]:
        known, names = self._last.sources
        newer: list[str] = []
        for commit in await self.store.history(now):
            said = commit.metadata.get(ATTRIBUTE, {})
            if commit.snapshot == known or said.get("operation") == "create":
                names = names if commit.snapshot == known else ()
                break
            if "restored" in said:
                names = await self._sources(str(said["restored"]))
                break
            newer += [str(said["source"])] if "source" in said else []
        else:
            names = await self._kept_sources(now)
        return tuple(dict.fromkeys([*names, *reversed(newer)]))

    async def _kept_sources(self, now: str) -> tuple[str, ...]:
        """Return the sources of commits that are gone."""
        document = await self.store.load_document(_SOURCES, snapshot=now)
        if document is None:
            return ()
        names = parse_json(document, what=f"{_SOURCES} of {self.store.url}").get("sources", [])
        return tuple(map(str, names))

    async def at(self, moment: Moment) -> Self:
        """Return the snapshot at a moment."""
        return evolve(self, held_at=await self._resolved(moment))

    async def _resolved(self, moment: Moment) -> str:
        """Return the id of the snapshot at a moment; what names none may be a time."""
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
        """Let the store give a snapshot a name."""
        self._check_free()
        known = await self.store.tags()
        if name in known:
            message = f"tag {name!r} of {self.store.url} is taken, by snapshot {known[name]}; accepted: another name"
            raise SettingError(message)
        await self.store.add_tag(name, await (self._now() if version is None else self._resolved(version)))

    async def untag(self, configuration: Configuration, name: str) -> None:  # noqa: ARG002 - a contract
        """Let the store take a name away."""
        self._check_free()
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
        """Refuse: the store keeps all snapshots until a vacuum.

        Raises
        ------
        SettingError
            Always.
        """
        raise self.keeps_itself()

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
        now = await self._now()
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
            older = await self._configuration(before)  # which may have been partitioned in another way
            taken = await Listing(SnapshotObjects(self.store, before), older).snapshot()
        except (OutdatedError, StoreError) as error:
            message = f"since={since!r}; accepted: the version of an entry of history(), or 0: {error}"
            raise SettingError(message) from error
        return {path: record.stamp for path, record in taken.partitions.items()}

    async def vacuum(self, configuration: Configuration, older_than: float) -> VacuumReport:
        """Let the store forget old snapshots, and delete what only they hold; the sources are noted before."""
        self._check_free()
        limit = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=older_than)
        if set(await self.sources()) != set(await self._kept_sources(await self._now())):
            await retrying(lambda: self._keep_sources(configuration))
        reclaimed = await self.store.vacuum(limit)
        return VacuumReport(stages=0, bytes=reclaimed.bytes, versions=reclaimed.snapshots)

    async def _keep_sources(self, configuration: Configuration) -> None:
        async with self.begin(configuration, "vacuum") as transaction:
            names = list(await self.sources())
            transaction.documents[_SOURCES] = json.dumps({"sources": names}).encode()
            await transaction.commit()

    async def examine(self, configuration: Configuration, taken: Snapshot) -> tuple[list[Problem], list[str]]:
        """Return the groups that lie among the partitions and are none."""
        known = taken.partitions
        strange = [path for path in await tree.candidates(taken.objects, configuration) if path not in known]
        return [], [f"{path}/ is not part of the collection" for path in strange]

    async def mend(
        self,
        configuration: Configuration,  # noqa: ARG002 - a contract
        taken: Snapshot,  # noqa: ARG002
        documents: Mapping[str, bytes],  # noqa: ARG002
    ) -> list[str]:
        """Return nothing: what was committed is whole, and what is damaged is for the store's own history to mend."""
        return []

    async def rebuild_catalog(self, configuration: Configuration) -> int:
        """Return the number of partitions: there is no catalog."""
        return len((await self.snapshot(configuration)).partitions)

    async def refreshed(self) -> Self:
        """Return the same, held at the newest snapshot where it was held at an older one."""
        return self if self.held_at is None else evolve(self, held_at=await self.store.current())

    async def zarr(self) -> "zarr.abc.store.Store":
        """Return the snapshot as a Zarr store."""
        return await SnapshotObjects(self.store, await self._now()).zarr()


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
    ours: dict[str, Any] = commit.metadata.get(ATTRIBUTE, {})
    return HistoryEntry(
        version=commit.snapshot,
        time=commit.time.isoformat(timespec="milliseconds"),
        operation=str(ours.get("operation", commit.message)),
        partitions=int(ours.get("partitions", 0)),
        rows=int(ours.get("rows", 0)),
        source=None if ours.get("source") is None else str(ours["source"]),
        writer=str(ours.get("writer", "")),
    )
