"""What servers that speak S3's protocol refuse: how they call it, and each in words, with the next step."""

import re
from typing import Final

from zcollection_store_object.causes import Cause, told

_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")


_KEYS: Final = "check key and secret in storage_options, or what the environment or the profile holds"
_NEW: Final = "obtain new credentials, and pass key, secret and token, or set them in the environment"
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
    cause = _CODES.get(code or "") or _STATUSES.get(status)
    if cause is _ELSEWHERE and region is not None and _REGION.fullmatch(region):
        cause = Cause(reason="the bucket lies in another region", advice=f"pass region={region!r} in storage_options")
    return told(cause, status, code)
