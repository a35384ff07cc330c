"""What tasks of several event loops, and threads, tell each other."""

import asyncio
import threading

from anyio import to_thread

PATIENCE = 60


class Signal:
    """An event that a task waits for on whichever loop it runs: changes run on one of their own."""

    def __init__(self):
        self._event = threading.Event()

    def set(self):
        self._event.set()

    def is_set(self):
        return self._event.is_set()

    def wait_here(self):
        """Wait on this thread."""
        assert self._event.wait(PATIENCE), "nobody has given the signal"

    async def wait(self):
        await to_thread.run_sync(self.wait_here, abandon_on_cancel=True)


async def raised(task):
    """Return the cancellation that a task has raised, as it was raised: with its notes."""
    try:
        await task
    except asyncio.CancelledError as error:
        return error
