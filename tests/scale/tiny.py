"""One-row upserts of a buoy into one partition: ``uv run python tests/scale/tiny.py --rows 20000``.

Says how long the last thousand took beside the first, and how many objects the log held at most.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import zcollection as zc


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=4096)
        .with_variable("time", dtype="int64", dimensions=("time",), attrs={"units": "seconds since 1970-01-01"})
        .with_variable("temperature", dtype="float32", dimensions=("time",))
    )
    try:
        buoy = zc.create_collection(f"{folder}/buoy", schema=schema, axis="time", partitioning="date:Y")
        seconds, most = [], 0
        for number in range(options.rows):
            begun = time.perf_counter()
            buoy.insert({"time": np.array([600 * number]), "temperature": np.ones(1, "f4")}, merge="upsert")
            seconds.append(time.perf_counter() - begun)
            most = max(most, len(list((folder / "buoy/_transactions/log").iterdir())))
        versions, rows = len(buoy.history()), buoy.count()
    finally:
        shutil.rmtree(folder)
    first, last = statistics.median(seconds[:1000]), statistics.median(seconds[-1000:])
    print(f"{rows:,} rows, {versions:,} versions, at most {most} files in the log")
    print(f"an upsert: {1e3 * first:.2f} ms at first, {1e3 * last:.2f} ms at last ({last / first:.2f} times)")


if __name__ == "__main__":
    main()
