"""Functions of the checks that run in other threads, or in other processes, which receive the store as a pickle."""

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
"""Number of competing processes; they are started once, because the start of each takes long."""

_barrier: Barrier | None = None


def in_processes(function: Callable[..., T], arguments: Sequence[tuple[object, ...]]) -> list[T]:
    """Call a function in other processes, and return the results.

    Parameters
    ----------
    function
        A function of a module that can be imported; `meet` makes `WORKERS` calls wait for each other.
    arguments
        The arguments of each call.
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
    """Call a function in a new thread for each tuple of arguments, and return the results."""
    barrier = Barrier(len(arguments))
    with ThreadPoolExecutor(len(arguments), initializer=_share, initargs=(barrier,)) as pool:
        return _results([pool.submit(function, *given) for given in arguments], barrier)


def _share(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603 - one per worker process, or for the threads of this process
    _barrier = barrier


def _results(futures: Sequence["Future[T]"], barrier: Barrier) -> list[T]:
    """Return the results, or raise the first failure that was not caused by another one."""
    for future in futures:
        # The other calls must not wait for one that failed.
        future.add_done_callback(lambda done: barrier.abort() if done.exception() else None)
    failures = [failure for future in futures if (failure := future.exception(_TIMEOUT))]
    barrier.reset()
    for failure in sorted(failures, key=lambda failure: isinstance(failure, BrokenBarrierError)):
        raise failure
    return [future.result() for future in futures]


def meet() -> None:
    """Wait until all calls that were started together have reached this point."""
    if _barrier is not None:
        _barrier.wait(_TIMEOUT)


def reopened(pickled: bytes, key: str) -> tuple[bytes | None, str, bool, bytes]:
    """Return an object, the URL and mode of a store, and a new pickle of the store."""
    store: KeyStore = pickle.loads(pickled)  # noqa: S301 - made by the check
    (data,) = anyio.run(store.get, [Read(key)])
    return data, str(store.url), store.read_only, pickle.dumps(store)


def create_all(pickled: bytes, name: bytes, keys: Sequence[str]) -> list[Created]:
    """Create objects that contain a name, concurrently with the other calls, and return the results."""
    store: KeyStore = pickle.loads(pickled)  # noqa: S301 - made by the check

    async def create() -> list[Created]:
        return [await store.create(key, name) for key in keys]

    meet()
    return anyio.run(create)


async def acquires(store: KeyStore, seconds: float) -> bool:
    """Return whether the lock can be acquired within a time."""
    with anyio.move_on_after(seconds):
        async with store.lock():
            return True
    return False


def acquires_in_thread(pickled: bytes, seconds: float) -> bool:
    """Return whether the lock can be acquired within a time, on a new event loop of this thread."""
    return anyio.run(acquires, pickle.loads(pickled), seconds)  # noqa: S301 - made by the check


def end_with_lock(pickled: bytes) -> None:
    """Acquire the lock, and end the process."""

    async def main() -> None:
        async with pickle.loads(pickled).lock():  # noqa: S301 - made by the check
            os._exit(0)

    anyio.run(main)


def end_process_with_lock(pickled: bytes) -> None:
    """Start a process that ends while it holds the lock."""
    process = _SPAWN.Process(target=end_with_lock, args=(pickled,))
    process.start()
    process.join(_TIMEOUT)
    assert process.exitcode == 0, "the process could not acquire the lock"
