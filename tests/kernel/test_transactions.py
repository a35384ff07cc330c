import json

import fakes
import numpy as np
import pytest
import samples

import zcollection as zc
from zcollection.model import documents
from zcollection.transaction import retrying
from zcollection.transaction.documents import PartitionRecord


@pytest.fixture
def collection(url):
    return samples.create(url, [1, 12, 25])


def forget_catalog(collection):
    del collection.store.data["_catalog/c/0"]


def damage_catalog(collection):
    collection.store.data["_catalog/c/0"] = b"nonsense"


def cut_catalog(collection):
    collection.store.data["_catalog/c/0"] = collection.store.data["_catalog/c/0"][:-5]


@pytest.mark.parametrize("spoil", [forget_catalog, damage_catalog, cut_catalog])
def test_a_wrong_or_lost_catalog_hides_nothing(collection, spoil):
    spoil(collection)
    samples.assert_rows(collection.query(), [1, 12, 25])
    collection.insert(samples.rows([31]))
    samples.assert_rows(collection.query(), [1, 12, 25, 31])


class FailsToPublish(fakes.DictStore):
    """A store in which publishing fails from a given partition on."""

    failing = "quotient=2"

    async def publish(self, staged, target, fence=None):
        if self.failing in target:
            raise zc.StoreError("the disk is full")
        await super().publish(staged, target)


def test_what_is_committed_is_read_wherever_it_lies_and_the_next_writer_puts_it_in_place(collection):
    broken = zc.open_collection(FailsToPublish(collection.store.url, False), mode="rw")
    with pytest.warns(zc.PublicationWarning, match="version 2 of .* is committed.*the disk is full.*the next writer"):
        broken.insert(samples.rows([2, 26]), merge="append")
    samples.assert_rows(collection.query(), [1, 2, 12, 25, 26])
    samples.assert_rows(collection.query(lazy=True), [1, 2, 12, 25, 26])
    assert [dataset.sizes["row"] for dataset in collection.map(lambda dataset: dataset).values()] == [2, 1, 2]
    assert [key for key in collection.store.data if "stage" in key]
    collection.insert(samples.rows([27]), merge="append")
    assert not [key for key in collection.store.data if "stage" in key]
    forget_catalog(collection)
    samples.assert_rows(collection.query(), [1, 2, 12, 25, 26, 27])


class FailsToCommit(fakes.DictStore):
    """A store that refuses records of versions."""

    async def create(self, key, data):
        if "/log/" in key:
            raise zc.StoreError("the disk is full")
        return await super().create(key, data)


def test_what_was_staged_is_removed_when_a_write_fails(collection):
    broken = zc.open_collection(FailsToCommit(collection.store.url, False), mode="rw")
    with pytest.raises(zc.StoreError):
        broken.insert(samples.rows([26]))
    assert not [key for key in collection.store.data if "stage" in key]


def test_of_two_writers_of_one_partition_the_second_merges_again(collection):
    other = zc.open_collection(collection.store, mode="rw")
    calls = []

    def meddle(existing, inserted, *, axis, partitioning_dim):
        if not calls:
            other.insert(samples.rows([2]), merge="append")
        calls.append(existing.sizes["row"])
        return zc.Dataset.concat([existing, inserted], partitioning_dim)

    collection.insert(samples.rows([3]), merge=meddle)
    assert calls == [1, 2]
    samples.assert_rows(collection.query(filters="quotient == 0"), [1, 2, 3])


def test_writers_of_other_partitions_do_not_conflict(collection):
    calls = []

    def meddle(existing, inserted, *, axis, partitioning_dim):
        zc.open_collection(collection.store, mode="rw").insert(samples.rows([26]), merge="append")
        calls.append(1)
        return zc.Dataset.concat([existing, inserted], partitioning_dim)

    collection.insert(samples.rows([3]), merge=meddle)
    assert calls == [1]
    samples.assert_rows(collection.query(), [1, 3, 12, 25, 26])


def test_a_conflict_that_never_ends_is_an_error(collection, monkeypatch):
    monkeypatch.setattr(retrying, "_FIRST_PAUSE", 0)
    other = zc.open_collection(collection.store, mode="rw")

    def meddle(existing, inserted, **_):
        other.insert(samples.rows([2]), merge="append")
        return inserted

    with pytest.raises(zc.ConflictError, match="'sign=plus/quotient=0'.*changed by another writer"):
        collection.insert(samples.rows([3]), merge=meddle)


def test_foreign_objects_are_neither_listed_nor_lost(collection):
    foreign = {
        "notes.txt": b"hello",
        "sign=plus/readme": b"x",
        "sign=plus/quotient=3/file": b"x",
        "other/deep/zarr.json": b'{"zarr_format": 3, "node_type": "group", "attributes": {}}',
        ".hidden/x/zarr.json": b"{}",
    }
    collection.store.data.update(foreign)
    forget_catalog(collection)
    samples.assert_rows(collection.query(), [1, 12, 25])
    collection.insert(samples.rows([2]), merge="append")
    assert foreign.items() <= collection.store.data.items()


def test_a_partition_with_a_damaged_document_is_corruption(collection):
    forget_catalog(collection)
    collection.store.data["sign=plus/quotient=1/zarr.json"] = b"{"
    with pytest.raises(zc.CorruptionError, match="'sign=plus/quotient=1'.*restore it"):
        collection.query()


def test_the_group_document_says_what_the_partition_is(collection):
    data = collection.store.data["sign=plus/quotient=1/zarr.json"]
    assert PartitionRecord.from_group(data, what="x") == collection.records()["sign=plus/quotient=1"]


def test_a_hundred_partitions_are_one_change(url):
    collection = samples.create(url)
    times = np.random.default_rng(0).permutation(np.arange(0, 1000, 5))
    collection.insert(samples.rows(times))
    assert len({record.stamp for record in collection.records().values()}) == 1
    np.testing.assert_array_equal(np.sort(collection.query()["time"].to_numpy()), np.arange(0, 1000, 5))


@pytest.mark.parametrize(
    "use",
    [
        lambda col: col.update(lambda dataset: {"value": dataset["value"].to_numpy()}),
        lambda col: col.insert(samples.rows([13]), merge="append"),
        lambda col: col.map(len),
    ],
)
def test_what_nobody_has_changed_is_damaged_and_not_in_conflict(collection, use):
    before = collection.store.data["sign=plus/quotient=1/zarr.json"]
    collection.store.data["sign=plus/quotient=1/zarr.json"] = samples.group_of_nobody(before)
    with pytest.raises(zc.CorruptionError, match="not .*committed"):
        use(collection)


def test_partitions_whose_keys_have_other_fields_than_each_other_are_damaged(collection):
    key = "sign=plus/quotient=1/zarr.json"
    body = json.loads(collection.store.data[key])
    record = json.loads(body["attributes"]["zcollection"])
    record.pop("checksum")
    record["key"] = {"sign": "plus"}
    body["attributes"]["zcollection"] = documents.with_checksum(json.dumps(record).encode()).decode()
    collection.store.data[key] = json.dumps(body).encode()
    collection.store.data.pop("_catalog/c/0")
    with pytest.raises(zc.CorruptionError, match="keys of different fields"):
        collection.query()
