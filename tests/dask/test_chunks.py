"""Queries that return arrays of dask: what blocks they have, and that nothing is read before it is computed."""

import pickle
import uuid

import computations
import dask
import numpy as np
import pytest
import samples
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc

MANY = 1_000
TIMES = [*range(23), *range(40, 48), 99]
ROWS = (10, 10, 3, 8, 1)


@pytest.fixture
def url(memory_url):
    return memory_url


@pytest.fixture(scope="module")
def shared():
    made = samples.create(f"dict://{uuid.uuid4().hex}", TIMES)
    made.insert(samples.rows([300]) | {"angle": [5.0, 6.0]})
    return made


def computed(dataset):
    arrays = {path: variable.data for path, variable in dataset.all_variables().items()}
    return zc.Dataset(dataset.schema, dict(zip(arrays, dask.compute(*arrays.values()), strict=True)))


@pytest.mark.parametrize(
    ("chunks", "rows"),
    [
        ({}, (7, 3, 7, 3, 3, 7, 1, 1)),
        ({"row": None}, (7, 3, 7, 3, 3, 7, 1, 1)),
        ({"row": "partition"}, ROWS),
        ({"row": -1}, (32,)),
        ({"row": 8}, (7, 3, 7, 3, 3, 8, 1)),
        ({"row": 14}, (10, 10 + 3, 8 + 1)),
        ({"row": 1000}, (32,)),
    ],
)
def test_blocks_are_those_of_partitions_or_hold_several_whole(url, chunks, rows):
    collection = samples.create(url, TIMES)
    found = collection.query(chunks=chunks)
    assert found["value"].data.chunks == (rows,)
    assert found["swath"].data.chunks == (rows, (2,))
    assert computed(found) == collection.query()


@examples(40)
@given(
    rows=st.integers(1, 40) | st.sampled_from([None, -1, "partition"]),
    columns=st.sampled_from([None, 1, 2, 5, -1]),
    part=st.slices(33),
)
def test_any_blocks_hold_the_values_of_a_query(shared, rows, columns, part):
    found = shared.query(chunks={"row": rows, "x": columns})
    assert computed(found) == shared.query()
    assert np.array_equal(found["swath"].data[part].compute(), shared.query()["swath"].to_numpy()[part])


def test_nothing_is_read_before_it_is_computed(url):
    collection = samples.create(url, TIMES)
    found = collection.query(chunks={})
    for key in [key for key in collection.store.data if "/c/" in key and not key.startswith("_")]:
        del collection.store.data[key]
    with pytest.raises(zc.CorruptionError, match="is missing"):
        found["value"].data.compute(scheduler="synchronous")


def test_a_partition_that_was_replaced_meanwhile_is_named(url):
    collection = samples.create(url, TIMES)
    found = collection.query(chunks={})
    collection.insert(samples.rows([41]), merge="append")
    assert found["time"].data[:5].compute(scheduler="synchronous").tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(zc.ConflictError, match="'sign=plus/quotient=4'.*changed by another writer"):
        found["time"].data.compute(scheduler="synchronous")


def test_the_graph_of_many_partitions_has_a_task_for_each_chunk_and_names_them_once(tmp_path):
    collection = samples.create(str(tmp_path), np.arange(MANY), divisor=1)
    found = collection.query(chunks={})
    arrays = [found[name].data for name in ("time", "value", "swath", "deep/er/flag")]
    assert [array.npartitions for array in arrays] == [MANY] * 4
    graph = dict(arrays[0].__dask_graph__())
    assert len(graph) == MANY + 1
    # Layers that are not written out: what is sent grows with the partitions, not with the blocks of each variable.
    sizes = [len(pickle.dumps(list(array.dask.layers.values()))) for array in arrays]
    assert sum(sizes) / MANY < 4 * 400


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ({"rwo": 1}, "'rwo'.*did you mean 'row'"),
        ({"row": 0}, "accepted: a number of at least 1"),
        ({"x": "partition"}, "accepted: a number of at least 1"),
        ({"row": "all"}, "accepted: a number of at least 1"),
    ],
)
def test_lengths_that_are_none_are_refused(shared, chunks, message):
    with pytest.raises(zc.errors.SettingError, match=message):
        shared.query(chunks=chunks)


def test_workers_read_the_blocks(client, tmp_path):
    collection = samples.create(str(tmp_path), TIMES)
    found = collection.query(chunks={})
    assert client.compute(found["value"].data.sum()).result() == collection.query()["value"].to_numpy().sum()


def test_computed_arrays_are_inserted_elsewhere(client, tmp_path):
    collection, other = (samples.create(str(tmp_path / name)) for name in "ab")
    collection.insert(samples.rows(TIMES))
    other.insert(collection.query(chunks={}), client=client)
    assert other.query() == collection.query()


@pytest.mark.parametrize("store", ["file", "icechunk"])
def test_the_variables_of_a_view_are_arrays_as_well(client, tmp_path, store):
    url = f"{store}://{tmp_path}/base"
    base = samples.create(url, TIMES)
    view = zc.create_view(f"{url}-view", base=base, computation=computations.Sum(reach=1))
    view.refresh(filters="quotient != 1")
    found = view.query(chunks={"row": "partition"})
    assert dask.is_dask_collection(found["sum"].data)
    assert found["sum"].data.chunks == found["value"].data.chunks
    expected = view.query()
    for path in ("time", "value", "sum", "deep/er/flag"):
        np.testing.assert_array_equal(client.compute(found[path].data).result(), expected[path].to_numpy())
    assert view.query(chunks={}, filters="quotient == 77") is None
    with pytest.raises(zc.errors.SettingError, match="with lazy=True or chunks, which reads nothing yet"):
        view.query(chunks={}, stale="compute")
