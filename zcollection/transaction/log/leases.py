"""Leases: on a store without a lock, the right to publish a version belongs to a writer with a recent heartbeat.

The writer that commits a version has the first lease on it and renews it by heartbeats: writes of a small object beside
the record. A waiting writer watches the version. When nothing has changed for the duration of a lease, by its own clock,
it takes over; an atomic creation lets only one waiting writer do so. The holder has stopped long before: it writes nothing
once 60 % of the lease have passed since its last heartbeat, by its own clock. Clocks of two processes are never compared.
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
"""Fractions of a lease after which its holder sends a heartbeat, and after which it stops."""

_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 1.0


@define
class Clock:
    """The clock of this process; its only instance is `CLOCK`, which tests replace."""

    def now(self) -> float:
        """Return the monotonic time in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds."""
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
        The store of the collection.
    number
        Number of the version.
    holder
        Number of the holder: 0 for the writer that committed the version, then 1, 2 ... for writers that took over.
    seconds
        Duration of the lease: how long other writers wait without a heartbeat before they take over.
    """

    store: KeyStore
    number: int
    holder: int = 0
    seconds: float = field(factory=_seconds)
    _renewed: float = field(factory=_now)

    async def fence(self) -> None:
        """Check that the lease is still valid before the next write, and send a heartbeat if one is due.

        Raises
        ------
        ConflictError
            The lease may have expired, so that another writer may have taken over.
        """
        self._check()
        if self._age > _BEAT * self.seconds:
            await self._beat()
            self._check()

    @property
    def key(self) -> str:
        """Key of the object that its heartbeats write."""
        return commit_log.lease_of(self.number, self.holder)

    @property
    def keys(self) -> list[str]:
        """Keys of the heartbeats of all holders up to this one."""
        return [commit_log.lease_of(self.number, holder) for holder in range(self.holder + 1)]

    @property
    def _age(self) -> float:
        return _now() - self._renewed

    async def _beat(self) -> None:
        begun = _now()
        with suppress(StoreError):  # the lease remains valid for a while without it
            await self.store.put({self.key: uuid.uuid4().hex.encode()})
            self._renewed = begun

    def _check(self) -> None:
        if self._age > _STOP * self.seconds:
            message = (
                f"publishing version {self.number} of {self.store.url} took {self._age:.0f} s without a heartbeat, and "
                f"another writer may have taken over; the other writer completes it"
            )
            raise ConflictError(message)


async def ensure_published(store: KeyStore, number: int, publish: Callable[[Lease], Awaitable[None]]) -> None:
    """Wait until the holder of the lease has published a version, or take over and publish it.

    Parameters
    ----------
    store
        The store of the collection.
    number
        Number of the version.
    publish
        Publishes the version under a lease.
    """
    pause, seen, since = _FIRST_PAUSE, await commit_log.objects_of(store, number), _now()
    while commit_log.is_unpublished(number, seen):
        if _now() - since >= _seconds():
            lease = await _taken_over(store, number, seen)
            if lease is not None:
                await publish(lease)
                return
        await CLOCK.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE, _seconds() / 4)
        before, seen = seen, await commit_log.objects_of(store, number)
        since = since if seen == before else _now()


async def _taken_over(store: KeyStore, number: int, seen: dict[str, object]) -> Lease | None:
    """Take over: return the lease after the last one that exists, or None if another writer took it."""
    lease = Lease(store=store, number=number, holder=1)
    while lease.key in seen:
        lease.holder += 1
    mine = uuid.uuid4().hex.encode()
    answer = await store.create(lease.key, mine)
    if answer == "unknown" and await store.get([Read(lease.key)]) == [mine]:
        answer = "created"
    return lease if answer == "created" else None
