"""What the tests run in other processes: a module that these can import, unlike a test file."""

import os
import pickle

import numpy as np

HOUR = 3600 * 10**9


def total(pickled):
    return float(pickle.loads(pickled).query()["value"].to_numpy().sum())


def add(pickled, day, count):
    collection = pickle.loads(pickled)
    for number in range(count):
        time = np.array([day * 24 * HOUR + number * 1000 + 1])
        collection.insert({"time": time, "value": np.array([1.0])}, merge="upsert")


def insert(pickled, arrays, merge):
    pickle.loads(pickled).insert(arrays, merge=merge)


def doubled(dataset):
    return {"value": dataset["value"].to_numpy() * 2}


def where(dataset):
    return os.getpid()


def count(dataset):
    return len(dataset["time"])


def lazily(arrays, size=5):
    """Return arrays as arrays of dask."""
    import dask.array as da

    return {path: da.from_array(values, chunks=(size, *values.shape[1:])) for path, values in arrays.items()}


def ids(dataset):
    """Return the numbers of rows of a track."""
    return dataset["id"].to_numpy().tolist()


def flagged(dataset):
    """Return rows of a track with other heights, and a flag."""
    return {"height": -dataset["height"].to_numpy(), "flag": np.full_like(dataset["flag"].to_numpy(), 3)}
