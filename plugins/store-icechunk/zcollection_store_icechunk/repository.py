"""Opens and creates repositories; a repository in a local directory is created atomically."""

import atexit
import os
import shutil
import time
import uuid
from collections.abc import Callable
from errno import EEXIST, ENOTEMPTY
from pathlib import Path
from typing import Final

import icechunk
from anyio import to_thread

from zcollection.plugin import CorruptionError, ensure_spare_files
from zcollection_store_icechunk.failures import is_no_repository
from zcollection_store_icechunk.places import Place

_OCCUPIED: Final = frozenset({EEXIST, ENOTEMPTY})
_PARTS: Final = ("snapshots", "manifests", "chunks", "transactions")
_PATIENCE: Final = 5.0
_INTERVAL: Final = 0.05
"""The seconds that a creator waits for a concurrent one, and between two checks."""

_LAST_MOMENT: Final = 0.05
"""The seconds that Icechunk's threads have at the end of the process to release Python objects."""

# A thread that releases an object while the interpreter shuts down aborts the process.
atexit.register(time.sleep, _LAST_MOMENT)

if "ICECHUNK_LOG" not in os.environ:
    # Icechunk warns for every local repository that it does not serialise commits; this plugin serialises them.
    icechunk.set_logs_filter("error")


class Opened:
    """The repository of a store, opened when first needed, and again in each process."""

    def __init__(self) -> None:
        self._repository: icechunk.Repository | None = None

    def __reduce__(self) -> tuple[type["Opened"], tuple[()]]:
        return Opened, ()

    def forget(self) -> None:
        """Open the repository again at the next access: an open one caches data that a vacuum may have changed."""
        self._repository = None

    async def repository(self, place: Place) -> icechunk.Repository | None:
        """Return the repository; None if there is none yet."""
        if self._repository is None:
            self._repository = await to_thread.run_sync(_open, place)
        return self._repository


def _open(place: Place) -> icechunk.Repository | None:
    ensure_spare_files("icechunk")
    # Some releases create a missing directory when they open it.
    if place.directory is not None and not Path(place.directory).is_dir():
        return None
    found = _found(place)
    if found is not None or not _has_parts(place):
        return found
    # Another process may have created it in the meantime.
    found = _found(place)
    if found is None:
        message = (
            f"{place.directory} contains objects of an Icechunk repository, but not the reference to its newest "
            f"snapshot (refs/branch.main/ref.json, or repo in format 2): restore that from a copy"
        )
        raise CorruptionError(message)
    return found


def _found(place: Place) -> icechunk.Repository | None:
    try:
        return icechunk.Repository.open(place.storage())
    except icechunk.IcechunkError as error:
        if not is_no_repository(error):
            raise
    return None


def _has_parts(place: Place) -> bool:
    return place.directory is not None and any((Path(place.directory) / name).is_dir() for name in _PARTS)


async def create_repository(place: Place, *, spec_version: int) -> None:
    """Create a repository unless it exists."""
    await to_thread.run_sync(_create, place, spec_version)


def _create(place: Place, spec_version: int) -> None:
    ensure_spare_files("icechunk")
    if place.directory is None:
        _make(place.storage(), spec_version)
    elif not _has_files(place.directory):
        _make_directory(Path(place.directory), spec_version)


def _make(storage: icechunk.Storage, spec_version: int) -> None:
    if icechunk.Repository.exists(storage):
        return
    create: Callable[..., icechunk.Repository] = icechunk.Repository.create
    try:
        # Icechunk 1 has no such parameter, and supports only one version.
        create(storage, **({} if icechunk.__version__.startswith("1.") else {"spec_version": spec_version}))
    except icechunk.IcechunkError:
        # A concurrent creator was first, or is about to finish.
        if not _appears(storage):
            raise


def _appears(storage: icechunk.Storage) -> bool:
    end = time.monotonic() + _PATIENCE
    while not (found := icechunk.Repository.exists(storage)) and time.monotonic() < end:
        time.sleep(_INTERVAL)
    return found


def _make_directory(directory: Path, spec_version: int) -> None:
    """Create a repository in a temporary directory, and rename it: of several concurrent creators, one succeeds."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    made = directory.with_name(f".{directory.name}-{uuid.uuid4().hex}")
    try:
        _make(icechunk.local_filesystem_storage(str(made)), spec_version)
        _move(made, directory)
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _move(made: Path, directory: Path) -> None:
    """Rename a directory; the target may be an empty directory."""
    try:
        made.rename(directory)
    except FileExistsError:  # Windows replaces no directory, not even an empty one
        directory.rmdir()
        made.rename(directory)


def _has_files(directory: str) -> bool:
    return Path(directory).is_dir() and any(Path(directory).iterdir())
