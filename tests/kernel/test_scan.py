"""Rows are read a part at a time: together they are the rows of a query, and no part is larger than it may be."""

import asyncio
import sys

import numpy as np
import pytest
import samples
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection import config

TIMES = [-5, 1, 3, 12, 25, *range(30, 70), 105]
CONDITIONS = [None, "value >= 12.25 and value < 50", "time > 1000", "flag == 5 or time < 0"]


@pytest.fixture
def collection(url):
    return samples.create(url, TIMES)


def times_of(parts):
    return [time for part in parts for time in part["time"].to_numpy().tolist()]


@pytest.mark.parametrize("where", CONDITIONS)
@pytest.mark.parametrize("block_size", [1, 200, 2**20])
def test_the_parts_together_are_what_a_query_returns(collection, where, block_size):
    parts = list(collection.scan(where=where, block_size=block_size))
    query = collection.query(where=where)
    if not parts:
        assert query.sizes["row"] == 0
    else:
        assert zc.Dataset.concat(parts, "row") == query


@pytest.fixture(scope="module")
def shared():
    return samples.create("dict://scan-shared", TIMES, overwrite=True)


@examples(20)
@given(low=st.integers(-10, 110), high=st.integers(-10, 110), block_size=st.integers(1, 2000))
def test_any_rows_in_parts_of_any_size_are_those_of_the_rows_that_were_found(shared, low, high, block_size):
    found = shared.find(f"time >= {low} and time <= {high}")
    parts = list(shared.scan(where=found, block_size=block_size, variables=["time"]))
    assert times_of(parts) == [time for time in TIMES if low <= time <= high]


@pytest.fixture(scope="module")
def long():
    """Partitions of up to 40 rows, in chunks of seven."""
    return samples.create("dict://scan-long", [*range(40), *range(60, 77), 83], divisor=40, overwrite=True)


@examples(60)
@given(block_size=st.integers(1, 60 * 8), above=st.integers(-1, 80))
def test_no_row_is_lost_where_the_last_rows_of_a_partition_would_fit_beside_its_others(long, block_size, above):
    parts = list(long.scan(variables=["time"], where=f"time > {above}", block_size=block_size))
    assert times_of(parts) == [time for time in [*range(40), *range(60, 77), 83] if time > above]
    largest = max(block_size // 8, 7)  # a chunk is read at once
    assert all(part.sizes["row"] <= largest for part in parts)


def test_a_part_holds_whole_partitions_that_fit(collection):
    row = sum(variable.nbytes for variable in collection.query(filters="quotient == 2").all_variables().values()) - 16
    parts = list(collection.scan(filters="quotient in (3, 4, 5, 6)", block_size=20 * row))
    assert [part["time"].to_numpy().tolist() for part in parts] == [list(range(30, 50)), list(range(50, 70))]


def test_a_partition_that_does_not_fit_comes_in_whole_chunks(collection):
    parts = list(collection.scan(filters="quotient == 3", variables=["time"], block_size=9 * 8))
    assert [part.sizes["row"] for part in parts] == [7, 3]  # chunks have seven rows


def test_chosen_variables_alone_come_with_what_is_stored_once(url):
    once = samples.create(url)
    once.insert({**samples.rows(TIMES), "angle": [1.0, 2.0]})
    parts = list(once.scan(variables=["angle", "value"], block_size=1))
    assert all(part["angle"].to_numpy().tolist() == [1.0, 2.0] for part in parts)
    assert {tuple(part.all_variables()) for part in parts} == {("value", "angle")}


def test_a_scan_may_be_awaited_and_iterated_over_again(collection):
    async def scanned():
        scan = await collection.scan_async(where="time > 20")
        return [part async for part in scan], [part async for part in scan]

    first, again = asyncio.run(scanned())
    assert times_of(first) == times_of(again) == [time for time in TIMES if time > 20]


def test_an_empty_collection_has_no_parts(url):
    assert list(samples.create(f"{url}-none").scan()) == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"variables": ["vallue"]}, zc.SchemaError, "'vallue' is unknown"),
        ({"where": "vallue > 1"}, zc.ExpressionError, "'vallue' is unknown"),
        ({"block_size": 0}, zc.errors.SettingError, "block_size=0; accepted: a number of bytes"),
        ({"block_size": True}, zc.errors.SettingError, "block_size=True"),
    ],
)
def test_what_cannot_be_scanned_is_refused_at_once(collection, options, error, message):
    with pytest.raises(error, match=message):
        collection.scan(**options)


def test_what_is_damaged_is_an_error_where_it_is_reached(collection):
    del collection.store.data["sign=plus/quotient=2/value/c/0"]
    parts = iter(collection.scan(block_size=1))
    assert times_of([next(parts), next(parts), next(parts)]) == [-5, 1, 3, 12]
    with pytest.raises(zc.CorruptionError, match=r"sign=plus/quotient=2.*value"):
        next(parts)


def test_a_variable_that_was_added_since_does_not_matter(collection):
    scan = collection.scan(variables=["time"])
    other = zc.open_collection(collection.store.url, mode="rw")
    other.add_variable(zc.VariableSchema("new", dtype="i4", dimensions=("row",), fill_value=0))
    assert times_of(scan) == TIMES


def test_rows_that_are_to_come_may_change(collection):
    parts = iter(collection.scan(variables=["time"], block_size=1))
    first = next(parts)
    collection.insert(samples.rows([104, 106]))
    collection.insert(samples.rows([201]))
    assert times_of([first, *parts]) == [*TIMES[:-1], 104, 106, 201]


@pytest.mark.parametrize("change", [[2], [-7, -9], [-25]])
def test_rows_that_were_handed_over_may_not(collection, change):
    """Whether they were replaced, or others now come before them."""
    parts = iter(collection.scan(variables=["time"], block_size=1))
    next(parts), next(parts)
    collection.insert(samples.rows(change))
    with pytest.raises(zc.ConflictError, match=r"has already returned; scan again"):
        list(parts)


def test_a_scan_without_the_bridge_to_arrow_names_the_extra(collection, monkeypatch):
    monkeypatch.setitem(sys.modules, "zcollection_arrow", None)
    for call in (
        collection.scan().__arrow_c_stream__,
        collection.scan().__arrow_c_schema__,
        collection.query().to_arrow,
    ):
        with pytest.raises(zc.MissingDependencyError, match=r"needs 'zcollection-arrow'.*zcollection\[arrow\]"):
            call()


def test_settings_are_those_of_who_iterates(collection):
    with config.using(threads=1):
        parts = iter(collection.scan(block_size=1))
        assert times_of(parts) == TIMES


def test_values_are_those_of_numpy(collection):
    (part,) = collection.scan(where="value > 30")
    np.testing.assert_array_equal(part["value"].to_numpy(), np.array([time for time in TIMES if time >= 30]) + 0.25)
