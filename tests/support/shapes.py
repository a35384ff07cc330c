"""Collections of all kinds of variables, partitioned in any way, and what must be the same however they are."""

import numpy as np
from attrs import evolve

import zcollection as zc
from zcollection.collection import partition_groups
from zcollection.engine.read import GroupRead
from zcollection.engine.statistics import Form, Statistics
from zcollection.plugin import Read
from zcollection.transaction.documents import PartitionRecord

HOUR = 3600
EARLIEST = 946_684_800
"""2000-01-01, in seconds."""

SEVEN_DAYS = [np.concatenate([day * 24 * HOUR + np.arange(0, 24, 3) * HOUR for day in (29, 30, 31, 32, 59, 60, 61)])]
"""Times of one delivery: eight in each of seven days of three months."""

SCHEMA = (
    zc.Schema()
    .with_dimension("row", chunks=16)
    .with_dimension("x", size=3, chunks=2)
    .with_variable("time", dtype="datetime64[s]", dimensions=("row",))
    .with_variable("number", dtype="int64", dimensions=("row",), fill_value=-1)
    .with_variable("cycle", dtype="int32", dimensions=("row",))
    .with_variable("platform", dtype="U3", dimensions=("row",), fill_value="")
    .with_variable(
        "packed", dtype="float32", dimensions=("row",), packing=zc.Packing("int32", scale_factor=1e-3, fill_value=-1)
    )
    .with_variable("swath", dtype="float32", dimensions=("x", "row"), fill_value=np.nan)
    .with_variable("angle", dtype="float64", dimensions=("x",), fill_value=0)
    .with_variable("latitude", dtype="float64", dimensions=("row",), attrs={"units": "degrees_north"})
    .with_group("/deep", attrs={"band": "Ku"})
    .with_variable("flag", dtype="int8", dimensions=("row",), fill_value=7, group="/deep")
    .build()
)


def rows(seconds, *, first=0):
    """Return rows at some times, each of which is told by its number."""
    seconds = np.asarray(seconds, dtype="int64")
    number = np.arange(first, first + len(seconds))
    return {
        "time": (EARLIEST + seconds).astype("datetime64[s]"),
        "number": number,
        "cycle": (seconds // (5 * 24 * HOUR)).astype("int32"),
        "platform": np.array([("ab", "c d", "e")[each % 3] for each in number]),
        "packed": np.where(number % 5 == 0, np.nan, 1e6 + number / 7).astype("float32"),
        "swath": np.stack([number + each / 4 for each in range(3)]).astype("float32"),
        "angle": np.arange(3.0),
        "latitude": np.sin(number),
        "deep/flag": (number % 100).astype("int8"),
    }


def create(url, partitioning, times=(), *, schema=SCHEMA, **options):
    """Return a collection, its rows inserted in the order given, in some deliveries."""
    made = zc.create_collection(url, schema=schema, axis="time", partitioning=partitioning, **options)
    first = 0
    for part in times:
        made.insert(rows(part, first=first), merge="concat")
        first += len(part)
    return made


def deliver(times):
    """Return the rows of several deliveries as one, by their numbers: what was inserted, which no packing has rounded."""
    return rows(np.concatenate([np.asarray(part, dtype="int64") for part in times]))


def picked(delivered, order):
    """Return rows in another order."""
    return {
        path: item if path == "angle" else item[(slice(None),) * (path == "swath") + (order,)]
        for path, item in delivered.items()
    }


def values(dataset, order=slice(None)):
    """Return all values of a dataset, of rows in another order."""
    found = {}
    for path, variable in dataset.all_variables().items():
        at = [slice(None)] * variable.ndim
        if "row" in variable.dimensions:
            at[variable.dimensions.index("row")] = order
        found[path] = variable.to_numpy()[tuple(at)]
    return found


def in_order(dataset):
    """Return all values of a dataset with its rows in the order of the time, else as they are."""
    return values(dataset, np.argsort(dataset["time"].to_numpy(), kind="stable"))


def by_number(dataset):
    """Return all values of a dataset with its rows in the order of their numbers, whatever order they are in."""
    return values(dataset, np.argsort(dataset["number"].to_numpy()))


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for path in expected:
        np.testing.assert_array_equal(found[path], expected[path], err_msg=path)


def stored(collection):
    """Return all that lies in the partitions of a collection of files or in memory, but what tells one generation from another."""
    store, found = collection.store, {}
    opened = collection._opened
    for path, record in collection.records().items():
        for key, data in objects(store, f"{path}/").items():
            inner = key.removeprefix(f"{path}/")
            found[key] = data
            if inner == "zarr.json":
                said = PartitionRecord.from_group(data, what=key)
                found[key] = (
                    said.key,
                    said.rows,
                    said.absent,
                    said.axis_range,
                    said.stored_bytes,
                    said.origin,
                )
            elif inner.endswith("/_statistics"):
                found[key] = statistics(partition_groups.group_of(opened, path, record), data, opened.dimension)
    return found


def statistics(group: GroupRead, data: bytes, dimension: str):
    known = Statistics.load(data, group, dimension=dimension)
    assert known is not None
    form = Form.of_group(group, dimension=dimension)
    assert known.is_complete(set(form.zoned) - group.absent, form, group.absent)
    known = evolve(known, deliveries=None)  # when rows were brought is another time
    return known.dump(form).replace(known.owner.encode(), b"")[18:], known.sampling


def objects(store, prefix=""):
    """Return what lies in a store that can be listed at once, by key."""
    blocking = store.blocking
    keys = [entry.key for entry in blocking.list(prefix, after="", recursive=True)]
    return dict(zip(keys, blocking.get([Read(key) for key in keys]), strict=True))
