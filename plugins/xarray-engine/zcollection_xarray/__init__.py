"""Engine of xarray that opens collections and views of zcollection."""

from zcollection_xarray.backend import ZCollectionBackendEntrypoint
from zcollection_xarray.index import PartitionedIndex

__all__ = ["PartitionedIndex", "ZCollectionBackendEntrypoint"]
