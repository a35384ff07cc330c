"""The driver based on obstore, a library in Rust."""

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
CauseOf = Callable[[int, str | None, str | None], Cause]
"""A function from the status of an answer, the error code and the region of the bucket in it to the cause of the rejection."""

_MULTIPART: Final = 64 * 2**20
"""The largest size, in bytes, of an object that is sent by one request; larger ones are sent in parts."""

_PAGE: Final = 1000
_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
_REGION: Final = re.compile(r"<Region>([\w-]{1,64})</Region>")
_ADDRESS: Final = re.compile(r"\S+://\S+")
_REDIRECTED: Final = "Received redirect without LOCATION"
"""The substring of the error of obstore if the bucket is in another region."""

_EMPTY_PART: Final = "source: StartTooLarge {"
"""The substring of the error of obstore if a server answers a range that starts at the end of the object."""

_EXIT_DELAY: Final = 0.05
"""The time, in seconds, for threads of obstore to finish at exit. Before Python 3.14, a thread that calls Python during the exit
aborts the process."""


@frozen
class Obstore:
    """The driver of a bucket, based on a store of obstore.

    Attributes
    ----------
    store
        The store of obstore, which sends each request once.
    cause_of
        A function that returns the cause of a rejected request.
    no_bucket
        The error code of a bucket that does not exist.
    key_exists
        The error code of a conditional write whose key exists, if the status does not show it.
    etags_identify_bytes
        Whether objects with equal etags have equal bytes; otherwise the key is made part of the etag.
    """

    store: Any
    cause_of: CauseOf = lambda status, code, _: causes.with_status(None, status, code)
    no_bucket: str = "NoSuchBucket"
    key_exists: str | None = None
    etags_identify_bytes: bool = True

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return bytes of an object."""
        if length == 0:
            return None if await self._send(lambda: obstore.head_async(self.store, key)) is None else b""
        try:
            found = await self._send(lambda: self._read(key, offset, length, most))
        except RequestError as failure:
            if failure.status != _RANGE_NOT_SATISFIABLE:
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
        """Write an object atomically; a large one is sent in parts."""
        whole = len(data) <= _MULTIPART
        written = await self._send(
            lambda: obstore.put_async(self.store, key, data, use_multipart=not whole, chunk_size=_MULTIPART)
        )
        if written is None:
            raise self._rejected(404, self.no_bucket)

    async def create(self, key: str, data: bytes) -> Answer:
        """Write an object unless the key exists."""
        try:
            written = await self._send(lambda: obstore.put_async(self.store, key, data, mode="create"))
        except RequestError as failure:
            if failure.status in _CONDITION_FAILED:
                return "exists"
            raise
        if written is None:
            raise self._rejected(404, self.no_bucket)
        return "created"

    async def list(self, prefix: str, *, after: str, recursive: bool) -> AsyncIterator[Sequence[Listed]]:
        """Yield pages of the entries under a prefix."""
        if not recursive and not after:
            yield await self._directly_below(prefix)
            return
        last = ""
        stream = obstore.list(self.store, prefix or None, offset=after or None, chunk_size=_PAGE)
        while page := await self._send(lambda: _next(stream)):
            entries = [self._listed(entry) for entry in page if entry["path"] > after]
            if not recursive:
                entries = folded(entries, prefix, after=after, last=last)
                last = entries[-1].key if entries else last
            yield entries

    async def _directly_below(self, prefix: str) -> Sequence[Listed]:
        found: Any = await self._send(lambda: obstore.list_with_delimiter_async(self.store, prefix or None)) or {}
        prefixes = [Listed(key=f"{path}/") for path in found.get("common_prefixes", ())]
        return sorted([*prefixes, *map(self._listed, found.get("objects", ()))], key=lambda entry: entry.key)

    def _listed(self, entry: Mapping[str, Any]) -> Listed:
        key, etag = entry["path"], entry["e_tag"]
        if etag is not None and not self.etags_identify_bytes:
            etag = f"{key} {etag}"
        return Listed(key=key, size=entry["size"], modified=entry["last_modified"].timestamp(), etag=etag)

    async def copy(self, source: str, target: str) -> bool:
        """Copy an object."""
        return await self._send(lambda: _copied(self.store, source, target)) is not None

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; if one does not exist, the others may remain, so that each is deleted by itself."""
        if await self._send(lambda: _deleted(self.store, keys)) is None and len(keys) > 1:
            for key in keys:
                await self.delete([key])

    async def _send(self, request: Callable[[], Awaitable[T]]) -> T | None:
        """Return the answer to a request; None if the object does not exist.

        The failure is raised outside the handler, without a chained exception: that of the library quotes the request.
        """
        try:
            return await request()
        except FileNotFoundError as error:
            failure = self._failure(error) if self.no_bucket in str(error) else None
        except (BaseError, OSError, ValueError) as error:
            failure = self._failure(error)
        except BaseException as error:
            # The exception of a panic in Rust is not an `Exception`, and would end the event loop with all its tasks.
            if type(error).__name__ != "PanicException":
                raise
            failure = RequestError(cause=causes.of_error_text(str(error)))
        if failure is not None:
            raise failure
        return None

    def _failure(self, error: Exception) -> RequestError:
        text = str(error)
        status, code, region = _STATUS.search(text), _CODE.search(text), _REGION.search(text)
        if _EMPTY_PART in text:
            return self._rejected(_RANGE_NOT_SATISFIABLE)
        if code is not None and code[1] == self.key_exists:
            return self._rejected(412, code[1])
        if status is not None:
            return self._rejected(int(status[1]), code[1] if code else None, region[1] if region else None)
        if isinstance(error, AlreadyExistsError):
            return self._rejected(412)
        if _REDIRECTED in text:
            return self._rejected(301)
        failure = RequestError.of_error_text(_ADDRESS.sub("", text))  # a key may contain the words of a failure
        return failure if isinstance(error, BaseError | OSError) else evolve(failure, is_temporary=False)

    def _rejected(self, status: int, code: str | None = None, region: str | None = None) -> RequestError:
        return RequestError.of_status(status, self.cause_of(status, code, region))


_RANGE_NOT_SATISFIABLE: Final = 416
_CONDITION_FAILED: Final = frozenset({304, 412})


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
    """Check that obstore can open the files that it needs to start, and give its threads time to finish at exit."""
    ensure_spare_files("obstore")
    _delay_exit()


@cache
def _delay_exit() -> None:
    atexit.register(time.sleep, _EXIT_DELAY)
