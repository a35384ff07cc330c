"""Rows of a view are read a part at a time: together they are the rows of its query, however large a part is."""

import computations
import numpy as np
import pytest
import samples
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.view import reading
from zcollection.view import scan as view_scan

TIMES = [-5, 1, 3, 12, 25, *range(30, 70), 105]
BLOCKS = [1, 200, 2**20]


@pytest.fixture
def view(url):
    made = zc.create_view(f"{url}-view", base=samples.create(url, TIMES), computation=computations.Twice())
    made.refresh()
    return made


def times_of(parts):
    return [time for part in parts for time in part["time"].to_numpy().tolist()]


def together(parts):
    return zc.Dataset.concat(list(parts), "row")


@pytest.mark.parametrize("block_size", BLOCKS)
@pytest.mark.parametrize(
    "where", [None, "twice >= 25 and value < 50", "flag == 5 or time < 0", "twice > 60 and quotient == 3"]
)
def test_the_parts_together_are_what_a_query_returns(view, where, block_size):
    assert together(view.scan(where=where, block_size=block_size)) == view.query(where=where)


def test_no_part_is_larger_than_it_may_be(view):
    parts = list(view.scan(variables=["time", "twice"], block_size=9 * 16))
    assert max(part.sizes["row"] for part in parts) <= 9
    assert together(parts) == view.query(variables=["time", "twice"])


def test_nothing_passes(view):
    assert list(view.scan(where="twice > 1e6")) == []
    assert list(view.scan(filters="quotient == 77")) == []


@pytest.mark.parametrize("names", [["twice"], ["value"], ["angle", "twice"], ["deep/er/flag", "time"]])
def test_variables_of_either_side_come_alone(view, names):
    assert together(view.scan(variables=names, block_size=1)) == view.query(variables=names)


@pytest.fixture(scope="module")
def shared():
    base = samples.create("dict://view-scan-shared", TIMES, overwrite=True)
    made = zc.create_view("dict://view-scan-shared-view", base=base, computation=computations.Twice(), overwrite=True)
    made.refresh()
    base.update(lambda dataset: {"value": dataset["value"].to_numpy() + 100}, filters="quotient in (3, 6)")
    return made


@examples(30)
@given(
    bounds=st.tuples(st.integers(-10, 230), st.integers(-10, 230)),
    block_size=st.integers(1, 2000),
    stale=st.sampled_from(["fill", "compute"]),
    of_base=st.booleans(),
)
def test_partitions_that_are_not_current_are_treated_as_by_a_query(shared, bounds, block_size, stale, of_base):
    name = "value" if of_base or stale == "compute" else "twice"
    where = f"{name} >= {min(bounds)} and {name} <= {max(bounds)}"
    parts = list(shared.scan(where=where, block_size=block_size, stale=stale))
    query = shared.query(where=where, stale=stale)
    assert together(parts) == query if parts else query.sizes["row"] == 0


@pytest.mark.parametrize("block_size", BLOCKS)
def test_what_is_computed_is_what_numpy_computes(shared, block_size):
    found = together(shared.scan(block_size=block_size, stale="compute"))
    np.testing.assert_array_equal(found["twice"].to_numpy(), 2 * found["value"].to_numpy())
    assert np.isnan(together(shared.scan(filters="quotient == 3", block_size=block_size))["twice"].to_numpy()).all()


def test_a_partition_in_several_pieces_is_computed_once(shared, monkeypatch):
    asked = []

    async def noting(pair, taken, partitions, advance=None):
        asked.extend(partitions)
        return await reading.computed(pair, taken, partitions, advance)

    monkeypatch.setattr(view_scan, "computed", noting)
    assert len(list(shared.scan(stale="compute", block_size=1))) > len(asked)
    assert asked == ["sign=plus/quotient=3", "sign=plus/quotient=6"]


def test_a_partition_that_is_not_current_may_be_an_error(shared):
    with pytest.raises(zc.errors.StaleError, match="2 partitions of the view"):
        list(shared.scan(stale="error"))
    assert times_of(shared.scan(stale="error", filters="quotient == 4")) == list(range(40, 50))
    assert times_of(shared.scan(stale="error", variables=["time"])) == TIMES


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"variables": ["twicce"]}, zc.SchemaError, "'twicce' is unknown"),
        ({"where": "twicce > 1"}, zc.ExpressionError, "'twicce' is unknown"),
        ({"block_size": 0}, zc.errors.SettingError, "block_size=0"),
        ({"stale": "no"}, zc.errors.SettingError, "stale='no'"),
        ({"stale": "compute", "where": "twice > 1"}, zc.errors.SettingError, "computed everywhere first"),
        ({"keys": {"quotient": "twice"}}, zc.SchemaError, "'twice', and there is a variable"),
    ],
)
def test_what_cannot_be_scanned_is_refused_at_once(shared, options, error, message):
    with pytest.raises(error, match=message):
        shared.scan(**options)


def test_keys_come_beside_the_variables_of_both(shared):
    found = together(shared.scan(variables=["time", "twice"], keys=["quotient"], block_size=300))
    assert found["quotient"].to_numpy().tolist() == [time // 10 for time in TIMES]


def test_rows_that_were_handed_over_may_not_be_refreshed_meanwhile(view):
    base = zc.open_collection(view.base.store.url, mode="rw")
    base.update(lambda dataset: {"value": dataset["value"].to_numpy() + 1})
    parts = iter(view.scan(block_size=1))
    next(parts), next(parts)
    view.refresh()
    with pytest.raises(zc.ConflictError, match="has already returned; scan again"):
        list(parts)


def test_rows_that_are_to_come_may_be_refreshed_meanwhile(view):
    base = zc.open_collection(view.base.store.url, mode="rw")
    base.update(lambda dataset: {"value": dataset["value"].to_numpy() + 1}, filters="quotient == 10")
    parts = iter(view.scan(block_size=1))
    first = next(parts)
    view.refresh()
    found = together([first, *parts])
    np.testing.assert_array_equal(found["twice"].to_numpy(), 2 * found["value"].to_numpy())


def test_a_variable_that_was_added_to_the_base_since_does_not_matter(view):
    scan = view.scan(variables=["time", "twice"])
    other = zc.open_collection(view.base.store.url, mode="rw")
    other.add_variable(zc.VariableSchema("new", dtype="i4", dimensions=("row",), fill_value=0))
    assert times_of(scan) == TIMES


def test_a_damaged_chunk_of_the_view_is_an_error(view):
    next_key = next(key for key in view.store.data if key.startswith("sign=plus/quotient=4/twice/c/"))
    del view.store.data[next_key]
    with pytest.raises(zc.CorruptionError, match=r"quotient=4.*twice"):
        list(view.scan())
