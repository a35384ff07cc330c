# The functions of os are quicker than those of pathlib.
# ruff: noqa: PTH102
"""The floor's chunks and files."""

import json
import math
import os
import struct
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import google_crc32c
import numpy as np
import zarr
from attrs import frozen
from layouts import Layout, Variable
from numcodecs import GZip, Zstd
from numcodecs.blosc import Blosc
from numpy.typing import NDArray

from peers.zarr_python import settings

GROUP: Final = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'
_SHUFFLES: Final = {"noshuffle": Blosc.NOSHUFFLE, "shuffle": Blosc.SHUFFLE, "bitshuffle": Blosc.BITSHUFFLE}


class _Checksum:
    """What ``crc32c`` puts behind a content."""

    def encode(self, content: Any) -> bytes:
        plain = bytes(memoryview(content).cast("B"))
        return plain + struct.pack("<I", google_crc32c.value(plain))

    def decode(self, content: bytes, out: NDArray[Any] | None = None) -> Any:
        if struct.unpack("<I", content[-4:])[0] != google_crc32c.value(content[:-4]):
            message = "the checksum is another"
            raise ValueError(message)
        if out is not None:
            out.reshape(-1).view(np.uint8)[...] = np.frombuffer(content[:-4], np.uint8)
        return memoryview(content)[:-4]


_CODECS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "blosc": lambda c: Blosc(c["cname"], c["clevel"], _SHUFFLES[c["shuffle"]], c.get("blocksize", 0)),
    "crc32c": lambda _: _Checksum(),
    "gzip": lambda c: GZip(c["level"]),
    "zstd": lambda c: Zstd(c["level"], c.get("checksum", False)),
}


@frozen
class Chunk:
    """Some rows of an array, in one file.

    Attributes
    ----------
    path
        The array.
    key
        The file, within the partition.
    start, stop
        The rows.
    shape
        Shape of a whole chunk; one at the edge is padded to it.
    dtype
        Of the array.
    codecs
        The compressors.
    """

    path: str
    key: str
    start: int
    stop: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    codecs: tuple[Any, ...]

    def encode(self, values: NDArray[Any]) -> Any:
        content: Any = values if values.shape == self.shape else self._padded(values)
        for codec in self.codecs:
            content = codec.encode(content)
        return content

    def _padded(self, values: NDArray[Any]) -> NDArray[Any]:
        chunk = np.zeros(self.shape, self.dtype)
        chunk[: len(values)] = values
        return chunk

    def read(self, file: str, out: NDArray[Any]) -> None:
        content: Any = _read(file)
        for codec in self.codecs[:0:-1]:
            content = codec.decode(content)
        if self.codecs and out.shape == self.shape:
            self.codecs[0].decode(content, out)
            return
        plain = self.codecs[0].decode(content) if self.codecs else content
        out[...] = np.frombuffer(plain, self.dtype).reshape(self.shape)[: len(out)]


def chunks(layout: Layout, rows: int, variables: Sequence[Variable] | None = None) -> list[Chunk]:
    """Return the chunks of a partition with so many rows."""
    found = []
    for item in layout.variables if variables is None else variables:
        shape = layout.chunks(item, rows)
        codecs = tuple(_CODECS[c["name"]](c.get("configuration", {})) for c in layout.compressors(item.path))
        for position in range(math.ceil(rows / shape[0])):
            key = "/".join([item.path, "c", str(position), *("0" for _ in item.inner)])
            start = position * shape[0]
            stop = min(rows, start + shape[0])
            found.append(Chunk(item.path, key, start, stop, shape, np.dtype(item.dtype), codecs))
    return found


def folders(group: Iterable[Chunk]) -> list[str]:
    """Return the directories within a partition, parents first."""
    found: dict[str, None] = {}
    for chunk in group:
        parts = chunk.key.split("/")[:-1]
        found.update(("/".join(parts[: depth + 1]), None) for depth in range(len(parts)))
    return list(found)


def parents(layout: Layout) -> list[str]:
    """Return the directories above the partitions, parents first."""
    found: dict[str, None] = {}
    for part in layout.partitions:
        parts = part.path.split("/")[:-1]
        found.update(("/".join(parts[: depth + 1]), None) for depth in range(len(parts)))
    return list(found)


def documents(layout: Layout, rows: int) -> dict[str, bytes]:
    """Return the documents of a partition with so many rows, made by zarr-python."""
    store = zarr.storage.MemoryStore()
    group = zarr.create_group(store)
    for item in layout.variables:
        group.create_array(item.path, **settings(layout, item, rows))
    return {key: value.to_bytes() for key, value in store._store_dict.items()}


def resized(group: dict[str, bytes], rows: int) -> dict[str, bytes]:
    """Return the documents of a partition with another number of rows."""
    bodies = {key: json.loads(data) for key, data in group.items()}
    for body in bodies.values():
        if "shape" in body:
            body["shape"][0] = rows
    return {key: json.dumps(body).encode() for key, body in bodies.items()}


def make_group(folder: str, within: Iterable[str], group: dict[str, bytes]) -> None:
    """Make the directories of a partition, and write its documents."""
    os.mkdir(folder)
    for name in within:
        os.mkdir(f"{folder}/{name}")
    for key, data in group.items():
        write(f"{folder}/{key}", data)


def write(file: str, data: Any) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    os.write(descriptor, data)
    os.close(descriptor)


def _read(file: str) -> bytes:
    descriptor = os.open(file, os.O_RDONLY)
    data = os.read(descriptor, os.fstat(descriptor).st_size)
    os.close(descriptor)
    return data


def on_threads(threads: int, function: Callable[[Any], None], items: Sequence[Any]) -> None:
    """Call a function on every item; the threads take them from one iterator."""
    supply = iter(items)

    def work() -> None:
        for item in supply:
            function(item)

    if threads == 1 or len(items) == 1:
        work()
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work) for _ in range(threads)]:
            done.result()
