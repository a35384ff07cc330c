"""Objects that belong to one event loop each, such as clients and limiters."""

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One object for each event loop, made when first asked for there, and forgotten once its loop is closed.

    Parameters
    ----------
    make
        Makes one, on the loop that is to have it.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, T] = {}
        self._lock = threading.Lock()

    def get(self) -> T:
        """Return the object of the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            found = self._made.get(loop)
            if found is None:
                self._made = {other: kept for other, kept in self._made.items() if not other.is_closed()}
                found = self._made[loop] = self._make()
            return found


class LoopClient(Generic[T]):
    """A client of one event loop, opened when first asked for, and closed with its loop, or when nobody uses it any more.

    Parameters
    ----------
    open_client
        Returns a generator that opens a client, yields it, and closes it when it is closed itself.
    """

    def __init__(self, open_client: Callable[[], AsyncGenerator[T, None]]) -> None:
        self._open_client = open_client
        self._opening = asyncio.Lock()
        self._opened: list[T] = []

    async def get(self) -> T:
        """Return the client."""
        async with self._opening:
            if not self._opened:
                # A generator that is not exhausted is closed by the loop when it ends, and the client with it.
                clients = self._open_client()
                self._opened.append(await anext(clients))
                # What is unreachable may be finalised in any order: the client must outlive this, to be closed before it is.
                weakref.finalize(self, _close_soon, asyncio.get_running_loop(), clients).atexit = False
        return self._opened[0]


def _close_soon(loop: asyncio.AbstractEventLoop, clients: AsyncGenerator[T, None]) -> None:
    if not loop.is_closed():  # one that has ended has closed them
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: loop.create_task(clients.aclose()))
