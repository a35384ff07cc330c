"""The xarray engine ``zcollection``, which opens collections and views."""

from zcollection_xarray.backend import ZCollectionBackendEntrypoint
from zcollection_xarray.index import PartitionedIndex

__all__ = ["PartitionedIndex", "ZCollectionBackendEntrypoint"]
