"""The bridge to Arrow: collections as pyarrow datasets, and rows as tables and streams of record batches."""

from zcollection_arrow.bridge import reader, schema_of, table
from zcollection_arrow.datasets import CollectionDataset, CollectionFragment, dataset

__all__ = ["CollectionDataset", "CollectionFragment", "dataset", "reader", "schema_of", "table"]
