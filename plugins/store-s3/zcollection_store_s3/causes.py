"""The error codes of Amazon S3 and compatible servers, each with a reason in words and the next step."""

import re
from typing import Final

from zcollection_store_object.causes import Cause, with_status

_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")

_KEYS: Final = "check key and secret in storage_options, or those in the environment or the profile"
_NEW: Final = "obtain new credentials, and pass key, secret and token, or set them in the environment"
_ADDRESS: Final = "check the region and the endpoint"
_BUCKET: Final = "check its name and the endpoint: buckets are not created automatically"

NO_CREDENTIALS: Final = Cause(
    reason="there are no credentials", advice="pass key and secret in storage_options, or anon=True for a public bucket"
)
"""The cause if no credentials were passed or found."""

_DENIED: Final = Cause(reason="access is denied", advice="check the credentials and their permissions")
_EXPIRED: Final = Cause(reason="the token has expired", advice=_NEW)
_ELSEWHERE: Final = Cause(reason="the bucket seems to be in another region", advice=_ADDRESS)

_CODES: Final = {
    "AccessDenied": _DENIED,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "InvalidToken": Cause(reason="the token is not accepted", advice=_NEW),
    "InvalidAccessKeyId": Cause(reason="the access key is unknown", advice=_KEYS),
    "SignatureDoesNotMatch": Cause(reason="the secret does not belong to the access key", advice=_KEYS),
    "RequestTimeTooSkewed": Cause(reason="the clock of this machine is wrong", advice="correct it"),
    "NoSuchBucket": Cause(reason="there is no such bucket", advice=_BUCKET),
    "PermanentRedirect": _ELSEWHERE,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "IllegalLocationConstraintException": _ELSEWHERE,
}

_STATUSES: Final = {
    301: _ELSEWHERE,
    400: Cause(reason="", advice="check the region, the endpoint and the credentials"),
    401: _DENIED,
    403: _DENIED,
    404: Cause(reason="", advice="check the bucket and the endpoint"),
}
"""The causes of answers without a known code, by status."""


def of_answer(status: int, code: str | None, region: str | None = None) -> Cause:
    """Return the cause of a rejected request, by its status and error code.

    Parameters
    ----------
    status
        The status of the answer.
    code
        The error code, such as "NoSuchBucket"; None if there is none.
    region
        The region of the bucket, if the answer contains it.

    Examples
    --------
    >>> of_answer(301, "PermanentRedirect", "eu-west-1").advice
    "pass region='eu-west-1' in storage_options"
    """
    cause = _CODES.get(code or "") or _STATUSES.get(status)
    if cause is _ELSEWHERE and region is not None and _REGION.fullmatch(region):
        cause = Cause(reason="the bucket is in another region", advice=f"pass region={region!r} in storage_options")
    return with_status(cause, status, code)
