"""Operations run again on fresh data while other writers get in their way."""

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
    """Run an operation again on fresh data while other writers get in its way; the last conflict is raised."""
    for number in range(_TRIES - 1):
        try:
            return await attempt()
        except ConflictError:
            pause = min(_FIRST_PAUSE * 2 ** min(number, 30), _LONGEST_PAUSE)
            await anyio.sleep(pause * np.random.default_rng().uniform(0.1, 1))
    return await attempt()
