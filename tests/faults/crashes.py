"""Operations killed, or refused by the disk, at one system call after the other: ``python tests/faults/crashes.py``.

Every point is a process of its own under ``strace``, which injects the fault. Afterwards a reader sees all of the
operation or nothing, before anything was repaired; the next writer succeeds and changes nothing else; a repair, before
that writer or after it, changes no row that is seen, and leaves nothing to report; and plain zarr reads the same. Where an error was
injected, an operation that failed did nothing, and one that succeeded did all.
"""

import argparse
import shutil
import sys
from collections import Counter
from pathlib import Path

import judging
import operations
import running
import traced

import zcollection as zc

FAULTS = {"kill": "signal=SIGKILL", "full": "error=ENOSPC", "broken": "error=EIO"}


def calls(nursery: traced.Nursery, place: Path, name: str, *, fsync: bool, log: Path) -> list[tuple[str, int]]:
    """Return the calls of an operation that change something: its name, and how many of this name there were by then."""
    code = nursery.run(place, name, fsync=fsync, strace=traced.logging(log))
    lines = [line.split(maxsplit=1) for line in log.read_text().splitlines() if "+++" not in line]
    threads = {thread for thread, _ in lines}
    if code or len(threads) != 1:
        message = f"{name} ended with {code} without any fault, and made its calls on {len(threads)} threads"
        raise RuntimeError(message)
    found, counts = [], Counter[str]()
    for _, text in lines:
        call = text.partition("(")[0]
        counts[call] += 1
        if str(place) in text:
            found.append((call, counts[call]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fsync", action="store_true", help="with the store's option fsync")
    parser.add_argument("--operations", nargs="+", choices=operations.OPERATIONS, default=list(operations.OPERATIONS))
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--every", type=int, default=1, help="only every n-th call")
    parser.add_argument(
        "--system", help="play another system, such as 'windows' or 'macos without links', for all processes"
    )
    options = parser.parse_args()
    points, failed, violations = Counter(), 0, []
    if options.system is not None:
        traced.play(options.system)
    with running.working_directory() as work, traced.Nursery(options.system) as nursery:
        operations.base(work / "base")
        for name in options.operations:
            start, whole, place = work / f"before {name}", work / name, work / "place"
            shutil.copytree(work / "base", start)
            operations.PREPARATIONS.get(name, lambda _: None)(start)
            shutil.copytree(start, whole)
            before = judging.state(start)
            made = calls(nursery, whole, name, fsync=options.fsync, log=work / "calls")
            after, versions = judging.state(whole), judging.kept(start, whole)
            for fault in options.faults:
                for call, number in made[:: options.every]:
                    shutil.copytree(start, place)
                    strace = traced.injecting(FAULTS[fault], calls=call, when=str(number))
                    code = nursery.run(place, name, fsync=options.fsync, strace=strace)
                    try:
                        repaired_first = bool(sum(points.values()) % 2)
                        wrong = judging.check(
                            place,
                            before,
                            after,
                            code=code,
                            fault=fault,
                            repaired_first=repaired_first,
                            versions=versions,
                        )
                    except zc.errors.ZCollectionError as error:
                        wrong = repr(error)
                    points[name] += 1
                    failed += code != 0
                    if wrong:
                        violations.append(f"{name}, {fault} at {call} number {number}: {wrong}")
                        print(violations[-1], file=sys.stderr)
                    shutil.rmtree(place)
    figures = {"points": points.total(), "of each": points, "failed operations": failed, "violations": violations}
    running.finish(figures, faults=len(violations))


if __name__ == "__main__":
    main()
