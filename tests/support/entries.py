"""A collection whose every change can be told whole from torn: each entry is one row in each of two days."""

import pickle

import numpy as np

import zcollection as zc

DAY = 86_400 * 10**9
PAIRS = 3
"""Entry n is a row of day n % PAIRS and a row of that day + PAIRS."""


def create(url, **options):
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=64)
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("entry", dtype="int64", dimensions=("time",))
        .with_variable("value", dtype="float64", dimensions=("time",), fill_value=np.nan)
    )
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    return zc.create_collection(url, schema=schema, axis="time", partitioning=partitioning, **options)


def rows(entries):
    entries = np.asarray(entries, dtype="int64")
    time = np.concatenate([entries % PAIRS * DAY, (entries % PAIRS + PAIRS) * DAY]) + np.tile(entries, 2) * 1000
    return {"time": time, "entry": np.tile(entries, 2), "value": np.tile(entries, 2) * 0.5}


def read(collection):
    """Return the entries that a reader finds, sorted; every one must be whole, and there once."""
    dataset = collection.query()
    if dataset is None:
        return []
    time, entry, value = (dataset[name].to_numpy() for name in ("time", "entry", "value"))
    np.testing.assert_array_equal(value, entry * 0.5)
    np.testing.assert_array_equal(time % DAY, entry * 1000)
    first, second = np.sort(entry[time // DAY < PAIRS]), np.sort(entry[time // DAY >= PAIRS])
    np.testing.assert_array_equal(first, second, err_msg="entries of two versions")
    assert np.unique(first).size == first.size, "an entry is there twice"
    return first.tolist()


def enter(pickled, entries):
    """Insert entries, one change each, in another process."""
    collection = pickle.loads(pickled)
    for entry in entries:
        collection.insert(rows([entry]), merge="upsert")


def enter_until_killed(pickled, first, log):
    """Insert entries and compute them anew, until the process is killed; write down what was acknowledged."""
    collection = pickle.loads(pickled)
    with log.open("a", buffering=1) as said:
        for entry in range(first, first + 10**6):
            collection.insert(rows([entry]), merge="upsert")
            said.write(f"{entry}\n")
            collection.update(lambda dataset: {"value": dataset["entry"].to_numpy() * 0.5}, filters="day == 1")


def enter_day(pickled, day):
    """Insert one row of a day."""
    pickle.loads(pickled).insert({"time": [day * DAY], "entry": [day], "value": [day * 0.5]})


def try_to_create(url, options):
    """Create the collection, and return what came of it."""
    try:
        create(url, storage_options=options)
    except zc.CollectionExistsError:
        return "exists"
    return "created"
