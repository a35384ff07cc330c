"""The options of the store, under the names that the ecosystem gives them."""

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen, validators
from zcollection_store_object import client, options
from zcollection_store_object.client import refused
from zcollection_store_object.options import understood

from zcollection.plugin import StoreURL

DRIVERS: Final = ("obstore", "fsspec")

_ALIASES: Final = {
    "region_name": "region",
    "aws_region": "region",
    "endpoint_url": "endpoint",
    "aws_endpoint": "endpoint",
    "aws_endpoint_url": "endpoint",
    "skip_signature": "anon",
    "aws_skip_signature": "anon",
    "access_key_id": "key",
    "aws_access_key_id": "key",
    "secret_access_key": "secret",
    "aws_secret_access_key": "secret",
    "session_token": "token",
    "aws_session_token": "token",
    "profile_name": "profile",
    "aws_virtual_hosted_style_request": "virtual_hosted_style_request",
    "requester_pays": "request_payer",
}
"""Names of s3fs, obstore and boto, and the option that each of them is."""

_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*")


@frozen(kw_only=True)
class Options:
    """What the caller passed in ``storage_options``; what is None comes from the environment.

    Attributes
    ----------
    driver
        "obstore", or "fsspec" for s3fs.
    region, endpoint
        Where the bucket is; an endpoint of ``http://`` needs no further permission.
    anon
        Whether requests are sent unsigned.
    key, secret, token
        Credentials; no repr shows them.
    profile
        Section of the files of shared credentials and configuration to take them from.
    client_options
        Of the HTTP client, see `zcollection_store_object.client.CLIENT_OPTIONS`; a proxy's URL may hold a password, so that no repr shows them.
    virtual_hosted_style_request
        Whether the bucket is part of the host's name.
    request_payer
        Whether the requester pays.
    max_retries
        How often a request is sent again that failed for a moment.
    single_writer
        The caller's word that nobody else writes: a server that does not honour conditions is accepted.
    """

    driver: str = field(default="obstore", validator=validators.in_(DRIVERS))
    region: str | None = options.text()
    endpoint: str | None = options.endpoint()
    anon: bool | None = options.flag(default=None)
    key: str | None = options.text(show=False)
    secret: str | None = options.text(show=False)
    token: str | None = options.text(show=False)
    profile: str | None = options.text(_NAME)
    client_options: Mapping[str, Any] = options.client_options()
    virtual_hosted_style_request: bool | None = options.flag(default=None)
    request_payer: bool | None = options.flag(default=None)
    max_retries: int = options.max_retries()
    single_writer: bool = options.flag(default=False)

    @classmethod
    def of(cls, url: StoreURL, given: Mapping[str, Any]) -> "Options":
        """Return the options among what a caller passed.

        Parameters
        ----------
        url
            Of the store, for messages.
        given
            Options by any of their names.

        Raises
        ------
        PluginConfigurationError
            A name or a value is not accepted, or one option is given twice.
        """
        found = understood(cls, url, given, aliases=_ALIASES, expected=_EXPECTED)
        if (found.key is None) != (found.secret is None):
            raise refused(url, "one of 'key' and 'secret'; give both, or none")
        return found

    @property
    def has_credentials(self) -> bool:
        """Whether the caller passed a key."""
        return self.key is not None

    def seconds(self, name: str) -> float | None:
        """Return a duration among the client's options."""
        value = self.client_options.get(name)
        return None if value is None else client.seconds(value)


_EXPECTED: Final = {
    "profile": "accepted: the name of a section, without control characters",
    "driver": f"accepted: {', '.join(map(repr, DRIVERS))}",
    **dict.fromkeys(("virtual_hosted_style_request", "request_payer"), "accepted: True, False"),
}
