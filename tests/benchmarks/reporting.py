"""Times the report of a collection of 10,000 partitions: ``uv run python tests/benchmarks/reporting.py``.

It exits with 1 where the report takes more than five seconds, or its file more than 2 MB.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import zcollection as zc

SECONDS, BYTES = 5.0, 2_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--partitions", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        many(f"{folder}/many", options.partitions)
        path, seconds = Path(folder, "report.html"), []
        for _ in range(3):
            opened, before = zc.open_collection(f"{folder}/many"), time.perf_counter()
            opened.report(path)
            seconds.append(time.perf_counter() - before)
        size = path.stat().st_size
    print(f"{options.partitions:,} partitions: {min(seconds):.2f} s, {size:,} bytes")
    return int(min(seconds) > SECONDS or size > BYTES)


def many(place: str, partitions: int) -> None:
    """A day of a row every half hour in each partition, with positions, some rows and forty days missing; 20 versions."""
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=4096)
        .with_variable("time", dtype="datetime64[s]", dimensions=("time",))
        .with_variable("latitude", dtype="float64", dimensions=("time",), attrs={"units": "degrees_north"})
        .with_variable("longitude", dtype="float64", dimensions=("time",), attrs={"units": "degrees_east"})
        .with_variable("ssh", dtype="float32", dimensions=("time",), fill_value=np.nan)
    )
    collection = zc.create_collection(place, schema=schema, axis="time", partitioning="date:D")
    numbers = np.arange(partitions * 48)
    there = np.random.default_rng(0).random(len(numbers)) > 0.02
    there[48 * 300 : 48 * 340] = False
    for part in np.array_split(numbers[there], 20):
        collection.insert(
            {
                "time": np.datetime64("1995-01-01", "s") + part * np.timedelta64(1800, "s"),
                "latitude": 66 * np.sin(part * 0.37),
                "longitude": part * 7.3 % 360 - 180,
                "ssh": np.zeros(len(part), "f4"),
            },
            merge="concat",
        )


if __name__ == "__main__":
    sys.exit(main())
