"""What the store asks of a library that speaks with object storage: single requests, each of them once."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, Literal, Protocol

from attrs import frozen

from zcollection.plugin import Listed
from zcollection_store_object import causes
from zcollection_store_object.causes import Cause

Answer = Literal["created", "exists", "unknown"]

_AGAIN: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed a moment later."""


@frozen(kw_only=True)
class RequestError(Exception):
    """A request that failed; holds nothing that a server or a library said, for they may repeat a credential.

    Attributes
    ----------
    cause
        What went wrong, in words of ours, and the next step.
    status
        Of the answer; None where there was none.
    again
        Whether it may succeed if it is sent again.
    """

    cause: Cause
    status: int | None = None
    again: bool = False

    @classmethod
    def of_status(cls, status: int, cause: Cause | None = None) -> "RequestError":
        """Return the failure that an answer with this status tells, and what it means where that is known."""
        return cls(cause=cause or causes.told(None, status), status=status, again=status in _AGAIN)

    @classmethod
    def of_connection(cls, what: str) -> "RequestError":
        """Return the failure of a request that was not answered, or not in full."""
        return cls(cause=Cause(reason=what), again=True)

    @classmethod
    def of_names(cls, names: str) -> "RequestError":
        """Return this failure with the cause that the text of the error of a library names, where it names one."""
        return cls(cause=causes.of_names(names), again=True)


class Driver(Protocol):
    """One bucket; keys are those of the bucket. What fails raises `RequestError`."""

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return bytes of an object from an offset on, as many as there are up to `length`; None where it is not there.

        Of an answer with more than `most` bytes no more are read: its header says how many it has.
        """

    async def put(self, key: str, data: bytes) -> None:
        """Write an object."""

    async def create(self, key: str, data: bytes) -> Answer:
        """Ask once to write an object unless the key exists; "unknown" where nobody can tell whose the object is."""

    def list(self, prefix: str, *, after: str, recursive: bool) -> AsyncIterator[Sequence[Listed]]:
        """Yield pages of what lies under a prefix, sorted by key."""

    async def copy(self, source: str, target: str) -> bool:
        """Copy an object inside the bucket, and return whether there is one."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete up to `DELETED_AT_ONCE` objects by one request."""


DELETED_AT_ONCE: Final = 1000
