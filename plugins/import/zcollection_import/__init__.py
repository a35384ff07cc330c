"""Collections made of what others wrote: older collections, Zarr stores, Parquet, NetCDF."""

from zcollection_import.importing import import_collection
from zcollection_import.recognition import recognise
from zcollection_import.report import ImportReport

__all__ = ["ImportReport", "import_collection", "recognise"]
