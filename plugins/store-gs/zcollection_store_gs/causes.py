"""What Google Cloud Storage refuses: how it calls it, and each in words, with the next step."""

from typing import Final

from zcollection_store_object.causes import Cause, told

_KEY: Final = "check service_account, service_account_key or token in storage_options, or what the environment holds"
_DENIED: Final = Cause(
    reason="access is denied",
    advice="check the credentials, and that they permit to get, list, create and delete objects of this bucket",
)
_WRONG: Final = Cause(reason="the credentials are not accepted", advice=_KEY)
_BUSY: Final = Cause(reason="the server asks for fewer requests", advice="lower the configured concurrency, or wait")

NO_BUCKET: Final = "noSuchBucket"
"""What we call a bucket that does not exist: the service says "notFound", as of an object."""

NO_CREDENTIALS: Final = Cause(
    reason="there are no credentials that can be used",
    advice="pass service_account, service_account_key or token in storage_options, anon=True for a public bucket, "
    "or run 'gcloud auth application-default login'",
)
"""Where none were passed or found."""

UNREADABLE: Final = Cause(
    reason="the key of the service account is missing, or cannot be understood",
    advice="accepted: in service_account the path of its file, in service_account_key the text of it, as Google issues it",
)
"""Where what was passed is no such document."""

NOT_ISSUED: Final = Cause(reason="no token is issued for the credentials", advice=_KEY)
"""Where Google refuses to issue one: the key was revoked, or the sign-in has ended."""

_CODES: Final = {
    NO_BUCKET: Cause(reason="there is no such bucket", advice="check its name: a bucket is not created"),
    "authError": _WRONG,
    "userProjectMissing": Cause(
        reason="the requester pays for this bucket", advice="pass user_project in storage_options: who is billed"
    ),
    "rateLimitExceeded": _BUSY,
    "userRateLimitExceeded": _BUSY,
}
_STATUSES: Final = {400: Cause(reason="", advice=_KEY), 401: _WRONG, 403: _DENIED}


def of_answer(status: int, code: str | None) -> Cause:
    """Return why a server refuses a request, by its status and the reason that it names.

    Examples
    --------
    >>> of_answer(404, NO_BUCKET).reason
    'there is no such bucket (noSuchBucket, 404)'
    >>> of_answer(403, "forbidden").reason
    'access is denied (forbidden, 403)'
    """
    return told(_CODES.get(code or "") or _STATUSES.get(status), status, code)
