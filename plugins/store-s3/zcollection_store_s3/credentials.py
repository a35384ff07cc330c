"""Credentials of a profile, from the files that the AWS tools share."""

import configparser
import os
from pathlib import Path
from typing import Final

from attrs import field, frozen
from zcollection_store_object.client import HEADER_VALUE

from zcollection.plugin import StoreError
from zcollection_store_s3.options import Options

_FILES: Final = {
    "AWS_CONFIG_FILE": ("~/.aws/config", "profile {}"),
    "AWS_SHARED_CREDENTIALS_FILE": ("~/.aws/credentials", "{}"),
}
"""The paths of the files, and the names of their sections; the values of the last file take precedence."""

_OPTIONS: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "region", "endpoint_url")


@frozen(kw_only=True)
class Profile:
    """The values of a profile; None for missing ones.

    Attributes
    ----------
    key, secret, token
        Credentials; excluded from the repr.
    region, endpoint
        The region of the bucket, and the URL of the server.
    """

    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    region: str | None = None
    endpoint: str | None = None


def profile_of(options: Options) -> Profile:
    """Return the profile that the options name, or that the environment names.

    Credentials in the options or in the environment take precedence over a profile that only the environment names.

    Raises
    ------
    StoreError
        There is no such profile, or it contains instructions to obtain credentials instead of credentials.
    """
    in_environment = options.has_credentials or options.anon or "AWS_ACCESS_KEY_ID" in os.environ
    name = options.profile or (None if in_environment else os.environ.get("AWS_PROFILE"))
    return Profile() if name is None else _read(name)


def _read(name: str) -> Profile:
    values: dict[str, str] = {}
    for variable, (default, section) in _FILES.items():
        path = Path(os.environ.get(variable, default)).expanduser()
        values |= _section(path, name if name == "default" else section.format(name))
    if not values:
        message = (
            f"there is no profile {name!r} in ~/.aws/credentials or ~/.aws/config; accepted: the name of a section"
        )
        raise StoreError(message)
    if "aws_access_key_id" not in values or "aws_secret_access_key" not in values:
        message = (
            f"the profile {name!r} has no aws_access_key_id and aws_secret_access_key; profiles that obtain them "
            f"elsewhere (sso, roles, processes) need driver='fsspec', or credentials exported to the environment"
        )
        raise StoreError(message)
    if not all(HEADER_VALUE.fullmatch(values.get(name, "")) for name in _OPTIONS):
        message = (
            f"the profile {name!r} has a value with a character that no request can contain; accepted: printable ASCII"
        )
        raise StoreError(message)
    return Profile(
        key=values["aws_access_key_id"],
        secret=values["aws_secret_access_key"],
        token=values.get("aws_session_token"),
        region=values.get("region"),
        endpoint=values.get("endpoint_url"),
    )


def _section(path: Path, section: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        message = f"{path} is not a valid configuration file; accepted: sections of 'name = value'"
        raise StoreError(message) from None
    return dict(parser[section]) if parser.has_section(section) else {}
