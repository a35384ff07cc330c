"""A writer that is frozen before its commit, while others commit so much that the log is folded beyond its number."""

import numpy as np
import pytest
from bucket import BUCKETS, BucketStore

import zcollection as zc
from zcollection.transaction.log import commit_log, history

DAY = 86_400
SCHEMA = (
    zc.Schema()
    .with_dimension("time", chunks=64)
    .with_variable("time", dtype="int64", dimensions=("time",), attrs={"units": "seconds since 1970-01-01"})
    .with_variable("value", dtype="float64", dimensions=("time",))
)


@pytest.fixture(autouse=True)
def _bucket(register):
    register(BucketStore, name="bucket")
    yield
    BUCKETS.clear()


def rows(time, value):
    return {"time": np.array([time]), "value": np.array([value])}


@pytest.mark.parametrize("catalog", [True, False])
@pytest.mark.parametrize("others", [1, 15, 40, 90])
def test_what_it_acknowledges_is_there_and_nothing_of_others_is_lost(catalog, others, monkeypatch):
    made = zc.create_collection(
        "bucket://frozen", schema=SCHEMA, axis="time", partitioning="date:D", catalog_enabled=catalog
    )
    for number in range(3):
        made.insert(rows(number * DAY, 0.0))
    other = zc.open_collection("bucket://frozen", mode="rw")
    create, expected = BucketStore.create, {number * DAY: 0.0 for number in range(3)}

    async def frozen(self, key, data):
        if key.startswith(commit_log.LOG) and b'"frozen"' in data:
            monkeypatch.setattr(BucketStore, "create", create)
            for number in range(others):
                await other.insert_async(rows((number % 3) * DAY + 1, float(number)), merge="upsert")
                expected[(number % 3) * DAY + 1] = float(number)
        return await create(self, key, data)

    monkeypatch.setattr(BucketStore, "create", frozen)
    made.insert(rows(2, -1.0), merge="upsert", source="frozen")
    expected[2] = -1.0
    found = zc.open_collection("bucket://frozen").query()
    assert dict(zip(found["time"].to_numpy().tolist(), found["value"].to_numpy().tolist(), strict=True)) == expected
    assert not zc.open_collection("bucket://frozen").verify().problems


@pytest.mark.parametrize("others", [20, 40, 90])
def test_one_that_dies_once_it_has_used_the_number_of_another_leaves_nothing_that_matters(others, monkeypatch):
    made = zc.create_collection("bucket://frozen", schema=SCHEMA, axis="time", partitioning="date:D")
    made.insert(rows(0, 0.0))
    other = zc.open_collection("bucket://frozen", mode="rw")
    create, is_committed = BucketStore.create, history.is_committed

    async def frozen(self, key, data):
        if key.startswith(commit_log.LOG) and b'"frozen"' in data:
            monkeypatch.setattr(BucketStore, "create", create)
            for number in range(others):
                await other.insert_async(rows(DAY + number, 1.0), merge="upsert")
        return await create(self, key, data)

    async def dying(store, version):
        if version.source == "frozen":
            raise SystemError("killed")
        return await is_committed(store, version)

    monkeypatch.setattr(BucketStore, "create", frozen)
    monkeypatch.setattr(history, "is_committed", dying)
    with pytest.raises(SystemError):
        made.insert(rows(2, -1.0), merge="upsert", source="frozen")
    monkeypatch.setattr(history, "is_committed", is_committed)
    entries = zc.open_collection("bucket://frozen").history()
    assert [entry.version for entry in entries] == list(range(others + 2))
    assert "frozen" not in {entry.source for entry in entries}
    for number in range(40):
        other.insert(rows(2 * DAY + number, 2.0), merge="upsert")
    again = zc.open_collection("bucket://frozen", mode="rw")
    assert [entry.version for entry in again.history()] == list(range(others + 42))
    assert len(again.query()["time"]) == 1 + others + 40
    assert not again.verify().problems
    again.insert(rows(2, -1.0), merge="upsert", source="frozen")
    assert len(again.query()["time"]) == 2 + others + 40
