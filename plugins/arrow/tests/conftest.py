"""A collection with a variable of every kind, and its values."""

from contextlib import contextmanager

import numpy as np
import pytest
from zcollection_store_file.blocking import Files

import zcollection as zc

DAYS, ROWS, CHUNK = 4, 512, 128
SECOND = np.timedelta64(1, "s").astype("timedelta64[ns]")


def schema():
    alone = ("time",)
    return (
        zc.Schema()
        .with_dimension("time", chunks=CHUNK)
        .with_dimension("beam", size=3)
        .with_dimension("bin", size=2)
        .with_variable("time", dtype="int64", dimensions=alone)
        .with_variable("latitude", dtype="float64", dimensions=alone, attrs={"units": "degrees_north"})
        .with_variable("longitude", dtype="float32", dimensions=alone, attrs={"units": "degrees_east"})
        .with_variable("flag", dtype="int8", dimensions=alone, fill_value=-1)
        .with_variable("big", dtype="int64", dimensions=alone)
        .with_variable("unsigned", dtype=">u2", dimensions=alone)
        .with_variable("valid", dtype="bool", dimensions=alone)
        .with_variable("name", dtype="U4", dimensions=alone, fill_value="")
        .with_variable("station", dtype="S3", dimensions=alone)
        .with_variable("half", dtype="float16", dimensions=alone)
        .with_variable(
            "depth", dtype="float32", dimensions=alone, packing=zc.Packing("int16", scale_factor=0.5, fill_value=-999)
        )
        .with_variable(
            "seen", dtype="int32", dimensions=alone, fill_value=-7, attrs={"units": "hours since 2023-12-31"}
        )
        .with_variable("day", dtype="datetime64[D]", dimensions=alone)
        .with_variable("delay", dtype="timedelta64[ms]", dimensions=alone)
        .with_variable(
            "model", dtype="int32", dimensions=alone, attrs={"units": "days since 2000-01-01", "calendar": "360_day"}
        )
        .with_variable("power", dtype="float32", dimensions=("time", "beam"))
        .with_variable("cube", dtype="int16", dimensions=("bin", "time", "beam"), fill_value=0)
        .with_variable("angle", dtype="float64", dimensions=("beam",))
        .with_variable("swh", dtype="float32", dimensions=alone, group="data_01/ku")
        .build()
    )


def values(seed=0):
    """Return the arrays of all days; a third of the nested waves is missing."""
    random = np.random.default_rng(seed)
    count = DAYS * ROWS
    step = np.timedelta64(86_400 // ROWS, "s").astype("timedelta64[ns]")
    time = np.datetime64("2024-01-01", "ns") + step * np.arange(ROWS)
    times = (time + np.arange(DAYS)[:, None] * np.timedelta64(1, "D")).reshape(-1)
    swh = random.normal(size=count).astype("f4")
    swh[random.random(count) < 0.3] = np.nan
    return {
        "time": times,
        "latitude": 80 * np.sin(np.arange(count) / 150),
        "longitude": (np.arange(count) / 10 % 360).astype("f4"),
        "flag": random.integers(-1, 4, count).astype("i1"),
        "big": random.integers(-(2**62), 2**62, count),
        "unsigned": random.integers(0, 2**16, count).astype(">u2"),
        "valid": random.random(count) < 0.5,
        "name": random.choice(["S3A", "S3B", "", "é'\\"], count).astype("U4"),
        "station": random.choice([b"a", b"bcd", b"\xff"], count).astype("S3"),
        "half": random.integers(0, 50, count).astype("f2") / 8,
        "depth": random.integers(0, 50, count).astype("f4") / 2,
        "seen": np.where(random.random(count) < 0.2, -7, random.integers(0, 500, count)).astype("i4"),
        "day": times.astype("datetime64[D]"),
        "delay": np.where(random.random(count) < 0.2, "NaT", random.integers(0, 999, count)).astype("timedelta64[ms]"),
        "model": random.integers(0, 9000, count).astype("i4"),
        "power": random.normal(size=(count, 3)).astype("f4"),
        "cube": random.integers(0, 3, (2, count, 3)).astype("i2"),
        "angle": np.array([0.5, 1.5, 2.5]),
        "data_01/ku/swh": swh,
    }


@pytest.fixture(scope="session")
def arrays():
    return values()


@pytest.fixture(scope="session")
def collection(tmp_path_factory, arrays):
    made = zc.create_collection(
        f"file://{tmp_path_factory.mktemp('arrow')}/track",
        schema=schema(),
        axis="time",
        partitioning=zc.partitioning.Date(("time",), resolution="D"),
    )
    made.insert(arrays)
    return made


@pytest.fixture
def chunks_read(monkeypatch):
    """Return a context manager that records the keys of the chunks that are read."""
    get = Files.get
    keys = []

    def noting(self, reads):
        keys.extend(read.key for read in reads)
        return get(self, reads)

    monkeypatch.setattr(Files, "get", noting)

    @contextmanager
    def noted():
        keys.clear()
        found = []
        yield found
        found += [key for key in keys if "/c/" in key and not key.startswith("_")]

    return noted
