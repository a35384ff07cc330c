"""The synchronous interface: one background event loop per process runs the asynchronous core for blocking callers.

A short operation starts on the caller's own thread and moves to the loop only when it has to wait. A round trip through the
loop and a worker thread switches threads four times, which takes as long as an operation of a millisecond.
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
from zcollection.resources import reporting_shortage

P = ParamSpec("P")
R = TypeVar("R")


class _Loop:
    """The background event loop, which is started on first use."""

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
"""The event loop whose thread is blocked by the current call."""


def is_blocked(loop: object) -> bool:
    """Return whether an event loop is blocked until the current call returns."""
    return loop is not None and loop is _blocked.get()


def _forget_parent_loop() -> None:
    # A forked child does not inherit the thread of the parent's loop, and the lock may stay locked for ever.
    global _loop  # noqa: PLW0603 - the loop is one per process by design
    _loop = _Loop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent_loop)


class _Task(Generic[R]):
    """An asynchronous function that runs on the background loop, independently of the thread that waits for it."""

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
        """Request cancellation: the task stops at its next await outside of a shield, and ends after its clean-up."""
        with suppress(RuntimeError):  # the process is exiting, and waits for the task
            self._portal.start_task_soon(self._cancel)

    async def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    @property
    def is_stopped(self) -> bool:
        """Whether the task ended because it was cancelled."""
        return self._scope is not None and self._scope.cancelled_caught

    def result(self) -> R:
        """Wait for the task, and return the result of the function or raise its exception."""
        return cast("R", self.future.result())


@reporting_shortage()
def run(function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run an asynchronous function on the background loop and return its result.

    If the caller is interrupted (Ctrl-C), the task is cancelled, and the interruption is raised after the task has ended. A
    second interruption is raised immediately; the task then ends in the background, and the process waits for it on exit.

    Raises
    ------
    SynchronousCallError
        The call comes from the background loop itself, which would deadlock.
    """
    if _loop.is_current_thread():
        message = (
            f"{function.__name__!r} was called synchronously on zcollection's own event loop, which would hang; "
            f"await its asynchronous version instead"
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


async def run_change(function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run an asynchronous function that makes a change on the background loop, wait until it has ended, and return its result.

    asyncio cancels a task at any await, even inside a shield of anyio and while a worker thread is still running. That
    could release the lock of a change whose files are written in part. On the background loop only anyio cancels tasks,
    and anyio respects its shields. If the caller is cancelled, this function requests the change to stop, which it does
    at its next await outside of a shield, and raises the `CancelledError` after the change has ended. The change also
    ends if its caller stops waiting because the caller's loop or coroutine is closed.

    Raises
    ------
    CancelledError
        The caller was cancelled. A note on the exception states whether the change was complete by then.
    """
    await on_loop()
    if _loop.is_current_thread():
        return await function(*args, **kwargs)
    task = _Task(functools.partial(function, *args, **kwargs), contextvars.copy_context())
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def notify(_: object) -> None:
        with suppress(RuntimeError):  # the caller's loop may be closed by now
            loop.call_soon_threadsafe(ended.set)

    task.future.add_done_callback(notify)
    try:
        await ended.wait()
    except asyncio.CancelledError as cancelled:
        task.stop()
        await _wait_shielded(ended)
        _note_outcome(cancelled, task)
        raise
    except BaseException:  # the coroutine is being closed, and cannot await any more
        task.stop()
        raise
    return task.result()


async def uninterrupted(function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run an asynchronous function to its end even if the enclosing task is cancelled; for code that `run_change` runs."""
    with anyio.CancelScope(shield=True):
        result = await function(*args, **kwargs)
    return result  # noqa: RET504 - mypy assumes that the block may suppress an exception


async def _wait_shielded(ended: asyncio.Event) -> None:
    """Wait for an event, regardless of how often the waiting task is cancelled."""
    with anyio.CancelScope(shield=True):
        while not ended.is_set():
            with suppress(asyncio.CancelledError):
                await ended.wait()


def _note_outcome(cancelled: asyncio.CancelledError, task: _Task[Any]) -> None:
    """Add a note with the outcome of a change whose caller was cancelled, if the change was not cancelled itself."""
    if task.future.cancelled() or task.is_stopped:
        return
    if failure := task.future.exception():
        cancelled.add_note(f"the change had failed before it could be cancelled: {failure!r}")
    else:
        cancelled.add_note("the change was complete before it could be cancelled; history() lists it")


class _Thread(threading.local):
    """State of one thread."""

    begins_work: bool = False
    """Whether the thread runs the first part of an operation for `begin`."""


_thread = _Thread()


def is_callers_thread() -> bool:
    """Return whether the current code runs on the thread of a blocking caller, without an event loop."""
    return _thread.begins_work and not _runs_loop()


@types.coroutine
def on_loop() -> Generator[None, None, None]:
    """Move from the caller's thread to an event loop; an operation that `begin` may run awaits this before anything else."""
    if is_callers_thread():
        yield


@reporting_shortage()
def begin(function: Callable[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run an asynchronous function on this thread until it awaits `on_loop`, then on the background loop; return its result."""
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
    """Run the rest of a coroutine that was started elsewhere; Python does not allow ``await`` on it a second time."""
    return (yield from coroutine.__await__())


@contextmanager
def _beginning_work() -> Iterator[None]:
    outer, _thread.begins_work = _thread.begins_work, True
    try:
        yield
    finally:
        _thread.begins_work = outer


def _runs_loop() -> bool:
    return asyncio._get_running_loop() is not None  # noqa: SLF001 - documented, and does not raise without a loop


def _note_blocked_loop() -> None:
    with suppress(RuntimeError):  # most callers run on a thread without a loop
        _blocked.set(asyncio.get_running_loop())


def synchronous(function: Callable[P, Coroutine[Any, Any, R]], *, begins_here: bool = False) -> Callable[P, R]:
    """Return the blocking version of an asynchronous function or method.

    The blocking version has the same parameters and documentation, and the name without the suffix ``_async``.

    Parameters
    ----------
    function
        The asynchronous function or method.
    begins_here
        Whether it starts on the caller's thread. It must then await `on_loop` before it awaits anything else.

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
    def blocking(*args: P.args, **kwargs: P.kwargs) -> R:
        return running(function, *args, **kwargs)

    blocking.__name__ = function.__name__.removesuffix("_async")
    blocking.__qualname__ = function.__qualname__.removesuffix("_async")
    return blocking
