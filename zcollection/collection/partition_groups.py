"""The stored groups of partitions: which variables they contain, where they are read, and whether they are still current."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from numpy.typing import NDArray

from zcollection.collection.open_collection import OpenCollection
from zcollection.contracts.objects import Read
from zcollection.contracts.partitioning import KeyValue
from zcollection.engine import statistics
from zcollection.engine.lazy import LazyRows, Source
from zcollection.engine.read import GroupRead, reading
from zcollection.engine.work import Work, fetch, perform_one
from zcollection.errors import CorruptionError, OutdatedError
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.places import Place
from zcollection.transaction.snapshot import Snapshot


def variables_of(opened: OpenCollection, record: PartitionRecord | None) -> frozenset[str]:
    """Return the variables that a partition contains: those of its layout, except the absent ones."""
    if record is None:
        return frozenset()
    return frozenset(_layout(opened, record).all_variables().keys() - set(record.absent))


def variables_in(opened: OpenCollection, record: PartitionRecord | None, schema: DatasetSchema) -> frozenset[str]:
    """Return the variables of a schema that a partition contains."""
    return variables_of(opened, record) & schema.all_variables().keys()


def declares(opened: OpenCollection, record: PartitionRecord, path: str) -> bool:
    """Return whether the layout of a partition has a variable, even if it is absent in the partition."""
    return path in _layout(opened, record).all_variables()


def unchanged_variables(opened: OpenCollection, record: PartitionRecord) -> frozenset[str]:
    """Return the variables of a partition whose layout is the current one."""
    layout, schema = _layout(opened, record), opened.schema
    if layout is schema:
        return frozenset(schema.all_variables())
    before = layout.all_variables()
    return frozenset(
        path
        for path, variable in schema.all_variables().items()
        if before.get(path) == variable and layout.dimensions_of(path) == schema.dimensions_of(path)
    )


def _layout(opened: OpenCollection, record: PartitionRecord) -> DatasetSchema:
    layouts = opened.configuration.layouts
    if record.layout < len(layouts):
        return layouts[record.layout]
    message = (
        f"the partition {record.key} of {opened.store.url} has the layout {record.layout}; the configuration has "
        f"{len(layouts)}: restore its group document, or call repair_catalog() if only the catalog says so"
    )
    raise CorruptionError(message)


def group_of(
    opened: OpenCollection, path: str, record: PartitionRecord | None, place: Place | None = None
) -> GroupRead:
    """Return the group of a partition, to be read at its published place by default; a missing one has no variables."""
    stored = place or Place.of(path)
    if record is None:
        return GroupRead(path=path, prefix=stored.prefix, document=stored.document, rows=0, schema=DatasetSchema())
    return GroupRead(
        path=path,
        prefix=stored.prefix,
        document=stored.document,
        rows=record.rows,
        schema=_layout(opened, record),
        absent=frozenset(record.absent),
        stamp=record.stamp,
        axis=opened.axis_variable,
        limits=record.axis_range,
    )


async def read_immutable(opened: OpenCollection, snapshot: Snapshot, schema: DatasetSchema) -> dict[str, NDArray[Any]]:
    """Return the immutable variables of `schema`, by path."""
    if not opened.part(schema, partitioned=False).all_variables():
        return {}
    return await perform_one(snapshot.objects, reading_immutable(opened, snapshot, schema))


def reading_immutable(
    opened: OpenCollection, snapshot: Snapshot, schema: DatasetSchema
) -> Work[dict[str, NDArray[Any]]]:
    """Return the immutable variables of `schema`, by path, as work for the engine."""
    immutable = opened.part(schema, partitioned=False)
    if not immutable.all_variables():
        return {}
    group = group_of(opened, IMMUTABLE, snapshot.immutable, snapshot.place(IMMUTABLE))
    return (yield from reading([group], immutable, dimension=opened.dimension))


def reading_partition(
    opened: OpenCollection,
    path: str,
    record: PartitionRecord,
    schema: DatasetSchema,
    immutable: Mapping[str, NDArray[Any]] | None = None,
    *,
    place: Place | None = None,
) -> Work[Dataset]:
    """Return the rows of one partition, with the variables of `schema` that it contains, and the given immutable variables.

    Raises
    ------
    ConflictError
        Another writer replaced the partition in the meantime, so that the values read may be inconsistent.
    """
    partitioned, group = opened.part(schema, partitioned=True), group_of(opened, path, record, place)
    try:
        arrays = yield from reading([group], partitioned, dimension=opened.dimension)
    except CorruptionError:
        yield from checking_current(opened, group, record)
        raise
    yield from checking_current(opened, group, record)
    return dataset_of(schema, arrays | dict(immutable or {}))


def reading_axis(opened: OpenCollection, path: str, record: PartitionRecord) -> Work[Dataset]:
    """Return the axis of one partition, if it is a variable: from the statistics if they describe every value, else from its chunks.

    Raises
    ------
    ConflictError
        Another writer replaced the partition in the meantime.
    """
    name = opened.axis_variable
    schema = opened.schema.select([] if name is None else [name])
    if name is not None:
        group, variable = group_of(opened, path, record), schema.get_variable(name)
        values = yield from statistics.reading_axis(group, variable, dimension=opened.dimension)
        if values is not None:
            yield from checking_current(opened, group, record)
            return dataset_of(schema, {name: values})
    return (yield from reading_partition(opened, path, record, schema))


def reading_axis_values(opened: OpenCollection, path: str, record: PartitionRecord) -> Work[NDArray[Any] | None]:
    """Return the axis of a partition; None if the axis is not a variable; raises the same errors as `reading_partition`."""
    axis = opened.axis_variable
    if axis is None:
        return None
    columns = yield from reading_partition(opened, path, record, opened.schema.select([axis]))
    return columns.get_variable(axis).to_numpy()


def checking_current(opened: OpenCollection, group: GroupRead, record: PartitionRecord) -> Work[None]:
    """Check, after reading a partition, that it is still the one that a record describes.

    Raises
    ------
    ConflictError
        Another writer has replaced it.
    """
    (document,) = yield from fetch([Read(group.document)])
    generation_check(opened, group.path, record)(document)


def source_of(opened: OpenCollection, path: str, record: PartitionRecord | None, place: Place | None = None) -> Source:
    """Return a partition as the source of a later read, with the check that it has not changed."""
    later = None if record is None else opened.versioning.kept_place(path, record)
    kept = None if later in {None, place} else group_of(opened, path, record, later)
    return Source(group=group_of(opened, path, record, place), check=generation_check(opened, path, record), kept=kept)


def generation_check(opened: OpenCollection, path: str, record: PartitionRecord | None) -> "GenerationCheck":
    """Return the check that a partition is still the one that a record describes."""
    generation = None if record is None else (record.stamp, record.key)
    # No partition is ever added to an older version, even if a newer version has one at the same path.
    is_settled = record is None and opened.versioning.pinned_at is not None
    return GenerationCheck(path=path, generation=generation, place=f"{opened.store.url}", is_settled=is_settled)


def dataset_of(schema: DatasetSchema, arrays: Mapping[str, NDArray[Any] | LazyRows]) -> Dataset:
    """Return a dataset of the variables of `schema` that have an array."""
    return Dataset(schema, {path: arrays[path] for path in schema.all_variables() if path in arrays})


@frozen(kw_only=True)
class GenerationCheck:
    """The check that a partition has the expected generation, made with its group document after its values were read."""

    path: str
    generation: tuple[str, Mapping[str, KeyValue]] | None
    place: str
    is_settled: bool = False

    def __call__(self, document: bytes | None) -> None:
        """Raise `OutdatedError` if the document belongs to another generation, or to another partition."""
        if not self.is_of(document):
            message = f"partition {self.path!r} of {self.place} was changed by another writer after it was looked up; query again"
            raise OutdatedError(message)

    def is_of(self, document: bytes | None) -> bool:
        """Return whether a document belongs to the expected generation."""
        if self.is_settled:
            return True
        what = f"the group document of partition {self.path!r}"
        record = None if document is None else PartitionRecord.from_group(document, what=what)
        return (None if record is None else (record.stamp, record.key)) == self.generation
