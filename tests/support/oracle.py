"""What pandas says of rows that are inserted and merged, partition by partition."""

import numpy as np
import pandas as pd

import zcollection as zc

PLATFORMS = ["S3A", "Jason-3 GDR/F", "Malmö", "S3"]
"""Texts, not in their order, that a path holds as they are or in percent-encoding."""


def partitionings(passes):
    """Return, by name, the built-in partitionings and the columns that hold the keys of their partitions."""
    return {
        "date": (lambda: zc.partitioning.Date(("time",), resolution="D"), ["day_"]),
        "sequence": (lambda: zc.partitioning.Sequence(("cycle", passes)), ["cycle", "pass_number"]),
        "grouped_sequence": (
            lambda: zc.partitioning.GroupedSequence(("cycle", passes), size=3, start=1),
            ["cycle", "group_"],
        ),
        "values": (lambda: zc.partitioning.Values(("platform", "ascending")), ["platform", "ascending"]),
    }


def make_rows(rng, count, *, days=20, cycles=(-3, 4), passes=(-4, 9), ids_from=0):
    start = np.datetime64("1969-12-25T00:00:00", "ns")
    # Coarse steps, so that times repeat within and between inserts.
    seconds = rng.integers(0, max(1, min(days * 86400, count * 20)), count) * 10 % (days * 86400)
    frame = pd.DataFrame(
        {
            "time": start + seconds.astype("timedelta64[s]"),
            "cycle": rng.integers(*cycles, count),
            "pass_number": rng.integers(*passes, count),
            "row": np.arange(ids_from, ids_from + count),
        }
    )
    frame["day_"] = frame["time"].dt.floor("D")
    frame["group_"] = (frame["pass_number"] - 1) // 3
    frame["platform"] = np.array(PLATFORMS, dtype=object)[frame["cycle"] % len(PLATFORMS)]
    frame["ascending"] = frame["pass_number"] % 2 == 1
    return frame


def merged(existing, inserted, merge):
    """Return the rows of one partition after a merge, as the documentation of each strategy says."""
    if existing is None:
        existing = inserted.iloc[:0]
    if merge in {None, "replace"}:
        return inserted
    if merge == "concat":
        return pd.concat([existing, inserted])
    if merge == "time_series":
        outside = (existing["time"] < inserted["time"].min()) | (existing["time"] > inserted["time"].max())
        return pd.concat([existing[outside], inserted]).sort_values("time", kind="stable")
    both = pd.concat([existing, inserted])
    return both.drop_duplicates("time", keep="last").sort_values("time", kind="stable")


def insert(partitions, frame, keys, merge):
    """Insert rows into a dictionary of partitions by key."""
    for key, rows in frame.groupby(keys, sort=False):
        partitions[key] = merged(partitions.get(key), rows, merge)
