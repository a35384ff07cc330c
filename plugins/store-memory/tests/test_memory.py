import subprocess
import sys

import anyio
import pytest
from zcollection_store_memory.store import MemoryStore, forget

from zcollection.plugin import Read, StoreError, StoreURL
from zcollection.testing import PluginSuite
from zcollection.testing.store import KeyStoreSuite


class TestPlugin(PluginSuite):
    distribution = "zcollection-store-memory"


class TestMemoryStore(KeyStoreSuite):
    store_class = MemoryStore

    def url(self, folder):
        return f"memory://{folder}"


@pytest.fixture
def url(request):
    name = f"memory://{request.node.originalname}"
    yield name
    forget(name)


def opened(url, mode="rw"):
    return anyio.run(lambda: MemoryStore.open(StoreURL.parse(url), mode=mode))


def found(store, key="x"):
    return store.blocking.get([Read(key)])[0]


def test_stores_of_one_name_share_their_objects(url):
    writer, reader, other = opened(url), opened(url, "r"), opened(f"{url}/other")
    writer.blocking.put({"x": b"shared"})
    assert found(reader) == b"shared"
    assert found(other) is None


def test_forgetting_a_name_empties_every_store_of_it_and_no_other(url):
    store, other = opened(url), opened(f"{url}/other")
    store.blocking.put({"x": b"gone"})
    other.blocking.put({"x": b"kept"})
    forget(url)
    assert found(store) is None
    assert found(other) == b"kept"
    store.blocking.put({"x": b"again"})
    assert found(opened(url)) == b"again"
    forget(f"{url}/other")
    forget(f"{url}/never-written")


def test_a_name_is_literal(url):
    opened(f"{url}/a").blocking.put({"x": b"1"})
    assert found(opened(f"{url}/a/")) is None
    forget(f"{url}/a")


def test_a_url_with_parameters_is_rejected(url):
    with pytest.raises(StoreError, match=r"size.*accepted: 'memory://name'"):
        opened(f"{url}?size=3")


def test_an_object_does_not_change_with_the_buffer_that_it_was_written_from(url):
    store, buffer = opened(url), bytearray(b"before")
    store.blocking.put({"x": buffer})
    buffer[:] = b"after!"
    assert found(store) == b"before"


def test_a_batch_with_an_invalid_key_writes_nothing(url):
    store = opened(url)
    with pytest.raises(StoreError, match=r"\.\./y"):
        store.blocking.put({"x": b"1", "../y": b"2"})
    assert found(store) is None


def test_a_batch_is_written_atomically(url):
    store = opened(url)
    names = [f"k/{number}" for number in range(50)]

    async def write():
        for turn in range(20):
            await anyio.to_thread.run_sync(store.blocking.put, dict.fromkeys(names, bytes([turn])))
        group.cancel_scope.cancel()

    async def main():
        global group
        async with anyio.create_task_group() as group:
            group.start_soon(write)
            while True:
                await anyio.lowlevel.checkpoint()
                listed = [entry.etag async for entry in store.list("k/")]
                assert len(listed) in {0, len(names)}

    anyio.run(main)


def test_publishing_without_staged_objects_is_an_error(url):
    with pytest.raises(StoreError, match="nothing is staged at 'stage/'"):
        opened(url).blocking.publish("stage/", "target/")


@pytest.mark.parametrize("prefix", ["", "stage", "/"])
def test_an_invalid_prefix_cannot_be_published(url, prefix):
    store = opened(url)
    store.blocking.put({"stage/x": b"1"})
    for staged, target in ((prefix, "target/"), ("stage/", prefix)):
        with pytest.raises(StoreError, match="refused"):
            store.blocking.publish(staged, target)


def test_each_name_has_its_own_lock(url):
    async def main():
        async with opened_now(url).lock(), opened_now(f"{url}/other").lock():
            return True

    assert anyio.run(main)


def opened_now(url):
    return MemoryStore(url=StoreURL.parse(url), read_only=False)


def test_another_process_finds_nothing(url):
    import pickle

    store = opened(url)
    store.blocking.put({"x": b"here"})
    code = "import pickle, sys; s = pickle.load(sys.stdin.buffer); print(s, [*s.blocking.list('', after='', recursive=True)])"
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(store), capture_output=True, check=True)
    assert done.stdout.decode().strip() == f"{store!r} []"
