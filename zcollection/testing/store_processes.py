"""What other processes and threads do to a store while it is checked; processes get it pickled, as Dask's workers do."""

import multiprocessing
import os
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from threading import Barrier, BrokenBarrierError
from typing import TypeVar, cast

import anyio

from zcollection.contracts.objects import Read
from zcollection.contracts.store import Created, KeyStore

T = TypeVar("T")

_SPAWN = multiprocessing.get_context("spawn")
_TIMEOUT = 60.0

WORKERS = 2
"""Processes that race; they are started once, since each imports a good deal."""

_barrier: Barrier | None = None


def in_processes(function: Callable[..., T], arguments: Sequence[tuple[object, ...]]) -> list[T]:
    """Call a function in other processes, and return the results.

    Parameters
    ----------
    function
        Of a module that can be imported; `meet` makes `WORKERS` of them wait for each other.
    arguments
        Those of each call.
    """
    pool, barrier = _workers()
    try:
        return _results([pool.submit(function, *given) for given in arguments], barrier)
    except BrokenProcessPool:
        _workers.cache_clear()
        raise


@cache
def _workers() -> tuple[ProcessPoolExecutor, Barrier]:
    barrier = cast("Barrier", _SPAWN.Barrier(WORKERS))
    return ProcessPoolExecutor(WORKERS, _SPAWN, initializer=_share, initargs=(barrier,)), barrier


def in_threads(function: Callable[..., T], arguments: Sequence[tuple[object, ...]]) -> list[T]:
    """Call a function in a new thread for each of the arguments, and return the results."""
    barrier = Barrier(len(arguments))
    with ThreadPoolExecutor(len(arguments), initializer=_share, initargs=(barrier,)) as pool:
        return _results([pool.submit(function, *given) for given in arguments], barrier)


def _share(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603 - of a worker process, or of the one race of threads that runs in this one
    _barrier = barrier


def _results(futures: Sequence["Future[T]"], barrier: Barrier) -> list[T]:
    """Return the results, or raise the first failure that is not a consequence of another one."""
    for future in futures:
        # Who has failed will meet nobody.
        future.add_done_callback(lambda done: barrier.abort() if done.exception() else None)
    failures = [failure for future in futures if (failure := future.exception(_TIMEOUT))]
    barrier.reset()
    for failure in sorted(failures, key=lambda failure: isinstance(failure, BrokenBarrierError)):
        raise failure
    return [future.result() for future in futures]


def meet() -> None:
    """Wait until all that were started together are here."""
    if _barrier is not None:
        _barrier.wait(_TIMEOUT)


def reopened(pickled: bytes, key: str) -> tuple[bytes | None, str, bool, bytes]:
    """Return an object, the URL and mode of a store, and the store pickled again."""
    store: KeyStore = pickle.loads(pickled)  # noqa: S301 - made by the check
    (data,) = anyio.run(store.get, [Read(key)])
    return data, str(store.url), store.read_only, pickle.dumps(store)


def create_all(pickled: bytes, name: bytes, keys: Sequence[str]) -> list[Created]:
    """Create keys with one's own name in them, at the same time as the others, and return the answers."""
    store: KeyStore = pickle.loads(pickled)  # noqa: S301 - made by the check

    async def create() -> list[Created]:
        return [await store.create(key, name) for key in keys]

    meet()
    return anyio.run(create)


async def enters(store: KeyStore, seconds: float) -> bool:
    """Return whether the lock can be taken within a time."""
    with anyio.move_on_after(seconds):
        async with store.lock():
            return True
    return False


def enters_elsewhere(pickled: bytes, seconds: float) -> bool:
    """Return whether the lock can be taken within a time, on an event loop of this thread's own."""
    return anyio.run(enters, pickle.loads(pickled), seconds)  # noqa: S301 - made by the check


def die_holding(pickled: bytes) -> None:
    """Take the lock and die."""

    async def main() -> None:
        async with pickle.loads(pickled).lock():  # noqa: S301 - made by the check
            os._exit(0)

    anyio.run(main)


def let_die(pickled: bytes) -> None:
    """Start a process that dies while it holds the lock."""
    process = _SPAWN.Process(target=die_holding, args=(pickled,))
    process.start()
    process.join(_TIMEOUT)
    assert process.exitcode == 0, "the process could not take the lock"
