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

import ledger
import operations
import running
import traced
import zarr

import zcollection as zc

FAULTS = {"kill": "signal=SIGKILL", "full": "error=ENOSPC", "broken": "error=EIO"}
State = tuple[tuple[str, ...], dict[str, list[float]]]


def state(place: Path) -> State:
    """Return all that a reader sees."""
    collection = zc.open_collection(place)
    dataset = collection.query()
    arrays = {} if dataset is None else dataset.all_variables()
    return collection.partitions(), {path: item.to_numpy().tolist() for path, item in arrays.items()}


def plain(place: Path) -> State:
    """Return all that plain zarr reads."""
    paths = sorted(str(found.parent.relative_to(place)) for found in place.glob("year=*/month=*/day=*/zarr.json"))
    groups = [zarr.open_group(place / path, mode="r") for path in paths]
    names = sorted({name for group in groups for name in group.array_keys()})
    return tuple(paths), {name: [value for group in groups for value in group[name][:].tolist()] for name in names}


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


def check(place: Path, before: State, after: State, *, code: int, fault: str, repaired_first: bool) -> str | None:
    """Return what is wrong after a fault, or None."""
    found = state(place)
    if found not in (before, after):
        return "neither all nor nothing"
    if fault != "kill" and (code == 0) != (found == after) and before != after:
        return f"exit code {code}, and the change is {'there' if found == after else 'not there'}"
    return (repaired_first and repair(place)) or write(place, found) or repair(place)


def repair(place: Path) -> str | None:
    """Return what a repair leaves wrong, or changes."""
    seen = state(place)
    zc.open_collection(place, mode="rw").repair()
    if state(place) != seen:
        return "the repair changed what is seen"
    if problems := zc.open_collection(place).verify(data=True).problems:
        return f"the repair left {problems[0]}"
    if plain(place) != seen:
        return "plain zarr reads something else after the repair"
    return f"the catalog is wrong: {errors[0]}" if (errors := ledger.catalog_errors(place)) else None


def write(place: Path, seen: State) -> str | None:
    """Return what the next writer changes besides its own rows."""
    later = operations.days_later(operations.days_later(ledger.rows([50])))
    zc.open_collection(place, mode="rw").insert(later)
    partitions, values = state(place)
    if partitions[: len(seen[0])] != seen[0] or len(partitions) != len(seen[0]) + 2:
        return "the next writer changed other partitions"
    rows = {name: seen[1].get(name, []) for name in values}
    if any(column[: len(rows[name])] != rows[name] for name, column in values.items()):
        return "the next writer changed other rows"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fsync", action="store_true", help="with the store's option fsync")
    parser.add_argument("--operations", nargs="+", choices=operations.OPERATIONS, default=list(operations.OPERATIONS))
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--every", type=int, default=1, help="only every n-th call")
    options = parser.parse_args()
    points, failed, violations = Counter(), 0, []
    with running.working_directory() as work, traced.Nursery() as nursery:
        operations.base(work / "base")
        for name in options.operations:
            start, whole, place = work / f"before {name}", work / name, work / "place"
            shutil.copytree(work / "base", start)
            operations.PREPARATIONS.get(name, lambda _: None)(start)
            shutil.copytree(start, whole)
            before = state(start)
            made = calls(nursery, whole, name, fsync=options.fsync, log=work / "calls")
            after = state(whole)
            for fault in options.faults:
                for call, number in made[:: options.every]:
                    shutil.copytree(start, place)
                    strace = traced.injecting(FAULTS[fault], calls=call, when=str(number))
                    code = nursery.run(place, name, fsync=options.fsync, strace=strace)
                    try:
                        repaired_first = bool(sum(points.values()) % 2)
                        wrong = check(place, before, after, code=code, fault=fault, repaired_first=repaired_first)
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
