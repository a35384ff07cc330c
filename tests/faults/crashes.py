"""Operations killed, or refused by the disk, at one system call after the other: ``python tests/faults/crashes.py``.

Every point is a run of its own under ``strace``, which injects the fault. Afterwards a reader sees all of the operation or
nothing, before anything was repaired; the next writer succeeds and changes nothing else; and what lies in its place is what
the log says. Where an error was injected, an operation that failed did nothing, and one that succeeded did all.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import ledger
import numpy as np
import running

import zcollection as zc

CALLS = "write,mkdir,rename,renameat2,link,unlink,unlinkat,rmdir,fsync,fdatasync"
FAULTS = {"kill": "signal=SIGKILL", "full": "error=ENOSPC", "broken": "error=EIO"}
EXISTING = range(12)


def _update(collection: zc.Collection) -> None:
    collection.update(lambda dataset: {"value": dataset["value"].to_numpy() + 1})


def _overwrite(collection: zc.Collection) -> None:
    ledger.create(collection.store.root, overwrite=True, storage_options={"fsync": collection.store.fsync})


def _repair(collection: zc.Collection) -> None:
    for lost in ("_catalog/c/0", "year=1970/month=01/zarr.json"):
        Path(collection.store.root, lost).unlink()
    collection.repair()


OPERATIONS: dict[str, Callable[[zc.Collection], object]] = {
    "insert": lambda collection: collection.insert(
        {name: values[3:] for name, values in _days_later(ledger.rows(range(3))).items()}
    ),
    "replace": lambda collection: collection.insert(ledger.rows([20, 21, 22])),
    "upsert": lambda collection: collection.insert(ledger.rows([20, 21, 22]), merge="upsert"),
    "update": _update,
    "drop": lambda collection: collection.drop_partitions(filters="day > 3"),
    "overwrite": _overwrite,
    "vacuum": lambda collection: collection.vacuum(older_than="0s"),
    "repair": _repair,
}


def _days_later(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return rows | {"time": rows["time"] + 10 * ledger.DAY}


def operate(place: Path, name: str, *, fsync: bool) -> None:
    """Do what is to be interrupted, in a process of its own."""
    collection = zc.open_collection(place, mode="rw", storage_options={"fsync": fsync})
    with zc.config.using(threads=1):
        OPERATIONS[name](collection)


def leave_a_stage(place: Path) -> None:
    """Leave what a writer leaves that dies before it commits."""
    stage = place / "_transactions/stage" / ("0" * 32) / "year=1970/month=01/day=01"
    stage.mkdir(parents=True)
    (stage / "zarr.json").write_text("{}")


def state(place: Path) -> tuple[object, ...]:
    """Return all that a reader sees."""
    collection = zc.open_collection(place)
    dataset = collection.query()
    arrays = {} if dataset is None else dataset.all_variables()
    return collection.partitions(), {path: item.to_numpy().tolist() for path, item in arrays.items()}


def run(place: Path, name: str, *, fsync: bool, strace: list[str]) -> int:
    command = [sys.executable, __file__, "--operate", name, "--place", str(place), *(["--fsync"] if fsync else [])]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([*strace, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode


def count(place: Path, name: str, *, fsync: bool, log: Path) -> int:
    """Return how many calls the busiest thread of an operation makes: faults are counted by thread."""
    code = run(place, name, fsync=fsync, strace=["strace", "-f", "-qq", "-e", f"trace={CALLS}", "-o", str(log)])
    if code:
        raise RuntimeError(f"{name} failed without any fault")
    return max(Counter(line.split()[0] for line in log.read_text().splitlines()).values())


def check(place: Path, before: object, after: object, *, code: int, fault: str) -> str | None:
    """Return what is wrong after a fault, or None."""
    found = state(place)
    if found not in (before, after):
        return "neither all nor nothing"
    if fault != "kill" and (code == 0) != (found == after) and before != after:
        return f"exit code {code}, and the change is {'there' if found == after else 'not there'}"
    later = _days_later(_days_later(ledger.rows([50])))
    zc.open_collection(place, mode="rw").insert(later)
    partitions, values = state(place)
    if partitions[: len(found[0])] != found[0] or len(partitions) != len(found[0]) + 2:
        return "the next writer changed other partitions"
    rows = {name: found[1].get(name, []) for name in values}
    if any(column[: len(rows[name])] != rows[name] for name, column in values.items()):
        return "the next writer changed other rows"
    return f"the catalog is wrong: {errors[0]}" if (errors := ledger.catalog_errors(place)) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operate", choices=OPERATIONS, help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--fsync", action="store_true", help="with the store's option fsync")
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=list(OPERATIONS))
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--every", type=int, default=1, help="only every n-th call")
    options = parser.parse_args()
    if options.operate:
        operate(options.place, options.operate, fsync=options.fsync)
        return
    points, violations = 0, []
    with running.working_directory() as work:
        base = work / "base"
        ledger.create(base)
        for first in EXISTING[::4]:
            ledger.enter(base, range(first, first + 4))
        leave_a_stage(base)
        before = state(base)
        for name in options.operations:
            whole = work / name
            shutil.copytree(base, whole)
            calls = count(whole, name, fsync=options.fsync, log=work / "calls")
            after = state(whole)
            for fault in options.faults:
                for number in range(1, calls + 1, options.every):
                    place = work / "place"
                    shutil.copytree(base, place)
                    strace = [
                        "strace",
                        "-f",
                        "-qq",
                        "-e",
                        f"trace={CALLS}",
                        "-e",
                        f"inject={CALLS}:{FAULTS[fault]}:when={number}",
                    ]
                    code = run(place, name, fsync=options.fsync, strace=[*strace, "-o", os.devnull])
                    try:
                        wrong = check(place, before, after, code=code, fault=fault)
                    except zc.errors.ZCollectionError as error:
                        wrong = repr(error)
                    points += 1
                    if wrong:
                        violations.append(f"{name}, {fault} at call {number} of {calls}: {wrong}")
                        print(violations[-1], file=sys.stderr)
                    shutil.rmtree(place)
    running.finish({"points": points, "violations": violations}, faults=len(violations))


if __name__ == "__main__":
    main()
