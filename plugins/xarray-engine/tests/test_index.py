"""Labels are found as in an ordinary xarray dataset, and only partitions that may contain them are read."""

import pickle

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_xarray import PartitionedIndex

import zcollection as zc

HOURS = np.datetime64("2024-01-01", "ns") + np.cumsum(np.tile([1, 2, 5, 1], 30)) * np.timedelta64(1, "h")
"""120 times, in 12 partitions of some days."""


def schema(dtype="datetime64[ns]", **options):
    return (
        zc.Schema()
        .with_dimension("time", chunks=4)
        .with_variable("time", dtype=dtype, dimensions=("time",), **options)
        .with_variable("part", dtype="int64", dimensions=("time",))
        .with_variable("ssh", dtype="float64", dimensions=("time",))
        .build()
    )


def made_of(shared, times, parts=None, divisor=1, **declared):
    """A collection of times, by default in partitions of ten rows."""
    parts = np.arange(len(times)) // 10 if parts is None else parts
    rows = {"time": times, "part": parts, "ssh": np.arange(len(times)) / 2}
    return shared(schema(**declared), rows, by=("part",), divisor=divisor)


@pytest.fixture(scope="module")
def collection(shared):
    return made_of(shared, HOURS)


@pytest.fixture(scope="module")
def numbered(shared):
    return made_of(shared, np.arange(0, 240, 2), dtype="int64")


@pytest.fixture(scope="module")
def floats(shared):
    return made_of(shared, np.cumsum(np.linspace(0.1, 1, 120)).astype("float32"), dtype="float32")


def opened(collection, **options):
    return xr.open_dataset(str(collection.store.url), engine="zcollection", **options)


_QUERIED = {}


def ordinary(collection):
    """The result of a query, cached for each collection."""
    url = str(collection.store.url)
    if url not in _QUERIED:
        _QUERIED[url] = collection.query().to_xarray()
    return _QUERIED[url].copy()


def outcome(select):
    """The result of a selection: the rows, or the type of its error."""
    try:
        return select().load()
    except (KeyError, ValueError, TypeError) as error:
        return type(error)


def assert_same_outcome(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, type):
        assert found is expected
    else:
        xr.testing.assert_equal(found, expected)
        assert set(found.xindexes) == set(expected.xindexes)


def moments(low="2023-12-30", high="2024-01-16"):
    start, stop = (int(np.datetime64(text, "h").astype(int)) for text in (low, high))
    return st.integers(start, stop).map(lambda hour: np.datetime64(hour, "h").astype("datetime64[ns]"))


@settings(max_examples=30, deadline=None)
@given(first=st.none() | moments(), last=st.none() | moments())
def test_a_range_is_that_of_an_ordinary_dataset(collection, first, last):
    found, expected = opened(collection), ordinary(collection)
    part = found.sel(time=slice(first, last))
    xr.testing.assert_equal(part, expected.sel(time=slice(first, last)))
    assert not found.xindexes["time"].is_loaded


LABELS = st.one_of(moments(), st.lists(moments(), max_size=4).map(lambda found: np.array(found, "datetime64[ns]")))


@settings(max_examples=40, deadline=None)
@given(label=LABELS, method=st.sampled_from([None, "nearest", "pad", "backfill"]), hours=st.none() | st.integers(0, 6))
def test_labels_are_found_as_in_an_ordinary_dataset(collection, label, method, hours):
    tolerance = None if hours is None or method is None else np.timedelta64(hours, "h")
    found, expected = (
        outcome(lambda dataset=dataset: dataset.sel(time=label, method=method, tolerance=tolerance))
        for dataset in (opened(collection), ordinary(collection))
    )
    assert_same_outcome(found, expected)


@settings(max_examples=30, deadline=None)
@given(
    label=st.one_of(st.integers(-3, 245), st.floats(-3, 245, width=32)),
    other=st.integers(-3, 245),
    method=st.sampled_from([None, "nearest", "pad", "backfill"]),
    which=st.sampled_from(["numbered", "floats"]),
)
def test_numbers_are_found_as_in_an_ordinary_dataset(request, label, other, method, which):
    collection = request.getfixturevalue(which)
    found, expected = opened(collection), ordinary(collection)
    for select in (lambda it: it.sel(time=label, method=method), lambda it: it.sel(time=slice(label, other))):
        assert_same_outcome(
            outcome(lambda select=select: select(found)), outcome(lambda select=select: select(expected))
        )


@pytest.mark.parametrize(
    "label",
    [
        "2024-01-03",
        "2024-01",
        "2025",
        "2024-01-03T08",
        slice("2024-01-03", "2024-01-05"),
        slice("2024-01-03T07:30", None),
        slice(None, "2024-01-02"),
        slice("2025", None),
        slice("2024-01-05", "2024-01-03"),
        slice(HOURS[3], HOURS[50], 2),
        slice(HOURS[50], HOURS[3], -1),
        pd.Timestamp(HOURS[7]),
        pd.Timestamp(HOURS[7]).to_pydatetime(),
        pd.Timestamp("2024-01-03", tz="UTC"),
        [pd.Timestamp(HOURS[7]), pd.Timestamp(HOURS[99])],
        HOURS[[30, 2, 2]],
        xr.DataArray(HOURS[[[1, 2], [90, 0]]], dims=("a", "b"), coords={"a": [5, 6]}),
        xr.Variable("a", HOURS[[40, 41]]),
        np.arange(120) % 3 == 0,
        "nothing",
        np.datetime64("NaT", "ns"),
        7,
    ],
    ids=repr,
)
def test_whatever_xarray_takes_for_a_label_means_the_same(collection, label):
    found, expected = (
        outcome(lambda dataset=dataset: dataset.sel(time=label))
        for dataset in (opened(collection), ordinary(collection))
    )
    assert_same_outcome(found, expected)


def of_axis(read):
    """The partitions whose axis was read."""
    return {key.partition("/")[0].removeprefix("part=").removeprefix("tens=") for key in read if "/time/c/" in key}


@pytest.mark.parametrize(
    ("select", "partitions"),
    [
        (lambda it: it.sel(time=slice(HOURS[25], HOURS[87])), {"2", "8"}),
        (lambda it: it.sel(time=slice(HOURS[30], None)), set()),
        (lambda it: it.sel(time=slice(HOURS[30] - np.timedelta64(1, "m"), HOURS[59])), set()),
        (lambda it: it.sel(time=slice("2030", None)), set()),
        (lambda it: it.sel(time=HOURS[75] + np.timedelta64(3, "m"), method="nearest"), {"7"}),
        (lambda it: it.sel(time=HOURS[75]), {"7"}),
        (lambda it: it.sel(time=HOURS[[75, 3, 76]]), {"7", "0"}),
        (lambda it: it.isel(time=slice(14, 77)).sel(time=slice(HOURS[45], HOURS[62])), {"4", "6"}),
        (lambda it: it.isel(time=slice(14, 77)), set()),
        (lambda it: it["ssh"].isel(time=5), set()),
        (lambda it: it.sel(time=slice(HOURS[25], HOURS[87])).copy(deep=True).rename(time="t"), {"2", "8"}),
    ],
)
def test_only_the_axis_of_partitions_at_the_edges_is_read(collection, read, select, partitions):
    found = opened(collection)
    read.clear()
    part = select(found)
    assert of_axis(read) == partitions
    assert not any("/ssh/c/" in key for key in read)
    xr.testing.assert_equal(part, select(ordinary(collection)))


def test_opening_asks_for_no_partition(collection, read):
    found = opened(collection)
    repr(found), found._repr_html_(), repr(found.xindexes), found.nbytes, found.sizes
    assert not any("tens=" in key for key in read)
    assert isinstance(found.xindexes["time"], PartitionedIndex)
    assert repr(found.xindexes["time"]) == "PartitionedIndex('time', 120 rows, 12 partitions)"


def test_where_partitions_overlap_all_of_the_axis_is_read_and_the_answer_right(shared, read):
    collection = made_of(shared, HOURS, parts=np.arange(120) % 3)
    found, expected = opened(collection), ordinary(collection)
    for select in (
        lambda it: it.sel(time=HOURS[5]),
        lambda it: it.sel(time=HOURS[[5, 99]]),
        lambda it: it.sel(time=slice(HOURS[5], HOURS[3])),
        lambda it: it.sel(time=HOURS[5], method="nearest"),
    ):
        assert_same_outcome(
            outcome(lambda select=select: select(found)), outcome(lambda select=select: select(expected))
        )
    assert found.xindexes["time"].is_loaded
    assert of_axis(read) == {"0", "1", "2"}


def test_where_a_partition_is_not_sorted_the_answer_is_right(shared):
    times = HOURS[:40].copy()
    times[[12, 17]] = times[[17, 12]]
    collection = made_of(shared, times)
    collection.insert(
        {"time": times[10:20], "part": np.full(10, 1), "ssh": np.arange(10.0)}, merge=lambda old, new, **_: new
    )
    found, expected = opened(collection), ordinary(collection)
    for label in (HOURS[13], HOURS[[17, 3]], slice(HOURS[2], HOURS[35])):
        assert_same_outcome(
            outcome(lambda label=label: found.sel(time=label)), outcome(lambda label=label: expected.sel(time=label))
        )


def test_rows_of_the_same_time_are_all_found(shared):
    times = np.repeat(HOURS[:20], 2)
    collection = made_of(shared, times, parts=np.concatenate([np.zeros(9), np.full(31, 1)]).astype(int))
    found, expected = opened(collection), ordinary(collection)
    for label in (times[8], times[20], slice(times[8], times[11]), slice(None, times[8])):
        assert_same_outcome(
            outcome(lambda label=label: found.sel(time=label)), outcome(lambda label=label: expected.sel(time=label))
        )


@pytest.mark.parametrize("dtype", ["float64", "int32"])
def test_labels_in_other_units_of_time_are_found(shared, dtype):
    attrs = {"units": "hours since 2024-01-01"}
    collection = made_of(shared, np.cumsum(np.tile([1, 2, 5], 20)), dtype=dtype, attrs=attrs)
    found, expected = opened(collection), ordinary(collection)
    for label in (
        slice("2024-01-03", "2024-01-05"),
        np.datetime64("2024-01-03T00", "s"),
        expected["time"].values[[3, 30]],
    ):
        for method in (None, "nearest") if not isinstance(label, slice) else (None,):
            select = [
                lambda it=it, label=label, method=method: it.sel(time=label, method=method) for it in (found, expected)
            ]
            assert_same_outcome(*map(outcome, select))
    assert not found.xindexes["time"].is_loaded


def test_a_packed_axis_and_one_in_another_calendar_are_looked_up(shared):
    packing = zc.Packing("int16", scale_factor=-0.5)
    packed = made_of(shared, np.arange(60) / 2, dtype="float64", packing=packing)
    found = opened(packed)
    xr.testing.assert_equal(found.sel(time=slice(3.2, 17.5)), ordinary(packed).sel(time=slice(3.2, 17.5)))
    assert not found.xindexes["time"].is_loaded
    attrs = {"units": "days since 2000-02-28", "calendar": "noleap"}
    model = made_of(shared, np.arange(60), dtype="int32", attrs=attrs)
    expected = ordinary(model).sel(time=slice("2000-03-01", "2000-03-10"))
    xr.testing.assert_equal(opened(model).sel(time=slice("2000-03-01", "2000-03-10")), expected)


@settings(max_examples=20, deadline=None)
@given(index=st.slices(120), first=moments(), last=moments())
def test_labels_are_found_in_what_was_selected_by_position(collection, index, first, last):
    found, expected = (dataset.isel(time=index) for dataset in (opened(collection), ordinary(collection)))
    xr.testing.assert_equal(found, expected)
    for select in (lambda it: it.sel(time=slice(first, last)), lambda it: it.sel(time=first, method="nearest")):
        assert_same_outcome(
            outcome(lambda select=select: select(found)), outcome(lambda select=select: select(expected))
        )


@settings(max_examples=12, deadline=None)
@given(first=moments(), last=moments(), modulus=st.sampled_from([2, 7, 30]))
def test_labels_are_found_among_rows_chosen_by_a_condition(collection, first, last, modulus):
    where = f"ssh % {modulus} == 0"
    found, expected = opened(collection, where=where), collection.query(where=where).to_xarray()
    for select in (
        lambda it: it.sel(time=slice(first, last)),
        lambda it: it.sel(time=[first, last], method="nearest"),
        lambda it: it.sel(time=first, method="pad"),
        lambda it: it.sel(time="2024-01-03"),
    ):
        assert_same_outcome(
            outcome(lambda select=select: select(found)), outcome(lambda select=select: select(expected))
        )


COMPUTED = {
    "itself": lambda it, _: it + it,
    "an ordinary one": lambda it, other: it + other,
    "the other way round": lambda it, other: other + it,
    "a part": lambda it, other: it + other.isel(time=slice(10, 40)),
    "its part": lambda it, other: it.isel(time=slice(10, 40)) + other,
    "its parts": lambda it, _: it.isel(time=slice(10, 40)) - it.isel(time=slice(30, 50)),
    "outer": lambda it, other: xr.align(it.isel(time=slice(50)), other.isel(time=slice(40, 60)), join="outer")[0],
    "left": lambda it, other: xr.align(it.isel(time=slice(50)), other.isel(time=slice(40, 60)), join="left")[1],
    "exact": lambda it, other: xr.align(it, other, join="exact")[0],
    "concat": lambda it, _: xr.concat([it.isel(time=slice(70, None)), it.isel(time=slice(20))], "time"),
    "concat others": lambda it, other: xr.concat([it.isel(time=slice(9)), other.isel(time=slice(30, 33))], "time"),
    "merge": lambda it, other: xr.merge([it[["ssh"]], other[["part"]]], join="outer", compat="no_conflicts"),
    "reindex": lambda it, _: it.reindex(time=HOURS[[3, 90, 2]]),
    "resample": lambda it, _: it.resample(time="1D").mean(),
    "groupby": lambda it, _: it.groupby("time.dayofyear").sum(),
    "sortby": lambda it, _: it.sortby("time", ascending=False),
    "roll": lambda it, _: it.roll(time=7, roll_coords=True),
    "shift": lambda it, _: it.shift(time=3),
    "rolling": lambda it, _: it.rolling(time=3).mean(),
    "differences": lambda it, _: it.diff("time"),
    "rename": lambda it, _: it.rename(time="t"),
    "swap": lambda it, _: it.swap_dims(time="row"),
    "assign": lambda it, other: it.assign(twice=2 * other["ssh"], time=other["time"]),
    "stack": lambda it, _: it.expand_dims("n").stack(p=("n", "time")),
    "drop": lambda it, _: it.drop_sel(time=HOURS[5]),
    "positions": lambda it, _: it.isel(time=[5, 3, 3]),
    "mask": lambda it, _: it.isel(time=np.arange(120) % 2 == 0),
    "where": lambda it, _: it.where(it["time"] > HOURS[60], drop=True),
    "reset": lambda it, _: it.reset_index("time"),
    "set": lambda it, _: it.drop_indexes("time").set_xindex("time"),
    "frame": lambda it, _: it.to_dataframe().to_xarray(),
    "mean": lambda it, _: it.mean(),
    "load": lambda it, _: it.load().sel(time=slice(HOURS[3], HOURS[9])),
    "unload": lambda it, _: it.copy(deep=True).isel(time=slice(None, None, -1)),
}


@pytest.mark.parametrize("compute", COMPUTED.values(), ids=COMPUTED)
def test_what_needs_all_of_the_index_is_as_with_an_ordinary_one(collection, compute):
    expected = ordinary(collection)
    xr.testing.assert_equal(compute(opened(collection), expected), compute(expected, expected))


def test_the_index_of_pandas_is_that_of_an_ordinary_dataset(collection):
    found = opened(collection)
    expected = ordinary(collection).indexes["time"]
    assert found.indexes["time"].equals(expected)
    assert found.indexes["time"].name == expected.name
    assert found.get_index("time").equals(expected)


def test_the_axis_is_read_once_by_index_and_variable_together(collection, read):
    found = opened(collection)
    read.clear()
    assert found["time"].values.size == found.indexes["time"].size == found.copy()["time"].values.size == 120
    assert found.isel(time=slice(5))["time"].values.tolist() == HOURS[:5].astype(int).tolist()
    assert {count for key, count in read.items() if "/time/c/" in key} == {1}


def test_nobody_changes_the_axis_that_others_see(collection):
    found = opened(collection)
    with pytest.raises(ValueError, match="read-only"):
        found["time"].values[0] = HOURS[5]
    assert found.indexes["time"][0] == pd.Timestamp(HOURS[0])


def test_it_pickles(collection):
    index = pickle.loads(pickle.dumps(opened(collection).xindexes["time"]))
    assert isinstance(index, PartitionedIndex)
    assert not index.is_loaded
    assert index.to_pandas_index().equals(ordinary(collection).indexes["time"])


def test_called_as_that_of_xarray_it_is_one():
    index = PartitionedIndex(np.array([1, 2, 5]), "x")
    assert type(index) is xr.indexes.PandasIndex
    assert index.to_pandas_index().tolist() == [1, 2, 5]
