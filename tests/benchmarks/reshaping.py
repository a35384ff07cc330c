"""Times a collection partitioned and encoded anew, in place, against reading all of it and inserting all of it.

``python tests/benchmarks/reshaping.py --scale full --rounds 5``. The data are those of W2, daily partitions. By hand one reads all and
inserts it into a new collection, and then removes the old one. The memory is that of a process of its own.
"""

import argparse
import gc
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

import probe
import values
from layouts import Layout
from places import working_directory
from workloads import SCALES, SEED, small_days, track_days

import zcollection as zc

_MONTHS: Final = "date:M"
_STEPS: Final = ("insert all", "query all", "insert all by month", "remove the old", "repartition", "rewrite")


def main() -> None:
    """Time all steps in rounds, measure the memory, and print both as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="full")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--place", type=Path, help="directory to work in (default: /dev/shm if it has room)")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(_more(options.place))
        return
    layout = small_days(options.scale, None)
    arrays = values.arrays(layout, seed=SEED)
    with working_directory(options.place, one_round=4 * layout.nbytes) as place:
        rounds = [_round(layout, arrays, place / str(number)) for number in range(options.rounds + 1)][1:]
        memory = _memory(options.scale, place)
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


def _memory(scale: str, place: Path) -> dict[str, Any]:
    """Return how much more memory a repartition takes than one of two days did before it, and the size of a new partition."""
    found = {}
    for name, layout in {"W2": small_days(scale, None), "W7": track_days("small", None)}.items():
        arrays = values.arrays(layout, seed=SEED)
        _create(place / name, layout, "date:D").insert(arrays)
        few = {path: array[: layout.partitions[1].stop] for path, array in arrays.items()}
        _create(place / f"{name} first", layout, "date:D").insert(few)
        command = [sys.executable, __file__, "--measure", "--place", str(place / name)]
        more = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        rows = max(record.rows for record in zc.open_collection(place / name).records().values())
        size = rows * sum(variable.dtype.itemsize for variable in layout.schema.all_variables().values())
        found[f"{name}, memory"] = {
            "bytes of a new partition": size,
            "bytes more": more,
            "ratio": round(more / size, 2),
        }
    return found


def _more(place: Path) -> int:
    """Return by how many bytes a repartition made this process grow at most, after a first one has loaded everything."""
    with zc.config.using(threads=1):
        zc.open_collection(f"{place} first", mode="rw").repartition(_MONTHS)
        gc.collect()
        probe.forget_peak()
        before = probe.resident()
        zc.open_collection(place, mode="rw").repartition(_MONTHS)
    return probe.peak() - before


if __name__ == "__main__":
    main()
