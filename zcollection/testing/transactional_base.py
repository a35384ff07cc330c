"""What the checks of transactional stores have in common: hierarchies written, committed and read."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from zcollection.contracts.objects import Read
from zcollection.contracts.transactional import StoreFork, StoreSession, TransactionalStore
from zcollection.testing.store_base import StoreSuite
from zcollection.testing.suite import skip_unless
from zcollection.transaction.native.zarr_objects import SessionObjects, SnapshotObjects

GROUP: Final = {"zarr_format": 3, "node_type": "group", "attributes": {}}
ARRAY: Final = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [5],
    "data_type": "int16",
    "fill_value": 0,
    "attributes": {},
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [3]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
}

METADATA: Final[Mapping[str, Any]] = {"zcollection": {"operation": "insert", "rows": 3, "exact": True}}


class TransactionalSuite(StoreSuite[TransactionalStore]):
    """Base of the checks of transactional stores: which store, where, and what its users call a snapshot."""

    async def tag(self, store: TransactionalStore, name: str, snapshot: str) -> None:
        """Give a snapshot a name, where the store has such; replace this to have tags checked."""
        raise NotImplementedError

    def _skip_unless_cross_process(self, store: TransactionalStore) -> None:
        skip_unless(store.cross_process, "what one process writes, another one does not read")

    def _skip_unless_tagged(self) -> None:
        skip_unless(type(self).tag is not TransactionalSuite.tag, "the suite does not say how to tag a snapshot")


def array(path: str, value: int = 0, *, length: int = 3) -> dict[str, bytes]:
    """Return the objects of an array of 2 chunks, the second less one element, all of one value; short by default."""
    grid = {"name": "regular", "configuration": {"chunk_shape": [length]}}
    document = {**ARRAY, "shape": [2 * length - 1], "chunk_grid": grid}
    return {f"{path}/zarr.json": encoded(document), **chunks(path, value, length=length)}


def chunks(path: str, value: int, *, length: int = 3) -> dict[str, bytes]:
    """Return the chunks of such an array."""
    return {f"{path}/c/{number}": np.full(length, value, "<i2").tobytes() for number in range(2)}


def group(path: str = "", **attributes: object) -> dict[str, bytes]:
    """Return the document of a group."""
    return {f"{path}/zarr.json".lstrip("/"): encoded({**GROUP, "attributes": attributes})}


def encoded(document: Mapping[str, Any]) -> bytes:
    """Return a document as it is stored."""
    return json.dumps(document).encode()


async def write(session: StoreSession | StoreFork, objects: Mapping[str, bytes]) -> None:
    """Write objects to a session."""
    await SessionObjects(session).put(objects)


async def commit(session: StoreSession, message: str = "a change") -> str:
    """Commit a session that nobody gets in the way of, and return the id of the snapshot."""
    snapshot = await session.commit(message, METADATA)
    assert snapshot is not None, "a commit says that others have committed since, and nobody has"
    return snapshot


async def committed(store: TransactionalStore, objects: Mapping[str, bytes], message: str = "a change") -> str:
    """Commit objects to a store, which is made where it has not been yet, and return the id of the snapshot."""
    session = await store.begin(create=True)
    await write(session, objects)
    return await commit(session, message)


async def newest(store: TransactionalStore) -> str:
    """Return the id of the newest snapshot of a store that has been made."""
    snapshot = await store.current()
    assert snapshot is not None, f"{store.url} says that it has not been made yet"
    return snapshot


async def values(store: TransactionalStore, snapshot: str, paths: Iterable[str]) -> list[int | None]:
    """Return the value of each of some arrays in a snapshot, None for one that is not there."""
    objects = SnapshotObjects(store, snapshot)
    found = await objects.get([Read(f"{path}/c/{number}") for path in paths for number in range(2)])
    return [_value(pair) for pair in zip(found[::2], found[1::2], strict=True)]


def _value(pair: Sequence[bytes | None]) -> int | None:
    if pair[0] is None:
        assert pair[1] is None, "one chunk of an array is there, and the other is not"
        return None
    numbers = {int(number) for data in pair for number in np.frombuffer(data or b"", "<i2")}
    assert len(numbers) == 1, f"an array holds the values of several changes: {sorted(numbers)}"
    return numbers.pop()


async def keys(store: TransactionalStore, snapshot: str, prefix: str = "") -> list[str]:
    """Return the keys of a snapshot below a prefix, sorted."""
    return [entry.key async for entry in SnapshotObjects(store, snapshot).list(prefix, recursive=True)]
