"""A server that ignores conditions is found out before anything is written; with a stand-in for such servers."""

import pytest
import samples
from bucket import BUCKETS, Bucket, BucketStore
from fault_proxy import Fault, running_proxy

import zcollection as zc
from zcollection.plugin import StoreError
from zcollection.transaction.log import probe


class Careless(BucketStore):
    """A store of a server that takes every conditional request for a plain one."""

    is_probed = True

    @classmethod
    async def open(cls, url, *, mode):
        return cls(url=url, read_only=mode == "r", bucket=CarelessBucket(BUCKETS.setdefault(url.location, {})))


class CarelessBucket(Bucket):
    async def create(self, key, data):
        await self.put(key, data)
        return "created"


@pytest.fixture(autouse=True)
def _stores(register, monkeypatch):
    register(Careless, name="careless")
    monkeypatch.setattr(probe, "_PASSED", set())
    yield
    BUCKETS.clear()


def test_a_server_that_ignores_conditions_is_refused_before_anything_is_written():
    with pytest.raises(
        StoreError, match=r"careless://x lets 3 of 3 writers .*storage_options=\{'single_writer': True\}"
    ):
        samples.create("careless://x")
    assert BUCKETS["x"] == {}


def test_it_is_refused_for_writing_and_not_for_reading(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Careless, "is_probed", False)
        samples.create("careless://x", [1, 12])
    samples.assert_rows(zc.open_collection("careless://x").query(), [1, 12])
    with pytest.raises(StoreError, match="writing is refused"):
        zc.open_collection("careless://x", mode="rw")


@pytest.fixture
def careless_server(ministack_server):
    with running_proxy(ministack_server) as proxy:
        proxy.create_bucket("bucket")
        proxy.proxy.ignores_conditions = True
        yield proxy


@pytest.mark.parametrize("driver", ["obstore", "fsspec"])
def test_conditions_ignored_on_the_way_are_found_out(careless_server, driver, request):
    url, options = f"s3://bucket/{request.node.name}", {**careless_server.storage_options, "driver": driver}
    with pytest.raises(StoreError, match="writing is refused"):
        samples.create(url, storage_options=options)
    collection = samples.create(url, [1, 12], storage_options={**options, "single_writer": True})
    samples.assert_rows(collection.query(), [1, 12])


@pytest.mark.parametrize("driver", ["obstore", "fsspec"])
def test_a_server_that_honours_them_is_asked_once_in_a_process(proxy, driver, request):
    url, options = f"s3://bucket/{request.node.name}", {**proxy.storage_options, "driver": driver}
    samples.create(url, [1, 12], storage_options=options)
    for _ in range(2):
        zc.open_collection(url, mode="rw", storage_options=options)
    assert sum("/probe/" in key for kind, key in proxy.proxy.requests if kind == "CREATE") == 3


@pytest.mark.parametrize("driver", ["obstore", "fsspec"])
def test_answers_that_are_lost_are_told_as_that_and_not_as_a_server_without_conditions(proxy, driver, request):
    proxy.proxy.faults.append(Fault("lose", kind="CREATE", times=None))
    options = {**proxy.storage_options, "driver": driver, "max_retries": 0}
    with pytest.raises(StoreError, match="answers .* were lost 3 times.*check the server and the connection") as caught:
        samples.create(f"s3://bucket/{request.node.name}", storage_options=options)
    assert "single_writer" not in str(caught.value)


@pytest.mark.parametrize("driver", ["obstore", "fsspec"])
def test_a_server_that_drops_every_connection_is_told_as_that(proxy, driver, request):
    proxy.proxy.faults.append(Fault("drop", times=None))
    options = {**proxy.storage_options, "driver": driver, "max_retries": 0}
    with pytest.raises(StoreError, match="the server dropped the connection"):
        samples.create(f"s3://bucket/{request.node.name}", storage_options=options)
