"""The partition index: one object, in columns, that spares readers the walk through the directories.

It lies in the only chunk of a Zarr array of one string, so that its ``zarr.json`` never changes and the whole of it is
replaced by one atomic write. A writer marks it stale before it touches a partition, and writes it anew afterwards: what
a dead writer left is never believed, and the partitions are found by walking until the next commit.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

from numcodecs.zstd import Zstd

from zcollection.contracts.store import KeyStore, Read
from zcollection.errors import CorruptionError, PartitionError
from zcollection.model import documents
from zcollection.transaction.documents import CATALOG, PartitionRecord, validate_path

_CHUNK: Final = f"{CATALOG}/c/0"
_STALE: Final = '{"stale":true}'
_COLUMNS: Final = ("key", "rows", "stamp", "layout", "absent", "axis_range", "stored_bytes")


def array_document() -> dict[str, bytes]:
    """Return the document of the catalog's array, by key."""
    body = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [1],
        "data_type": "string",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": "",
        "codecs": [
            {"name": "vlen-utf8", "configuration": {}},
            {"name": "zstd", "configuration": {"level": 1, "checksum": False}},
        ],
        "attributes": {"description": "Index of the partitions of this collection, in JSON"},
        "dimension_names": ["_catalog_row"],
    }
    return {f"{CATALOG}/zarr.json": json.dumps(body, indent=1).encode()}


async def mark_stale(store: KeyStore) -> None:
    """Say that the catalog is not to be believed."""
    await store.put({_CHUNK: _encode(_STALE)})


async def save(store: KeyStore, partitions: Mapping[str, PartitionRecord]) -> None:
    """Write the catalog."""
    await store.put({_CHUNK: _encode(_to_text(partitions))})


async def load(store: KeyStore) -> dict[str, PartitionRecord] | None:
    """Return the partitions by path, or None where there is no catalog, or none to be believed."""
    data = (await store.get([Read(_CHUNK)]))[0]
    if data is None:
        return None
    try:
        text = _decode(data)
        return None if text == _STALE else _from_text(text)
    except (CorruptionError, PartitionError, KeyError, TypeError, ValueError, RuntimeError, struct.error):
        return None  # it can always be rebuilt: a damaged one is as good as none


def _to_text(partitions: Mapping[str, PartitionRecord]) -> str:
    columns: dict[str, list[Any]] = {
        name: [getattr(record, name) for record in partitions.values()] for name in _COLUMNS
    }
    body = json.dumps({"path": list(partitions), **columns}, ensure_ascii=False, separators=(",", ":"))
    head = {"format_version": documents.FORMAT_VERSION, "checksum": zlib.crc32(body.encode())}
    return f"{json.dumps(head)}\n{body}"


def _from_text(text: str) -> dict[str, PartitionRecord]:
    what = "the catalog"
    head, _, body = text.partition("\n")
    stated = documents.parse_json(head.encode(), what=what)
    if stated != {"format_version": documents.FORMAT_VERSION, "checksum": zlib.crc32(body.encode())}:
        message = f"{what} has another version or checksum than it should"
        raise CorruptionError(message)
    columns = documents.parse_json(body.encode(), what=what)
    rows = zip(*(columns[name] for name in ("path", *_COLUMNS)), strict=True)
    return {validate_path(path): _record(dict(zip(_COLUMNS, values, strict=True))) for path, *values in rows}


def _record(values: Mapping[str, Any]) -> PartitionRecord:
    """Return a record from a row of the columns; a checksum has said that we wrote them."""
    limits = values["axis_range"]
    return PartitionRecord(
        **{**values, "absent": tuple(values["absent"]), "axis_range": None if limits is None else tuple(limits)}
    )


def _encode(text: str) -> bytes:
    """Return one string as the chunk of the array: Zarr's vlen-utf8, then zstd."""
    data = text.encode()
    return bytes(Zstd(1).encode(struct.pack("<II", 1, len(data)) + data))


def _decode(chunk: bytes) -> str:
    data = bytes(Zstd(1).decode(chunk))
    count, length = struct.unpack_from("<II", data)
    if count != 1 or len(data) != length + 8:
        message = "the catalog is not one string"
        raise CorruptionError(message)
    return data[8:].decode()
