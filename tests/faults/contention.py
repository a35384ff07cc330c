"""Several processes upsert rows into the same partitions while others read: ``python tests/faults/contention.py``."""

import argparse
import time
from contextlib import ExitStack

import ledger
import running


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--upserts", type=int, default=50)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--place", choices=running.PLACES, default="file")
    options = parser.parse_args()
    with running.working_directory() as work, ExitStack() as stack:
        place = stack.enter_context(running.place(options.place, work))
        stop = work / "stop"
        ledger.create(place)
        started = time.monotonic()
        readers = running.watchers(place, stop, options.readers)
        logs = [work / f"acknowledged-{number}" for number in range(options.processes)]
        writers = [
            running.start("write", place, log, number * options.upserts, options.upserts)
            for number, log in enumerate(logs)
        ]
        codes = [writer.wait() for writer in writers]
        seconds = time.monotonic() - started
        figures = running.watched(readers, stop)
        acknowledged = [entry for log in logs for entry in ledger.Acknowledged(log).entries()]
        found = ledger.verdict(place, acknowledged)
    gave_up = sum(code != 0 for code in codes)
    missing = options.processes * options.upserts - found["present"]
    faults = figures["bad"] + gave_up + missing + ledger.faults(found)
    rate = len(acknowledged) / seconds
    running.finish(figures | found | {"gave up": gave_up, "per second": round(rate, 1)}, faults=faults)


if __name__ == "__main__":
    main()
