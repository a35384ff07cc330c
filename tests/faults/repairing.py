"""How long the repair of many partitions takes: ``python tests/faults/repairing.py --partitions 1000``."""

import argparse
import time

import ledger
import numpy as np
import running

import zcollection as zc

LOST = (
    "_catalog/c/0",
    "year=1970/zarr.json",
    "year=1970/month=02/zarr.json",
    "year=1970/month=01/day=05/value/zarr.json",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=1000)
    options = parser.parse_args()
    with running.working_directory() as work:
        place = work / "collection"
        ledger.create(place)
        days = np.arange(options.partitions, dtype="int64") * ledger.DAY
        given = {"time": days, "entry": days, "value": days.astype("float64")}
        zc.open_collection(place, mode="rw").insert(given)
        for lost in LOST:
            (place / lost).unlink()
        started = time.monotonic()
        report = zc.open_collection(place, mode="rw").repair()
        seconds = time.monotonic() - started
        found = zc.open_collection(place).query()["entry"].to_numpy()
    figures = {"partitions": options.partitions, "done": len(report.done), "seconds": round(seconds, 2)}
    is_whole = np.array_equal(found, days) and not report.remaining and len(report.done) == len(LOST)
    running.finish(figures | {"remaining": len(report.remaining)}, faults=0 if is_whole else 1)


if __name__ == "__main__":
    main()
