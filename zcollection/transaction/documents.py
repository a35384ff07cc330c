"""The documents of a collection, and the keys under which they are stored."""

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
"""Key of the attribute with the record of a partition's group: a JSON string, because other tools cannot store objects."""

_JSON: Final = json.JSONEncoder(ensure_ascii=False)

Scalar = int | float | str


@frozen(kw_only=True)
class ViewDefinition:
    """The definition of a view, without its variables.

    Attributes
    ----------
    base
        URL of the base collection, ``scheme://location``, never percent-encoded; or a path relative to the view's own URL.
    computations
        Stored forms of the computations of its variables, in order; empty if the variables are written by the user.
    shadow
        Whether its variables may have the names of variables of the base, which they then replace.
    """

    base: str
    computations: tuple[StoredForm, ...] = ()
    shadow: bool = False


@frozen(kw_only=True)
class Configuration:
    """The configuration of a collection, or of a view: ``_zcollection.json``.

    Attributes
    ----------
    axis
        The variable whose values identify rows, or the dimension if there is no such variable.
    dimension
        The dimension along which the collection is partitioned.
    partitioning
        Stored form of the partitioning.
    depth
        Number of parts of the path of a partition, one for each field of the key.
    catalog
        Whether the partitions are also listed in ``_catalog``.
    layouts
        Every schema with which partitions may have been written; the last one is current.
    version
        The version at which the collection was created: 0, or the version that replaced an older collection. In a
        transactional store it counts the collections that were stored here before.
    changed
        The version at which the schema, the partitioning or the retention was last changed, or `segments` was set; 0
        if none of them was changed.
    view
        The definition of a view; None for a collection. The partitions of a view have the paths of its base's partitions.
    retention
        Which older versions stay readable; None if only the newest version does.
    segments
        Whether the catalog is stored in segments.
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
        """Whether partitions that a change replaces are kept for readers of older versions."""
        return self.retention is not None and self.retention.keeps

    def is_changed_from(self, older: "Configuration") -> bool:
        """Return whether this is the same collection with its schema, partitioning, retention or catalog form changed since."""
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
        """Return whether both have partitions with the same keys and paths, even if different plugins provide the partitioning."""
        forms = self.partitioning, other.partitioning
        return forms[0].name == forms[1].name and forms[0].configuration == forms[1].configuration

    @property
    def kind(self) -> str:
        """The kind of the document: "collection" or "view"."""
        return "collection" if self.view is None else "view"

    @property
    def schema(self) -> DatasetSchema:
        """The current schema."""
        return self.layouts[-1]

    @cached_property
    def rows_schema(self) -> DatasetSchema:
        """The schema of the partitioned variables: those that span the partitioned dimension."""
        schema = self.schema
        return schema.select(path for path in schema.all_variables() if schema.spans(path, self.dimension))

    @cached_property
    def immutable_schema(self) -> DatasetSchema:
        """The schema of the immutable variables, which are stored once for the whole collection."""
        schema = self.schema
        return schema.select(path for path in schema.all_variables() if not schema.spans(path, self.dimension))

    def written_by(self, number: int) -> "Configuration":
        """Return the configuration as the version `number` writes it, which changes the schema or the retention."""
        retention = None if self.retention is None else self.retention.written_by(number)
        return evolve(self, changed=number, retention=retention)

    def dump(self) -> bytes:
        """Return the document, in the oldest format version that supports its content."""
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
            The document is not a configuration of zcollection, or a later release wrote it.
        """
        return _loaded(data, what)


@lru_cache(maxsize=64)
def _loaded(data: bytes, what: str) -> Configuration:
    # Equal documents give the same object, together with everything that was derived from its schemas before.
    configuration = documents.load(data, Configuration, kind=("collection", "view"), what=what, newest=documents.NEWEST)
    if configuration.kind != documents.kind_of(data, what=what):
        message = f"{what} has the kind {documents.kind_of(data, what=what)!r}, and contains a {configuration.kind}"
        raise CorruptionError(message)
    return configuration


def _is_count(_instance: object, attribute: Any, value: int) -> None:
    if type(value) is not int or not 0 <= value <= 2**53:
        message = f"{attribute.name} is {value!r}; accepted: an integer from 0 to 2**53"
        raise TypeError(message)


def _is_key(_instance: object, _attribute: object, key: dict[str, KeyValue]) -> None:
    if type(key) is not dict or not all(type(value) in {bool, int, str} for value in key.values()):
        message = f"the key {key!r} is not valid; accepted: integers, strings and booleans by name"
        raise TypeError(message)


def _are_strings(_instance: object, _attribute: object, strings: tuple[str, ...]) -> None:
    if type(strings) is not tuple or not all(type(item) is str for item in strings):
        message = f"{strings!r} is not valid; accepted: a tuple of strings"
        raise TypeError(message)


def _is_range(_instance: object, _attribute: object, limits: tuple[Scalar, ...] | None) -> None:
    if limits is not None and (
        type(limits) is not tuple
        or len(limits) != 2
        or not all(isinstance(limit, int | float | str) for limit in limits)
    ):
        message = f"{limits!r} is not a range; accepted: a smallest and a largest value"
        raise TypeError(message)


@frozen(kw_only=True, repr=False)
class PartitionRecord(Printed):
    """The record of a partition, stored in its group document and in the catalog.

    Attributes
    ----------
    key
        Value of each field of the partition key.
    rows
        Length of the partitioned dimension.
    stamp
        Id of the transaction that wrote the partition.
    layout
        Index of the schema with which it was written, among the configuration's layouts.
    absent
        Variables that are not stored in the partition; they read as their fill value.
    axis_range
        Smallest and largest axis value, as stored; None if the axis is not a variable.
    stored_bytes
        Size of its chunks and documents, in bytes.
    origin
        What the partition was computed from, as the view records it; empty in a collection.
    """

    key: dict[str, KeyValue] = field(validator=_is_key)
    rows: int = field(validator=_is_count)
    stamp: str = field(validator=validators.instance_of(str))
    layout: int = field(validator=_is_count)
    absent: tuple[str, ...] = field(default=(), validator=_are_strings)
    axis_range: tuple[Scalar, ...] | None = field(default=None, validator=_is_range)
    stored_bytes: int = field(default=0, validator=_is_count)
    origin: tuple[str, ...] = field(default=(), validator=_are_strings)

    def to_attribute(self) -> dict[str, Any]:
        """Return the record as an attribute of a group, by its key."""
        text = _JSON.encode(documents.CONVERTER.unstructure(self))
        return {ATTRIBUTE: documents.with_checksum(text.encode()).decode()}

    @classmethod
    def from_group(cls, data: bytes, *, what: str) -> "PartitionRecord | None":
        """Return the record in a group document; None if the group is not a partition of zcollection.

        Raises
        ------
        CorruptionError
            The document cannot be parsed.
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
    """Return the path of a partition after checking each of its parts.

    Raises
    ------
    PartitionError
        A part of the path is not safe.
    """
    return "/".join(validate_partition_segment(segment) for segment in path.split("/"))


def is_safe_path(path: str) -> bool:
    """Return whether a path is a valid path of a partition, or of a parent group of one."""
    try:
        validate_path(path)
    except PartitionError:
        return False
    return True
