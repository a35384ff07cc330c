"""What was changed, and when: for people, and for jobs that follow a collection."""

from attrs import frozen

from zcollection.collection.handle import Handle
from zcollection.errors import SettingError
from zcollection.transaction import log


@frozen(kw_only=True)
class HistoryEntry:
    """One version of a collection.

    Attributes
    ----------
    version
        Its number: 0 is the empty collection.
    time
        When it was committed, by the writer's clock: ISO 8601, UTC.
    operation
        What was done: "create", "insert", "update", "drop", "copy" or "vacuum".
    partitions
        How many partitions were written or dropped.
    rows
        Rows of the partitions written, after the change.
    source
        Host and process of the writer.
    """

    version: int
    time: str
    operation: str
    partitions: int
    rows: int
    source: str


@frozen(kw_only=True)
class Changes:
    """The partitions that differ between two versions.

    Attributes
    ----------
    version
        The newer one: what to ask for the next time.
    written
        Paths of the partitions that were written, and are there.
    dropped
        Paths of those that were dropped, and are not.
    """

    version: int
    written: tuple[str, ...]
    dropped: tuple[str, ...]


async def history(handle: Handle) -> tuple[HistoryEntry, ...]:
    """Return the versions of a collection; see `Collection.history`."""
    return tuple(
        HistoryEntry(
            version=version.number,
            time=version.time,
            operation=version.operation,
            partitions=len(version.partitions) + len(version.dropped),
            rows=sum(record.rows for record in version.partitions.values()),
            source=version.source,
        )
        for version in await log.every(handle.store)
    )


async def changes(handle: Handle, *, since: int) -> Changes:
    """Return the partitions changed after a version; see `Collection.changes`."""
    newest, _ = await log.listed(handle.store)
    if not 0 <= since <= newest:
        message = f"since={since!r}; accepted: a version of {handle.store.url}, 0 to {newest}"
        raise SettingError(message)
    there: dict[str, bool] = {}
    for version in [version for version in await log.every(handle.store) if version.number > since]:
        there |= dict.fromkeys(version.partitions, True) | dict.fromkeys(version.dropped, False)
        newest = version.number
    return Changes(
        version=newest,
        written=tuple(sorted(path for path, is_there in there.items() if is_there)),
        dropped=tuple(sorted(path for path, is_there in there.items() if not is_there)),
    )
