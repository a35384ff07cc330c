"""Checks of stores: objects read, written, listed, copied and deleted."""

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
"""Keys that name something outside of the store."""

# "-" and "." come before "/" in every encoding, and "0" after it: the order of keys is not that of nested names.
KEYS = ("a-b/x", "a.b", "a/x", "a/y/z", "a0", "é", "zarr.json")


@frozen
class Use:
    """One method of a store, about to be called.

    Attributes
    ----------
    name
        Which, for messages.
    call
        Calls it.
    """

    name: str
    call: Callable[[], Awaitable[object]]


class ObjectChecks(StoreSuite[KeyStore]):
    """What holds for single objects and their keys."""

    def test_opening_what_is_missing_creates_nothing(self, tmp_path: Path) -> None:
        """It is empty, for reading and for writing, and stays what it was."""

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

    def test_a_store_open_for_reading_refuses_every_write(self, tmp_path: Path) -> None:
        """Each method raises `ReadOnlyError` and changes nothing; what is there is read."""

        async def check(store: KeyStore) -> None:
            await store.put({"kept/x": b"kept", "stage/x": b"new"})
            reader = await self._open(url, "r")
            assert (store.read_only, reader.read_only) == (False, True)
            for use in writes_of(reader):
                with refusing(ReadOnlyError, use.name):
                    await use.call()
            assert await contents(reader) == {"kept/x": b"kept", "stage/x": b"new"}

        url = self.url(tmp_path)
        self._with_store(check, tmp_path)

    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        """In batches, in the order asked for, as often as asked for; what is missing is None; the last write holds."""

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
        """What lies beyond the end is left out, and a range of a missing object is None."""

        async def check(store: KeyStore) -> None:
            await store.put({"x": BYTES})
            found = await store.get([Read("x", offset=offset, length=length) for offset, length in RANGES])
            expected = [BYTES[offset:][:length] for offset, length in RANGES]
            assert found == expected
            assert await store.get([Read("missing", offset=1, length=2)]) == [None]

        self._with_store(check, tmp_path)

    def test_no_more_is_read_than_is_believed(self, tmp_path: Path) -> None:
        """An object that is larger than any could be is damaged, and may be of any size: reading it stops there."""

        async def check(store: KeyStore) -> None:
            await store.put({"x": BYTES, "d/c/0": BYTES})
            reads = [Read("x", most=3), Read("x", offset=2, most=3), Read("x", length=5, most=2), Read("x", most=10**6)]
            expected = [BYTES[:3], BYTES[2:5], BYTES[:2], BYTES, BYTES]
            assert await store.get([*reads, Read("d/c/0", most=None)]) == expected

        self._with_store(check, tmp_path)

    def test_a_reader_never_sees_part_of_an_object(self, tmp_path: Path) -> None:
        """While an object is written again and again, it is always whole, and always there."""

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
        """The first caller creates it; the others are told that it exists, and change nothing."""

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
        """Every object below once, or those directly below and each common prefix once."""

        async def check(store: KeyStore) -> None:
            await store.put({key: b"." * len(key) for key in reversed(KEYS)})
            listed = [entry async for entry in store.list("", recursive=True)]
            assert [(entry.key, entry.size) for entry in listed] == [(key, len(key)) for key in sorted(KEYS)]
            assert await _listed(store, "") == sorted(["a-b/", "a.b", "a/", "a0", "é", "zarr.json"])
            assert await _listed(store, "a/") == ["a/x", "a/y/"]
            assert await keys_under(store, "a/") == ["a/x", "a/y/z"]
            for nothing in ("a.b/", "missing/", "a/x/"):
                assert await _listed(store, nothing) == []
                assert await keys_under(store, nothing) == []

        self._with_store(check, tmp_path)

    def test_a_listing_goes_on_after_a_key(self, tmp_path: Path) -> None:
        """The key given is left out; it need not exist."""

        async def check(store: KeyStore) -> None:
            await store.put(dict.fromkeys(KEYS, b""))
            for after in ("", "a", "a-b/x", "a.b", "a/x", "a/w", "a/y/zz", "a1", "zarr.json", "~"):
                listed = [entry.key async for entry in store.list("", after=after, recursive=True)]
                assert listed == sorted(key for key in KEYS if key > after)
            assert [entry.key async for entry in store.list("a/", after="a/x")] == ["a/y/"]
            assert [entry.key async for entry in store.list("", after="a/")] == ["a0", "zarr.json", "é"]

        self._with_store(check, tmp_path)

    def test_an_entry_says_when_and_what(self, tmp_path: Path) -> None:
        """An object has a time, and an etag, if any, that changes with it; a prefix has neither."""

        async def check(store: KeyStore) -> None:
            await store.put({"x": b"one", "a/b": b""})
            prefix, first = [entry async for entry in store.list("")]
            assert prefix == Listed(key="a/")
            assert isinstance(first.modified, float)
            await store.put({"x": b"two"})
            (second,) = [entry async for entry in store.list("", after="a/")]
            assert second.modified is not None
            assert second.modified >= first.modified, "time goes backwards"
            assert first.etag is None or second.etag not in {None, first.etag}, "the etag does not change"

        self._with_store(check, tmp_path)

    def test_a_copy_is_an_object_of_its_own(self, tmp_path: Path) -> None:
        """It replaces what was there, and does not change when its source does, nor the source with it."""

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

    def test_copying_what_is_missing_is_an_error(self, tmp_path: Path) -> None:
        """It names the key, and what lies at the target stays."""

        async def check(store: KeyStore) -> None:
            await store.put({"there": b"kept", "folder/x": b""})
            for missing in ("missing", "folder"):
                with pytest.raises(StoreError, match=missing):
                    await store.copy([(missing, "there")])
            assert await contents(store) == {"folder/x": b"", "there": b"kept"}

        self._with_store(check, tmp_path)

    def test_deleting_takes_what_is_named(self, tmp_path: Path) -> None:
        """A key ending with "/" takes all below, and nothing that only starts alike; missing ones are passed over."""

        async def check(store: KeyStore) -> None:
            await store.put(dict.fromkeys([*KEYS, "gone"], b""))
            await store.delete(["a/", "gone", "missing", "missing/", "a-b", "a0/"])
            assert await keys_under(store) == ["a-b/x", "a.b", "a0", "zarr.json", "é"]
            assert await read(store, "a/x") is None
            await store.delete([])
            await store.delete(["a/", "gone"])
            assert await _listed(store, "") == ["a-b/", "a.b", "a0", "zarr.json", "é"]

        self._with_store(check, tmp_path)

    def test_a_key_that_leaves_the_store_is_refused(self, tmp_path: Path) -> None:
        """By every method that takes one, as a `StoreError` that names it; nothing changes."""

        async def check(store: KeyStore) -> None:
            await store.put({"stage/x": b"staged", "there/x": b"kept"})
            for key in LEAVING:
                for use in (*reads_of(store, key), *writes_of(store, key)):
                    with refusing(StoreError, f"{use.name} with the key {key!r}"):
                        await use.call()
            assert await contents(store) == {"stage/x": b"staged", "there/x": b"kept"}

        self._with_store(check, tmp_path)

    def test_flushing_changes_nothing(self, tmp_path: Path) -> None:
        """Neither where something lies nor where nothing does."""

        async def check(store: KeyStore) -> None:
            await store.flush("")
            await store.put({"a/b": b"1", "c": b"2"})
            for prefix in ("", "a/", "missing/"):
                await store.flush(prefix)
            assert await contents(store) == {"a/b": b"1", "c": b"2"}

        self._with_store(check, tmp_path)

    def test_a_document_is_loaded_by_its_name(self, tmp_path: Path) -> None:
        """That is how the kernel finds the configuration."""

        async def check(store: KeyStore) -> None:
            await store.put({"_zcollection.json": b"{}"})
            assert await store.load_document("_zcollection.json") == b"{}"
            assert await store.load_document("missing.json") is None

        self._with_store(check, tmp_path)

    def test_blocking_access_is_the_same_access(self, tmp_path: Path) -> None:
        """What threads write and read, of which no event loop knows, is what everybody does."""

        async def check(store: KeyStore) -> None:
            blocking = store.blocking
            skip_unless(blocking is not None, "access to the store is naturally asynchronous")
            assert blocking is not None
            await _apart(blocking.stage, {"a/b": BYTES, "x": b""})
            await store.put({"y": b"asynchronous"})
            await _apart(blocking.copy, [("a/b", "copies/b")])
            assert await store.get([Read("copies/b")]) == [BYTES]
            listed = [entry async for entry in store.list("", recursive=True)]
            assert await _apart(_listed_here, blocking) == listed
            reads = [Read(key, offset=2, length=3) for key in ("a/b", "x", "y", "missing")]
            reads.append(Read("a/b", offset=2, most=4))
            expected = [BYTES[2:5], b"", b"ync", None, BYTES[2:6]]
            assert await _apart(blocking.get, reads) == expected
            assert await store.get(reads) == expected

        self._with_store(check, tmp_path)


async def _apart(function: Callable[..., T], *arguments: object) -> T:
    """Call a function on a thread that nobody but this knows of."""
    with ThreadPoolExecutor(1) as pool:
        return await anyio.to_thread.run_sync(pool.submit(function, *arguments).result)


async def _write_in_turn(store: KeyStore, versions: list[bytes], scope: anyio.CancelScope) -> None:
    for turn in range(20):
        await store.put({"x": versions[turn % 2]})
        await checkpoint()
    scope.cancel()


def _listed_here(blocking: Blocking, prefix: str = "") -> list[Listed]:
    return list(blocking.list(prefix, after="", recursive=True))


async def _listed(store: KeyStore, prefix: str) -> list[str]:
    return [entry.key async for entry in store.list(prefix)]


@contextmanager
def refusing(error: type[StoreError], name: str) -> Iterator[None]:
    """Fail unless what is called so raises such an error."""
    try:
        yield
    except error:
        return
    message = f"{name} is not refused"
    raise AssertionError(message)


def reads_of(store: KeyStore, key: str) -> Iterator[Use]:
    """Yield the methods that read, each with a key."""
    blocking = store.blocking
    yield Use("get", lambda: store.get([Read(key)]))
    yield Use("list", lambda: keys_under(store, f"{key}/"))
    if blocking is not None:
        yield Use("blocking.get", lambda: anyio.to_thread.run_sync(blocking.get, [Read(key)]))
        yield Use("blocking.list", lambda: anyio.to_thread.run_sync(_listed_here, blocking, f"{key}/"))


def writes_of(store: KeyStore, key: str = "there/x") -> Iterator[Use]:
    """Yield the methods that write, each with a key in each place that takes one."""
    blocking = store.blocking
    yield Use("put", lambda: store.put({key: b"new"}))
    yield Use("stage", lambda: store.stage({key: b"new"}))
    yield Use("create", lambda: store.create(key, b"new"))
    yield Use("copy to it", lambda: store.copy([("stage/x", key)]))
    yield Use("copy from it", lambda: store.copy([(key, "copied")]))
    yield Use("delete", lambda: store.delete([key]))
    yield Use("delete below it", lambda: store.delete([f"{key}/"]))
    yield Use("publish to it", lambda: store.publish("stage/", f"{key}/"))
    yield Use("publish from it", lambda: store.publish(f"{key}/", "there/"))
    yield Use("unpublish", lambda: store.unpublish(f"{key}/", "trash/"))
    yield Use("unpublish to it", lambda: store.unpublish("there/", f"{key}/"))
    if blocking is not None:
        yield Use("blocking.stage", lambda: anyio.to_thread.run_sync(blocking.stage, {key: b"new"}))
        yield Use("blocking.copy", lambda: anyio.to_thread.run_sync(blocking.copy, [("stage/x", key)]))
