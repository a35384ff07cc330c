"""Objects that belong to one event loop each, such as clients and limiters."""

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One object for each event loop, created at the first access and dropped after its loop is closed.

    Parameters
    ----------
    make
        The function that creates an object, called on the event loop that the object belongs to.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, T] = {}
        self._lock = threading.Lock()

    def get(self) -> T:
        """Return the object of the running event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            found = self._made.get(loop)
            if found is None:
                self._made = {other: made for other, made in self._made.items() if not other.is_closed()}
                found = self._made[loop] = self._make()
            return found


class LoopClient(Generic[T]):
    """A client of one event loop, opened at the first access, and closed with its loop or when it is no longer referenced.

    Parameters
    ----------
    open_client
        The function that returns a generator, which opens a client, yields it, and closes the client when the generator is
        closed.
    """

    def __init__(self, open_client: Callable[[], AsyncGenerator[T, None]]) -> None:
        self._open_client = open_client
        self._opening = asyncio.Lock()
        self._opened: list[T] = []

    async def get(self) -> T:
        """Return the client."""
        async with self._opening:
            if not self._opened:
                # When the loop ends, it closes each generator that is not exhausted, and so the client.
                clients = self._open_client()
                self._opened.append(await anext(clients))
                # The finaliser keeps the generator alive: unreachable objects are finalised in any order, and the client has to be
                # closed before it is finalised.
                weakref.finalize(self, _close_soon, asyncio.get_running_loop(), clients).atexit = False
        return self._opened[0]


def _close_soon(loop: asyncio.AbstractEventLoop, clients: AsyncGenerator[T, None]) -> None:
    if not loop.is_closed():  # a closed loop has closed its generators
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: loop.create_task(clients.aclose()))
