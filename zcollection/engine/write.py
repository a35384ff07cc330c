"""Groups written: every array of a dataset encoded and put under one prefix of a store."""

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
from zcollection.engine.statistics import Form, Gathering, Statistics, reading_statistics
from zcollection.engine.work import Remove, Share, Stage, Work, enumerated
from zcollection.errors import CorruptionError, SchemaError
from zcollection.model.dataset import Dataset
from zcollection.model.names import ancestors, join, split
from zcollection.model.schema import DatasetSchema

GROUP_DOCUMENT = "zarr.json"

_BATCH = 4 * 2**20
"""Bytes after which what was encoded is written, so that the same memory serves all chunks of a large partition."""

_TRIED = 3
"""Elements along each dimension of the array on which codecs are tried."""


@frozen(kw_only=True)
class GroupWrite:
    """What to write as one complete Zarr group.

    Attributes
    ----------
    schema
        Every variable that the group is to have, and no other.
    dimension, rows
        The partitioned dimension, and its length here.
    dataset
        The values; variables that it lacks become arrays without chunks, or are kept.
    packed
        Variables whose values in the dataset are packed already: the numbers that are stored.
    attributes
        Attributes of the root group, for the number of bytes that its arrays take.
    axis
        The axis, where it is a variable.
    owner
        What its statistics say that they are of.
    base
        The group that this one takes the place of; None where nothing of it is used.
    kept
        Variables whose objects are those of the base.
    source
        Where the rows of the dataset's variables come from, as in `RowPlan`: row s of the base where s >= 0, else row ~s of
        the dataset. None: they are those of the dataset.
    axis_values
        The axis of all rows, where they do not all come from the dataset and it is known.
    brings_rows
        Whether rows of the dataset come with this change; else they are values of rows that are there, or nobody knows which
        of them came.
    time
        When the change began, in milliseconds since 1970; None where nobody knows.
    deliveries
        When the rows were brought, where the caller knows.
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
"""Writes objects of a group that nobody reads yet."""


def staged(objects: Mapping[str, bytes | Pieces]) -> Work[None]:
    """Write objects where nobody else does."""
    yield Stage(objects)


def writing(prefix: str, group: GroupWrite, put: Put = staged) -> Work[int]:
    """Write a group under a prefix below which nothing lies, and return the bytes that its arrays take.

    Parameters
    ----------
    prefix
        Prefix of the group, ending with "/".
    group
        What.
    put
        Writes some of its objects, those of one array after those of the other by their keys, and its document last.
    """
    gathering = yield from _gathering(group)
    arrays = yield from _encoding(group, gathering)
    shared = yield from _enumerated_shares(group, arrays.shared, gathering)
    size = sum(entry.size for entry in shared)
    batch: dict[str, bytes | Pieces] = {}
    room = _BATCH
    for key, data in arrays.objects:
        gathering.chunk(key, data)
        batch[prefix + key] = data
        size, room = size + len(data), room - len(data)
        if room < 0:
            yield from put(batch)
            batch, room = {}, _BATCH
    yield from put({**batch, **_statistics(prefix, group, gathering), **_documents(prefix, group, size)})
    if group.base is not None and shared:
        base = group.base.prefix
        yield Share([(entry.key, prefix + entry.key.removeprefix(base)) for entry in shared])
    return size


def overwriting(prefix: str, group: GroupWrite) -> Work[int]:
    """Write a group in the place of the one that lies there, and return the bytes that its arrays take.

    What the group shares with its base stays where it is. For stores in which nobody sees a change in the making.
    """
    gathering = yield from _gathering(group)
    arrays = yield from _encoding(group, gathering)
    shared = yield from _enumerated_shares(group, arrays.shared, gathering)
    objects = {}
    for key, data in arrays.objects:
        gathering.chunk(key, data)
        objects[prefix + key] = data
    size = sum(map(len, objects.values())) + sum(entry.size for entry in shared)
    objects |= {**_statistics(prefix, group, gathering), **_documents(prefix, group, size)}
    if shared:
        kept = objects.keys() | {entry.key for entry in shared}
        present = yield from enumerated(prefix)
        yield Remove([entry.key for entry in present if entry.key not in kept])
    else:
        yield Remove([prefix])
    yield Stage(objects)
    return size


def _gathering(group: GroupWrite) -> Work[Gathering]:
    """Return what gathers the statistics of a group, with those of the group that it takes the place of."""
    base = group.base
    known = None if base is None else (yield from reading_statistics(base, dimension=group.dimension))
    return Gathering(
        form=Form.of(group.schema, group.axis, dimension=group.dimension, rows=group.rows),
        dimension=group.dimension,
        deliveries=_deliveries(group, known),
        base=None if base is None or known is None else (base, known),
    )


def _deliveries(group: GroupWrite, known: Statistics | None) -> Deliveries:
    """Return when the rows of a group were brought, given the statistics of the group that it takes the place of."""
    if group.deliveries is not None:
        return group.deliveries
    if group.base is None:
        return Deliveries.at(group.time if group.brings_rows else None, group.rows)
    before = Deliveries.from_json(None if known is None else known.deliveries, rows=group.base.rows)
    if group.source is None:
        return before
    if group.brings_rows:
        return before.merged(group.source, group.time)
    staying = group.source >= 0  # the others are rows that are there, with new values
    return before.chosen(np.where(staying, group.source, np.arange(len(group.source))))


def _statistics(prefix: str, group: GroupWrite, gathering: Gathering) -> dict[str, bytes]:
    """Return the statistics of a group by their key in the store."""
    key = gathering.form.key
    return {} if key is None else {prefix + key: gathering.dump(group.owner)}


def _encoding(group: GroupWrite, gathering: Gathering) -> Work[Encoded]:
    """Return the objects of a group's arrays."""
    if group.axis_values is not None:
        gathering.axis(group.axis_values)
    if group.base is not None and group.source is not None:
        return (
            yield from rewriting(
                group.base,
                group.schema,
                group.dataset,
                group.source,
                kept=group.kept,
                dimension=group.dimension,
                gathering=gathering,
            )
        )
    described = _described_anew(group)
    for path in group.kept:
        gathering.kept(path)
    shared = (f"{path}/c/" if dimensions else f"{path}/c" for path, dimensions in described.items())
    return Encoded(
        _arrays(group, described, gathering), (*shared, *(f"{path}/" for path in group.kept - described.keys()))
    )


def _described_anew(group: GroupWrite) -> dict[str, int]:
    """Return the variables that are kept and have another document than in the base, and their numbers of dimensions.

    A document names the coordinates of its variable, of which others may have come or gone.
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


def _arrays(group: GroupWrite, described: Container[str], gathering: Gathering) -> Iterator[tuple[str, bytes | Pieces]]:
    held = group.dataset.all_variables()
    written = [path for path in group.schema.all_variables() if path not in group.kept or path in described]
    layouts = ArrayLayout.several(group.schema, written, dimension=group.dimension, rows=group.rows)
    for layout in layouts:
        yield layout.document_key, layout.document
        if layout.path in held and layout.path not in group.kept:
            values, is_packed = held[layout.path].to_numpy(), layout.path in group.packed
            if layout.path in {group.axis, *gathering.form.zoned}:
                declared = declared_values(values, layout.variable) if is_packed else values
                gathering.values(layout.path, declared)
                if layout.path == group.axis:
                    gathering.axis(declared)
            yield from encode_array(layout, values, is_stored=is_packed)


def _enumerated_shares(group: GroupWrite, shared: tuple[str, ...], gathering: Gathering) -> Work[list[Listed]]:
    """Return the objects of the base that have one of these keys, or lie below one that ends with a slash.

    Its statistics are none of them: they are those of an older generation.

    Raises
    ------
    CorruptionError
        One of them is missing.
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
    gathering.shared(chosen)
    return list(chosen.values())


def _documents(prefix: str, group: GroupWrite, size: int) -> dict[str, bytes]:
    """Return the documents of a group and those below it by their keys in the store, its own last."""
    documents = {prefix + key: data for key, data in subgroup_documents(group.schema).items()}
    return {**documents, prefix + GROUP_DOCUMENT: group_document(group.attributes(size))}


def parent_documents(paths: Iterable[str]) -> dict[str, bytes]:
    """Return the documents of the groups on the way to partitions, which make the tree readable for other tools."""
    parents = {parent for path in paths for parent in ancestors(split(path)[0])}
    return {join(parent, GROUP_DOCUMENT): group_document({}) for parent in sorted(parents) if parent}


def abandoned_documents(dropped: Iterable[str], partitions: Iterable[str]) -> set[str]:
    """Return the keys of the documents of groups that led to partitions which were dropped, and lead to no other."""
    there = list(partitions)
    needed = {*parent_documents(there), *(join(path, GROUP_DOCUMENT) for path in there)}
    return parent_documents(dropped).keys() - needed


def validate_codecs(schema: DatasetSchema, *, dimension: str) -> None:
    """Try the codecs of every variable on a small array.

    Raises
    ------
    SchemaError
        A codec is unknown, not installed, or refuses its configuration or the variable's type.
    """
    for path, variable in schema.all_variables().items():
        whole = ArrayLayout.of(schema, path, dimension=dimension, rows=_TRIED)
        shape = tuple(min(length, _TRIED) for length in whole.shape)
        layout = evolve(whole, shape=shape, chunks=shape, inner_chunks=whole.inner_chunks and shape)
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

    # Released versions of zarr-python shuffle the strings of a transposed array.
    numbers = np.arange(np.prod(layout.shape, dtype=np.int64)).reshape(layout.shape)
    values = numbers.astype(np.str_).astype(dtype)
    out = np.empty_like(values)
    fallback.decode(layout, {key: bytes(data) for key, data in encode_array(layout, values)}, out)
    if not np.array_equal(values, out):
        message = "what is read back is not what was written"
        raise ValueError(message)
