"""The conformance suite of read-only stores, whose objects are written by other means."""

import pickle
import re
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import anyio
import numpy as np
import pytest

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.errors import ReadOnlyError, StoreError, ZCollectionError
from zcollection.testing.store_base import SECRET, StoreSuite, contents, read
from zcollection.testing.store_objects import BYTES, LEAVING, RANGES, reads_of, rejecting, writes_of
from zcollection.testing.store_processes import in_processes, in_threads, reopened
from zcollection.testing.suite import skip_unless

T = TypeVar("T")

_KEYS = ("_zcollection.json", "a b/%41", "a=1/c/0", "é+&?#", "empty")


class PublishedStoreSuite(StoreSuite[KeyStore]):
    """Conformance of a read-only store; subclass it, and set `store_class`, `url` and `publish`.

    Attributes
    ----------
    store_class
        Class of the store.
    storage_options
        Options for opening the store.

    Examples
    --------
    ::

        class TestHTTPStore(PublishedStoreSuite):
            store_class = HTTPStore

            def url(self, folder):
                return f"http://localhost:8000/{folder.name}"

            def publish(self, folder, objects):
                for key, data in objects.items():
                    write(served / folder.name / key, data)
    """

    def publish(self, folder: Path, objects: Mapping[str, bytes]) -> None:
        """Write the objects of the store at `url(folder)`.

        Parameters
        ----------
        folder
            As for `url`.
        objects
            Bytes of the objects, by key.
        """
        message = f"{type(self).__name__} cannot publish objects; define the method publish(folder, objects)"
        raise NotImplementedError(message)

    def _read(self, folder: Path, objects: Mapping[str, bytes], check: Callable[[KeyStore], Awaitable[T]]) -> T:
        """Run a check with a store that contains these objects."""
        self.publish(folder, objects)

        async def main() -> T:
            return await check(await self._open(self.url(folder), "r"))

        return anyio.run(main)

    def test_missing_objects_are_none(self, tmp_path: Path) -> None:
        """A store without objects can be opened, and its objects are None."""

        async def check(store: KeyStore) -> None:
            reads = [Read("zarr.json"), Read("a/b", length=0), Read("a/b", offset=3, length=4)]
            assert await store.get(reads) == [None, None, None]
            assert await store.load_document("_zcollection.json") is None

        self._read(tmp_path, {}, check)

    def test_published_objects_are_read(self, tmp_path: Path) -> None:
        """A batch of reads returns the objects in the requested order, with any names; None for missing objects."""
        objects = {key: key.encode() * (key != "empty") for key in _KEYS}

        async def check(store: KeyStore) -> None:
            keys = [*_KEYS, "missing", *reversed(_KEYS), "a=1", "empty/x"]
            assert await store.get([Read(key) for key in keys]) == [objects.get(key) for key in keys]
            assert await store.get([]) == []
            assert await store.load_document("_zcollection.json") == b"_zcollection.json"

        self._read(tmp_path, objects, check)

    def test_ranges_are_slices(self, tmp_path: Path) -> None:
        """A range is cut at the end of the object, and to at most `Read.most` bytes."""

        async def check(store: KeyStore) -> None:
            found = await store.get([Read("x", offset=offset, length=length) for offset, length in RANGES])
            assert found == [BYTES[offset:][:length] for offset, length in RANGES]
            assert await store.get([Read("empty", offset=offset, length=length) for offset, length in RANGES]) == [
                b"" for _ in RANGES
            ]
            reads = [Read("x", most=3), Read("x", offset=2, most=3), Read("x", length=5, most=2), Read("x", most=10**6)]
            assert await store.get(reads) == [read.part(BYTES) for read in reads]

        self._read(tmp_path, {"x": BYTES, "empty": b""}, check)

    def test_every_write_is_rejected(self, tmp_path: Path) -> None:
        """Opening for writing and every method that writes raise `ReadOnlyError`, and change nothing."""

        async def check(store: KeyStore) -> None:
            assert store.read_only
            for operation in writes_of(store):
                with rejecting(ReadOnlyError, operation.name):
                    await operation.call()
            with rejecting(ReadOnlyError, "opening for writing"):
                await self._open(self.url(tmp_path), "rw")
            assert await store.get([Read("stage/x"), Read("there/x")]) == [b"staged", b"kept"]

        self._read(tmp_path, {"stage/x": b"staged", "there/x": b"kept"}, check)

    def test_a_key_outside_the_store_is_rejected(self, tmp_path: Path) -> None:
        """Every method that reads raises a `StoreError` for a key outside the store."""

        async def check(store: KeyStore) -> None:
            for key in LEAVING:
                for operation in reads_of(store, key):
                    with rejecting(StoreError, f"{operation.name} with the key {key!r}"):
                        await operation.call()

        self._read(tmp_path, {"x": b""}, check)

    def test_a_listing_is_complete_or_an_error(self, tmp_path: Path) -> None:
        """A store with listings lists all objects; one without raises a `StoreError` with its URL."""
        objects = {"a/b": b"1", "a/c/d": b"22", "e": b""}

        async def check(store: KeyStore) -> None:
            if store.has_listing:
                assert await contents(store) == objects
                assert [entry.key async for entry in store.list("a/")] == ["a/b", "a/c/"]
                return
            for prefix in ("", "a/"):
                with pytest.raises(StoreError, match=re.escape(store.url.scheme)):
                    await contents(store, prefix)

        self._read(tmp_path, objects, check)

    def test_a_pickled_store_is_the_same_store(self, tmp_path: Path) -> None:
        """A pickled copy is equal, has the same hash and mode, and reads the same objects, also in another process."""

        async def opened(store: KeyStore) -> KeyStore:
            await read(store, "x")  # open connections must not be part of the pickle
            return store

        store = self._read(tmp_path, {"x": b"published"}, opened)
        copy: KeyStore = pickle.loads(pickle.dumps(store))  # noqa: S301 - made here
        assert (copy, hash(copy), copy.read_only) == (store, hash(store), True)
        assert anyio.run(read, copy, "x") == b"published"
        skip_unless(self.store_class.cross_process, "other processes cannot read the store")
        ((data, url, read_only, pickled),) = in_processes(reopened, [(pickle.dumps(store), "x")])
        assert (data, url, read_only) == (b"published", str(store.url), True)
        assert pickle.loads(pickled) == store  # noqa: S301 - made by the check

    def test_a_store_serves_several_event_loops(self, tmp_path: Path) -> None:
        """The store works on other event loops than the one that opened it, also concurrently on several threads."""

        async def opened(store: KeyStore) -> KeyStore:
            return store

        store = self._read(tmp_path, {f"{number}": b"%d" % number for number in range(4)}, opened)

        def work(number: int) -> list[bytes | None]:
            return [anyio.run(read, store, f"{number}") for _ in range(3)]

        assert in_threads(work, [(number,) for number in range(4)]) == [[b"%d" % number] * 3 for number in range(4)]

    def test_zarr_reads_published_objects(self, tmp_path: Path) -> None:
        """zarr-python reads arrays through the attribute `zarr`."""
        values = np.arange(5, dtype="<i2")
        import zarr

        made = zarr.storage.MemoryStore()
        array = zarr.create_array(made, name="g/a", shape=(5,), chunks=(3,), dtype="int16", compressors=None)
        array[:] = values
        objects = {key: data.to_bytes() for key, data in made._store_dict.items()}  # noqa: SLF001 - its objects

        async def opened(store: KeyStore) -> KeyStore:
            return store

        view = self._read(tmp_path, objects, opened).zarr
        assert view.supports_listing == self.store_class.has_listing  # type: ignore[attr-defined]  # of a KeyStore
        np.testing.assert_array_equal(zarr.open_array(view, path="g/a", mode="r")[:], values)

    def test_errors_show_the_url_and_no_credential(self, tmp_path: Path) -> None:
        """No error, repr or string of the store contains the password in a URL; errors contain the URL without it."""
        failures: list[ZCollectionError] = []

        async def provoke() -> None:
            try:
                store = await self._open(url, "r")
            except ZCollectionError as error:
                failures.append(error)
                return
            assert SECRET not in f"{store!r} {store} {store.url!r} {store.url}"
            with pytest.raises(StoreError, match=re.escape(store.url.scheme)) as caught:
                await store.get([Read("../x")])
            failures.append(caught.value)

        url = self.url_with_credentials(tmp_path)
        assert SECRET in url
        anyio.run(provoke)
        for failure in failures:
            assert "://" in str(failure), f"no URL in: {failure}"
            assert SECRET not in "".join(traceback.format_exception(failure)), "an error contains the password"
