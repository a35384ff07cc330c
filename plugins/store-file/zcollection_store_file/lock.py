"""The lock among the writers of a directory: tasks, threads and processes alike, and never a blocked event loop."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
from anyio import to_thread
from filelock import FileLock, Timeout

from zcollection.plugin import StoreURL
from zcollection_store_file.failures import telling
from zcollection_store_file.paths import LOCK

_INTERVAL: Final = 0.005
"""Seconds between two tries."""


@asynccontextmanager
async def held(path: str, url: StoreURL) -> AsyncIterator[None]:
    """Hold the lock of a file, which is made where it is missing; the URL is for messages.

    Each call opens the file anew, so that the holder excludes every other task of its own thread too. The system
    releases the lock when its holder dies.
    """
    lock = FileLock(path, thread_local=False)  # taken by a worker thread, released by the event loop's
    await _acquire(lock, url)
    try:
        yield
    finally:
        lock.release()  # not awaited: neither cancellation nor a full pool of threads may stop it


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
    """One try on a worker thread, whose success is undone if its task has been cancelled meanwhile."""

    def __init__(self, lock: FileLock, url: StoreURL) -> None:
        self._lock = lock
        self._url = url
        self._guard = threading.Lock()
        self._abandoned = False

    def make(self) -> bool:
        with telling(self._url, "take", LOCK):
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
