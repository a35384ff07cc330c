"""The synchronous face: one background event loop per process that runs the asynchronous core for blocking callers.

What is usually done within a millisecond begins on the caller's own thread, and goes on on the loop once it has to wait:
the four times that threads wake each other on the way to the loop, to a worker and back take as long as the work.
"""

import asyncio
import atexit
import contextvars
import functools
import os
import threading
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Generic, ParamSpec, TypeVar, cast

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from zcollection.errors import SynchronousCallError
from zcollection.resources import telling_shortage

P = ParamSpec("P")
R = TypeVar("R")


class _Loop:
    """The background event loop, started when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context: AbstractContextManager[BlockingPortal] | None = None
        self._portal: BlockingPortal | None = None
        self._thread_id: int | None = None

    def portal(self) -> BlockingPortal:
        with self._lock:
            if self._portal is None:
                self._context = start_blocking_portal(name="zcollection")
                self._portal = self._context.__enter__()
                self._thread_id = self._portal.call(threading.get_ident)
                atexit.register(self.stop)
            return self._portal

    def is_current_thread(self) -> bool:
        return threading.get_ident() == self._thread_id

    def stop(self) -> None:
        with self._lock:
            context, self._context, self._portal, self._thread_id = self._context, None, None, None
        if context is not None:
            context.__exit__(None, None, None)


_loop = _Loop()
_blocked: contextvars.ContextVar[asyncio.AbstractEventLoop | None] = contextvars.ContextVar("blocked", default=None)
"""The event loop whose thread waits for what is run here."""


def is_blocked(loop: object) -> bool:
    """Return whether an event loop stands still until the call is done that this code is a part of."""
    return loop is not None and loop is _blocked.get()


def _forget_parent_loop() -> None:
    # A forked child has no copy of the parent's loop thread, and its lock may be held for ever.
    global _loop  # noqa: PLW0603 - the loop is one per process by design
    _loop = _Loop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent_loop)


class _Task(Generic[R]):
    """An asynchronous function that runs on the background loop, whoever waits for it."""

    def __init__(self, function: Callable[[], Awaitable[R]], context: contextvars.Context) -> None:
        self._function = function
        self._scope: anyio.CancelScope | None = None
        self._portal = _loop.portal()
        self.future: Future[R | None] = context.run(self._portal.start_task_soon, self._run)

    async def _run(self) -> R | None:
        with anyio.CancelScope() as self._scope:
            return await self._function()
        return None

    def stop(self) -> None:
        """Cancel it wherever it may be interrupted; it ends once it has cleaned up."""
        with suppress(RuntimeError):  # the process ends, and waits for it
            self._portal.start_task_soon(self._cancel)

    async def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    @property
    def is_stopped(self) -> bool:
        """Whether it has ended because it was cancelled, and not by itself."""
        return self._scope is not None and self._scope.cancelled_caught

    def result(self) -> R:
        """Return what the function has returned, or raise what it has raised."""
        return cast("R", self.future.result())


@telling_shortage()
def run(function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run an asynchronous function on the background loop and return its result.

    An interruption of the caller (Ctrl-C) cancels the work, and is raised once that has ended. A second one is raised at
    once; the work still ends on the background loop, which the process waits for when it exits.

    Raises
    ------
    SynchronousCallError
        When called on the background loop itself, which would wait for itself for ever.
    """
    if _loop.is_current_thread():
        message = (
            f"{function.__name__!r} was called synchronously on zcollection's own event loop, which would hang; "
            f"await its asynchronous twin instead"
        )
        raise SynchronousCallError(message)
    context = contextvars.copy_context()
    context.run(_note_blocked_loop)
    task = _Task(functools.partial(function, *args, **kwargs), context)
    try:
        return task.result()
    except BaseException:
        if not task.future.done():
            task.stop()
            wait([task.future])
        raise


async def carried_out(function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run an asynchronous function that changes something on the background loop, and return its result.

    The cancellation of a task by asyncio interrupts any await, at once: those behind a shield of anyio, and those of a
    thread that goes on working. A change must not be left like that, with its lock released and its files half-way. On the
    background loop only anyio cancels tasks, and its shields hold. Here a cancellation asks the change to stop, which it does
    where it may be interrupted; the caller gets its `CancelledError` after the change has ended. The change also ends if
    its caller stops waiting for it, because the caller's loop or coroutine is closed.

    Raises
    ------
    CancelledError
        The caller was cancelled. A note on it says so where the change was complete by then.
    """
    await on_loop()
    if _loop.is_current_thread():
        return await function(*args, **kwargs)
    task = _Task(functools.partial(function, *args, **kwargs), contextvars.copy_context())
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell(_: object) -> None:
        with suppress(RuntimeError):  # the caller's loop may be closed by now
            loop.call_soon_threadsafe(ended.set)

    task.future.add_done_callback(tell)
    try:
        await ended.wait()
    except asyncio.CancelledError as cancelled:
        task.stop()
        await _patiently(ended)
        _note_outcome(cancelled, task)
        raise
    except BaseException:  # the coroutine is closed: it can wait for nothing any more
        task.stop()
        raise
    return task.result()


async def uninterrupted(function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run an asynchronous function to its end, though what it is a part of is cancelled; for what `carried_out` runs."""
    with anyio.CancelScope(shield=True):
        result = await function(*args, **kwargs)
    return result  # noqa: RET504 - the block might swallow an error, for all that mypy knows


async def _patiently(ended: asyncio.Event) -> None:
    """Wait for an event, however often the waiting task is cancelled meanwhile."""
    with anyio.CancelScope(shield=True):
        while not ended.is_set():
            with suppress(asyncio.CancelledError):
                await ended.wait()


def _note_outcome(cancelled: asyncio.CancelledError, task: _Task[Any]) -> None:
    """Say what has become of a change whose caller was cancelled."""
    if task.future.cancelled() or task.is_stopped:
        return
    if failure := task.future.exception():
        cancelled.add_note(f"the change had failed before it could be cancelled: {failure!r}")
    else:
        cancelled.add_note("the change was complete before it could be cancelled; history() lists it")


class _Thread(threading.local):
    """What one thread does."""

    begins_work: bool = False


_thread = _Thread()


def is_callers_thread() -> bool:
    """Return whether this runs on the thread of a blocking caller, who waits for it, and on no event loop."""
    return _thread.begins_work and not _runs_loop()


@types.coroutine
def on_loop() -> Generator[None, None, None]:
    """Go on on an event loop: whatever waits for other than a blocking call has to."""
    if is_callers_thread():
        yield


@telling_shortage()
def begin(function: Callable[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run an asynchronous function on this thread until it awaits `on_loop`, then as `run` does, and return its result."""
    if _runs_loop():
        return run(function, *args, **kwargs)
    coroutine, context = function(*args, **kwargs), contextvars.copy_context()
    try:
        with _beginning_work():
            context.run(coroutine.send, None)
    except StopIteration as end:
        return cast("R", end.value)
    return context.run(run, _rest, coroutine)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, R]) -> Generator[Any, Any, R]:
    """Return what a coroutine returns that has begun elsewhere: it cannot be awaited again."""
    return (yield from coroutine.__await__())


@contextmanager
def _beginning_work() -> Iterator[None]:
    outer, _thread.begins_work = _thread.begins_work, True
    try:
        yield
    finally:
        _thread.begins_work = outer


def _runs_loop() -> bool:
    return asyncio._get_running_loop() is not None  # noqa: SLF001 - documented for such uses, and raises nothing


def _note_blocked_loop() -> None:
    with suppress(RuntimeError):  # most callers run on a thread without a loop
        _blocked.set(asyncio.get_running_loop())


def synchronous(function: Callable[P, Coroutine[Any, Any, R]], *, begins_here: bool = False) -> Callable[P, R]:
    """Derive the blocking twin of an asynchronous function or method.

    The twin has the same parameters and documentation, and the name without the suffix ``_async``.

    Parameters
    ----------
    function
        What is asynchronous.
    begins_here
        Whether it begins on the caller's thread: before it waits for anything it awaits `on_loop`.

    Examples
    --------
    >>> class Greeter:
    ...     async def greet_async(self, name: str) -> str:
    ...         '''Greet somebody.'''
    ...         return f"hello {name}"
    ...
    ...     greet = synchronous(greet_async)
    >>> Greeter().greet("buoy")
    'hello buoy'
    """
    running = begin if begins_here else run

    @functools.wraps(function)
    def twin(*args: P.args, **kwargs: P.kwargs) -> R:
        return running(function, *args, **kwargs)

    twin.__name__ = function.__name__.removesuffix("_async")
    twin.__qualname__ = function.__qualname__.removesuffix("_async")
    return twin
