"""Where the work is done: memory where there is room for it, so that a disk's moods are not measured."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

SHARED_MEMORY = Path("/dev/shm")


@frozen
class Place:
    """A directory to work in.

    Attributes
    ----------
    path
        The directory.
    keeps_rounds
        Whether there is room for what all rounds leave; else each round's is deleted when it ends.
    """

    path: Path
    keeps_rounds: bool

    def describe(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "file_system": _file_system(self.path),
            "deletes_between_rounds": not self.keeps_rounds,
        }


@contextmanager
def working_directory(given: Path | None, *, one_round: int, rounds: int) -> Iterator[Place]:
    """Make a directory to work in, and remove it in the end.

    Parameters
    ----------
    given
        Where to make it; None chooses: shared memory if it has room for a round, else the directory of temporary files.
    one_round
        Bytes that a round leaves at most.
    rounds
        How many rounds.
    """
    parent = given or (SHARED_MEMORY if _room(SHARED_MEMORY) > one_round else Path(tempfile.gettempdir()))
    path = Path(tempfile.mkdtemp(prefix="zcollection-benchmarks-", dir=parent))
    try:
        yield Place(path, keeps_rounds=_room(parent) > one_round * rounds)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _room(path: Path) -> int:
    """Return the bytes that may be used; of shared memory, half of the memory that is free stays for the process."""
    if not path.is_dir() or not os.access(path, os.W_OK):
        return 0
    free = shutil.disk_usage(path).free
    return min(free, _available_memory() // 2) if path == SHARED_MEMORY else free


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _file_system(path: Path) -> str:
    """Return the type of the file system, as the mounts that lead to the path state it."""
    mounts = Path("/proc/mounts")
    if not mounts.is_file():
        return "unknown"
    found = [line.split()[1:3] for line in mounts.read_text().splitlines()]
    above = [(point, kind) for point, kind in found if path.is_relative_to(point)]
    return max(above, key=lambda item: len(item[0]))[1] if above else "unknown"
