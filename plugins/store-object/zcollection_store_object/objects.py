"""Any object storage as a store of keys and bytes: batches of requests, whatever driver sends them.

A request that changes something is never given up before its answer: the server could still carry it out, after whatever
comes next.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, Self, TypeVar

from anyio import CapacityLimiter
from attrs import evolve, field, fields, frozen

from zcollection.plugin import (
    Created,
    Fence,
    KeyStore,
    Listed,
    Read,
    Replacement,
    StoreError,
    StoreURL,
    check_keys,
    check_prefixes,
    gather,
    get_config,
    unfenced,
    uninterrupted,
)
from zcollection_store_object import publishing
from zcollection_store_object.driver import DELETED_AT_ONCE, Driver, RequestError
from zcollection_store_object.loops import PerLoop
from zcollection_store_object.retries import Retries

T = TypeVar("T")
R = TypeVar("R")

_LIMITERS: Final = PerLoop(lambda: CapacityLimiter(1))
"""Of the requests in flight, whichever store sends them."""


@frozen(kw_only=True)
class ObjectStore(KeyStore):
    """Objects below a prefix; a subclass says which, and how to reach them.

    Attributes
    ----------
    url
        Where.
    read_only
        Whether every write is refused.
    """

    publishes_copies: ClassVar[bool] = True

    url: StoreURL = field(eq=str)
    read_only: bool
    _drivers: list[Driver] = field(factory=list, init=False, eq=False, repr=False)

    @property
    @abstractmethod
    def place(self) -> str:
        """Prefix of every key in the bucket, "" or ending with "/"."""

    @property
    @abstractmethod
    def retries(self) -> Retries:
        """How often a request is sent again."""

    @abstractmethod
    def connect(self) -> Driver:
        """Return a driver; called once."""

    @property
    def _driver(self) -> Driver:
        if not self._drivers:
            self._drivers.append(self.connect())
        return self._drivers[0]

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        """Return what a pickle holds: a driver is made again where it is needed."""
        cls = type(self)
        return _made, (cls, {item.name: getattr(self, item.name) for item in fields(cls) if item.init})

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        check_keys(self.url, *(read.key for read in reads))

        async def get(read: Read) -> bytes | None:
            key, length = self.place + read.key, None if read.length is None else read.limit
            return await self._ask("read", read.key, lambda driver: driver.get(key, read.offset, length, read.most))

        return await _each(get, reads)

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects, many at once."""
        self.check_writable()
        check_keys(self.url, *items)

        async def put(key: str) -> None:
            await self._ask("write", key, lambda driver: uninterrupted(driver.put, self.place + key, items[key]))

        await _each(put, items)

    async def create(self, key: str, data: bytes) -> Created:
        """Write an object unless the key exists, by one conditional request."""
        self.check_writable()
        check_keys(self.url, key)
        driver = self._driver
        try:
            async with _turn():
                return await self.retries.create(lambda: uninterrupted(driver.create, self.place + key, data))
        except RequestError as failure:
            told = self._told("create", key, failure)
        raise told

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List objects and common prefixes, a page at a time."""
        if prefix:
            check_prefixes(self.url, prefix)
        last = self.place + after if after else ""
        pages: AsyncIterator[Sequence[Listed]] | None = None

        async def next_page(driver: Driver) -> Sequence[Listed] | None:
            nonlocal pages
            pages = pages or driver.list(self.place + prefix, after=last, recursive=recursive)
            try:
                return await anext(pages, None)
            except RequestError:
                pages = None  # what has failed is at its end: the next try goes on after the last key
                raise

        while (page := await self._ask("list", prefix, next_page)) is not None:
            for entry in page:
                last = entry.key
                yield evolve(entry, key=entry.key.removeprefix(self.place))

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects inside the bucket: their bytes stay on the server."""
        self.check_writable()
        given = list(pairs)
        check_keys(self.url, *(key for pair in given for key in pair))
        await _each(self._copy, given)

    async def _copy(self, pair: tuple[str, str]) -> None:
        source, target = (self.place + key for key in pair)

        async def copy(driver: Driver) -> bool:
            if source == target:  # which servers refuse
                return await driver.get(source, 0, 0, None) is not None
            return await uninterrupted(driver.copy, source, target)

        if not await self._ask("write a copy at", pair[1], copy):
            message = f"cannot copy {pair[0]!r} in {self.url}: there is no such object; run the operation again"
            raise StoreError(message)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects and, for keys that end with "/", all below, the documents of groups first."""
        self.check_writable()
        given = list(dict.fromkeys(keys))
        check_keys(self.url, *(key.removesuffix("/") for key in given))
        below = [
            entry.key for prefix in given if prefix.endswith("/") async for entry in self.list(prefix, recursive=True)
        ]
        for group in publishing.documents_first([*(key for key in given if not key.endswith("/")), *below]):
            await _each(
                self._delete,
                [group[start : start + DELETED_AT_ONCE] for start in range(0, len(group), DELETED_AT_ONCE)],
            )

    async def _delete(self, keys: Sequence[str]) -> None:
        places = [self.place + key for key in keys]
        await self._ask("delete", keys[0], lambda driver: uninterrupted(driver.delete, places))

    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:
        """Copy what is staged to its place, its document last."""
        self.check_writable()
        check_prefixes(self.url, staged, target)
        await publishing.publish(self, staged, target, fence)

    async def publish_written(self, staged: str, target: str, names: Collection[str], fence: Fence = unfenced) -> None:
        """Do so without listing what is staged."""
        self.check_writable()
        check_prefixes(self.url, staged, target)
        await publishing.publish(self, staged, target, fence, names=names)

    async def publish_all(self, pairs: Iterable[tuple[str, str]], fence: Fence = unfenced) -> None:
        """Do so for many groups at once."""
        await _each(lambda pair: self.publish(*pair, fence), list(pairs))

    async def replace_all(self, replacements: Iterable[Replacement], fence: Fence = unfenced) -> None:
        """Do so for many groups at once; what is kept is copied inside the bucket."""
        await _each(lambda item: KeyStore.replace_all(self, [item], fence), list(replacements))

    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:
        """Delete what lies at the target: there are no renames."""
        self.check_writable()
        check_prefixes(self.url, target, trash)
        await fence()
        await self.delete([target])

    async def _ask(self, action: str, key: str, request: Callable[[Driver], Awaitable[T]]) -> T:
        """Return the answer to a request, sent again while that may help, when it is its turn."""
        driver = self._driver
        try:
            async with _turn():
                return await self.retries.call(lambda: request(driver))
        except RequestError as failure:
            told = self._told(action, key, failure)
        raise told

    def _told(self, action: str, key: str, failure: RequestError) -> StoreError:
        return StoreError(f"cannot {action} {key!r} in {self.url}: {failure.cause.reason}; {failure.cause.advice}")


def _turn() -> CapacityLimiter:
    """Return what a request waits for: not more of them are in flight than the configuration says."""
    limiter = _LIMITERS.get()
    limiter.total_tokens = get_config().concurrency
    return limiter


def _made(cls: type[T], values: Mapping[str, Any]) -> T:
    return cls(**values)


async def _each(function: Callable[[T], Awaitable[R]], items: Collection[T]) -> list[R]:
    """Do so for each item, as many at once as requests may be in flight."""
    return await gather(function, items, limit=get_config().concurrency)
