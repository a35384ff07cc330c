"""Repositories opened and created; one in a local directory appears whole."""

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
"""How many seconds a creator waits for another one, and how often it looks."""

_LAST_MOMENT: Final = 0.05
"""How many seconds Icechunk's threads have, when the process ends, to let go of Python's objects."""

# One that still does so while the interpreter is taken down aborts the process, which had done all its work.
atexit.register(time.sleep, _LAST_MOMENT)

if "ICECHUNK_LOG" not in os.environ:
    # It warns on every local repository that commits are not serialised, which we do.
    icechunk.set_logs_filter("error")


class Opened:
    """The repository of a store, opened when first needed, and anew in another process."""

    def __init__(self) -> None:
        self._repository: icechunk.Repository | None = None

    def __reduce__(self) -> tuple[type["Opened"], tuple[()]]:
        return Opened, ()

    def forget(self) -> None:
        """Open it anew the next time: a repository remembers what a vacuum has changed since."""
        self._repository = None

    async def repository(self, place: Place) -> icechunk.Repository | None:
        """Return the repository, or None where there is none yet."""
        if self._repository is None:
            self._repository = await to_thread.run_sync(_open, place)
        return self._repository


def _open(place: Place) -> icechunk.Repository | None:
    ensure_spare_files("icechunk")
    # Asked for a directory that does not exist, some releases make it.
    if place.directory is not None and not Path(place.directory).is_dir():
        return None
    found = _found(place)
    if found is not None or not _has_parts(place):
        return found
    # Another process may have put it there in between: it appears whole.
    found = _found(place)
    if found is None:
        message = (
            f"{place.directory} holds objects of an Icechunk repository, and not the one that says what is its newest "
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
    """Create a repository unless there is one."""
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
        # Icechunk 1 has no such parameter, and knows no other version.
        create(storage, **({} if icechunk.__version__.startswith("1.") else {"spec_version": spec_version}))
    except icechunk.IcechunkError:
        # Of several creators another one was first, or is about to be.
        if not _appears(storage):
            raise


def _appears(storage: icechunk.Storage) -> bool:
    end = time.monotonic() + _PATIENCE
    while not (found := icechunk.Repository.exists(storage)) and time.monotonic() < end:
        time.sleep(_INTERVAL)
    return found


def _make_directory(directory: Path, spec_version: int) -> None:
    """Make a repository beside its place, which it then takes at once: of several creators one is the first."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    made = directory.with_name(f".{directory.name}-{uuid.uuid4().hex}")
    try:
        _make(icechunk.local_filesystem_storage(str(made)), spec_version)
        _take_place(made, directory)
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _take_place(made: Path, directory: Path) -> None:
    """Rename a directory to a place where nothing exists, or an empty directory."""
    try:
        made.rename(directory)
    except FileExistsError:  # Windows replaces no directory, not even an empty one
        directory.rmdir()
        made.rename(directory)


def _has_files(directory: str) -> bool:
    return Path(directory).is_dir() and any(Path(directory).iterdir())
