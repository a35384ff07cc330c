import numpy as np
import pytest
import samples

import zcollection as zc
from zcollection.plugin import Key

TIMES = [1, 12, 25, -5, 105, 3]
READ = [-5, 1, 3, 12, 25, 105]


@pytest.fixture
def collection(url):
    return samples.create(url, TIMES)


def test_where_no_row_passes_of_variables_in_shards_there_are_none(url):
    """The partitioned dimension itself has no shards, and no rows."""
    schema = zc.Schema().with_dimension("time").with_dimension("x", size=3, chunks=3, shards=6)
    schema = schema.with_variable("time", dtype="int64", dimensions=("time",))
    schema = schema.with_variable("power", dtype="int16", dimensions=("time", "x"))
    made = zc.create_collection(url, schema=schema, axis="time", partitioning=samples.quotient())
    made.insert({"time": np.arange(3), "power": np.ones((3, 3), "int16")})
    assert made.query(where="False")["power"].to_numpy().shape == (0, 3)


def test_rows_come_in_the_numeric_order_of_the_keys(collection):
    samples.assert_rows(collection.query(), READ)
    assert collection.partitions()[-1] == "sign=plus/quotient=10"
    assert collection.keys()[0] == {"sign": "minus", "quotient": -1}


@pytest.mark.parametrize(
    "filters",
    ["sign == 'plus' and quotient > 1", {"sign": "plus", "quotient": [2, 10]}, lambda key: key["quotient"] > 1],
)
def test_a_filter_may_be_an_expression_a_mapping_or_a_function(collection, filters):
    samples.assert_rows(collection.query(filters=filters), [25, 105])
    assert collection.partitions(filters=filters) == ("sign=plus/quotient=2", "sign=plus/quotient=10")
    assert collection.keys(filters=filters) == (Key(sign="plus", quotient=2), Key(sign="plus", quotient=10))


def test_no_match_is_none(collection, url):
    assert collection.query(filters="quotient == 77") is None
    assert collection.partitions(filters="quotient == 77") == ()
    assert samples.create(f"{url}-empty").query() is None


def test_variables_may_be_chosen_by_path(collection):
    found = collection.query(variables=["/deep/er/flag", "value"])
    assert list(found.all_variables()) == ["value", "deep/er/flag"]
    np.testing.assert_array_equal(found["value"].to_numpy(), np.array(READ) + 0.25)


def test_only_the_chunks_of_the_chosen_variables_are_read(collection):
    data = collection.store.data
    for key in [key for key in data if "/swath/" in key]:
        del data[key]
    np.testing.assert_array_equal(collection.query(variables=["time"])["time"].to_numpy(), READ)


def test_an_unknown_variable_is_an_error(collection):
    with pytest.raises(zc.SchemaError, match=r"'vallue' is unknown.*did you mean 'value'"):
        collection.query(variables=["vallue"])


def test_a_missing_chunk_is_corruption_and_not_fill(collection):
    del collection.store.data["sign=plus/quotient=2/value/c/0"]
    with pytest.raises(zc.CorruptionError, match=r"sign=plus/quotient=2.*value.*c/0"):
        collection.query()
    samples.assert_rows(collection.query(filters="quotient < 2"), [-5, 1, 3, 12])


@pytest.mark.parametrize("damage", [b"", b"x", bytes(64)])
def test_a_damaged_chunk_is_corruption(collection, damage):
    collection.store.data["sign=plus/quotient=2/value/c/0"] = damage
    with pytest.raises(zc.CorruptionError, match=r"sign=plus/quotient=2.*value"):
        collection.query()


def test_a_partition_says_what_it_holds(collection):
    record = collection.records()["sign=plus/quotient=0"]
    assert (record.rows, record.axis_range, record.key) == (2, (1, 3), {"sign": "plus", "quotient": 0})
    stored = [value for key, value in collection.store.data.items() if key.startswith("sign=plus/quotient=0/")]
    assert record.stored_bytes <= sum(map(len, stored))


def test_map_gives_each_partition_to_a_function(collection):
    found = collection.map(lambda ds: ds["time"].to_numpy().tolist(), filters="quotient < 2")
    assert found == {
        "sign=minus/quotient=-1": [-5],
        "sign=plus/quotient=0": [1, 3],
        "sign=plus/quotient=1": [12],
    }


def test_map_gives_only_the_variables_asked_for(collection):
    found = collection.map(lambda ds: tuple(ds.all_variables()), variables=["value"])
    assert set(found.values()) == {("value",)}


def test_an_error_of_the_mapped_function_is_the_callers(collection):
    with pytest.raises(ZeroDivisionError):
        collection.map(lambda ds: 1 // 0)


def test_the_result_is_the_callers_to_change(collection):
    collection.query()["value"].to_numpy()[:] = 0
    samples.assert_rows(collection.query(), READ)


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("float64", [np.nan, 2.5, -1.0, np.nan], (-1.0, 2.5)),
        ("float64", [np.nan, np.nan], None),
        ("datetime64[s]", ["NaT", "1970-01-01T00:00:09", "1970-01-01T00:00:02"], (2, 9)),
        ("datetime64[s]", ["NaT"], None),
    ],
)
def test_the_range_of_an_axis_leaves_out_what_is_missing(url, dtype, values, expected):
    schema = (
        zc.Schema()
        .with_dimension("row")
        .with_variable("time", dtype=dtype, dimensions=("row",))
        .with_variable("number", dtype="int64", dimensions=("row",))
        .build()
    )
    partitioning = samples.fakes.Quotient(("number",), divisor=10)
    collection = zc.create_collection(url, schema=schema, axis="time", partitioning=partitioning)
    collection.insert({"time": np.array(values, dtype=dtype), "number": np.zeros(len(values), dtype="int64")})
    (record,) = collection.records().values()
    assert record.axis_range == expected
