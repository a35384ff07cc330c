"""The store of ``gs://`` URLs."""

import re
from typing import ClassVar, Final

from attrs import field, frozen
from zcollection_store_object.bucket import BucketStore
from zcollection_store_object.driver import Driver

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

    bucket_pattern: ClassVar[re.Pattern[str]] = _BUCKET
    accepted: ClassVar[str] = _ACCEPTED
    options_class: ClassVar[type[Options]] = Options
    environment: ClassVar[tuple[str, ...]] = ("GOOGLE_", "STORAGE_EMULATOR_HOST", "CLOUDSDK_")

    options: Options = field(factory=Options)

    @staticmethod
    def open_driver(bucket: str, options: Options) -> Driver:
        """Return a new driver of a bucket."""
        from zcollection_store_gs.driver import connect  # loads aiohttp and google-auth

        return connect(bucket, options)
