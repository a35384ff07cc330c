"""Encodes and decodes arrays with zarr-python: variable-length strings, sharding, filters and third-party codecs.

The array is written to or read from a store in memory, so that this module has the same interface as `direct`: bytes
by key.
"""

from collections.abc import Mapping
from typing import Any

import zarr
from numpy.typing import NDArray
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.storage import MemoryStore

from zcollection.engine import direct
from zcollection.engine.layout import ArrayLayout


def encode(layout: ArrayLayout, values: NDArray[Any]) -> dict[str, bytes]:
    """Return every chunk of an array by its key; chunks of fill values are included."""
    objects = {"zarr.json": _buffer(layout.document)}
    array = zarr.open_array(MemoryStore(objects), mode="r+").with_config({"write_empty_chunks": True})
    array[...] = values
    return {layout.chunk_key(index): objects[_key(index)].to_bytes() for index in layout.chunk_indices}


def decode(layout: ArrayLayout, chunks: Mapping[str, bytes], out: NDArray[Any]) -> None:
    """Decode all chunks of an array, given by key, into an output array."""
    for data in chunks.values():
        direct.check_count(layout, data)
    objects = {_key(index): _buffer(chunks[layout.chunk_key(index)]) for index in layout.chunk_indices}
    objects["zarr.json"] = _buffer(layout.document)
    out[...] = zarr.open_array(MemoryStore(objects), mode="r")[...]


def _key(index: tuple[int, ...]) -> str:
    """Return the key of a chunk of an array at the root of a store."""
    return "/".join(["c", *map(str, index)])


def _buffer(data: bytes) -> Buffer:
    return default_buffer_prototype().buffer.from_bytes(data)
