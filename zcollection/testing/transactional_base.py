"""Base class and helpers of the checks of transactional stores: they write, commit and read hierarchies."""

import datetime as dt
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
    """Base class of the checks of transactional stores."""

    async def tag(self, store: TransactionalStore, name: str, snapshot: str) -> None:
        """Create a tag for a snapshot. Override this method to check a store that has tags."""
        raise NotImplementedError

    def _skip_unless_cross_process(self, store: TransactionalStore) -> None:
        skip_unless(store.cross_process, "other processes cannot read the store")

    def _skip_unless_tagged(self) -> None:
        skip_unless(type(self).tag is not TransactionalSuite.tag, "the suite does not define the method tag")


def array(path: str, value: int = 0, *, length: int = 3) -> dict[str, bytes]:
    """Return the objects of an array with a constant value: 2 chunks of `length` elements, the last one with one element less."""
    grid = {"name": "regular", "configuration": {"chunk_shape": [length]}}
    document = {**ARRAY, "shape": [2 * length - 1], "chunk_grid": grid}
    return {f"{path}/zarr.json": encoded(document), **chunks(path, value, length=length)}


def chunks(path: str, value: int, *, length: int = 3) -> dict[str, bytes]:
    """Return the chunks of an array that `array` created."""
    return {f"{path}/c/{number}": np.full(length, value, "<i2").tobytes() for number in range(2)}


def group(path: str = "", **attributes: object) -> dict[str, bytes]:
    """Return the document of a group."""
    return {f"{path}/zarr.json".lstrip("/"): encoded({**GROUP, "attributes": attributes})}


def encoded(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of a document."""
    return json.dumps(document).encode()


async def write(session: StoreSession | StoreFork, objects: Mapping[str, bytes]) -> None:
    """Write objects to a session."""
    await SessionObjects(session).put(objects)


async def commit(session: StoreSession, message: str = "a change") -> str:
    """Commit a session without concurrent commits, and return the id of the snapshot."""
    snapshot = await session.commit(message, METADATA)
    assert snapshot is not None, "a commit reports a concurrent commit, and there was none"
    return snapshot


async def committed(store: TransactionalStore, objects: Mapping[str, bytes], message: str = "a change") -> str:
    """Commit objects to a store, which is created if necessary, and return the id of the snapshot."""
    session = await store.begin(create=True)
    await write(session, objects)
    return await commit(session, message)


def soon() -> dt.datetime:
    """Return a time later than all commits so far."""
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)


async def newest(store: TransactionalStore) -> str:
    """Return the id of the newest snapshot of a store that exists."""
    snapshot = await store.current()
    assert snapshot is not None, f"{store.url} has no snapshot"
    return snapshot


async def values(store: TransactionalStore, snapshot: str, paths: Iterable[str]) -> list[int | None]:
    """Return the value of each array in a snapshot, None for a missing array."""
    objects = SnapshotObjects(store, snapshot)
    found = await objects.get([Read(f"{path}/c/{number}") for path in paths for number in range(2)])
    return [_value(pair) for pair in zip(found[::2], found[1::2], strict=True)]


def _value(pair: Sequence[bytes | None]) -> int | None:
    if pair[0] is None:
        assert pair[1] is None, "only one of the two chunks of an array exists"
        return None
    numbers = {int(number) for data in pair for number in np.frombuffer(data or b"", "<i2")}
    assert len(numbers) == 1, f"an array contains the values of several changes: {sorted(numbers)}"
    return numbers.pop()


async def keys(store: TransactionalStore, snapshot: str, prefix: str = "") -> list[str]:
    """Return the keys under a prefix of a snapshot, sorted."""
    return [entry.key async for entry in SnapshotObjects(store, snapshot).list(prefix, recursive=True)]
