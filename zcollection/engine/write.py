"""Groups written: every array of a dataset encoded and put under one prefix of a store."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection.engine import direct
from zcollection.engine.layout import ArrayLayout, group_document, stored_values
from zcollection.engine.work import Stage, Work
from zcollection.errors import SchemaError
from zcollection.model.dataset import Dataset
from zcollection.model.names import ancestors, join, split
from zcollection.model.schema import DatasetSchema

GROUP_DOCUMENT = "zarr.json"

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
        The values; variables that it lacks become arrays without chunks, or are kept from elsewhere.
    kept
        Variables whose objects are put in place by other means.
    attributes
        Attributes of the root group, for the number of bytes that its arrays take.
    """

    schema: DatasetSchema
    dimension: str
    rows: int
    dataset: Dataset
    kept: frozenset[str] = frozenset()
    attributes: Callable[[int], Mapping[str, Any]]


def writing(prefix: str, group: GroupWrite) -> Work[int]:
    """Write a group under a prefix that nobody reads yet, and return the bytes that its arrays take.

    Parameters
    ----------
    prefix
        Prefix of the group, ending with "/".
    group
        What.
    """
    arrays = encode_arrays(group)
    yield Stage(_complete(prefix, group, arrays))
    return _size(arrays)


def encode_arrays(group: GroupWrite) -> dict[str, bytes]:
    """Return every object of a group's arrays, by key within the group."""
    objects: dict[str, bytes] = {}
    held = group.dataset.all_variables()
    for path in group.schema.all_variables():
        if path in group.kept:
            continue
        layout = ArrayLayout.of(group.schema, path, dimension=group.dimension, rows=group.rows)
        objects[layout.document_key] = layout.document
        if path in held:
            objects |= encode_array(layout, held[path].to_numpy())
    return objects


def _size(objects: Mapping[str, bytes]) -> int:
    return sum(map(len, objects.values()))


def _complete(prefix: str, group: GroupWrite, arrays: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the objects of a group by their keys in the store, the group's own document last."""
    documents = {join(path, GROUP_DOCUMENT): group_document(node.attrs) for path, node in group.schema.walk() if path}
    documents[GROUP_DOCUMENT] = group_document(group.attributes(_size(arrays)))
    return {prefix + key: data for key, data in (*arrays.items(), *documents.items())}


def encode_array(layout: ArrayLayout, values: NDArray[Any]) -> dict[str, bytes]:
    """Return every chunk of an array by its key.

    Parameters
    ----------
    layout
        The array.
    values
        Values of the declared type, of the layout's shape.
    """
    stored = stored_values(np.ascontiguousarray(values).reshape(layout.shape), layout.variable)
    if direct.supports(layout):
        return direct.encode(layout, stored)
    from zcollection.engine import fallback  # loads zarr

    return fallback.encode(layout, stored)


def parent_documents(paths: Iterable[str]) -> dict[str, bytes]:
    """Return the documents of the groups on the way to partitions, which make the tree readable for other tools."""
    parents = {parent for path in paths for parent in ancestors(split(path)[0])}
    return {join(parent, GROUP_DOCUMENT): group_document({}) for parent in sorted(parents) if parent}


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
        encode_array(layout, np.zeros(layout.shape, dtype=dtype))
        return
    from zcollection.engine import fallback  # loads zarr

    # Released versions of zarr-python shuffle the strings of a transposed array.
    numbers = np.arange(np.prod(layout.shape, dtype=np.int64)).reshape(layout.shape)
    values = numbers.astype(np.str_).astype(dtype)
    out = np.empty_like(values)
    fallback.decode(layout, encode_array(layout, values), out)
    if not np.array_equal(values, out):
        message = "what is read back is not what was written"
        raise ValueError(message)
