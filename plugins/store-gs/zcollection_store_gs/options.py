"""The options of the store, with the aliases that other libraries use."""

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen
from zcollection_store_object import options
from zcollection_store_object.client import options_error
from zcollection_store_object.options import parse

from zcollection.plugin import StoreURL

_ALIASES: Final = {
    "google_service_account": "service_account",
    "google_service_account_path": "service_account",
    "service_account_path": "service_account",
    "google_service_account_key": "service_account_key",
    "bearer_token": "token",
    "google_bearer_token": "token",
    "skip_signature": "anon",
    "google_skip_signature": "anon",
    "endpoint_url": "endpoint",
    "google_base_url": "endpoint",
    "requester_pays": "user_project",
}
"""The names in gcsfs and obstore, and the corresponding options."""

_PATH: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_JSON: Final = re.compile(r"\s*\{.*\}\s*", re.DOTALL)
_TOKEN: Final = re.compile(r"(?!.*\.json$)(?!google_default$|cloud$|cache$|browser$|anon$)[A-Za-z0-9._~+/-]+=*")
_PROJECT: Final = re.compile(r"[a-z0-9][a-z0-9.:-]*")
_WAYS: Final = ("service_account", "service_account_key", "token", "anon")


@frozen(kw_only=True)
class Options:
    """The options in ``storage_options``; None means that the environment decides.

    Attributes
    ----------
    service_account
        The path of the JSON key file of a service account.
    service_account_key
        The text of such a file; excluded from the repr.
    token
        An access token, which is not renewed; excluded from the repr.
    anon
        Whether requests are sent without credentials.
    user_project
        The project to bill for "requester pays" buckets.
    endpoint
        The URL of the server, if it is not ``https://storage.googleapis.com``.
    client_options
        Options of the HTTP client, see `zcollection_store_object.client.CLIENT_OPTIONS`.
    max_retries
        The largest number of retries after a temporary failure.
    single_writer
        The caller's guarantee that there is no other writer: servers without conditional writes are accepted.
    """

    service_account: str | None = options.text(_PATH)
    service_account_key: str | None = options.text(_JSON, show=False)
    token: str | None = options.text(_TOKEN, show=False)
    anon: bool | None = options.flag(default=None)
    user_project: str | None = options.text(_PROJECT)
    endpoint: str | None = options.endpoint()
    client_options: Mapping[str, Any] = options.client_options()
    max_retries: int = options.max_retries()
    single_writer: bool = options.flag(default=False)

    @classmethod
    def of(cls, url: StoreURL, given: Mapping[str, Any]) -> "Options":
        """Return the options that the caller passed, under any of their names.

        Raises
        ------
        PluginConfigurationError
            A name or a value is not accepted, one option is given twice, or there are several kinds of credentials.
        """
        found = parse(cls, url, given, aliases=_ALIASES, expected=_EXPECTED)
        ways = [name for name in _WAYS if getattr(found, name)]
        if len(ways) > 1:
            raise options_error(url, f"{' and '.join(map(repr, ways))}; give one kind of credentials, or none")
        return found


_EXPECTED: Final = {
    "service_account": "accepted: the path of a file, as text",
    "service_account_key": "accepted: the text of the key of a service account, which is JSON",
    "token": "accepted: an access token; give a file as service_account, and no credentials at all as anon=True; "
    "the credentials of 'gcloud auth application-default login' need no option",
    "user_project": "accepted: the name of the project that is billed",
}
