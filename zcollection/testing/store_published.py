"""The conformance suite of stores that only read what somebody else has put in its place."""

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
from zcollection.testing.store_objects import BYTES, LEAVING, RANGES, reads_of, refusing, writes_of
from zcollection.testing.store_processes import in_processes, in_threads, reopened
from zcollection.testing.suite import skip_unless

T = TypeVar("T")

_KEYS = ("_zcollection.json", "a b/%41", "a=1/c/0", "é+&?#", "empty")


class PublishedStoreSuite(StoreSuite[KeyStore]):
    """Conformance of a store that is read and never written to; subclass it, and give `store_class`, `url` and `publish`.

    Attributes
    ----------
    store_class
        The store.
    storage_options
        Options that it is opened with.

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
        """Put objects where the store at `url(folder)` finds them.

        Parameters
        ----------
        folder
            As for `url`.
        objects
            Bytes, by key.
        """
        message = (
            f"{type(self).__name__} does not say how objects are published; give it a method publish(folder, objects)"
        )
        raise NotImplementedError(message)

    def _read(self, folder: Path, objects: Mapping[str, bytes], check: Callable[[KeyStore], Awaitable[T]]) -> T:
        """Run a check with a store in which these objects lie."""
        self.publish(folder, objects)

        async def main() -> T:
            return await check(await self._open(self.url(folder), "r"))

        return anyio.run(main)

    def test_where_nothing_is_published_nothing_is_read(self, tmp_path: Path) -> None:
        """Opening does not ask for anything to be there."""

        async def check(store: KeyStore) -> None:
            reads = [Read("zarr.json"), Read("a/b", length=0), Read("a/b", offset=3, length=4)]
            assert await store.get(reads) == [None, None, None]
            assert await store.load_document("_zcollection.json") is None

        self._read(tmp_path, {}, check)

    def test_what_is_published_is_read(self, tmp_path: Path) -> None:
        """In batches, in the order asked for, as often as asked for, whatever the names; what is missing is None."""
        objects = {key: key.encode() * (key != "empty") for key in _KEYS}

        async def check(store: KeyStore) -> None:
            keys = [*_KEYS, "missing", *reversed(_KEYS), "a=1", "empty/x"]
            assert await store.get([Read(key) for key in keys]) == [objects.get(key) for key in keys]
            assert await store.get([]) == []
            assert await store.load_document("_zcollection.json") == b"_zcollection.json"

        self._read(tmp_path, objects, check)

    def test_ranges_are_slices(self, tmp_path: Path) -> None:
        """What lies beyond the end is left out, and no more is read than is believed."""

        async def check(store: KeyStore) -> None:
            found = await store.get([Read("x", offset=offset, length=length) for offset, length in RANGES])
            assert found == [BYTES[offset:][:length] for offset, length in RANGES]
            assert await store.get([Read("empty", offset=offset, length=length) for offset, length in RANGES]) == [
                b"" for _ in RANGES
            ]
            reads = [Read("x", most=3), Read("x", offset=2, most=3), Read("x", length=5, most=2), Read("x", most=10**6)]
            assert await store.get(reads) == [read.part(BYTES) for read in reads]

        self._read(tmp_path, {"x": BYTES, "empty": b""}, check)

    def test_every_write_is_refused(self, tmp_path: Path) -> None:
        """Opening for writing, and each method that writes, and nothing changes."""

        async def check(store: KeyStore) -> None:
            assert store.read_only
            for use in writes_of(store):
                with refusing(ReadOnlyError, use.name):
                    await use.call()
            with refusing(ReadOnlyError, "opening for writing"):
                await self._open(self.url(tmp_path), "rw")
            assert await store.get([Read("stage/x"), Read("there/x")]) == [b"staged", b"kept"]

        self._read(tmp_path, {"stage/x": b"staged", "there/x": b"kept"}, check)

    def test_a_key_that_leaves_the_store_is_refused(self, tmp_path: Path) -> None:
        """By every method that takes one, as a `StoreError`."""

        async def check(store: KeyStore) -> None:
            for key in LEAVING:
                for use in reads_of(store, key):
                    with refusing(StoreError, f"{use.name} with the key {key!r}"):
                        await use.call()

        self._read(tmp_path, {"x": b""}, check)

    def test_a_listing_is_whole_or_refused(self, tmp_path: Path) -> None:
        """A store that lists lists all; one that says that it does not raises `StoreError` with its URL."""
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
        """It is equal, has the same hash and mode, and reads the same, in another process too."""

        async def opened(store: KeyStore) -> KeyStore:
            await read(store, "x")  # what it holds open does not travel
            return store

        store = self._read(tmp_path, {"x": b"published"}, opened)
        copy: KeyStore = pickle.loads(pickle.dumps(store))  # noqa: S301 - made here
        assert (copy, hash(copy), copy.read_only) == (store, hash(store), True)
        assert anyio.run(read, copy, "x") == b"published"
        skip_unless(self.store_class.cross_process, "the store does not cross processes")
        ((data, url, read_only, pickled),) = in_processes(reopened, [(pickle.dumps(store), "x")])
        assert (data, url, read_only) == (b"published", str(store.url), True)
        assert pickle.loads(pickled) == store  # noqa: S301 - made by the check

    def test_a_store_serves_several_event_loops(self, tmp_path: Path) -> None:
        """One after the other, and on several threads at once; nothing is bound to the loop that opened it."""

        async def opened(store: KeyStore) -> KeyStore:
            return store

        store = self._read(tmp_path, {f"{number}": b"%d" % number for number in range(4)}, opened)

        def work(number: int) -> list[bytes | None]:
            return [anyio.run(read, store, f"{number}") for _ in range(3)]

        assert in_threads(work, [(number,) for number in range(4)]) == [[b"%d" % number] * 3 for number in range(4)]

    def test_zarr_reads_what_is_published(self, tmp_path: Path) -> None:
        """Through the view that the store gives of itself."""
        values = np.arange(5, dtype="<i2")
        import zarr

        made = zarr.storage.MemoryStore()
        array = zarr.create_array(made, name="g/a", shape=(5,), chunks=(3,), dtype="int16", compressors=None)
        array[:] = values
        objects = {key: data.to_bytes() for key, data in made._store_dict.items()}  # noqa: SLF001 - what it holds

        async def opened(store: KeyStore) -> KeyStore:
            return store

        view = self._read(tmp_path, objects, opened).zarr
        assert view.supports_listing == self.store_class.has_listing  # type: ignore[attr-defined]  # of a KeyStore
        np.testing.assert_array_equal(zarr.open_array(view, path="g/a", mode="r")[:], values)

    def test_errors_show_the_url_and_no_credential(self, tmp_path: Path) -> None:
        """Neither does what is printed of the store."""
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
            assert SECRET not in "".join(traceback.format_exception(failure)), "an error shows the password"
