"""Functions of the checks that run in other threads, or in other processes, which receive the store as a pickle."""

import pickle
from collections.abc import Mapping
from typing import cast

import anyio

from zcollection.contracts.transactional import StoreFork, TransactionalStore
from zcollection.errors import ConflictError
from zcollection.testing.store_processes import meet
from zcollection.testing.transactional_base import METADATA, array, chunks, group, newest, values, write


def _unpickled(pickled: bytes) -> TransactionalStore:
    return cast("TransactionalStore", pickle.loads(pickled))  # noqa: S301 - made by the check


def reopened(pickled: bytes, path: str) -> tuple[int | None, str, bool, bytes]:
    """Return the value of an array, the URL and mode of a store, and a new pickle of the store."""
    store = _unpickled(pickled)

    async def read() -> int | None:
        (value,) = await values(store, await newest(store), [path])
        return value

    return anyio.run(read), str(store.url), store.read_only, pickle.dumps(store)


def commit_concurrently(pickled: bytes, path: str, number: int) -> str | None:
    """Change an array concurrently with the other calls, and return the id of the snapshot, or None if the commit was rejected."""

    async def change() -> str | None:
        store = _unpickled(pickled)
        session = await store.begin()
        await write(session, chunks(path, number))
        meet()
        return await session.commit(f"writer {number}", METADATA)

    return anyio.run(change)


def commit_many(pickled: bytes, name: str, count: int) -> list[str]:
    """Add arrays concurrently with the other calls, one commit each, and return the ids of the snapshots."""

    async def change() -> list[str]:
        store = _unpickled(pickled)
        meet()
        return [await _added(store, f"{name}-{number}", number) for number in range(count)]

    return anyio.run(change)


async def _added(store: TransactionalStore, path: str, value: int) -> str:
    while True:
        session = await store.begin()
        await write(session, {**group(path), **array(f"{path}/a", value)})
        try:
            while (snapshot := await session.commit(path, METADATA)) is None:
                await session.rebase()
        except ConflictError:
            continue
        return snapshot


def create(pickled: bytes) -> str:
    """Create a store concurrently with the other calls, and return the id of its newest snapshot."""

    async def begin() -> str:
        store = _unpickled(pickled)
        meet()
        return (await store.begin(create=True)).base

    return anyio.run(begin)


def write_fork(fork: StoreFork, objects: Mapping[str, bytes]) -> StoreFork:
    """Write to a fork, and return it."""
    anyio.run(write, fork, objects)
    return fork
