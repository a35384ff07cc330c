"""Stores on object storage: batches of requests, sent by any driver.

A request that changes something is never abandoned before its answer: the server could still execute it, after a later
request.
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
from zcollection_store_object.driver import DELETED_PER_REQUEST, Driver, RequestError
from zcollection_store_object.loops import PerLoop
from zcollection_store_object.retries import Retries

T = TypeVar("T")
R = TypeVar("R")

_LIMITERS: Final = PerLoop(lambda: CapacityLimiter(1))
"""Limiters of the requests in flight, for all stores together."""


@frozen(kw_only=True)
class ObjectStore(KeyStore):
    """Objects under a prefix of a bucket; a subclass defines the prefix and the driver.

    Attributes
    ----------
    url
        The URL of the collection.
    read_only
        Whether every write is rejected.
    """

    publishes_copies: ClassVar[bool] = True

    url: StoreURL = field(eq=str)
    read_only: bool
    _drivers: list[Driver] = field(factory=list, init=False, eq=False, repr=False)

    @property
    @abstractmethod
    def key_prefix(self) -> str:
        """The prefix of every key in the bucket: "", or ending with "/"."""

    @property
    @abstractmethod
    def retries(self) -> Retries:
        """The retries of requests."""

    @abstractmethod
    def connect(self) -> Driver:
        """Return the driver; called once for each store."""

    @property
    def _driver(self) -> Driver:
        if not self._drivers:
            self._drivers.append(self.connect())
        return self._drivers[0]

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        """Return the content of a pickle: the fields, without the driver, which the copy opens when it first needs it."""
        cls = type(self)
        return _created, (cls, {item.name: getattr(self, item.name) for item in fields(cls) if item.init})

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        check_keys(self.url, *(read.key for read in reads))

        async def get(read: Read) -> bytes | None:
            key, length = self.key_prefix + read.key, None if read.length is None else read.limit
            return await self._send("read", read.key, lambda driver: driver.get(key, read.offset, length, read.most))

        return await _for_each(get, reads)

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects concurrently."""
        self.check_writable()
        check_keys(self.url, *items)

        async def put(key: str) -> None:
            await self._send("write", key, lambda driver: uninterrupted(driver.put, self.key_prefix + key, items[key]))

        await _for_each(put, items)

    async def create(self, key: str, data: bytes) -> Created:
        """Write an object unless the key exists, by one conditional request."""
        self.check_writable()
        check_keys(self.url, key)
        driver = self._driver
        try:
            async with _limiter():
                return await self.retries.create(lambda: uninterrupted(driver.create, self.key_prefix + key, data))
        except RequestError as failure:
            error = self._error("create", key, failure)
        raise error  # outside the handler, without a chained exception

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List objects and common prefixes, page by page."""
        if prefix:
            check_prefixes(self.url, prefix)
        last = self.key_prefix + after if after else ""
        pages: AsyncIterator[Sequence[Listed]] | None = None

        async def next_page(driver: Driver) -> Sequence[Listed] | None:
            nonlocal pages
            pages = pages or driver.list(self.key_prefix + prefix, after=last, recursive=recursive)
            try:
                return await anext(pages, None)
            except RequestError:
                pages = None  # a failed generator is exhausted: the next attempt starts after the last key
                raise

        while (page := await self._send("list", prefix, next_page)) is not None:
            for entry in page:
                last = entry.key
                yield evolve(entry, key=entry.key.removeprefix(self.key_prefix))

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects within the bucket; their bytes stay on the server."""
        self.check_writable()
        given = list(pairs)
        check_keys(self.url, *(key for pair in given for key in pair))
        await _for_each(self._copy, given)

    async def _copy(self, pair: tuple[str, str]) -> None:
        source, target = (self.key_prefix + key for key in pair)

        async def copy(driver: Driver) -> bool:
            if source == target:  # servers reject such a copy
                return await driver.get(source, 0, 0, None) is not None
            return await uninterrupted(driver.copy, source, target)

        if not await self._send("write a copy at", pair[1], copy):
            message = f"cannot copy {pair[0]!r} in {self.url}: there is no such object; run the operation again"
            raise StoreError(message)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, the documents of groups first; a key that ends with "/" deletes every object under it."""
        self.check_writable()
        given = list(dict.fromkeys(keys))
        check_keys(self.url, *(key.removesuffix("/") for key in given))
        below = [
            entry.key for prefix in given if prefix.endswith("/") async for entry in self.list(prefix, recursive=True)
        ]
        for group in publishing.documents_first([*(key for key in given if not key.endswith("/")), *below]):
            await _for_each(
                self._delete,
                [group[start : start + DELETED_PER_REQUEST] for start in range(0, len(group), DELETED_PER_REQUEST)],
            )

    async def _delete(self, keys: Sequence[str]) -> None:
        places = [self.key_prefix + key for key in keys]
        await self._send("delete", keys[0], lambda driver: uninterrupted(driver.delete, places))

    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:
        """Replace the group under `target` with copies of the staged objects, the document last."""
        self.check_writable()
        check_prefixes(self.url, staged, target)
        await publishing.publish(self, staged, target, fence)

    async def publish_written(self, staged: str, target: str, names: Collection[str], fence: Fence = unfenced) -> None:
        """Publish a group without listing the staged objects."""
        self.check_writable()
        check_prefixes(self.url, staged, target)
        await publishing.publish(self, staged, target, fence, names=names)

    async def publish_all(self, pairs: Iterable[tuple[str, str]], fence: Fence = unfenced) -> None:
        """Publish groups concurrently."""
        await _for_each(lambda pair: self.publish(*pair, fence), list(pairs))

    async def replace_all(self, replacements: Iterable[Replacement], fence: Fence = unfenced) -> None:
        """Publish or remove groups concurrently; the groups to keep are copied within the bucket."""
        await _for_each(lambda item: KeyStore.replace_all(self, [item], fence), list(replacements))

    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:
        """Delete the group under `target`; object storage has no renames."""
        self.check_writable()
        check_prefixes(self.url, target, trash)
        await fence()
        await self.delete([target])

    async def _send(self, action: str, key: str, request: Callable[[Driver], Awaitable[T]]) -> T:
        """Wait for the limit of requests in flight, send a request with retries, and return the answer."""
        driver = self._driver
        try:
            async with _limiter():
                return await self.retries.call(lambda: request(driver))
        except RequestError as failure:
            error = self._error(action, key, failure)
        raise error  # outside the handler, without a chained exception

    def _error(self, action: str, key: str, failure: RequestError) -> StoreError:
        return StoreError(f"cannot {action} {key!r} in {self.url}: {failure.cause.reason}; {failure.cause.advice}")


def _limiter() -> CapacityLimiter:
    """Return the limiter of the running event loop: as many requests are in flight as the configuration allows."""
    limiter = _LIMITERS.get()
    limiter.total_tokens = get_config().concurrency
    return limiter


def _created(cls: type[T], values: Mapping[str, Any]) -> T:
    return cls(**values)


async def _for_each(function: Callable[[T], Awaitable[R]], items: Collection[T]) -> list[R]:
    """Call a function for each item, as many concurrently as requests may be in flight."""
    return await gather(function, items, limit=get_config().concurrency)
