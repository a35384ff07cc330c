"""Checks of stores that tasks, threads and processes use concurrently."""

import pickle
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar

import anyio

from zcollection.contracts.store import Created, KeyStore
from zcollection.testing.store_base import StoreSuite, contents, read
from zcollection.testing.store_processes import (
    WORKERS,
    acquires,
    acquires_in_thread,
    create_all,
    end_process_with_lock,
    in_processes,
    in_threads,
    reopened,
)
from zcollection.testing.suite import skip_unless

Racing = Callable[[Callable[..., list[Created]], Sequence[tuple[object, ...]]], list[list[Created]]]

_RACED = tuple(f"log/{number:020d}.json" for number in range(20))


class SharingChecks(StoreSuite[KeyStore]):
    """Checks of a store that writers or Dask workers share."""

    store_class: ClassVar[type[KeyStore]]

    def test_a_pickled_store_is_the_same_store(self, tmp_path: Path) -> None:
        """A pickled copy is equal, and has the same hash, mode and data; stores of another mode or URL are not equal."""

        async def check(store: KeyStore) -> None:
            await store.put({"x": b"written"})
            reader = await self._open(url, "r")
            for original in (store, reader):
                copy: KeyStore = pickle.loads(pickle.dumps(original))  # noqa: S301 - made here
                assert (copy, hash(copy)) == (original, hash(original))
                assert (str(copy.url), copy.read_only) == (str(original.url), original.read_only)
                assert await read(copy, "x") == b"written"
            assert store == await self._open(url), "two stores with the same URL and mode are not equal"
            assert store != reader
            assert store != await self._open(self.url(tmp_path / "other"))

        url = self.url(tmp_path)
        self._with_store(check, tmp_path)

    def test_a_pickled_store_reopens_in_another_process(self, tmp_path: Path) -> None:
        """Another process reads the same data, and the store that it pickles is equal."""
        self._skip_unless_cross_process()
        store = self._with_store(_written, tmp_path)
        (answer,) = in_processes(reopened, [(pickle.dumps(store), "x")])
        data, url, read_only, pickled = answer
        assert (data, url, read_only) == (b"written", str(store.url), False)
        assert pickle.loads(pickled) == store  # noqa: S301 - made by the check

    def test_a_store_serves_several_event_loops(self, tmp_path: Path) -> None:
        """The store works on other event loops than the one that opened it, also concurrently on several threads."""

        def work(number: int) -> dict[str, bytes | None]:
            async def main() -> dict[str, bytes | None]:
                for turn in range(5):
                    await store.put({f"{number}/{turn}": b"written"})
                return await contents(store, f"{number}/")

            return anyio.run(main)

        store = self._with_store(_written, tmp_path)
        for number, found in enumerate(in_threads(work, [(number,) for number in range(4)])):
            assert found == {f"{number}/{turn}": b"written" for turn in range(5)}
        assert anyio.run(read, store, "x") == b"written"

    def test_of_several_threads_one_creates_a_key(self, tmp_path: Path) -> None:
        """At most one caller gets "created", and the object is the one that this caller wrote."""
        self._race(in_threads, tmp_path)

    def test_of_several_processes_one_creates_a_key(self, tmp_path: Path) -> None:
        """At most one caller gets "created", and the object is the one that this caller wrote."""
        self._skip_unless_cross_process()
        self._race(in_processes, tmp_path)

    def test_the_lock_excludes_other_tasks(self, tmp_path: Path) -> None:
        """A waiting task does not block its event loop, can be cancelled, and acquires the lock when it is released."""
        self._skip_unless_locked()

        async def check(store: KeyStore) -> None:
            assert not await _while_held(store, lambda: acquires(store, 0.1)), "another task has acquired the held lock"
            assert await acquires(store, self.patience), "the released lock cannot be acquired"

        self._within_patience(check, tmp_path)

    def test_the_lock_is_released_by_an_error(self, tmp_path: Path) -> None:
        """An error or a cancellation of its holder releases the lock."""
        self._skip_unless_locked()

        async def check(store: KeyStore) -> None:
            try:
                async with store.lock():
                    raise KeyError  # noqa: TRY301 - the point of the check
            except KeyError:
                pass
            assert await acquires(store, self.patience), "the lock is still held after an error"
            with anyio.CancelScope() as scope:
                async with store.lock():
                    scope.cancel()
                    await anyio.sleep_forever()
            assert await acquires(store, self.patience), "the lock is still held after a cancellation"

        self._within_patience(check, tmp_path)

    def test_the_lock_excludes_other_threads(self, tmp_path: Path) -> None:
        """A thread waits for the lock while another one holds it; each has its own event loop."""
        self._skip_unless_locked()

        async def check(store: KeyStore) -> None:
            async def attempt(seconds: float) -> bool:
                return await anyio.to_thread.run_sync(acquires_in_thread, pickle.dumps(store), seconds)

            assert not await _while_held(store, lambda: attempt(0.1)), "another thread has acquired the held lock"
            assert await attempt(self.patience), "another thread cannot acquire the released lock"

        self._within_patience(check, tmp_path)

    def test_the_lock_excludes_other_processes(self, tmp_path: Path) -> None:
        """A process waits for the lock while another one holds it, and acquires it when it is released."""
        self._skip_unless_locked()
        self._skip_unless_cross_process()

        async def check(store: KeyStore) -> None:
            async def attempt(seconds: float) -> bool:
                return await anyio.to_thread.run_sync(_acquires_in_process, pickle.dumps(store), seconds)

            assert not await _while_held(store, lambda: attempt(0.1)), "another process has acquired the held lock"
            assert await attempt(self.patience), "another process cannot acquire the released lock"

        self._with_store(check, tmp_path)

    def test_the_lock_is_released_when_its_holder_dies(self, tmp_path: Path) -> None:
        """Other writers do not wait for a process that has died."""
        self._skip_unless_locked()
        self._skip_unless_cross_process()
        store = self._with_store(_written, tmp_path)
        end_process_with_lock(pickle.dumps(store))
        assert anyio.run(acquires, store, self.patience), "a dead process still holds the lock"

    def _race(self, run: Racing, folder: Path) -> None:
        store = self._with_store(_written, folder)
        names = [f"writer {number}".encode() for number in range(WORKERS)]
        answers = run(create_all, [(pickle.dumps(store), name, _RACED) for name in names])
        found = anyio.run(contents, store, "log/")
        for position, key in enumerate(_RACED):
            results = [answer[position] for answer in answers]
            winners = [name for name, answer in zip(names, results, strict=True) if answer == "created"]
            assert len(winners) == 1 or (not winners and "unknown" in results), (
                f"{len(winners)} callers have created {key}"
            )
            assert found[key] in (winners or names), f"{key} does not contain the bytes of its creator"

    def _skip_unless_cross_process(self) -> None:
        skip_unless(self.store_class.cross_process, "other processes cannot read the store")

    def _skip_unless_locked(self) -> None:
        skip_unless(self.store_class.has_lock, "the store has no lock")


async def _written(store: KeyStore) -> KeyStore:
    await store.put({"x": b"written"})
    return store


async def _while_held(store: KeyStore, attempt: Callable[[], Awaitable[bool]]) -> bool:
    """Return the result of an attempt by another task while this one holds the lock."""
    outcomes: list[bool] = []

    async def other() -> None:
        outcomes.append(await attempt())

    async with store.lock(), anyio.create_task_group() as group:
        group.start_soon(other)
    return outcomes[0]


def _acquires_in_process(pickled: bytes, seconds: float) -> bool:
    (acquired,) = in_processes(acquires_in_thread, [(pickled, seconds)])
    return acquired
