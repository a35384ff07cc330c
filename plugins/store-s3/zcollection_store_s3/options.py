"""The options of the store, with the aliases that other libraries use."""

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen, validators
from zcollection_store_object import client, options
from zcollection_store_object.client import options_error
from zcollection_store_object.options import parse

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
"""The names in s3fs, obstore and boto, and the corresponding options."""

_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*")


@frozen(kw_only=True)
class Options:
    """The options in ``storage_options``; None means that the environment decides.

    Attributes
    ----------
    driver
        "obstore", or "fsspec" for s3fs.
    region, endpoint
        The region of the bucket, and the URL of the server; ``http://`` needs no further permission.
    anon
        Whether requests are sent unsigned.
    key, secret, token
        Credentials; excluded from the repr.
    profile
        The section of the AWS configuration files that contains the credentials.
    client_options
        Options of the HTTP client, see `zcollection_store_object.client.CLIENT_OPTIONS`; excluded from the repr because the URL of a
        proxy may contain a password.
    virtual_hosted_style_request
        Whether the bucket is part of the host's name.
    request_payer
        Whether the requester pays.
    max_retries
        The largest number of retries after a temporary failure.
    single_writer
        The caller's guarantee that there is no other writer: servers without conditional writes are accepted.
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
        """Return the options that the caller passed.

        Parameters
        ----------
        url
            The URL of the store, for messages.
        given
            The options, by name or alias.

        Raises
        ------
        PluginConfigurationError
            A name or a value is not accepted, or one option is given twice.
        """
        found = parse(cls, url, given, aliases=_ALIASES, expected=_EXPECTED)
        if (found.key is None) != (found.secret is None):
            raise options_error(url, "one of 'key' and 'secret'; give both, or none")
        return found

    @property
    def has_credentials(self) -> bool:
        """Whether the options contain credentials."""
        return self.key is not None

    def seconds(self, name: str) -> float | None:
        """Return a duration in the options of the HTTP client, in seconds; None if it is not given."""
        value = self.client_options.get(name)
        return None if value is None else client.seconds(value)


_EXPECTED: Final = {
    "profile": "accepted: the name of a section, without control characters",
    "driver": f"accepted: {', '.join(map(repr, DRIVERS))}",
    **dict.fromkeys(("virtual_hosted_style_request", "request_payer"), "accepted: True, False"),
}
