"""The store of ``az://`` URLs."""

import re
from typing import ClassVar, Final

from attrs import field, frozen
from zcollection_store_object.bucket import BucketStore
from zcollection_store_object.driver import Driver

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

    bucket_pattern: ClassVar[re.Pattern[str]] = _CONTAINER
    accepted: ClassVar[str] = _ACCEPTED
    options_class: ClassVar[type[Options]] = Options
    environment: ClassVar[tuple[str, ...]] = ("AZURE_",)

    options: Options = field(factory=Options)

    @staticmethod
    def open_driver(container: str, options: Options) -> Driver:
        """Return a new driver of a container."""
        from zcollection_store_azure.with_obstore import connect  # loads obstore

        return connect(container, options)
