"""An iterable over the versions of a collection as they are committed."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import anyio
from attrs import field, frozen

from zcollection.portal import run
from zcollection.transaction.reports import Committed, Label


@frozen
class Following:
    """The versions as they are committed: an endless iterable, synchronous and asynchronous.

    Each iteration starts again at `since`. A program that stores the last version it has processed, and passes it as
    `since` the next time, sees each version exactly once.

    Attributes
    ----------
    since
        The version after which to start; None starts after the newest version at the beginning of the iteration.
    every
        Seconds between two polls while there is no new version.
    """

    _newer: Callable[[Label | None], Awaitable[list[Committed]]] = field(repr=False)
    since: Label | None
    every: float

    async def new(self) -> list[Committed]:
        """Return the versions committed since `since`, without waiting; empty if `since` is None."""
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
