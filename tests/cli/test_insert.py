"""``zcollection insert`` takes many files, passes over those that it knows, and goes on after a broken one."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from passes import NAME, PASSES, ROWS, pass_dataset, write_passes

import zcollection as zc
from zcollection.cli import inserting, sources


@pytest.fixture
def files(tmp_path):
    return write_passes(tmp_path, PASSES)


@pytest.fixture
def passes(command, tmp_path, files):
    """Return the path of an empty collection by cycle and pass."""
    path = tmp_path / "passes"
    made = command("create", path, "--from", files[0], "--axis", "time", "--by", "sequence:cycle,pass", "--name", NAME)
    assert made.code == 0, made.err
    return path


def expected(passes):
    """The rows of passes, as xarray has them."""
    sets = [
        pass_dataset(cycle, number).assign(
            cycle=("time", np.full(ROWS, cycle)), **{"pass": ("time", np.full(ROWS, number))}
        )
        for cycle, number in passes
    ]
    return xr.concat(sets, "time", data_vars="all")


def assert_holds(path, passes):
    found, wanted = zc.open_collection(path).query(), expected(passes)
    assert set(found.all_variables()) == {"time", "ssh", "flag", "cycle", "pass"}
    for name, variable in found.all_variables().items():
        np.testing.assert_array_equal(variable.to_numpy(), wanted[name].values, err_msg=name)


def test_every_file_is_inserted_with_what_its_name_says(command, passes, files):
    done = command("insert", passes, *files, "--merge", "upsert", "--name", NAME)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == f"3 inserted: {3 * ROWS} rows added"
    assert_holds(passes, PASSES)
    assert zc.open_collection(passes).partitions() == ("cycle=1/pass=1", "cycle=1/pass=2", "cycle=2/pass=1")


def test_values_from_options_and_attributes(command, passes, files):
    done = command("insert", passes, files[1], "--set", "pass=2", "--attribute", "cycle_number=cycle")
    assert done.code == 0, done.err
    assert_holds(passes, [PASSES[1]])


def test_a_file_that_was_inserted_is_passed_over_and_not_even_opened(command, passes, files):
    command("insert", passes, *files[:2], "--name", NAME)
    files[0].write_bytes(b"")
    done = command("insert", passes, *files, "--name", NAME, "--json")
    found = json.loads(done.out)
    assert [item["status"] for item in found] == ["skipped", "skipped", "inserted"]
    assert [item["source"] for item in found] == [path.name for path in files]
    assert found[2]["report"]["partitions"][0] | {"path": ""} == {
        "path": "", "created": True, "added": ROWS, "replaced": 0, "dropped": 0, "unchanged": 0,
    }  # fmt: skip
    assert_holds(passes, PASSES)


def test_a_broken_file_stops_no_other(command, passes, files, tmp_path):
    broken = tmp_path / "gdr_c009_p009.nc"
    broken.write_bytes(files[0].read_bytes()[:2000])
    other = tmp_path / "gdr_c008.csv"
    other.write_text("time\nyesterday\n")
    done = command("insert", passes, files[0], broken, other, *files[1:], "--name", NAME)
    assert done.code == 1
    assert done.out.splitlines()[-1].startswith("3 inserted, 2 failed")
    failures = done.err.splitlines()
    assert [line.startswith(f"error: {path}: ") for line, path in zip(failures, (broken, other), strict=True)] == [
        True
    ] * 2
    assert "'yesterday'" in failures[1] or "--name " in failures[1]
    assert_holds(passes, PASSES)
    # What has failed may come again.
    broken.write_bytes(files[0].read_bytes())
    assert command("insert", passes, broken, "--name", NAME).code == 0


def test_a_dry_run_writes_nothing(command, passes, files):
    done = command("insert", passes, *files, "--name", NAME, "--dry-run", "--json")
    assert [item["status"] for item in json.loads(done.out)] == ["planned"] * 3
    assert [item["report"]["partitions"][0]["added"] for item in json.loads(done.out)] == [ROWS] * 3
    assert zc.open_collection(passes).count() == 0
    assert zc.open_collection(passes).sources() == ()


@pytest.mark.parametrize(("naming", "known"), [("path", True), ("none", False)])
def test_what_a_file_is_remembered_by(command, passes, files, naming, known):
    assert command("insert", passes, files[0], "--name", NAME, "--source", naming).code == 0
    assert zc.open_collection(passes).sources() == ((str(files[0]),) if known else ())
    again = command("insert", passes, files[0], "--name", NAME, "--source", naming, "--merge", "upsert", "--json")
    assert json.loads(again.out)[0]["status"] == ("skipped" if known else "inserted")
    assert_holds(passes, PASSES[:1])


def test_two_files_of_one_name_are_not_taken_for_one(command, passes, files, tmp_path):
    (tmp_path / "late").mkdir()
    other = tmp_path / "late" / files[0].name
    other.write_bytes(files[1].read_bytes())
    done = command("insert", passes, files[0], other, "--name", NAME)
    assert (done.code, done.out) == (1, "")
    assert "--source path" in done.err
    assert zc.open_collection(passes).count() == 0


def test_zarr(command, passes, tmp_path):
    path = tmp_path / "gdr_c001_p001.zarr"
    pass_dataset(1, 1).to_zarr(path, consolidated=False)
    assert command("insert", passes, f"{path}/", "--name", NAME).code == 0
    assert_holds(passes, PASSES[:1])
    assert zc.open_collection(passes).sources() == (path.name,)


def test_variables_that_a_file_has_too_many_or_too_few(command, passes, files, tmp_path):
    more, fewer = tmp_path / "gdr_c003_p001.nc", tmp_path / "gdr_c003_p002.nc"
    pass_dataset(3, 1).assign(swh=("time", np.ones(ROWS))).to_netcdf(more, engine="h5netcdf")
    pass_dataset(3, 2).drop_vars("flag").to_netcdf(fewer, engine="h5netcdf")
    done = command("insert", passes, more, fewer, "--name", NAME)
    assert done.code == 1
    assert "'swh' is unknown" in done.err
    assert "'flag' is missing" in done.err
    assert command("insert", passes, more, "--name", NAME, "--unknown", "add").code == 0
    assert command("insert", passes, fewer, "--name", NAME, "--missing", "fill").code == 0
    found = zc.open_collection(passes).query(filters="cycle == 3")
    np.testing.assert_array_equal(found["swh"].to_numpy(), [1.0] * ROWS + [np.nan] * ROWS)
    assert found["flag"].to_numpy()[ROWS:].tolist() == [-1] * ROWS


CSV = """time,station,height,n,note
2024-01-01T00:00:00.000000001Z,1,0.1,9007199254740993,"a, b"
2024-01-01T01:00:00+01:00,2,,-1,
"""


@pytest.fixture
def buoys(tmp_path):
    """Return a collection whose times are numbers, and whose integers are beyond what a float holds."""
    schema = zc.Schema().with_dimension("time")
    for name, dtype, fill in (
        ("time", "int64", None), ("station", "int16", None), ("height", "float32", np.nan), ("n", "int64", -1), ("note", "string", ""),
    ):  # fmt: skip
        attrs = {"units": "nanoseconds since 1970-01-01"} if name == "time" else None
        schema = schema.with_variable(name, dtype=dtype, dimensions=("time",), fill_value=fill, attrs=attrs)
    partitioning = zc.partitioning.Values(("station",))
    return zc.create_collection(tmp_path / "buoys", schema=schema, axis="time", partitioning=partitioning)


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_csv_is_read_as_the_schema_declares(command, buoys, tmp_path, ending):
    path = tmp_path / f"rows.{ending}"
    path.write_bytes(gzip.compress(CSV.encode()) if ending == "csv.gz" else CSV.encode())
    done = command("insert", tmp_path / "buoys", path)
    assert (done.code, done.err) == (0, "")
    found = buoys.query()
    midnight = 1_704_067_200 * 10**9
    assert found["time"].to_numpy().tolist() == [midnight + 1, midnight]
    assert found["n"].to_numpy().tolist() == [9007199254740993, -1]
    np.testing.assert_array_equal(found["height"].to_numpy(), np.array([0.1, np.nan], "float32"))
    assert found["note"].to_numpy().tolist() == ["a, b", ""]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("yesterday,1,0.1,1,x", "'yesterday'"),
        ("2024-02-30,1,0.1,1,x", "2024-02-30"),
        ("2024-01-01T00:00:00.0000000001,1,0.1,1,x", "'2024-01-01T00:00:00.0000000001'"),
        ("01/02/2024,1,0.1,1,x", "'01/02/2024'"),
        ("2024-01-01,1.5,0.1,1,x", "'1.5'"),
        ("2024-01-01,40000,0.1,1,x", "40000"),
        ("2024-01-01,1,1e39,1,x", "'1e39'"),
        ("2024-01-01,1,1_0,1,x", "'1_0'"),
        ("2024-01-01,,0.1,1,x", "station"),
        ("2024-01-01,1,0.1", "3 values"),
        ("2024-01-01,1,0.1,1,x,y", "6 values"),
    ],
)
def test_a_csv_value_that_means_nothing_is_rejected(command, buoys, tmp_path, row, said):
    (tmp_path / "rows.csv").write_text(f"time,station,height,n,note\n2024-01-01,1,0.5,1,x\n{row}\n")
    done = command("insert", tmp_path / "buoys", tmp_path / "rows.csv")
    assert done.code == 1
    assert said in done.err
    assert buoys.count() == 0


def test_parquet(command, buoys, tmp_path):
    frame = pd.DataFrame(
        {
            "time": pd.to_datetime(["2024-01-01", "2024-01-02"]).tz_localize("Europe/Paris"),
            "station": np.array([1, 2], "int16"),
            "height": np.array([0.1, np.nan], "float32"),
            "n": pd.array([9007199254740993, None], "Int64"),
            "note": ["a", "b"],
        }
    )
    frame.to_parquet(tmp_path / "rows.parquet")
    assert command("insert", tmp_path / "buoys", tmp_path / "rows.parquet").code == 0
    found = buoys.query()
    assert found["n"].to_numpy().tolist() == [9007199254740993, -1]
    assert (
        found["time"].to_numpy().tolist()
        == frame["time"].dt.tz_convert("UTC").dt.as_unit("ns").astype("int64").tolist()
    )


def test_options_that_make_no_sense(command, passes, files):
    for options, said in (
        (["--source", "size"], "'size'"),
        (["--merge", "upsrt", "--name", NAME], "did you mean 'upsert'?"),
        (["--set", "cycle=1", "--name", NAME], "twice"),
        (["--set", "orbit=1", "--name", NAME], "'orbit' is unknown"),
        (["--set", "cycle=one", "--set", "pass=1"], "'one'"),
        (["--set", "cycle=", "--set", "pass=1"], "empty"),
        (["--unknown", "keep", "--name", NAME], "'keep'"),
    ):
        done = command("insert", passes, files[0], *options)
        assert done.code == 1, options
        assert said in done.err, options
    assert zc.open_collection(passes).count() == 0


def test_what_was_interrupted_goes_on_where_it_was(command, passes, files, monkeypatch):
    def read_until(path, schema):
        if path == str(files[1]):
            raise KeyboardInterrupt
        return sources.read(path, schema)

    monkeypatch.setattr(inserting, "read", read_until)
    done = command("insert", passes, *files, "--name", NAME)
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")
    assert_holds(passes, PASSES[:1])
    monkeypatch.undo()
    done = command("insert", passes, *files, "--name", NAME, "--json")
    assert [item["status"] for item in json.loads(done.out)] == ["skipped", "inserted", "inserted"]
    assert_holds(passes, PASSES)


@pytest.mark.parametrize("ending", ["nc", "zarr", "csv", "parquet"])
def test_a_library_that_is_missing_is_named(command, passes, tmp_path, monkeypatch, ending):
    monkeypatch.setattr(sources, "find_spec", lambda _: None)
    path = tmp_path / f"rows_c001_p001.{ending}"
    path.write_bytes(b"CDF\x01")
    done = command("insert", passes, path, "--name", NAME)
    assert done.code == 1
    assert "which is not installed: pip install" in done.err
    assert done.err.count("\n") == 1
    written = command("query", passes, "-o", tmp_path / f"out.{ending}")
    assert written.code == 1
    assert "which is not installed: pip install" in written.err


def test_debug_shows_where_a_file_failed(command, passes, files):
    files[0].write_bytes(b"junk")
    done = command("--debug", "insert", passes, files[0], "--name", NAME)
    assert done.code == 1
    assert "Traceback (most recent call last)" in done.err
    assert done.err.splitlines()[-1].startswith(f"error: {files[0]}: ")


def test_the_name_of_a_file_drives_no_terminal(command, passes, tmp_path):
    path = tmp_path / "gdr_c001_p001\x1b[31m.nc"
    path.write_bytes(b"junk")
    done = command("insert", passes, path, "--name", NAME)
    assert done.code == 1
    assert "\x1b" not in done.err + done.out
    assert r"\x1b[31m" in done.err
