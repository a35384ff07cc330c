import uuid

import fakes
import numpy as np
import pandas as pd
import pytest
import samples
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.errors import SettingError

TIMES = st.lists(st.integers(-60, 60), max_size=40)


def by_partition(times):
    """The order in which rows are read: by the key (the sign is text, then numeric), within one as they arrived."""
    frame = pd.DataFrame({"time": times})
    frame["sign"] = np.where(frame["time"] < 0, "minus", "plus")
    frame["quotient"] = frame["time"] // 10
    return frame.sort_values(["sign", "quotient"], kind="stable")["time"].tolist()


@examples(50)
@given(inserts=st.lists(TIMES.filter(len), min_size=1, max_size=4))
def test_rows_in_any_order_come_back_whole_in_the_order_of_the_keys(inserts):
    collection = samples.create(f"dict://{uuid.uuid4().hex}")
    for times in inserts:
        collection.insert(samples.rows(times), merge="append")
    samples.assert_rows(collection.query(), by_partition([time for times in inserts for time in times]))


def test_without_a_merge_an_insert_replaces_the_partitions_that_it_touches(url):
    collection = samples.create(url, [1, 2, 3, 15])
    report = collection.insert(samples.rows([5, 27]))
    samples.assert_rows(collection.query(), [5, 15, 27])
    assert list(report) == ["sign=plus/quotient=0", "sign=plus/quotient=2"]
    assert report.created == ("sign=plus/quotient=2",)
    assert (report.added, report.replaced, report.dropped, report.unchanged) == (1, 1, 2, 0)


def test_a_report_says_what_became_of_each_row(url):
    collection = samples.create(url, [1, 2, 15])
    report = collection.insert(samples.rows([3, 16, 31]), merge="append")
    assert [(item.created, item.added, item.unchanged, item.rows) for item in report.partitions] == [
        (False, 1, 2, 3),
        (False, 1, 1, 2),
        (True, 1, 0, 1),
    ]
    assert str(report) == "3 partitions (1 new): 3 rows added, 0 replaced, 0 dropped, 3 unchanged"


def test_a_plan_is_the_report_of_the_insert_and_writes_nothing(url):
    collection = samples.create(url, [1, 2, 15])
    before = dict(collection.store.data)
    plan = collection.plan(samples.rows([3, 31]), merge="append")
    assert collection.store.data == before
    assert plan == collection.insert(samples.rows([3, 31]), merge="append")


def test_overwrite_false_raises_before_anything_is_written(url):
    collection = samples.create(url, [1])
    before = dict(collection.store.data)
    with pytest.raises(zc.CollectionExistsError, match="'sign=plus/quotient=0' among them"):
        collection.insert(samples.rows([2, 25]), overwrite=False)
    assert collection.store.data == before
    collection.insert(samples.rows([25]), overwrite=False)
    samples.assert_rows(collection.query(), [1, 25])


def test_an_insert_of_no_rows_does_nothing(url):
    collection = samples.create(url, [1])
    assert list(collection.insert(samples.rows([]))) == []
    samples.assert_rows(collection.query(), [1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vallue": np.zeros(2)}, r"'vallue' is unknown.*did you mean 'value'"),
        ({"value": np.zeros(3)}, "'value' has 3 along 'row', where variable 'time' has 2"),
        ({"value": np.zeros((2, 2))}, r"'value' has the dimensions \('row',\).*shape \(2, 2\)"),
        ({"value": ["a", "b"]}, "'value' is declared float64 and received <U1"),
        ({"time": [1.5, 2]}, "'time' is declared int64 and received float64.*1.5"),
        ({"deep/er/flag": [1, 300]}, "'deep/er/flag' is declared int8.*300"),
        ({"swath": np.zeros((2, 3), dtype="f4")}, "'swath' has 3 along 'x', whose size is declared 2"),
        ({"angle": [1.0]}, "'angle' has 1 along 'x'"),
        ({"time": np.array([1, 2], dtype="M8[ns]")}, "'time'.*CF units"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_before_anything_is_written(url, change, message):
    collection = samples.create(url, [1])
    before = dict(collection.store.data)
    with pytest.raises(zc.SchemaError, match=message):
        collection.insert(samples.rows([25, 35]) | change)
    assert collection.store.data == before


def test_a_variable_without_a_fill_value_must_be_there(url):
    collection = samples.create(url)
    given = samples.rows([1])
    for name, why in {"time": "the axis", "deep/er/flag": "has no fill value"}.items():
        with pytest.raises(zc.SchemaError, match=f"{name!r} is missing.*{why}"):
            collection.insert({path: values for path, values in given.items() if path != name})


def test_a_variable_with_a_fill_value_may_be_absent_and_reads_as_fill(url):
    collection = samples.create(url, [1])
    given = {"time": [25], "deep/er/flag": [5], "value": [1.0]}
    with pytest.raises(zc.SchemaError, match=r"'swath' is missing from the dataset; .* missing='fill'"):
        collection.insert(given)
    collection.insert(given, missing="fill")
    found = collection.query()
    assert found["swath"].to_numpy().tolist() == [[1, 1.5], [-1, -1]]
    assert collection.records()["sign=plus/quotient=2"].absent == ("swath",)
    alone = collection.query(filters="quotient == 2", variables=["swath"])
    assert alone["swath"].to_numpy().tolist() == [[-1, -1]]


def test_a_merge_that_would_lose_a_variable_is_refused(url):
    collection = samples.create(url, [1])
    given = {"time": [2], "deep/er/flag": [2], "value": [0.0]}
    with pytest.raises(zc.SchemaError, match="'swath' is missing from the dataset"):
        collection.insert(given, merge="append")
    samples.assert_rows(collection.query(), [1])
    collection.insert(given, merge="append", missing="fill")
    assert collection.query()["swath"].to_numpy().tolist() == [[1, 1.5], [-1, -1]]


def test_a_variable_that_appears_later_is_filled_for_older_rows(url):
    collection = samples.create(url)
    collection.insert({"time": [1], "deep/er/flag": [1], "value": [1.0]}, missing="fill")
    collection.insert(samples.rows([2]), merge="append")
    assert collection.query()["swath"].to_numpy().tolist() == [[-1, -1], [2, 2.5]]


def test_values_are_stored_in_the_declared_type(url):
    collection = samples.create(url)
    collection.insert(
        {"time": np.array([3], dtype="uint8"), "value": [1], "deep/er/flag": np.array([2.0])}, missing="fill"
    )
    found = collection.query()
    assert {path: variable.dtype for path, variable in found.all_variables().items()} == {
        path: variable.dtype for path, variable in samples.SCHEMA.all_variables().items()
    }


def test_input_is_left_as_it_was(url):
    collection, given = samples.create(url), samples.rows([31, 2, 5])
    collection.insert(given)
    for path, values in samples.rows([31, 2, 5]).items():
        np.testing.assert_array_equal(given[path], values)


class TestMerge:
    def test_may_be_a_function(self, url):
        collection = samples.create(url, [1, 2])

        def newest_first(existing, inserted, *, axis, partitioning_dim):
            assert (axis, partitioning_dim) == ("time", "row")
            return zc.Dataset.concat([inserted, existing], partitioning_dim)

        collection.insert(samples.rows([3, 25]), merge=newest_first)
        samples.assert_rows(collection.query(), [3, 1, 2, 25])

    def test_may_compute_values(self, url):
        collection = samples.create(url, [2])
        report = collection.insert(samples.rows([4]), merge=fakes.Mean())
        assert collection.query()["value"].to_numpy().tolist() == [3.25]
        assert (report.replaced, report.added) == (1, 0)

    def test_may_leave_no_row_and_then_no_partition(self, url):
        collection = samples.create(url, [2, 25])
        collection.insert(samples.rows([4]), merge=lambda old, new, **_: new.isel(row=slice(0, 0)))
        assert collection.partitions() == ("sign=plus/quotient=2",)

    def test_must_not_move_rows_to_another_partition(self, url):
        collection = samples.create(url, [2])

        def shift(existing, inserted, **_):
            return {**inserted.all_variables(), "time": inserted["time"].to_numpy() + 10}

        with pytest.raises(zc.PartitionError, match="returned rows of sign=plus/quotient=1"):
            collection.insert(samples.rows([4]), merge=shift)
        samples.assert_rows(collection.query(), [2])

    def test_must_return_every_variable(self, url):
        collection = samples.create(url, [2])
        with pytest.raises(zc.SchemaError, match="returned no variable 'swath'"):
            collection.insert(
                samples.rows([4]), merge=lambda old, new, **_: new.select(["time", "value", "deep/er/flag"])
            )

    def test_names_only_rows_that_exist(self, url, register):
        @register
        class Invents(fakes.Append):
            def rows(self, existing, inserted):
                return zc.plugin.RowPlan(np.array([0, 5]))

        collection = samples.create(url, [2])
        with pytest.raises(zc.PluginError, match="Invents.* rows which do not exist"):
            collection.insert(samples.rows([4]), merge="invents")

    def test_of_an_unknown_name_lists_those_that_are_known(self, url):
        collection = samples.create(url, [2])
        with pytest.raises(zc.PluginError, match="'apend' is not installed.*did you mean 'append'"):
            collection.insert(samples.rows([4]), merge="apend")
        with pytest.raises(SettingError, match="merge is a int"):
            collection.insert(samples.rows([4]), merge=5)

    def test_that_fails_leaves_everything_as_it_was(self, url):
        collection = samples.create(url, [2])
        before = dict(collection.store.data)

        def fail(existing, inserted, **_):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            collection.insert(samples.rows([4, 31]), merge=fail)
        assert collection.store.data == before


class TestImmutable:
    def test_is_stored_once_and_read_with_every_partition(self, url):
        collection = samples.create(url)
        collection.insert(samples.rows([1, 25]) | {"angle": [5.0, 6.0]})
        collection.insert(samples.rows([31]))
        for filters in (None, "quotient == 3"):
            assert collection.query(filters=filters)["angle"].to_numpy().tolist() == [5, 6]
        keys = [key for key in collection.store.data if key.endswith("angle/zarr.json")]
        assert keys == ["_immutable/angle/zarr.json"]

    def test_reads_as_fill_before_it_is_given(self, url):
        assert samples.create(url, [1]).query()["angle"].to_numpy().tolist() == [0, 0]

    def test_may_be_inserted_again_with_the_same_values(self, url):
        collection = samples.create(url)
        for time in (1, 25):
            collection.insert(samples.rows([time]) | {"angle": [np.nan, 6.0]})
        assert collection.partitions() == ("sign=plus/quotient=0", "sign=plus/quotient=2")

    def test_is_refused_with_other_values_and_nothing_is_written(self, url):
        collection = samples.create(url)
        collection.insert(samples.rows([1]) | {"angle": [5.0, 6.0]})
        before = dict(collection.store.data)
        with pytest.raises(zc.SchemaError, match="'angle' does not span 'row'.*immutable='replace'"):
            collection.insert(samples.rows([25]) | {"angle": [5.0, 7.0]})
        assert collection.store.data == before

    def test_is_replaced_when_asked_for(self, url):
        collection = samples.create(url)
        collection.insert(samples.rows([1]) | {"angle": [5.0, 6.0]})
        collection.insert(samples.rows([1]) | {"angle": [5.0, 7.0]}, immutable="replace")
        assert collection.query()["angle"].to_numpy().tolist() == [5, 7]
        with pytest.raises(SettingError, match="accepted: 'check', 'replace'"):
            collection.insert(samples.rows([1]), immutable="ignore")


def test_a_dataset_of_a_smaller_schema_may_be_inserted(url):
    collection = samples.create(url)
    part = samples.SCHEMA.select(["time", "value", "deep/er/flag"])
    collection.insert(zc.Dataset(part, {"time": [1], "value": [2.0], "deep/er/flag": [3]}), missing="fill")
    assert collection.query()["swath"].to_numpy().tolist() == [[-1, -1]]


def test_a_dataset_with_its_dimensions_in_another_order_is_put_in_ours(url):
    collection = samples.create(url)
    schema = (
        zc.Schema()
        .with_dimension("row")
        .with_dimension("x")
        .with_variable("time", dtype="int64", dimensions=("row",))
        .with_variable("swath", dtype="float32", dimensions=("x", "row"))
        .with_variable("flag", dtype="int8", dimensions=("row",), group="deep/er")
        .build()
    )
    given = zc.Dataset(schema, {"time": [1, 2], "swath": [[0, 1], [2, 3]], "deep/er/flag": [0, 0]})
    collection.insert(given, missing="fill")
    assert collection.query()["swath"].to_numpy().tolist() == [[0, 2], [1, 3]]


def test_a_dataset_with_other_dimensions_is_refused(url):
    collection = samples.create(url)
    schema = (
        zc.Schema()
        .with_dimension("row")
        .with_dimension("y")
        .with_variable("swath", dtype="float32", dimensions=("row", "y"))
        .build()
    )
    given = zc.Dataset(schema, {"swath": np.zeros((2, 2))})
    with pytest.raises(zc.SchemaError, match=r"'swath' has the dimensions \('row', 'y'\); accepted: \('row', 'x'\)"):
        collection.insert(given)


def test_something_else_is_refused(url):
    with pytest.raises(zc.SchemaError, match="dataset is a list"):
        samples.create(url).insert([1, 2])


def test_progress_is_reported(url):
    seen = []
    samples.create(url).insert(samples.rows([1, 25, 31]), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
