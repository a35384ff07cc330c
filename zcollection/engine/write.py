"""Writes groups: every array of a dataset is encoded and written under one prefix of a store."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection.contracts.objects import Listed, Pieces
from zcollection.engine.deliveries import Deliveries
from zcollection.engine.encode import Encoded, encode_array
from zcollection.engine.layout import ArrayLayout, declared_values, group_document, subgroup_documents
from zcollection.engine.read import GroupRead
from zcollection.engine.rewrite import rewriting
from zcollection.engine.statistics import Form, Statistics, StatisticsBuilder, reading_statistics
from zcollection.engine.work import Remove, Share, Stage, Work, enumerated
from zcollection.errors import CorruptionError, SchemaError
from zcollection.model.dataset import Dataset
from zcollection.model.names import ancestors, join, split
from zcollection.model.schema import DatasetSchema

GROUP_DOCUMENT = "zarr.json"

_BATCH = 4 * 2**20
"""Bytes of encoded chunks that are written by one request; limits the memory that a large partition needs."""

_TRIAL_LENGTH = 3
"""Length of each dimension of the array on which codecs are tried."""


@frozen(kw_only=True)
class GroupWrite:
    """A description of one complete Zarr group to write.

    Attributes
    ----------
    schema
        Exactly the variables that the group will have.
    dimension, rows
        The partitioned dimension, and its length in this group.
    dataset
        The values. Variables absent from it become arrays without chunks, unless they are in `kept`.
    packed
        Variables whose values in the dataset are already packed, as stored.
    attributes
        Returns the attributes of the root group, given the number of bytes of its arrays.
    axis
        The axis, if it is a variable.
    owner
        The owner of the statistics, as `owner_of` returns it.
    base
        The group that this one replaces, if some of its objects or statistics are used; otherwise None.
    kept
        Variables whose objects are shared with the base.
    source
        Origin of the rows of the dataset's variables, as in `RowPlan`: row s of the base where s >= 0, else row ~s of
        the dataset. None if all rows come from the dataset.
    axis_values
        The axis of all rows, if they do not all come from the dataset and the axis is known.
    brings_rows
        Whether this change inserts the rows of the dataset. If not, they are new values for existing rows, or it is not
        known which of them are new.
    time
        When the change began, in milliseconds since 1970; None if unknown.
    deliveries
        The insertion times of the rows; None if the caller does not know them.
    """

    schema: DatasetSchema
    dimension: str
    rows: int
    dataset: Dataset
    attributes: Callable[[int], Mapping[str, Any]]
    packed: frozenset[str] = frozenset()
    axis: str | None = None
    owner: str = ""
    base: GroupRead | None = None
    kept: frozenset[str] = frozenset()
    source: NDArray[np.int64] | None = field(default=None, eq=False)
    axis_values: NDArray[Any] | None = field(default=None, eq=False)
    brings_rows: bool = False
    time: int | None = None
    deliveries: Deliveries | None = field(default=None, eq=False)


Put = Callable[[Mapping[str, bytes | Pieces]], Work[None]]
"""Writes objects of a group that no reader can see yet."""


def staged(objects: Mapping[str, bytes | Pieces]) -> Work[None]:
    """Write objects under a prefix that no other writer uses."""
    yield Stage(objects)


def writing(prefix: str, group: GroupWrite, put: Put = staged) -> Work[int]:
    """Write a group under an empty prefix, and return the number of bytes of its arrays.

    Parameters
    ----------
    prefix
        Prefix of the group, ending with "/".
    group
        The group to write.
    put
        Writes a batch of objects. It is called array by array, in the order of their keys, and for the group's document last.
    """
    statistics = yield from _statistics_builder(group)
    arrays = yield from _encoding(group, statistics)
    shared = yield from _enumerated_shares(group, arrays.shared, statistics)
    size = sum(entry.size for entry in shared)
    batch: dict[str, bytes | Pieces] = {}
    room = _BATCH
    for key, data in arrays.objects:
        statistics.chunk(key, data)
        batch[prefix + key] = data
        size, room = size + len(data), room - len(data)
        if room < 0:
            yield from put(batch)
            batch, room = {}, _BATCH
    yield from put({**batch, **_statistics(prefix, group, statistics), **_documents(prefix, group, size)})
    if group.base is not None and shared:
        base = group.base.prefix
        yield Share([(entry.key, prefix + entry.key.removeprefix(base)) for entry in shared])
    return size


def overwriting(prefix: str, group: GroupWrite) -> Work[int]:
    """Replace the group under a prefix, and return the number of bytes of the new arrays.

    Objects shared with the base are not touched. Only for stores in which no reader sees a change before its commit.
    """
    statistics = yield from _statistics_builder(group)
    arrays = yield from _encoding(group, statistics)
    shared = yield from _enumerated_shares(group, arrays.shared, statistics)
    objects = {}
    for key, data in arrays.objects:
        statistics.chunk(key, data)
        objects[prefix + key] = data
    size = sum(map(len, objects.values())) + sum(entry.size for entry in shared)
    objects |= {**_statistics(prefix, group, statistics), **_documents(prefix, group, size)}
    if shared:
        kept = objects.keys() | {entry.key for entry in shared}
        present = yield from enumerated(prefix)
        yield Remove([entry.key for entry in present if entry.key not in kept])
    else:
        yield Remove([prefix])
    yield Stage(objects)
    return size


def _statistics_builder(group: GroupWrite) -> Work[StatisticsBuilder]:
    """Return the builder of the statistics of a group, with the statistics of the group that it replaces."""
    base = group.base
    known = None if base is None else (yield from reading_statistics(base, dimension=group.dimension))
    return StatisticsBuilder(
        form=Form.of(group.schema, group.axis, dimension=group.dimension, rows=group.rows),
        dimension=group.dimension,
        deliveries=_deliveries(group, known),
        base=None if base is None or known is None else (base, known),
    )


def _deliveries(group: GroupWrite, known: Statistics | None) -> Deliveries:
    """Return the insertion times of the rows of a group, given the statistics of the group that it replaces."""
    if group.deliveries is not None:
        return group.deliveries
    if group.base is None:
        return Deliveries.at(group.time if group.brings_rows else None, group.rows)
    before = Deliveries.from_json(None if known is None else known.deliveries, rows=group.base.rows)
    if group.source is None:
        return before
    if group.brings_rows:
        return before.merged(group.source, group.time)
    staying = group.source >= 0  # all other rows exist in the base and get new values
    return before.chosen(np.where(staying, group.source, np.arange(len(group.source))))


def _statistics(prefix: str, group: GroupWrite, statistics: StatisticsBuilder) -> dict[str, bytes]:
    """Return the statistics of a group by their key in the store."""
    key = statistics.form.key
    return {} if key is None else {prefix + key: statistics.dump(group.owner)}


def _encoding(group: GroupWrite, statistics: StatisticsBuilder) -> Work[Encoded]:
    """Return the encoded arrays of a group."""
    if group.axis_values is not None:
        statistics.axis(group.axis_values)
    if group.base is not None and group.source is not None:
        return (
            yield from rewriting(
                group.base,
                group.schema,
                group.dataset,
                group.source,
                kept=group.kept,
                dimension=group.dimension,
                statistics=statistics,
            )
        )
    redescribed = _changed_documents(group)
    for path in group.kept:
        statistics.kept(path)
    shared = (f"{path}/c/" if dimensions else f"{path}/c" for path, dimensions in redescribed.items())
    return Encoded(
        _arrays(group, redescribed, statistics), (*shared, *(f"{path}/" for path in group.kept - redescribed.keys()))
    )


def _changed_documents(group: GroupWrite) -> dict[str, int]:
    """Return the kept variables whose document differs from that in the base, with their number of dimensions.

    A document names the coordinates of its variable; coordinates may have been added or dropped.
    """
    base = group.base
    if base is None:
        return {}
    found = {}
    for path in group.kept:
        before = ArrayLayout.of(base.schema, path, dimension=group.dimension, rows=base.rows)
        after = ArrayLayout.of(group.schema, path, dimension=group.dimension, rows=group.rows)
        if before.coordinates != after.coordinates:
            found[path] = len(after.shape)
    return found


def _arrays(
    group: GroupWrite, redescribed: Container[str], statistics: StatisticsBuilder
) -> Iterator[tuple[str, bytes | Pieces]]:
    values_by_path = group.dataset.all_variables()
    written = [path for path in group.schema.all_variables() if path not in group.kept or path in redescribed]
    layouts = ArrayLayout.several(group.schema, written, dimension=group.dimension, rows=group.rows)
    for layout in layouts:
        yield layout.document_key, layout.document
        if layout.path in values_by_path and layout.path not in group.kept:
            values, is_packed = values_by_path[layout.path].to_numpy(), layout.path in group.packed
            if layout.path in {group.axis, *statistics.form.zoned}:
                declared = declared_values(values, layout.variable) if is_packed else values
                statistics.values(layout.path, declared)
                if layout.path == group.axis:
                    statistics.axis(declared)
            yield from encode_array(layout, values, is_stored=is_packed)


def _enumerated_shares(group: GroupWrite, shared: tuple[str, ...], statistics: StatisticsBuilder) -> Work[list[Listed]]:
    """Return the objects of the base with the keys `shared`, or under those that end with a slash.

    The statistics of the base are left out: they belong to the older generation.

    Raises
    ------
    CorruptionError
        An object is missing.
    """
    if group.base is None or not shared:
        return []
    prefix, folders, keys = group.base.prefix, tuple(key for key in shared if key.endswith("/")), set(shared)
    entries = yield from enumerated(prefix)
    found = {entry.key.removeprefix(prefix): entry for entry in entries}
    found.pop(Form.of_group(group.base, dimension=group.dimension).key or "", None)
    missing = sorted(key for key in keys - found.keys() if not key.endswith("/"))
    if missing:
        message = f"partition {group.base.path!r}: {missing[0]!r} is missing; insert the partition again, or drop it"
        raise CorruptionError(message)
    chosen = {key: entry for key, entry in found.items() if key in keys or key.startswith(folders)}
    statistics.shared(chosen)
    return list(chosen.values())


def _documents(prefix: str, group: GroupWrite, size: int) -> dict[str, bytes]:
    """Return the documents of a group and of its subgroups by their keys in the store, its own last."""
    documents = {prefix + key: data for key, data in subgroup_documents(group.schema).items()}
    return {**documents, prefix + GROUP_DOCUMENT: group_document(group.attributes(size))}


def parent_documents(paths: Iterable[str]) -> dict[str, bytes]:
    """Return the documents of the parent groups of partitions, which other Zarr tools need to read the tree."""
    parents = {parent for path in paths for parent in ancestors(split(path)[0])}
    return {join(parent, GROUP_DOCUMENT): group_document({}) for parent in sorted(parents) if parent}


def abandoned_documents(dropped: Iterable[str], partitions: Iterable[str]) -> set[str]:
    """Return the keys of the documents of parent groups that have no partition left after some were dropped."""
    remaining = list(partitions)
    needed = {*parent_documents(remaining), *(join(path, GROUP_DOCUMENT) for path in remaining)}
    return parent_documents(dropped).keys() - needed


def validate_codecs(schema: DatasetSchema, *, dimension: str) -> None:
    """Try the codecs of every variable on a small array.

    Raises
    ------
    SchemaError
        A codec is unknown or not installed, or rejects its configuration or the variable's type.
    """
    for path, variable in schema.all_variables().items():
        full = ArrayLayout.of(schema, path, dimension=dimension, rows=_TRIAL_LENGTH)
        shape = tuple(min(length, _TRIAL_LENGTH) for length in full.shape)
        layout = evolve(full, shape=shape, chunks=shape, inner_chunks=full.inner_chunks and shape)
        try:
            _try_codecs(layout)
        except Exception as error:
            codecs = ", ".join(codec["name"] for codec in variable.codecs)
            message = f"variable {path!r} cannot be encoded with the codecs {codecs}: {error}"
            raise SchemaError(message) from error


def _try_codecs(layout: ArrayLayout) -> None:
    dtype = layout.variable.dtype
    if dtype.kind != "T":
        dict(encode_array(layout, np.zeros(layout.shape, layout.variable.stored_dtype), is_stored=True))
        return
    from zcollection.engine import fallback  # loads zarr

    # Released versions of zarr-python return the strings of a transposed array in the wrong order.
    numbers = np.arange(np.prod(layout.shape, dtype=np.int64)).reshape(layout.shape)
    values = numbers.astype(np.str_).astype(dtype)
    out = np.empty_like(values)
    fallback.decode(layout, {key: bytes(data) for key, data in encode_array(layout, values)}, out)
    if not np.array_equal(values, out):
        message = "the values read back differ from those written"
        raise ValueError(message)
