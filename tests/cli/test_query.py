"""``zcollection query`` and ``head`` give the rows that `Collection.query` gives, in files and on the terminal."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import zcollection as zc
from zcollection.cli import targets

START = np.datetime64("2024-01-01", "ns")
ROWS = 20
PERIOD = pd.Timedelta(hours=8)
"""Three rows a day."""


@pytest.fixture(scope="module")
def frame():
    """Return the rows of the collection as pandas has them."""
    number = np.arange(ROWS)
    return pd.DataFrame(
        {
            "time": START + number * PERIOD.to_timedelta64(),
            "height": np.where(number % 5 == 4, np.nan, number / 10).astype("float32"),
            "n": pd.array([None if one % 7 == 3 else int(one) + 2**60 for one in number], "Int64"),
            "station": [f"buoy {one % 3}" for one in number],
            "ok": number % 2 == 0,
        }
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory, frame):
    """Return the path of a collection by day, with a variable of two dimensions, and one that is stored once."""
    path = tmp_path_factory.mktemp("query") / "buoys"
    schema = zc.Schema().with_dimension("time", chunks=2).with_dimension("level", size=5)
    schema = schema.with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
    schema = schema.with_variable("height", dtype="float32", dimensions=("time",), fill_value=np.nan)
    schema = schema.with_variable("n", dtype="int64", dimensions=("time",), fill_value=-1)
    schema = schema.with_variable("station", dtype="string", dimensions=("time",), fill_value="")
    schema = schema.with_variable("ok", dtype="bool", dimensions=("time",))
    schema = schema.with_variable("profile", dtype="float64", dimensions=("time", "level"))
    schema = schema.with_variable("depth", dtype="float64", dimensions=("level",))
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    made = zc.create_collection(path, schema=schema, axis="time", partitioning=partitioning)
    profile = np.arange(ROWS * 5.0).reshape(ROWS, 5)
    made.insert({**frame, "profile": profile, "depth": np.arange(5.0)})
    return path


@pytest.fixture
def own(place, tmp_path):
    """Return the path of a copy of it, to be changed."""
    return shutil.copytree(place, tmp_path / "own")


def passing(frame):
    return frame[(frame["height"] > 0.35) & frame["ok"]]


WHERE = ["--where", "height > 0.35 and ok"]


def read_back(path):
    """Return a file as a DataFrame, by the library of its kind."""
    if path.suffix == ".csv":
        return pd.read_csv(path, parse_dates=["time"], dtype={"n": "Int64", "height": "float32"})
    if path.suffix == ".parquet":
        return pd.read_parquet(path).reset_index()
    options = {"engine": "zarr", "consolidated": False} if path.suffix == ".zarr" else {}
    with xr.open_dataset(path, mask_and_scale=False, **options) as dataset:
        found = dataset.drop_dims("level").load().to_dataframe().reset_index()
    found["n"] = found["n"].astype("Int64").mask(found["n"] == -1)
    return found


@pytest.mark.parametrize("ending", ["nc", "zarr", "csv", "parquet"])
def test_a_file_has_the_rows_that_pass(command, place, tmp_path, frame, ending):
    path = tmp_path / f"rows.{ending}"
    done = command("query", place, *WHERE, "-o", path)
    wanted = passing(frame).reset_index(drop=True)
    assert (done.code, done.err) == (0, "")
    left_out = "; without depth, which has no rows" if ending in {"csv", "parquet"} else ""
    assert done.out == f"{len(wanted)} rows written to {path}{left_out}\n"
    found = read_back(path)
    np.testing.assert_array_equal(found["time"].to_numpy("M8[ns]"), wanted["time"].to_numpy("M8[ns]"))
    np.testing.assert_array_equal(found["height"].to_numpy(), wanted["height"].to_numpy())
    assert found["n"].tolist() == wanted["n"].tolist()
    assert found["station"].tolist() == wanted["station"].tolist()
    assert found["ok"].tolist() == wanted["ok"].tolist()
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name]


@pytest.mark.parametrize("ending", ["nc", "zarr", "csv", "parquet"])
def test_a_file_that_was_written_can_be_inserted_again(command, own, tmp_path, ending):
    path, collection = tmp_path / f"rows.{ending}", zc.open_collection(own)
    before = collection.query()
    assert command("query", own, "-o", path).code == 0
    done = command("insert", own, path, "--merge", "upsert", "--missing", "fill")
    assert (done.code, done.err) == (0, ""), done.err
    assert collection.query() == before


@pytest.mark.parametrize("ending", ["nc", "zarr", "csv", "parquet"])
def test_a_file_is_replaced_only_if_that_is_said(command, place, tmp_path, frame, ending):
    path = tmp_path / f"rows.{ending}"
    command("query", place, "-o", path, "--variables", "time,n,height,station,ok,depth")
    done = command("query", place, *WHERE, "-o", path)
    assert (done.code, done.out) == (1, "")
    assert "--overwrite" in done.err
    assert command("query", place, *WHERE, "-o", path, "--overwrite").code == 0
    assert len(read_back(path)) == len(passing(frame))
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name]


def test_a_file_appears_whole_or_not_at_all(command, place, tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    path.write_text("precious")

    def half(_, path):
        Path(path).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(targets._WRITERS, ".csv", half)
    done = command("query", place, "-o", path, "--overwrite")
    assert done.code == 1
    assert "No space left" in done.err
    assert path.read_text() == "precious"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rows.csv"]


@pytest.mark.parametrize(
    ("path", "said"), [("rows.xyz", "accepted: .nc"), ("no/such/rows.csv", "does not exist"), ("rows", "accepted: .nc")]
)
def test_a_file_that_cannot_be_written_is_told_before_anything_is_read(command, place, tmp_path, path, said):
    done = command("query", place, "-o", tmp_path / path)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


def test_no_rows_are_a_file_too(command, place, tmp_path):
    for options in (["--where", "n < 0"], ["--filter", "year == 1999"], ["--filter", "year == 1999", "-n", "3"]):
        path = tmp_path / "none.csv"
        assert command("query", place, *options, "-o", path, "--overwrite").out.startswith("0 rows")
        assert len(pd.read_csv(path)) == 0


def as_json(frame):
    """Return rows as the command says them."""
    return [
        {
            "time": row.time.isoformat(),
            "height": None if np.isnan(row.height) else float(str(np.float32(row.height))),
            "n": None if row.n is pd.NA else row.n,
            "station": row.station,
            "ok": row.ok,
        }
        for row in frame.itertuples()
    ]


COLUMNS = ["--variables", "time,height", "--variables", "n,station,ok"]


def test_json_has_rows_and_how_many_there_are(command, place, frame):
    done = json.loads(command("query", place, *WHERE, *COLUMNS, "--json", "-n", "3").out)
    assert done == {"rows": len(passing(frame)), "data": as_json(passing(frame))[:3]}
    everything = json.loads(command("query", place, *COLUMNS, "--json").out)
    assert everything == {"rows": ROWS, "data": as_json(frame)}


def test_a_table_has_a_line_for_each_row_up_to_a_limit(command, place, frame):
    header, *lines, last = command("query", place, "-n", "4").out.splitlines()
    assert header.split() == ["time", "height", "n", "station", "ok", "profile"]
    assert [line.split()[0] for line in lines] == [time.isoformat() for time in frame["time"][:4]]
    assert lines[0].endswith("[0.0, 1.0, 2.0, … (5)]")
    assert last == f"4 of {ROWS} rows"
    assert command("query", place, *WHERE).out.splitlines()[-1] == f"{len(passing(frame))} rows"


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 100])
@pytest.mark.parametrize("where", [[], WHERE], ids=["all", "where"])
def test_head_is_what_comes_first(command, place, frame, limit, where):
    done = json.loads(command("head", place, "-n", limit, *where, *COLUMNS, "--json").out)
    assert done["data"] == as_json(passing(frame) if where else frame)[:limit]


def test_head_reads_no_partition_that_it_does_not_need(command, own):
    *_, last = zc.open_collection(own).partitions()
    for chunk in (own / last).rglob("c/*"):
        if chunk.is_file():
            chunk.write_bytes(b"damaged")
    assert command("query", own, "-n", "100").code == 1
    assert command("head", own, "-n", "5").code == 0
    assert command("head", own, "-n", "5", "--where", "n >= 0").code == 0


def test_head_of_nothing(command, place):
    assert json.loads(command("head", place, "--filter", "year == 1999", "--json").out) == {"data": []}
    assert json.loads(command("head", place, "--where", "n < 0", "--json").out) == {"data": []}


@pytest.mark.parametrize("verb", ["query", "head", "find", "count", "stats"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--where", "hight > 1"], "did you mean 'height'?"),
        (["--where", "height >"], "not an expression"),
        (["--where", "height > 1", "--filter", "yaer == 2024"], "'yaer'"),
    ],
)
def test_what_cannot_be_asked_is_one_line(command, place, verb, options, said):
    done = command(verb, place, *options)
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_condition_is_looked_at_even_where_no_partition_is(command, place):
    assert command("head", place, "--where", "hight > 1", "--filter", "year == 1999").code == 1


@pytest.mark.parametrize("limit", ["0", "-3"])
def test_a_limit_is_at_least_one(command, place, limit):
    for verb in ("query", "head"):
        assert command(verb, place, "--limit", limit).code == 1


def test_strange_strings_drive_no_terminal(command, tmp_path):
    schema = zc.Schema().with_dimension("t").with_variable("t", dtype="int64", dimensions=("t",))
    schema = schema.with_variable("s", dtype="string", dimensions=("t",)).with_variable(
        "x", dtype="float64", dimensions=("t",)
    )
    made = zc.create_collection(tmp_path / "c", schema=schema, axis="t", partitioning=zc.partitioning.Sequence(("t",)))
    made.insert({"t": [1, 2], "s": np.array(["\x1b[31mred\u202e", "plain"], "T"), "x": [np.inf, 1e-9]})
    out = command("query", tmp_path / "c").out
    assert r"\x1b[31mred\u202e" in out
    assert "\x1b" not in out
    found = json.loads(command("query", tmp_path / "c", "--json").out)
    assert [row["s"] for row in found["data"]] == ["\x1b[31mred\u202e", "plain"]
    assert [row["x"] for row in found["data"]] == ["inf", 1e-9]
