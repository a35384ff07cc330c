"""Processes that write to one collection, or read it: ``python tests/faults/writers.py write PLACE ACKNOWLEDGED FIRST COUNT``."""

import sys
import time
from pathlib import Path

import ledger

import zcollection as zc


def write(place: str, acknowledged: ledger.Acknowledged, first: int, count: int) -> None:
    """Enter one entry after the other."""
    for entry in range(first, first + count):
        ledger.enter(place, [entry])
        acknowledged.add(entry)


def watch(place: str, stop: Path) -> None:
    """Query until a file exists, and print how often, and what was wrong."""
    queries, bad, longest = 0, [], 0.0
    while not stop.exists():
        started = time.monotonic()
        try:
            bad += ledger.read(place)[1]
        except zc.errors.ZCollectionError as error:
            bad.append(repr(error))
        queries += 1
        longest = max(longest, time.monotonic() - started)
    print(queries, len(bad), f"{longest:.3f}", *bad[:3], sep="\t")


if __name__ == "__main__":
    command, given, *rest = sys.argv[1:]
    if command == "write":
        write(given, ledger.Acknowledged(Path(rest[0])), int(rest[1]), int(rest[2]))
    else:
        watch(given, Path(rest[0]))
