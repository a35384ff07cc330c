"""The store of ``s3://`` URLs."""

import re
from typing import ClassVar, Final

from attrs import field, frozen
from zcollection_store_object.bucket import BucketStore
from zcollection_store_object.driver import Driver

from zcollection.plugin import MissingDependencyError
from zcollection_store_s3.options import Options

_BUCKET: Final = re.compile(r"[A-Za-z0-9._:-]+")
_ACCEPTED: Final = "'s3://bucket/prefix', the bucket of ASCII letters, digits and '._:-'"


@frozen(kw_only=True)
class S3Store(BucketStore):
    """The objects under a prefix of a bucket of Amazon S3, or of a compatible server.

    Attributes
    ----------
    url
        ``s3://bucket/prefix``.
    read_only
        Whether writes are rejected.
    options
        The options; a pickle contains nothing else.
    """

    bucket_pattern: ClassVar[re.Pattern[str]] = _BUCKET
    accepted: ClassVar[str] = _ACCEPTED
    options_class: ClassVar[type[Options]] = Options
    environment: ClassVar[tuple[str, ...]] = ("AWS_",)

    options: Options = field(factory=Options)

    @staticmethod
    def open_driver(bucket: str, options: Options) -> Driver:
        """Return a new driver of a bucket, based on the library in the options."""
        if options.driver == "obstore":
            from zcollection_store_s3 import with_obstore  # loads obstore

            return with_obstore.connect(bucket, options)
        try:
            from zcollection_store_s3 import with_fsspec  # loads s3fs
        except ImportError:
            message = "driver='fsspec' needs 's3fs', which is not installed: pip install 'zcollection-store-s3[fsspec]'"
            raise MissingDependencyError(message) from None
        return with_fsspec.connect(bucket, options)
