"""A figure without pyplot, and collections with various partitionings."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import zcollection as zc


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture
def series(request):
    """Return a function that creates a collection of times, with a variable for each additional name."""
    made = 0

    def make(times, *, partitioning="date:M", dtype="datetime64[s]", attrs=None, **columns):
        nonlocal made
        made += 1
        schema = zc.Schema().with_dimension("time", chunks=64)
        schema = schema.with_variable("time", dtype=dtype, dimensions=("time",), attrs=attrs or {})
        for name in columns:
            schema = schema.with_variable(name, dtype="int64", dimensions=("time",))
        url = f"memory://{request.node.name}-{made}"
        collection = zc.create_collection(url, schema=schema, axis="time", partitioning=partitioning, overwrite=True)
        collection.insert({"time": np.asarray(times), **columns}, merge=None)
        return collection

    return make


def hours(first, last):
    """Return the hours between two dates."""
    return np.arange(first, last, dtype="datetime64[h]").astype("datetime64[s]")
