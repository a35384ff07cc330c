"""What a file system refuses: exchanges, hard links, and writing at all: ``python tests/faults/refused.py``.

Each operation succeeds where `renameat2` says EINVAL, or `link` that it is not permitted or not supported, at every call,
and leaves what it leaves elsewhere. Killed between any two calls there, it leaves all or nothing. Readers of a mount that is
for reading only read, and writers are told.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import judging
import ledger
import operations
import running
import traced

REFUSALS = {
    "no exchange": ("renameat2", "error=EINVAL"),
    "links not permitted": ("link", "error=EPERM"),
    "links not supported": ("link", "error=EOPNOTSUPP"),
}
READS_ONLY = """
import sys
import judging, zcollection as zc
from pathlib import Path
place = Path(sys.argv[1])
partitions, values = judging.state(place)
assert len(partitions) == 6, partitions
collection = zc.open_collection(place)
assert collection.verify(data=True).problems == () and collection.history()
assert collection.query(lazy=True)["value"].to_numpy().tolist() == values["value"]
try:
    zc.open_collection(place, mode="rw").insert({"time": [1], "entry": [1], "value": [1.0]})
except zc.StoreError as error:
    assert "mounted read-only" in str(error), error
else:
    sys.exit("an insertion succeeded")
"""


def refused(nursery: traced.Nursery, work: Path, name: str, refusal: str) -> str | None:
    """Return what is wrong after an operation of which some calls were refused."""
    call, fault = REFUSALS[refusal]
    states = []
    for strace in ((), traced.injecting(fault, calls=call)):
        place = work / "place"
        shutil.copytree(work / "base", place)
        operations.PREPARATIONS.get(name, lambda _: None)(place)
        code = nursery.run(place, name, fsync=False, strace=strace)
        wrong = f"it ended with {code}" if code else judging.repair(place)
        states.append(judging.state(place))
        shutil.rmtree(place)
        if wrong:
            return wrong
    return None if states[0] == states[1] else "it left something else than where nothing is refused"


def killed(nursery: traced.Nursery, work: Path, name: str, every: int) -> tuple[int, list[str]]:
    """Return how often an operation without exchanges was killed, and what was wrong then."""
    refusal = ["-e", "inject=renameat2:error=EINVAL"]
    shutil.copytree(work / "base", work / "whole")
    before = judging.state(work / "base")
    nursery.run(work / "whole", name, fsync=False, strace=[*traced.logging(work / "calls"), *refusal])
    after = judging.state(work / "whole")
    renames = (work / "calls").read_text().count(" rename(")
    violations = []
    for number in range(1, renames + 1, every):
        place = work / "place"
        shutil.copytree(work / "base", place)
        strace = [
            *traced.injecting("signal=SIGKILL", calls="rename", when=str(number)),
            "-e",
            "trace=rename,renameat2",
            *refusal,
        ]
        code = nursery.run(place, name, fsync=False, strace=strace)
        wrong = judging.check(place, before, after, code=code, fault="kill", repaired_first=bool(number % 2))
        violations += [f"{name}, no exchange, killed at rename number {number}: {wrong}"] if wrong else []
        shutil.rmtree(place)
    shutil.rmtree(work / "whole")
    return len(range(1, renames + 1, every)), violations


def read_only(place: Path) -> str | None:
    """Return what is wrong with how a mount for reading only is met; "not possible: …" where none can be made."""
    mount = f"mount --bind {place} {place} && mount -o remount,bind,ro {place}"
    script = f"{mount} && exec {sys.executable} -c '{READS_ONLY}' {place}"
    environment = os.environ | {"PYTHONPATH": str(running.HERE)}
    command = ["unshare", "--mount", "sh", "-c", "mount --make-rprivate / && exit 0"]
    if shutil.which("unshare") is None or subprocess.run(command, capture_output=True).returncode:
        return "not possible: mounts of its own are not for this user"
    done = subprocess.run(["unshare", "--mount", "bash", "-c", script], env=environment, capture_output=True, text=True)
    return f"{done.stdout}{done.stderr}" if done.returncode else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", nargs="+", choices=operations.OPERATIONS, default=list(operations.OPERATIONS))
    parser.add_argument("--every", type=int, default=1, help="kill only at every n-th rename")
    options = parser.parse_args()
    violations, done, kills = [], 0, 0
    with running.working_directory() as work, traced.Nursery() as nursery:
        operations.base(work / "base")
        for name in options.operations:
            for refusal in REFUSALS:
                wrong = refused(nursery, work, name, refusal)
                violations += [f"{name}, {refusal}: {wrong}"] if wrong else []
                done += 1
        for name in [name for name in options.operations if name in {"replace", "update", "drop"}]:
            number, found = killed(nursery, work, name, options.every)
            kills, violations = kills + number, violations + found
        mount = read_only(work / "base")
        possible = mount is None or not mount.startswith("not possible")
        violations += [f"mount for reading only: {mount}"] if mount and possible else []
        assert ledger.catalog_errors(work / "base") == []
    figures = {"operations": done, "killed without exchange": kills, "mount for reading only": mount or "read"}
    running.finish(figures | {"violations": violations}, faults=len(violations))


if __name__ == "__main__":
    main()
