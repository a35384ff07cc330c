"""Checks of transactional stores: reads, names and removal of snapshots."""

import datetime as dt
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ParamSpec

import anyio
import numpy as np
import pytest

from zcollection.contracts.objects import Read
from zcollection.contracts.transactional import TransactionalStore
from zcollection.errors import ConflictError, ReadOnlyError, StoreError
from zcollection.testing.transactional_base import (
    METADATA,
    TransactionalSuite,
    array,
    chunks,
    commit,
    committed,
    group,
    keys,
    newest,
    soon,
    values,
    write,
)
from zcollection.transaction.native.zarr_objects import SessionObjects, SnapshotObjects

P = ParamSpec("P")

_UNKNOWN_ID = "ZZZZZZZZZZZZZZZZZZZ0"
"""An id that no snapshot has, in the format of Icechunk."""

_BEFORE_ALL = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_ATTEMPTS = 100
"""Number of vacuums within which the clock of a store advances: it may keep objects that are younger than a tick of it."""


class SnapshotChecks(TransactionalSuite):
    """Checks of committed snapshots."""

    def test_opening_a_missing_store_creates_nothing(self, tmp_path: Path) -> None:
        """A store that does not exist yet has no snapshot; methods that need one raise an error with the URL."""

        async def check() -> None:
            for mode in ("r", "rw"):
                store = await self._open(url, mode)
                assert await store.current() is None
                assert await store.load_document("_zcollection.json") is None
                for use in (store.resolve, store.snapshot, store.history):
                    await _raises(store, use, _UNKNOWN_ID)
                if not store.read_only:
                    await _raises(store, store.begin)
                assert await (await self._open(url, mode)).current() is None

        url = self.url(tmp_path / "store")
        before = sorted(tmp_path.rglob("*"))
        anyio.run(check)
        assert sorted(tmp_path.rglob("*")) == before, "opening, or reading, has created something"

    def test_a_read_only_store_rejects_every_write(self, tmp_path: Path) -> None:
        """Writes raise `ReadOnlyError`, before and after the store is created; the Zarr store of a snapshot is always read-only."""

        async def check(store: TransactionalStore) -> None:
            reader = await self._open(url, "r")
            assert (store.read_only, reader.read_only) == (False, True)
            await _is_read_only(reader.begin, create=True)
            assert await store.current() is None
            snapshot = await committed(store, {**group(), **array("a", 1)})
            await _is_read_only(reader.begin)
            await _is_read_only(reader.begin, create=True)
            await _is_read_only(reader.vacuum, dt.datetime.now(dt.UTC))
            for opened in (store, reader):
                opened_snapshot = await opened.snapshot(snapshot)
                assert opened_snapshot.read_only
                with pytest.raises(Exception):  # noqa: B017, PT011 - zarr does not define the class of the error
                    await SnapshotObjects(opened, snapshot).put(chunks("a", 2))
            assert await newest(reader) == snapshot
            assert await values(reader, snapshot, ["a"]) == [1]

        url = self.url(tmp_path)
        self._with_store(check, tmp_path)

    def test_committed_objects_are_read(self, tmp_path: Path) -> None:
        """A batch of reads returns objects, or ranges of them, in the requested order; None for missing objects."""

        async def check(store: TransactionalStore) -> None:
            snapshot = await committed(store, {**group(title="tides"), **array("a", 258), **array("b", 3)})
            assert await newest(store) == snapshot
            objects = SnapshotObjects(store, snapshot)
            missing = [Read(key) for key in ("c/zarr.json", "c/c/0", "a/c/2", "g/h/zarr.json", "g/h/c/0")]
            found = await objects.get(
                [Read("b/c/0"), *missing, Read("a/c/1"), Read("a/c/1", offset=1, length=2), Read("a/c/1", offset=4)]
            )
            assert found == [b"\3\0" * 3, *[None] * 5, b"\2\1" * 3, b"\1\2", b"\2\1"]
            (document,) = await objects.get([Read("zarr.json")])
            assert json.loads(document or b"{}")["attributes"] == {"title": "tides"}

        self._with_store(check, tmp_path)

    def test_a_listing_contains_every_entry(self, tmp_path: Path) -> None:
        """A listing has the entries directly under a prefix, or all objects under it with their sizes; none for a missing prefix."""

        async def check(store: TransactionalStore) -> None:
            snapshot = await committed(
                store, {**group(), **group("g-1"), **array("g-1/a", 1), **group("g"), **array("g/a", 1)}
            )
            objects = SnapshotObjects(store, snapshot)
            assert [entry.key async for entry in objects.list("")] == ["g-1/", "g/", "zarr.json"]
            assert [entry.key async for entry in objects.list("g/")] == ["g/a/", "g/zarr.json"]
            below = {entry.key: entry.size async for entry in objects.list("g/", recursive=True)}
            assert sorted(below) == ["g/a/c/0", "g/a/c/1", "g/a/zarr.json", "g/zarr.json"]
            assert below["g/a/c/1"] == 6
            for recursive in (False, True):
                assert [entry async for entry in objects.list("missing/", recursive=recursive)] == []

        self._with_store(check, tmp_path)

    def test_deleted_objects_are_missing(self, tmp_path: Path) -> None:
        """An object, or all objects under a prefix, can be deleted; missing ones are ignored."""

        async def check(store: TransactionalStore) -> None:
            before = await committed(
                store, {**group(), **group("g"), **array("g/a", 1), **array("g/b", 1), **group("h")}
            )
            session = await store.begin()
            await SessionObjects(session).delete(
                ["g/a/", "g/b/c/1", "missing/", "g/missing/", "g/b/c/7", "x/zarr.json"]
            )
            after = await commit(session)
            assert await keys(store, after) == ["g/b/c/0", "g/b/zarr.json", "g/zarr.json", "h/zarr.json", "zarr.json"]
            assert len(await keys(store, before)) == 9

        self._with_store(check, tmp_path)

    def test_a_snapshot_does_not_change(self, tmp_path: Path) -> None:
        """Later commits change neither a snapshot that is open nor one that is opened again."""

        async def check(store: TransactionalStore) -> None:
            first = await committed(store, {**group(), **array("a", 1), **array("b", 1)})
            opened_snapshot = SnapshotObjects(store, first)
            assert await opened_snapshot.get([Read("a/c/0")]) == [b"\1\0" * 3]
            second = await committed(store, chunks("a", 2))
            session = await store.begin()
            await SessionObjects(session).delete(["b/"])
            third = await commit(session)
            assert len({first, second, third}) == 3
            assert await opened_snapshot.get([Read("a/c/0"), Read("b/c/0")]) == [b"\1\0" * 3] * 2
            assert [await values(store, snapshot, ["a", "b"]) for snapshot in (first, second, third)] == [
                [1, 1],
                [2, 1],
                [2, None],
            ]

        self._with_store(check, tmp_path)

    def test_zarr_reads_a_snapshot(self, tmp_path: Path) -> None:
        """zarr-python reads the hierarchy of a snapshot, and writes to a session."""

        async def check(store: TransactionalStore) -> tuple[object, object]:
            first = await committed(store, {**group(title="tides"), **group("g"), **array("g/a", 7)})
            session = await store.begin()
            zarr.open_array(session.zarr, path="g/a", mode="r+")[1:4] = 5
            return await store.snapshot(first), await store.snapshot(await commit(session))

        import zarr

        before, after = self._with_store(check, tmp_path)
        assert zarr.open_group(before, mode="r").attrs["title"] == "tides"
        assert [name for name, _ in zarr.open_group(before, mode="r").groups()] == ["g"]
        np.testing.assert_array_equal(zarr.open_array(before, path="g/a", mode="r")[:], [7] * 5)
        np.testing.assert_array_equal(zarr.open_array(after, path="g/a", mode="r")[:], [7, 5, 5, 5, 7])

    def test_a_document_is_loaded_by_its_name(self, tmp_path: Path) -> None:
        """A document is loaded from a snapshot byte by byte; the attributes of the root group do not change."""

        async def check(store: TransactionalStore) -> None:
            session = await store.begin(create=True)
            await write(session, group(title="tides"))
            for name, data in documents.items():
                await session.save_document(name, data)
            first = await commit(session)
            session = await store.begin()
            await session.save_document("_a.json", b"{}")
            second = await commit(session)
            for name, data in documents.items():
                assert await store.load_document(name, snapshot=first) == data
            assert await store.load_document("_a.json") == b"{}"
            assert await store.load_document("_b.json", snapshot=second) == documents["_b.json"]
            assert await store.load_document("_missing.json") is None
            (root,) = await SnapshotObjects(store, second).get([Read("zarr.json")])
            assert json.loads(root or b"{}")["attributes"]["title"] == "tides"

        documents = {"_a.json": '{"unité": [1, 2.5, "µ"]}'.encode(), "_b.json": b'{ "spaces" :\n 1 }'}
        self._with_store(check, tmp_path)

    def test_ids_and_times_resolve_to_snapshots(self, tmp_path: Path) -> None:
        """An id resolves to its snapshot; a time, in UTC by default, to the newest snapshot at that time."""

        async def check(store: TransactionalStore) -> None:
            snapshots = [await committed(store, {**group(), **array("a", number)}) for number in range(3)]
            times = [entry.time for entry in reversed(await store.history(snapshots[-1]))]
            assert times == sorted(times)
            for snapshot, time in zip(snapshots, times, strict=True):
                assert await store.resolve(snapshot) == snapshot
                assert await store.resolve(time) == snapshot
                assert await store.resolve(time.astimezone(dt.UTC).replace(tzinfo=None)) == snapshot
                assert await store.resolve(time.astimezone(dt.timezone(dt.timedelta(hours=5)))) == snapshot
            assert await store.resolve(times[1] - dt.timedelta(microseconds=1)) == snapshots[0]
            assert await store.resolve(dt.datetime.now(dt.UTC) + dt.timedelta(days=1)) == snapshots[-1]

        self._with_store(check, tmp_path)

    def test_tags_resolve_to_snapshots(self, tmp_path: Path) -> None:
        """Later commits do not change a tag."""
        self._skip_unless_tagged()

        async def check(store: TransactionalStore) -> None:
            first = await committed(store, {**group(), **array("a", 1)})
            await self.tag(store, "release", first)
            await committed(store, chunks("a", 2))
            assert await store.resolve("release") == first

        self._with_store(check, tmp_path)

    def test_an_unknown_snapshot_is_an_error(self, tmp_path: Path) -> None:
        """An unknown id, tag or time raises an error with the URL, and never resolves to another snapshot."""

        async def check(store: TransactionalStore) -> None:
            await committed(store, {**group(), **array("a", 1)})
            for moment in (_UNKNOWN_ID, "no such thing", "", _BEFORE_ALL):
                await _raises(store, store.resolve, moment)
            for use in (store.snapshot, store.history):
                await _raises(store, use, _UNKNOWN_ID)

        self._with_store(check, tmp_path)

    def test_the_history_starts_with_the_newest_commit(self, tmp_path: Path) -> None:
        """The history has the message and metadata of each commit up to the requested snapshot, without the creation of the store."""

        async def check(store: TransactionalStore) -> None:
            before = dt.datetime.now(dt.UTC)
            first = await committed(store, {**group(), **array("a", 1)}, "the first")
            second = await committed(store, chunks("a", 2), "the secönd\nin two lines")
            after = dt.datetime.now(dt.UTC)
            history = await store.history(second)
            assert [(entry.snapshot, entry.message) for entry in history] == [
                (second, "the secönd\nin two lines"),
                (first, "the first"),
            ]
            for entry in history:
                assert dict(entry.metadata) == METADATA
                assert before <= entry.time <= after, "the time of a commit is wrong"
            assert [entry.snapshot for entry in await store.history(first)] == [first]

        self._with_store(check, tmp_path)

    def test_a_vacuum_removes_old_snapshots(self, tmp_path: Path) -> None:
        """A vacuum removes only snapshots older than the limit, and never the newest; the others can still be read."""

        async def check(store: TransactionalStore) -> None:
            snapshots = [await committed(store, {**group(), **array("a", number)}) for number in range(4)]
            assert (await store.vacuum(_BEFORE_ALL)).snapshots == 0
            assert [await values(store, item, ["a"]) for item in snapshots] == [[0], [1], [2], [3]]
            reclaimed = await store.vacuum(soon())
            assert reclaimed.snapshots >= len(snapshots) - 1
            for _ in range(_ATTEMPTS):
                reclaimed = reclaimed if reclaimed.bytes else await store.vacuum(soon())
            assert reclaimed.bytes > 0
            other = await self._open(self.url(tmp_path))
            for snapshot in (snapshots[-1], await newest(other)):  # the vacuum itself may be a commit
                assert await values(other, snapshot, ["a"]) == [3]
            assert [entry.snapshot for entry in await other.history(snapshots[-1])] == snapshots[-1:]
            for reader in (store, other):  # also a store that has cached the snapshot knows that it was removed
                assert [await reader.keeps(snapshot) for snapshot in snapshots] == [False] * 3 + [True]
            with pytest.raises(ConflictError, match="removed by a vacuum"):
                await values(other, snapshots[0], ["a"])
            assert await values(other, await committed(other, chunks("a", 9)), ["a"]) == [9]

        self._with_store(check, tmp_path)


async def _raises(
    store: TransactionalStore, use: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs
) -> None:
    with pytest.raises(StoreError, match=re.escape(str(store.url))):
        await use(*args, **kwargs)


async def _is_read_only(use: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> None:
    with pytest.raises(ReadOnlyError):
        await use(*args, **kwargs)
