"""The public names for authors of plugins.

A plugin is a module named by an entry point of the group ``zcollection``. It implements hooks that yield `Provides`::

    from zcollection.plugin import Provides, hookimpl

    @hookimpl
    def zcollection_partitionings():
        yield Provides("hexagon", target="my_package.hexagon:Hexagon", summary="By hexagonal cell")
"""

from zcollection.collection.read.rows import Rows
from zcollection.collection.read.sampling import PartitionSampling
from zcollection.collection.read.zones import PartitionZones
from zcollection.collection.split import as_times, split
from zcollection.collection.stores import kind_at
from zcollection.collection.write.conform import as_source, check_choice
from zcollection.collection.write.prepare import Missing, Unknown
from zcollection.conditions.zones import Zones
from zcollection.config import Config
from zcollection.config import get as get_config
from zcollection.contracts.columns import (
    as_dimension,
    as_int64,
    as_variables,
    check_integers,
    check_within_int64,
    fields_of,
)
from zcollection.contracts.computation import Computation
from zcollection.contracts.configurable import Configurable
from zcollection.contracts.keys import check_keys, check_prefixes, listing
from zcollection.contracts.merge import MergeStrategy, RowPlan, apply_plan
from zcollection.contracts.objects import Blocking, Listed, Objects, Pieces, Read
from zcollection.contracts.partitioning import INT64, Field, Key, Partitioning
from zcollection.contracts.store import Created, Fence, KeyStore, Mode, Replacement, Store, unfenced
from zcollection.contracts.transactional import (
    At,
    Commit,
    Moment,
    Reclaimed,
    StoreFork,
    StoreSession,
    TransactionalStore,
)
from zcollection.contracts.url import StoreURL
from zcollection.engine.dask_blocks import stored_blocks
from zcollection.engine.deliveries import Deliveries
from zcollection.engine.executor import gather
from zcollection.engine.layout import declared_values, stored_values
from zcollection.engine.lazy import LazyRows
from zcollection.engine.sampling import Sampling
from zcollection.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    ConflictError,
    CorruptionError,
    FormatVersionError,
    LocationError,
    MissingDependencyError,
    PartitionError,
    PluginConfigurationError,
    PluginError,
    ReadOnlyError,
    SchemaError,
    SettingError,
    StoreError,
    ZCollectionError,
    accepted,
)
from zcollection.model.bridges import bridge
from zcollection.model.builder import Schema
from zcollection.model.calendars import CalendarTimes, calendar_name, dates_of, days_of
from zcollection.model.dataset import Dataset, Group
from zcollection.model.documents import parse_json
from zcollection.model.dtypes import missing_value, same_values
from zcollection.model.durations import duration_of, nanoseconds_of
from zcollection.model.formatting import format_bytes, listed, shortened
from zcollection.model.geography import is_latitude, is_longitude
from zcollection.model.markup import stylesheet, tag, to_html
from zcollection.model.names import defect_on_windows
from zcollection.model.packing import Packing
from zcollection.model.printed import Printed
from zcollection.model.schema import DatasetSchema, Dimension, GroupSchema, VariableSchema
from zcollection.model.sections import Columns, Section, Table, heading
from zcollection.model.sections_html import elements_of
from zcollection.model.times import calendar_of, has_time_units
from zcollection.model.times import in_words as times_in_words
from zcollection.model.variable import Variable
from zcollection.model.xarray_bridge import Node, nodes, times_as_objects
from zcollection.portal import synchronous, uninterrupted
from zcollection.progress import ProgressOption, tracking
from zcollection.registry.hookspecs import Family, Provides, hookimpl
from zcollection.registry.registry import REGISTRY
from zcollection.resources import ensure_spare_files
from zcollection.transaction.reports import Problem
from zcollection.view.either import open_either

register = REGISTRY.register

__all__ = [
    "INT64",
    "At",
    "Blocking",
    "CalendarTimes",
    "CollectionExistsError",
    "CollectionNotFoundError",
    "Columns",
    "Commit",
    "Computation",
    "Config",
    "Configurable",
    "ConflictError",
    "CorruptionError",
    "Created",
    "Dataset",
    "DatasetSchema",
    "Deliveries",
    "Dimension",
    "Family",
    "Fence",
    "Field",
    "FormatVersionError",
    "Group",
    "GroupSchema",
    "Key",
    "KeyStore",
    "LazyRows",
    "Listed",
    "LocationError",
    "MergeStrategy",
    "Missing",
    "MissingDependencyError",
    "Mode",
    "Moment",
    "Node",
    "Objects",
    "Packing",
    "PartitionError",
    "PartitionSampling",
    "PartitionZones",
    "Partitioning",
    "Pieces",
    "PluginConfigurationError",
    "PluginError",
    "Printed",
    "Problem",
    "ProgressOption",
    "Provides",
    "Read",
    "ReadOnlyError",
    "Reclaimed",
    "Replacement",
    "RowPlan",
    "Rows",
    "Sampling",
    "Schema",
    "SchemaError",
    "Section",
    "SettingError",
    "Store",
    "StoreError",
    "StoreFork",
    "StoreSession",
    "StoreURL",
    "Table",
    "TransactionalStore",
    "Unknown",
    "Variable",
    "VariableSchema",
    "ZCollectionError",
    "Zones",
    "accepted",
    "apply_plan",
    "as_dimension",
    "as_int64",
    "as_source",
    "as_times",
    "as_variables",
    "bridge",
    "calendar_name",
    "calendar_of",
    "check_choice",
    "check_integers",
    "check_keys",
    "check_prefixes",
    "check_within_int64",
    "dates_of",
    "days_of",
    "declared_values",
    "defect_on_windows",
    "duration_of",
    "elements_of",
    "ensure_spare_files",
    "fields_of",
    "format_bytes",
    "gather",
    "get_config",
    "has_time_units",
    "heading",
    "hookimpl",
    "is_latitude",
    "is_longitude",
    "kind_at",
    "listed",
    "listing",
    "missing_value",
    "nanoseconds_of",
    "nodes",
    "open_either",
    "parse_json",
    "register",
    "same_values",
    "shortened",
    "split",
    "stored_blocks",
    "stored_values",
    "stylesheet",
    "synchronous",
    "tag",
    "times_as_objects",
    "times_in_words",
    "to_html",
    "tracking",
    "unfenced",
    "uninterrupted",
]
