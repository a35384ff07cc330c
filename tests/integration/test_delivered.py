"""When rows were brought: what is kept of it, what forgets it, and by which clock."""

import base64
import datetime as dt
import json
import uuid
import zlib

import kept
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zcollection as zc
from zcollection.engine.deliveries import MOST, Deliveries

_TIMES = st.one_of(st.none(), st.integers(0, 3))


def _array(times):
    return np.array(
        [np.datetime64("NaT", "ms") if time is None else np.datetime64(time, "ms") for time in times], "M8[ms]"
    )


@given(times=st.lists(_TIMES, max_size=30), data=st.data())
def test_runs_of_rows_are_the_rows(times, data):
    expected = _array(times)
    found = Deliveries.of(expected)
    np.testing.assert_array_equal(found.each, expected)
    assert len(found.rows) == len(Deliveries.of(found.each).rows) <= max(len(times), 0)
    again = Deliveries.from_json(found.to_json(), rows=len(times))
    np.testing.assert_array_equal(again.each, expected)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(times), max_size=len(times))), bool)
    np.testing.assert_array_equal(found.chosen(mask).each, expected[mask])
    np.testing.assert_array_equal(found.chosen(np.flatnonzero(mask)).each, expected[mask])
    source = np.array(data.draw(st.lists(st.integers(-3, len(times) - 1), max_size=30)), np.int64)
    merged = [np.datetime64(9, "ms") if row < 0 else expected[row] for row in source]
    np.testing.assert_array_equal(found.merged(source, 9).each, np.array(merged, "M8[ms]"))


@given(times=st.lists(_TIMES, max_size=30), data=st.data())
def test_rows_that_stay_where_they_were_keep_their_times(times, data):
    expected, at = _array(times), data.draw(st.integers(0, len(times)))
    left = data.draw(st.integers(0, len(times) - at))
    source = np.concatenate([np.arange(at), ~np.arange(data.draw(st.integers(0, 3))), np.arange(at + left, len(times))])
    time = data.draw(st.integers(0, 3))
    found = Deliveries.of(expected).merged(source, time)
    each = np.array([np.datetime64(time, "ms") if row < 0 else expected[row] for row in source], "M8[ms]")
    np.testing.assert_array_equal(found.times, Deliveries.of(each).times)
    np.testing.assert_array_equal(found.rows, Deliveries.of(each).rows)


@given(times=st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=60), most=st.integers(1, 12))
def test_with_too_many_runs_the_oldest_times_are_forgotten_and_no_more_than_that(times, most):
    def without(count):
        forgotten = sorted({time for time in times if time is not None})[:count]
        return Deliveries.of(_array([None if time in forgotten else time for time in times]))

    kept_runs = next(found for count in range(11) if len((found := without(count)).rows) <= most)
    found = Deliveries.of(_array(times)).bounded(most)
    np.testing.assert_array_equal(found.each, kept_runs.each)
    np.testing.assert_array_equal(found.rows, kept_runs.rows)


@pytest.mark.parametrize(
    "found",
    [
        None,
        {},
        {"times": [1], "rows": [3, 1]},
        {"times": [1, 2], "rows": [3, 2]},
        {"times": [1, 2], "rows": [5, -1]},
        {"times": ["x", 2], "rows": [3, 1]},
        {"times": [[1], [2]], "rows": [[3], [1]]},
        {"times": [2**70, 2], "rows": [3, 1]},
        {"times": 3, "rows": 4},
        {"packed": 3},
        {"packed": "no base64"},
        {"packed": "AAAA"},
        {"packed": base64.b64encode(zlib.compress(bytes(15))).decode()},
        {"packed": base64.b64encode(zlib.compress(bytes(16 * MOST + 16))).decode()},
        {"packed": base64.b64encode(zlib.compress(bytes(3200))[:-5]).decode()},
    ],
)
def test_what_is_no_description_says_nothing(found):
    nothing = Deliveries.from_json(found, rows=4)
    assert np.isnat(nothing.each).all()
    assert len(nothing.each) == 4
    assert nothing.to_json() is None


def _create(place, **variables):
    schema = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    for name, dtype in variables.items():
        schema = schema.with_variable(name, dtype=dtype, dimensions=("time",))
    return zc.create_collection(place, schema=schema, axis="time", partitioning="date:D")


def _minutes(first, last):
    return np.datetime64("2026-01-01", "s") + np.arange(first, last) * np.timedelta64(60, "s")


def _each(collection):
    return np.concatenate([item.deliveries.each for item in collection.sampling()])


def test_the_time_is_that_at_which_the_change_began_by_the_clock_of_who_wrote_it(tmp_path):
    collection = _create(tmp_path / "c")
    before = np.datetime64(dt.datetime.now(dt.UTC).replace(tzinfo=None), "ms")
    collection.insert({"time": _minutes(0, 3000)})
    (came,) = np.unique(_each(collection))  # of three partitions
    committed = np.datetime64(collection.history()[-1].time.removesuffix("+00:00"))
    assert before <= came <= committed


def test_a_change_that_another_writer_made_try_again_has_the_time_of_the_try_that_was_committed(tmp_path, monkeypatch):
    collection, other = _create(tmp_path / "c"), zc.open_collection(tmp_path / "c", mode="rw")
    clock = iter(range(1, 100))
    monkeypatch.setattr("zcollection.transaction.change.time_ns", lambda: next(clock) * 10**9)

    began = []

    class Overtaken(zc.merge.Concat):
        def rows(self, existing, inserted):
            if not began:
                began.append(True)
                other.insert({"time": _minutes(100, 101)}, merge="concat")
            return super().rows(existing, inserted)

    collection.insert({"time": _minutes(0, 2)}, merge="concat")
    collection.insert({"time": _minutes(2, 4)}, merge=Overtaken())
    assert (_each(collection) - np.datetime64(0, "ms")).astype(int).tolist() == [1000, 1000, 3000, 4000, 4000]


def test_a_daily_partition_that_grows_each_minute_knows_of_every_one():
    assert MOST > 1440
    deliveries = Deliveries.of(np.datetime64("2026-01-01", "ms") + np.arange(1440) * np.timedelta64(60_000, "ms"))
    assert len(Deliveries.from_json(deliveries.to_json(), rows=1440).rows) == 1440


@given(
    steps=st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), min_size=17, max_size=100, unique=True),
    rows=st.lists(st.integers(1, 2**40), min_size=100, max_size=100),
)
def test_many_runs_are_compressed_and_the_same(steps, rows):
    given_runs = Deliveries(times=_array(steps), rows=np.array(rows[: len(steps)], np.int64))
    said = given_runs.to_json()
    assert list(said) == ["packed"]
    again = Deliveries.from_json(json.loads(json.dumps(said)), rows=sum(rows[: len(steps)]))
    np.testing.assert_array_equal(again.times, given_runs.times)
    np.testing.assert_array_equal(again.rows, given_runs.rows)


def test_a_buoy_writes_few_bytes_of_when_its_rows_came():
    late = np.random.default_rng(1).integers(0, 100, MOST)  # milliseconds
    times = np.datetime64("2026-01-01", "ms") + np.arange(MOST) * np.timedelta64(600_000, "ms") + late
    said = json.dumps(Deliveries(times=times, rows=np.ones(MOST, np.int64)).to_json())
    assert len(said) < 5_000, "a sixth of what the numbers would be in JSON"


def test_statistics_that_do_not_say_it_leave_it_unknown_until_rows_come(tmp_path, monkeypatch):
    collection = _create(tmp_path / "c", value="float64")
    with monkeypatch.context() as patch:
        patch.setattr(Deliveries, "to_json", lambda _: None)  # as an older release writes them
        collection.insert({"time": _minutes(0, 10), "value": np.zeros(10)})
    assert b"deliveries" not in next(iter(kept.statistics(collection).values()))
    assert np.isnat(_each(collection)).all()
    collection.add_statistics(["value"])
    assert np.isnat(_each(collection)).all()
    collection.insert({"time": _minutes(8, 12), "value": np.ones(4)}, merge="upsert")
    assert np.isnat(_each(collection)).tolist() == [True] * 8 + [False] * 4
    collection.update(lambda dataset: {"value": dataset["value"].to_numpy() + 1})
    assert np.isnat(_each(collection)).tolist() == [True] * 8 + [False] * 4
    assert not collection.verify(data=True).problems


def test_statistics_that_are_completed_keep_when_rows_came(tmp_path):
    collection = _create(tmp_path / "c", value="float64")
    collection.insert({"time": _minutes(0, 10), "value": np.zeros(10)})
    came = _each(collection)
    collection.add_statistics(["value"])
    np.testing.assert_array_equal(_each(collection), came)
    assert not np.isnat(came).any()


@settings(deadline=None, max_examples=25)
@given(
    deliveries=st.lists(
        st.lists(st.integers(0, 4 * 1440 - 1), min_size=1, max_size=30, unique=True), min_size=1, max_size=6
    ),
    forms=st.permutations(["date:M", "date:h", "date:Y", "grouped_sequence"]),
)
def test_rows_keep_the_time_of_their_delivery_however_they_are_partitioned(deliveries, forms):
    collection = _create(f"memory://{uuid.uuid4().hex}", value="int64")
    came = {}
    with pytest.MonkeyPatch.context() as patched:
        for number, minutes in enumerate(deliveries, 1):
            patched.setattr("zcollection.transaction.change.time_ns", lambda number=number: number * 10**9)
            times = np.sort(np.datetime64("2026-01-30", "s") + np.array(minutes) * np.timedelta64(60, "s"))
            collection.insert({"time": times, "value": np.full(len(times), number)}, merge="upsert")
            came |= dict.fromkeys(times.tolist(), np.datetime64(number * 1000, "ms"))
        # Rows of one partition that become rows of several, not one after the other, and several that become one.
        scattered = zc.partitioning.Sequence(("value",), dimension="time")
        for form in [scattered if form == "grouped_sequence" else form for form in forms]:
            collection.repartition(form)
            found = collection.query()
            order = np.argsort(found["time"].to_numpy(), kind="stable")
            expected = [came[time] for time in found["time"].to_numpy()[order].tolist()]
            np.testing.assert_array_equal(_each(collection)[order], expected)
            assert collection.verify(data=True).is_clean


def test_a_partition_of_known_and_unknown_rows_knows_those_that_it_knew(tmp_path):
    collection = _create(tmp_path / "c")
    collection.insert({"time": _minutes(0, 1440)})
    collection.insert({"time": _minutes(0, 100)}, merge=lambda existing, inserted, **_: inserted)
    unknown = np.isnat(_each(collection)).sum()
    collection.insert({"time": _minutes(1440, 2000)})
    collection.repartition("date:M")
    assert np.isnat(_each(collection)).sum() == unknown == 100
    assert len(_each(collection)) == 660
