"""Layout of a variable as a Zarr array: shape, chunks, codecs and ``zarr.json``, all derived from the schema."""

import base64
import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection.contracts.objects import Read
from zcollection.model.codecs import Codec
from zcollection.model.dtypes import default_fill, scalar_to_json
from zcollection.model.schema import DatasetSchema, Dimension, VariableSchema
from zcollection.model.times import TimeUnits, has_time_units, units_of

_CHUNK_BYTES = 4 * 2**20
"""Largest size of a chunk if the schema does not declare one."""

_OVERHEAD = 4096
_INNER_OVERHEAD = 256
"""Largest number of bytes that codecs add to a chunk, and that codecs and the shard's index add to each chunk inside a shard."""

_LARGEST_STRINGS = 2**31
"""Largest accepted size of a chunk of strings, in bytes: blosc does not make larger buffers."""

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)

_UNIT_NAMES = {
    "D": "days",
    "h": "hours",
    "m": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}


Chunk = tuple[str, tuple[int, ...]]
"""The key of a chunk within the partition, and its index."""


@frozen(kw_only=True, eq=False)  # compared by identity: each is made once, and is a key of caches
class ArrayLayout:
    """One variable of one partition as a Zarr array.

    Attributes
    ----------
    path
        Path of the variable within the partition.
    variable
        Its schema.
    shape
        Shape of the array.
    chunks
        Shape of the part that is stored as one object: a chunk, or a shard.
    inner_chunks
        Shape of the chunks inside a shard; None without sharding.
    coordinates
        Names of the coordinates that its document refers to.
    origin
        For a part of an array, the index of its first chunk in the full array; None for the full array.
    """

    path: str
    variable: VariableSchema
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    inner_chunks: tuple[int, ...] | None = field(default=None)
    coordinates: tuple[str, ...] = field(default=())
    origin: tuple[int, ...] | None = field(default=None)

    @classmethod
    def of(cls, schema: DatasetSchema, path: str, *, dimension: str, rows: int) -> "ArrayLayout":
        """Return the layout of a variable; cached per schema object.

        Parameters
        ----------
        schema
            The dataset's schema.
        path
            The variable.
        dimension, rows
            The dimension without a declared size, and its length in this partition.
        """
        return _layout_of(Identity(schema), path, dimension, rows)

    @classmethod
    def several(
        cls, schema: DatasetSchema, paths: Iterable[str], *, dimension: str, rows: int
    ) -> "tuple[ArrayLayout, ...]":
        """Return the layouts of several variables, in the order of their keys."""
        return _layouts_of(Identity(schema), tuple(paths), dimension, rows)

    @cached_property
    def codecs(self) -> tuple[Codec, ...]:
        """The codecs of the array's document."""
        if self.inner_chunks is None:
            return self.variable.codecs
        configuration = {
            "chunk_shape": list(self.inner_chunks),
            "codecs": [dict(codec) for codec in self.variable.codecs],
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
            "index_location": "end",
        }
        return ({"name": "sharding_indexed", "configuration": configuration},)

    @cached_property
    def declared_fill(self) -> NDArray[Any]:
        """Fill value in the declared type, shape (1,); the default of the type if the schema has none."""
        if self.variable.packing is not None:
            return declared_values(np.array([self.fill]), self.variable)
        fill = self.variable.fill_value
        value = np.asarray(default_fill(self.variable.dtype) if fill is None else fill, dtype=self.variable.dtype)
        return value.reshape(1)

    @cached_property
    def fill(self) -> Any:
        """Fill value of the array, in the stored type."""
        if self.variable.packing is not None:
            return self.variable.packing.dtype.type(self.variable.packing.fill_value or 0)
        return stored_values(self.declared_fill, self.variable)[0]

    @cached_property
    def document(self) -> bytes:
        """The array's ``zarr.json``."""
        body = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": _data_type(self.variable.stored_dtype),
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.chunks)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": scalar_to_json(self.fill, self.variable.stored_dtype),
            "codecs": [dict(codec) for codec in self.codecs],
            "attributes": _attributes(self.variable, self.fill, self.coordinates),
            "dimension_names": list(self.variable.dimensions),
        }
        return _JSON.encode(body).encode()

    @cached_property
    def chunk_indices(self) -> tuple[tuple[int, ...], ...]:
        """Index of every chunk, in row-major order."""
        return tuple(product(*map(range, self.chunk_counts)))

    @cached_property
    def chunk_counts(self) -> tuple[int, ...]:
        """Number of chunks along each dimension."""
        return tuple(math.ceil(length / chunk) for length, chunk in zip(self.shape, self.chunks, strict=True))

    @cached_property
    def chunk_parts(self) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        """Key of every chunk, and the index of the part of the array that it covers, in row-major order."""
        return tuple((self.chunk_key(index), self.chunk_slices(index)) for index in self.chunk_indices)

    @cached_property
    def last_chunk(self) -> tuple[int, ...]:
        """Index of the last chunk, computed without listing the others."""
        return tuple(-(-length // chunk) - 1 for length, chunk in zip(self.shape, self.chunks, strict=True))

    @cached_property
    def chunk_count(self) -> int:
        """Number of chunks."""
        return math.prod(last + 1 for last in self.last_chunk)

    @cached_property
    def chunk_bytes(self) -> int:
        """Bytes of a decoded chunk; at least 1."""
        return max(math.prod(self.chunks) * self.variable.stored_dtype.itemsize, 1)

    @cached_property
    def largest_chunk(self) -> int:
        """Largest size of an encoded chunk or shard in bytes: twice the decoded size plus overhead, which no codec exceeds.

        A constant for strings, whose length is not limited.
        """
        if self.variable.dtype.kind == "T":
            return _LARGEST_STRINGS
        inner = math.prod(self.inner_chunks or self.chunks)
        values = math.prod(self.chunks)
        return 2 * values * self.variable.stored_dtype.itemsize + _OVERHEAD + values // inner * _INNER_OVERHEAD

    def chunk_read(self, prefix: str, key: str) -> Read:
        """Return the read of a chunk, limited to one byte more than is valid, which reveals a chunk that is too large."""
        return Read(prefix + key, most=self.largest_chunk + 1)

    def chunk_key(self, index: tuple[int, ...]) -> str:
        """Return the key of a chunk within the partition, such as ``ssh/c/0/0``."""
        if self.origin is not None:
            index = tuple(first + number for first, number in zip(self.origin, index, strict=True))
        return _chunk_key(self.path, index)

    def keys_along(self, position: int, chunks: range) -> Iterator[str]:
        """Return the keys of a run of chunks along one dimension of a full array, in row-major order."""
        ranges = [range(count) for count in self.chunk_counts]
        ranges[position] = chunks
        return chunk_keys(self.path, ranges)

    def part(self, position: int, chunks: range) -> "ArrayLayout":
        """Return the layout of a run of chunks along one dimension; they have the same keys as in the full array."""
        length = self.chunks[position]
        stop = min(chunks.stop * length, self.shape[position])
        if chunks.start == 0 and stop == self.shape[position]:
            return self
        shape, origin = list(self.shape), [0] * len(self.shape)
        shape[position], origin[position] = max(stop - chunks.start * length, 0), chunks.start
        return self._part(tuple(shape), tuple(origin))

    def single(self, index: tuple[int, ...]) -> "ArrayLayout":
        """Return the layout of one chunk; it has the same key as in the full array."""
        shape = tuple(
            min((number + 1) * length, size) - number * length
            for number, length, size in zip(index, self.chunks, self.shape, strict=True)
        )
        return self._part(shape, index)

    def _part(self, shape: tuple[int, ...], origin: tuple[int, ...]) -> "ArrayLayout":
        return ArrayLayout(
            path=self.path,
            variable=self.variable,
            shape=shape,
            chunks=self.chunks,
            inner_chunks=self.inner_chunks,
            coordinates=self.coordinates,
            origin=origin,
        )

    def chunk_slices(self, index: tuple[int, ...]) -> tuple[Any, ...]:
        """Return the index of the part of the array that a chunk covers; it gives a view even of a scalar array."""
        slices = (
            slice(position * chunk, min((position + 1) * chunk, length))
            for position, chunk, length in zip(index, self.chunks, self.shape, strict=True)
        )
        return (*slices, ...)

    @cached_property
    def chunk_dtype(self) -> np.dtype[Any]:
        """Type of the elements in a decoded chunk, little-endian."""
        return self.variable.stored_dtype.newbyteorder("<")

    @cached_property
    def document_key(self) -> str:
        """Key of the array's document within the partition."""
        return f"{self.path}/zarr.json"


def chunk_keys(path: str, ranges: Iterable[range]) -> Iterator[str]:
    """Return the keys of some chunks of an array, given by their numbers along each dimension, in row-major order."""
    return (_chunk_key(path, index) for index in product(*ranges))


def _chunk_key(path: str, index: tuple[int, ...]) -> str:
    if len(index) == 1:
        return f"{path}/c/{index[0]}"
    return "/".join([path, "c", *map(str, index)])


class Identity:
    """A schema as a cache key, compared by identity, which is faster than comparing all variables."""

    __slots__ = ("schema",)

    def __init__(self, schema: DatasetSchema) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self.schema is other.schema


@lru_cache(maxsize=8192)
def _layout_of(key: Identity, path: str, dimension: str, rows: int) -> ArrayLayout:
    schema = key.schema
    variable, dimensions = schema.get_variable(path), schema.dimensions_of(path)
    shape = tuple(rows if item.name == dimension and item.size is None else item.size or 0 for item in dimensions)
    chunks = tuple(
        _clip(_chunk_length(item, variable, shape, position), length)
        for position, (item, length) in enumerate(zip(dimensions, shape, strict=True))
    )
    coordinates = schema.coordinates_of(path, _stored_with(key, dimension, schema.spans(path, dimension)))
    if not any(item.shards for item in dimensions):
        return ArrayLayout(path=path, variable=variable, shape=shape, chunks=chunks, coordinates=coordinates)
    shards = tuple(
        math.ceil(_clip(item.shards or length, length) / chunk) * chunk
        for item, chunk, length in zip(dimensions, chunks, shape, strict=True)
    )
    return ArrayLayout(
        path=path, variable=variable, shape=shape, chunks=shards, inner_chunks=chunks, coordinates=coordinates
    )


@lru_cache(maxsize=1024)
def _stored_with(key: Identity, dimension: str, spanning: bool) -> frozenset[str]:
    """Return the variables that are stored together: the partitioned ones if `spanning`, else the immutable ones."""
    schema = key.schema
    return frozenset(path for path in schema.all_variables() if schema.spans(path, dimension) is spanning)


@lru_cache(maxsize=8192)
def _layouts_of(key: Identity, paths: tuple[str, ...], dimension: str, rows: int) -> tuple[ArrayLayout, ...]:
    layouts = [_layout_of(key, path, dimension, rows) for path in paths]
    return tuple(sorted(layouts, key=lambda layout: layout.document_key))


def _chunk_length(item: Dimension, variable: VariableSchema, shape: tuple[int, ...], position: int) -> int:
    if item.chunks is not None:
        return item.chunks
    if item.size is not None:
        return item.size
    row_size = math.prod(shape[:position] + shape[position + 1 :])
    rows = _CHUNK_BYTES // max(1, row_size * variable.stored_dtype.itemsize)
    return 1 << max(0, rows.bit_length() - 1)  # a power of two, regardless of the other dimensions


def _clip(chunk: int, length: int) -> int:
    return max(1, min(chunk, length))


def _data_type(dtype: np.dtype[Any]) -> str | dict[str, Any]:
    """Return the name of a type in a Zarr v3 document; fixed-width strings are named as by zarr-python."""
    if dtype.kind == "T":
        return "string"
    if dtype.kind == "S":
        return {"name": "null_terminated_bytes", "configuration": {"length_bytes": dtype.itemsize}}
    if dtype.kind == "U":
        return {"name": "fixed_length_utf32", "configuration": {"length_bytes": dtype.itemsize}}
    return dtype.name


def _attributes(variable: VariableSchema, fill: Any, coordinates: tuple[str, ...]) -> dict[str, Any]:
    attributes = dict(variable.attrs)
    if variable.packing is not None:
        attributes |= variable.packing.attributes
    if coordinates:
        attributes.setdefault("coordinates", " ".join(coordinates))
    if variable.dtype.kind == "M" and not has_time_units(attributes):
        attributes["units"] = f"{_unit_name(variable.dtype)} since 1970-01-01"
        attributes["calendar"] = "proleptic_gregorian"
    if variable.dtype.kind == "m":
        attributes["units"] = _unit_name(variable.dtype)
        attributes["dtype"] = variable.dtype.name
    if (variable.fill_value is not None or variable.dtype.kind in "mM") and variable.stored_dtype.kind not in "SUT":
        attributes["_FillValue"] = _fill_attribute(fill, variable.stored_dtype)
    return attributes


def _unit_name(dtype: np.dtype[Any]) -> str:
    return _UNIT_NAMES[np.datetime_data(dtype)[0]]


def _fill_attribute(fill: Any, dtype: np.dtype[Any]) -> Any:
    """Return a fill value as xarray writes it in the attributes of a Zarr v3 array: floats as a base64-encoded double."""
    if dtype.kind == "c":
        return [_double(fill.real), _double(fill.imag)]
    return _double(fill) if dtype.kind == "f" else scalar_to_json(fill, dtype)


def _double(value: float) -> str:
    return base64.standard_b64encode(struct.pack("<d", float(value))).decode()


def stored_values(values: NDArray[Any], variable: VariableSchema, *, start: int = 0) -> NDArray[Any]:
    """Return a variable's values as the array stores them: packed, and times as numbers in their CF units.

    Parameters
    ----------
    values
        Values of the declared type.
    variable
        The schema of the variable.
    start
        The number of the first row, for messages.
    """
    if variable.packing is not None:
        return variable.packing.pack(values, name=variable.name, start=start)
    if variable.dtype.kind not in "mM":
        return values
    units = _declared_units(variable)
    return values.view(np.int64) if units is None else units.encode(values, name=variable.name)


def declared_values(stored: NDArray[Any], variable: VariableSchema) -> NDArray[Any]:
    """Return stored values as values of the declared type: the inverse of `stored_values`."""
    if variable.packing is not None:
        return variable.packing.unpack(stored, variable.dtype)
    if variable.dtype.kind not in "mM":
        return stored
    units = _declared_units(variable)
    return stored.view(variable.dtype) if units is None else units.decode(stored).astype(variable.dtype)


def stored_view(values: NDArray[Any], variable: VariableSchema) -> NDArray[Any] | None:
    """Return a view of declared values as stored values; None if storing them needs a conversion."""
    if variable.packing is not None or _declared_units(variable) is not None:
        return None
    return values.view(np.int64) if variable.dtype.kind in "mM" else values


def _declared_units(variable: VariableSchema) -> TimeUnits | None:
    """Return the CF units that a datetime64 variable declares, or None; without them its int64 values are stored."""
    if variable.dtype.kind == "M" and has_time_units(variable.attrs):
        return units_of(variable.attrs, name=variable.name)
    return None


def as_stored(schema: DatasetSchema) -> DatasetSchema:
    """Return a schema that reads packed variables as their stored numbers; cached per schema object."""
    return _as_stored(Identity(schema))


@lru_cache(maxsize=256)
def _as_stored(key: Identity) -> DatasetSchema:
    packed = {
        path: evolve(variable, dtype=variable.packing.dtype, packing=None, fill_value=variable.packing.fill_value)
        for path, variable in key.schema.all_variables().items()
        if variable.packing is not None
    }
    return key.schema.with_variables(packed) if packed else key.schema


def group_document(attributes: Mapping[str, Any]) -> bytes:
    """Return the ``zarr.json`` of a group."""
    body = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
    return _JSON.encode(body).encode()


def subgroup_documents(schema: DatasetSchema) -> Mapping[str, bytes]:
    """Return the ``zarr.json`` of every group of a schema except the root, by key."""
    return _subgroup_documents(Identity(schema))


@lru_cache(maxsize=1024)
def _subgroup_documents(key: Identity) -> Mapping[str, bytes]:
    return {f"{path}/zarr.json": group_document(group.attrs) for path, group in key.schema.walk() if path}
