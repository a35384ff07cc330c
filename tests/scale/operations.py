"""One operation on a collection larger than memory, in a process whose address space is limited."""

import json
import os
import resource
import sys
import time
from pathlib import Path

# Before libraries are loaded: each of their threads, and of ours, reserves address space.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}

import numpy as np

import zcollection as zc

WIDTH = 240
ROW = 8 + 4 * WIDTH
HOUR = 3600 * 10**9


class Rows:
    """Rows that are made when they are asked for; value (i, j) is i modulo 1000, plus j."""

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop
        self.shape = (stop - start, WIDTH)
        self.dtype = np.dtype("float32")

    def __getitem__(self, index: object) -> "Rows":
        rows = index[0] if isinstance(index, tuple) else index
        part = range(self.start, self.stop)[rows]
        return Rows(part.start, part.stop)

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return made(np.arange(self.start, self.stop))


def made(rows: np.ndarray) -> np.ndarray:
    return (rows % 1000).astype("float32")[:, None] + np.arange(WIDTH, dtype="float32")


class Scale:
    """The operations, on partitions of one size each."""

    def __init__(self, task: dict[str, object]) -> None:
        self.place = Path(task["place"])
        self.per_partition = task["partition"] // ROW
        self.number = task["bytes"] // (self.per_partition * ROW)
        self.rows = self.number * self.per_partition

    @property
    def collection(self) -> zc.Collection:
        return zc.open_collection(self.place / "collection", mode="rw")

    def insert(self) -> None:
        schema = (
            zc.Schema()
            .with_dimension("row", chunks=4096)
            .with_dimension("x", size=WIDTH)
            .with_variable("number", dtype="int64", dimensions=("row",))
            .with_variable("value", dtype="float32", dimensions=("row", "x"), fill_value=np.nan)
            .with_variable("mean", dtype="float32", dimensions=("row", "x"), fill_value=np.nan)
            .build()
        )
        partitioning = zc.partitioning.GroupedSequence(("number",), size=self.per_partition)
        collection = zc.create_collection(
            self.place / "collection", schema=schema, axis="number", partitioning=partitioning
        )
        report = collection.insert({"number": np.arange(self.rows), "value": Rows(0, self.rows)}, missing="fill")
        assert (len(report), report.added) == (self.number, self.rows)

    def update(self) -> None:
        paths = self.collection.update(lambda dataset: {"mean": dataset["value"].to_numpy() / 2}, variables=["value"])
        assert len(paths) == self.number

    def map(self) -> None:
        found = self.collection.map(lambda dataset: float(dataset["mean"].to_numpy()[0, 0]), variables=["mean"])
        assert list(found.values()) == [(n * self.per_partition % 1000) / 2 for n in range(self.number)]

    def copy(self) -> None:
        copied = self.collection.copy(self.place / "copy")
        assert sum(record.rows for record in copied.records().values()) == self.rows

    def lazy(self) -> None:
        found = self.collection.query(lazy=True)["value"]
        step, sums = self.per_partition // 2, []
        for start in range(0, self.rows, step):
            values = np.asarray(found.data[start : start + step])
            np.testing.assert_array_equal(values[:, 0], np.arange(start, start + len(values)) % 1000)
            sums.append(len(values))
        assert sum(sums) == self.rows

    def chunks(self) -> None:
        total = self.collection.query(chunks={})["value"].data[:, 0].sum(dtype="float64").compute(num_workers=2)
        assert total == (np.arange(self.rows) % 1000).sum()

    def verify(self) -> None:
        report = self.collection.verify(data=True)
        assert (report.is_clean, report.partitions) == (True, self.number)


def main(name: str, task: dict[str, object]) -> None:
    scale, start = Scale(task), time.perf_counter()
    resource.setrlimit(resource.RLIMIT_AS, (task["limit"], task["limit"]))
    with zc.config.using(threads=task["threads"], concurrency=task["threads"]):
        getattr(scale, name)()
    print(
        json.dumps(
            {
                "operation": name,
                "partitions": scale.number,
                "seconds": round(time.perf_counter() - start, 1),
                "peak resident, MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
