"""Datasets that the kernel's tests share: rows that can be told apart wherever they end up."""

import json

import fakes
import numpy as np

import zcollection as zc
from zcollection.model import documents

SCHEMA = (
    zc.Schema()
    .with_dimension("row", chunks=7)
    .with_dimension("x", size=2)
    .with_variable("time", dtype="int64", dimensions=("row",))
    .with_variable("value", dtype="float64", dimensions=("row",), fill_value=np.nan)
    .with_variable("swath", dtype="float32", dimensions=("row", "x"), fill_value=-1)
    .with_variable("angle", dtype="float64", dimensions=("x",), fill_value=0)
    .with_group("/deep/er", attrs={"band": "Ku"})
    .with_variable("flag", dtype="int8", dimensions=("row",), group="/deep/er")
    .with_attribute("title", "sample")
    .build()
)


def rows(times):
    """Return one row for each time; every value tells its row."""
    times = np.asarray(times, dtype="int64")
    return {
        "time": times,
        "value": times + 0.25,
        "swath": np.stack([times, times + 0.5], axis=1).astype("float32"),
        "deep/er/flag": (times % 100).astype("int8"),
    }


def forged(data, old, new):
    """Return a document with another text in it, and the checksum that belongs to it."""
    body = json.loads(data.replace(old, new))
    body.pop("checksum")
    return documents.with_checksum(json.dumps(body, indent=1).encode())


def group_of_nobody(data):
    """Return a group's document without what the partition says of itself."""
    return json.dumps(json.loads(data) | {"attributes": {}}).encode()


def quotient(divisor=10):
    return fakes.Quotient(("time",), divisor=divisor)


def create(url, times=(), *, divisor=10, schema=SCHEMA, **options):
    """Return a collection partitioned by the quotient of the time."""
    collection = zc.create_collection(url, schema=schema, axis="time", partitioning=quotient(divisor), **options)
    if len(times):
        collection.insert(rows(times))
    return collection


def assert_rows(dataset, times):
    """Assert that a dataset has these rows, in this order, whole."""
    for path, values in rows(times).items():
        np.testing.assert_array_equal(dataset.get_variable(path).to_numpy(), values, err_msg=path)
