"""Functions that see the neighbours of a partition: what they compute is what the whole axis gives."""

import uuid

import fakes
import numpy as np
import pytest
import samples
from attrs import field, frozen
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.collection.read.neighbours import as_halo
from zcollection.plugin import Field, Partitioning

TIMES = [1, 3, 12, 25, 26, 47, 48, 49]


@frozen
class Remainder(Partitioning):
    """Partitions that interleave along the axis, as those of several satellites do."""

    variables: tuple[str, ...]
    divisor: int = field(default=3, kw_only=True)
    dimension: str | None = field(default=None, kw_only=True)

    @property
    def fields(self):
        return (Field("remainder"),)

    def keys(self, columns):
        (values,) = columns.values()
        return {"remainder": values % self.divisor}


@pytest.fixture(autouse=True)
def _remainder(register):
    register(Remainder)


@pytest.fixture
def collection(url):
    return samples.create(url, TIMES)


def sums(values, reach):
    """Return the sum of each value and of those at most so many places away."""
    return np.array([values[max(at - reach, 0) : at + reach + 1].sum() for at in range(len(values))])


def sums_in_time(times, values, seconds):
    return np.array([values[np.abs(times - time) <= seconds].sum() for time in times])


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 7, 100])
def test_map_gives_rows_before_and_after_those_of_the_partition(collection, depth):
    found = collection.map(lambda ds: ds["time"].to_numpy().tolist(), depth=depth)
    parts = {0: [1, 3], 1: [12], 2: [25, 26], 4: [47, 48, 49]}
    for quotient, own in parts.items():
        first, last = TIMES.index(own[0]), TIMES.index(own[-1])
        assert found[f"sign=plus/quotient={quotient}"] == TIMES[max(first - depth, 0) : last + depth + 1]


def test_neighbours_are_read_even_where_the_filter_excludes_them(collection):
    found = collection.map(lambda ds: ds["time"].to_numpy().tolist(), depth=2, filters="quotient == 2")
    assert found == {"sign=plus/quotient=2": [3, 12, 25, 26, 47, 48]}


def test_a_function_is_told_which_rows_are_the_partitions_own(collection):
    found = collection.map(lambda ds, own: ds["time"].to_numpy()[own].tolist(), depth=2)
    assert found["sign=plus/quotient=2"] == [25, 26]
    assert [time for part in found.values() for time in part] == TIMES
    assert list(collection.map(lambda ds, *, own: own).values()) == [slice(0, size) for size in (2, 1, 2, 3)]


def test_an_update_keeps_the_partitions_own_rows(collection):
    collection.update(lambda ds: {"value": sums(ds["value"].to_numpy(), 2)}, depth=2)
    np.testing.assert_array_equal(collection.query()["value"].to_numpy(), sums(np.array(TIMES) + 0.25, 2))


def test_an_update_sees_the_values_before_it(collection):
    """Not those of partitions that it has computed already."""
    collection.update(lambda ds: {"value": ds["value"].to_numpy()[::-1].copy()}, depth=100)
    assert collection.query()["value"].to_numpy().tolist() == [time + 0.25 for time in TIMES[::-1]]


def test_an_update_returns_values_for_all_rows_given(collection):
    with pytest.raises(zc.SchemaError, match=r"returned 1 rows for partition 'sign=plus/quotient=1', and received 3"):
        collection.update(lambda ds, own: {"value": ds["value"].to_numpy()[own]}, depth=1, filters="quotient == 1")


def test_variables_that_were_not_asked_for_are_not_given(collection):
    found = collection.map(lambda ds: tuple(ds.all_variables()), depth=1, variables=["value", "angle"])
    assert set(found.values()) == {("value", "angle")}


def test_variables_stored_once_are_given_once(url):
    collection = samples.create(url)
    collection.insert({**samples.rows(TIMES), "angle": [1.0, 2.0]})
    found = collection.map(lambda ds: ds["angle"].to_numpy().tolist(), depth=3)
    assert set(map(tuple, found.values())) == {(1.0, 2.0)}


def test_an_axis_that_is_only_a_dimension_is_in_the_order_of_the_keys(url):
    schema = zc.Schema().with_dimension("row").with_variable("number", dtype="int64", dimensions=("row",)).build()
    collection = zc.create_collection(url, schema=schema, axis="row", partitioning=fakes.Quotient(("number",)))
    collection.insert({"number": [25, 3, 1, 12, 31]})
    found = collection.map(lambda ds: ds["number"].to_numpy().tolist(), depth=1)
    assert list(found.values()) == [[3, 1, 12], [1, 12, 25], [12, 25, 31], [25, 31]]
    with pytest.raises(zc.SchemaError, match=r"depth of 1 seconds needs an axis that counts time.*a number of rows"):
        collection.map(len, depth=np.timedelta64(1, "s"))


def test_a_length_of_time_needs_an_axis_of_times(url):
    collection = samples.create(url, TIMES, divisor=1000)
    assert collection.schema.variables["time"].attrs == {}
    with pytest.raises(zc.SchemaError, match="'time' does not"):
        collection.map(len, depth=np.timedelta64(5, "s"))


@pytest.mark.parametrize("depth", [-1, 1.5, True, "1s", None, np.timedelta64(-1, "s"), np.timedelta64("NaT", "s")])
def test_what_is_no_depth_is_refused(collection, depth):
    with pytest.raises(zc.errors.SettingError, match="accepted: a number of rows of at least 0, or a timedelta"):
        collection.map(len, depth=depth)


def test_a_depth_of_nothing_is_none():
    assert as_halo(0) == as_halo(np.timedelta64(0, "s")) == ()


ROWS = st.lists(st.integers(-60, 60), min_size=1, max_size=25)
DIVISORS = st.sampled_from([1, 3, 10, 50, 1000])


@examples(150)
@given(times=ROWS, divisor=DIVISORS, reach=st.integers(0, 12), chunks=st.permutations([0, 1, 2]))
def test_partition_by_partition_is_the_whole_axis_at_once(times, divisor, reach, chunks):
    collection = samples.create(f"dict://{uuid.uuid4().hex}", divisor=divisor)
    for chunk in chunks:
        if times[chunk::3]:
            collection.insert(samples.rows(times[chunk::3]), merge="append")
    axis = collection.query()["time"].to_numpy()
    order = np.argsort(axis, kind="stable")
    expected = np.empty(len(axis))
    expected[order] = sums(axis[order] + 0.25, reach)
    collection.update(lambda ds: {"value": sums(ds["value"].to_numpy(), reach)}, depth=reach)
    np.testing.assert_array_equal(collection.query()["value"].to_numpy(), expected)


@examples(100)
@given(times=ROWS, divisor=st.integers(1, 5), reach=st.integers(0, 9))
def test_partitions_that_interleave_are_neighbours_row_by_row(times, divisor, reach):
    by_remainder = Remainder(("time",), divisor=divisor)
    collection = zc.create_collection(
        f"dict://{uuid.uuid4().hex}", schema=samples.SCHEMA, axis="time", partitioning=by_remainder
    )
    collection.insert(samples.rows(times))
    axis = collection.query()["time"].to_numpy()
    order = np.argsort(axis, kind="stable")
    expected = np.empty(len(axis))
    expected[order] = sums(axis[order] + 0.25, reach)
    collection.update(lambda ds: {"value": sums(ds["value"].to_numpy(), reach)}, depth=reach)
    np.testing.assert_array_equal(collection.query()["value"].to_numpy(), expected)


@frozen
class ByMinute(Partitioning):
    variables: tuple[str, ...] = ("time",)
    time_variables: tuple[str, ...] = ("time",)
    minutes: int = 1
    dimension: str | None = None

    @property
    def fields(self):
        return (Field("minute"),)

    def keys(self, columns):
        return {"minute": columns["time"].astype("datetime64[s]").astype("int64") // (60 * self.minutes)}


@examples(100)
@given(
    seconds=st.lists(st.integers(0, 600), min_size=1, max_size=25),
    minutes=st.integers(1, 4),
    reach=st.integers(0, 400),
    dtype=st.sampled_from(["datetime64[s]", "int64", "float64"]),
)
def test_a_length_of_time_reaches_as_far_on_every_axis_of_times(register_once, seconds, minutes, reach, dtype):
    units = {} if dtype == "datetime64[s]" else {"units": "seconds since 1970-01-01"}
    schema = (
        zc.Schema()
        .with_dimension("row", chunks=3)
        .with_variable("time", dtype=dtype, dimensions=("row",), attrs=units)
        .with_variable("value", dtype="float64", dimensions=("row",), fill_value=np.nan)
        .build()
    )
    collection = zc.create_collection(
        f"dict://{uuid.uuid4().hex}", schema=schema, axis="time", partitioning=ByMinute(minutes=minutes)
    )
    collection.insert({"time": np.array(seconds, dtype=dtype), "value": np.array(seconds) + 0.25})
    axis = collection.query()["time"].to_numpy().astype("datetime64[s]").astype("int64")

    def function(ds):
        times = ds["time"].to_numpy().astype("datetime64[s]").astype("int64")
        return {"value": sums_in_time(times, ds["value"].to_numpy(), reach)}

    collection.update(function, depth=np.timedelta64(reach * 1000 + 999, "ms"))
    np.testing.assert_array_equal(collection.query()["value"].to_numpy(), sums_in_time(axis, axis + 0.25, reach))


@pytest.fixture(scope="module")
def register_once():
    from zcollection.registry.hookspecs import Family
    from zcollection.registry.registry import REGISTRY

    REGISTRY.register(ByMinute)
    yield
    REGISTRY.unregister(Family.PARTITIONING, "by_minute")


def test_a_row_inserted_among_the_neighbours_meanwhile_makes_an_update_run_again(collection):
    """Also in a partition that did not exist, which no record of the first attempt names."""
    calls = []

    def function(ds):
        calls.append(ds["time"].to_numpy().tolist())
        if len(calls) == 1:
            zc.open_collection(str(collection.store.url), mode="rw").insert(samples.rows([35]))
        return {"value": sums(ds["value"].to_numpy(), 1)}

    collection.update(function, depth=1, filters="quotient == 4")
    assert calls == [[26, 47, 48, 49], [35, 47, 48, 49]]
    assert collection.query()["value"].to_numpy()[-3] == 35.25 + 47.25 + 48.25


def test_a_row_inserted_elsewhere_meanwhile_does_not(collection):
    calls = []

    def function(ds):
        calls.append(ds["time"].to_numpy().tolist())
        zc.open_collection(str(collection.store.url), mode="rw").insert(samples.rows([-25, 101]))
        return {"value": sums(ds["value"].to_numpy(), 1)}

    collection.update(function, depth=1, filters="quotient == 2")
    assert calls == [[12, 25, 26, 47]]
