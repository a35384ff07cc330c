"""The store of ``s3://`` URLs."""

import os
import re
from functools import lru_cache
from typing import Any, Final, Self

from attrs import field, frozen
from zcollection_store_object.driver import Driver
from zcollection_store_object.objects import ObjectStore
from zcollection_store_object.retries import Retries

from zcollection.plugin import LocationError, MissingDependencyError, Mode, StoreError, StoreURL, check_prefixes
from zcollection_store_s3.options import Options

_BUCKET: Final = re.compile(r"[A-Za-z0-9._:-]+")


@frozen(kw_only=True)
class S3Store(ObjectStore):
    """The objects below a prefix of a bucket.

    Attributes
    ----------
    url
        ``s3://bucket/prefix``.
    read_only
        Whether every write is refused.
    options
        What the caller passed; a pickle holds nothing else.
    """

    options: Options = field(factory=Options)

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode, **options: Any) -> Self:
        """Return the store at a prefix of a bucket; nothing is asked of the server.

        Parameters
        ----------
        url
            ``s3://bucket/prefix``; the prefix may be empty.
        mode
            "r" or "rw".
        **options
            See `Options`, or the README.

        Raises
        ------
        LocationError
            The URL has parameters or credentials, or no bucket.
        PluginConfigurationError
            An option is unknown, or its value is not accepted.
        """
        _check(url)
        return cls(url=url, read_only=mode == "r", options=Options.of(url, options))

    @property
    def is_probed(self) -> bool:
        """Whether it is tried that the server honours conditions."""
        return not self.options.single_writer

    @property
    def place(self) -> str:
        """Prefix of every key in the bucket, "" or ending with "/"."""
        _, _, path = self.url.location.partition("/")
        return f"{path.rstrip('/')}/" if path.rstrip("/") else ""

    @property
    def retries(self) -> Retries:
        """How often a request is sent again."""
        return Retries(self.options.max_retries)

    def connect(self) -> Driver:
        """Return the driver that was chosen, which all stores of the same bucket and options share."""
        bucket, _, _ = self.url.location.partition("/")
        environment = frozenset(item for item in os.environ.items() if item[0].startswith("AWS_"))
        for name, value in sorted(environment):
            if not value.isprintable():
                message = f"{name} in the environment has a control character; accepted: text without a line end"
                raise StoreError(message)
        return _connected(bucket, self.options, environment)


@lru_cache(maxsize=8)
def _connected(bucket: str, options: Options, environment: frozenset[tuple[str, str]]) -> Driver:
    """Return a driver with connections of its own: opening them takes as long as several requests."""
    del environment  # the driver reads it: another environment is another driver
    if options.driver == "obstore":
        from zcollection_store_s3 import with_obstore  # loads obstore

        return with_obstore.connect(bucket, options)
    try:
        from zcollection_store_s3 import with_fsspec  # loads s3fs
    except ImportError:
        message = "driver='fsspec' needs 's3fs', which is not installed: pip install 'zcollection-store-s3[fsspec]'"
        raise MissingDependencyError(message) from None
    return with_fsspec.connect(bucket, options)


def _check(url: StoreURL) -> None:
    if url.query:
        message = f"{url} has parameters: {', '.join(url.query)}; pass options in storage_options"
        raise LocationError(message)
    if "@" in url.location:
        message = f"{url} holds credentials; pass key and secret in storage_options, or set them in the environment"
        raise LocationError(message)
    if not _BUCKET.fullmatch(url.location.partition("/")[0]):
        message = f"{str(url)!r} names no bucket; accepted: 's3://bucket/prefix', the bucket of ASCII letters, digits and '._:-'"
        raise LocationError(message)
    check_prefixes(url, f"{url.location.rstrip('/')}/")
