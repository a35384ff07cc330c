"""Partitioned collections of Zarr v3 groups, for data that keeps arriving."""

from zcollection import aio, codecs, computation, config, errors, merge, partitioning, rows
from zcollection.collection.collection import Collection
from zcollection.collection.report import InsertReport, PartitionReport
from zcollection.contracts.partitioning import Key
from zcollection.errors import (
    ClusterError,
    CollectionExistsError,
    CollectionNotFoundError,
    CommitStateUnknownError,
    ConflictError,
    CorruptionError,
    CorruptionWarning,
    ExpressionError,
    FormatVersionError,
    MissingDependencyError,
    PartitionError,
    PluginError,
    PublicationWarning,
    ReadOnlyError,
    SchemaError,
    StaleError,
    StoreError,
    ZCollectionError,
)
from zcollection.model.builder import Schema
from zcollection.model.dataset import Dataset, Group
from zcollection.model.packing import Packing
from zcollection.model.schema import DatasetSchema, Dimension, GroupSchema, VariableSchema
from zcollection.model.variable import Variable
from zcollection.portal import synchronous
from zcollection.view.refresh import RefreshReport
from zcollection.view.staleness import ViewStatus
from zcollection.view.view import View

__version__ = "2026.12.5"

create_collection = synchronous(aio.create_collection)
open_collection = synchronous(aio.open_collection, begins_here=True)
create_view = synchronous(aio.create_view)
open_view = synchronous(aio.open_view)
ingest = synchronous(aio.ingest)

__all__ = [
    "ClusterError",
    "Collection",
    "CollectionExistsError",
    "CollectionNotFoundError",
    "CommitStateUnknownError",
    "ConflictError",
    "CorruptionError",
    "CorruptionWarning",
    "Dataset",
    "DatasetSchema",
    "Dimension",
    "ExpressionError",
    "FormatVersionError",
    "Group",
    "GroupSchema",
    "InsertReport",
    "Key",
    "MissingDependencyError",
    "Packing",
    "PartitionError",
    "PartitionReport",
    "PluginError",
    "PublicationWarning",
    "ReadOnlyError",
    "RefreshReport",
    "Schema",
    "SchemaError",
    "StaleError",
    "StoreError",
    "Variable",
    "VariableSchema",
    "View",
    "ViewStatus",
    "ZCollectionError",
    "aio",
    "codecs",
    "computation",
    "config",
    "create_collection",
    "create_view",
    "errors",
    "ingest",
    "merge",
    "open_collection",
    "open_view",
    "partitioning",
    "rows",
]
