"""What is not on the disk when it should be, with the option ``fsync``: ``python tests/faults/lint.py``.

The system calls of each operation are written down by ``strace``. When the record of a version takes its name, every
file written before and every name made before must have been synchronised after its last change, and every directory on
the way up to that of the collection; when its mark takes its name, all that the publication has put in place. Each
synchronisation is also taken away, which must be found.
"""

import argparse
import shutil
from pathlib import Path

import disk
import mutations
import operations
import running
import traced

OPERATIONS = [name for name in operations.OPERATIONS if name not in operations.PREPARATIONS]


def lint(
    nursery: traced.Nursery, work: Path, base: Path, name: str, *, mutation: str | None = None
) -> tuple[int, list[str]]:
    """Return how many records and marks an operation made, and what was not on the disk by then."""
    place, log = work / "new" / "place", work / "calls"
    shutil.copytree(base, place)
    try:
        code = nursery.run(place, name, fsync=True, strace=traced.logging(log, calls=disk.CALLS), mutation=mutation)
        found = list(disk.Disk(place).read(log))
    finally:
        shutil.rmtree(place)
    missing = [f"{name}, {Path(event).name}: {what}" for event, whats in found for what in whats]
    return len(found), missing if code == 0 else [*missing, f"{name} ended with {code}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=OPERATIONS)
    options = parser.parse_args()
    events, missing, caught = 0, [], {}
    with running.working_directory() as work, traced.Nursery() as nursery:
        operations.base(work / "base")
        for name in options.operations:
            number, found = lint(nursery, work, work / "base", name)
            events, missing = events + number, missing + found
        for mutation in mutations.SYNCS:
            caught[mutation] = [
                name for name in options.operations if lint(nursery, work, work / "base", name, mutation=mutation)[1]
            ]
    escaped = [mutation for mutation, names in caught.items() if not names]
    figures = {"records and marks": events, "not on the disk": missing, "found without": caught}
    running.finish(figures | {"not found without": escaped}, faults=len(missing) + len(escaped))


if __name__ == "__main__":
    main()
