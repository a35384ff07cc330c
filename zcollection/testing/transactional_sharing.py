"""Checks of transactional stores that tasks, threads and processes use concurrently."""

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

from zcollection.contracts.transactional import StoreFork, TransactionalStore
from zcollection.testing.store_processes import WORKERS, in_processes, in_threads
from zcollection.testing.transactional_base import TransactionalSuite, array, commit, committed, group, newest, values
from zcollection.testing.transactional_processes import commit_concurrently, commit_many, create, reopened, write_fork

Racing = Callable[..., list[str | None]]
Sharing = Callable[..., list[list[str]]]

_ROUNDS = 5
_COMMITS = 10


class TransactionalSharingChecks(TransactionalSuite):
    """Checks of a store that writers or Dask workers share."""

    def test_a_pickled_store_is_the_same_store(self, tmp_path: Path) -> None:
        """A pickled copy is equal, and has the same hash, mode and data; stores of another mode or URL are not equal."""

        async def check(store: TransactionalStore) -> None:
            snapshot = await committed(store, {**group(), **array("a", 1)})
            reader = await self._open(url, "r")
            for original in (store, reader):
                copy: TransactionalStore = pickle.loads(pickle.dumps(original))  # noqa: S301 - made here
                assert (copy, hash(copy)) == (original, hash(original))
                assert (str(copy.url), copy.read_only) == (str(original.url), original.read_only)
                assert await values(copy, snapshot, ["a"]) == [1]
            assert store == await self._open(url), "two stores with the same URL and mode are not equal"
            assert store != reader
            assert store != await self._open(self.url(tmp_path / "other"))

        url = self.url(tmp_path)
        self._with_store(check, tmp_path)

    def test_a_pickled_store_reopens_in_another_process(self, tmp_path: Path) -> None:
        """Another process reads the same data, and the store that it pickles is equal."""
        store = self._with_store(_created, tmp_path)
        self._skip_unless_cross_process(store)
        ((value, url, read_only, pickled),) = in_processes(reopened, [(pickle.dumps(store), "a")])
        assert (value, url, read_only) == (1, str(store.url), False)
        assert pickle.loads(pickled) == store  # noqa: S301 - made by the check

    def test_a_store_serves_several_event_loops(self, tmp_path: Path) -> None:
        """The store works on other event loops than the one that opened it, also concurrently on several threads."""

        def work(_: int) -> list[int | None]:
            async def main() -> list[int | None]:
                return [value for _ in range(5) for value in await values(store, await newest(store), ["a"])]

            return anyio.run(main)

        store = self._with_store(_created, tmp_path)
        assert in_threads(work, [(number,) for number in range(4)]) == [[1] * 5] * 4
        assert anyio.run(committed, store, array("b", 2)) == anyio.run(newest, store)

    def test_of_several_threads_one_commits(self, tmp_path: Path) -> None:
        """Of concurrent changes to one snapshot, one is committed, and the array has its value."""
        self._race(in_threads, self._with_store(_created, tmp_path))

    def test_of_several_processes_one_commits(self, tmp_path: Path) -> None:
        """Of concurrent changes to one snapshot, one is committed, and the array has its value."""
        store = self._with_store(_created, tmp_path)
        self._skip_unless_cross_process(store)
        self._race(in_processes, store)

    def test_no_commit_of_several_threads_is_lost(self, tmp_path: Path) -> None:
        """Each commit is in the history once, and the arrays that it added exist."""
        self._share(in_threads, self._with_store(_created, tmp_path))

    def test_no_commit_of_several_processes_is_lost(self, tmp_path: Path) -> None:
        """Each commit is in the history once, and the arrays that it added exist."""
        store = self._with_store(_created, tmp_path)
        self._skip_unless_cross_process(store)
        self._share(in_processes, store)

    def test_several_processes_create_one_store(self, tmp_path: Path) -> None:
        """All processes that create the store start from the same snapshot."""
        store = self._with_store(_unchanged, tmp_path)
        self._skip_unless_cross_process(store)
        bases = in_processes(create, [(pickle.dumps(store),)] * WORKERS)
        assert bases == [anyio.run(newest, store)] * WORKERS
        assert anyio.run(values, store, anyio.run(committed, store, {**group(), **array("a", 2)}), ["a"]) == [2]

    def test_forks_are_written_in_other_processes(self, tmp_path: Path) -> None:
        """Forks that other processes have written to are merged into one commit."""

        async def check(store: TransactionalStore) -> None:
            before = await newest(store)
            session = await store.begin()
            parts = [{**group(f"g-{number}"), **array(f"g-{number}/a", number)} for number in range(WORKERS)]
            await session.merge(
                await anyio.to_thread.run_sync(_written_in_processes, [(session.fork(), part) for part in parts])
            )
            assert await newest(store) == before
            snapshot = await commit(session)
            found = await values(store, snapshot, ["a", *(f"g-{number}/a" for number in range(WORKERS))])
            assert found == [1, *range(WORKERS)]

        store = self._with_store(_created, tmp_path)
        self._skip_unless_cross_process(store)
        anyio.run(check, store)

    def _race(self, run: Racing, store: TransactionalStore) -> None:
        for _ in range(_ROUNDS):
            results = run(commit_concurrently, [(pickle.dumps(store), "a", number) for number in range(WORKERS)])
            snapshot = anyio.run(newest, store)
            assert [item for item in results if item is not None] == [snapshot], (
                f"several concurrent commits returned {results}"
            )
            assert anyio.run(values, store, snapshot, ["a"]) == [results.index(snapshot)]

    def _share(self, run: Sharing, store: TransactionalStore) -> None:
        names = [f"writer-{number}" for number in range(WORKERS)]
        results = run(commit_many, [(pickle.dumps(store), name, _COMMITS) for name in names])
        snapshot = anyio.run(newest, store)
        history = [entry.snapshot for entry in anyio.run(store.history, snapshot)]
        assert sorted(history[:-1]) == sorted(item for snapshots in results for item in snapshots), "a commit is lost"
        paths = [f"{name}-{number}/a" for name in names for number in range(_COMMITS)]
        assert anyio.run(values, store, snapshot, paths) == [*range(_COMMITS)] * WORKERS


async def _unchanged(store: TransactionalStore) -> TransactionalStore:
    return store


async def _created(store: TransactionalStore) -> TransactionalStore:
    await committed(store, {**group(), **array("a", 1)})
    return store


def _written_in_processes(tasks: Sequence[tuple[StoreFork, dict[str, bytes]]]) -> list[StoreFork]:
    return in_processes(write_fork, tasks)
