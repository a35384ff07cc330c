"""SQL on a collection larger than memory: ``python tests/scale/sql.py --bytes 4GB``.

DuckDB averages a variable by cycle through Arrow, once with the cycle as a variable and once as a field of the partition keys.
Each question is asked in a process of its own, which says how much of it was resident at most; the averages are checked.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import zcollection as zc

UNITS = {"MB": 10**6, "GB": 10**9}
ROW = 8 + 4 + 8 + 8
QUESTIONS = {
    "cycle is a variable": {},
    "cycle is a key": {"variables": ["ssh"], "keys": ["cycle"]},
}
TEXT = "SELECT cycle, avg(ssh) FROM col GROUP BY cycle ORDER BY cycle"


def size(text: str) -> int:
    number, unit = text[:-2], text[-2:].upper()
    if unit not in UNITS or not number.isdigit():
        message = f"{text!r} is no size; accepted: a whole number and one of {', '.join(UNITS)}"
        raise argparse.ArgumentTypeError(message)
    return int(number) * UNITS[unit]


def write(place: Path, cycles: int, rows: int) -> None:
    """Write one partition for each cycle, whose sea surface heights have its number as their mean."""
    schema = zc.Schema().with_dimension("time", chunks=65_536)
    types = {"time": "datetime64[us]", "cycle": "int32", "latitude": "float64", "ssh": "float64"}
    for name, dtype in types.items():
        schema = schema.with_variable(name, dtype=dtype, dimensions=("time",))
    by_cycle = zc.partitioning.Sequence(("cycle",))
    made = zc.create_collection(place, schema=schema.build(), axis="time", partitioning=by_cycle)
    number = np.arange(rows)
    swell = np.sin(number * (2 * np.pi / rows))
    for cycle in range(cycles):
        times = np.datetime64("2024-01-01", "us") + (number + cycle * rows)
        made.insert(
            {
                "time": times,
                "cycle": np.full(rows, cycle, "int32"),
                "latitude": 66 * swell,
                "ssh": cycle + swell,
            }
        )


def ask(place: Path, name: str, threads: int) -> dict[str, object]:
    """Ask one question in this process, and return what it took."""
    import duckdb
    import zcollection_arrow

    connection = duckdb.connect(config={"threads": threads})
    connection.execute("SET enable_progress_bar = false")
    start = time.perf_counter()
    with zc.config.using(threads=threads):
        collection = zc.open_collection(place)
        col = zcollection_arrow.dataset(collection, **QUESTIONS[name])
        assert col is not None  # what the SQL names
        found = connection.execute(TEXT).fetchall()
    assert [cycle for cycle, _ in found] == list(range(len(collection.keys()))), found
    np.testing.assert_allclose([mean for _, mean in found], range(len(found)), atol=1e-9)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds = round(time.perf_counter() - start, 1)
    return {"question": name, "cycles": len(found), "seconds": seconds, "peak resident, MB": round(peak / 1e6)}


def asked(place: Path, name: str, threads: int) -> dict[str, object]:
    command = [sys.executable, __file__, "--ask", name, "--place", str(place), "--threads", str(threads)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=size, default=size("4GB"), help="size of the arrays (default: 4GB)")
    parser.add_argument("--partition", type=size, default=size("40MB"), help="size of a partition (default: 40MB)")
    parser.add_argument("--threads", type=int, default=2, help="of zcollection and of DuckDB (default: 2)")
    parser.add_argument("--place", type=Path, help="directory to work in (default: that of temporary files)")
    parser.add_argument("--ask", choices=QUESTIONS, help="ask one question of the collection at --place")
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(ask(options.place, options.ask, options.threads)))
        return
    place = Path(tempfile.mkdtemp(prefix="zcollection-sql-", dir=options.place))
    rows = options.partition // ROW
    cycles = max(options.bytes // (rows * ROW), 1)
    try:
        write(place / "collection", cycles, rows)
        found = [asked(place / "collection", name, options.threads) for name in QUESTIONS]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(json.dumps({"bytes": cycles * rows * ROW, "questions": found}, indent=1))


if __name__ == "__main__":
    main()
