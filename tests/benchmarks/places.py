"""Where the work is done: memory where there is room for it, so that a disk's moods are not measured."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SHARED_MEMORY = Path("/dev/shm")


@contextmanager
def working_directory(given: Path | None, *, one_round: int) -> Iterator[Path]:
    """Make a directory to work in, and remove it in the end.

    Parameters
    ----------
    given
        Where to make it; None chooses: shared memory if it has room for a round, else the directory of temporary files.
    one_round
        Bytes that a round leaves at most.
    """
    parent = given or (SHARED_MEMORY if _room(SHARED_MEMORY) > one_round else Path(tempfile.gettempdir()))
    path = Path(tempfile.mkdtemp(prefix="zcollection-benchmarks-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def describe(place: Path) -> dict[str, Any]:
    """Return what a reader of the figures must know of a place."""
    return {"path": str(place), "file_system": _file_system(place)}


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
