"""What goes wrong with object storage: how servers and libraries call it, and each in words, with the next step."""

import re
from typing import Final

from attrs import evolve, frozen

_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")


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


_KEYS: Final = "check key and secret in storage_options, or what the environment or the profile holds"
_NEW: Final = "obtain new credentials, and pass key, secret and token, or set them in the environment"
_ENDPOINT: Final = "check the endpoint"
_ADDRESS: Final = "check the region and the endpoint"
_BUCKET: Final = "check its name and the endpoint: a bucket is not created"

NO_CREDENTIALS: Final = Cause(
    reason="there are no credentials", advice="pass key and secret in storage_options, or anon=True for a public bucket"
)
"""Where none were passed or found."""

_DENIED: Final = Cause(reason="access is denied", advice="check the credentials, and what they permit")
_EXPIRED: Final = Cause(reason="the token has expired", advice=_NEW)
_ELSEWHERE: Final = Cause(reason="the bucket seems to lie in another region", advice=_ADDRESS)

_CODES: Final = {
    "AccessDenied": _DENIED,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "InvalidToken": Cause(reason="the token is not accepted", advice=_NEW),
    "InvalidAccessKeyId": Cause(reason="the access key is not known", advice=_KEYS),
    "SignatureDoesNotMatch": Cause(reason="the secret does not belong to the access key", advice=_KEYS),
    "RequestTimeTooSkewed": Cause(reason="the clock of this machine is wrong", advice="set it"),
    "NoSuchBucket": Cause(reason="there is no such bucket", advice=_BUCKET),
    "PermanentRedirect": _ELSEWHERE,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "IllegalLocationConstraintException": _ELSEWHERE,
}
"""What servers call it."""

_STATUSES: Final = {
    301: _ELSEWHERE,
    400: Cause(reason="", advice="check the region, the endpoint and the credentials"),
    401: _DENIED,
    403: _DENIED,
    404: Cause(reason="", advice="check the bucket and the endpoint"),
}
"""What an answer tells that has no code, or another one."""

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


def of_answer(status: int, code: str | None, region: str | None = None) -> Cause:
    """Return why a server refuses a request.

    Parameters
    ----------
    status
        Of the answer.
    code
        What the server calls it, such as "NoSuchBucket".
    region
        Where the server says that the bucket lies.

    Examples
    --------
    >>> of_answer(301, "PermanentRedirect", "eu-west-1").advice
    "pass region='eu-west-1' in storage_options"
    """
    cause = _CODES.get(code or "") or _STATUSES.get(status, Cause(reason=""))
    if cause is _ELSEWHERE and region is not None and _REGION.fullmatch(region):
        cause = Cause(reason="the bucket lies in another region", advice=f"pass region={region!r} in storage_options")
    known, said = (cause.reason, f"{code}, {status}" if code else status) if cause.reason else (code, status)
    return evolve(cause, reason=f"{known or 'the server answered'} ({said})")


def of_names(names: str) -> Cause:
    """Return why a request was not answered, from the text of a library's error, or the names of it and its causes."""
    found = (cause for pattern, cause in _UNANSWERED if re.search(pattern, names))
    return next(found, Cause(reason="no answer, or not all of it"))
