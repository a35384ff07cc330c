"""Retries of operations that conflict with other writers, each on fresh data."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio
import numpy as np

from zcollection.errors import ConflictError

R = TypeVar("R")

_TRIES: Final = 100
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.5


async def retrying(attempt: Callable[[], Awaitable[R]]) -> R:
    """Run an operation, and retry it on fresh data after each conflict; raise the last conflict after many attempts."""
    for number in range(_TRIES - 1):
        try:
            return await attempt()
        except ConflictError:
            pause = min(_FIRST_PAUSE * 2 ** min(number, 30), _LONGEST_PAUSE)
            await anyio.sleep(pause * np.random.default_rng().uniform(0.1, 1))
    return await attempt()
