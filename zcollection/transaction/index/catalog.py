"""The catalog: an index of the partitions in one object, so that readers need not list the directories.

The catalog is stored in the only chunk of a Zarr array of one string, so that its ``zarr.json`` never changes and one
atomic write replaces it. It is a checkpoint of the log: it names its version, and readers apply the later versions to it.
A damaged or lost catalog hides nothing: the partitions are found by listing, and the next writer writes a new catalog. The
catalog of a large collection is the root of segments, each of which is a separate object.
"""

import json
import struct
import zlib
from collections.abc import Collection, Mapping
from typing import Final

from attrs import define, evolve, field, frozen
from numcodecs.zstd import Zstd

from zcollection.contracts.objects import Read
from zcollection.contracts.store import Fence, KeyStore, unfenced
from zcollection.engine.direct import zstd_length
from zcollection.engine.work import Work, fetch, perform_one
from zcollection.errors import CorruptionError
from zcollection.model import documents
from zcollection.transaction.documents import CATALOG, PartitionRecord
from zcollection.transaction.index.partitions import Candidates, Partitions
from zcollection.transaction.index.segments import FOLDER, Segments
from zcollection.transaction.version import IS_VERSION, RecordId

_LARGEST: Final = 128 * 2**20
"""Largest accepted size of a catalog, in bytes: several million partitions."""

_MOST_KEPT: Final = 4
_LARGEST_KEPT: Final = 4 * 2**20
"""Number of catalogs kept in memory, and the largest size of each in bytes: about 200,000 partitions."""

_ROOT: Final = 2
"""Format version of the root of segments."""

_CHUNK: Final = f"{CATALOG}/c/0"
READ: Final = Read(_CHUNK, most=_LARGEST + 1)
"""The read of the catalog."""


@frozen
class Checkpoint:
    """The partitions of a collection at one version.

    Attributes
    ----------
    record
        Identity of the commit record of that version: the checkpoint is valid if the log contains this record.
    partitions
        The record of each partition, by path; of a large collection in segments, of which some are loaded.
    immutable
        The record of the immutable variables; None while none has been written.
    configuration
        The version at which the configuration was written.
    schema
        The version at which the schema or the partitioning was last changed; 0 if neither was changed.
    """

    record: RecordId = field(factory=RecordId)
    partitions: Partitions | Segments = field(factory=Partitions)
    immutable: PartitionRecord | None = None
    configuration: int = field(default=0, validator=IS_VERSION)
    schema: int = field(default=0, validator=IS_VERSION)

    @property
    def version(self) -> int:
        """Number of the version."""
        return self.record.number

    def succeeds(self, older: "Checkpoint") -> bool:
        """Return whether this checkpoint is newer than another, or was rebuilt with other segments."""
        if isinstance(self.partitions, Segments) and isinstance(older.partitions, Segments):
            return self.version >= older.version and self.partitions.objects != older.partitions.objects
        return self.version > older.version


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


async def save(
    store: KeyStore, checkpoint: Checkpoint, *, in_segments: bool, removes: bool = True, fence: Fence = unfenced
) -> None:
    """Write the catalog.

    Parameters
    ----------
    store
        The store of the collection.
    checkpoint
        The checkpoint to write; changed segments must be loaded, and all segments if the catalog becomes one object.
    in_segments
        Whether the catalog is written in segments.
    removes
        Whether segments that are no longer used are removed.
    fence
        The fence of the writer's lease, on a store without a lock.
    """
    known = checkpoint.partitions
    obsolete = sorted(known.objects) if isinstance(known, Segments) else []
    if in_segments:
        known = await _cut(store, known) if isinstance(known, Partitions) else known
        known, objects, obsolete = known.to_write(checkpoint.version)
        await store.put(objects)
        await store.flush(FOLDER)
        await fence()
        if not store.has_lock and await _is_overtaken(store, checkpoint):
            return  # no root names the segments just written, and a vacuum removes them
    elif isinstance(known, Segments):
        known = known.for_candidates()
    await store.put({_CHUNK: _encode(_dump(evolve(checkpoint, partitions=known)))})
    if obsolete and removes:
        await fence()
        await store.delete(obsolete)


async def _is_overtaken(store: KeyStore, checkpoint: Checkpoint) -> bool:
    """Return whether another writer has stored a newer checkpoint, with segments that this one does not contain."""
    stored = await load(store)
    return stored is not None and stored.version > checkpoint.version


def dump(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as bytes, which `parsed` reads."""
    return _encode(_dump(checkpoint))


async def _cut(store: KeyStore, partitions: Partitions) -> Segments:
    """Return partitions in segments, as a replacement of the stored segments."""
    stored = await load(store)
    before = None if stored is None else stored.partitions
    new = Segments.of(partitions)
    return new.replacing(before) if isinstance(before, Segments) else new


async def load(store: KeyStore) -> Checkpoint | None:
    """Return the checkpoint in the catalog, without loaded segments; None if the catalog is missing or damaged."""
    return await perform_one(store, loading())


def loading_candidates(checkpoint: Checkpoint, candidates: Candidates) -> Work[Checkpoint]:
    """Return a checkpoint with the segments of candidates loaded.

    Raises
    ------
    CorruptionError
        A segment is missing or damaged.
    """
    known = checkpoint.partitions
    if not isinstance(known, Segments):
        return checkpoint
    return evolve(checkpoint, partitions=(yield from known.loading(known.containing(candidates))))


def loading_changed(checkpoint: Checkpoint, written: Collection[str], dropped: Collection[str]) -> Work[Checkpoint]:
    """Return a checkpoint with the segments loaded that a change needs; raises as `loading_candidates`."""
    known = checkpoint.partitions
    if not isinstance(known, Segments):
        return checkpoint
    return evolve(checkpoint, partitions=(yield from known.loading(known.to_change(written, dropped))))


async def unnamed_segments(store: KeyStore) -> dict[str, float]:
    """Return the time of each segment that the root does not name, so that no reader needs it, by key."""
    checkpoint = await load(store)
    known = None if checkpoint is None else checkpoint.partitions
    named = known.objects if isinstance(known, Segments) else set()
    entries = [entry async for entry in store.list(FOLDER)]
    return {entry.key: entry.modified or 0.0 for entry in entries if entry.key not in named}


def loading() -> Work[Checkpoint | None]:
    """Return the checkpoint in the catalog, as `load`, from the store that performs the work."""
    (data,) = yield from fetch([READ])
    return parsed(data)


def parsed(data: bytes | None) -> Checkpoint | None:
    """Return the checkpoint in the bytes of a catalog; None if they are missing or damaged."""
    if data is None:
        return None
    try:
        return _RECENT.checkpoint(data)
    except (
        CorruptionError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RuntimeError,
        MemoryError,
        struct.error,
    ):
        return None  # the catalog can always be rebuilt: a damaged one counts as missing


@define
class _Recent:
    """A cache of parsed catalogs, by their bytes: most operations read an unchanged catalog again."""

    _known: tuple[tuple[bytes, Checkpoint], ...] = ()

    def checkpoint(self, data: bytes) -> Checkpoint:
        """Return the checkpoint in the bytes; it is immutable, so that several callers can share it."""
        known = self._known
        for content, checkpoint in known:
            if content == data:
                return checkpoint
        found = _parse(_decode(data))
        if len(data) <= _LARGEST_KEPT:
            self._known = ((data, found), *known[: _MOST_KEPT - 1])
        return found


_RECENT: Final = _Recent()


_MEMBER: Final[Mapping[type, str]] = {Partitions: "partitions", Segments: "segments"}
_VERSION: Final[Mapping[str, int]] = {"partitions": documents.FORMAT_VERSION, "segments": _ROOT}
"""Format version of the catalog by the JSON member that contains the partitions."""


def _dump(checkpoint: Checkpoint) -> bytes:
    value = {
        "version": checkpoint.version,
        **({"transaction": checkpoint.record.transaction} if checkpoint.record.transaction else {}),
        "configuration": checkpoint.configuration,
        **({"schema": checkpoint.schema} if checkpoint.schema else {}),
        **({"tag": checkpoint.record.tag} if checkpoint.record.tag else {}),
        "immutable": documents.CONVERTER.unstructure(checkpoint.immutable),
        _MEMBER[type(checkpoint.partitions)]: checkpoint.partitions.to_json(),
    }
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    head = {"format_version": _VERSION[_MEMBER[type(checkpoint.partitions)]], "checksum": zlib.crc32(body)}
    return json.dumps(head).encode() + b"\n" + body


def _parse(document: bytes) -> Checkpoint:
    what = "the catalog"
    head, _, body = document.partition(b"\n")
    stated = documents.parse_json(head, what=what)
    value = documents.parse_json(body, what=what)
    member = "segments" if "segments" in value else "partitions"
    if stated != {"format_version": _VERSION[member], "checksum": zlib.crc32(body)}:
        message = f"{what} has the wrong format version or checksum"
        raise CorruptionError(message)
    immutable = value["immutable"]
    return Checkpoint(
        RecordId(value["version"], value.get("transaction"), value.get("tag")),
        Segments.from_json(value[member]) if member == "segments" else Partitions.from_json(value[member]),
        None if immutable is None else documents.structure(immutable, PartitionRecord, what=what),
        value["configuration"],
        value.get("schema", 0),
    )


def _encode(text: bytes) -> bytes:
    """Return one string, in UTF-8, as the chunk of the array: Zarr's vlen-utf8, then zstd."""
    return bytes(Zstd(1).encode(struct.pack("<II", 1, len(text)) + text))


def _decode(chunk: bytes) -> bytes:
    size = zstd_length(chunk)
    if not 0 <= size <= _LARGEST:
        message = f"the catalog claims a size of {size} bytes; accepted: up to {_LARGEST}"
        raise CorruptionError(message)
    data = bytes(Zstd(1).decode(chunk))
    count, length = struct.unpack_from("<II", data)
    if count != 1 or len(data) != length + 8:
        message = "the catalog is not one string"
        raise CorruptionError(message)
    return data[8:]
