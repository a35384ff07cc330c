"""The lock of a directory, which excludes tasks, threads and processes, and never blocks an event loop."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
from anyio import to_thread
from filelock import FileLock, Timeout

from zcollection.plugin import StoreURL
from zcollection_store_file.failures import store_errors
from zcollection_store_file.paths import LOCK

_INTERVAL: Final = 0.005
"""Seconds between two attempts."""


@asynccontextmanager
async def locked(path: str, url: StoreURL) -> AsyncIterator[None]:
    """Hold the lock of a file, which is created if necessary; the URL is for messages.

    Each call opens the file by itself, so that the lock also excludes other tasks of the same thread. The operating system
    releases the lock when its holder dies.
    """
    lock = FileLock(path, thread_local=False)  # acquired by a worker thread, released by the thread of the event loop
    await _acquire(lock, url)
    try:
        yield
    finally:
        lock.release()  # not awaited: neither a cancellation nor a full thread pool may prevent it


async def _acquire(lock: FileLock, url: StoreURL) -> None:
    while True:
        attempt = _Attempt(lock, url)
        try:
            if await to_thread.run_sync(attempt.make):
                return
        except BaseException:
            attempt.abandon()
            raise
        await anyio.sleep(_INTERVAL)


class _Attempt:
    """An attempt on a worker thread, which releases the lock again if its task was cancelled in the meantime."""

    def __init__(self, lock: FileLock, url: StoreURL) -> None:
        self._lock = lock
        self._url = url
        self._guard = threading.Lock()
        self._abandoned = False

    def make(self) -> bool:
        with store_errors(self._url, "acquire", LOCK):
            try:
                self._lock.acquire(blocking=False)
            except Timeout:
                return False
        with self._guard:
            if self._abandoned:
                self._lock.release()
            return not self._abandoned

    def abandon(self) -> None:
        with self._guard:
            self._abandoned = True
            if self._lock.is_locked:
                self._lock.release()
