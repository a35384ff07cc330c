"""What was held at each version, the bounds of zones and the bytes of variables, against what is read and what lies there."""

import numpy as np
import pytest
from effort import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.transaction.reports import Total

SCHEMA = (
    zc.Schema()
    .with_dimension("time", chunks=64)
    .with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    .with_variable("height", dtype="float64", dimensions=("time",), fill_value=np.nan, statistics=True)
    .with_variable("flag", dtype="int8", dimensions=("time",))
)
START = np.datetime64("2024-01-01", "s")


def rows(minutes):
    numbers = np.asarray(minutes)
    height = np.where(numbers % 7 == 0, np.nan, np.sin(numbers))
    return {"time": START + numbers * np.timedelta64(1, "m"), "height": height, "flag": np.ones(len(numbers), "i1")}


def create(place):
    return zc.create_collection(place, schema=SCHEMA, axis="time", partitioning="date:D", overwrite=True)


def held(collection):
    records = collection.records().values()
    return Total(len(records), sum(item.rows for item in records), sum(item.stored_bytes for item in records))


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.lists(st.integers(0, 5000), min_size=1, max_size=30, unique=True)),
        st.tuples(st.just("drop"), st.integers(1, 4)),
        st.tuples(st.just("delete"), st.integers(0, 5000)),
        st.tuples(st.just("vacuum"), st.none()),
    ),
    max_size=8,
)


@examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES)
def test_the_history_says_what_was_held_at_each_version(changes):
    collection = create("memory://held")
    seen = {collection.history()[-1].version: held(collection)}
    for what, value in changes:
        if what == "insert":
            collection.insert(rows(sorted(value)), merge="upsert")
        elif what == "drop":
            collection.drop_partitions(filters=f"day == {value}")
        elif what == "delete":
            collection.delete(where=f"time < '{START + np.timedelta64(value, 'm')}'")
        else:
            collection.vacuum(older_than="0s")
        seen[collection.history()[-1].version] = held(collection)
    history = collection.history()
    assert {entry.version: entry.total for entry in history if entry.version in seen} == seen
    for count in (1, 3, 100):
        newest = collection.history(last=count)
        assert [entry.version for entry in newest] == [entry.version for entry in history[-count:]]
        assert {entry.total for entry in newest} == {None}


@pytest.mark.parametrize("last", [0, -1, True, 1.0, "all"])
def test_the_newest_versions_are_a_number_of_them(last):
    with pytest.raises(zc.errors.SettingError, match="last=.*; accepted: a whole number from 1 on"):
        create("memory://held-last").history(last=last)


def test_what_took_the_place_of_a_lost_record_is_all_that_there_was(tmp_path):
    collection = create(tmp_path / "c")
    for day in range(3):
        collection.insert(rows(np.arange(day * 1440, day * 1440 + 90)))
    (tmp_path / "c" / "_transactions" / "log" / f"{3:020d}.json").unlink()
    collection.repair()
    entry = collection.history()[3]
    assert (entry.operation, entry.total) == ("lost", held(collection))
    (tmp_path / "c" / "_transactions" / "log" / f"{2:020d}.json").unlink()
    with pytest.raises(zc.CorruptionError, match="the record of version 2"):
        collection.history(last=2)


def test_older_versions_that_were_folded_are_among_the_newest(tmp_path):
    collection = create(tmp_path / "c")
    for day in range(5):
        collection.insert(rows([day * 1440]))
    collection.vacuum(older_than="0s")
    assert [entry.version for entry in collection.history(last=4)] == [entry.version for entry in collection.history()][
        -4:
    ]


def test_bounds_of_zones_are_those_of_the_rows(tmp_path):
    collection = create(tmp_path / "c")
    collection.insert(rows(np.arange(2000)))
    parts = collection.map(lambda part: (part["time"].to_numpy(), part["height"].to_numpy()))
    found = collection.zones()
    assert [item.path for item in found] == list(collection.partitions())
    assert [dict(item.key) for item in found] == [record.key for record in collection.records().values()]
    for item in found:
        assert set(item.zones) == {"time", "height"}
        for values, zones in zip(parts[item.path], (item.zones["time"], item.zones["height"]), strict=True):
            each = np.array_split(values, range(256, len(values), 256))
            assert zones.lower.tolist() == [np.fmin.reduce(part) for part in each]
            assert zones.upper.tolist() == [np.fmax.reduce(part) for part in each]
    (first,) = collection.zones(variables=["height"], filters="day == 1")
    assert set(first.zones) == {"height"}
    assert repr(first.zones["height"]) == "Zones(<6 zones of float64>)"
    with pytest.raises(zc.SchemaError, match="'heigth'"):
        collection.zones(variables=["heigth"])


def test_a_partition_without_statistics_has_no_zones(tmp_path):
    collection = create(tmp_path / "c")
    collection.insert(rows(np.arange(2000)))
    (tmp_path / "c" / "year=2024" / "month=01" / "day=02" / "time" / "_statistics").unlink()
    first, second = collection.zones()
    assert set(first.zones) == {"time", "height"}
    assert second.zones == {}
    assert repr(second) == "<zcollection.PartitionZones year=2024/month=01/day=02: no statistics>"


def test_stored_bytes_are_those_of_the_files(tmp_path):
    collection = create(tmp_path / "c")
    collection.insert(rows(np.arange(2000)))
    for filters, pattern in ((None, "year=*/*/*"), ("day == 2", "year=*/*/day=02")):
        expected = {
            name: sum(file.stat().st_size for file in (tmp_path / "c").glob(f"{pattern}/{name}/**/*") if file.is_file())
            for name in ("time", "height", "flag")
        }
        assert collection.stored_bytes(filters=filters) == expected


def test_some_partitions_can_be_verified(tmp_path):
    collection = create(tmp_path / "c")
    collection.insert(rows(np.arange(2000)))
    (tmp_path / "c" / "year=2024" / "month=01" / "day=02" / "flag" / "c" / "0").unlink()
    whole, first = collection.verify(), collection.verify(filters="day == 1")
    assert (whole.partitions, first.partitions) == (2, 1)
    assert [problem.partition for problem in whole.problems] == ["year=2024/month=01/day=02"]
    assert first.is_clean
    assert not collection.verify(filters=lambda key: key["day"] == 2, data=True).is_clean
