"""Workers killed while they insert and update: ``python tests/scale/kills.py --kills 20 --store icechunk``.

Each operation must complete or fail whole; afterwards the rows are those of the oracle, before or after it, and once it
has been run again, those after it.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import dask
import numpy as np
from distributed import Client, LocalCluster

import zcollection as zc

DAYS, ROWS = 60, 500
DAY = 86_400 * 10**9


def rows(number: int) -> dict[str, np.ndarray]:
    time_ = np.arange(DAYS * ROWS) * (DAY // ROWS)
    return {"time": time_, "value": np.arange(DAYS * ROWS) + float(number)}


def create(url: str) -> zc.Collection:
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=100)
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("value", dtype="float64", dimensions=("time",))
        .build()
    )
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    return zc.create_collection(url, schema=schema, axis="time", partitioning=partitioning)


def plus_one(dataset: zc.Dataset) -> dict[str, np.ndarray]:
    return {"value": dataset["value"].to_numpy() + 1}


class Ordeal:
    """A collection, its oracle, and a cluster whose workers die."""

    def __init__(self, client: Client, collection: zc.Collection, seed: int) -> None:
        self.client, self.collection, self.random = client, collection, random.Random(seed)
        self.number, self.longest = 0, 0.5
        self.killed: set[int] = set()
        self.completed = self.failed = self.wrong = 0

    def round(self) -> None:
        """Do one operation, kill a worker while it runs, and compare."""
        living = self._living()
        operation = self.random.choice([self._insert, self._update])
        killer = threading.Thread(
            target=self._kill, args=(self.random.uniform(0, self.longest), self.random.choice(living))
        )
        killer.start()
        try:
            operation()
            self.completed += 1
            self.number += 1
        except zc.ClusterError:
            self.failed += 1
            self._compare()
            operation()
            self.number += 1
        finally:
            killer.join()
        self._compare()

    def _insert(self) -> None:
        self._timed(lambda: self.collection.insert(rows(self.number + 1), merge="upsert", client=self.client))

    def _update(self) -> None:
        self._timed(lambda: self.collection.update(plus_one, client=self.client))

    def _timed(self, operation: object) -> None:
        start = time.perf_counter()
        operation()
        self.longest = max(self.longest, min(time.perf_counter() - start, 2))

    def _kill(self, delay: float, process: int) -> None:
        time.sleep(delay)
        os.kill(process, signal.SIGKILL)
        self.killed.add(process)

    def _living(self) -> list[int]:
        """Wait until both workers run; now and then a nanny does not start another one, and a new one has to."""
        cluster = self.client.cluster
        while True:
            try:
                self.client.wait_for_workers(2, timeout=15)
            except TimeoutError:
                cluster.scale(len(cluster.worker_spec) + 1)
                continue
            with suppress(OSError):
                found = set(self.client.run(os.getpid).values()) - self.killed
                if len(found) >= 2:
                    return sorted(found)
            time.sleep(0.1)

    def _compare(self) -> None:
        found = self.collection.query()
        expected = rows(self.number)
        same = all(np.array_equal(found[name].to_numpy(), values) for name, values in expected.items())
        self.wrong += not (same and self.collection.verify(data=True).is_clean)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", choices=["file", "icechunk"], default="file")
    options = parser.parse_args()
    place, start = Path(tempfile.mkdtemp(prefix="zcollection-kills-")), time.perf_counter()
    settings = {"distributed.worker.multiprocessing-method": "spawn"}
    cluster = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "host": "127.0.0.1"}
    try:
        with (
            dask.config.set(settings),
            LocalCluster(**cluster, silence_logs=50) as workers,
            Client(workers, set_as_default=False) as client,
        ):
            collection = create(f"{options.store}://{place}/collection")
            collection.insert(rows(0))
            ordeal = Ordeal(client, collection, options.seed)
            for number in range(options.kills):
                print(f"kill {number + 1}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
                ordeal.round()
            left = collection.vacuum(older_than="0s").stages
    finally:
        shutil.rmtree(place, ignore_errors=True)
    figures = {"kills": options.kills, "completed": ordeal.completed, "failed whole": ordeal.failed}
    print(json.dumps(figures | {"stages left": left, "wrong": ordeal.wrong}))
    sys.exit(1 if ordeal.wrong else 0)


if __name__ == "__main__":
    main()
