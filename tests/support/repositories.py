"""A sound store that commits by itself, over dictionaries, in the words that its broken subclasses replace."""

import datetime as dt
import threading
import uuid
from typing import ClassVar

from anyio.lowlevel import checkpoint
from attrs import define, field, frozen
from zarr.storage import MemoryStore

from zcollection.plugin import (
    Commit,
    ConflictError,
    Reclaimed,
    StoreError,
    StoreFork,
    StoreSession,
    StoreURL,
    TransactionalStore,
)

REPOSITORIES: dict[str, "Repository"] = {}


@define(eq=False)
class Repository:
    """Snapshots by id, each a dictionary of objects that nobody changes, and the commits that made them, oldest first."""

    snapshots: dict[str, dict]
    commits: list[Commit]
    tags: dict[str, str] = field(factory=dict)
    lock: threading.Lock = field(factory=threading.Lock)

    @classmethod
    def make(cls):
        return cls({"first": {}}, [Commit(snapshot="first", time=now(), message="made")])

    @property
    def tip(self):
        return self.commits[-1].snapshot

    def commit(self, snapshot, data, message, metadata):
        self.snapshots[snapshot] = data
        self.commits.append(Commit(snapshot=snapshot, time=now(), message=message, metadata=metadata))


def now():
    return dt.datetime.now(dt.UTC)


@define(eq=False)
class RepositoryFork(StoreFork):
    """Objects before and after; the same object on both sides was not written."""

    before: dict
    data: dict

    @property
    def zarr(self):
        return MemoryStore(self.data)

    def changes(self):
        return changes(self.before, self.data)


def changes(before, after):
    """Return what differs, by key; None for what is gone."""
    return {key: after.get(key) for key in before.keys() | after.keys() if before.get(key) is not after.get(key)}


def applied(data, changed):
    return {key: value for key, value in (data | changed).items() if value is not None}


class RepositorySession(StoreSession):
    """A change of a copy of the newest snapshot."""

    fork_class = RepositoryFork

    def __init__(self, store, base, data):
        self.store, self._base, self.data = store, base, data

    @property
    def base(self):
        return self._base

    @property
    def zarr(self):
        return MemoryStore(self.data)

    @property
    def repository(self):
        return self.store.existing()

    def changes(self):
        return changes(self.store.held(self._base), self.data)

    async def commit(self, message, metadata):
        await checkpoint()
        with self.repository.lock:
            if self.repository.tip != self._base:
                return None
            return self.committed(message, metadata)

    def committed(self, message, metadata):
        snapshot = uuid.uuid4().hex
        self.repository.commit(snapshot, dict(self.data), message, dict(metadata))
        return snapshot

    async def rebase(self):
        await checkpoint()
        tip = self.repository.tip
        others, mine = changes(self.store.held(self._base), self.store.held(tip)), self.changes()
        self.check(others.keys() & mine.keys())
        self.data = applied(self.store.held(tip), mine)
        self._base = tip

    def check(self, both):
        if both:
            message = f"{sorted(both)} of {self.store.url} was changed by another writer"
            raise ConflictError(message)

    def fork(self):
        if self.changes():
            message = f"a session of {self.store.url} that was written to cannot be forked"
            raise StoreError(message)
        return self.fork_class(dict(self.data), dict(self.data))

    async def merge(self, forks):
        await checkpoint()
        for fork in forks:
            self.data = applied(self.data, fork.changes())


@frozen
class RepositoryStore(TransactionalStore):
    """A store over a repository of this process."""

    cross_process: ClassVar[bool] = False
    opens_at_once: ClassVar[bool] = True
    session_class: ClassVar[type] = RepositorySession

    url: StoreURL = field(eq=str)
    read_only: bool

    @classmethod
    async def open(cls, url, *, mode, key=None):
        del key  # an option that may hold a credential
        return cls(url, mode == "r")

    @property
    def repository(self):
        return REPOSITORIES.get(self.url.location)

    def existing(self):
        if self.repository is None:
            message = f"nothing has been made at {self.url}"
            raise StoreError(message)
        return self.repository

    def held(self, snapshot):
        """Return the objects of a snapshot."""
        try:
            return self.existing().snapshots[snapshot]
        except KeyError:
            message = f"{self.url} has no snapshot {snapshot!r}"
            raise StoreError(message) from None

    async def current(self):
        await checkpoint()
        return None if self.repository is None else self.repository.tip

    async def resolve(self, at):
        await checkpoint()
        repository = self.existing()
        if isinstance(at, dt.datetime):
            return self.newest_before(at if at.tzinfo else at.replace(tzinfo=dt.UTC))
        snapshot = repository.tags.get(at, at)
        self.held(snapshot)
        return snapshot

    def newest_before(self, moment):
        for commit in reversed(self.existing().commits):
            if commit.time <= moment:
                return commit.snapshot
        message = f"{self.url} has nothing as old as {moment}"
        raise StoreError(message)

    async def snapshot(self, snapshot):
        await checkpoint()
        return MemoryStore(dict(self.held(snapshot)), read_only=True)

    async def begin(self, *, create=False):
        self.check_writable()
        await checkpoint()
        if create and self.repository is None:
            REPOSITORIES.setdefault(self.url.location, Repository.make())
        return self.session(self.existing())

    def session(self, repository):
        return self.session_class(self, repository.tip, dict(repository.snapshots[repository.tip]))

    async def history(self, snapshot):
        await checkpoint()
        self.held(snapshot)
        commits = self.existing().commits
        ids = [commit.snapshot for commit in commits]
        return commits[ids.index(snapshot) : 0 : -1]

    async def vacuum(self, older_than):
        self.check_writable()
        await checkpoint()
        repository = self.existing()
        with repository.lock:
            gone = {commit.snapshot for commit in repository.commits[1:-1] if commit.time < older_than}
            freed = sum(len(repository.snapshots.pop(snapshot)) for snapshot in gone)
            repository.commits[:] = [item for item in repository.commits if item.snapshot not in gone]
            return Reclaimed(snapshots=len(gone), bytes=freed)
