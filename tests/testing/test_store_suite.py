"""The suite of stores passes what is sound, and each of its checks finds the fault that it is there for."""

import os
import threading
import time
from contextlib import asynccontextmanager
from typing import ClassVar

import anyio
import pytest
from anyio.lowlevel import checkpoint, current_token
from attrs import field, frozen
from hypothesis import Phase, settings

from zcollection.plugin import KeyStore, Listed, StoreError, StoreURL
from zcollection.testing.store import KeyStoreSuite

OPENING = "test_opening_what_is_missing_creates_nothing"
READ_ONLY = "test_a_store_open_for_reading_refuses_every_write"
READ = "test_what_is_written_is_read"
RANGES = "test_ranges_are_slices"
WHOLE = "test_a_reader_never_sees_part_of_an_object"
CREATED = "test_a_key_is_created_once"
SORTED = "test_a_listing_is_sorted_by_key"
AFTER = "test_a_listing_goes_on_after_a_key"
ENTRY = "test_an_entry_says_when_and_what"
COPY = "test_a_copy_is_an_object_of_its_own"
NO_SOURCE = "test_copying_what_is_missing_is_an_error"
DELETED = "test_deleting_takes_what_is_named"
LEAVING = "test_a_key_that_leaves_the_store_is_refused"
FLUSH = "test_flushing_changes_nothing"
DOCUMENT = "test_a_document_is_loaded_by_its_name"
BLOCKING = "test_blocking_access_is_the_same_access"
PUBLISHED = "test_a_staged_group_is_published_where_nothing_lies"
REPLACED = "test_a_staged_group_replaces_the_one_that_is_there"
AGAIN = "test_publishing_again_changes_nothing"
STAGED_AGAIN = "test_what_is_staged_again_is_published_again"
INTERRUPTED = "test_an_interrupted_publication_is_completed_by_another"
TAKEN_AWAY = "test_nothing_is_left_of_what_is_taken_away"
TAKEN_AGAIN = "test_taking_away_again_changes_nothing"
PICKLE = "test_a_pickled_store_is_the_same_store"
REOPENED = "test_a_pickled_store_reopens_in_another_process"
LOOPS = "test_a_store_serves_several_event_loops"
THREADS = "test_of_several_threads_one_creates_a_key"
PROCESSES = "test_of_several_processes_one_creates_a_key"
LOCK_TASKS = "test_the_lock_excludes_other_tasks"
LOCK_ERROR = "test_the_lock_is_released_by_an_error"
LOCK_THREADS = "test_the_lock_excludes_other_threads"
LOCK_PROCESSES = "test_the_lock_excludes_other_processes"
LOCK_DEATH = "test_the_lock_is_released_when_its_holder_dies"
MACHINE = "test_any_sequence_of_operations_agrees_with_a_dictionary"
ZARR = "test_zarr_reads_what_lies_in_the_store"
CREDENTIALS = "test_errors_show_the_url_and_no_credential"

CHECKS = sorted({name for base in KeyStoreSuite.__mro__ for name in vars(base) if name.startswith("test_")})

DATA: dict[str, dict[str, tuple[bytes, str]]] = {}
LOCKS: dict[str, threading.Lock] = {}
SHARED: dict[str, object] = {}


@frozen
class Tiny(KeyStore):
    """A sound store over a dictionary, in the words that its broken subclasses replace."""

    cross_process: ClassVar[bool] = False

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
        return None if data is None else data[read.offset :][: read.length]

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
        self.checked(prefix)
        found = {}
        for key in self.below(prefix):
            head, separator, _ = key.removeprefix(prefix).partition("/")
            if separator and not recursive:
                found[f"{prefix}{head}/"] = Listed(key=f"{prefix}{head}/")
            else:
                data, etag = self.data[key]
                found[key] = Listed(key=key, size=len(data), modified=1.0, etag=etag)
        for entry in self.ordered(found, after):
            yield entry

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

    async def publish(self, staged, target):
        self.check_writable()
        self.checked(staged, target)
        await checkpoint()
        self.move(staged, target)

    def move(self, staged, target):
        moved = {target + key.removeprefix(staged): self.data[key] for key in self.below(staged)}
        if moved:
            self.remove(target)
            self.remove(staged)
            self.data.update(moved)

    async def unpublish(self, target, trash):
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

    def put(self, items):
        self.store.check_writable()
        self.store.checked(*items)
        for key, data in items.items():
            self.store.write(key, data)


class Plain(Tiny):
    """Sound too: no lock, no blocking access."""

    blocking = None
    lock = KeyStore.lock


class MarksWhatItOpens(Tiny):
    @classmethod
    async def open(cls, url, *, mode):
        store = cls(url, mode == "r")
        store.data.setdefault("opened", (b"", ""))
        return store


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


class MovesKeyByKey(Tiny):
    async def publish(self, staged, target):
        self.check_writable()
        self.checked(staged, target)
        if self.below(staged):
            self.remove(target)
        for key in self.below(staged):
            await checkpoint()
            self.data[target + key.removeprefix(staged)] = self.data.pop(key)


class LeavesWhatIsNested(Tiny):
    async def unpublish(self, target, trash):
        self.check_writable()
        self.checked(target, trash)
        for key in self.below(target):
            if "/" not in key.removeprefix(target):
                self.remove(key)


class NeedsSomethingToTakeAway(Tiny):
    async def unpublish(self, target, trash):
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


def suite_of(store):
    class Checked(KeyStoreSuite):
        store_class = store
        patience = 0.3

        def url(self, folder):
            return f"tiny://{folder}"

    return Checked()


@pytest.fixture(autouse=True)
def _the_same_cases_every_time():
    before = settings.get_current_profile_name()
    settings.register_profile("same", derandomize=True, database=None, phases=[Phase.generate])
    settings.load_profile("same")
    yield
    settings.load_profile(before)
    for shared in (DATA, LOCKS, SHARED):
        shared.clear()


def outcome(check, folder):
    folder.mkdir()
    try:
        check(folder)
    except pytest.skip.Exception:
        return "skipped"
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever a broken store raises
        return "failed"
    return "passed"


def outcomes(store, folder):
    suite = suite_of(store)
    return {name: outcome(getattr(suite, name), folder / name) for name in CHECKS}


def with_outcome(wanted, found):
    return {name for name, result in found.items() if result == wanted}


OF_PROCESSES = {REOPENED, PROCESSES, LOCK_PROCESSES, LOCK_DEATH}
OF_LOCKS = {name for name in CHECKS if name.startswith("test_the_lock_")}


@pytest.mark.parametrize(("store", "skipped"), [(Tiny, OF_PROCESSES), (Plain, OF_PROCESSES | OF_LOCKS | {BLOCKING})])
def test_a_sound_store_passes_and_skips_what_it_does_not_declare(store, skipped, tmp_path):
    found = outcomes(store, tmp_path)
    assert with_outcome("failed", found) == set()
    assert with_outcome("skipped", found) == skipped


FOUND_BY_ONE_CHECK = [
    (CopiesWhileReading, READ_ONLY),
    (WritesWhileReadingInThreads, READ_ONLY),
    (WritesInTwoSteps, WHOLE),
    (HasOneEtagForAll, ENTRY),
    (ReadsOutsideInThreads, LEAVING),
    (CannotFlushNothing, FLUSH),
    (LosesItsDocuments, DOCUMENT),
    (ReadsWholeObjectsInThreads, BLOCKING),
    (ForgetsItsModeWhenPickled, PICKLE),
    (LooksBeforeItCreates, THREADS),
    (LetsTasksOfAThreadIn, LOCK_TASKS),
    (KeepsItsLockAfterAnError, LOCK_ERROR),
    (LocksEachThreadForItself, LOCK_THREADS),
    (RemembersDeletedPrefixes, MACHINE),
    (ShowsZarrAnotherPlace, ZARR),
    (TellsWhereItIs, CREDENTIALS),
]

FOUND_BY_SEVERAL_CHECKS = [
    (MarksWhatItOpens, OPENING),
    (ReadsABatchInOrderOfItsKeys, READ),
    (IncludesTheEndOfARange, RANGES),
    (CreatesInPlaceOfWhatExists, CREATED),
    (SortsByPartsOfKeys, SORTED),
    (ListsTheKeyThatItGoesOnAfter, AFTER),
    (CopiesByReference, COPY),
    (PassesOverMissingSources, NO_SOURCE),
    (DeletesWhatStartsAlike, DELETED),
    (PublishesWhatLiesDirectlyBelow, PUBLISHED),
    (AddsToWhatIsThere, REPLACED),
    (SwapsEveryTime, AGAIN),
    (PublishesOnceForEver, STAGED_AGAIN),
    (MovesKeyByKey, INTERRUPTED),
    (LeavesWhatIsNested, TAKEN_AWAY),
    (NeedsSomethingToTakeAway, TAKEN_AGAIN),
    (ClaimsToCrossProcesses, REOPENED),
    (ClaimsToCrossProcesses, PROCESSES),
    (ClaimsToCrossProcesses, LOCK_PROCESSES),
    (LocksForEver, LOCK_DEATH),
    (ServesOneLoop, LOOPS),
    (BlocksItsLoop, LOCK_TASKS),
    (BlocksItsLoop, LOCK_THREADS),
]


@pytest.mark.parametrize(("store", "check"), FOUND_BY_ONE_CHECK)
def test_a_single_fault_is_found_by_the_one_check_that_is_there_for_it(store, check, tmp_path):
    assert with_outcome("failed", outcomes(store, tmp_path)) == {check}


@pytest.mark.parametrize(("store", "check"), FOUND_BY_SEVERAL_CHECKS)
def test_a_fault_of_many_consequences_is_found_by_the_check_that_is_there_for_it(store, check, tmp_path):
    assert outcome(getattr(suite_of(store), check), tmp_path / "checked") == "failed"


def test_every_check_is_there_for_a_fault():
    assert {check for _, check in FOUND_BY_ONE_CHECK + FOUND_BY_SEVERAL_CHECKS} == set(CHECKS)


def test_a_suite_that_does_not_say_where_its_stores_lie_says_what_is_missing(tmp_path):
    with pytest.raises(NotImplementedError, match=r"url\(folder\)"):
        KeyStoreSuite().url(tmp_path)
