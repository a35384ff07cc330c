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
    "account_name": "account",
    "azure_storage_account_name": "account",
    "account_key": "key",
    "access_key": "key",
    "azure_storage_account_key": "key",
    "sas_token": "sas",
    "sas_key": "sas",
    "azure_storage_sas_key": "sas",
    "bearer_token": "token",
    "azure_storage_token": "token",
    "azure_client_id": "client_id",
    "azure_client_secret": "client_secret",
    "azure_tenant_id": "tenant_id",
    "skip_signature": "anon",
    "account_host": "endpoint",
    "azure_storage_endpoint": "endpoint",
}
"""The names in adlfs and obstore, and the corresponding options."""

_ACCOUNT: Final = re.compile(r"[a-z0-9]{3,24}")
_KEY: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_PRINCIPAL: Final = ("client_id", "client_secret", "tenant_id")
_WAYS: Final = ("key", "sas", "token", "client_secret", "anon")


@frozen(kw_only=True)
class Options:
    """The options in ``storage_options``; None means that the environment decides.

    Attributes
    ----------
    account
        The name of the storage account.
    key, sas, token
        A key of the account, a shared access signature, or a bearer token; excluded from the repr.
    client_id, client_secret, tenant_id
        A service principal; excluded from the repr.
    anon
        Whether requests are sent unsigned.
    endpoint
        The URL of the server, if it is not ``https://ACCOUNT.blob.core.windows.net``.
    client_options
        Options of the HTTP client, see `zcollection_store_object.client.CLIENT_OPTIONS`.
    max_retries
        The largest number of retries after a temporary failure.
    single_writer
        The caller's guarantee that there is no other writer: servers without conditional writes are accepted.
    """

    account: str | None = options.text(_ACCOUNT)
    key: str | None = options.text(_KEY, show=False)
    sas: str | None = options.text(show=False)
    token: str | None = options.text(show=False)
    client_id: str | None = options.text(show=False)
    client_secret: str | None = options.text(show=False)
    tenant_id: str | None = options.text(show=False)
    anon: bool | None = options.flag(default=None)
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
            A name or a value is not accepted, one option is given twice, or there are several ways to sign a request.
        """
        found = parse(cls, url, given, aliases=_ALIASES, expected=_EXPECTED)
        if len({getattr(found, name) is None for name in _PRINCIPAL}) > 1:
            raise options_error(url, f"some of {', '.join(map(repr, _PRINCIPAL))}; give all of them, or none")
        ways = [name for name in _WAYS if getattr(found, name)]
        if len(ways) > 1:
            raise options_error(url, f"{' and '.join(map(repr, ways))}; give one way to sign requests, or none")
        return found


_EXPECTED: Final = {
    "account": "accepted: 3 to 24 lower-case letters and digits",
    "key": "accepted: a key of the account, in base64",
}
