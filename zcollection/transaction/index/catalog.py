"""The partition index: one object, in columns, that spares readers the walk through the directories.

It lies in the only chunk of a Zarr array of one string, so that its ``zarr.json`` never changes and the whole of it is
replaced by one atomic write. It is a checkpoint of the log: it says up to which version it holds, and readers apply the
versions after that one. A damaged or lost one hides nothing: the partitions are found by walking, and the next writer
makes a new one. That of a large collection is the root of segments, each an object of its own.
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
"""Bytes beyond which a catalog is no longer believed: some million partitions."""

_MOST_KEPT: Final = 4
_LARGEST_KEPT: Final = 4 * 2**20
"""How many catalogs, of how many bytes each, are kept in memory: some 200,000 partitions."""

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
        The record of that version: the checkpoint is believed where the log has this one.
    partitions
        What each partition says of itself, by path; of a large collection in segments, of which some are held.
    immutable
        The same of the variables that do not span the axis; None while none has been written.
    configuration
        The version at which the configuration was written.
    schema
        The version at which its schema or its partitioning was last changed since; 0 while neither was.
    """

    record: RecordId = field(factory=RecordId)
    partitions: Partitions | Segments = field(factory=Partitions)
    immutable: PartitionRecord | None = None
    configuration: int = field(default=0, validator=IS_VERSION)
    schema: int = field(default=0, validator=IS_VERSION)

    @property
    def version(self) -> int:
        """Its number."""
        return self.record.number

    def succeeds(self, older: "Checkpoint") -> bool:
        """Return whether this is a newer one, or one that was made anew: of other segments."""
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
        Where.
    checkpoint
        What is to be written; segments that are to be written, or all that are to become one object, are held.
    in_segments
        Which form it is to have.
    removes
        Whether segments that are no longer used are removed.
    fence
        That of the writer, where it holds no lock.
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
            return  # nobody names what was written, and vacuum removes it
    elif isinstance(known, Segments):
        known = known.chosen()
    await store.put({_CHUNK: _encode(_dump(evolve(checkpoint, partitions=known)))})
    if obsolete and removes:
        await fence()
        await store.delete(obsolete)


async def _is_overtaken(store: KeyStore, checkpoint: Checkpoint) -> bool:
    """Return whether there is a newer checkpoint by now, some of whose segments this one knows nothing of."""
    there = await load(store)
    return there is not None and there.version > checkpoint.version


def dump(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as `understood` reads it, whole."""
    return _encode(_dump(checkpoint))


async def _cut(store: KeyStore, partitions: Partitions) -> Segments:
    """Return partitions in segments, which take the place of those that there are."""
    there = await load(store)
    before = None if there is None else there.partitions
    found = Segments.of(partitions)
    return found.in_place_of(before) if isinstance(before, Segments) else found


async def load(store: KeyStore) -> Checkpoint | None:
    """Return the checkpoint, or None where there is no catalog, or none to be believed; no segment is held."""
    return await perform_one(store, loading())


def holding(checkpoint: Checkpoint, candidates: Candidates) -> Work[Checkpoint]:
    """Return a checkpoint that holds the partitions that are asked for.

    Raises
    ------
    CorruptionError
        A segment is missing, or is not what was written.
    """
    known = checkpoint.partitions
    if not isinstance(known, Segments):
        return checkpoint
    return evolve(checkpoint, partitions=(yield from known.holding(known.containing(candidates))))


def changing(checkpoint: Checkpoint, written: Collection[str], dropped: Collection[str]) -> Work[Checkpoint]:
    """Return a checkpoint that holds what is needed to change partitions; raises as `holding`."""
    known = checkpoint.partitions
    if not isinstance(known, Segments):
        return checkpoint
    return evolve(checkpoint, partitions=(yield from known.holding(known.to_change(written, dropped))))


async def unnamed_segments(store: KeyStore) -> dict[str, float]:
    """Return the segments that the root does not name, and so no reader needs, by key with the time of each."""
    checkpoint = await load(store)
    known = None if checkpoint is None else checkpoint.partitions
    named = known.objects if isinstance(known, Segments) else set()
    entries = [entry async for entry in store.list(FOLDER)]
    return {entry.key: entry.modified or 0.0 for entry in entries if entry.key not in named}


def loading() -> Work[Checkpoint | None]:
    """Return the same; the store is the one that performs the work."""
    (data,) = yield from fetch([READ])
    return understood(data)


def understood(data: bytes | None) -> Checkpoint | None:
    """Return the checkpoint that the catalog's bytes hold, or None where there are none to be believed."""
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
        return None  # it can always be rebuilt: a damaged one is as good as none


@define
class _Recent:
    """The catalogs that were read last, by their bytes: between two of them most operations read the same one again."""

    _known: tuple[tuple[bytes, Checkpoint], ...] = ()

    def checkpoint(self, data: bytes) -> Checkpoint:
        """Return what the bytes say; a checkpoint never changes, and may be used by many."""
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
"""Format versions by the member that holds the partitions."""


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
        message = f"{what} has another version or checksum than it should"
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
        message = f"the catalog is said to have {size} bytes; accepted: up to {_LARGEST}"
        raise CorruptionError(message)
    data = bytes(Zstd(1).decode(chunk))
    count, length = struct.unpack_from("<II", data)
    if count != 1 or len(data) != length + 8:
        message = "the catalog is not one string"
        raise CorruptionError(message)
    return data[8:]
