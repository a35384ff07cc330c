"""The store of ``http://`` and ``https://`` URLs."""

import re
from typing import Any, ClassVar, Final, Self

from attrs import field, frozen
from zcollection_store_object.driver import Driver
from zcollection_store_object.published import PublishedStore
from zcollection_store_object.sharing import shared

from zcollection.plugin import LocationError, Mode, StoreURL, check_prefixes
from zcollection_store_http.options import Options

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


@frozen(kw_only=True)
class HTTPStore(PublishedStore):
    """The files under a directory of a web server, for reading; the server need not list them.

    Attributes
    ----------
    url
        ``http://host/path`` or ``https://host/path``.
    read_only
        True.
    options
        The options; a pickle contains nothing else.
    """

    has_listing: ClassVar[bool] = False
    access: ClassVar[str] = "over HTTP"

    options: Options = field(factory=Options)

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode, **options: Any) -> Self:
        """Return the store of a directory; this sends no request.

        Parameters
        ----------
        url
            ``http://host/path`` or ``https://host/path``.
        mode
            "r".
        **options
            See `Options`, or the README.

        Raises
        ------
        ReadOnlyError
            The mode is not "r".
        LocationError
            The URL has parameters or credentials, or no host.
        PluginConfigurationError
            An option is unknown, or its value is not accepted.
        """
        _check(url)
        return cls(url=url, read_only=True, options=Options.of(url, options)).in_mode(mode)

    @property
    def key_prefix(self) -> str:
        """The prefix of every key; empty, because the driver is specific to the directory."""
        return ""

    def connect(self) -> Driver:
        """Return the driver, which is shared by all stores with the same directory and options."""
        return shared(_open_driver)(f"{self.url.scheme}://{self.url.location.rstrip('/')}", self.options)


def _open_driver(url: str, options: Options) -> Driver:
    from zcollection_store_http.driver import connect  # loads obstore

    return connect(url, options)


def _check(url: StoreURL) -> None:
    if url.query:
        message = f"{url} has parameters: {', '.join(url.query)}; pass the credentials of the server as headers in storage_options"
        raise LocationError(message)
    if "@" in url.location:
        message = f"{url} contains credentials, or a '@', which must be written %40; pass username and password in storage_options"
        raise LocationError(message)
    host, _, path = url.location.partition("/")
    if not _HOST.fullmatch(host) or "#" in path:
        message = (
            f"{str(url)!r} is not the URL of a directory; accepted: 'https://host/path', or 'http://host:port/path'"
        )
        raise LocationError(message)
    check_prefixes(url, f"{url.location.rstrip('/')}/")
