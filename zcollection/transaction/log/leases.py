"""The right to put a version in its place, where there is no lock: held by whoever is seen alive.

Who has committed a version holds the lease on it from the moment before, and renews it by a beat, a small object beside
the record. Whoever waits for the version watches: when nothing has changed for a whole lease, by its own clock, it takes
over, which one of those who try can do. The holder has stopped long before: it touches nothing once 60 % of the lease
have passed since its last beat, by its own clock. No two clocks are ever compared.
"""

import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import anyio
from attrs import define, field

from zcollection import config
from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.errors import ConflictError, StoreError
from zcollection.transaction.log import commit_log

_BEAT: Final = 0.2
_STOP: Final = 0.6
"""Parts of a lease after which its holder beats, and stops."""

_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 1.0


@define
class Clock:
    """What time is told by; there is one, `CLOCK`."""

    def now(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)


CLOCK = Clock()


def _now() -> float:
    return CLOCK.now()


def _seconds() -> float:
    return config.get().lease


@define(kw_only=True)
class Lease:
    """The lease on one version.

    Attributes
    ----------
    store
        Where.
    number
        The version's.
    holder
        0 for who has committed it, then counting those who took over.
    seconds
        How long others wait.
    """

    store: KeyStore
    number: int
    holder: int = 0
    seconds: float = field(factory=_seconds)
    _seen: float = field(factory=_now)

    async def fence(self) -> None:
        """Return if the next step may be taken, after a beat where one is due.

        Raises
        ------
        ConflictError
            Others may have taken over.
        """
        self._check()
        if self._age > _BEAT * self.seconds:
            await self._beat()
            self._check()

    @property
    def key(self) -> str:
        """Where its beats are seen."""
        return commit_log.lease_of(self.number, self.holder)

    @property
    def keys(self) -> list[str]:
        """The same of all who have held it."""
        return [commit_log.lease_of(self.number, holder) for holder in range(self.holder + 1)]

    @property
    def _age(self) -> float:
        return _now() - self._seen

    async def _beat(self) -> None:
        begun = _now()
        with suppress(StoreError):  # the lease goes on without it, for a while
            await self.store.put({self.key: uuid.uuid4().hex.encode()})
            self._seen = begun

    def _check(self) -> None:
        if self._age > _STOP * self.seconds:
            message = (
                f"putting version {self.number} of {self.store.url} in its place took {self._age:.0f} s without a sign of "
                f"life, and another writer may have taken over; it is left to the others"
            )
            raise ConflictError(message)


async def settle(store: KeyStore, number: int, publish: Callable[[Lease], Awaitable[None]]) -> None:
    """Wait until a version is published by who holds the lease, or take over and publish it.

    Parameters
    ----------
    store
        Where.
    number
        The version's.
    publish
        Publishes it.
    """
    pause, seen, since = _FIRST_PAUSE, await commit_log.seen(store, number), _now()
    while commit_log.is_unpublished(number, seen):
        if _now() - since >= _seconds():
            lease = await _taken_over(store, number, seen)
            if lease is not None:
                await publish(lease)
                return
        await CLOCK.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE, _seconds() / 4)
        before, seen = seen, await commit_log.seen(store, number)
        since = since if seen == before else _now()


async def _taken_over(store: KeyStore, number: int, seen: dict[str, object]) -> Lease | None:
    """Return the lease after the last one that is seen, unless somebody else has it."""
    lease = Lease(store=store, number=number, holder=1)
    while lease.key in seen:
        lease.holder += 1
    mine = uuid.uuid4().hex.encode()
    answer = await store.create(lease.key, mine)
    if answer == "unknown" and await store.get([Read(lease.key)]) == [mine]:
        answer = "created"
    return lease if answer == "created" else None
