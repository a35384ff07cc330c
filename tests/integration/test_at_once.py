"""A query of one partition of a local store, which the caller's own thread answers, while others write."""

import asyncio
import os
import subprocess
import sys
import threading
import uuid
from typing import ClassVar

import anyio
import numpy as np
import pytest
import samples
from anyio.lowlevel import checkpoint
from attrs import frozen
from meddling import meddled
from zcollection_store_file.store import FileStore

import zcollection as zc


def with_angle(times, angle):
    return {**samples.rows(times), "angle": np.array([angle, angle])}


@pytest.fixture
def collection(tmp_path):
    made = samples.create(str(tmp_path / "collection"))
    made.insert(with_angle([1, 12, 25], 1.0))
    return made


def test_rows_and_what_is_stored_once_are_of_one_version(collection):
    def meddle(number):
        if number == 1:
            collection.insert(with_angle([13], 2.0), immutable="replace")

    found = meddled(collection, meddle).query(filters="quotient == 1")
    samples.assert_rows(found, [13])
    assert found["angle"].to_numpy().tolist() == [2.0, 2.0]


def test_a_partition_that_is_replaced_again_and_again_is_read_whole(collection):
    def meddle(number):
        if number < 4:
            collection.insert(samples.rows([12, *range(13, 13 + number)]))

    samples.assert_rows(meddled(collection, meddle).query(filters="quotient == 1"), [12, 13, 14, 15])


def test_a_partition_that_is_dropped_meanwhile_is_not_there(collection):
    assert (
        meddled(collection, lambda _: collection.drop_partitions(filters="quotient == 1")).query(
            filters="quotient == 1"
        )
        is None
    )


def test_when_nobody_writes_each_chunk_is_read_once(collection):
    reader = meddled(collection, lambda _: None)
    samples.assert_rows(reader.query(filters="quotient == 1"), [12])
    keys = [key for keys in reader.store.blocking.asked for key in keys]
    assert len(keys) == len(set(keys)) == 5


def test_a_damaged_partition_is_told_and_left_out_as_by_any_query(collection, tmp_path):
    chunk = tmp_path / "collection/sign=plus/quotient=1/time/c/0"
    chunk.write_bytes(chunk.read_bytes()[:10])
    with pytest.raises(zc.CorruptionError, match="quotient=1.*time/c/0"):
        collection.query(filters="quotient == 1")
    with pytest.warns(zc.CorruptionWarning):
        assert collection.query(filters="quotient == 1", on_error="skip") is None


READING = """
import sys, threading
import fakes
import zcollection as zc
from zcollection.registry.registry import REGISTRY

REGISTRY.register(fakes)
found = zc.open_collection(sys.argv[1]).query(filters="quotient == 1")
print(found.sizes["row"], [thread.name for thread in threading.enumerate()])
"""


def test_neither_opening_nor_such_a_query_starts_a_thread(collection):
    support = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", READING, collection.store.root]
    answer = subprocess.run(command, env=support, capture_output=True, check=True, text=True)
    assert answer.stdout.strip() == "1 ['MainThread']"


def threads_of_predicates(collection):
    """Return the threads on which a predicate looks at keys; it selects all partitions."""
    seen = set()

    def every(key):
        del key
        seen.add(threading.current_thread())
        return True

    return seen, every


def test_a_predicate_is_asked_on_the_thread_of_the_caller_and_of_no_event_loop(collection):
    seen, every = threads_of_predicates(collection)
    samples.assert_rows(collection.query(filters=every), [1, 12, 25])
    assert seen == {threading.current_thread()}

    async def main():
        seen.clear()
        return collection.query(filters=every), await collection.query_async(filters=every)

    for found in asyncio.run(main()):
        samples.assert_rows(found, [1, 12, 25])
    assert threading.current_thread() not in seen


USES = {
    "query": lambda collection, filters: collection.query(filters=filters).sizes["row"],
    "lazy query": lambda collection, filters: collection.query(filters=filters, lazy=True).sizes["row"],
    "query with progress": lambda collection, filters: collection.query(filters=filters, progress=True).sizes["row"],
    "partitions": lambda collection, filters: len(collection.partitions(filters=filters)),
    "map": lambda collection, filters: len(collection.map(lambda dataset: 1, filters=filters)),
    "update": lambda collection, filters: len(collection.update(lambda dataset: {}, filters=filters)),
    "copy": lambda collection, filters: len(
        collection.copy(f"memory://{uuid.uuid4().hex}", filters=filters).partitions()
    ),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("url", ["file", "file without a catalog", "icechunk"])
def test_a_predicate_may_query_again_and_run_a_loop_of_its_own(use, url, tmp_path):
    """It is the user's: called on no event loop of ours, whoever asks it, and how."""
    scheme, _, without = url.partition(" ")
    catalog = False if without else None
    collection = samples.create(f"{scheme}://{tmp_path}/asked", [1, 12, 25], catalog_enabled=catalog)

    def has_rows(key):
        asyncio.run(asyncio.sleep(0))
        return collection.query(filters={"quotient": key["quotient"]}).sizes["row"] == 1

    assert USES[use](collection, has_rows) == 3


@pytest.mark.parametrize("settings", [{}, {"progress": True}, {"lazy": True}, {"variables": ["angle"]}])
@pytest.mark.parametrize("catalog", [True, False])
def test_what_takes_longer_goes_on_on_the_loop(tmp_path, settings, catalog, monkeypatch):
    """More partitions than one thread reads quickly, without a catalog, or another way to read."""
    monkeypatch.setattr("zcollection.collection.read.consistent_read._SMALL", 0)
    url = str(tmp_path / "many")
    samples.create(url, catalog_enabled=catalog).insert(with_angle(range(0, 200, 10), 1.0))
    found = zc.open_collection(url).query(**settings)
    assert found["angle"].to_numpy().tolist() == [1.0, 1.0]
    if "variables" not in settings:
        samples.assert_rows(zc.open_collection(url).query(**settings), list(range(0, 200, 10)))


@frozen
class Asynchronous(FileStore):
    """A store that waits for everything, even while it is opened."""

    opens_at_once: ClassVar[bool] = False
    blocking = None

    @classmethod
    async def open(cls, url, *, mode):
        await checkpoint()
        return await super().open(url, mode=mode)

    async def get(self, reads):
        return await anyio.to_thread.run_sync(super().blocking.get, reads)

    async def list(self, prefix, *, after="", recursive=False):
        await checkpoint()
        for entry in super().blocking.list(prefix, after=after, recursive=recursive):
            yield entry


def test_a_store_that_waits_is_opened_and_read_on_the_loop(collection, monkeypatch):
    monkeypatch.setattr("zcollection.collection.stores._store_class", lambda _: Asynchronous)
    opened = zc.open_collection(collection.store.root)
    assert isinstance(opened.store, Asynchronous)
    for found in opened, zc.open_collection(opened.store):
        samples.assert_rows(found.query(), [1, 12, 25])


def test_a_collection_that_replaces_another_one_is_opened_before_it_lies_in_its_place(tmp_path, monkeypatch):
    async def fails(*_, **_options):
        raise zc.StoreError("interrupted")

    url = str(tmp_path / "replaced")
    samples.create(url, [1], catalog_enabled=False)
    monkeypatch.setattr("zcollection.transaction.log.publication.publish", fails)
    with pytest.warns(zc.PublicationWarning):
        samples.create(url, divisor=5, catalog_enabled=False, overwrite=True)
    assert zc.open_collection(url).partitioning.divisor == 5


@pytest.mark.parametrize("url", ["file", "repository"])
def test_a_variable_that_is_added_meanwhile_is_known(url, tmp_path):
    collection = samples.create(f"{url}://{tmp_path}/grown", [12])
    reader = zc.open_collection(collection.store, mode="rw")
    collection.add_variable(zc.VariableSchema(name="later", dtype="int32", dimensions=("row",), fill_value=-1))
    assert reader.query(filters="quotient == 1", variables=["later"])["later"].to_numpy().tolist() == [-1]
