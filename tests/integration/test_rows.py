"""Rows that are asked for equal those that pandas chooses, whatever was inserted, merged, updated or deleted before."""

import asyncio
import itertools
import pickle
import uuid

import numpy as np
import pandas as pd
import pytest
from backends import Place
from effort import examples
from hypothesis import assume, given
from hypothesis import strategies as st

import zcollection as zc
from zcollection import rows as asked

START = np.datetime64("2024-01-01", "ns")
CONDITIONS = {
    "time >= '2024-01-02T06' and time < '2024-01-03'": lambda it: (
        (it["time"] >= "2024-01-02T06") & (it["time"] < "2024-01-03")
    ),
    "flag == 2": lambda it: it["flag"] == 2,
    "flag != 2": lambda it: (it["flag"] != 2) & (it["flag"] != -1),
    "isnan(latitude) or latitude > 30": lambda it: it["latitude"].isna() | (it["latitude"] > 30),
    "abs(latitude) < 20 and not height > 0.5": lambda it: (it["latitude"].abs() < 20) & ~(it["height"] > 0.5),
    "day == 2 and flag in (0, 1)": lambda it: (it["time"].dt.day == 2) & it["flag"].isin([0, 1]),
    "id % 7 == 3": lambda it: it["id"] % 7 == 3,
    "name == 'b'": lambda it: it["name"] == "b",
    "height + latitude / 100 <= 0": lambda it: it["height"].astype("f8") + it["latitude"] / 100 <= 0,
    "1 == 2": lambda it: it["id"] < 0,
}
BOX = asked.box(west=170, south=-30, east=-160, north=45)


def in_box(it):
    return it["latitude"].between(-30, 45) & ((it["longitude"] >= 170) | (it["longitude"] <= -160))


def schema(chunks=97):
    return (
        zc.Schema()
        .with_dimension("time", chunks=chunks)
        .with_dimension("x", size=2)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
        .with_variable("id", dtype="int64", dimensions=("time",), statistics=True)
        .with_variable(
            "latitude", dtype="float64", dimensions=("time",), attrs={"units": "degrees_north"}, fill_value=np.nan
        )
        .with_variable("longitude", dtype="float32", dimensions=("time",), attrs={"units": "degrees_east"})
        .with_variable("flag", dtype="int8", dimensions=("time",), fill_value=-1, statistics=True)
        .with_variable(
            "height",
            dtype="float64",
            dimensions=("time",),
            packing=zc.Packing("int16", scale_factor=0.001, fill_value=-32768),
            statistics=True,
        )
        .with_variable("name", dtype="string", dimensions=("time",), fill_value="")
        .with_variable("swath", dtype="float32", dimensions=("x", "time"), group="/deep")
        .build()
    )


def packed(values):
    """Return values as the packing of the heights holds them."""
    return np.rint(np.asarray(values) / 0.001) * 0.001


def frame_of(rng, count, *, first=0, minutes=10):
    """Return rows of a track, some without a value."""
    at = np.sort(rng.choice(6 * 24 * 6, size=count, replace=False)) * minutes
    latitude = np.round(60 * np.sin(at / 90) + rng.normal(size=count), 3)
    latitude[rng.random(count) < 0.05] = np.nan
    height = packed(rng.normal(size=count))
    height[rng.random(count) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "time": START + at.astype("timedelta64[m]"),
            "id": np.arange(first, first + count),
            "latitude": latitude,
            "longitude": ((at * 0.7) % 360 - 180).astype("float32"),
            "flag": rng.integers(-1, 4, count).astype("int8"),
            "height": height,
            "name": rng.choice(["a", "b", "c"], count),
        }
    )


def arrays(frame):
    swath = np.stack([frame["id"], frame["id"] + 0.5]).astype("float32")
    return {name: frame[name].to_numpy() for name in frame} | {"deep/swath": swath}


def created(url, *, resolution="D", chunks=97):
    partitioning = zc.partitioning.Date(("time",), resolution=resolution)
    return zc.create_collection(url, schema=schema(chunks), axis="time", partitioning=partitioning)


def assert_same(dataset, frame):
    """Assert that a dataset has the rows of a frame, in its order, and all of their values."""
    for name, values in arrays(frame).items():
        found = dataset.get_variable(name).to_numpy()
        if found.dtype.kind == "T":
            assert found.tolist() == list(values)
        else:
            np.testing.assert_array_equal(found, values, err_msg=name)


@pytest.fixture(params=["file", "memory", "icechunk"])
def place(request, tmp_path):
    return Place(request.param, tmp_path, request).url


@pytest.fixture
def frame():
    return frame_of(np.random.default_rng(0), 800)


@pytest.fixture
def collection(place, frame):
    found = created(place)
    found.insert(arrays(frame))
    return found


@pytest.mark.parametrize("text", CONDITIONS)
def test_each_way_to_ask_gives_the_same_rows(collection, frame, text):
    wanted = frame[CONDITIONS[text](frame)]
    assert_same(collection.query(where=text), wanted)
    assert_same(collection.query(where=text, lazy=True), wanted)
    assert_same(collection.query(where=asked.expression(text)), wanted)
    found = collection.find(text)
    assert len(found) == collection.count(text) == len(wanted)
    assert_same(collection.query(where=found), wanted)
    assert_same(collection.query(where=pickle.loads(pickle.dumps(found)), lazy=True), wanted)
    given = collection.map(lambda dataset: dataset["id"].to_numpy().tolist(), where=text)
    assert list(itertools.chain(*given.values())) == wanted["id"].tolist()
    assert all(given.values())
    ids = collection.map(lambda dataset: dataset["id"].to_numpy().tolist(), where=text, reduce=lambda a, b: a + b)
    assert (ids or []) == wanted["id"].tolist()


def test_chunks_give_the_same_rows(collection, frame):
    pytest.importorskip("dask")
    assert_same(collection.query(where="flag == 2", chunks={}), frame[frame["flag"] == 2])


def test_a_box_over_the_date_line(collection, frame):
    assert in_box(frame).sum() > 10
    assert_same(collection.query(where=BOX), frame[in_box(frame)])
    both = frame[in_box(frame) & (frame["flag"] == 2)]
    assert_same(collection.query(where=BOX & asked.expression("flag == 2")), both)
    assert_same(collection.query(where=~BOX), frame[~in_box(frame)])


def test_a_polygon(collection, frame):
    shapely = pytest.importorskip("shapely")
    shape = shapely.Polygon([(-100, -40), (80, -40), (-10, 60)])
    inside = shapely.intersects_xy(shape, frame["longitude"], frame["latitude"])
    assert inside.sum() > 10
    assert_same(collection.query(where=asked.polygon(shape)), frame[inside])


def test_a_function(collection, frame):
    where = asked.function(lambda flag, height: (flag == 2) & (height > 0), ["flag", "height"])
    assert_same(collection.query(where=where), frame[(frame["flag"] == 2) & (frame["height"] > 0)])


def test_some_variables_of_some_partitions(collection, frame):
    dataset = collection.query(where="flag == 2", variables=["id"], filters="day > 3")
    wanted = frame[(frame["flag"] == 2) & (frame["time"].dt.day > 3)]
    assert list(dataset.all_variables()) == ["id"]
    np.testing.assert_array_equal(dataset["id"].to_numpy(), wanted["id"])


def test_where_no_partition_passes_the_filter_there_are_no_rows(collection):
    assert collection.query(filters="day == 31") is None
    assert collection.query(where="flag == 2", filters="day == 31")["id"].shape == (0,)
    assert collection.query(where="time > '2030-01-01'").get_variable("deep/swath").shape == (2, 0)


def test_rows_combine(collection, frame):
    flagged, high = collection.find("flag == 2"), collection.find("latitude > 10")
    two, above = frame["flag"] == 2, frame["latitude"] > 10
    for rows, mask in ((flagged & high, two & above), (flagged | high, two | above), (flagged - high, two & ~above)):
        assert len(rows) == mask.sum()
        assert_same(collection.query(where=rows), frame[mask])
        assert list(rows.partitions) == [path for path in collection.partitions() if path in rows.ranges]
    assert (flagged & high) == (high & flagged)
    assert not flagged - flagged


def test_rows_of_partitions_that_changed_are_found_again_or_refused(collection, frame):
    found, high = collection.find("flag == 2"), collection.find("latitude > 10")
    later = frame[frame["time"].dt.day == 6]
    collection.insert(arrays(later.assign(time=later["time"] + pd.Timedelta("30D"))))
    both = found & high
    assert len(collection.query(where=both)["id"]) == len(both)  # others came, and these stay what they are
    collection.update(lambda dataset: {"flag": np.full_like(dataset["flag"].to_numpy(), 2)}, filters="day == 1")
    changed = frame.assign(flag=np.where(frame["time"].dt.day == 1, 2, frame["flag"]).astype("int8"))
    everything = pd.concat([changed, later.assign(time=later["time"] + pd.Timedelta("30D"))])
    assert_same(collection.query(where=found), everything[everything["flag"] == 2])
    with pytest.raises(zc.errors.OutdatedError, match="day=01.*find the rows again"):
        collection.query(where=both)
    with pytest.raises(zc.errors.OutdatedError, match="find both again"):
        _ = found & collection.find("flag == 2")


def test_an_update_gives_its_function_the_rows_and_changes_them_alone(collection, frame):
    seen = []

    def lift(dataset):
        seen.append(dataset["id"].to_numpy())
        return {
            "height": dataset["height"].to_numpy() + 1,
            "deep/swath": -dataset.get_variable("deep/swath").to_numpy(),
        }

    mask = (frame["flag"] == 2) & (frame["time"].dt.day < 5)
    where = asked.expression("flag == 2 and time < '2024-01-05'")
    planned = collection.update(lift, where=where, dry_run=True)
    assert planned.total == mask.sum()
    assert not seen
    assert collection.update(lift, where=where) == tuple(planned.rows)
    assert sorted(np.concatenate(seen)) == frame["id"][mask].tolist()
    dataset = collection.query()
    np.testing.assert_array_equal(
        dataset["height"].to_numpy(), np.where(mask, packed(frame["height"] + 1), frame["height"])
    )
    swath = np.stack([frame["id"], frame["id"] + 0.5]).astype("float32")
    np.testing.assert_array_equal(dataset.get_variable("deep/swath").to_numpy(), np.where(mask, -swath, swath))
    np.testing.assert_array_equal(dataset["latitude"].to_numpy(), frame["latitude"])
    assert collection.count("height > 1.5") == (dataset["height"].to_numpy() > 1.5).sum()
    assert not collection.verify(data=True).problems


def test_an_update_of_rows_may_change_the_axis_within_its_partition(collection, frame):
    moved = frame["flag"] == 2
    collection.update(lambda dataset: {"time": dataset["time"].to_numpy() + np.timedelta64(1, "m")}, where="flag == 2")
    wanted = frame.assign(time=frame["time"] + pd.to_timedelta(np.where(moved, 1, 0), unit="m"))
    assert_same(collection.query(), wanted)
    assert (
        collection.count("time >= '2024-01-02T06' and time < '2024-01-03'")
        == ((wanted["time"] >= "2024-01-02T06") & (wanted["time"] < "2024-01-03")).sum()
    )
    with pytest.raises(zc.PartitionError, match="moves rows"):
        collection.update(
            lambda dataset: {"time": dataset["time"].to_numpy() + np.timedelta64(9, "D")}, where="flag == 2"
        )
    assert_same(collection.query(), wanted)


def test_deleted_rows_are_gone_as_one_version(collection, frame):
    gone = (frame["flag"] == 3) | (frame["time"].dt.day == 2)
    versions = len(collection.history())
    planned = collection.delete("flag == 3 or day == 2", dry_run=True)
    assert len(collection.history()) == versions
    assert planned.total == gone.sum()
    report = collection.delete("flag == 3 or day == 2")
    assert report == planned
    assert report.dropped == ("year=2024/month=01/day=02",)
    assert len(collection.history()) == versions + 1
    assert_same(collection.query(), frame[~gone])
    assert collection.count() == (~gone).sum()
    assert collection.count("flag == 1") == ((frame["flag"] == 1) & ~gone).sum()
    assert not collection.verify(data=True).problems
    collection.insert(arrays(frame), merge="upsert")
    assert_same(collection.query(), frame)


def test_a_variable_that_another_writer_has_added_may_be_asked_for(collection, frame):
    other = zc.open_collection(collection.store.url, mode="rw")  # held at no snapshot
    kept = zc.VariableSchema("kept", dtype="int64", dimensions=("time",))
    collection.add_variable(kept, lambda dataset: dataset["id"].to_numpy() * 2)
    assert other.count("kept > 100") == (2 * frame["id"] > 100).sum()


def test_nothing_is_deleted_without_a_condition(collection):
    with pytest.raises(zc.ExpressionError, match="drop_partitions"):
        collection.delete(None)
    assert collection.delete("flag == 99").total == 0
    assert collection.update(lambda dataset: 1 / 0, where="flag == 99") == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"where": "flags == 2"}, "'flags'.*'flag'"),
        ({"where": "swath > 0"}, "deep/swath"),
        ({"where": "flag = 2"}, "flag = 2"),
        ({"where": 3}, "where is a int; accepted: "),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused(collection, arguments, message):
    with pytest.raises(ValueError, match=f"(?s){message}") as caught:
        collection.query(**arguments)
    assert isinstance(caught.value, zc.ZCollectionError)


def test_rows_that_are_asked_for_have_no_neighbours(collection):
    for ask in (collection.map, collection.update):
        with pytest.raises(zc.errors.SettingError, match="depth with where"):
            ask(len, where="flag == 2", depth=1)


def test_the_asynchronous_twins(place, frame):
    async def ask():
        partitioning = zc.partitioning.Date(("time",), resolution="D")
        collection = await zc.aio.create_collection(place, schema=schema(), axis="time", partitioning=partitioning)
        await collection.insert_async(arrays(frame))
        found = await collection.find_async("flag == 2")
        assert await collection.count_async("flag == 2") == len(found)
        dataset = await collection.query_async(where=found)
        report = await collection.delete_async("flag == 3")
        return dataset, report.total

    dataset, gone = asyncio.run(ask())
    assert_same(dataset, frame[frame["flag"] == 2])
    assert gone == (frame["flag"] == 3).sum()


@examples(25)
@given(
    steps=st.lists(
        st.sampled_from(["insert", "upsert", "concat", "update", "delete", "replace"]), min_size=1, max_size=5
    ),
    text=st.sampled_from(list(CONDITIONS)),
    resolution=st.sampled_from(["h", "D", "M"]),
    chunks=st.sampled_from([1, 64, 97, 256, 300, 1000]),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_histories_equal_pandas(steps, text, resolution, chunks, seed):
    assume(resolution != "M" or "day" not in text)  # months have no field "day"
    rng = np.random.default_rng(seed)
    collection = created(f"memory://{uuid.uuid4().hex}", resolution=resolution, chunks=chunks)
    known = frame_of(rng, 300)
    collection.insert(arrays(known))
    for step in steps:
        known = _done(collection, known, step, rng, resolution)
    assert_same(collection.query(where=text), known[CONDITIONS[text](known)])
    assert_same(collection.query(where=BOX), known[in_box(known)])
    assert collection.count(text) == CONDITIONS[text](known).sum()
    report = collection.verify(data=True)
    assert not report.problems
    assert not report.notes


def _done(collection, known, step, rng, resolution):
    """Do one thing to a collection, and return what pandas has after it."""
    if step == "update":
        mask = known["flag"] == 1
        collection.update(lambda dataset: {"height": -dataset["height"].to_numpy()}, where="flag == 1")
        return known.assign(height=np.where(mask, packed(-known["height"]), known["height"]))
    if step == "delete":
        collection.delete("id % 5 == 0 and flag < 2")
        return known[~((known["id"] % 5 == 0) & (known["flag"] < 2) & (known["flag"] != -1))]
    new = frame_of(rng, 60, first=int(known["id"].to_numpy().max(initial=0)) + 1)
    collection.insert(arrays(new), merge=None if step in {"insert", "replace"} else step)
    if step == "concat":
        # Rows are in the order in which they came, within each partition.
        both = pd.concat([known, new])
        return both.iloc[np.argsort(_period(both, resolution), kind="stable")]
    if step == "upsert":
        rest = known[~known["time"].isin(new["time"])]
        both = pd.concat([rest, new]).sort_values("time", kind="stable")
        touched = set(_period(new, resolution))
        still = rest[~pd.Series(_period(rest, resolution), index=rest.index).isin(touched)]
        moved = both[pd.Series(_period(both, resolution), index=both.index).isin(touched)]
        whole = pd.concat([still, moved])
        return whole.iloc[np.argsort(_period(whole, resolution), kind="stable")]
    replaced = known[~np.isin(_period(known, resolution), _period(new, resolution))]
    both = pd.concat([replaced, new])
    return both.iloc[np.argsort(_period(both, resolution), kind="stable")]


def _period(frame, resolution):
    return frame["time"].to_numpy().astype(f"datetime64[{resolution}]").astype("int64")
