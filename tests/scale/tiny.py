"""One-row upserts of a buoy into one partition: ``uv run python tests/scale/tiny.py --rows 20000``.

Prints the median time, of the clock and of the processor, of the last thousand beside that of the first; the bytes written
by each of both; and how many objects the log had at most.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import zcollection as zc


def _written() -> int:
    """Return the bytes that this process has written; 0 where the system does not say it."""
    place = Path("/proc/self/io")
    lines = place.read_text().splitlines() if place.is_file() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("wchar:")), 0)


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
        values = np.random.default_rng(1).normal(15, 5, options.rows).astype("float32")
        seconds, processor, written, most = [], [], [], 0
        for number in range(options.rows):
            begun, busy, before = time.perf_counter(), time.process_time(), _written()
            buoy.insert({"time": np.array([600 * number]), "temperature": values[number : number + 1]}, merge="upsert")
            seconds.append(time.perf_counter() - begun)
            processor.append(time.process_time() - busy)
            written.append(_written() - before)
            most = max(most, len(list((folder / "buoy/_transactions/log").iterdir())))
        versions, rows = len(buoy.history()), buoy.count()
    finally:
        shutil.rmtree(folder)
    print(f"{rows:,} rows, {versions:,} versions, at most {most} files in the log")
    for name, unit, each in (
        ("time", "ms", [1e3 * value for value in seconds]),
        ("processor", "ms", [1e3 * value for value in processor]),
        ("written", "bytes", written),
    ):
        first, last = statistics.median(each[:1000]), statistics.median(each[-1000:])
        print(
            f"{name} of an upsert: {first:,.2f} {unit} at first, {last:,.2f} {unit} at last ({last / max(first, 1e-9):.2f} times)"
        )


if __name__ == "__main__":
    main()
