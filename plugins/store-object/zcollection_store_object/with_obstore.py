"""The driver on obstore, which is written in Rust."""

import atexit
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar

import obstore
from attrs import evolve, frozen
from obstore.exceptions import AlreadyExistsError, BaseError

from zcollection.plugin import Listed, ensure_spare_files
from zcollection_store_object import causes
from zcollection_store_object.causes import Cause
from zcollection_store_object.driver import Answer, RequestError
from zcollection_store_object.listing import folded

T = TypeVar("T")
Refusal = Callable[[int, str | None, str | None], Cause]
"""Says what an answer means, by its status, what the server calls it, and the region in which it says that the bucket lies."""

_MULTIPART: Final = 64 * 2**20
"""Bytes from which on an object is sent in parts."""

_PAGE: Final = 1000
_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
_REGION: Final = re.compile(r"<Region>([\w-]{1,64})</Region>")
_ADDRESS: Final = re.compile(r"\S+://\S+")
_REDIRECTED: Final = "Received redirect without LOCATION"
"""What obstore says of an answer that sends it to another region."""

_EMPTY_PART: Final = "source: StartTooLarge {"
"""What it says of a part that begins where the object ends, where a server answers with one."""

_LAST_WORDS: Final = 0.05
"""Seconds that obstore's threads are given at exit. One that wants Python while it ends aborts the process, before 3.14."""


@frozen
class Obstore:
    """A bucket through any store of obstore.

    Attributes
    ----------
    store
        Obstore's; it sends each request once.
    refusal
        Says what an answer means that is an error.
    no_bucket
        What the service calls a bucket that does not exist.
    taken
        What it calls a key that is not created since it exists, where the status does not tell.
    etags_are_of_contents
        Whether two objects with one etag hold the same bytes; else etags are told apart by their keys.
    """

    store: Any
    refusal: Refusal = lambda status, code, _: causes.told(None, status, code)
    no_bucket: str = "NoSuchBucket"
    taken: str | None = None
    etags_are_of_contents: bool = True

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return bytes of an object."""
        if length == 0:
            return None if await self._asked(lambda: obstore.head_async(self.store, key)) is None else b""
        try:
            found = await self._asked(lambda: self._read(key, offset, length, most))
        except RequestError as failure:
            if failure.status != _BEYOND_THE_END:
                raise
            return b""
        return found

    async def _read(self, key: str, offset: int, length: int | None, most: int | None) -> bytes:
        if length is not None:
            return (await obstore.get_range_async(self.store, key, start=offset, length=length)).to_bytes()
        answer = await obstore.get_async(self.store, key, options={"range": {"offset": offset}} if offset else None)
        if most is not None and answer.range[1] - answer.range[0] > most:
            return await self._read(key, offset, most, None)
        return (await answer.bytes_async()).to_bytes()

    async def put(self, key: str, data: bytes) -> None:
        """Write an object; a large one in parts, which appear together."""
        whole = len(data) <= _MULTIPART
        written = await self._asked(
            lambda: obstore.put_async(self.store, key, data, use_multipart=not whole, chunk_size=_MULTIPART)
        )
        if written is None:
            raise self._refused(404, self.no_bucket)

    async def create(self, key: str, data: bytes) -> Answer:
        """Ask to write an object unless the key exists."""
        try:
            written = await self._asked(lambda: obstore.put_async(self.store, key, data, mode="create"))
        except RequestError as failure:
            if failure.status in _REFUSED:
                return "exists"
            raise
        if written is None:
            raise self._refused(404, self.no_bucket)
        return "created"

    async def list(self, prefix: str, *, after: str, recursive: bool) -> AsyncIterator[Sequence[Listed]]:
        """Yield pages of what lies under a prefix."""
        if not recursive and not after:
            yield await self._directly_below(prefix)
            return
        last = ""
        stream = obstore.list(self.store, prefix or None, offset=after or None, chunk_size=_PAGE)
        while page := await self._asked(lambda: _next(stream)):
            entries = [self._listed(entry) for entry in page if entry["path"] > after]
            if not recursive:
                entries = folded(entries, prefix, after=after, last=last)
                last = entries[-1].key if entries else last
            yield entries

    async def _directly_below(self, prefix: str) -> Sequence[Listed]:
        found: Any = await self._asked(lambda: obstore.list_with_delimiter_async(self.store, prefix or None)) or {}
        prefixes = [Listed(key=f"{path}/") for path in found.get("common_prefixes", ())]
        return sorted([*prefixes, *map(self._listed, found.get("objects", ()))], key=lambda entry: entry.key)

    def _listed(self, entry: Mapping[str, Any]) -> Listed:
        key, etag = entry["path"], entry["e_tag"]
        if etag is not None and not self.etags_are_of_contents:
            etag = f"{key} {etag}"
        return Listed(key=key, size=entry["size"], modified=entry["last_modified"].timestamp(), etag=etag)

    async def copy(self, source: str, target: str) -> bool:
        """Copy an object."""
        return await self._asked(lambda: _copied(self.store, source, target)) is not None

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; where one is not there, and so nobody knows of the others, one by one."""
        if await self._asked(lambda: _deleted(self.store, keys)) is None and len(keys) > 1:
            for key in keys:
                await self.delete([key])

    async def _asked(self, request: Callable[[], Awaitable[T]]) -> T | None:
        """Return the answer to a request, or None where the object does not exist.

        The failure is raised outside of the handler: what the library raised quotes the request, and is not to be chained.
        """
        try:
            return await request()
        except FileNotFoundError as error:
            failure = self._failure(error) if self.no_bucket in str(error) else None
        except (BaseError, OSError, ValueError) as error:
            failure = self._failure(error)
        except BaseException as error:
            # What Rust panics with is no `Exception`, and would end the event loop with all that runs there.
            if type(error).__name__ != "PanicException":
                raise
            failure = RequestError(cause=causes.of_names(str(error)))
        if failure is not None:
            raise failure
        return None

    def _failure(self, error: Exception) -> RequestError:
        text = str(error)
        status, code, region = _STATUS.search(text), _CODE.search(text), _REGION.search(text)
        if _EMPTY_PART in text:
            return self._refused(_BEYOND_THE_END)
        if code is not None and code[1] == self.taken:
            return self._refused(412, code[1])
        if status is not None:
            return self._refused(int(status[1]), code[1] if code else None, region[1] if region else None)
        if isinstance(error, AlreadyExistsError):
            return self._refused(412)
        if _REDIRECTED in text:
            return self._refused(301)
        failure = RequestError.of_names(_ADDRESS.sub("", text))  # a key may be called as a failure is
        return failure if isinstance(error, BaseError | OSError) else evolve(failure, again=False)

    def _refused(self, status: int, code: str | None = None, region: str | None = None) -> RequestError:
        return RequestError.of_status(status, self.refusal(status, code, region))


_BEYOND_THE_END: Final = 416
_REFUSED: Final = frozenset({304, 412})


async def _next(stream: Any) -> Sequence[Mapping[str, Any]]:
    try:
        page: Sequence[Mapping[str, Any]] = await anext(stream)
    except StopAsyncIteration:
        return ()
    return page


async def _deleted(store: Any, keys: Sequence[str]) -> bool:
    await obstore.delete_async(store, [*keys])
    return True


async def _copied(store: Any, source: str, target: str) -> bool:
    await obstore.copy_async(store, source, target)
    return True


def prepare() -> None:
    """Have this process able to use obstore: files to spare when it starts, and time for its threads to end."""
    ensure_spare_files("obstore")
    _give_last_words()


@cache
def _give_last_words() -> None:
    atexit.register(time.sleep, _LAST_WORDS)
