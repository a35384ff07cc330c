"""What the store asks of a library that speaks with object storage: single requests, each of them once."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, Literal, Protocol

from attrs import frozen

from zcollection.plugin import Listed

Answer = Literal["created", "exists", "unknown"]

_AGAIN: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed a moment later."""


@frozen(kw_only=True)
class RequestError(Exception):
    """A request that failed; holds nothing that a server or a library said, for they may repeat a credential.

    Attributes
    ----------
    reason
        What went wrong, in words of ours.
    status
        Of the answer; None where there was none.
    again
        Whether it may succeed if it is sent again.
    """

    reason: str
    status: int | None = None
    again: bool = False

    @classmethod
    def of_status(cls, status: int, code: str | None = None) -> "RequestError":
        """Return the failure that an answer tells.

        Parameters
        ----------
        status
            Of the answer.
        code
            What the server calls it, such as "NoSuchBucket".
        """
        return cls(reason=f"{code or 'the server answered'} ({status})", status=status, again=status in _AGAIN)

    @classmethod
    def of_connection(cls, what: str) -> "RequestError":
        """Return the failure of a request that was not answered, or not in full."""
        return cls(reason=what, again=True)


class Driver(Protocol):
    """One bucket; keys are those of the bucket. What fails raises `RequestError`."""

    async def get(self, key: str, offset: int, length: int | None) -> bytes | None:
        """Return bytes of an object from an offset on, as many as there are up to `length`; None where it is not there."""

    async def put(self, key: str, data: bytes) -> None:
        """Write an object."""

    async def create(self, key: str, data: bytes) -> Answer:
        """Ask once to write an object unless the key exists; whatever the answer does not say is "unknown"."""

    def list(self, prefix: str, *, after: str, recursive: bool) -> AsyncIterator[Sequence[Listed]]:
        """Yield pages of what lies under a prefix, sorted by key."""

    async def copy(self, source: str, target: str) -> bool:
        """Copy an object inside the bucket, and return whether there is one."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete up to `DELETED_AT_ONCE` objects by one request."""


DELETED_AT_ONCE: Final = 1000
