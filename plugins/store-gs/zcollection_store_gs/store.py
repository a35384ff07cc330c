"""The store of ``gs://`` URLs."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final

from attrs import field, frozen
from zcollection_store_object.bucket import BucketStore, environment_of
from zcollection_store_object.driver import Driver

from zcollection.plugin import StoreURL
from zcollection_store_gs.options import Options

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_ACCEPTED: Final = "'gs://bucket/prefix', the bucket of 3 to 222 lower-case letters, digits and '._-'"


@frozen(kw_only=True)
class GoogleStore(BucketStore):
    """The objects under a prefix of a bucket of Google Cloud Storage.

    Attributes
    ----------
    url
        ``gs://bucket/prefix``, or ``gcs://bucket/prefix``.
    read_only
        Whether writes are rejected.
    options
        The options; a pickle contains nothing else.
    """

    names: ClassVar[re.Pattern[str]] = _BUCKET
    accepted: ClassVar[str] = _ACCEPTED

    options: Options = field(factory=Options)

    @classmethod
    def understood(cls, url: StoreURL, given: Mapping[str, Any]) -> Options:
        """Return the options that the caller passed; see `Options`, or the README."""
        return Options.of(url, given)

    def connect(self) -> Driver:
        """Return the driver, which is shared by all stores with the same bucket and options."""
        return _connected(self.bucket, self.options, environment_of("GOOGLE_", "STORAGE_EMULATOR_HOST", "CLOUDSDK_"))


@lru_cache(maxsize=8)
def _connected(bucket: str, options: Options, environment: frozenset[tuple[str, str]]) -> Driver:
    """Return a driver with its own connections; it is cached because opening connections takes as long as several requests."""
    del environment  # part of the cache key, because the driver reads the environment
    from zcollection_store_gs.driver import connect  # loads aiohttp and google-auth

    return connect(bucket, options)
