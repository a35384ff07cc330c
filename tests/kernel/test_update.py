import numpy as np
import pytest
import samples

import zcollection as zc

TIMES = [1, 3, 12, 25]


@pytest.fixture
def collection(url):
    return samples.create(url, TIMES)


def doubled(dataset):
    return {"value": dataset["value"].to_numpy() * 2}


def test_what_the_function_does_not_return_stays(collection):
    assert collection.update(doubled) == collection.partitions()
    found = collection.query()
    np.testing.assert_array_equal(found["value"].to_numpy(), (np.array(TIMES) + 0.25) * 2)
    samples.assert_rows(
        zc.Dataset(found.schema, {**found.all_variables(), "value": samples.rows(TIMES)["value"]}), TIMES
    )


def test_only_the_partitions_that_match_change(collection):
    untouched = collection.records()["sign=plus/quotient=0"]
    assert collection.update(doubled, filters="quotient == 2") == ("sign=plus/quotient=2",)
    assert collection.query()["value"].to_numpy().tolist() == [1.25, 3.25, 12.25, 50.5]
    assert collection.records()["sign=plus/quotient=0"] == untouched


def test_the_objects_of_other_variables_are_shared(collection):
    key = "sign=plus/quotient=2/swath/c/0/0"
    before = collection.store.data[key]
    collection.update(doubled)
    assert collection.store.data[key] is before


def test_values_changed_in_place_count(collection):
    def shift(dataset):
        dataset["value"].to_numpy()[:] += 1
        return dataset

    collection.update(shift)
    assert collection.query()["value"].to_numpy().tolist() == [2.25, 4.25, 13.25, 26.25]


def test_the_function_sees_only_the_variables_asked_for(collection):
    seen = []
    collection.update(lambda ds: seen.append(tuple(ds.all_variables())) or doubled(ds), variables=["value"])
    assert set(seen) == {("value",)}
    assert collection.query()["value"].to_numpy()[0] == 2.5


def test_nested_variables_are_returned_by_path(collection):
    collection.update(lambda ds: {"/deep/er/flag": ds["deep/er/flag"].to_numpy() + 1})
    assert collection.query()["deep/er/flag"].to_numpy().tolist() == [2, 4, 13, 26]


def test_a_variable_that_a_partition_lacks_may_be_computed(url):
    collection = samples.create(url)
    collection.insert({"time": [1, 2], "value": [1.0, 2.0], "deep/er/flag": [1, 2]}, missing="fill")
    collection.update(lambda ds: {"swath": np.stack([ds["value"].to_numpy()] * 2, axis=1)})
    assert collection.query()["swath"].to_numpy().tolist() == [[1, 1], [2, 2]]
    assert collection.records()["sign=plus/quotient=0"].absent == ()


def test_the_axis_range_follows(collection):
    collection.update(lambda ds: {"time": ds["time"].to_numpy() + 1})
    assert collection.records()["sign=plus/quotient=0"].axis_range == (2, 4)
    collection.update(doubled)
    assert collection.records()["sign=plus/quotient=0"].axis_range == (2, 4)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda ds: {"vallue": 1}, zc.SchemaError, "'vallue' is unknown"),
        (lambda ds: {"value": [1.0] * 7}, zc.SchemaError, "returned 7 rows for partition"),
        (lambda ds: {"value": ["x"] * len(ds["value"])}, zc.SchemaError, "'value' is declared float64"),
        (lambda ds: None, zc.SchemaError, "returned a NoneType"),
        (lambda ds: {"time": ds["time"].to_numpy() + 10}, zc.PartitionError, "moves rows of partition"),
        (lambda ds: {"angle": [1.0, 2.0]}, zc.SchemaError, "stored once for the whole collection"),
        (lambda ds: 1 // 0, ZeroDivisionError, "by zero"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(collection, function, error, message):
    before = dict(collection.store.data)
    with pytest.raises(error, match=message):
        collection.update(function)
    assert collection.store.data == before


def test_a_function_that_returns_nothing_changes_nothing(collection):
    before = dict(collection.store.data)
    collection.update(lambda ds: {})
    assert collection.store.data == before


def test_an_immutable_variable_may_be_returned_as_it_is(collection):
    collection.update(lambda ds: ds)
    samples.assert_rows(collection.query(), TIMES)
