"""How a variable lies in a Zarr array: shape, chunks, codecs, and the array's document, all known from the schema."""

import base64
import json
import math
import struct
from collections.abc import Iterable, Mapping
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
"""Size that a chunk has at most where the schema leaves the choice to the engine."""

_OVERHEAD = 4096
_INNER_OVERHEAD = 256
"""Bytes that codecs add at most to a chunk, and with the index of a shard to each of those in it."""

_LARGEST_TEXTS = 2**31
"""Bytes that a chunk of texts, which may be of any length, has at most: blosc makes none that are larger."""

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


@frozen(kw_only=True, eq=False)  # compared by identity: each is made once, and what follows from it is remembered
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
        Shape of what is stored as one object: a chunk, or a shard.
    inner_chunks
        Shape of the chunks inside a shard; None without sharding.
    coordinates
        Names of the coordinates that its document refers to.
    origin
        For a part of an array, the index of its first chunk in the whole; None for the whole.
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
        """Return the layout of a variable; of one schema object each is made once.

        Parameters
        ----------
        schema
            The dataset's schema.
        path
            The variable.
        dimension, rows
            The dimension without a size of its own, and its length here.
        """
        return _laid_out(Identity(schema), path, dimension, rows)

    @classmethod
    def several(
        cls, schema: DatasetSchema, paths: Iterable[str], *, dimension: str, rows: int
    ) -> "tuple[ArrayLayout, ...]":
        """Return the layouts of several variables, as `of`, in the order of their keys."""
        return _all_laid_out(Identity(schema), tuple(paths), dimension, rows)

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
        """Fill value, that of the type where the schema has none; shape (1,), in the declared type."""
        if self.variable.packing is not None:
            return declared_values(np.array([self.fill]), self.variable)
        fill = self.variable.fill_value
        value = np.asarray(default_fill(self.variable.dtype) if fill is None else fill, dtype=self.variable.dtype)
        return value.reshape(1)

    @cached_property
    def fill(self) -> Any:
        """Fill value of the array, in the type that is stored."""
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
        counts = (math.ceil(length / chunk) for length, chunk in zip(self.shape, self.chunks, strict=True))
        return tuple(product(*(range(count) for count in counts)))

    @cached_property
    def chunk_places(self) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        """Key of every chunk, and the part of the array that it holds, in row-major order."""
        return tuple((self.chunk_key(index), self.chunk_slices(index)) for index in self.chunk_indices)

    @cached_property
    def last_chunk(self) -> tuple[int, ...]:
        """Index of the last chunk, told without those before it."""
        return tuple(-(-length // chunk) - 1 for length, chunk in zip(self.shape, self.chunks, strict=True))

    @cached_property
    def chunk_count(self) -> int:
        """Number of chunks."""
        return math.prod(last + 1 for last in self.last_chunk)

    @cached_property
    def chunk_bytes(self) -> int:
        """Bytes of a chunk, decoded; at least 1."""
        return max(math.prod(self.chunks) * self.variable.stored_dtype.itemsize, 1)

    @cached_property
    def largest_chunk(self) -> int:
        """Bytes that a chunk, or a shard, has at most: twice what it decodes to, for no codec makes more of it; texts apart."""
        if self.variable.dtype.kind == "T":
            return _LARGEST_TEXTS
        inner = math.prod(self.inner_chunks or self.chunks)
        values = math.prod(self.chunks)
        return 2 * values * self.variable.stored_dtype.itemsize + _OVERHEAD + values // inner * _INNER_OVERHEAD

    def chunk_read(self, prefix: str, key: str) -> Read:
        """Return the read of a chunk, of no more than shows that it is too large."""
        return Read(prefix + key, most=self.largest_chunk + 1)

    def chunk_key(self, index: tuple[int, ...]) -> str:
        """Return the key of a chunk within the partition, such as ``ssh/c/0/0``."""
        if self.origin is not None:
            index = tuple(first + number for first, number in zip(self.origin, index, strict=True))
        if len(index) == 1:
            return f"{self.path}/c/{index[0]}"
        return "/".join([self.path, "c", *map(str, index)])

    def part(self, position: int, chunks: range) -> "ArrayLayout":
        """Return the layout of a run of whole chunks along one dimension; their keys are those in the whole."""
        length = self.chunks[position]
        stop = min(chunks.stop * length, self.shape[position])
        if chunks.start == 0 and stop == self.shape[position]:
            return self
        shape, origin = list(self.shape), [0] * len(self.shape)
        shape[position], origin[position] = max(stop - chunks.start * length, 0), chunks.start
        return evolve(self, shape=tuple(shape), origin=tuple(origin))

    def single(self, index: tuple[int, ...]) -> "ArrayLayout":
        """Return the layout of one chunk; its key is that in the whole."""
        shape = tuple(
            min((number + 1) * length, size) - number * length
            for number, length, size in zip(index, self.chunks, self.shape, strict=True)
        )
        return evolve(self, shape=shape, origin=index)

    def chunk_slices(self, index: tuple[int, ...]) -> tuple[Any, ...]:
        """Return the part of the array that a chunk holds, as an index that makes a view even of a scalar array."""
        slices = (
            slice(position * chunk, min((position + 1) * chunk, length))
            for position, chunk, length in zip(index, self.chunks, self.shape, strict=True)
        )
        return (*slices, ...)

    @cached_property
    def chunk_dtype(self) -> np.dtype[Any]:
        """Type of the elements in the bytes of a chunk."""
        return self.variable.stored_dtype.newbyteorder("<")

    @cached_property
    def document_key(self) -> str:
        """Key of the array's document within the partition."""
        return f"{self.path}/zarr.json"


class Identity:
    """A schema as a key: equal to itself alone, which is quicker to tell than whether all that it holds is equal."""

    __slots__ = ("schema",)

    def __init__(self, schema: DatasetSchema) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self.schema is other.schema


@lru_cache(maxsize=8192)
def _laid_out(key: Identity, path: str, dimension: str, rows: int) -> ArrayLayout:
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
    """Return the variables that lie in one group, those of partitions or those that are stored once."""
    schema = key.schema
    return frozenset(path for path in schema.all_variables() if schema.spans(path, dimension) is spanning)


@lru_cache(maxsize=8192)
def _all_laid_out(key: Identity, paths: tuple[str, ...], dimension: str, rows: int) -> tuple[ArrayLayout, ...]:
    layouts = [_laid_out(key, path, dimension, rows) for path in paths]
    return tuple(sorted(layouts, key=lambda layout: layout.document_key))


def _chunk_length(item: Dimension, variable: VariableSchema, shape: tuple[int, ...], position: int) -> int:
    if item.chunks is not None:
        return item.chunks
    if item.size is not None:
        return item.size
    others = math.prod(shape[:position] + shape[position + 1 :])
    rows = _CHUNK_BYTES // max(1, others * variable.stored_dtype.itemsize)
    return 1 << max(0, rows.bit_length() - 1)  # a power of two, whatever the other dimensions are


def _clip(chunk: int, length: int) -> int:
    return max(1, min(chunk, length))


def _data_type(dtype: np.dtype[Any]) -> str | dict[str, Any]:
    """Return the name of a type in a Zarr v3 document, those of fixed-width strings as zarr-python writes them."""
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
    """Return a fill value as xarray writes it in the attributes of a Zarr v3 array: floats as base64 of a double."""
    if dtype.kind == "c":
        return [_double(fill.real), _double(fill.imag)]
    return _double(fill) if dtype.kind == "f" else scalar_to_json(fill, dtype)


def _double(value: float) -> str:
    return base64.standard_b64encode(struct.pack("<d", float(value))).decode()


def stored_values(values: NDArray[Any], variable: VariableSchema, *, start: int = 0) -> NDArray[Any]:
    """Return a variable's values as the array stores them: packed, and times as the numbers that their units count.

    Parameters
    ----------
    values
        Of the declared type.
    variable
        Its schema.
    start
        The number of the first row, for messages.
    """
    if variable.packing is not None:
        return variable.packing.pack(values, name=variable.name, start=start)
    if variable.dtype.kind not in "mM":
        return values
    units = _foreign_units(variable)
    return values.view(np.int64) if units is None else units.encode(values, name=variable.name)


def declared_values(stored: NDArray[Any], variable: VariableSchema) -> NDArray[Any]:
    """Return what an array stores as values of the declared type: the inverse of `stored_values`."""
    if variable.packing is not None:
        return variable.packing.unpack(stored, variable.dtype)
    if variable.dtype.kind not in "mM":
        return stored
    units = _foreign_units(variable)
    return stored.view(variable.dtype) if units is None else units.decode(stored).astype(variable.dtype)


def in_place(values: NDArray[Any], variable: VariableSchema) -> NDArray[Any] | None:
    """Return values of the declared type as what is stored, in the same memory; None where they are other numbers."""
    if variable.packing is not None or _foreign_units(variable) is not None:
        return None
    return values.view(np.int64) if variable.dtype.kind in "mM" else values


def _foreign_units(variable: VariableSchema) -> TimeUnits | None:
    """Return the units of a datetime64 that declares some: its own integers already count the others'."""
    if variable.dtype.kind == "M" and has_time_units(variable.attrs):
        return units_of(variable.attrs, name=variable.name)
    return None


def as_stored(schema: DatasetSchema) -> DatasetSchema:
    """Return a schema by which packed variables are read as the numbers that are stored; of one schema it is made once."""
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
    """Return the ``zarr.json`` of every group of a schema but the root, by key."""
    return _subgroup_documents(Identity(schema))


@lru_cache(maxsize=1024)
def _subgroup_documents(key: Identity) -> Mapping[str, bytes]:
    return {f"{path}/zarr.json": group_document(group.attrs) for path, group in key.schema.walk() if path}
