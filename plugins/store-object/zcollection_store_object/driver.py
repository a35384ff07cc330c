"""The interface to a library that sends requests to object storage: single requests, each sent once."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, Literal, Protocol

from attrs import frozen

from zcollection.plugin import Listed
from zcollection_store_object import causes
from zcollection_store_object.causes import Cause

Answer = Literal["created", "exists", "unknown"]

DELETED_PER_REQUEST: Final = 1000
"""The largest number of objects that one request deletes."""

_TEMPORARY: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed a moment later."""


@frozen(kw_only=True)
class RequestError(Exception):
    """A failed request. It contains no text of a server or a library, because that may repeat a credential.

    Attributes
    ----------
    cause
        The cause of the failure.
    status
        The status of the answer; None without an answer.
    is_temporary
        Whether the request may succeed if it is repeated.
    """

    cause: Cause
    status: int | None = None
    is_temporary: bool = False

    @classmethod
    def of_status(cls, status: int, cause: Cause | None = None) -> "RequestError":
        """Return the failure of a request that was answered with this status, with its cause if that is known."""
        return cls(cause=cause or causes.with_status(None, status), status=status, is_temporary=status in _TEMPORARY)

    @classmethod
    def of_connection(cls, reason: str) -> "RequestError":
        """Return the failure of a request without an answer, or without a complete one."""
        return cls(cause=Cause(reason=reason), is_temporary=True)

    @classmethod
    def of_error_text(cls, text: str) -> "RequestError":
        """Return the failure of a request without an answer, with the cause that `causes.of_error_text` finds."""
        return cls(cause=causes.of_error_text(text), is_temporary=True)


class Driver(Protocol):
    """The requests to one bucket; keys include the prefix in the bucket. A failed request raises `RequestError`."""

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return up to `length` bytes of an object, from an offset on; None if the object does not exist.

        At most `most` bytes are read of an answer whose header announces more.
        """

    async def put(self, key: str, data: bytes) -> None:
        """Write an object."""

    async def create(self, key: str, data: bytes) -> Answer:
        """Send one request to write an object unless the key exists; "unknown" if the result cannot be determined."""

    def list(self, prefix: str, *, after: str, recursive: bool) -> AsyncIterator[Sequence[Listed]]:
        """Yield pages of the entries under a prefix, sorted by key."""

    async def copy(self, source: str, target: str) -> bool:
        """Copy an object within the bucket, and return whether it exists."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete up to `DELETED_PER_REQUEST` objects by one request."""
