"""The errors of Google Cloud Storage, each with a reason in words and the next step."""

from typing import Final

from zcollection_store_object.causes import Cause, with_status

_KEY: Final = "check service_account, service_account_key or token in storage_options, or the environment variables"
_DENIED: Final = Cause(
    reason="access is denied",
    advice="check that the credentials have permission to get, list, create and delete objects of this bucket",
)
_WRONG: Final = Cause(reason="the credentials are not accepted", advice=_KEY)
_BUSY: Final = Cause(reason="the server asks for fewer requests", advice="lower the configured concurrency, or wait")

NO_BUCKET: Final = "noSuchBucket"
"""The code of a bucket that does not exist; the service uses "notFound" for both buckets and objects."""

NO_CREDENTIALS: Final = Cause(
    reason="there are no usable credentials",
    advice="pass service_account, service_account_key or token in storage_options, anon=True for a public bucket, "
    "or run 'gcloud auth application-default login'",
)
"""The cause if no credentials were passed or found."""

UNREADABLE: Final = Cause(
    reason="the key of the service account is missing or invalid",
    advice="accepted: in service_account the path of the key file, in service_account_key its JSON text",
)
"""The cause if the key is not a valid document."""

NOT_ISSUED: Final = Cause(reason="Google issues no token for the credentials", advice=_KEY)
"""The cause if Google issues no token: the key was revoked, or the sign-in has expired."""

_CODES: Final = {
    NO_BUCKET: Cause(reason="there is no such bucket", advice="check its name: buckets are not created automatically"),
    "authError": _WRONG,
    "userProjectMissing": Cause(
        reason="the requester pays for this bucket", advice="pass user_project, the project to bill, in storage_options"
    ),
    "rateLimitExceeded": _BUSY,
    "userRateLimitExceeded": _BUSY,
}
_STATUSES: Final = {400: Cause(reason="", advice=_KEY), 401: _WRONG, 403: _DENIED}


def of_answer(status: int, code: str | None) -> Cause:
    """Return the cause of a rejected request, by its status and error code.

    Examples
    --------
    >>> of_answer(404, NO_BUCKET).reason
    'there is no such bucket (noSuchBucket, 404)'
    >>> of_answer(403, "forbidden").reason
    'access is denied (forbidden, 403)'
    """
    return with_status(_CODES.get(code or "") or _STATUSES.get(status), status, code)
