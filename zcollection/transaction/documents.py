"""The documents of a collection, and where they lie."""

import json
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, Final

from attrs import evolve, field, frozen, validators

from zcollection.contracts.partitioning import KeyValue
from zcollection.errors import CorruptionError, PartitionError
from zcollection.model import documents
from zcollection.model.names import validate_partition_segment
from zcollection.model.printed import Printed
from zcollection.model.schema import DatasetSchema
from zcollection.model.sections import Section, heading
from zcollection.registry.stored import StoredForm
from zcollection.transaction.retention import Retention

CONFIGURATION: Final = "_zcollection.json"
IMMUTABLE: Final = "_immutable"
TRANSACTIONS: Final = "_transactions"
CATALOG: Final = "_catalog"
ATTRIBUTE: Final = "zcollection"
"""Key of the one attribute of a partition's group that is ours: a JSON string, for other tools cannot hold objects."""

_JSON: Final = json.JSONEncoder(ensure_ascii=False)

Scalar = int | float | str


@frozen(kw_only=True)
class ViewDefinition:
    """What a view is besides its variables.

    Attributes
    ----------
    base
        Where the collection lies that it lies over: ``scheme://location``, never percent-encoded, or a path from its own.
    computations
        Stored forms of what computes its variables, in order; none where they are written by hand.
    shadow
        Whether its variables may have the names of some of the base's, which they then take the place of.
    """

    base: str
    computations: tuple[StoredForm, ...] = ()
    shadow: bool = False


@frozen(kw_only=True)
class Configuration:
    """What a collection, or a view, is: ``_zcollection.json``.

    Attributes
    ----------
    axis
        Variable whose values identify rows, or the dimension where there is no such variable.
    dimension
        The dimension along which the collection is partitioned.
    partitioning
        Stored form of the partitioning.
    depth
        Number of segments in the path of a partition.
    catalog
        Whether the partitions are also listed in ``_catalog``.
    layouts
        Every schema that partitions may have been written with; the last one is current.
    version
        The version of the collection at which it was written: 0, or that which took the place of an older collection.
        In a store that commits by itself it counts the collections that had this place before.
    changed
        The version at which the schema, the partitioning or the retention was last changed, or `segments` set; 0 while none was.
    view
        What a view is besides; None for a collection. The partitions of a view have the paths of its base's.
    retention
        Which older versions stay readable; None where only the newest does.
    view
        What a view is besides; None for a collection. The partitions of a view have the paths of its base's.
    segments
        Whether the catalog lies in segments.
    """

    axis: str
    dimension: str
    partitioning: StoredForm
    depth: int = field(validator=[validators.ge(1), validators.le(32)])
    catalog: bool
    layouts: tuple[DatasetSchema, ...] = field(validator=validators.min_len(1))
    version: int = field(default=0, validator=[validators.ge(0), validators.lt(10**18)])
    changed: int = field(default=0, validator=[validators.ge(0), validators.lt(10**18)])
    view: ViewDefinition | None = None
    retention: Retention | None = None
    segments: bool = False

    @property
    def keeps(self) -> bool:
        """Whether what a change replaces is kept, for older versions to be read."""
        return self.retention is not None and self.retention.keeps

    def is_grown_from(self, older: "Configuration") -> bool:
        """Return whether this is the same collection, of which the schema, partitioning, retention or catalog was changed since."""
        new = {
            name: getattr(self, name)
            for name in ("layouts", "changed", "partitioning", "depth", "retention", "segments")
        }
        return (
            evolve(older, **new) == self
            and self.changed > older.changed
            and self.layouts[: len(older.layouts)] == older.layouts
        )

    def splits_as(self, other: "Configuration") -> bool:
        """Return whether both have partitions of the same keys and paths, whichever distribution splits their rows."""
        forms = self.partitioning, other.partitioning
        return forms[0].name == forms[1].name and forms[0].configuration == forms[1].configuration

    @property
    def kind(self) -> str:
        """What its document calls itself."""
        return "collection" if self.view is None else "view"

    @property
    def schema(self) -> DatasetSchema:
        """The current schema."""
        return self.layouts[-1]

    @cached_property
    def rows_schema(self) -> DatasetSchema:
        """The variables that partitions hold: those that span the partitioned dimension."""
        schema = self.schema
        return schema.select(path for path in schema.all_variables() if schema.spans(path, self.dimension))

    @cached_property
    def immutable_schema(self) -> DatasetSchema:
        """The variables that are stored once for the whole collection."""
        schema = self.schema
        return schema.select(path for path in schema.all_variables() if not schema.spans(path, self.dimension))

    def grown_at(self, number: int) -> "Configuration":
        """Return it as the version writes it that changes the schema or the retention."""
        retention = None if self.retention is None else self.retention.written_by(number)
        return evolve(self, changed=number, retention=retention)

    def dump(self) -> bytes:
        """Return the document, of the first format version that has all that it says."""
        features = [documents.WITH_SEGMENTS] if self.segments else []
        features += [] if self.retention is None else [documents.WITH_RETENTION]
        version = max([*features, *(layout.format_version for layout in self.layouts)])
        return documents.dump(self, kind=self.kind, format_version=version)

    @classmethod
    def load(cls, data: bytes, *, what: str) -> "Configuration":
        """Return the configuration in a document.

        Raises
        ------
        CorruptionError, FormatVersionError
            The document is not one of ours, or a later release wrote it.
        """
        return _loaded(data, what)


@lru_cache(maxsize=64)
def _loaded(data: bytes, what: str) -> Configuration:
    # The same document is the same object, with all that was derived from its schemas when it was opened before.
    configuration = documents.load(data, Configuration, kind=("collection", "view"), what=what, newest=documents.NEWEST)
    if configuration.kind != documents.kind_of(data, what=what):
        message = f"{what} calls itself a {documents.kind_of(data, what=what)}, and holds a {configuration.kind}"
        raise CorruptionError(message)
    return configuration


def _is_count(_instance: object, attribute: Any, value: int) -> None:
    if type(value) is not int or not 0 <= value <= 2**53:
        message = f"{attribute.name} is {value!r}; accepted: a whole number from 0 to 2**53"
        raise TypeError(message)


def _is_key(_instance: object, _attribute: object, key: dict[str, KeyValue]) -> None:
    if type(key) is not dict or not all(type(value) in {bool, int, str} for value in key.values()):
        message = f"the key {key!r} is none; accepted: integers, texts and booleans by name"
        raise TypeError(message)


def _is_texts(_instance: object, _attribute: object, texts: tuple[str, ...]) -> None:
    if type(texts) is not tuple or not all(type(text) is str for text in texts):
        message = f"{texts!r} are no texts"
        raise TypeError(message)


def _is_range(_instance: object, _attribute: object, limits: tuple[Scalar, ...] | None) -> None:
    if limits is not None and (
        type(limits) is not tuple
        or len(limits) != 2
        or not all(isinstance(limit, int | float | str) for limit in limits)
    ):
        message = f"{limits!r} is no range; accepted: a smallest and a largest value"
        raise TypeError(message)


@frozen(kw_only=True, repr=False)
class PartitionRecord(Printed):
    """What a partition says of itself, in its group document and in the catalog.

    Attributes
    ----------
    key
        Value of each field of the partition's key.
    rows
        Length of the partitioned dimension.
    stamp
        Id of the transaction that wrote it.
    layout
        Index of the schema that it was written with, among the configuration's layouts.
    absent
        Variables that it lacks as a whole; they read as fill.
    axis_range
        Smallest and largest axis value, as numbers that the axis stores; None where the axis is no variable.
    stored_bytes
        Size of its chunks and documents.
    origin
        What it was computed from, as the view says it; empty in a collection.
    """

    key: dict[str, KeyValue] = field(validator=_is_key)
    rows: int = field(validator=_is_count)
    stamp: str = field(validator=validators.instance_of(str))
    layout: int = field(validator=_is_count)
    absent: tuple[str, ...] = field(default=(), validator=_is_texts)
    axis_range: tuple[Scalar, ...] | None = field(default=None, validator=_is_range)
    stored_bytes: int = field(default=0, validator=_is_count)
    origin: tuple[str, ...] = field(default=(), validator=_is_texts)

    def to_attribute(self) -> dict[str, Any]:
        """Return the record as the attribute of a group."""
        text = _JSON.encode(documents.CONVERTER.unstructure(self))
        return {ATTRIBUTE: documents.with_checksum(text.encode()).decode()}

    @classmethod
    def from_group(cls, data: bytes, *, what: str) -> "PartitionRecord | None":
        """Return the record in a group's document, or None where the group is not a partition of ours.

        Raises
        ------
        CorruptionError
            The document cannot be understood.
        """
        attributes = documents.parse_json(data, what=what).get("attributes", {})
        text = attributes.get(ATTRIBUTE) if isinstance(attributes, Mapping) else None
        if text is None:
            return None
        if not isinstance(text, str):
            message = f"{what} has an attribute {ATTRIBUTE!r} of type {type(text).__name__}; accepted: str"
            raise CorruptionError(message)
        sealed = text.encode(errors="replace")
        value = documents.parse_json(sealed, what=what)
        if value.pop("checksum", None) is not None:
            documents.check_checksum(sealed, what=what)
        return documents.structure(value, cls, what=what)

    def _section(self) -> Section:
        key = ", ".join(f"{name}={value}" for name, value in self.key.items())
        return Section(heading(self, f"{key}: {self.rows:,} rows, {self.stored_bytes:,} bytes"))


documents.omit_defaults(Configuration, "view", "changed", "retention", "segments")
documents.omit_defaults(Retention, "versions", "seconds", "tags")
documents.omit_defaults(PartitionRecord, "origin")


def validate_path(path: str) -> str:
    """Return the path of a partition after checking each segment.

    Raises
    ------
    PartitionError
        A segment is not safe.
    """
    return "/".join(validate_partition_segment(segment) for segment in path.split("/"))


def is_safe_path(path: str) -> bool:
    """Return whether a path may be that of a partition, or lead to one."""
    try:
        validate_path(path)
    except PartitionError:
        return False
    return True
