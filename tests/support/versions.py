"""Collections of which older versions are looked at, on each kind of store."""

import uuid

import anyio
import bucket
import numpy as np

import zcollection as zc
from zcollection.plugin import StoreURL

DAY = 86_400
SCHEMA = (
    zc.Schema()
    .with_dimension("time", chunks=4)
    .with_variable("time", dtype="int64", dimensions=("time",), attrs={"units": "seconds since 1970-01-01"})
    .with_variable("value", dtype="float64", dimensions=("time",), fill_value=-1.0)
    .with_variable("constant", dtype="int32", dimensions=(), fill_value=0)
    .build()
)
DAILY = zc.partitioning.Date(("time",), resolution="D")


def place(kind, folder):
    """Return where a collection may lie, of one kind of store."""
    if kind == "bucket":
        return anyio.run(lambda: bucket.BucketStore.open(StoreURL.parse(f"bucket://{uuid.uuid4().hex}"), mode="rw"))
    prefixes = {"file": f"{folder}/", "memory": "memory://", "icechunk": f"icechunk://{folder}/"}
    return prefixes[kind] + uuid.uuid4().hex


def create(url, **options):
    return zc.create_collection(url, schema=SCHEMA, axis="time", partitioning=DAILY, **options)


def rows(hours, value, constant=7):
    times = np.array(sorted(hours), "int64") * 3600
    return {"time": times, "value": np.full(len(times), float(value)), "constant": np.int32(constant)}
