"""A collection whose every change can be told whole from torn: each entry is one row in each of two days."""

import os
import sys
from pathlib import Path

import anyio
import numpy as np

import zcollection as zc
from zcollection.transaction.log import snapshots

sys.path.append(str(Path(__file__).parents[1] / "support"))
import segmenting

segmenting.set_up()

DAY = 86_400 * 10**9
PAIRS = 3
"""Entry n is a row of day n % PAIRS and a row of that day + PAIRS."""


def layout() -> dict[str, object]:
    """Return what a collection of entries is created with."""
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=64)
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("entry", dtype="int64", dimensions=("time",))
        .with_variable("value", dtype="float64", dimensions=("time",), fill_value=np.nan)
        .build()
    )
    return {"schema": schema, "axis": "time", "partitioning": zc.partitioning.Date(("time",), resolution="D")}


def create(place: str | Path, **options: object) -> None:
    zc.create_collection(place, **layout(), **options)


def rows(entries):
    """Return the rows of entries."""
    entries = np.asarray(entries, dtype="int64")
    time = np.concatenate([entries % PAIRS * DAY, (entries % PAIRS + PAIRS) * DAY]) + np.tile(entries, 2) * 1000
    return {"time": time, "entry": np.tile(entries, 2), "value": value(np.tile(entries, 2))}


def value(entries):
    return entries * 0.5 + 1


def enter(place: str | Path, entries, *, merge="upsert") -> None:
    zc.open_collection(place, mode="rw").insert(rows(entries), merge=merge)


def read(place: str | Path) -> tuple[list[int], list[str]]:
    """Return the entries that a reader finds, and what is wrong with them."""
    dataset = zc.open_collection(place).query()
    if dataset is None:
        return [], []
    time, entry, values = (dataset[name].to_numpy() for name in ("time", "entry", "value"))
    wrong = []
    if not np.array_equal(values, value(entry)):
        wrong.append("values of other entries")
    if not np.array_equal(time % DAY, entry * 1000):
        wrong.append("times of other entries")
    first, second = np.sort(entry[time // DAY < PAIRS]), np.sort(entry[time // DAY >= PAIRS])
    if not np.array_equal(first, second):
        wrong.append(f"entries of two versions: {sorted(set(first.tolist()) ^ set(second.tolist()))[:5]}")
    if np.unique(first).size != first.size:
        wrong.append("an entry is there twice")
    return first.tolist(), wrong


def catalog_errors(place: str | Path) -> list[str]:
    """Return what the catalog says otherwise than the partitions do."""
    opened = zc.open_collection(place)._opened
    if not opened.versioning.has_catalog:
        return []
    known, found = (
        dict(anyio.run(lambda walk=walk: snapshots.take(opened.store, opened.configuration, walk=walk)).partitions)
        for walk in (False, True)
    )
    return [path for path in sorted(known.keys() | found.keys()) if known.get(path) != found.get(path)]


class Acknowledged:
    """The entries whose insert has returned, in a file that survives the death of their writer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, entry: int) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.write(descriptor, b"%d\n" % entry)
        os.close(descriptor)

    def entries(self) -> list[int]:
        return [int(line) for line in self._path.read_text().split()] if self._path.exists() else []


def verdict(place: str | Path, acknowledged: list[int]) -> dict[str, object]:
    """Return what became of the acknowledged entries."""
    entries, wrong = read(place)
    return {
        "acknowledged": len(acknowledged),
        "present": len(entries),
        "lost": sorted(set(acknowledged) - set(entries)),
        "wrong": wrong,
        "catalog": catalog_errors(place),
        "problems": [str(problem) for problem in zc.open_collection(place).verify(data=True).problems],
    }


def faults(verdict: dict[str, object]) -> int:
    """Return how many faults there are in a verdict."""
    return sum(len(verdict[name]) for name in ("lost", "wrong", "catalog", "problems"))
