"""A store whose process dies before or after any call that changes something, whatever the store behind it."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

from attrs import frozen

from zcollection.plugin import Fence, KeyStore, Listed, Read, StoreURL, unfenced


class DiedError(Exception):
    """The process is dead: nothing that it does has an effect any more."""


class Power:
    """How many steps a process can still take."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self) -> None:
        self.check()
        self.left -= 1

    def check(self) -> None:
        if self.left <= 0:
            raise DiedError


@frozen
class MortalBlocking:
    """Blocking access of a process that dies."""

    inner: Any
    power: Power

    def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        self.power.check()
        return self.inner.get(reads)

    def list(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        self.power.check()
        return self.inner.list(prefix, after=after, recursive=recursive)

    def stage(self, items: Mapping[str, bytes]) -> None:
        for key, data in items.items():
            self.power.spend()
            self.inner.stage({key: data})

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        for pair in pairs:
            self.power.spend()
            self.inner.copy([pair])


@frozen(eq=False)
class Mortal(KeyStore):
    """Passes calls on to another store until its power is spent; what a call changes is done before the last step, or not."""

    has_lock: ClassVar[bool] = True

    url: StoreURL
    read_only: bool
    inner: KeyStore
    power: Power

    @classmethod
    def before(cls, inner: KeyStore, steps: int) -> "Mortal":
        return cls(inner.url, inner.read_only, inner, Power(steps))

    @classmethod
    async def open(cls, url: StoreURL, *, mode: str) -> "Mortal":
        raise NotImplementedError

    @property
    def root(self) -> str:
        return self.inner.root

    @property
    def blocking(self) -> MortalBlocking | None:
        blocking = self.inner.blocking
        return None if blocking is None else MortalBlocking(blocking, self.power)

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        self.power.check()
        return await self.inner.get(reads)

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        self.power.check()
        async for entry in self.inner.list(prefix, after=after, recursive=recursive):
            yield entry

    async def put(self, items: Mapping[str, bytes]) -> None:
        for key, data in items.items():
            self.power.spend()
            await self.inner.put({key: data})
            self.power.spend()

    async def create(self, key: str, data: bytes) -> str:
        self.power.spend()
        answer = await self.inner.create(key, data)
        self.power.spend()
        return answer

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        for pair in pairs:
            self.power.spend()
            await self.inner.copy([pair])

    async def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            if key.endswith("/"):
                for below in [entry.key async for entry in self.inner.list(key, recursive=True)]:
                    self.power.spend()
                    await self.inner.delete([below])
            self.power.spend()
            await self.inner.delete([key])

    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:
        self.power.spend()
        await self.inner.publish(staged, target)
        self.power.spend()

    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:
        self.power.spend()
        await self.inner.unpublish(target, trash)
        self.power.spend()

    def lock(self) -> AbstractAsyncContextManager[None]:
        self.power.check()
        return self.inner.lock()
