"""What goes wrong with object storage: how servers and libraries call it, and each in words, with the next step."""

import errno
import re
from collections.abc import Iterator
from typing import Final

from attrs import evolve, frozen


@frozen(kw_only=True)
class Cause:
    """Why a request fails.

    Attributes
    ----------
    reason
        What is wrong.
    advice
        The next step.
    lasting
        Whether it is hardly over in a moment: the request is sent again a few times only.
    """

    reason: str
    advice: str = "see to the server and the connection, and run the operation again"
    lasting: bool = False


_ENDPOINT: Final = "check the endpoint"

_UNANSWERED: Final = (
    (
        r"dns error|DNSError|gaierror",
        Cause(reason="the endpoint's name cannot be resolved", advice=_ENDPOINT, lasting=True),
    ),
    (
        r"Refused",
        Cause(
            reason="the connection was refused, for nothing listens at the endpoint",
            advice="check its host and port, or start the server",
            lasting=True,
        ),
    ),
    (r"Unreachable|UNREACH", Cause(reason="the endpoint cannot be reached", lasting=True)),
    (
        r"EMFILE|ENFILE|code: 2[34],",
        Cause(
            reason="this process has too many open files",
            advice="raise the limit (ulimit -n), and run the operation again",
        ),
    ),
    (
        r"[Cc]ertificate|CertVerif",
        Cause(
            reason="the endpoint's certificate is not accepted",
            advice="check the endpoint, or have this machine trust who issued it",
            lasting=True,
        ),
    ),
    (
        r"SSL|InvalidMessage",
        Cause(
            reason="the endpoint does not speak TLS, as https:// does",
            advice="check its port, or use http://",
            lasting=True,
        ),
    ),
    (
        r"BadStatusLine|BadHttp|Parse\(",
        Cause(
            reason="the endpoint does not speak HTTP, as http:// does",
            advice="check its port, or use https://",
            lasting=True,
        ),
    ),
    (
        r"Reset|Aborted|BrokenPipe|Incomplete|Disconnected|ConnectionClosed",
        Cause(reason="the server dropped the connection"),
    ),
    (r"Timeout|TimedOut", Cause(reason="the request took too long")),
)
"""What the libraries call the ways in which no answer comes; the first one holds."""


def told(known: Cause | None, status: int, code: str | None = None) -> Cause:
    """Return the cause of a refusal with what the server calls it.

    Parameters
    ----------
    known
        What the refusal means; None where that is not known.
    status
        Of the answer.
    code
        What the server calls it.

    Examples
    --------
    >>> told(Cause(reason="access is denied"), 403).reason
    'access is denied (403)'
    >>> told(None, 500, "InternalError").reason
    'InternalError (500)'
    """
    cause = known or Cause(reason="")
    if cause.reason:
        return evolve(cause, reason=f"{cause.reason} ({f'{code}, {status}' if code else status})")
    return evolve(cause, reason=f"{code or 'the server answered'} ({status})")


def of_names(names: str) -> Cause:
    """Return why a request was not answered, from the text of a library's error, or the names of it and its causes."""
    found = (cause for pattern, cause in _UNANSWERED if re.search(pattern, names))
    return next(found, Cause(reason="no answer, or not all of it"))


def names_of(error: BaseException) -> str:
    """Return the names of an error and of those that it came from, and what the system calls them; nothing that they say.

    Examples
    --------
    >>> import errno
    >>> names_of(ConnectionResetError(errno.ECONNRESET, "a text"))
    'ConnectionResetError ECONNRESET'
    """
    return " ".join(name for name in _names(error) if name)


def _names(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield type(error).__name__
        if isinstance(error, OSError) and error.errno is not None:
            yield errno.errorcode.get(error.errno, "")
        error = error.__cause__ or error.__context__
