"""A writer stopped for longer than others wait for anything, and continued: ``python tests/faults/stopped.py``.

It is stopped at one of its system calls after the other, once while it holds the lock and once while it does not. Others
write meanwhile where they can, and vacuum; afterwards it goes on. Its own rows and theirs are all there, once.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import crashes
import judging
import ledger
import operations
import running
import traced

import zcollection as zc

STOPPED = "upsert"
MINE = (20, 21, 22)
OTHERS = 30


def stop_at(nursery: traced.Nursery, place: Path, call: str, number: int, seconds: float) -> tuple[str, bool]:
    """Stop a writer at a call, let others write, continue it; return what is wrong, and whether they could write."""
    strace = traced.injecting("signal=SIGSTOP", calls=call, when=str(number))
    pid = nursery.begin(place, STOPPED, options={}, strace=strace)
    wait_until_stopped(pid)
    other = subprocess.Popen([sys.executable, __file__, "--others", str(place)], stderr=subprocess.PIPE)
    try:
        wrote = other.wait(timeout=seconds) == 0
    except subprocess.TimeoutExpired:
        wrote = False  # it waits for the lock, which a stopped process keeps
    os.kill(pid, signal.SIGCONT)
    code = nursery.end()
    error = other.communicate(timeout=500)[1]
    if code or other.returncode:
        return f"the writer ended with {code}, the others with {other.returncode}: {error.decode()[-300:]}", wrote
    return verdict(place), wrote


def wait_until_stopped(pid: int) -> None:
    """Wait until some thread of a process is stopped, or it has ended."""
    for _ in range(20_000):
        try:
            states = [
                path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")
            ]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if not states or set(states) & set("TtZ"):
            return
        time.sleep(0.0005)


def verdict(place: Path) -> str:
    """Return what is wrong with the collection, "" for nothing."""
    entries, wrong = ledger.read(place)
    expected = {*operations.EXISTING, *MINE, OTHERS, OTHERS + 1, OTHERS + 2}
    problems = [*wrong, *map(str, zc.open_collection(place).verify(data=True).problems), *ledger.catalog_errors(place)]
    if sorted(entries) != sorted(expected):
        problems.append(f"entries {sorted(set(entries) ^ expected)} are lost or there twice")
    return "; ".join(problems) or judging.repair(place) or ""


def others(place: Path) -> None:
    """Write to the same partitions, and remove what seems to be left by the dead."""
    ledger.enter(place, [OTHERS])
    ledger.enter(place, [OTHERS + 1])
    zc.open_collection(place, mode="rw").vacuum(older_than="0s")
    ledger.enter(place, [OTHERS + 2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--others", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=3, help="for which the writer is stopped at least")
    parser.add_argument("--every", type=int, default=3, help="only at every n-th call")
    options = parser.parse_args()
    if options.others:
        others(options.others)
        return
    stops, overtaken, violations = 0, 0, []
    with running.working_directory() as work, traced.Nursery() as nursery:
        operations.base(work / "base")
        shutil.copytree(work / "base", work / "whole")
        made = crashes.calls(nursery, work / "whole", STOPPED, fsync=False, log=work / "calls")
        for call, number in made[:: options.every]:
            place = work / "place"
            shutil.copytree(work / "base", place)
            wrong, wrote = stop_at(nursery, place, call, number, options.seconds)
            stops, overtaken = stops + 1, overtaken + wrote
            if wrong:
                violations.append(f"stopped at {call} number {number}: {wrong}")
                print(violations[-1], file=sys.stderr)
            shutil.rmtree(place)
    running.finish({"stops": stops, "overtaken": overtaken, "violations": violations}, faults=len(violations))


if __name__ == "__main__":
    main()
