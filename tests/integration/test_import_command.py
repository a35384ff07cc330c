"""``zcollection import``, as the command line would carry it."""

import json
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
import typer
import xarray as xr
from typer.testing import CliRunner

import zcollection as zc
from zcollection.cli import failures

GOLDEN = Path(__file__).parents[2] / "plugins" / "import" / "tests" / "golden"


def invoke(*arguments):
    (point,) = entry_points(group="zcollection.commands", name="import")
    app = typer.Typer()
    app.callback()(lambda: None)
    app.command(point.name)(failures.reported(point.load()))
    return CliRunner().invoke(app, ["import", *map(str, arguments)])


@pytest.fixture
def old(tmp_path):
    zipfile.ZipFile(GOLDEN / "first-by-month.zip").extractall(tmp_path / "old")
    return tmp_path / "old"


def test_it_says_what_it_found_and_did(old, tmp_path):
    done = invoke(old, tmp_path / "new")
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        f"a collection of zcollection 1.x (Zarr v2) at file://{old}: 2 units, 72 rows, in 2 partitions, axis time, "
        f"Date(variables=('time',), resolution='M', dimension=None): no problems\n"
    )
    assert zc.open_collection(tmp_path / "new").count() == 72


def test_as_json(old, tmp_path):
    done = invoke(old, tmp_path / "new", "--json")
    assert json.loads(done.stdout) == {
        "kind": "zcollection-1",
        "title": f"a collection of zcollection 1.x (Zarr v2) at file://{old}",
        "axis": "time",
        "partitioning": "Date(variables=('time',), resolution='M', dimension=None)",
        "units": 2,
        "rows": 72,
        "imported": 72,
        "partitions": 2,
        "notes": [],
        "problems": [],
    }
    assert json.loads(invoke(old, tmp_path / "new", "--json", "--no-verify").stdout)["problems"] is None


def test_what_cannot_be_known_is_asked_for_in_one_line(tmp_path):
    dataset = xr.Dataset({"v": ("row", np.arange(3.0)), "t": ("row", np.arange(3).astype("M8[D]").astype("M8[ns]"))})
    dataset.to_zarr(tmp_path / "old", consolidated=False)
    done = invoke(tmp_path / "old", tmp_path / "new")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: a Zarr store at file://")
    done = invoke(tmp_path / "old", tmp_path / "new", "--axis", "t", "--by", "date:Y", "--drop", "v")
    assert done.exit_code == 0, done.output
    assert set(zc.open_collection(tmp_path / "new").schema.all_variables()) == {"t"}


def test_a_difference_sets_the_exit_code(old, tmp_path):
    assert invoke(old, tmp_path / "new").exit_code == 0
    collection = zc.open_collection(tmp_path / "new", mode="rw")
    collection.update(lambda rows: {"ssh": rows.get_variable("ssh").to_numpy() + 1}, filters="month == 1")
    done = invoke(old, tmp_path / "new", "--json")
    assert done.exit_code == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert (problem["partition"], problem["variable"]) == ("year=2024/month=01", "ssh")


@pytest.mark.parametrize(("option", "value"), [("--unknown", "ad"), ("--missing", "x"), ("--by", "hexagon:3")])
def test_an_option_that_has_another_value_is_refused(option, value, old, tmp_path):
    done = invoke(old, tmp_path / "new", option, value)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert value.partition(":")[0] in done.stderr
    assert not (tmp_path / "new").exists()
