"""The store of ``s3://`` URLs."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final

from attrs import field, frozen
from zcollection_store_object.bucket import BucketStore, environment_of
from zcollection_store_object.driver import Driver

from zcollection.plugin import MissingDependencyError, StoreURL
from zcollection_store_s3.options import Options

_BUCKET: Final = re.compile(r"[A-Za-z0-9._:-]+")
_ACCEPTED: Final = "'s3://bucket/prefix', the bucket of ASCII letters, digits and '._:-'"


@frozen(kw_only=True)
class S3Store(BucketStore):
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

    names: ClassVar[re.Pattern[str]] = _BUCKET
    accepted: ClassVar[str] = _ACCEPTED

    options: Options = field(factory=Options)

    @classmethod
    def understood(cls, url: StoreURL, given: Mapping[str, Any]) -> Options:
        """Return the options that a caller passed; see `Options`, or the README."""
        return Options.of(url, given)

    def connect(self) -> Driver:
        """Return the driver that was chosen, which all stores of the same bucket and options share."""
        return _connected(self.bucket, self.options, environment_of("AWS_"))


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
