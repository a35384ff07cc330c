"""``zcollection create`` declares what a file holds."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import zcollection as zc
from zcollection.codecs import profile


@pytest.fixture
def file(tmp_path):
    """Return a NetCDF file with a packed variable, a nested group, and integers that may be missing."""
    path = tmp_path / "delivery.nc"
    times = np.datetime64("2024-01-01", "ns") + np.arange(4) * np.timedelta64(1, "h")
    swh = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": np.int16(-999)}
    root = xr.Dataset(
        {
            "swh": ("time", np.array([0.5, 1.25, np.nan, 2.0]), {"units": "m"}, swh),
            "number": ("time", np.array([2**60 + 1, -1, 3, 4]), {}, {"_FillValue": np.int64(-1)}),
            "x": ("range", np.arange(3.0)),
        },
        coords={"time": times},
        attrs={"cycle_number": 7},
    )
    nested = xr.Dataset({"power": (("time", "range"), np.ones((4, 3), "int32"))})
    xr.DataTree.from_dict({"/": root, "/ku": nested}).to_netcdf(path, engine="h5netcdf")
    return path


def test_the_schema_is_that_of_the_file(command, tmp_path, file):
    made = command("create", tmp_path / "made", "--from", file, "--axis", "time", "--by", "date:M")
    assert (made.code, made.err) == (0, "")
    collection = zc.open_collection(tmp_path / "made")
    variables = collection.schema.all_variables()
    assert set(variables) == {"time", "swh", "number", "x", "ku/power"}
    assert variables["time"].dtype == np.dtype("datetime64[ns]")
    assert variables["swh"].packing == zc.Packing("int16", scale_factor=0.01, fill_value=-999)
    assert (variables["number"].dtype, variables["number"].fill_value) == (np.dtype("int64"), -1)
    assert collection.partitioning == zc.partitioning.Date(("time",), resolution="M")
    assert (collection.axis, collection.count()) == ("time", 0)


def test_what_is_created_takes_the_file_and_gives_it_back(command, tmp_path, file):
    command("create", tmp_path / "made", "--from", file, "--axis", "time", "--by", "date:D")
    done = command("insert", tmp_path / "made", file)
    assert (done.code, done.err) == (0, "")
    found = zc.open_collection(tmp_path / "made").query()
    with xr.open_datatree(file, engine="h5netcdf", mask_and_scale=False) as raw, xr.open_datatree(file) as means:
        np.testing.assert_array_equal(found.get_variable("number").to_numpy(), raw["number"].values)
        np.testing.assert_allclose(found.get_variable("swh").to_numpy(), means["swh"].values)
        np.testing.assert_array_equal(found.get_variable("time").to_numpy(), means["time"].values)
        np.testing.assert_array_equal(found.get_variable("ku/power").to_numpy(), raw["ku/power"].values)


def test_values_that_the_file_does_not_hold_become_variables(command, tmp_path, file):
    columns = ["--set", "mission=S6A", "--attribute", "cycle_number=cycle", "--name", r"(?P<kind>\w+)\.nc"]
    made = command("create", tmp_path / "made", "--from", file, "--axis", "time", "--by", "values:mission", *columns)
    assert made.code == 0
    variables = zc.open_collection(tmp_path / "made").schema.all_variables()
    assert [variables[name].dtype.kind for name in ("mission", "cycle", "kind")] == ["T", "i", "T"]
    assert variables["cycle"].dimensions == ("time",)
    assert command("insert", tmp_path / "made", file, *columns).code == 0
    found = zc.open_collection(tmp_path / "made").query()
    assert found["mission"].to_numpy().tolist() == ["S6A"] * 4
    assert found["cycle"].to_numpy().tolist() == [7] * 4
    assert found["kind"].to_numpy().tolist() == ["delivery"] * 4


def test_chunks_and_codecs(command, tmp_path, file):
    options = ["--chunks", "time=2048", "--chunks", "range=3", "--codecs", "cloud-cold"]
    assert command("create", tmp_path / "made", "--from", file, "--axis", "time", "--by", "date:M", *options).code == 0
    schema = zc.open_collection(tmp_path / "made").schema
    assert (schema.dimensions["time"].chunks, schema.dimensions["range"].chunks) == (2048, 3)
    names = [[codec["name"] for codec in variable.codecs] for variable in schema.all_variables().values()]
    assert all(each[-2:] == [codec["name"] for codec in profile("cloud-cold")] for each in names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sequence:cycle,pass", "Sequence"),
        ("grouped-sequence:cycle,pass:10", "GroupedSequence"),
        ("values:cycle", "Values"),
        ("date:D", "Date"),
    ],
)
def test_every_way_to_split(command, tmp_path, file, text, expected):
    columns = ["--set", "cycle=1", "--set", "pass=2"]
    made = command("create", tmp_path / "made", "--from", file, "--axis", "time", "--by", text, *columns)
    assert made.code == 0, made.err
    assert type(zc.open_collection(tmp_path / "made").partitioning).__name__ == expected


def test_a_schema_in_json_is_the_same_schema(command, tmp_path, collection, url):
    (tmp_path / "schema.json").write_text(command("schema", url, "--json").out)
    done = command(
        "create", tmp_path / "made", "--schema", tmp_path / "schema.json", "--axis", "time", "--by", "date:D", "--json"
    )
    assert zc.open_collection(tmp_path / "made").schema == collection.schema
    assert json.loads(done.out)["variables"] == len(collection.schema.all_variables())


def test_from_csv_the_types_are_inferred(command, tmp_path):
    (tmp_path / "buoys.csv").write_text(
        "time,station,n,height,ok,note\n2024-01-01T00:00Z,1,12,0.5,true,\n2024-01-01 01:00,2,,1e3,false,x\n"
    )
    assert (
        command("create", tmp_path / "made", "--from", tmp_path / "buoys.csv", "--axis", "time", "--by", "date:M").code
        == 0
    )
    variables = zc.open_collection(tmp_path / "made").schema.all_variables()
    kinds = {name: variable.dtype.kind for name, variable in variables.items()}
    assert kinds == {"time": "M", "station": "i", "n": "i", "height": "f", "ok": "b", "note": "T"}
    assert command("insert", tmp_path / "made", tmp_path / "buoys.csv").code == 0
    frame = zc.open_collection(tmp_path / "made").query().to_pandas().reset_index()
    assert frame["time"].tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01T01:00")]
    assert frame["n"].isna().tolist() == [False, True]
    assert frame["height"].tolist() == [0.5, 1000.0]


def test_from_parquet(command, tmp_path):
    frame = pd.DataFrame(
        {"time": pd.to_datetime(["2024-01-01", "2024-02-01"]), "n": pd.array([2**60 + 1, None], "Int64")}
    )
    frame.to_parquet(tmp_path / "rows.parquet")
    assert (
        command(
            "create", tmp_path / "made", "--from", tmp_path / "rows.parquet", "--axis", "time", "--by", "date:M"
        ).code
        == 0
    )
    assert command("insert", tmp_path / "made", tmp_path / "rows.parquet").code == 0
    found = zc.open_collection(tmp_path / "made").query().to_pandas()
    assert found["n"].iloc[0] == 2**60 + 1
    assert found["n"].isna().tolist() == [False, True]


def test_what_is_there_is_replaced_only_if_that_is_said(command, tmp_path, file, url):
    done = command("create", url, "--from", file, "--axis", "time", "--by", "date:M")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert zc.open_collection(url).count() == 15
    assert command("create", url, "--from", file, "--axis", "time", "--by", "date:M", "--overwrite").code == 0
    assert zc.open_collection(url).count() == 0


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 2, "--from FILE, or --schema FILE"),
        (["--from", "{file}", "--schema", "x.json"], 2, "--from FILE, or --schema FILE"),
        (["--from", "nowhere.nc"], 1, "nowhere.nc"),
        (["--from", "what.xyz"], 1, "accepted: .nc"),
        (["--from", "{file}", "--chunks", "times=3"], 1, "did you mean 'time'?"),
        (["--from", "{file}", "--chunks", "time=many"], 1, "an integer of at least 1"),
        (["--from", "{file}", "--codecs", "cold"], 1, "codec profile 'cold'"),
        (["--from", "{file}", "--set", "swh=1"], 1, "'swh'"),
        (["--from", "{file}", "--set", "cycle"], 1, "NAME=VALUE"),
        (["--from", "{file}", "--name", "(?P<a>"], 1, "not a regular expression"),
        (["--from", "{file}", "--name", "a"], 1, "has no named group"),
        (["--from", "{file}", "--attribute", "cycle=cycle"], 1, "accepted: 'cycle_number'"),
    ],
)
def test_what_cannot_be_created_says_why(command, tmp_path, file, options, code, said):
    given = [option.format(file=file) for option in options]
    done = command("create", tmp_path / "made", *given, "--axis", "time", "--by", "date:M")
    assert (done.code, done.out) == (code, "")
    assert said in done.err.replace("\n", " ")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("by", ["dat:M", "date:X", "grouped-sequence:cycle,pass"])
def test_a_partitioning_that_is_none(command, tmp_path, file, by):
    done = command("create", tmp_path / "made", "--from", file, "--axis", "time", "--by", by)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
