"""Checks of stores: reads, writes, listings, copies and deletions of objects."""

from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import anyio
import pytest
from anyio.lowlevel import checkpoint
from attrs import frozen

from zcollection.contracts.objects import Blocking, Listed, Read
from zcollection.contracts.store import KeyStore
from zcollection.errors import ReadOnlyError, StoreError
from zcollection.testing.store_base import StoreSuite, contents, keys_under, read
from zcollection.testing.suite import skip_unless

T = TypeVar("T")
BYTES = bytes(range(256))

RANGES = ((0, None), (0, 0), (0, 10), (3, 5), (250, 100), (255, None), (256, None), (300, 4), (256, 0), (0, 256))

LEAVING = ("../outside", "a/../../outside", "/outside", "..", "a/../..")
"""Keys outside the store."""

# "-" and "." sort before "/", and "0" after it, so that the order of keys differs from that of nested names.
KEYS = ("a-b/x", "a.b", "a/x", "a/y/z", "a0", "é", "zarr.json")


@frozen
class Operation:
    """A call of a method of a store.

    Attributes
    ----------
    name
        Name of the method, for messages.
    call
        Function that calls it.
    """

    name: str
    call: Callable[[], Awaitable[object]]


class ObjectChecks(StoreSuite[KeyStore]):
    """Checks of single objects and their keys."""

    def test_opening_a_missing_store_creates_nothing(self, tmp_path: Path) -> None:
        """A store that does not exist yet is empty in both modes, and reading does not create it."""

        async def check() -> None:
            for mode in ("r", "rw"):
                store = await self._open(url, mode)
                assert await store.get([Read("zarr.json"), Read("a/b", length=0)]) == [None, None]
                assert await store.load_document("_zcollection.json") is None
                assert [entry async for entry in store.list("")] == []
                assert await keys_under(store, "a/") == []

        url = self.url(tmp_path / "store")
        before = sorted(tmp_path.rglob("*"))
        anyio.run(check)
        assert sorted(tmp_path.rglob("*")) == before, "opening, or reading, has created something"

    def test_a_read_only_store_rejects_every_write(self, tmp_path: Path) -> None:
        """Every method that writes raises `ReadOnlyError` and changes nothing; reads still work."""

        async def check(store: KeyStore) -> None:
            await store.put({"kept/x": b"kept", "stage/x": b"new"})
            reader = await self._open(url, "r")
            assert (store.read_only, reader.read_only) == (False, True)
            for operation in writes_of(reader):
                with rejecting(ReadOnlyError, operation.name):
                    await operation.call()
            assert await contents(reader) == {"kept/x": b"kept", "stage/x": b"new"}

        url = self.url(tmp_path)
        self._with_store(check, tmp_path)

    def test_written_objects_are_read(self, tmp_path: Path) -> None:
        """A batch of reads returns the last written bytes in the requested order, also of repeated keys; None for missing objects."""

        async def check(store: KeyStore) -> None:
            await store.put({"a/b/c": BYTES, "empty": b"", "x": b"first"})
            await store.put({"x": b"last"})
            await store.put({})
            keys = ["x", "missing", "a/b/c", "empty", "x", "a/b", "a/b/c/d", "x/y"]
            expected = [b"last", None, BYTES, b"", b"last", None, None, None]
            assert await store.get([Read(key) for key in keys]) == expected
            assert await store.get([]) == []

        self._with_store(check, tmp_path)

    def test_ranges_are_slices(self, tmp_path: Path) -> None:
        """A range is cut at the end of the object; the range of a missing object is None."""

        async def check(store: KeyStore) -> None:
            await store.put({"x": BYTES})
            found = await store.get([Read("x", offset=offset, length=length) for offset, length in RANGES])
            expected = [BYTES[offset:][:length] for offset, length in RANGES]
            assert found == expected
            assert await store.get([Read("missing", offset=1, length=2)]) == [None]

        self._with_store(check, tmp_path)

    def test_reads_are_limited_in_size(self, tmp_path: Path) -> None:
        """A read returns at most `Read.most` bytes, because a damaged object may have any size."""

        async def check(store: KeyStore) -> None:
            await store.put({"x": BYTES, "d/c/0": BYTES})
            reads = [Read("x", most=3), Read("x", offset=2, most=3), Read("x", length=5, most=2), Read("x", most=10**6)]
            expected = [BYTES[:3], BYTES[2:5], BYTES[:2], BYTES, BYTES]
            assert await store.get([*reads, Read("d/c/0", most=None)]) == expected

        self._with_store(check, tmp_path)

    def test_a_reader_never_sees_part_of_an_object(self, tmp_path: Path) -> None:
        """An object that is overwritten repeatedly is complete at every moment."""

        async def check(store: KeyStore) -> None:
            versions = [b"a" * 100_000, b"b" * 150_000]
            await store.put({"x": versions[0]})
            async with anyio.create_task_group() as group:
                group.start_soon(_write_in_turn, store, versions, group.cancel_scope)
                while True:
                    await checkpoint()
                    assert await read(store, "x") in versions, "a reader has seen part of an object"

        self._with_store(check, tmp_path)

    def test_a_key_is_created_once(self, tmp_path: Path) -> None:
        """The first call returns "created"; later ones return "exists", and change nothing."""

        async def check(store: KeyStore) -> None:
            await store.put({"there": b"first"})
            assert await store.create("a/b", b"first") == "created"
            for key in ("a/b", "there"):
                assert await store.create(key, b"second") == "exists"
                assert await read(store, key) == b"first"
            await store.delete(["a/b"])
            assert await store.create("a/b", b"third") == "created", "a deleted key can be created again"

        self._with_store(check, tmp_path)

    def test_a_listing_is_sorted_by_key(self, tmp_path: Path) -> None:
        """A recursive listing has every object once; another one has the objects and common prefixes directly under the prefix."""

        async def check(store: KeyStore) -> None:
            await store.put({key: b"." * len(key) for key in reversed(KEYS)})
            listed = [entry async for entry in store.list("", recursive=True)]
            assert [(entry.key, entry.size) for entry in listed] == [(key, len(key)) for key in sorted(KEYS)]
            assert await _listed(store, "") == sorted(["a-b/", "a.b", "a/", "a0", "é", "zarr.json"])
            assert await _listed(store, "a/") == ["a/x", "a/y/"]
            assert await keys_under(store, "a/") == ["a/x", "a/y/z"]
            for absent in ("a.b/", "missing/", "a/x/"):
                assert await _listed(store, absent) == []
                assert await keys_under(store, absent) == []

        self._with_store(check, tmp_path)

    def test_a_listing_starts_after_a_key(self, tmp_path: Path) -> None:
        """Only keys greater than `after` are listed; it may be a key that does not exist."""

        async def check(store: KeyStore) -> None:
            await store.put(dict.fromkeys(KEYS, b""))
            for after in ("", "a", "a-b/x", "a.b", "a/x", "a/w", "a/y/zz", "a1", "zarr.json", "~"):
                listed = [entry.key async for entry in store.list("", after=after, recursive=True)]
                assert listed == sorted(key for key in KEYS if key > after)
            assert [entry.key async for entry in store.list("a/", after="a/x")] == ["a/y/"]
            assert [entry.key async for entry in store.list("", after="a/")] == ["a0", "zarr.json", "é"]

        self._with_store(check, tmp_path)

    def test_an_entry_has_a_time_and_an_etag(self, tmp_path: Path) -> None:
        """The entry of an object has a time and, if any, an etag that changes with the object; a prefix has neither."""

        async def check(store: KeyStore) -> None:
            await store.put({"x": b"one", "a/b": b""})
            prefix, first = [entry async for entry in store.list("")]
            assert prefix == Listed(key="a/")
            assert isinstance(first.modified, float)
            await store.put({"x": b"two"})
            (second,) = [entry async for entry in store.list("", after="a/")]
            assert second.modified is not None
            assert second.modified >= first.modified, "the time of the second write is earlier"
            assert first.etag is None or second.etag not in {None, first.etag}, "the etag does not change"

        self._with_store(check, tmp_path)

    def test_a_copy_is_independent_of_its_source(self, tmp_path: Path) -> None:
        """A copy replaces an existing object; later changes of the source or the copy do not affect the other."""

        async def check(store: KeyStore) -> None:
            await store.put({"x": BYTES, "there": b"old"})
            await store.copy([("x", "a/b"), ("x", "there"), ("x", "there")])
            assert await store.get([Read("a/b"), Read("there")]) == [BYTES, BYTES]
            await store.put({"x": b"changed"})
            assert await store.get([Read("a/b"), Read("there")]) == [BYTES, BYTES], "a copy changes with its source"
            await store.put({"there": b"changed too"})
            assert await contents(store) == {"a/b": BYTES, "there": b"changed too", "x": b"changed"}
            await store.delete(["x"])
            assert await read(store, "a/b") == BYTES

        self._with_store(check, tmp_path)

    def test_copying_a_missing_object_is_an_error(self, tmp_path: Path) -> None:
        """The error contains the key, and an existing target is not changed."""

        async def check(store: KeyStore) -> None:
            await store.put({"there": b"kept", "folder/x": b""})
            for missing in ("missing", "folder"):
                with pytest.raises(StoreError, match=missing):
                    await store.copy([(missing, "there")])
            assert await contents(store) == {"folder/x": b"", "there": b"kept"}

        self._with_store(check, tmp_path)

    def test_deleting_removes_only_the_given_keys(self, tmp_path: Path) -> None:
        """A key that ends with "/" deletes the objects under it, and no others with a similar name; missing keys are ignored."""

        async def check(store: KeyStore) -> None:
            await store.put(dict.fromkeys([*KEYS, "gone"], b""))
            await store.delete(["a/", "gone", "missing", "missing/", "a-b", "a0/"])
            assert await keys_under(store) == ["a-b/x", "a.b", "a0", "zarr.json", "é"]
            assert await read(store, "a/x") is None
            await store.delete([])
            await store.delete(["a/", "gone"])
            assert await _listed(store, "") == ["a-b/", "a.b", "a0", "zarr.json", "é"]

        self._with_store(check, tmp_path)

    def test_a_key_outside_the_store_is_rejected(self, tmp_path: Path) -> None:
        """Every method raises a `StoreError` for a key outside the store, and changes nothing."""

        async def check(store: KeyStore) -> None:
            await store.put({"stage/x": b"staged", "there/x": b"kept"})
            for key in LEAVING:
                for operation in (*reads_of(store, key), *writes_of(store, key)):
                    with rejecting(StoreError, f"{operation.name} with the key {key!r}"):
                        await operation.call()
            assert await contents(store) == {"stage/x": b"staged", "there/x": b"kept"}

        self._with_store(check, tmp_path)

    def test_flushing_changes_nothing(self, tmp_path: Path) -> None:
        """`flush` changes no object, and accepts a prefix without objects."""

        async def check(store: KeyStore) -> None:
            await store.flush("")
            await store.put({"a/b": b"1", "c": b"2"})
            for prefix in ("", "a/", "missing/"):
                await store.flush(prefix)
            assert await contents(store) == {"a/b": b"1", "c": b"2"}

        self._with_store(check, tmp_path)

    def test_a_document_is_loaded_by_its_name(self, tmp_path: Path) -> None:
        """`load_document` returns the bytes of the object with the name, or None; the kernel loads the configuration with it."""

        async def check(store: KeyStore) -> None:
            await store.put({"_zcollection.json": b"{}"})
            assert await store.load_document("_zcollection.json") == b"{}"
            assert await store.load_document("missing.json") is None

        self._with_store(check, tmp_path)

    def test_blocking_access_agrees_with_asynchronous_access(self, tmp_path: Path) -> None:
        """Threads without an event loop read and write the same objects as the asynchronous methods."""

        async def check(store: KeyStore) -> None:
            blocking = store.blocking
            skip_unless(blocking is not None, "access to the store is naturally asynchronous")
            assert blocking is not None
            await _in_thread(blocking.stage, {"a/b": BYTES, "x": b""})
            await store.put({"y": b"asynchronous"})
            await _in_thread(blocking.copy, [("a/b", "copies/b")])
            assert await store.get([Read("copies/b")]) == [BYTES]
            listed = [entry async for entry in store.list("", recursive=True)]
            assert await _in_thread(_listed_blocking, blocking) == listed
            reads = [Read(key, offset=2, length=3) for key in ("a/b", "x", "y", "missing")]
            reads.append(Read("a/b", offset=2, most=4))
            expected = [BYTES[2:5], b"", b"ync", None, BYTES[2:6]]
            assert await _in_thread(blocking.get, reads) == expected
            assert await store.get(reads) == expected

        self._with_store(check, tmp_path)


async def _in_thread(function: Callable[..., T], *arguments: object) -> T:
    """Call a function on a new thread, of which no event loop knows."""
    with ThreadPoolExecutor(1) as pool:
        return await anyio.to_thread.run_sync(pool.submit(function, *arguments).result)


async def _write_in_turn(store: KeyStore, versions: list[bytes], scope: anyio.CancelScope) -> None:
    for turn in range(20):
        await store.put({"x": versions[turn % 2]})
        await checkpoint()
    scope.cancel()


def _listed_blocking(blocking: Blocking, prefix: str = "") -> list[Listed]:
    return list(blocking.list(prefix, after="", recursive=True))


async def _listed(store: KeyStore, prefix: str) -> list[str]:
    return [entry.key async for entry in store.list(prefix)]


@contextmanager
def rejecting(error: type[StoreError], name: str) -> Iterator[None]:
    """Fail unless the block raises an error of this class."""
    try:
        yield
    except error:
        return
    message = f"{name} is not rejected"
    raise AssertionError(message)


def reads_of(store: KeyStore, key: str) -> Iterator[Operation]:
    """Yield the operations that read a key."""
    blocking = store.blocking
    yield Operation("get", lambda: store.get([Read(key)]))
    yield Operation("list", lambda: keys_under(store, f"{key}/"))
    if blocking is not None:
        yield Operation("blocking.get", lambda: anyio.to_thread.run_sync(blocking.get, [Read(key)]))
        yield Operation("blocking.list", lambda: anyio.to_thread.run_sync(_listed_blocking, blocking, f"{key}/"))


def writes_of(store: KeyStore, key: str = "there/x") -> Iterator[Operation]:
    """Yield the operations that write, with the key as each argument that is a key."""
    blocking = store.blocking
    yield Operation("put", lambda: store.put({key: b"new"}))
    yield Operation("stage", lambda: store.stage({key: b"new"}))
    yield Operation("create", lambda: store.create(key, b"new"))
    yield Operation("copy to it", lambda: store.copy([("stage/x", key)]))
    yield Operation("copy from it", lambda: store.copy([(key, "copied")]))
    yield Operation("delete", lambda: store.delete([key]))
    yield Operation("delete below it", lambda: store.delete([f"{key}/"]))
    yield Operation("publish to it", lambda: store.publish("stage/", f"{key}/"))
    yield Operation("publish from it", lambda: store.publish(f"{key}/", "there/"))
    yield Operation("unpublish", lambda: store.unpublish(f"{key}/", "trash/"))
    yield Operation("unpublish to it", lambda: store.unpublish("there/", f"{key}/"))
    if blocking is not None:
        yield Operation("blocking.stage", lambda: anyio.to_thread.run_sync(blocking.stage, {key: b"new"}))
        yield Operation("blocking.copy", lambda: anyio.to_thread.run_sync(blocking.copy, [("stage/x", key)]))
