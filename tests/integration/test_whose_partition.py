"""A group that lies in the place of another partition, or of another generation of it, is not read as that one."""

import anyio
import numpy as np
import pytest
import samples
from bucket import BUCKETS, BucketStore
from effort import every_pair

import zcollection as zc
from zcollection.plugin import Read

OURS, OTHERS = "sign=plus/quotient=1", "sign=plus/quotient=2"
EITHER = "sign=plus/quotient=[12]"


STORES = ["file", "memory", "bucket"]


@pytest.fixture(params=STORES)
def collection(request, register, tmp_path):
    register(BucketStore, name="bucket")
    url = {"file": str(tmp_path / "c"), "memory": f"memory://{tmp_path.name}", "bucket": "bucket://whose"}[
        request.param
    ]
    yield samples.create(url, [1, 12, 13, 25, 26, 31])  # two partitions have as many rows as each other
    BUCKETS.clear()


async def _taken(store, path):
    keys = [entry.key async for entry in store.list(f"{path}/", recursive=True)]
    return dict(
        zip([key.removeprefix(path) for key in keys], await store.get([Read(key) for key in keys]), strict=True)
    )


async def _given(store, path, objects):
    await store.delete([f"{path}/"])
    await store.put({path + key: data for key, data in objects.items()})


def taken(collection, path):
    return anyio.run(_taken, collection.store, path)


def give(collection, path, objects):
    anyio.run(_given, collection.store, path, objects)


def copied(collection):
    give(collection, OURS, taken(collection, OTHERS))


def swapped(collection):
    ours, others = taken(collection, OURS), taken(collection, OTHERS)
    give(collection, OURS, others)
    give(collection, OTHERS, ours)


def from_a_backup(collection):
    backup = taken(collection, OURS)
    collection.insert(samples.rows([11, 13]))
    give(collection, OURS, backup)


CHANGES = [copied, swapped, from_a_backup]
READS = {
    "all": lambda col: col.query(),
    "one partition": lambda col: col.query(filters="quotient == 1"),
    "the axis": lambda col: col.query(variables=["time"]),
    "map": lambda col: col.map(lambda ds: ds["time"].to_numpy().sum()),
    "lazily": lambda col: col.query(lazy=True)["value"].to_numpy(),
    "in blocks": lambda col: col.query(chunks={})["value"].to_numpy(),
    "merge": lambda col: col.insert(samples.rows([14]), merge="append"),
    "update": lambda col: col.update(lambda ds: {"value": ds["value"].to_numpy()}),
}


@pytest.mark.parametrize(("read", "change", "collection"), every_pair(READS, CHANGES, STORES), indirect=["collection"])
def test_whoever_reads_it_is_told(collection, change, read):
    change(collection)
    with pytest.raises((zc.CorruptionError, zc.ConflictError), match=EITHER):
        READS[read](zc.open_collection(collection.store, mode="rw"))


@pytest.mark.parametrize("change", CHANGES)
def test_a_query_that_skips_what_is_damaged_reads_the_others(collection, change):
    change(collection)
    with pytest.warns(zc.CorruptionWarning, match=EITHER):
        found = zc.open_collection(collection.store).query(on_error="skip")
    samples.assert_rows(found, [1, 31] if change is swapped else [1, 25, 26, 31])


@pytest.mark.parametrize("change", CHANGES)
def test_a_view_over_it_is_told(collection, change):
    variable = zc.VariableSchema("twice", dtype="float64", dimensions=("row",))
    view = zc.create_view("memory://view-of-whose", base=collection, variables=[variable], overwrite=True)
    change(collection)
    with pytest.raises(zc.CorruptionError, match=EITHER):
        zc.open_view("memory://view-of-whose", base=collection).query()
    with pytest.raises((zc.CorruptionError, zc.ConflictError), match=EITHER):
        view.update(lambda ds: {"twice": ds["value"].to_numpy() * 2})


@pytest.mark.parametrize("change", CHANGES)
def test_a_verification_names_it_and_a_repair_does_not_make_it_seem_right(collection, change):
    change(collection)
    assert any(problem.partition == OURS for problem in collection.verify().problems)
    remaining = collection.repair().remaining
    assert any(problem.partition == OURS for problem in remaining)
    with pytest.raises(zc.CorruptionError, match=EITHER):
        collection.query()
    collection.insert(samples.rows([12, 13, 25, 26]))
    assert collection.verify(data=True).is_clean
    samples.assert_rows(collection.query(), [1, 12, 13, 25, 26, 31])


def test_nor_does_it_where_the_document_that_says_whose_it_is_is_lost(collection):
    objects = taken(collection, OTHERS)
    del objects["/zarr.json"]
    give(collection, OURS, objects)
    remaining = collection.repair().remaining
    assert any("another partition" in problem.what for problem in remaining)
    with pytest.raises(zc.CorruptionError, match="time.* from 25 to 26, but those committed range from 12 to 13"):
        collection.query()


def test_missing_values_and_fractions_are_no_other_partition(tmp_path):
    schema = (
        zc.Schema()
        .with_dimension("row")
        .with_variable("part", dtype="int64", dimensions=("row",))
        .with_variable("height", dtype="float32", dimensions=("row",))
        .build()
    )
    collection = zc.create_collection(
        str(tmp_path / "c"),
        schema=schema,
        axis="height",
        partitioning=zc.partitioning.Sequence(("part",), dimension="row"),
    )
    heights = np.array([0.1, np.nan, -0.3, np.nan, np.nan, 7.7, np.inf], dtype="float32")
    collection.insert({"part": np.array([0, 0, 0, 1, 1, 2, 2]), "height": heights})
    np.testing.assert_array_equal(zc.open_collection(collection.store).query()["height"].to_numpy(), heights)
