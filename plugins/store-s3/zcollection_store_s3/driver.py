"""What the store asks of a library that speaks with object storage: single requests, each of them once."""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Final, Literal, Protocol

from attrs import frozen

from zcollection.plugin import Listed

Answer = Literal["created", "exists", "unknown"]

_AGAIN: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed a moment later."""

_UNANSWERED: Final = (
    (r"dns error|DNSError|gaierror", "the endpoint's name cannot be resolved"),
    (r"Refused", "the connection was refused, for nothing listens at the endpoint"),
    (r"Unreachable|UNREACH", "the endpoint cannot be reached"),
    (r"EMFILE|ENFILE|code: 2[34],", "this process has too many open files; raise the limit (ulimit -n)"),
    (r"[Cc]ertificate|CertVerif", "the endpoint's certificate is not accepted"),
    (r"SSL|InvalidMessage", "the endpoint does not speak TLS, as https:// does"),
    (r"BadStatusLine|BadHttp|Parse\(", "the endpoint does not speak HTTP, as http:// does"),
    (r"Reset|Aborted|BrokenPipe|Incomplete|Disconnected|ConnectionClosed", "the server dropped the connection"),
    (r"Timeout|TimedOut", "the request took too long"),
)
"""What the libraries call the ways in which no answer comes, and each in words; the first one holds."""


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

    @classmethod
    def of_names(cls, names: str) -> "RequestError":
        """Return this failure with the reason that the text of the error of a library names, where it names one."""
        found = (words for pattern, words in _UNANSWERED if re.search(pattern, names))
        return cls.of_connection(next(found, "no answer, or not all of it"))


class Driver(Protocol):
    """One bucket; keys are those of the bucket. What fails raises `RequestError`."""

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return bytes of an object from an offset on, as many as there are up to `length`; None where it is not there.

        Of an answer with more than `most` bytes no more are read: its header says how many it has.
        """

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
