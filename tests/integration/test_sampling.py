"""How the axis is sampled: what is kept of it, after every kind of change, is what the axis says."""

import numpy as np
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.engine.sampling import MOST, Sampling
from zcollection.model.schema import VariableSchema

_TIME = VariableSchema("time", dtype=np.dtype("datetime64[s]"), dimensions=("time",))
_START = np.datetime64("2024-01-01", "s")


_FILLS = {kind: st.sampled_from([None, 3]) for kind in "iuf"} | {kind: st.none() for kind in "mM"}


def _times(*seconds) -> np.ndarray:
    return _START + np.array(seconds, "timedelta64[s]")


@examples(60)
@given(st.lists(st.one_of(st.integers(-3, 3), st.integers(-(10**9), 10**9), st.none()), max_size=40))
def test_the_runs_of_a_sampling_are_the_values_and_its_step_is_the_most_frequent(steps):
    seconds = np.cumsum([step or 0 for step in steps])
    times = _START + seconds.astype("timedelta64[s]")
    times[[at for at, step in enumerate(steps) if step is None]] = np.datetime64("NaT", "s")
    found = Sampling.of(times, _TIME)
    present = times[~np.isnat(times)].view(np.int64)
    np.testing.assert_array_equal(found.values, present)
    assert found.missing == np.isnat(times).sum()
    differences, counts = np.unique(np.diff(present), return_counts=True)
    assert found.step == (differences[np.argmax(counts)] if len(differences) else None)
    again = Sampling.from_json(found.to_json(), rows=len(times))
    assert again == found
    np.testing.assert_array_equal(again.values, present)


@examples(60)
@given(
    dtype=st.sampled_from(["int64", "int16", "uint8", "float64", "datetime64[s]", "timedelta64[ns]"]),
    numbers=st.lists(st.integers(0, 5) | st.integers(-(2**62), 2**62), max_size=40),
    data=st.data(),
)
def test_the_axis_of_a_sampling_is_every_value_or_nothing(dtype, numbers, data):
    values = np.array(numbers, np.int64).astype(dtype)
    axis = VariableSchema(
        "axis", dtype=values.dtype, dimensions=("axis",), fill_value=data.draw(_FILLS[values.dtype.kind])
    )
    sampling = Sampling.of(values, axis)
    found = sampling and Sampling.from_json(sampling.to_json(), rows=len(values)).axis(values.dtype)
    if values.dtype.kind == "f" or sampling is None or (values == axis.fill_value).any():
        assert found is None
    else:
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values)


def test_values_without_a_step_have_no_sampling_unless_it_may_take_any_number_of_runs():
    rng = np.random.default_rng(3)
    times = _times(*np.cumsum(rng.integers(1, 1000, 10_000)))
    assert Sampling.of(times, _TIME) is None
    np.testing.assert_array_equal(Sampling.of(times, _TIME, most=None).values, times.view(np.int64))
    gaps = np.arange(40 * MOST) + np.repeat(np.arange(MOST), 40) * 5
    assert len(Sampling.of(_times(*gaps), _TIME).starts) == MOST
    assert Sampling.of(_times(*gaps, 10**6), _TIME) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1.0, 1.5, np.nan, 2.0]), ([1.0], [3], 0.5, 1)),
        (np.array([1, 2, 200], np.uint8), ([1, 200], [2, 1], 1, 0)),
        (np.array([5, -1, 5], np.int16), ([5, 5], [1, 1], None, 1)),
        (np.array([0.0, np.inf]), None),
        (np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max]), None),
        (np.array([1, 2], np.uint64), None),
        (np.array([], np.float32), ([], [], None, 0)),
    ],
)
def test_numbers_of_every_kind_are_sampled_or_are_not(values, expected):
    fill = np.int16(-1) if values.dtype == np.int16 else None
    variable = VariableSchema("x", dtype=values.dtype, dimensions=("x",), fill_value=fill)
    found = Sampling.of(values, variable)
    if values.dtype == np.int16:
        assert (found.step, found.starts.tolist(), found.rows.tolist(), found.missing) == (0, [5], [2], 1)
    elif expected is None:
        assert found is None
    else:
        assert (found.starts.tolist(), found.rows.tolist(), found.step, found.missing) == expected


@pytest.fixture(params=["file", "memory", "icechunk"])
def collection(request, tmp_path) -> zc.Collection:
    url = {"file": f"file://{tmp_path}/c", "memory": "memory://sampling", "icechunk": f"icechunk+file://{tmp_path}/i"}
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=16)
        .with_variable("time", dtype="datetime64[s]", dimensions=("time",))
        .with_variable("ssh", dtype="float64", dimensions=("time",), fill_value=np.nan)
        .build()
    )
    return zc.create_collection(url[request.param], schema=schema, axis="time", partitioning="date:D", overwrite=True)


def _check(collection: zc.Collection, *, read: int = 0) -> None:
    """Compare what is kept with the axis."""
    found = collection.sampling()
    axes = collection.map(lambda dataset: dataset["time"].to_numpy(), variables=["time"])
    assert [item.path for item in found] == list(axes)
    for item in found:
        np.testing.assert_array_equal(item.sampling.values, axes[item.path].view(np.int64))
    assert sum(item.was_read for item in found) == read


def test_every_change_keeps_how_the_axis_is_sampled(collection):
    minutes = np.arange(0, 3 * 1440, 10)
    times = _times(*(minutes * 60))
    rows = {"time": times, "ssh": np.sin(minutes)}
    collection.insert({name: values[minutes % 1440 < 1000] for name, values in rows.items()})
    _check(collection)
    late = {name: values[50:120] for name, values in rows.items()}
    collection.insert(late, merge="upsert")
    _check(collection)
    collection.insert(late, merge="concat")
    _check(collection)
    collection.insert({name: values[130:150:3] for name, values in rows.items()}, merge="time_series")
    _check(collection)
    collection.update(lambda dataset: {"ssh": dataset["ssh"].to_numpy() + 1})
    _check(collection)
    collection.update(lambda dataset: {"ssh": dataset["ssh"].to_numpy() + 1}, where="ssh > 0")
    _check(collection)
    collection.update(lambda dataset: {"time": dataset["time"].to_numpy() + np.timedelta64(7, "s")}, where="ssh > 1.5")
    _check(collection)
    collection.delete(where="ssh < 0.2")
    _check(collection)
    collection.add_variable(VariableSchema("flag", dtype=np.dtype("int8"), dimensions=("time",), fill_value=np.int8(0)))
    collection.drop_variable("flag")
    _check(collection)


def test_a_copy_keeps_it_and_what_has_no_step_is_read(tmp_path, collection):
    rng = np.random.default_rng(1)
    collection.insert({"time": _times(*range(0, 86_400, 60)), "ssh": np.zeros(1440)})
    irregular = np.unique(rng.integers(86_400, 2 * 86_400, 700))
    collection.insert({"time": _times(*irregular), "ssh": np.zeros(len(irregular))})
    _check(collection, read=1)
    copied = collection.copy(tmp_path / "copy")
    _check(copied, read=1)
    assert copied.sampling(filters={"day": 1})[0].sampling.step == 60


def test_partitions_of_an_older_release_are_read_until_statistics_are_added(tmp_path, monkeypatch):
    schema = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    collection = zc.create_collection(tmp_path / "c", schema=schema, axis="time", partitioning="date:D")
    with monkeypatch.context() as patch:
        patch.setattr("zcollection.engine.statistics.sampled", lambda values, form: "unknown")
        collection.insert({"time": _times(*range(0, 3 * 86_400, 600))})
    _check(collection, read=3)
    collection.add_statistics()
    _check(collection)
    assert not collection.verify(data=True).problems


def test_an_axis_without_numbers_has_no_sampling(tmp_path):
    schema = (
        zc.Schema()
        .with_dimension("row")
        .with_variable("name", dtype="string", dimensions=("row",))
        .with_variable("cycle", dtype="int64", dimensions=("row",))
        .build()
    )
    collection = zc.create_collection(tmp_path / "c", schema=schema, axis="name", partitioning="sequence:cycle")
    with pytest.raises(zc.SchemaError, match="axis 'name' is of the type .*; accepted: numbers or times"):
        collection.sampling()
    collection = zc.create_collection(tmp_path / "d", schema=schema, axis="row", partitioning="sequence:cycle")
    with pytest.raises(zc.SchemaError, match="axis 'row' is not a variable"):
        collection.sampling()
