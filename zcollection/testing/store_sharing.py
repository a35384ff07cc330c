"""Checks of stores: one place, and many tasks, threads and processes at it."""

import pickle
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar

import anyio

from zcollection.contracts.store import Created, KeyStore
from zcollection.testing.store_base import StoreSuite, contents, read
from zcollection.testing.store_processes import (
    WORKERS,
    create_all,
    enters,
    enters_elsewhere,
    in_processes,
    in_threads,
    let_die,
    reopened,
)
from zcollection.testing.suite import skip_unless

Racing = Callable[[Callable[..., list[Created]], Sequence[tuple[object, ...]]], list[list[Created]]]

_RACED = tuple(f"log/{number:020d}.json" for number in range(20))


class SharingChecks(StoreSuite[KeyStore]):
    """What holds for a store that is shared, as it is by writers and by Dask's workers."""

    store_class: ClassVar[type[KeyStore]]

    def test_a_pickled_store_is_the_same_store(self, tmp_path: Path) -> None:
        """It is equal, has the same hash, mode and data, and is not equal to one of another mode or place."""

        async def check(store: KeyStore) -> None:
            await store.put({"x": b"written"})
            reader = await self._open(url, "r")
            for original in (store, reader):
                copy: KeyStore = pickle.loads(pickle.dumps(original))  # noqa: S301 - made here
                assert (copy, hash(copy)) == (original, hash(original))
                assert (str(copy.url), copy.read_only) == (str(original.url), original.read_only)
                assert await read(copy, "x") == b"written"
            assert store == await self._open(url), "the same place, twice, is one"
            assert store != reader
            assert store != await self._open(self.url(tmp_path / "other"))

        url = self.url(tmp_path)
        self._with_store(check, tmp_path)

    def test_a_pickled_store_reopens_in_another_process(self, tmp_path: Path) -> None:
        """It finds there what was written here, and comes back equal."""
        self._skip_unless_cross_process()
        store = self._with_store(_written, tmp_path)
        (answer,) = in_processes(reopened, [(pickle.dumps(store), "x")])
        data, url, read_only, pickled = answer
        assert (data, url, read_only) == (b"written", str(store.url), False)
        assert pickle.loads(pickled) == store  # noqa: S301 - made by the check

    def test_a_store_serves_several_event_loops(self, tmp_path: Path) -> None:
        """One after the other, and on several threads at once; nothing is bound to the loop that opened it."""

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
        """Whoever is told "created" finds its own object there."""
        self._race(in_threads, tmp_path)

    def test_of_several_processes_one_creates_a_key(self, tmp_path: Path) -> None:
        """Whoever is told "created" finds its own object there."""
        self._skip_unless_cross_process()
        self._race(in_processes, tmp_path)

    def test_the_lock_excludes_other_tasks(self, tmp_path: Path) -> None:
        """Who waits for it blocks nobody, can be cancelled, and gets it once it is free."""
        self._skip_unless_locked()

        async def check(store: KeyStore) -> None:
            assert not await _while_held(store, lambda: enters(store, 0.1)), "another task has taken the lock as well"
            assert await enters(store, self.patience), "the lock cannot be taken once it is free"

        self._within_patience(check, tmp_path)

    def test_the_lock_is_released_by_an_error(self, tmp_path: Path) -> None:
        """And by a cancellation."""
        self._skip_unless_locked()

        async def check(store: KeyStore) -> None:
            try:
                async with store.lock():
                    raise KeyError  # noqa: TRY301 - the point of the check
            except KeyError:
                pass
            assert await enters(store, self.patience), "an error has left it taken"
            with anyio.CancelScope() as scope:
                async with store.lock():
                    scope.cancel()
                    await anyio.sleep_forever()
            assert await enters(store, self.patience), "a cancellation has left it taken"

        self._within_patience(check, tmp_path)

    def test_the_lock_excludes_other_threads(self, tmp_path: Path) -> None:
        """Each with an event loop of its own."""
        self._skip_unless_locked()

        async def check(store: KeyStore) -> None:
            async def elsewhere(seconds: float) -> bool:
                return await anyio.to_thread.run_sync(enters_elsewhere, pickle.dumps(store), seconds)

            assert not await _while_held(store, lambda: elsewhere(0.1)), "another thread has taken the lock as well"
            assert await elsewhere(self.patience), "another thread cannot take the lock once it is free"

        self._within_patience(check, tmp_path)

    def test_the_lock_excludes_other_processes(self, tmp_path: Path) -> None:
        """They get it once it is free."""
        self._skip_unless_locked()
        self._skip_unless_cross_process()

        async def check(store: KeyStore) -> None:
            async def elsewhere(seconds: float) -> bool:
                return await anyio.to_thread.run_sync(_enters_in_process, pickle.dumps(store), seconds)

            assert not await _while_held(store, lambda: elsewhere(0.1)), "another process has taken the lock as well"
            assert await elsewhere(self.patience), "another process cannot take the lock once it is free"

        self._with_store(check, tmp_path)

    def test_the_lock_is_released_when_its_holder_dies(self, tmp_path: Path) -> None:
        """No writer waits for a dead one."""
        self._skip_unless_locked()
        self._skip_unless_cross_process()
        store = self._with_store(_written, tmp_path)
        let_die(pickle.dumps(store))
        assert anyio.run(enters, store, self.patience), "a dead process still holds the lock"

    def _race(self, run: Racing, folder: Path) -> None:
        store = self._with_store(_written, folder)
        names = [f"writer {number}".encode() for number in range(WORKERS)]
        answers = run(create_all, [(pickle.dumps(store), name, _RACED) for name in names])
        found = anyio.run(contents, store, "log/")
        for position, key in enumerate(_RACED):
            told = [answer[position] for answer in answers]
            winners = [name for name, answer in zip(names, told, strict=True) if answer == "created"]
            assert len(winners) == 1 or (not winners and "unknown" in told), (
                f"{len(winners)} callers have created {key}"
            )
            assert found[key] in (winners or names), f"{key} is not what its creator has written"

    def _skip_unless_cross_process(self) -> None:
        skip_unless(self.store_class.cross_process, "what one process writes, another one does not read")

    def _skip_unless_locked(self) -> None:
        skip_unless(self.store_class.has_lock, "the store has no lock among writers")


async def _written(store: KeyStore) -> KeyStore:
    await store.put({"x": b"written"})
    return store


async def _while_held(store: KeyStore, attempt: Callable[[], Awaitable[bool]]) -> bool:
    """Return what comes of an attempt by another task while this one holds the lock."""
    outcomes: list[bool] = []

    async def other() -> None:
        outcomes.append(await attempt())

    async with store.lock(), anyio.create_task_group() as group:
        group.start_soon(other)
    return outcomes[0]


def _enters_in_process(pickled: bytes, seconds: float) -> bool:
    (entered,) = in_processes(enters_elsewhere, [(pickled, seconds)])
    return entered
