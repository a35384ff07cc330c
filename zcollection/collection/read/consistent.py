"""Consistent reads without locks: all rows belong to one version, even if other writers commit during the read.

The values read are accepted only if no newer version was committed in the meantime. Otherwise the partitions that changed
are read again, at the newest version. The other partitions have not changed, so that the result is that version.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import anyio

from zcollection.errors import ConflictError, CorruptionError, OutdatedError, StoreError
from zcollection.progress import ProgressOption
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.snapshot import Snapshot

R = TypeVar("R")
V = TypeVar("V", bound="Labelled")

TRIES: Final = 50
"""Number of attempts at a read before it raises `ConflictError`."""
_LONGEST_PAUSE: Final = 0.2


async def pause(number: int) -> None:
    """Wait before another attempt; the wait grows with the number of attempts."""
    await anyio.sleep(min(0.001 * 2**number, _LONGEST_PAUSE) if number > 1 else 0)


Generation = tuple[str | None, str]
"""The stamp and the prefix of a partition: values read from it stay valid while neither changes."""


def generation(snapshot: Snapshot, path: str) -> Generation:
    """Return the generation of a partition in a snapshot."""
    return generation_of(snapshot, path, snapshot.record(path))


def generation_of(snapshot: Snapshot, path: str, record: PartitionRecord | None) -> Generation:
    """Return the generation of a partition in a snapshot, given its record."""
    return (None if record is None else record.stamp), snapshot.place(path).prefix


class Labelled(Protocol):
    """What is read: the selected partitions of one version, or of one version of a view and one of its base."""

    @property
    def label(self) -> object:
        """Identifies the version."""


async def _never(_error: Exception, _version: object) -> bool:
    return False


async def read_consistently(
    newest: Callable[[], Awaitable[V]],
    read: Callable[[V, ProgressOption], Awaitable[R]],
    *,
    progress: ProgressOption,
    is_same: Callable[[V, V], bool],
    is_outdated: Callable[[V], Awaitable[bool]],
    failure: str,
    first: V | None = None,
    can_continue: Callable[[Exception, V], Awaitable[bool]] = _never,
) -> tuple[V, R]:
    """Read the newest version, again until no newer one was committed during the read; return the version and the result.

    Parameters
    ----------
    newest
        Returns the newest version.
    read
        Reads a version; it is called again for a newer version, and caches what has not changed. It may return None if
        there is nothing to read, so that no check is needed.
    progress
        Passed to `read` at the first attempt, and None at the others.
    is_same
        Whether a newer version has the same generations of the partitions that were read.
    is_outdated
        Whether a newer version may have been committed.
    failure
        Message of the error after too many attempts.
    first
        The version to begin with, if it is known.
    can_continue
        Takes the error of an attempt during which nothing changed, and returns whether another attempt can succeed.

    Raises
    ------
    ConflictError
        Other writers kept changing the same partitions.
    """
    version = await newest() if first is None else first
    for number in range(TRIES):
        try:
            result = await read(version, None if number else progress)
        except (ConflictError, CorruptionError, StoreError) as error:
            newer = await newest()
            # A newer version may have the same partitions; and the same version may have moved them to other places.
            is_unchanged = newer.label == version.label or not isinstance(error, OutdatedError)
            if is_unchanged and is_same(version, newer) and not await can_continue(error, version):
                raise
            version = newer
            continue
        if result is None or not await is_outdated(version):
            return version, result
        await pause(number)
        version = await newest()
    raise ConflictError(failure)
