"""The causes of failed requests, found by the status, error code or error text, each with a reason in words and the next step."""

import errno
import re
from collections.abc import Iterator
from typing import Final

from attrs import evolve, frozen


@frozen(kw_only=True)
class Cause:
    """The cause of a failed request.

    Attributes
    ----------
    reason
        What is wrong, for the message of the error.
    advice
        The next step.
    is_lasting
        Whether the cause rarely disappears within seconds, so that the request is repeated only a few times.
    """

    reason: str
    advice: str = "check the server and the connection, and run the operation again"
    is_lasting: bool = False


_ENDPOINT: Final = "check the endpoint"

_UNANSWERED: Final = (
    (
        r"dns error|DNSError|gaierror",
        Cause(reason="the endpoint's name cannot be resolved", advice=_ENDPOINT, is_lasting=True),
    ),
    (
        r"Refused",
        Cause(
            reason="the connection was refused: nothing listens at the endpoint",
            advice="check its host and port, or start the server",
            is_lasting=True,
        ),
    ),
    (r"Unreachable|UNREACH", Cause(reason="the endpoint cannot be reached", is_lasting=True)),
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
            advice="check the endpoint, or add its issuer to the trusted certificates of this machine",
            is_lasting=True,
        ),
    ),
    (
        r"SSL|InvalidMessage",
        Cause(
            reason="the endpoint does not speak TLS, as https:// does",
            advice="check its port, or use http://",
            is_lasting=True,
        ),
    ),
    (
        r"BadStatusLine|BadHttp|Parse\(",
        Cause(
            reason="the endpoint does not speak HTTP, as http:// does",
            advice="check its port, or use https://",
            is_lasting=True,
        ),
    ),
    (
        r"Reset|Aborted|BrokenPipe|Incomplete|Disconnected|ConnectionClosed",
        Cause(reason="the server dropped the connection"),
    ),
    (r"Timeout|TimedOut", Cause(reason="the request took too long")),
)
"""Patterns of error texts of requests without an answer, with their causes; the first pattern that matches is used."""


def with_status(known: Cause | None, status: int, code: str | None = None) -> Cause:
    """Return the cause of a rejected request, with the status and the error code in its reason.

    Parameters
    ----------
    known
        The cause without them; None if it is not known.
    status
        The status of the answer.
    code
        The error code of the server, if any.

    Examples
    --------
    >>> with_status(Cause(reason="access is denied"), 403).reason
    'access is denied (403)'
    >>> with_status(None, 500, "InternalError").reason
    'InternalError (500)'
    """
    cause = known or Cause(reason="")
    if cause.reason:
        return evolve(cause, reason=f"{cause.reason} ({f'{code}, {status}' if code else status})")
    return evolve(cause, reason=f"{code or 'the server answered'} ({status})")


def of_error_text(text: str) -> Cause:
    """Return the cause of a request without an answer, from the text of an exception or from the result of `error_names`."""
    found = (cause for pattern, cause in _UNANSWERED if re.search(pattern, text))
    return next(found, Cause(reason="there was no answer, or only a part of one"))


def error_names(error: BaseException) -> str:
    """Return the class names and errno names of an exception and of its causes, without their messages.

    Examples
    --------
    >>> import errno
    >>> error_names(ConnectionResetError(errno.ECONNRESET, "a text"))
    'ConnectionResetError ECONNRESET'
    """
    return " ".join(name for name in _names(error) if name)


def _names(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield type(error).__name__
        if isinstance(error, OSError) and error.errno is not None:
            yield errno.errorcode.get(error.errno, "")
        error = error.__cause__ or error.__context__
