"""The versions of a collection, one after the other, as they are committed."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import anyio
from attrs import field, frozen

from zcollection.portal import run
from zcollection.transaction.reports import Committed, Label


@frozen
class Following:
    """Versions as they are committed: an iterable that never ends, and an asynchronous one.

    Each iteration starts anew. Who keeps the version of the last one that was dealt with, and follows from there the next
    time, misses none and meets none twice.

    Attributes
    ----------
    since
        The version after which to begin; None for the newest at the beginning of the iteration.
    every
        Seconds between two looks where nothing is new.
    """

    _newer: Callable[[Label | None], Awaitable[list[Committed]]] = field(repr=False)
    since: Label | None
    every: float

    async def new(self) -> list[Committed]:
        """Return the versions that there are by now, without waiting for others; none where no version was given."""
        return await self._newer(await self._beginning())

    def __iter__(self) -> Iterator[Committed]:
        since = run(self._beginning)
        while True:
            for version in run(self._newer, since):
                yield version
                since = version.version
            time.sleep(self.every)

    async def __aiter__(self) -> AsyncIterator[Committed]:
        since = await self._beginning()
        while True:
            for version in await self._newer(since):
                yield version
                since = version.version
            await anyio.sleep(self.every)

    async def _beginning(self) -> Label:
        return (await self._newer(None))[-1].version if self.since is None else self.since
