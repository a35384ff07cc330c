"""Stores that commit by themselves, with one fault each, in a module that other processes can import."""

import asyncio
import datetime as dt
from typing import ClassVar

import anyio
import anyio.lowlevel
from attrs import evolve, frozen
from repositories import Repository, RepositoryFork, RepositorySession, RepositoryStore
from zarr.storage import MemoryStore

from zcollection.plugin import Reclaimed, StoreError

LOOPS = {}
SESSIONS = []


@frozen
class Crossing(RepositoryStore):
    """A store whose sessions are shared among processes; the store itself is not."""

    cross_process: ClassVar[bool] = True


@frozen
class MakesWhatItOpens(RepositoryStore):
    async def current(self):
        session = await evolve(self, read_only=False).begin(create=True)
        return session.base


@frozen
class WaitsWhileItOpens(RepositoryStore):
    @classmethod
    async def open(cls, url, *, mode, key=None):
        await anyio.lowlevel.checkpoint()
        return await super().open(url, mode=mode, key=key)


@frozen
class WritesWhileReading(RepositoryStore):
    def check_writable(self):
        pass


@frozen
class GivesSnapshotsToWriteTo(RepositoryStore):
    async def snapshot(self, snapshot):
        return MemoryStore(dict(self.held(snapshot)))


class Odd(MemoryStore):
    """A Zarr store with a fault, which a subclass adds."""

    def with_read_only(self, read_only=False):
        return type(self)(self._store_dict, read_only=read_only)


class WithoutRanges(Odd):
    async def get(self, key, prototype, byte_range=None):
        return await super().get(key, prototype)


class WithoutSlashes(Odd):
    async def list_dir(self, prefix):
        names = {
            key.removeprefix(prefix).lstrip("/").split("/")[0] for key in self._store_dict if key.startswith(prefix)
        }
        for name in names:
            yield name


class WithoutListing(Odd):
    supports_listing = False


@frozen
class ReadsWholeObjects(RepositoryStore):
    view: ClassVar[type] = WithoutRanges

    async def snapshot(self, snapshot):
        return self.view(dict(self.held(snapshot)), read_only=True)


@frozen
class ListsWhatStartsAlike(ReadsWholeObjects):
    view: ClassVar[type] = WithoutSlashes


@frozen
class DeniesThatItLists(ReadsWholeObjects):
    view: ClassVar[type] = WithoutListing


class RefusesWhatIsMissing(Odd):
    async def delete(self, key):
        if key not in self._store_dict:
            raise StoreError(f"there is no {key}")
        await super().delete(key)


@frozen
class NeedsSomethingToDelete(RepositoryStore):
    class Session(RepositorySession):
        @property
        def zarr(self):
            return RefusesWhatIsMissing(self.data)

    session_class: ClassVar[type] = Session


@frozen
class ShowsTheNewest(RepositoryStore):
    async def snapshot(self, snapshot):
        self.held(snapshot)
        return MemoryStore(dict(self.repository.snapshots[self.repository.tip]), read_only=True)


@frozen
class LoadsTheNewestDocument(RepositoryStore):
    async def load_document(self, name, *, snapshot=None):
        return await super().load_document(name)


@frozen
class NeedsALaterTime(RepositoryStore):
    def newest_before(self, moment):
        return super().newest_before(moment - dt.timedelta(microseconds=1))


@frozen
class TakesTagsForTheNewest(RepositoryStore):
    async def resolve(self, at):
        snapshot = await super().resolve(at)
        return self.repository.tip if at in self.repository.tags else snapshot


@frozen
class TakesTheOldestForTheUnknown(RepositoryStore):
    def newest_before(self, moment):
        try:
            return super().newest_before(moment)
        except StoreError:
            return self.repository.commits[0].snapshot


@frozen
class ForgetsWhatWasSaid(RepositoryStore):
    async def history(self, snapshot):
        return [evolve(commit, metadata={}) for commit in await super().history(snapshot)]


@frozen
class TellsTheOldestFirst(RepositoryStore):
    async def history(self, snapshot):
        return list(reversed(await super().history(snapshot)))


@frozen
class KeepsEverything(RepositoryStore):
    async def vacuum(self, older_than):
        self.check_writable()
        return Reclaimed(snapshots=0, bytes=0)


@frozen
class TakesFromChangesInTheMaking(RepositoryStore):
    class Session(RepositorySession):
        def __init__(self, store, base, data):
            super().__init__(store, base, data)
            SESSIONS.append(self)

        def committed(self, message, metadata):
            SESSIONS.remove(self)
            return super().committed(message, metadata)

    session_class: ClassVar[type] = Session

    async def vacuum(self, older_than):
        reclaimed = await super().vacuum(older_than)
        for session in SESSIONS:
            session.data = dict(self.held(session.base)) if session.store.url == self.url else session.data
        return reclaimed


@frozen
class ForgetsTheNewest(RepositoryStore):
    async def vacuum(self, older_than):
        reclaimed = await super().vacuum(older_than)
        if reclaimed.snapshots:
            self.repository.commits.pop()
        return reclaimed


@frozen
class WritesThrough(RepositoryStore):
    def session(self, repository):
        return RepositorySession(self, repository.tip, repository.snapshots[repository.tip])


class OneReads(Odd):
    """Reads from one dictionary, and writes to another."""

    def __init__(self, store_dict, *, written, read_only=False):
        super().__init__(store_dict, read_only=read_only)
        self._written = MemoryStore(written)

    async def set(self, key, value, byte_range=None):
        await self._written.set(key, value)


@frozen
class ReadsWhatWasCommitted(RepositoryStore):
    class Session(RepositorySession):
        @property
        def zarr(self):
            return OneReads(dict(self.store.held(self.base)), written=self.data)

    session_class: ClassVar[type] = Session


@frozen
class CommitsOverOthers(RepositoryStore):
    class Session(RepositorySession):
        async def commit(self, message, metadata):
            with self.repository.lock:
                return self.committed(message, metadata)

    session_class: ClassVar[type] = Session


@frozen
class LooksBeforeItCommits(RepositoryStore):
    class Session(RepositorySession):
        async def commit(self, message, metadata):
            outdated = self.repository.tip != self.base
            await anyio.sleep(0.05)
            return None if outdated else self.committed(message, metadata)

    session_class: ClassVar[type] = Session


@frozen
class LosesAnAnswer(RepositoryStore):
    class Session(RepositorySession):
        async def commit(self, message, metadata):
            snapshot = await super().commit(message, metadata)
            return None if len(self.repository.commits) == 12 else snapshot

    session_class: ClassVar[type] = Session


@frozen
class ForgetsOthersWhenItRebases(RepositoryStore):
    class Session(RepositorySession):
        async def rebase(self):
            mine = dict(self.data)
            await super().rebase()
            self.data = mine

    session_class: ClassVar[type] = Session


@frozen
class RebasesOnAnything(RepositoryStore):
    class Session(RepositorySession):
        def check(self, both):
            pass

    session_class: ClassVar[type] = Session


@frozen
class MakesItselfAgain(RepositoryStore):
    async def begin(self, *, create=False):
        session = await super().begin(create=create)
        return self.session(Repository.make()) if create else session


class Forgetful(RepositoryFork):
    def __reduce__(self):
        return type(self), (self.before, self.before)


@frozen
class LosesWhatForksHold(Crossing):
    class Session(RepositorySession):
        fork_class = Forgetful

    session_class: ClassVar[type] = Session


@frozen
class MergesOneFork(Crossing):
    class Session(RepositorySession):
        async def merge(self, forks):
            await super().merge(list(forks)[:1])

    session_class: ClassVar[type] = Session


@frozen
class ForksWhatWasWrittenTo(RepositoryStore):
    class Session(RepositorySession):
        def fork(self):
            return RepositoryFork(dict(self.data), dict(self.data))

    session_class: ClassVar[type] = Session


@frozen
class ForgetsItsModeWhenPickled(RepositoryStore):
    def __reduce__(self):
        return type(self), (self.url, False)


@frozen
class ServesOneLoop(RepositoryStore):
    def existing(self):
        loop = asyncio.get_running_loop()
        if LOOPS.setdefault(self.url.location, loop) is not loop:
            raise RuntimeError("attached to a different loop")
        return super().existing()


@frozen
class TellsItsKey(RepositoryStore):
    @classmethod
    async def open(cls, url, *, mode, key=None):
        if key is not None:
            raise StoreError(f"{key} does not open {url}")
        return cls(url, mode == "r")
