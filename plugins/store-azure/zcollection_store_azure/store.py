"""The store of ``az://`` URLs."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final

from attrs import field, frozen
from zcollection_store_object.bucket import BucketStore, environment_of
from zcollection_store_object.driver import Driver

from zcollection.plugin import StoreURL
from zcollection_store_azure.options import Options

_CONTAINER: Final = re.compile(r"\$root|[a-z0-9](-?[a-z0-9]){2,62}")
_ACCEPTED: Final = "'az://container/prefix', the container of 3 to 63 lower-case letters, digits and single '-'"


@frozen(kw_only=True)
class AzureStore(BucketStore):
    """The blobs under a prefix of a container.

    Attributes
    ----------
    url
        ``az://container/prefix``.
    read_only
        Whether writes are rejected.
    options
        The options; a pickle contains nothing else.
    """

    names: ClassVar[re.Pattern[str]] = _CONTAINER
    accepted: ClassVar[str] = _ACCEPTED

    options: Options = field(factory=Options)

    @classmethod
    def understood(cls, url: StoreURL, given: Mapping[str, Any]) -> Options:
        """Return the options that the caller passed; see `Options`, or the README."""
        return Options.of(url, given)

    def connect(self) -> Driver:
        """Return the driver, which is shared by all stores with the same container and options."""
        return _connected(self.bucket, self.options, environment_of("AZURE_"))


@lru_cache(maxsize=8)
def _connected(container: str, options: Options, environment: frozenset[tuple[str, str]]) -> Driver:
    """Return a driver with its own connections; it is cached because opening connections takes as long as several requests."""
    del environment  # part of the cache key, because the driver reads the environment
    from zcollection_store_azure.with_obstore import connect  # loads obstore

    return connect(container, options)
