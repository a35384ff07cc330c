"""What every test of the command line uses: a way to run it, and a collection to look into."""

import sys
from typing import NamedTuple

import numpy as np
import pytest

import zcollection as zc
from zcollection.cli.app import build


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys, monkeypatch):
    """Return a function that runs the command line in this process."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # Typer replaces it

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            build()([str(argument) for argument in arguments], prog_name="zcollection")
        captured = capsys.readouterr()
        return Done(exited.value.code or 0, captured.out, captured.err)

    return run


SCHEMA = (
    zc.Schema()
    .with_dimension("time", chunks=4)
    .with_dimension("x_ac", size=2)
    .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
    .with_variable("ssh", dtype="float32", dimensions=("time", "x_ac"), fill_value=np.nan)
    .with_variable("angle", dtype="float64", dimensions=("x_ac",))
    .with_group("/data_01/ku")
    .with_dimension("range", size=3, chunks=3, shards=6, group="/data_01/ku")
    .with_variable("power", dtype="int16", dimensions=("time", "range"), group="/data_01/ku")
    .build()
)
FIRST = np.datetime64("2023-12-30T06:00", "ns")


def rows(count):
    """Return so many rows, six hours apart, the first at 06:00 on 2023-12-30."""
    return {
        "time": FIRST + np.arange(count) * np.timedelta64(6, "h"),
        "ssh": np.zeros((count, 2), dtype="float32"),
        "angle": np.array([1.0, 2.0]),
        "data_01/ku/power": np.ones((count, 3), dtype="int16"),
    }


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a collection by day, of so many rows, four a day."""

    def create(count=15, name="altimetry"):
        collection = zc.create_collection(
            tmp_path / name,
            schema=SCHEMA,
            axis="time",
            partitioning=zc.partitioning.Date(("time",), resolution="D"),
        )
        if count:
            collection.insert(rows(count))
        return collection

    return create


@pytest.fixture
def collection(make):
    """Return a collection of fifteen rows in four days, across a new year."""
    return make()


@pytest.fixture
def url(collection):
    return str(collection.store.url)
