"""Import of existing data into collections: older collections, Zarr stores, Parquet and NetCDF files."""

from zcollection_import.importing import import_collection
from zcollection_import.recognition import recognise
from zcollection_import.report import ImportReport

__all__ = ["ImportReport", "import_collection", "recognise"]
