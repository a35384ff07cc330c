"""Stores with one fault each, in a module that other processes can import, unlike a test file."""

import os
import threading
import time
from contextlib import asynccontextmanager
from typing import ClassVar

import anyio
from anyio.lowlevel import checkpoint, current_token
from attrs import evolve, field, frozen

from zcollection.plugin import KeyStore, Listed, StoreError, StoreURL, unfenced

DATA: dict[str, dict[str, tuple[bytes, str]]] = {}
LOCKS: dict[str, threading.Lock] = {}
SHARED: dict[str, object] = {}


@frozen
class Tiny(KeyStore):
    """A sound store over a dictionary, in the words that its broken subclasses replace."""

    cross_process: ClassVar[bool] = False
    has_lock: ClassVar[bool] = True
    opens_at_once: ClassVar[bool] = True

    url: StoreURL = field(eq=lambda url: url.location)
    read_only: bool

    @classmethod
    async def open(cls, url, *, mode):
        return cls(url, mode == "r")

    @property
    def place(self):
        return self.url.location

    @property
    def data(self):
        return DATA.setdefault(self.place, {})

    def checked(self, *keys):
        for key in keys:
            if key.startswith("/") or ".." in key.split("/"):
                message = f"{key!r} leaves {self.url}"
                raise StoreError(message)

    def write(self, key, data):
        self.data[key] = (bytes(data), f"{time.time_ns()}-{len(SHARED)}")
        SHARED[f"written {len(SHARED)}"] = key

    def read(self, read):
        self.checked(read.key)
        data = self.data.get(read.key, (None,))[0]
        return None if data is None else data[read.offset :][: read.limit]

    def below(self, prefix):
        return [key for key in sorted(self.data) if key.startswith(prefix)]

    @property
    def blocking(self):
        return Blocking(self)

    async def get(self, reads):
        await checkpoint()
        return [self.read(read) for read in reads]

    async def put(self, items):
        self.check_writable()
        self.checked(*items)
        await checkpoint()
        for key, data in items.items():
            self.write(key, data)

    async def create(self, key, data):
        self.check_writable()
        self.checked(key)
        entry = (data, "created")
        return "created" if self.data.setdefault(key, entry) is entry else "exists"

    async def list(self, prefix, *, after="", recursive=False):
        for entry in self.entries(prefix, after=after, recursive=recursive):
            yield entry

    def entries(self, prefix, *, after, recursive):
        self.checked(prefix)
        found = {}
        for key in self.below(prefix):
            head, separator, _ = key.removeprefix(prefix).partition("/")
            if separator and not recursive:
                found[f"{prefix}{head}/"] = Listed(key=f"{prefix}{head}/")
            else:
                data, etag = self.data[key]
                found[key] = Listed(key=key, size=len(data), modified=1.0, etag=etag)
        return self.ordered(found, after)

    def ordered(self, found, after):
        return [found[key] for key in sorted(found) if key > after]

    async def copy(self, pairs):
        self.check_writable()
        for source, target in pairs:
            self.checked(source, target)
            if source not in self.data:
                message = f"there is no {source!r} in {self.url}"
                raise StoreError(message)
            self.write(target, self.data[source][0])

    async def delete(self, keys):
        self.check_writable()
        self.checked(*keys)
        for key in keys:
            self.remove(key)

    def remove(self, key):
        for found in self.below(key) if key.endswith("/") else [key]:
            self.data.pop(found, None)

    async def publish(self, staged, target, fence=None):
        self.check_writable()
        self.checked(staged, target)
        await checkpoint()
        self.move(staged, target)

    def move(self, staged, target):
        moved = {target + key.removeprefix(staged): self.data[key] for key in self.below(staged)}
        late = f"{staged}zarr.json" not in self.data and f"{target}zarr.json" in self.data
        if moved and not late:
            self.remove(target)
            self.remove(staged)
            self.data.update(moved)

    async def unpublish(self, target, trash, fence=None):
        self.check_writable()
        self.checked(target, trash)
        self.remove(target)

    @asynccontextmanager
    async def lock(self):
        lock = LOCKS.setdefault(self.place, threading.Lock())
        while not lock.acquire(blocking=False):
            await anyio.sleep(0.001)
        try:
            yield
        finally:
            lock.release()


@frozen
class Blocking:
    store: Tiny

    def get(self, reads):
        return [self.store.read(read) for read in reads]

    def stage(self, items):
        self.store.check_writable()
        self.store.checked(*items)
        for key, data in items.items():
            self.store.write(key, data)

    def copy(self, pairs):
        self.store.check_writable()
        for source, target in pairs:
            self.store.checked(source, target)
            self.store.write(target, self.store.data[source][0])

    def list(self, prefix, *, after, recursive):
        self.store.checked(prefix)
        return iter(self.store.entries(prefix, after=after, recursive=recursive))


class Plain(Tiny):
    """Sound too: no lock, no blocking access, not open at once."""

    blocking = None
    lock = KeyStore.lock
    has_lock = False
    opens_at_once = False


class MarksWhatItOpens(Tiny):
    @classmethod
    async def open(cls, url, *, mode):
        store = cls(url, mode == "r")
        store.data.setdefault("opened", (b"", ""))
        return store


class AsksItsLoopInThreads(Tiny):
    @property
    def blocking(self):
        class Asking(Blocking):
            def get(self, reads):
                return anyio.from_thread.run(self.store.get, reads)

        return Asking(self)


class WaitsWhileItOpens(Tiny):
    @classmethod
    async def open(cls, url, *, mode):
        await checkpoint()
        return await super().open(url, mode=mode)


class CopiesWhileReading(Tiny):
    async def copy(self, pairs):
        await Tiny(self.url, read_only=False).copy(pairs)


class WritesWhileReadingInThreads(Tiny):
    @property
    def blocking(self):
        return Blocking(Tiny(self.url, read_only=False))


class ReadsABatchInOrderOfItsKeys(Tiny):
    async def get(self, reads):
        return await super().get(sorted(reads, key=lambda read: read.key))


class IncludesTheEndOfARange(Tiny):
    def read(self, read):
        data = super().read(read)
        if data is None or read.length is None:
            return data
        return self.data[read.key][0][read.offset :][: read.length + 1]


class ReadsWhateverThereIs(Tiny):
    async def get(self, reads):
        return await super().get([evolve(read, most=None) for read in reads])


class WritesInTwoSteps(Tiny):
    async def put(self, items):
        if len(items) == 1:
            await super().put({key: data[: len(data) // 2] for key, data in items.items()})
        await super().put(items)


class CreatesInPlaceOfWhatExists(Tiny):
    async def create(self, key, data):
        answer = await super().create(key, data)
        self.write(key, data)
        return answer


class SortsByPartsOfKeys(Tiny):
    def ordered(self, found, after):
        return sorted(super().ordered(found, after), key=lambda entry: entry.key.split("/"))


class ListsTheKeyThatItGoesOnAfter(Tiny):
    def ordered(self, found, after):
        return [found[key] for key in sorted(found) if key >= after]


class HasOneEtagForAll(Tiny):
    def write(self, key, data):
        self.data[key] = (bytes(data), "always the same")


class CopiesByReference(Tiny):
    async def copy(self, pairs):
        await super().copy(pairs)
        SHARED.setdefault(self.place, {}).update(dict(pairs))

    def write(self, key, data):
        super().write(key, data)
        if key in SHARED.get(self.place, {}):
            super().write(SHARED[self.place][key], data)


class PassesOverMissingSources(Tiny):
    async def copy(self, pairs):
        await super().copy([pair for pair in pairs if pair[0] in self.data or ".." in pair[0] or pair[0][0] == "/"])


class DeletesWhatStartsAlike(Tiny):
    def remove(self, key):
        for found in self.below(key.rstrip("/")) if key.endswith("/") else [key]:
            self.data.pop(found, None)


class ReadsOutsideInThreads(Tiny):
    @property
    def blocking(self):
        return ReadsAnything(self)


class ReadsAnything(Blocking):
    def get(self, reads):
        return [self.store.read(read) if ".." not in read.key else None for read in reads]


class CannotFlushNothing(Tiny):
    async def flush(self, prefix):
        if not self.below(prefix):
            message = f"there is no {prefix!r} in {self.url}"
            raise StoreError(message)


class LosesItsDocuments(Tiny):
    async def load_document(self, name):
        return await super().load_document(f"documents/{name}")


class ReadsWholeObjectsInThreads(Tiny):
    @property
    def blocking(self):
        return IgnoresRanges(self)


class IgnoresRanges(Blocking):
    def get(self, reads):
        self.store.checked(*(read.key for read in reads))
        return [self.store.data.get(read.key, (None,))[0] for read in reads]


class PublishesWhatLiesDirectlyBelow(Tiny):
    def move(self, staged, target):
        for key in self.below(staged):
            if "/" in key.removeprefix(staged):
                self.remove(key)
        super().move(staged, target)


class AddsToWhatIsThere(Tiny):
    def move(self, staged, target):
        for key in self.below(staged):
            self.data[target + key.removeprefix(staged)] = self.data.pop(key)


class SwapsEveryTime(Tiny):
    def move(self, staged, target):
        there = {staged + key.removeprefix(target): self.data[key] for key in self.below(target)}
        super().move(staged, target)
        self.data.update(there)


class PublishesOnceForEver(Tiny):
    def move(self, staged, target):
        done = SHARED.setdefault(f"published {self.place}", set())
        if (staged, target) not in done:
            done.add((staged, target))
            super().move(staged, target)


class PublishesWhatIsLeft(Tiny):
    def move(self, staged, target):
        moved = {target + key.removeprefix(staged): self.data[key] for key in self.below(staged)}
        if moved:
            self.remove(target)
            self.remove(staged)
            self.data.update(moved)


class KeepsWhatItPublishes(Tiny):
    async def replace_all(self, replacements, fence=unfenced):
        for item in replacements:
            await super().replace_all([item], fence)
            if item.staged is not None:
                self.data.update(
                    {item.kept + key.removeprefix(item.target): self.data[key] for key in self.below(item.target)}
                )


class ForgetsWhatItTakesAway(Tiny):
    async def replace_all(self, replacements, fence=unfenced):
        for item in replacements:
            if item.staged is None:
                await self.unpublish(item.target, item.kept)
            else:
                await super().replace_all([item], fence)


class MovesKeyByKey(Tiny):
    async def publish(self, staged, target, fence=None):
        self.check_writable()
        self.checked(staged, target)
        if self.below(staged):
            self.remove(target)
        for key in self.below(staged):
            await checkpoint()
            self.data[target + key.removeprefix(staged)] = self.data.pop(key)


class LeavesWhatIsNested(Tiny):
    async def unpublish(self, target, trash, fence=None):
        self.check_writable()
        self.checked(target, trash)
        for key in self.below(target):
            if "/" not in key.removeprefix(target):
                self.remove(key)


class NeedsSomethingToTakeAway(Tiny):
    async def unpublish(self, target, trash, fence=None):
        self.check_writable()
        self.checked(target, trash)
        if not self.below(target):
            message = f"nothing lies at {target!r} in {self.url}"
            raise StoreError(message)
        self.remove(target)


class ForgetsItsModeWhenPickled(Tiny):
    def __reduce__(self):
        return type(self), (self.url, False)


class ServesOneLoop(Tiny):
    async def get(self, reads):
        if SHARED.setdefault(f"loop {self.place}", current_token()) != current_token():
            message = f"{self.url} is attached to another event loop"
            raise RuntimeError(message)
        return await super().get(reads)


class LooksBeforeItCreates(Tiny):
    async def create(self, key, data):
        self.check_writable()
        self.checked(key)
        if key in self.data:
            return "exists"
        time.sleep(0.0005)  # noqa: ASYNC251 - other threads are to run
        self.write(key, data)
        return "created"


class ClaimsToCrossProcesses(Tiny):
    cross_process = True


class LetsTasksOfAThreadIn(Tiny):
    @asynccontextmanager
    async def lock(self):
        lock = SHARED.setdefault(f"reentrant {self.place}", threading.RLock())
        while not lock.acquire(blocking=False):
            await anyio.sleep(0.001)
        try:
            yield
        finally:
            lock.release()


class BlocksItsLoop(Tiny):
    @asynccontextmanager
    async def lock(self):
        with LOCKS.setdefault(self.place, threading.Lock()):
            yield


class KeepsItsLockAfterAnError(Tiny):
    @asynccontextmanager
    async def lock(self):
        lock = LOCKS.setdefault(self.place, threading.Lock())
        while not lock.acquire(blocking=False):
            await anyio.sleep(0.001)
        yield
        lock.release()


class LocksEachThreadForItself(Tiny):
    @asynccontextmanager
    async def lock(self):
        async with SHARED.setdefault(f"{threading.get_ident()} {self.place}", anyio.Lock()):
            yield


class LocksForEver(ClaimsToCrossProcesses):
    """Its lock is a directory, which stays when its holder dies."""

    @asynccontextmanager
    async def lock(self):
        lock = f"{self.place}.lock"
        while os.path.exists(lock):  # noqa: ASYNC240, PTH110 - as bad as it looks
            await anyio.sleep(0.001)
        os.mkdir(lock)  # noqa: PTH102 - likewise
        try:
            yield
        finally:
            os.rmdir(lock)  # noqa: PTH106 - likewise


class RemembersDeletedPrefixes(Tiny):
    def remove(self, key):
        super().remove(key)
        if key.endswith("/"):
            SHARED.setdefault(f"gone {self.place}", set()).add(key)

    async def create(self, key, data):
        if any(key.startswith(prefix) for prefix in SHARED.get(f"gone {self.place}", ())):
            return "exists"
        return await super().create(key, data)


class ShowsZarrAnotherPlace(Tiny):
    @property
    def zarr(self):
        from zcollection.contracts.zarr_view import ZarrView

        return ZarrView(Tiny(StoreURL.parse(f"tiny://{self.place}/elsewhere"), read_only=True))


class TellsWhereItIs(Tiny):
    def checked(self, *keys):
        try:
            super().checked(*keys)
        except StoreError:
            message = f"{keys} of {self.url.scheme}://{self.place}"
            raise StoreError(message) from None
