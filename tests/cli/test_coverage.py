"""``zcollection coverage`` says what `coverage` finds, and exits as a cron job needs it."""

import json

import numpy as np
import pytest
from kept import lost
from zcollection_coverage import coverage

import zcollection as zc


def _collection(place, *, dtype, partitioning="date:D", attrs=None) -> zc.Collection:
    schema = (
        zc.Schema()
        .with_dimension("time")
        .with_variable("time", dtype=dtype, dimensions=("time",), attrs=attrs or {})
        .with_variable("flag", dtype="int8", dimensions=("time",))
    )
    return zc.create_collection(place, schema=schema, axis="time", partitioning=partitioning)


@pytest.fixture
def gappy(tmp_path) -> zc.Collection:
    made = _collection(tmp_path / "gappy", dtype="datetime64[s]")
    hours = np.datetime64("2024-01-01", "s") + np.delete(np.arange(96), [*range(24, 49), 60]) * np.timedelta64(1, "h")
    made.insert({"time": hours, "flag": np.arange(len(hours)) % 2})
    return made


def test_coverage_says_what_the_library_finds(command, gappy, tmp_path):
    found = coverage(gappy)
    said = json.loads(command("coverage", f"{tmp_path}/gappy", "--json").out)
    assert said["total"]["share"] == found.total.share == 70 / 96
    assert [item["length"] for item in said["gaps"]] == [26 * 3600.0, 7200.0]
    assert [item["missing"] for item in said["gaps"]] == [25, 1]
    assert said["gaps"][0]["start"] == "2024-01-01T23:00:00"
    assert said["absent"] == [{"year": 2024, "month": 1, "day": 2}]
    lines = command("coverage", f"{tmp_path}/gappy").out.splitlines()
    assert "2024-01  █·▓█" in lines


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--fail-under", "70", "--max-gap", "2 d"), 0, ""),
        (("--fail-under", "73"), 1, "72.91 % of the expected rows exist, less than 73 %"),
        (("--max-gap", "PT25H"), 1, "the largest gap is 1 d 2 h, more than PT25H"),
        (("--fail-under", "60", "--where", "flag == 1"), 0, ""),
        (("--fail-under", "60", "--where", "flag == 7"), 1, "the number of expected rows is unknown"),
        (("--max-gap", "soon"), 1, "--max-gap is 'soon'; accepted: a duration"),
    ],
)
def test_the_exit_code_says_whether_it_is_enough(command, gappy, tmp_path, options, code, message):
    assert gappy.count()
    done = command("coverage", f"{tmp_path}/gappy", *options)
    assert done.code == code
    assert message in done.err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--max-lateness", "12 h"), 0, ""),
        (("--max-lateness", "PT6H"), 1, "the largest lateness is 8 h, more than PT6H"),
        (("--max-lateness", "6h", "--where", "flag == 1"), 0, ""),
        (("--max-lateness", "6h", "--where", "flag == 7"), 0, ""),
        (("--max-lateness", "soon"), 1, "--max-lateness is 'soon'; accepted: a duration"),
    ],
)
def test_the_exit_code_says_whether_rows_came_in_time(command, tmp_path, monkeypatch, options, code, message):
    noon = np.datetime64("2024-01-01T12:00", "ns")
    monkeypatch.setattr("zcollection.transaction.change.time_ns", lambda: int(noon.view(np.int64)))
    collection = _collection(tmp_path / "late", dtype="datetime64[s]")
    hours = np.datetime64("2024-01-01T04", "s") + np.arange(4) * np.timedelta64(3600, "s")
    collection.insert({"time": hours, "flag": np.array([0, 0, 1, 1])})
    done = command("coverage", f"{tmp_path}/late", *options)
    assert done.code == code
    assert message in done.err
    said = json.loads(command("coverage", f"{tmp_path}/late", "--json").out)
    for record in (said["total"], said["partitions"][0]):
        assert [record[f"lateness_{name}"] for name in ("rows", "median", "90", "largest")] == [4, 21600, 28800, 28800]


def test_lateness_that_is_unknown_or_does_not_exist_is_not_in_time(command, tmp_path):
    collection = _collection(tmp_path / "unknown", dtype="datetime64[s]")
    collection.insert({"time": np.arange(3).astype("datetime64[s]"), "flag": np.zeros(3)})
    lost(collection)
    done = command("coverage", f"{tmp_path}/unknown", "--max-lateness", "6h")
    assert done.code == 1
    assert "the insertion times of rows are unknown" in done.err
    numbers = _collection(tmp_path / "numbers", dtype="int64", partitioning="values:flag")
    numbers.insert({"time": np.arange(3), "flag": np.zeros(3)})
    done = command("coverage", f"{tmp_path}/numbers", "--max-lateness", "6h")
    assert done.code == 1
    assert "the axis 'time' has no times in the standard calendar" in done.err


def test_dates_of_a_calendar_are_dates_in_strings_and_json(command, tmp_path):
    attrs = {"units": "days since 2000-02-28", "calendar": "360_day"}
    collection = _collection(tmp_path / "model", dtype="float64", partitioning="date:M", attrs=attrs)
    collection.insert({"time": np.array([0, 1, 2, 5.5, 6.5]), "flag": np.zeros(5)})
    said = json.loads(command("coverage", f"{tmp_path}/model", "--json").out)
    assert (said["calendar"], said["total"]["first"]) == ("360_day", "2000-02-28T00:00:00")
    assert said["gaps"][0] == {
        "start": "2000-02-30T00:00:00",
        "stop": "2000-03-03T12:00:00",
        "length": 3.5 * 86_400,
        "missing": 3,
    }
    out = command("coverage", f"{tmp_path}/model").out
    assert "2000-02-28T00:00:00 to 2000-03-04T12:00:00" in out
    assert "2000-02-30T00:00:00  2000-03-03T12:00:00  3 d 12 h" in out
