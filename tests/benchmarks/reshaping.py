"""Times a collection partitioned and encoded anew, in place, against reading all of it and inserting all of it.

``python tests/benchmarks/reshaping.py --scale full --rounds 5``. The data are those of W2, daily partitions. By hand one reads all and
inserts it into a new collection, and then removes the old one. The memory is that of a process of its own.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

import values
from layouts import Layout
from places import working_directory
from workloads import SCALES, SEED, small_days

import zcollection as zc

_MONTHS: Final = "date:M"
_STEPS: Final = ("insert all", "query all", "insert all by month", "remove the old", "repartition", "rewrite")


def main() -> None:
    """Time all steps in rounds, measure the memory, and print both as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="full")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--place", type=Path, help="directory to work in (default: /dev/shm if it has room)")
    parser.add_argument("--measure", choices=["nothing", "repartition"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(_grown(options.place, is_repartitioned=options.measure == "repartition"))
        return
    layout = small_days(options.scale, None)
    arrays = values.arrays(layout, seed=SEED)
    with working_directory(options.place, one_round=4 * layout.nbytes) as place:
        rounds = [_round(layout, arrays, place / str(number)) for number in range(options.rounds + 1)][1:]
        memory = _memory(layout, arrays, place / "memory")
    figures: dict[str, Any] = {step: round(median(each[step] for each in rounds), 3) for step in _STEPS}
    by_hand = figures["query all"] + figures["insert all by month"]
    ratios = {
        "repartition ÷ (query all + insert all)": figures["repartition"]
        / (figures["query all"] + figures["insert all"]),
        "repartition ÷ (query all + insert all by month + remove the old)": figures["repartition"]
        / (by_hand + figures["remove the old"]),
        "repartition ÷ (query all + insert all by month)": figures["repartition"] / by_hand,
    }
    print(
        json.dumps(
            figures | {name: round(ratio, 2) for name, ratio in ratios.items()} | memory, indent=1, ensure_ascii=False
        )
    )


def _create(place: Path, layout: Layout, partitioning: str) -> zc.Collection:
    return zc.create_collection(place, schema=layout.schema, axis="time", partitioning=partitioning)


def _round(layout: Layout, arrays: dict[str, Any], place: Path) -> dict[str, float]:
    found: dict[str, float] = {}

    def timed(step: str, work: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        result = work()
        found[step] = time.perf_counter() - begun
        return result

    daily, other = _create(place / "daily", layout, "date:D"), _create(place / "monthly", layout, _MONTHS)
    timed("insert all", lambda: daily.insert(arrays))
    rows = timed("query all", lambda: zc.open_collection(place / "daily").query())
    timed("insert all by month", lambda: other.insert(rows))
    shutil.copytree(place / "daily", place / "old")
    timed("remove the old", lambda: shutil.rmtree(place / "old"))
    timed("repartition", lambda: daily.repartition(_MONTHS))
    timed("rewrite", lambda: daily.rewrite(codecs="cloud-balanced"))
    after = daily.query()
    if daily.partitions() != other.partitions() or any((after[name] != rows[name].to_numpy()).any() for name in arrays):
        message = "the rows are not those that were inserted"
        raise SystemExit(message)
    shutil.rmtree(place)
    return found


def _memory(layout: Layout, arrays: dict[str, Any], place: Path) -> dict[str, Any]:
    """Return how much more memory a repartition takes than a process that has read one partition, and the size of a new one."""
    _create(place, layout, "date:D").insert(arrays)
    command = [sys.executable, __file__, "--place", str(place), "--measure"]
    without, peak = (
        int(subprocess.run([*command, what], capture_output=True, text=True, check=True).stdout)
        for what in ("nothing", "repartition")
    )
    rows = max(zc.open_collection(place).records().values(), key=lambda record: record.rows).rows
    largest = rows * sum(variable.dtype.itemsize for variable in layout.schema.all_variables().values())
    return {"bytes of a new partition": largest, "bytes more at most": peak - without}


def _grown(place: Path, *, is_repartitioned: bool) -> int:
    collection = zc.open_collection(place, mode="rw")
    collection.query(filters=f"year == {collection.keys()[0]['year']} and month == 1 and day == 1")
    with zc.config.using(threads=1):
        if is_repartitioned:
            collection.repartition(_MONTHS)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
