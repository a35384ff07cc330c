"""How a test knows that a cancellation has arrived."""

import threading

from anyio import from_thread


def heard():
    """Return, as a cancelled thread does, once it is heard that the task which this one works for was cancelled."""
    while True:
        from_thread.check_cancelled()
        threading.Event().wait(0.001)
