"""``zcollection stats`` agrees with NumPy and pandas, whatever the partitions are."""

import json

import numpy as np
import pandas as pd
import pytest

import zcollection as zc

ROWS = 300


@pytest.fixture(scope="module")
def frame():
    """Return rows with values that float64 does not hold, and some that are missing."""
    rng = np.random.default_rng(5)
    number = np.arange(ROWS)
    return pd.DataFrame(
        {
            "time": np.datetime64("2024-01-01", "ns") + np.sort(rng.integers(0, 10**15, ROWS)),
            "height": np.where(number % 7 == 0, np.nan, rng.normal(size=ROWS)).astype("float32"),
            "big": rng.integers(-(2**62), 2**62, ROWS),
            "wide": rng.integers(0, 2**64 - 1, ROWS, dtype="uint64"),
            "flag": np.where(number % 11 == 0, -1, number % 4).astype("int8"),
            "label": [f"{one:03d}" for one in number],
            "ok": number % 3 == 0,
        }
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory, frame):
    path = tmp_path_factory.mktemp("stats") / "rows"
    schema = zc.Schema().with_dimension("time").with_dimension("x", size=2)
    fills = {"height": np.nan, "flag": -1}
    for name in frame:
        dtype = "string" if name == "label" else frame[name].dtype
        schema = schema.with_variable(name, dtype=dtype, dimensions=("time",), fill_value=fills.get(name))
    schema = schema.with_variable("age", dtype="int32", dimensions=("time",), attrs={"units": "hours since 2000-01-01"})
    schema = schema.with_variable("pair", dtype="float64", dimensions=("time", "x"))
    schema = schema.with_variable("depth", dtype="float64", dimensions=("x",))
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    made = zc.create_collection(path, schema=schema, axis="time", partitioning=partitioning)
    pair = np.arange(2.0 * ROWS).reshape(ROWS, 2)
    made.insert({**frame, "age": np.arange(ROWS, dtype="int32"), "pair": pair, "depth": np.array([3.0, 5.0])})
    assert len(made.partitions()) > 5
    return path


def stats(command, place, *options):
    done = command("stats", place, *options, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


@pytest.mark.parametrize("where", [None, "flag == 2", "flag == 99"])
def test_numbers_are_those_of_the_rows(command, place, frame, where):
    found = stats(command, place, *([] if where is None else ["--where", where]))
    rows = frame if where is None else frame[frame["flag"] == int(where[-2:])]
    present = {name: rows[name].dropna() for name in ("height", "big", "wide", "ok")}
    present["flag"] = rows["flag"][rows["flag"] != -1]
    for name, values in present.items():
        item = found[name]
        assert (item["count"], item["missing"]) == (len(values), len(rows) - len(values)), name
        if not len(values):
            assert item["smallest"] is item["mean"] is item["largest"] is None
            continue
        exact = sum(map(float if name == "height" else int, values))
        assert item["mean"] == pytest.approx(exact / len(values), rel=1e-15, abs=1e-6 if name == "height" else 0), name
        kind = np.float32 if name == "height" else int
        assert (kind(item["smallest"]), kind(item["largest"])) == (kind(values.min()), kind(values.max())), name


def test_times_and_texts(command, place, frame):
    found = stats(command, place)
    counts = list(map(int, frame["time"].to_numpy("M8[ns]").view("int64")))
    assert np.datetime64(found["time"]["smallest"], "ns") == frame["time"].min()
    assert np.datetime64(found["time"]["largest"], "ns") == frame["time"].max()
    assert np.datetime64(found["time"]["mean"], "ns").astype("int64") == sum(counts) // ROWS
    assert found["age"]["smallest"] == "2000-01-01T00:00:00"
    assert (found["label"]["smallest"], found["label"]["mean"], found["label"]["largest"]) == ("000", None, "299")


def test_variables_of_more_dimensions_and_those_stored_once(command, place):
    found = stats(command, place)
    assert (found["pair"]["count"], found["pair"]["mean"]) == (2 * ROWS, (2 * ROWS - 1) / 2)
    assert (found["depth"]["count"], found["depth"]["mean"]) == (2, 4.0)


def test_bytes_are_those_of_the_files(command, place):
    found = stats(command, place)
    for name in ("time", "height", "pair", "depth"):
        files = [each for each in place.rglob(f"{name}/**/*") if each.is_file()]
        assert found[name]["stored"] == sum(each.stat().st_size for each in files), name
        width = {"time": 8, "height": 4, "pair": 8, "depth": 8}[name]
        total = (found[name]["count"] + found[name]["missing"]) * width
        assert found[name]["ratio"] == total / found[name]["stored"]
    assert "stored" not in stats(command, place, "--where", "ok")["time"]


def test_chosen_partitions_and_variables(command, place):
    collection = zc.open_collection(place)
    found = stats(command, place, "--filter", "day == 3", "--variables", "height")
    assert list(found) == ["height"]
    rows = collection.query(filters="day == 3")["height"].to_numpy()
    assert found["height"]["count"] + found["height"]["missing"] == rows.size
    assert found["height"]["mean"] == pytest.approx(float(np.nanmean(rows, dtype="float64")))


def test_the_table_has_a_line_for_each_variable(command, place, frame):
    header, *lines = command("stats", place).out.splitlines()
    assert header.split() == ["variable", "count", "missing", "smallest", "mean", "largest", "stored", "ratio"]
    assert [line.split()[0] for line in lines] == [*frame, "age", "pair", "depth"]
