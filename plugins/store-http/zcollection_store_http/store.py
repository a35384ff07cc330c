"""The store of ``http://`` and ``https://`` URLs."""

import re
from functools import lru_cache
from typing import Any, ClassVar, Final, Self

from attrs import field, frozen
from zcollection_store_object.driver import Driver
from zcollection_store_object.published import PublishedStore

from zcollection.plugin import LocationError, Mode, StoreURL, check_prefixes
from zcollection_store_http.options import Options

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


@frozen(kw_only=True)
class HTTPStore(PublishedStore):
    """The files below a directory of a web server, which are only read: it need not list them.

    Attributes
    ----------
    url
        ``http://host/path`` or ``https://host/path``.
    read_only
        True.
    options
        What the caller passed; a pickle holds nothing else.
    """

    has_listing: ClassVar[bool] = False
    by: ClassVar[str] = "over HTTP"

    options: Options = field(factory=Options)

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode, **options: Any) -> Self:
        """Return the store of a directory; nothing is asked of the server.

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
            It is to be written to.
        LocationError
            The URL has parameters or credentials, or no host.
        PluginConfigurationError
            An option is unknown, or its value is not accepted.
        """
        _check(url)
        return cls(url=url, read_only=True, options=Options.of(url, options)).in_mode(mode)

    @property
    def place(self) -> str:
        """Prefix of every key: the driver is one of the directory."""
        return ""

    def connect(self) -> Driver:
        """Return the driver, which all stores of the same directory and options share."""
        return _connected(f"{self.url.scheme}://{self.url.location.rstrip('/')}", self.options)


@lru_cache(maxsize=8)
def _connected(url: str, options: Options) -> Driver:
    """Return a driver with connections of its own: opening them takes as long as several requests."""
    from zcollection_store_http.driver import connect  # loads obstore

    return connect(url, options)


def _check(url: StoreURL) -> None:
    if url.query:
        message = (
            f"{url} has parameters: {', '.join(url.query)}; pass what the server asks for as headers in storage_options"
        )
        raise LocationError(message)
    if "@" in url.location:
        message = (
            f"{url} holds credentials, or a '@', which is written %40; pass username and password in storage_options"
        )
        raise LocationError(message)
    host, _, path = url.location.partition("/")
    if not _HOST.fullmatch(host) or "#" in path:
        message = f"{str(url)!r} is the URL of no directory; accepted: 'https://host/path', or 'http://host:port/path'"
        raise LocationError(message)
    check_prefixes(url, f"{url.location.rstrip('/')}/")
