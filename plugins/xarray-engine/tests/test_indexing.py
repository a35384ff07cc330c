"""Selections by position, against NumPy; only the chunks that contain them are read."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import zcollection as zc

ROWS, COLUMNS, LAYERS = 45, 5, 3
TIMES = np.arange(ROWS)
VALUES = np.arange(ROWS * COLUMNS * LAYERS, dtype="float64").reshape(COLUMNS, ROWS, LAYERS)


def cube():
    """A variable whose partitioned dimension is between two others, all of them chunked."""
    return (
        zc.Schema()
        .with_dimension("time", chunks=4)
        .with_dimension("x", size=COLUMNS, chunks=2)
        .with_dimension("z", size=LAYERS, chunks=2)
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("cube", dtype="float64", dimensions=("x", "time", "z"), fill_value=-5)
        .with_variable("name", dtype="string", dimensions=("time",))
        .with_variable("late", dtype="float32", dimensions=("x", "time"), fill_value=-1)
        .build()
    )


def rows(where=slice(None)):
    names = np.array([f"n{time}" for time in TIMES], dtype=np.dtypes.StringDType())
    late = np.where(TIMES < 20, np.nan, TIMES)[None, :] * np.ones((COLUMNS, 1))
    return {"time": TIMES[where], "cube": VALUES[:, where], "name": names[where], "late": late[:, where]}


def arrays():
    kept = rows()
    expected = {
        name: (kept[name].astype(object) if name == "name" else kept[name]) for name in ("cube", "name", "late")
    }
    return expected | {"cube": np.where(VALUES == -5, np.nan, VALUES), "late": expected["late"].astype("float32")}


@pytest.fixture(scope="module")
def collection(shared):
    made = shared(cube(), None)
    early = rows(slice(20))
    del early["late"]  # there, the variable is missing, and reads as its fill value
    made.insert(early, missing="fill")
    made.insert(rows(slice(20, None)))
    return made


def opened(collection, **options):
    return xr.open_dataset(str(collection.store.url), engine="zcollection", cache=False, **options)


def indices(length):
    """An indexer of a dimension: a position, a slice with any step, or positions in any order."""
    positions = st.integers(-length, length - 1)
    return st.one_of(
        positions, st.slices(length), st.lists(positions, max_size=6).map(lambda found: np.array(found, int))
    )


KEYS = st.fixed_dictionaries({}, optional={"x": indices(COLUMNS), "time": indices(ROWS), "z": indices(LAYERS)})


def selected(values, dims, key):
    """The selection by NumPy, one dimension after the other."""
    for axis in reversed(range(len(dims))):
        values = values[(slice(None),) * axis + (key.get(dims[axis], slice(None)),)]
    return values


@settings(max_examples=40, deadline=None)
@given(data=st.data(), key=KEYS, name=st.sampled_from(["cube", "late"]))
def test_outer_and_basic_indices_select_what_numpy_does(collection, data, key, name):
    variable, expected = opened(collection)[name], arrays()[name]
    key = {dim: index for dim, index in key.items() if dim in variable.dims}
    found, chosen = variable.isel(key), selected(expected, variable.dims, key)
    np.testing.assert_array_equal(found.values, chosen)
    for dim in found.dims[:1]:
        # xarray treats a slice that begins before the first element like one that begins at the last.
        again = data.draw(st.slices(len(chosen)))
        np.testing.assert_array_equal(found.isel({dim: again}).values, chosen[again])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_vectorised_indices_select_what_numpy_does(collection, data):
    shape = data.draw(st.sampled_from([(0,), (1,), (5,), (2, 3)]))
    dims = data.draw(st.lists(st.sampled_from(["x", "time", "z"]), min_size=1, unique=True))
    lengths = {"x": COLUMNS, "time": ROWS, "z": LAYERS}
    size = int(np.prod(shape))

    def points(dim):
        positions = st.integers(-lengths[dim], lengths[dim] - 1)
        return np.array(data.draw(st.lists(positions, min_size=size, max_size=size)), int).reshape(shape)

    names = ("a", "b")[: len(shape)]
    key = {dim: xr.Variable(names, points(dim)) for dim in dims}
    ordinary = xr.Variable(("x", "time", "z"), arrays()["cube"])
    found = opened(collection)["cube"].variable.isel(key)
    assert found.dims == ordinary.isel(key).dims
    np.testing.assert_array_equal(found.values, ordinary.isel(key).values)


def test_vectorised_indices_mix_with_others(collection):
    points = {"time": xr.Variable("p", [44, 0, 7, 7]), "x": xr.Variable("p", [4, 0, 3, 3])}
    ordinary = xr.DataArray(arrays()["cube"], dims=("x", "time", "z"), coords={"time": TIMES})
    for more in ({"z": slice(None, None, -1)}, {"z": 1}, {"z": [2, 0]}):
        found = opened(collection)["cube"].isel({**points, **more})
        xr.testing.assert_equal(found, ordinary.isel({**points, **more}))


def test_strings_and_objects_are_selected_alike(collection):
    names = opened(collection)["name"]
    for key in (3, slice(40, 2, -7), [5, 44, 5], xr.Variable(("a", "b"), [[1, 2], [44, 0]])):
        np.testing.assert_array_equal(names.isel(time=key).values, xr.Variable("time", arrays()["name"]).isel(time=key))
    assert names.isel(time=3).item() == "n3"
    assert names.isel(time=3).values.dtype == object


def chunks(read, name):
    return {key for key in read if f"/{name}/c/" in key}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ({"x": 0, "time": 13, "z": 0}, {"tens=1/cube/c/0/0/0"}),
        (
            {"x": slice(1, 3), "time": slice(18, 22), "z": 2},
            {f"tens={t}/cube/c/{x}/{c}/1" for t, c in ((1, 2), (2, 0)) for x in (0, 1)},
        ),
        ({"x": [4], "time": [44, 0], "z": [0, 1]}, {"tens=4/cube/c/2/1/0", "tens=0/cube/c/2/0/0"}),
        (
            {dim: xr.Variable("p", at) for dim, at in {"x": [0, 4], "time": [0, 44], "z": [0, 2]}.items()},
            {"tens=0/cube/c/0/0/0", "tens=4/cube/c/2/1/1"},
        ),
        ({"time": slice(0, 0)}, set()),
    ],
    ids=["point", "slices", "outer", "points", "nothing"],
)
def test_only_chunks_that_hold_what_is_selected_are_read(collection, read, key, expected):
    variable = opened(collection)["cube"]
    read.clear()
    variable.isel(key).load()
    assert chunks(read, "cube") == expected
    assert {count for name, count in read.items() if "/c/" in name} <= {1}


def test_threads_read_side_by_side(collection):
    variable = opened(collection)["cube"]
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda at: variable.isel(time=at).values, [*range(ROWS)] * 4))
    np.testing.assert_array_equal(np.stack(parts[:ROWS], axis=1), arrays()["cube"])
    assert len(parts) == 4 * ROWS


def test_it_pickles_and_reads_on(collection):
    whole = opened(collection, drop_variables="name")
    for part in (whole, whole.isel(time=slice(3, 40, 2)), whole.isel(time=[3, 1]), whole.sel(time=slice(5, 30))):
        again = pickle.loads(pickle.dumps(part))
        assert again.xindexes["time"].is_loaded is False
        xr.testing.assert_identical(again.load(), part.load())
    loaded = whole.load()
    xr.testing.assert_identical(pickle.loads(pickle.dumps(loaded)), loaded)


def test_a_part_pickles_without_the_other_partitions(collection):
    whole = opened(collection)
    assert len(pickle.dumps(whole["cube"].variable.isel(time=slice(2)))) > 0
    assert b"tens=3" in pickle.dumps(whole["cube"].variable)


def test_a_partition_that_was_changed_meanwhile_is_not_mixed_in(shared):
    collection = shared(cube(), rows())
    found = opened(collection)
    later = rows(slice(20, 30))
    collection.insert(later | {"cube": later["cube"] * 2})
    np.testing.assert_array_equal(found["cube"].isel(time=slice(20)).values, arrays()["cube"][:, :20])
    with pytest.raises(zc.ConflictError, match="'tens=2'.*changed by another writer"):
        found["cube"].values  # noqa: B018 - it reads
    np.testing.assert_array_equal(opened(collection)["cube"].isel(time=25).values, VALUES[:, 25] * 2)


def test_blocks_of_dask_are_stored_chunks_of_one_partition(collection, read):
    found = opened(collection, chunks={})
    assert found.chunks == {"time": (4, 4, 2) * 4 + (4, 1), "x": (2, 2, 1), "z": (2, 1)}
    expected = collection.query(chunks={})
    assert found["cube"].chunks == expected["cube"].data.chunks
    read.clear()
    with dask.config.set(scheduler="threads"):
        np.testing.assert_array_equal(found["cube"].values, arrays()["cube"])
    assert {count for name, count in read.items() if "/cube/c/" in name} == {1}
    assert found["cube"].isel(time=slice(10, 12)).sum().compute().item() == arrays()["cube"][:, 10:12].sum()


def test_blocks_of_dask_may_be_larger(collection):
    found = opened(collection, chunks={"time": -1, "x": 4})
    assert found["cube"].chunks == ((4, 1), (45,), (2, 1))
    xr.testing.assert_equal(found.compute(), opened(collection).compute())
    whole = opened(collection, chunks="auto", drop_variables="name")
    assert whole["cube"].chunks == ((5,), (45,), (3,))


def test_blocks_of_what_was_opened_twice_are_not_taken_for_each_other(shared):
    collection = shared(cube(), rows())
    before = opened(collection, chunks={})
    later = rows(slice(20, 30))
    collection.insert(later | {"cube": later["cube"] * 2})
    after = opened(collection, chunks={})
    for name in ("cube", "time"):
        assert before[name].data.name != after[name].data.name
    part = slice(20, 30)
    with pytest.raises(zc.ConflictError, match="'tens=2'"):
        dask.compute(after["cube"][:, part], before["cube"][:, part])
    assert type(after["cube"].variable) is xr.Variable


def test_blocks_of_chosen_rows_are_those_of_partitions(collection):
    found = opened(collection, chunks={}, where="time % 7 == 0")
    assert found.chunks["time"] == (2, 1, 2, 1, 1)
    xr.testing.assert_equal(found.compute(), collection.query(where="time % 7 == 0").to_xarray())


def test_what_was_read_is_kept_unless_it_is_not_to_be(collection, read):
    url = str(collection.store.url)
    kept = xr.open_dataset(url, engine="zcollection")
    for dataset, times in ((kept, 1), (opened(collection), 2)):
        read.clear()
        for _ in range(2):
            dataset["cube"].values  # noqa: B018 - it reads
        assert {count for key, count in read.items() if "/cube/c/" in key} == {times}


@pytest.mark.skipif(not hasattr(xr.DataArray, "load_async"), reason="older releases of xarray do not load in a loop")
def test_values_are_read_in_a_loop_too(collection):
    import anyio

    async def load():
        return await opened(collection)["cube"].isel(time=[3, 30]).load_async()

    np.testing.assert_array_equal(anyio.run(load).values, arrays()["cube"][:, [3, 30]])
