"""The options of the store, under the names that the ecosystem gives them."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import field, fields, frozen, validators
from zcollection_store_object import client
from zcollection_store_object.client import HEADER, check_client, refused

from zcollection.plugin import StoreURL, accepted

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

_ENDPOINT: Final = re.compile(r"https?://[!-~]+")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*")


def _text(pattern: re.Pattern[str] = HEADER, *, show: Any = True) -> Any:
    return field(default=None, validator=validators.optional(validators.matches_re(pattern)), repr=show)


def _flag(*, default: bool | None) -> Any:
    return field(default=default, validator=validators.optional(validators.instance_of(bool)))


def _without_credentials(url: str | None) -> str:
    """Return the repr of a URL that may hold credentials."""
    return repr(url and f"{StoreURL.parse(url)}")


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
    region: str | None = _text()
    endpoint: str | None = _text(_ENDPOINT, show=_without_credentials)
    anon: bool | None = _flag(default=None)
    key: str | None = _text(show=False)
    secret: str | None = _text(show=False)
    token: str | None = _text(show=False)
    profile: str | None = _text(_NAME)
    client_options: Mapping[str, Any] = field(factory=dict, converter=dict, repr=False, hash=False)
    virtual_hosted_style_request: bool | None = _flag(default=None)
    request_payer: bool | None = _flag(default=None)
    max_retries: int = field(default=7, validator=[validators.instance_of(int), validators.ge(0), validators.le(100)])
    single_writer: bool = _flag(default=False)

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
        named: dict[str, Any] = {}
        for name, value in given.items():
            option = _ALIASES.get(name, name)
            if option not in _known():
                choices = sorted([*_known(), *_ALIASES])
                raise refused(url, f"no option {name!r}; {accepted(name, choices)}")
            if option in named:
                raise refused(url, f"{option!r} twice, as {name!r} as well; give it once")
            named[option] = value
        return _checked(url, named)

    @property
    def has_credentials(self) -> bool:
        """Whether the caller passed a key."""
        return self.key is not None

    def seconds(self, name: str) -> float | None:
        """Return a duration among the client's options."""
        value = self.client_options.get(name)
        return None if value is None else client.seconds(value)


def _known() -> Mapping[str, Any]:
    return MappingProxyType({item.name: item for item in fields(Options)})


def _checked(url: StoreURL, named: Mapping[str, Any]) -> Options:
    """Return the options with these values; a message never shows one of them, for it may be a credential."""
    for name, value in named.items():
        try:
            Options(**{name: value})
        except (TypeError, ValueError):
            raise refused(
                url, f"{name!r} of {type(value).__name__}; {_EXPECTED.get(name, f'accepted: {client.PLAIN}')}"
            ) from None
    options = Options(**named)
    if (options.key is None) != (options.secret is None):
        raise refused(url, "one of 'key' and 'secret'; give both, or none")
    check_client(url, options.client_options)
    return options


_EXPECTED: Final = {
    "profile": "accepted: the name of a section, without control characters",
    "driver": f"accepted: {', '.join(map(repr, DRIVERS))}",
    "endpoint": "accepted: a URL of http:// or https://",
    "client_options": client.EXPECTED,
    "max_retries": "accepted: a whole number from 0 to 100",
    **dict.fromkeys(
        ("anon", "virtual_hosted_style_request", "request_payer", "single_writer"), "accepted: True, False"
    ),
}
