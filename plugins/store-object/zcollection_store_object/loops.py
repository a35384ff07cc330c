"""Objects that belong to one event loop each, such as clients and limiters."""

import asyncio
import threading
from collections.abc import Callable
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
