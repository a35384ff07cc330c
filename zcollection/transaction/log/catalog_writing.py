"""Writing of the catalog: when it is due after a change, and from the log or the partitions that exist."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from zcollection.contracts.store import Fence, KeyStore, unfenced
from zcollection.engine.work import perform_one
from zcollection.errors import CorruptionError
from zcollection.transaction.documents import Configuration
from zcollection.transaction.index import catalog
from zcollection.transaction.index.segments import SegmentError
from zcollection.transaction.log import commit_log, publication, snapshots
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.version import Version

_MOST_BEHIND: Final = 16
"""Number of versions by which the catalog may be behind: a reader has to read the record of each of them, too."""

_LEAST_SHARE: Final = 1 / 4
"""The share of changed partitions from which the catalog is written again, so that its cost is proportional to changes."""


async def write_checkpoint(store: KeyStore, configuration: Configuration) -> int:
    """Write the catalog of the newest version up to which all versions are published, and return its number.

    The caller holds the lock. The result is 0 if the partitions at that version are not known.
    """
    snapshot = await snapshots.take(store, configuration, candidates=())
    if snapshot.pending:
        await publication.publish_pending(store, snapshot.changes)
        snapshot = await snapshots.take(store, configuration, candidates=())
    published = snapshot.published()
    if published is None:
        return 0
    if configuration.catalog:
        try:
            await save(store, configuration, published)
        except SegmentError:
            return 0  # the next writer rebuilds the catalog
    return published.version


async def save(store: KeyStore, configuration: Configuration, snapshot: Snapshot, fence: Fence = unfenced) -> None:
    """Write the catalog of a published snapshot, in the form that the configuration requires.

    Raises
    ------
    CorruptionError
        A segment that is needed is missing or damaged.
    """
    needed = snapshot.changing() if configuration.segments else snapshot.completed(None)
    checkpoint = (await perform_one(store, needed)).to_checkpoint()
    is_kept = configuration.keeps  # checkpoints of older versions may name its segments: a vacuum removes unused ones
    await catalog.save(store, checkpoint, in_segments=configuration.segments, removes=not is_kept, fence=fence)


def is_due(snapshot: Snapshot, later: Sequence[Version], fewest_changed: int) -> bool:
    """Return whether a checkpoint is due after the changes of a snapshot and later ones.

    Parameters
    ----------
    snapshot, later
        The snapshot, and the changes after it.
    fewest_changed
        Smallest number of changed partitions for a new checkpoint, unless the catalog is empty or far behind.
    """
    if snapshot.checkpoint.record.transaction is None:
        return True  # a catalog of release 2026.12.0, which does not identify its log
    changes = [*snapshot.changes, *later]
    changed = sum(len(change.touched) for change in changes)
    behind = changes[-1].number - snapshot.checkpoint.version if changes else 0
    indexed = len(snapshot.checkpoint.partitions)
    return behind >= _MOST_BEHIND or (changed >= _LEAST_SHARE * indexed and (changed >= fewest_changed or not indexed))


async def rebuild_catalog(store: KeyStore, configuration: Configuration) -> int:
    """Write the catalog from the partitions found by listing, and return their number."""
    store.check_writable()
    async with store.lock():
        await publication.publish_pending(store, (await commit_log.listed(store))[1])
        # A partition that is not listed may exist nevertheless, for example behind a symbolic link.
        known = await _known_paths(store, configuration)
        found = await snapshots.take(store, configuration, walk=True, further_paths=known)
        unpublishable = await publication.publish_pending(store, found.changes)
        if configuration.catalog and not unpublishable.versions:
            await save(store, configuration, found)
    return len(found.partitions)


async def _known_paths(store: KeyStore, configuration: Configuration) -> list[str]:
    """Return the paths of the partitions in the catalog; none if it is damaged."""
    with suppress(CorruptionError):
        return list((await snapshots.take(store, configuration)).partitions)
    return []
