"""Rows of a satellite's track, with variables of which statistics are kept and others, and conditions on them."""

import numpy as np

import zcollection as zc
from zcollection import rows as asked

START = np.datetime64("2024-01-01", "ns")
DAY = 86_400


def schema(chunks=97, *, checksum=True, declared=True):
    """Return a schema; `declared` is whether statistics are kept of more than the axis and the coordinates."""
    codecs = [*zc.codecs.profile("balanced", checksum=checksum)]

    def along(name, dtype, **more):
        return {"name": name, "dtype": dtype, "dimensions": ("time",), "codecs": codecs, **more}

    variables = [
        along("time", "datetime64[ns]"),
        along("id", "int64", statistics=declared),
        along("latitude", "float64", attrs={"units": "degrees_north"}, fill_value=np.nan),
        along("longitude", "float32", attrs={"units": "degrees_east"}),
        along("flag", "int8", fill_value=-1, statistics=declared),
        along("lag", "timedelta64[ms]", fill_value="NaT", statistics=declared),
        along("land", "bool", statistics=declared),
        along(
            "height",
            "float64",
            packing=zc.Packing("int16", scale_factor=-0.001, fill_value=-32768),
            statistics=declared,
        ),
        along("name", "string", fill_value=""),
        along("swath", "float32", group="/deep") | {"dimensions": ("x", "time")},
    ]
    made = zc.Schema().with_dimension("time", chunks=chunks).with_dimension("x", size=2)
    for variable in variables:
        made = made.with_variable(variable.pop("name"), **variable)
    return made.build()


def rows(rng, count, *, days=4, first=0):
    """Return rows in the order of time, some of whose values are missing."""
    at = np.sort(rng.choice(days * DAY // 60, count, replace=False)) * 60
    latitude = 60 * np.sin(at / 5000) + rng.normal(size=count)
    latitude[rng.random(count) < 0.05] = np.nan
    height = np.rint(rng.normal(size=count) / 0.001) * -0.001 * -1
    height[rng.random(count) < 0.1] = np.nan
    lag = rng.integers(-5, 5, count).astype("timedelta64[ms]")
    lag[rng.random(count) < 0.1] = "NaT"
    ids = np.arange(first, first + count)
    return {
        "time": START + at.astype("timedelta64[s]"),
        "id": ids,
        "latitude": latitude,
        "longitude": ((at * 0.01) % 360 - 180).astype("float32"),
        "flag": rng.integers(-1, 4, count).astype("int8"),
        "lag": lag,
        "land": (ids // 200) % 2 == 0,
        "height": height,
        "name": rng.choice(["a", "b", "c"], count).astype(np.dtypes.StringDType()),
        "deep/swath": np.stack([ids, ids + 0.5]).astype("float32"),
    }


def create(url, *, resolution="D", storage_options=None, **options):
    return zc.create_collection(
        url,
        schema=schema(**options),
        axis="time",
        partitioning=zc.partitioning.Date(("time",), resolution=resolution),
        storage_options=storage_options,
    )


CONDITIONS = (
    "time >= '2024-01-02T06' and time < '2024-01-03'",
    "id < 100",
    "flag == 2",
    "latitude > 50 or isnan(latitude)",
    "lag < '-2 milliseconds'",
    "land",
    "height > 1.5",
    "day == 2 and not land",
    asked.box(west=170, south=-30, east=-160, north=45),
)


def answers(collection):
    """Return the numbers of the rows that pass each condition."""
    return [collection.query(where=where, variables=["id"])["id"].to_numpy().tolist() for where in CONDITIONS]
