"""What older versions cost, and how an old one is opened: ``uv run python tests/benchmarks/versions.py``.

Two collections of the same days, one of which keeps ten versions, take upserts of an hour of a day in turns; and of a collection with
1,000 versions an old one is opened and read by a process of its own, in turns with the newest. Medians, and ratios of one run.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import zcollection as zc

DAY = 86_400


def schema():
    """Return eight variables at 1 Hz."""
    made = zc.Schema().with_dimension("time", chunks=4096)
    made = made.with_variable("time", dtype="int64", dimensions=("time",), attrs={"units": "seconds since 2024-01-01"})
    for number in range(7):
        made = made.with_variable(f"v{number}", dtype="float32", dimensions=("time",))
    return made


def rows(start, count, value):
    """Return rows one second apart."""
    times = np.arange(start, start + count)
    return {"time": times} | {f"v{number}": np.full(count, value + number, "f4") for number in range(7)}


def upserts(folder, rounds):
    """Return the seconds of upserts of an hour into a day, without and with older versions kept."""
    made = {}
    for name, keep in (("none", None), ("ten", 10)):
        made[name] = zc.create_collection(
            f"{folder}/{name}", schema=schema(), axis="time", partitioning="date:D", keep=keep
        )
        made[name].insert(rows(0, 3 * DAY, 0))
    seconds = {name: [] for name in made}
    for number in range(rounds):
        given = rows(DAY + 3600 * (number % 24), 3600, number)
        for name in made if number % 2 else reversed(made):
            begun = time.perf_counter()
            made[name].insert(given, merge="upsert")
            seconds[name].append(time.perf_counter() - begun)
    made["ten"].vacuum(older_than="0s")
    return {name: statistics.median(values) for name, values in seconds.items()}


OPEN = """
import json, sys, time
import numpy, zcollection as zc
zc.create_collection("memory://warm", schema=zc.Schema().with_dimension("time").with_variable("time", dtype="int64",
    dimensions=("time",)), axis="time", partitioning="date:D").insert({"time": numpy.arange(3)})
at = json.loads(sys.argv[2])
begun = time.perf_counter()
zc.open_collection(sys.argv[1], at=at).query(filters="day == 1 and month == 1", variables=["value"])
print(time.perf_counter() - begun)
"""


def openings(folder, versions, rounds):
    """Return the seconds in which a version is opened and a day of it read, of the newest, and of one in the middle."""
    made = zc.create_collection(
        f"{folder}/many",
        schema=zc.Schema()
        .with_dimension("time", chunks=512)
        .with_variable("time", dtype="int64", dimensions=("time",), attrs={"units": "seconds since 2024-01-01"})
        .with_variable("value", dtype="float32", dimensions=("time",)),
        axis="time",
        partitioning="date:D",
        keep=versions,
    )
    for number in range(versions):
        times = np.arange(number % 300 * DAY, number % 300 * DAY + 100)
        made.insert({"time": times, "value": np.full(100, number, "f4")})
    seconds = {"newest": [], "old": []}
    for _ in range(rounds):
        for name, at in (("newest", None), ("old", versions // 2)):
            command = [sys.executable, "-c", OPEN, f"{folder}/many", json.dumps(at)]
            seconds[name].append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--versions", type=int, default=1000)
    options = parser.parse_args()
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(dir=memory if memory.is_dir() else None)
    try:
        kept = upserts(folder, options.rounds)
        opened = openings(folder, options.versions, options.rounds // 4)
    finally:
        shutil.rmtree(folder)
    print(f"upsert of an hour into a day: {1e3 * kept['none']:.2f} ms, with keep=10 {1e3 * kept['ten']:.2f} ms", end="")
    print(f" ({kept['ten'] / kept['none']:.2f} times)")
    print(f"a day of the newest of {options.versions} versions: {1e3 * opened['newest']:.2f} ms", end="")
    print(f", of an old one {1e3 * opened['old']:.2f} ms ({opened['old'] / opened['newest']:.2f} times)")


if __name__ == "__main__":
    main()
