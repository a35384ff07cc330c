import pickle
import uuid

import numpy as np
import pytest
import samples
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.plugin import kind_at, stored_blocks, synchronous

TIMES = [*range(23), *range(40, 48), 99]


@pytest.fixture
def collection(url):
    made = samples.create(url, TIMES)
    made.insert({"time": [200, 201], "value": [0.5, 1.5], "deep/er/flag": [1, 2]}, missing="fill")  # without swath
    return made


@pytest.fixture(scope="module")
def shared():
    made = samples.create(f"dict://{uuid.uuid4().hex}", TIMES)
    made.insert(samples.rows([300]) | {"angle": [5.0, 6.0]})
    return made


def test_nothing_is_read_before_it_is_asked_for(collection):
    lazy = collection.query(lazy=True)
    assert lazy.is_lazy
    assert lazy.sizes == collection.query().sizes
    for key in [key for key in collection.store.data if "/c/" in key and not key.startswith("_")]:
        del collection.store.data[key]
    part = lazy.isel(row=slice(3)).select(["time", "swath"])
    assert part.is_lazy
    assert "<lazy LazyRows>" in repr(part)
    with pytest.raises(zc.CorruptionError, match="is missing"):
        part["time"].to_numpy()


def test_all_of_it_equals_an_eager_query(collection):
    assert collection.query(lazy=True) == collection.query()
    assert collection.query(lazy=True, filters="quotient == 4") == collection.query(filters="quotient == 4")
    assert collection.query(lazy=True, filters="quotient == 77") is None


INDEX = st.slices(32) | st.lists(st.integers(-32, 31)).map(lambda rows: np.array(rows, dtype=int))


@examples(60)
@given(rows=INDEX, again=st.slices(10) | st.just(slice(None, None, -1)), columns=st.slices(2))
def test_any_selection_of_a_selection_equals_that_of_the_values(shared, rows, again, columns):
    eager, lazy = shared.query(filters="quotient < 20"), shared.query(filters="quotient < 20", lazy=True)
    selections = ({"row": rows, "x": columns}, {"row": again})
    for selection in selections:
        eager, lazy = eager.isel(selection), lazy.isel(selection)
    assert lazy.is_lazy
    assert lazy == eager


def test_only_the_chunks_with_what_is_selected_are_read(collection):
    lazy = collection.query(lazy=True, variables=["value", "swath"])
    data = collection.store.data
    kept = {"sign=plus/quotient=0/value/c/1", "sign=plus/quotient=0/swath/c/1/0"}
    for key in [key for key in data if ("/value/c/" in key or "/swath/c/" in key) and key not in kept]:
        del data[key]
    part = lazy.isel(row=slice(7, 10))
    np.testing.assert_array_equal(part["value"].to_numpy(), np.arange(7, 10) + 0.25)
    np.testing.assert_array_equal(part["swath"].to_numpy()[:, 0], [7, 8, 9])


def test_variables_that_do_not_span_the_axis_are_lazy_too(shared, url):
    assert shared.query(lazy=True)["angle"].to_numpy().tolist() == [5, 6]
    assert samples.create(url, [1]).query(lazy=True)["angle"].to_numpy().tolist() == [0, 0]


def test_strings_shards_and_nested_variables_are_read_by_part(url):
    schema = (
        zc.Schema()
        .with_dimension("row", chunks=2, shards=4)
        .with_variable("time", dtype="int64", dimensions=("row",))
        .with_variable("name", dtype="string", dimensions=("row",), group="/g")
        .build()
    )
    collection = samples.create(url, schema=schema)
    collection.insert({"time": range(9), "g/name": [f"n{number}" for number in range(9)]})
    lazy = collection.query(lazy=True)
    assert lazy.isel(row=[8, 0, 5])["g/name"].to_numpy().tolist() == ["n8", "n0", "n5"]
    assert lazy["time"][3:6].shape == (3,)
    assert np.asarray(lazy["time"][3:6]).tolist() == [3, 4, 5]


def test_a_partition_that_was_changed_meanwhile_is_not_mixed_in(collection):
    lazy = collection.query(lazy=True)
    collection.insert(samples.rows([41]), merge="append")
    assert lazy.isel(row=slice(5))["time"].to_numpy().tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(
        zc.ConflictError, match="'sign=plus/quotient=4'.*changed by another writer after it was looked up"
    ):
        lazy["time"].to_numpy()
    collection.drop_partitions(filters="quotient == 0")
    with pytest.raises(zc.ConflictError, match="query again"):
        lazy.isel(row=slice(5))["time"].to_numpy()


def test_lazy_variables_pickle(collection):
    lazy = collection.query(lazy=True)
    assert pickle.loads(pickle.dumps(lazy["value"])).to_numpy().tolist() == lazy["value"].to_numpy().tolist()


def test_lazy_rows_may_be_inserted_elsewhere(collection, url):
    other = samples.create(f"{url}-other")
    other.insert(collection.query(lazy=True, filters="quotient < 20"))
    samples.assert_rows(other.query(), TIMES)


@examples(60)
@given(rows=st.slices(32), numbers=st.lists(st.tuples(st.integers(0, 31), st.integers(0, 1)), max_size=9))
def test_single_values_equal_those_of_the_values(shared, rows, numbers):
    part = shared.query(filters="quotient < 20", lazy=True).isel(row=rows)["swath"].data
    points = tuple(np.array([at[axis] for at in numbers if at[0] < part.shape[0]], int) for axis in (0, 1))
    expected = shared.query(filters="quotient < 20").isel(row=rows)["swath"].to_numpy()[points]
    np.testing.assert_array_equal(part.values(points), expected)
    np.testing.assert_array_equal(part.read_here(points), expected)


def test_single_values_are_read_of_their_chunks_alone(collection):
    lazy, data = collection.query(lazy=True)["swath"].data, collection.store.data
    kept = {"sign=plus/quotient=0/swath/c/1/0", "sign=plus/quotient=9/swath/c/0/0"}
    for key in [key for key in data if "/swath/c/" in key and key not in kept]:
        del data[key]
    absent = lazy.shape[0] - 1  # of a partition that lacks the variable
    values = lazy.values((np.array([[8], [31], [absent]]), np.array([[1], [0], [1]])))
    assert values.tolist() == [[8.5], [99], [-1]]
    with pytest.raises(zc.CorruptionError, match="is missing"):
        lazy.values((np.array([0]), np.array([0])))


def test_positions_keep_the_partitions_that_hold_them(collection):
    lazy = collection.query(lazy=True)["value"].data
    for index in (slice(3, 12, 2), slice(11, 2, -3), np.array([9, 3])):
        part = lazy[index]
        assert [source.group.path for source in part.sources.groups] == [
            "sign=plus/quotient=0",
            "sign=plus/quotient=1",
        ][: len(part.sources.groups)]
        np.testing.assert_array_equal(part.values(), np.asarray(lazy)[index])
    assert list(lazy[3:5].sources.limits) == [(0, 9)]


def test_chunks_as_they_are_stored_hold_no_rows_of_two_partitions(collection):
    lazy = collection.query(lazy=True)["swath"].data
    assert stored_blocks(lazy) == ((7, 3, 7, 3, 3, 7, 1, 1, 2), (2,))
    assert stored_blocks(lazy[[0, 4, 33, 9]]) == ((3, 1), (2,))
    assert stored_blocks(lazy[5:5])[0] == (0,)


def test_what_lies_somewhere_is_told_from_its_configuration(collection, url, tmp_path):
    view = zc.create_view(
        f"{url}-view", base=collection, variables=[zc.VariableSchema("more", dtype="float32", dimensions=("row",))]
    )
    kind = synchronous(kind_at)
    assert (kind(url), kind(collection.store), kind(view.store.url), kind(f"{url}-other")) == (
        "collection",
        "collection",
        "view",
        None,
    )
    assert kind(f"repository://{tmp_path}/nothing") is None
