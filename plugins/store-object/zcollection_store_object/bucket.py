"""The objects below a prefix of a bucket: what a URL says of it, whichever service has it."""

import os
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

from attrs import frozen

from zcollection.plugin import LocationError, Mode, StoreError, StoreURL, check_prefixes
from zcollection_store_object.objects import ObjectStore
from zcollection_store_object.retries import Retries


class BucketOptions(Protocol):
    """What the options of every service have.

    Attributes
    ----------
    max_retries
        How often a request is sent again that failed for a moment.
    single_writer
        The caller's word that nobody else writes.
    """

    @property
    def max_retries(self) -> int: ...  # noqa: D102
    @property
    def single_writer(self) -> bool: ...  # noqa: D102


@frozen(kw_only=True)
class BucketStore(ObjectStore):
    """The objects below a prefix of a bucket; a subclass says how buckets are named, what its options are, and connects.

    Attributes
    ----------
    url
        ``scheme://bucket/prefix``.
    read_only
        Whether every write is refused.
    options
        What the caller passed; a pickle holds nothing else.
    names
        What the name of a bucket may be.
    accepted
        That in words, for messages.
    """

    names: ClassVar[re.Pattern[str]]
    accepted: ClassVar[str]

    options: BucketOptions

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode, **options: Any) -> Self:
        """Return the store at a prefix of a bucket; nothing is asked of the server.

        Parameters
        ----------
        url
            ``scheme://bucket/prefix``; the prefix may be empty.
        mode
            "r" or "rw".
        **options
            Those of the service; see the README of its plugin.

        Raises
        ------
        LocationError
            The URL has parameters or credentials, or no bucket.
        PluginConfigurationError
            An option is unknown, or its value is not accepted.
        """
        check_bucket(url, cls.names, cls.accepted)
        return cls(url=url, read_only=mode == "r", options=cls.understood(url, options))

    @classmethod
    @abstractmethod
    def understood(cls, url: StoreURL, given: Mapping[str, Any]) -> BucketOptions:
        """Return the options that a caller passed; raises as `open`."""

    @property
    def is_probed(self) -> bool:
        """Whether it is tried that the server honours conditions."""
        return not self.options.single_writer

    @property
    def retries(self) -> Retries:
        """How often a request is sent again."""
        return Retries(self.options.max_retries)

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self.url.location.partition("/")[0]

    @property
    def place(self) -> str:
        """Prefix of every key in the bucket, "" or ending with "/"."""
        path = self.url.location.partition("/")[2].rstrip("/")
        return f"{path}/" if path else ""


def check_bucket(url: StoreURL, pattern: re.Pattern[str], accepted: str) -> None:
    """Refuse what is not the URL of a prefix of a bucket.

    Parameters
    ----------
    url
        What is to be opened.
    pattern
        What the name of a bucket may be.
    accepted
        That in words.

    Raises
    ------
    LocationError
        It has parameters or credentials, or no bucket.
    """
    if url.query:
        message = f"{url} has parameters: {', '.join(url.query)}; pass options in storage_options"
        raise LocationError(message)
    if "@" in url.location:
        message = f"{url} holds credentials; pass them in storage_options, or set them in the environment"
        raise LocationError(message)
    if not pattern.fullmatch(url.location.partition("/")[0]):
        message = f"{str(url)!r} names no bucket; accepted: {accepted}"
        raise LocationError(message)
    check_prefixes(url, f"{url.location.rstrip('/')}/")


def environment_of(*prefixes: str) -> frozenset[tuple[str, str]]:
    """Return the variables of the environment whose names begin so: another one of them is another connection.

    Raises
    ------
    StoreError
        One has a character that no request can have.
    """
    found = frozenset(item for item in os.environ.items() if item[0].startswith(prefixes))
    for name, value in sorted(found):
        if not value.isprintable():
            message = f"{name} in the environment has a control character; accepted: text without a line end"
            raise StoreError(message)
    return found
