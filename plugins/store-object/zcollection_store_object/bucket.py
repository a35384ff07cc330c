"""Stores of the objects under a prefix of a bucket, independent of the service that provides the bucket."""

import os
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

from attrs import frozen

from zcollection.plugin import LocationError, Mode, StoreError, StoreURL, check_prefixes
from zcollection_store_object.driver import Driver
from zcollection_store_object.objects import ObjectStore
from zcollection_store_object.retries import Retries
from zcollection_store_object.sharing import shared


class BucketOptions(Protocol):
    """The options that every service has.

    Attributes
    ----------
    max_retries
        The largest number of retries after a temporary failure.
    single_writer
        The caller's guarantee that there is no other writer.
    """

    @property
    def max_retries(self) -> int: ...  # noqa: D102
    @property
    def single_writer(self) -> bool: ...  # noqa: D102
    @classmethod
    def of(cls, url: StoreURL, given: Mapping[str, Any]) -> Self:
        """Return the options that the caller passed; raises as `BucketStore.open`."""


@frozen(kw_only=True)
class BucketStore(ObjectStore):
    """The objects under a prefix of a bucket; a subclass defines the names of buckets, the options and the driver.

    Attributes
    ----------
    url
        ``scheme://bucket/prefix``.
    read_only
        Whether every write is rejected.
    options
        The options that the caller passed; a pickle contains nothing else.
    bucket_pattern
        The pattern of bucket names.
    accepted
        The accepted URLs in words, for messages.
    options_class
        The class of the options.
    environment
        The prefixes of the environment variables that the driver reads.
    """

    bucket_pattern: ClassVar[re.Pattern[str]]
    accepted: ClassVar[str]
    options_class: ClassVar[type[BucketOptions]]
    environment: ClassVar[tuple[str, ...]]

    options: BucketOptions

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode, **options: Any) -> Self:
        """Return the store of a prefix of a bucket; this sends no request.

        Parameters
        ----------
        url
            ``scheme://bucket/prefix``; the prefix may be empty.
        mode
            "r" or "rw".
        **options
            The options of the service; see the README of its plugin.

        Raises
        ------
        LocationError
            The URL has parameters or credentials, or no bucket.
        PluginConfigurationError
            An option is unknown, or its value is not accepted.
        """
        check_bucket(url, cls.bucket_pattern, cls.accepted)
        return cls(url=url, read_only=mode == "r", options=cls.options_class.of(url, options))

    @staticmethod
    @abstractmethod
    def open_driver(bucket: str, options: Any) -> Driver:
        """Return a new driver of a bucket, with its own connections."""

    def connect(self) -> Driver:
        """Return the driver, which is shared by all stores with the same bucket, options and environment."""
        return shared(self.open_driver)(self.bucket, self.options, environment_of(*self.environment))

    @property
    def is_probed(self) -> bool:
        """Whether the kernel tests that the server honours conditional writes."""
        return not self.options.single_writer

    @property
    def retries(self) -> Retries:
        """The retries of requests."""
        return Retries(self.options.max_retries)

    @property
    def bucket(self) -> str:
        """The name of the bucket."""
        return self.url.location.partition("/")[0]

    @property
    def key_prefix(self) -> str:
        """The prefix of every key in the bucket: "", or ending with "/"."""
        path = self.url.location.partition("/")[2].rstrip("/")
        return f"{path}/" if path else ""


def check_bucket(url: StoreURL, pattern: re.Pattern[str], accepted: str) -> None:
    """Check that a URL is that of a prefix of a bucket.

    Parameters
    ----------
    url
        The URL.
    pattern
        The pattern of bucket names.
    accepted
        The accepted URLs in words.

    Raises
    ------
    LocationError
        The URL has parameters or credentials, or no bucket.
    """
    if url.query:
        message = f"{url} has parameters: {', '.join(url.query)}; pass options in storage_options"
        raise LocationError(message)
    if "@" in url.location:
        message = f"{url} contains credentials; pass them in storage_options, or set them in the environment"
        raise LocationError(message)
    if not pattern.fullmatch(url.location.partition("/")[0]):
        message = f"{str(url)!r} does not name a bucket; accepted: {accepted}"
        raise LocationError(message)
    check_prefixes(url, f"{url.location.rstrip('/')}/")


def environment_of(*prefixes: str) -> frozenset[tuple[str, str]]:
    """Return the environment variables whose names begin with one of the prefixes.

    Raises
    ------
    StoreError
        A value has a character that no request can contain.
    """
    found = frozenset(item for item in os.environ.items() if item[0].startswith(prefixes))
    for name, value in sorted(found):
        if not value.isprintable():
            message = f"{name} in the environment has a control character; accepted: text without a line end"
            raise StoreError(message)
    return found
