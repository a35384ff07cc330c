"""A merge rewrites only the chunks whose rows change, and what it leaves is what a full rewrite would have written."""

import uuid

import fakes
import numpy as np
import pytest
import samples
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.plugin import MergeStrategy, RowPlan

PATH = "sign=plus/quotient=0"


def schema(codecs=None, shards=None):
    return (
        zc.Schema()
        .with_dimension("row", chunks=4, shards=shards)
        .with_dimension("x", size=3, chunks=2)
        .with_variable("time", dtype="int64", dimensions=("row",))
        .with_variable("value", dtype="float64", dimensions=("row",), fill_value=np.nan, codecs=codecs)
        .with_variable("swath", dtype="int16", dimensions=("x", "row"), fill_value=-1, codecs=codecs)
        .with_variable("name", dtype="string", dimensions=("row",), fill_value="", group="/deep")
        .build()
    )


def rows(times):
    times = np.asarray(times, dtype="int64")
    return {
        "time": times,
        "value": times * 0.5,
        "swath": np.stack([times, times + 1, times + 2]).astype("int16"),
        "deep/name": [f"n{time}" for time in times],
    }


class Chosen(MergeStrategy):
    """A plan made by the test."""

    def __init__(self, source):
        self.source = np.asarray(source, dtype="int64")

    def rows(self, existing, inserted):
        return RowPlan(self.source) if existing.size else RowPlan(~np.arange(inserted.size))


def create(times, **options):
    collection = samples.create(f"dict://{uuid.uuid4().hex}", divisor=10**6, schema=schema(**options))
    collection.insert(rows(times))
    return collection


def assert_holds(collection, times):
    found = collection.query()
    for path, values in rows(times).items():
        np.testing.assert_array_equal(found.get_variable(path).to_numpy(), values, err_msg=path)
    assert collection.records()[PATH].rows == len(times)
    assert collection.records()[PATH].axis_range == (min(times), max(times))


def written(collection, before):
    """The chunks that are not the very objects that were there."""
    return {
        key.removeprefix(f"{PATH}/")
        for key, data in collection.store.data.items()
        if key.startswith(PATH) and "/c/" in key and before.get(key) is not data
    }


@examples(150)
@given(
    existing=st.integers(1, 30),
    inserted=st.integers(0, 12),
    data=st.data(),
    codecs=st.sampled_from([None, "none", [{"name": "transpose", "configuration": {"order": [0]}}]]),
)
def test_any_plan_gives_the_rows_that_it_names(existing, inserted, data, codecs):
    old, new = np.arange(existing), np.arange(100, 100 + inserted)
    kept = data.draw(st.lists(st.integers(0, existing - 1), unique=True).map(sorted) | st.just([*range(existing)]))
    source = data.draw(
        st.permutations([*kept, *(~row for row in range(inserted))])
        | st.just([*kept, *(~row for row in range(inserted))])
    )
    if not source:
        return
    collection = create(old, codecs=codecs if codecs in (None, "none") else None)
    collection.insert(rows(new), merge=Chosen(source))
    if inserted:
        assert_holds(collection, [old[row] if row >= 0 else new[~row] for row in source])


@pytest.mark.parametrize("rows_before", [8, 10])
def test_an_append_keeps_the_whole_chunks(rows_before):
    collection = create(range(rows_before))
    before = dict(collection.store.data)
    collection.insert(rows([100, 101, 102]), merge="append")
    assert_holds(collection, [*range(rows_before), 100, 101, 102])
    assert written(collection, before) == {
        *("time/c/2", "value/c/2", "deep/name/c/2", "swath/c/0/2", "swath/c/1/2"),
        *(("time/c/3", "value/c/3", "deep/name/c/3", "swath/c/0/3", "swath/c/1/3") if rows_before == 10 else ()),
    }


def test_a_row_replaced_in_place_rewrites_its_chunk_alone():
    collection = create(range(14))
    before = dict(collection.store.data)
    source = [*range(5), ~0, *range(6, 14)]
    collection.insert(rows([500]), merge=Chosen(source))
    assert_holds(collection, [*range(5), 500, *range(6, 14)])
    assert written(collection, before) == {"time/c/1", "value/c/1", "deep/name/c/1", "swath/c/0/1", "swath/c/1/1"}


def test_only_the_old_chunks_with_rows_that_move_are_read():
    collection = create(range(40))
    for number in range(8):
        del collection.store.data[f"{PATH}/value/c/{number}"]
    source = [*range(40), ~0]
    with pytest.raises(zc.CorruptionError, match="'sign=plus/quotient=0': 'value/c/0' is missing"):
        collection.insert(rows([500]), merge=Chosen(source))

    collection = create(range(40))
    data = collection.store.data
    data.update({key: b"damaged" for key in data if key.startswith(f"{PATH}/value/c/")})
    collection.insert(rows([500]), merge=Chosen(source))
    assert collection.query(variables=["time"])["time"].to_numpy().tolist() == [*range(40), 500]
    with pytest.raises(zc.CorruptionError, match="value/c/0"):
        collection.query()


def test_shards_are_kept_whole():
    collection = create(range(20), shards=8)
    before = dict(collection.store.data)
    collection.insert(rows([500]), merge="append")
    assert_holds(collection, [*range(20), 500])
    assert written(collection, before) == {"time/c/2", "value/c/2", "deep/name/c/2", "swath/c/0/2"}


def test_a_variable_that_was_absent_is_filled_for_the_rows_that_stay():
    collection = samples.create(f"dict://{uuid.uuid4().hex}", divisor=10**6, schema=schema())
    collection.insert({"time": range(9)}, missing="fill")
    collection.insert(rows([500]), merge="append")
    found = collection.query()
    assert found["swath"].to_numpy()[0].tolist() == [-1] * 9 + [500]
    assert found["deep/name"].to_numpy().tolist() == [""] * 9 + ["n500"]
    assert collection.records()[PATH].absent == ()


def test_the_size_of_a_partition_counts_what_it_shares():
    collection = create(range(40))
    collection.insert(rows([500]), merge="append")
    stored = {key: data for key, data in collection.store.data.items() if key.startswith(f"{PATH}/")}
    documents = {f"{PATH}/zarr.json", f"{PATH}/deep/zarr.json", f"{PATH}/time/_statistics"}
    assert collection.records()[PATH].stored_bytes == sum(
        len(data) for key, data in stored.items() if key not in documents
    )


def test_a_computing_strategy_still_sees_everything():
    collection = create(range(5))
    collection.insert(rows([7]), merge=fakes.Mean())
    assert collection.query()["value"].to_numpy().tolist() == [1.75]
