import os
from typing import ClassVar

import anyio
import anyio.lowlevel
import pytest
from filelock import FileLock
from zcollection_store_file.lock import _Attempt
from zcollection_store_file.store import FileStore

from zcollection.plugin import PluginConfigurationError, Read, ReadOnlyError, StoreError, StoreURL
from zcollection.testing import PluginSuite
from zcollection.testing.store import KeyStoreSuite


class TestPlugin(PluginSuite):
    distribution = "zcollection-store-file"


class TestFileStore(KeyStoreSuite):
    store_class = FileStore

    def url(self, folder):
        return f"file://{folder}"


class TestFileStoreWithFsync(KeyStoreSuite):
    store_class = FileStore
    storage_options: ClassVar = {"fsync": True}

    def url(self, folder):
        return str(folder)


def opened(url, mode="rw", **options):
    return anyio.run(lambda: FileStore.open(StoreURL.parse(str(url)), mode=mode, **options))


@pytest.fixture
def store(tmp_path):
    return opened(tmp_path / "root")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


def keys(store, prefix="", *, recursive=True):
    return [entry.key for entry in store.blocking.list(prefix, after="", recursive=recursive)]


def get(store, key):
    return store.blocking.get([Read(key)])[0]


def test_objects_are_files_at_their_keys(store, root):
    store.blocking.put({"year=2024/ssh/c/0": b"chunk"})
    assert (root / "year=2024/ssh/c/0").read_bytes() == b"chunk"


def test_a_relative_path_is_made_absolute_on_opening(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = opened("col")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.blocking.put({"x": b"1"})
    assert (tmp_path / "col/x").read_bytes() == b"1"
    assert store != opened("col")


@pytest.mark.parametrize("name", ["~", "a%20b", "a b", "#x", *(["d?e"] if os.name != "nt" else [])])
def test_a_path_is_taken_literally(tmp_path, name):
    opened(tmp_path / name).blocking.put({"x": b"1"})
    assert (tmp_path / name / "x").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///data?fsync=1", "storage_options"),
        ("/da\0ta", "NUL"),
        ("/da\ud800ta", "cannot be encoded"),
        ("file+x:///da\0ta", "NUL"),
    ],
)
def test_an_invalid_url_is_rejected(url, reason):
    with pytest.raises(StoreError, match=reason):
        opened(url)


def test_an_option_of_a_wrong_type_is_rejected(tmp_path):
    with pytest.raises(PluginConfigurationError, match="fsync='yes'"):
        opened(tmp_path, fsync="yes")


def test_directories_without_objects_are_not_listed(store, root):
    store.blocking.put({"a/b/c": b"", "d/e": b""})
    store.blocking.delete(["a/b/c"])
    assert (root / "a/b").is_dir()
    assert keys(store, recursive=False) == ["d/"]
    assert keys(store, "a/", recursive=False) == []


def test_unpublishing_leaves_the_parent_directories(store, root):
    store.blocking.put({"year=2024/month=03/x": b""})
    store.blocking.unpublish("year=2024/month=03/", "_t/dropped/")
    assert (root / "year=2024").is_dir()
    assert not (root / "year=2024/month=03").exists()


def test_a_listing_of_many_files_is_sorted_and_complete(store):
    names = sorted(f"{number}" for number in range(2500))
    store.blocking.put(dict.fromkeys(names, b""))

    async def listed():
        return [entry.key async for entry in store.list("", after="1000")]

    assert anyio.run(listed) == [name for name in names if name > "1000"]


def test_publishing_without_staged_objects_is_an_error(store):
    with pytest.raises(StoreError, match="nothing is staged at 'stage/'"):
        store.blocking.publish("stage/", "target/")


@pytest.mark.parametrize("prefix", ["", "stage", "/"])
def test_an_invalid_prefix_cannot_be_published(store, prefix):
    store.blocking.put({"stage/x": b"1"})
    for staged, target in ((prefix, "target/"), ("stage/", prefix)):
        with pytest.raises(StoreError, match="refused"):
            store.blocking.publish(staged, target)


@pytest.mark.parametrize(
    "key",
    ["", "/x", "a//b", "a/", ".", "a/../b", "./a", "a\0b", "\ud800", "a/" * 500 + "x", f".zcollection-{0:032}.tmp"],
)
def test_an_invalid_key_is_rejected(store, root, key):
    for use in (
        lambda: store.blocking.put({key: b""}),
        lambda: get(store, key),
        lambda: store.blocking.create(key, b""),
    ):
        with pytest.raises(StoreError, match="refused"):
            use()
    assert not root.exists()


def test_the_lock_is_not_an_object(store, root):
    async def main():
        async with store.lock():
            await store.delete(["_transactions/"])
            return (root / "_transactions/lock").exists()

    assert anyio.run(main), "the lock was deleted while it was held"
    assert keys(store) == keys(store, recursive=False) == []
    with pytest.raises(StoreError, match="lock"):
        store.blocking.put({"_transactions/lock": b""})


def test_a_read_only_store_has_no_lock(root):
    async def main():
        async with opened_now(root, read_only=True).lock():
            pass

    with pytest.raises(ReadOnlyError):
        anyio.run(main)
    assert not root.exists()


def opened_now(root, *, read_only=False):
    return FileStore(url=StoreURL.parse(str(root)), root=str(root), read_only=read_only)


def test_tasks_acquire_the_lock_one_after_the_other(store):
    inside = []

    async def work():
        async with store.lock():
            inside.append(1)
            assert len(inside) == 1
            await anyio.lowlevel.checkpoint()
            inside.pop()

    async def main():
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(work)

    anyio.run(main)


def test_a_waiting_task_that_asyncio_cancels_does_not_keep_the_lock(store):
    import asyncio

    async def take():
        async with store.lock():
            pass

    async def main():
        for steps in range(30):
            task = asyncio.create_task(take())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.wait_for(take(), 20)

    asyncio.run(main())


def test_an_attempt_that_succeeds_after_a_cancellation_releases_the_lock(store, root):
    late, next_one = (_Attempt(FileLock(root / "lock", thread_local=False), store.url) for _ in range(2))
    root.mkdir()
    late.abandon()
    assert not late.make()
    assert next_one.make()
