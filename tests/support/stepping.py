"""The steps of one task, wherever they run: calls of the system on threads, requests and awaits on event loops.

Whose steps they are is told by a context variable, which follows a task to the background loop and to its threads.
"""

import asyncio
import fcntl
import functools
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any
from unittest import mock

import anyio
from anyio import to_thread

from zcollection import portal

PATIENCE = 60
CALLS = ("open", "mkdir", "rename", "replace", "link", "unlink", "rmdir", "scandir", "write")


class Gate:
    """Holds the work of a task before one of its steps, until it is opened; knows whether the task has the lock of a store."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.steps = 0
        self.locks = 0
        self.locked: list[int] = []
        self.holds_thread = False
        self.reached, self.opened = threading.Event(), threading.Event()
        self._guard = threading.Lock()

    def arrives(self) -> bool:
        with self._guard:
            self.steps += 1
            self.locked += [self.steps] if self.locks else []
            if self.steps == self.number:
                self.reached.set()
            return self.steps == self.number

    @property
    def is_robbed(self) -> bool:
        """Whether a thread is held that works for a task which has had the lock, and has it no more."""
        return self.holds_thread and self.number in self.locked and not self.locks

    def wait(self) -> None:
        if not self.opened.wait(PATIENCE):
            message = f"the gate before step {self.number} was not opened"
            raise RuntimeError(message)


class Waits:
    """Says that somebody has tried in vain to take the lock of a store."""

    def __init__(self) -> None:
        self.happened = threading.Event()


waits = Waits()


WHOSE: ContextVar[Gate | None] = ContextVar("whose", default=None)
"""The gate of the task whose steps are taken."""


def step() -> None:
    """Take a step on a thread; an event loop is never held up."""
    gate = WHOSE.get()
    if gate is not None and asyncio._get_running_loop() is None and gate.arrives():
        gate.holds_thread = True
        gate.wait()


async def async_step() -> None:
    """Take a step on an event loop, at which a cancellation is delivered."""
    gate = WHOSE.get()
    if gate is not None and gate.arrives():
        await to_thread.run_sync(gate.wait, abandon_on_cancel=True)


def stepping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        step()
        return function(*arguments, **options)

    return call


def awaiting(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*arguments: Any, **options: Any) -> Any:
        await async_step()
        answer = await function(*arguments, **options)
        await async_step()
        return answer

    return call


def locking(lock: Callable[[Any], AbstractAsyncContextManager[None]]) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def locked(store: Any) -> AsyncIterator[None]:
        async with lock(store):
            gate = WHOSE.get() or Gate(0)
            gate.locks += 1
            try:
                yield
            finally:
                gate.locks -= 1

    return locked


@contextmanager
def replaced(place: Any, names: tuple[str, ...], by: Callable[..., Any]) -> Iterator[None]:
    with mock.patch.multiple(place, **{name: by(getattr(place, name)) for name in names}):
        yield


@contextmanager
def files() -> Iterator[None]:
    """Let every call of the store of files, and of its lock, be a step."""
    from zcollection_store_file import publishing
    from zcollection_store_file.lock import _Attempt
    from zcollection_store_file.store import FileStore

    def trying(make: Callable[[Any], bool]) -> Callable[[Any], bool]:
        def tried(attempt: Any) -> bool:
            taken = make(attempt)
            if not taken:
                waits.happened.set()
            return taken

        return tried

    with (
        replaced(os, CALLS, stepping),
        replaced(fcntl, ("flock",), stepping),
        replaced(publishing, ("exchange",), stepping),
        replaced(_Attempt, ("make",), trying),
        replaced(FileStore, ("lock",), locking),
    ):
        yield


@contextmanager
def memory() -> Iterator[None]:
    """Let every call of the store in memory be two steps, one before and one after its effect."""
    from zcollection_store_memory import store
    from zcollection_store_memory.objects import Objects
    from zcollection_store_memory.store import MemoryStore

    async def sleep(seconds: float) -> None:
        waits.happened.set()
        await anyio.sleep(seconds)

    with (
        mock.patch.object(store, "anyio", mock.Mock(sleep=sleep)),
        replaced(MemoryStore, ("lock",), locking),
        replaced(MemoryStore, ("get", "put", "create", "copy", "delete", "publish", "unpublish"), awaiting),
        replaced(Objects, ("get", "put", "stage", "copy", "delete"), stepping),
    ):
        yield


@contextmanager
def icechunk() -> Iterator[None]:
    """Let every call of Icechunk be two steps, and so what it does on a thread, under its lock."""
    from zcollection_store_icechunk import session, store
    from zcollection_store_icechunk.hierarchy import Hierarchy
    from zcollection_store_icechunk.session import IcechunkSession
    from zcollection_store_icechunk.store import IcechunkStore

    with (
        replaced(Hierarchy, ("get", "set", "delete"), awaiting),
        replaced(IcechunkSession, ("commit", "rebase"), awaiting),
        replaced(session, ("locked",), awaiting),
        replaced(store, ("locked",), awaiting),
        replaced(IcechunkStore, ("begin", "current", "snapshot", "history", "vacuum"), awaiting),
    ):
        yield


@contextmanager
def obstore() -> Iterator[None]:
    """Let every request of obstore to a server be two steps."""
    from zcollection_store_object.with_obstore import Obstore

    with replaced(Obstore, ("get", "put", "create", "copy", "delete"), awaiting):
        yield


class Watch:
    """Lets every request to a bucket in memory be two steps."""

    async def before(self, kind: str, keys: list[str]) -> None:
        await async_step()

    async def after(self, kind: str, keys: list[str]) -> None:
        await async_step()


@contextmanager
def told_to_stop(when: Callable[[], None]) -> Iterator[None]:
    """Call a function whenever the work of a task is told that its caller was cancelled."""
    stop = portal._Task.stop

    def stopped(self: Any) -> None:
        stop(self)
        when()

    with mock.patch.object(portal._Task, "stop", stopped):
        yield
