"""The error codes of Azure Blob Storage, each with a reason in words and the next step."""

from typing import Final

from zcollection_store_object.causes import Cause, with_status

_KEY: Final = "check account and key, sas or token in storage_options, or the environment variables"
_DENIED: Final = Cause(reason="access is denied", advice="check the credentials and their permissions")
_WRONG: Final = Cause(reason="the credentials are not accepted", advice=_KEY)

_CODES: Final = {
    "AuthenticationFailed": _WRONG,
    "InvalidAuthenticationInfo": _WRONG,
    "NoAuthenticationInformation": Cause(reason="there are no credentials", advice=_KEY),
    "AuthorizationFailure": _DENIED,
    "AuthorizationPermissionMismatch": _DENIED,
    "PublicAccessNotPermitted": Cause(reason="the account has no public containers", advice=_KEY),
    "AccountIsDisabled": Cause(reason="the account is disabled", advice="check account"),
    "ContainerNotFound": Cause(
        reason="there is no such container",
        advice="check its name and the account: containers are not created automatically",
    ),
}
_STATUSES: Final = {400: Cause(reason="", advice=_KEY), 401: _WRONG, 403: _DENIED}


def of_answer(status: int, code: str | None, region: str | None) -> Cause:
    """Return the cause of a rejected request, by its status and error code.

    Examples
    --------
    >>> of_answer(404, "ContainerNotFound", None).reason
    'there is no such container (ContainerNotFound, 404)'
    """
    del region  # Azure does not report regions
    return with_status(_CODES.get(code or "") or _STATUSES.get(status), status, code)
