"""The content of a collection at an older version: the nearest checkpoint before it, and the records since.

A checkpoint of a small catalog is a copy of it. A checkpoint of a large catalog is a copy of its root, which names
segments: immutable objects that a vacuum keeps while a kept checkpoint names them.
"""

import re
from collections.abc import Iterable
from typing import Final

from attrs import evolve

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.transaction.documents import TRANSACTIONS
from zcollection.transaction.index import catalog
from zcollection.transaction.index.catalog import Checkpoint
from zcollection.transaction.index.segments import Segments
from zcollection.transaction.log import history
from zcollection.transaction.retention import Retention
from zcollection.transaction.snapshot import Snapshot

_CHECKPOINTS: Final = f"{TRANSACTIONS}/checkpoints/"
_NAME: Final = re.compile(r"([0-9]{20})(\.root)?")
"""Names of checkpoints; release 2026.12.4 reads only those without the suffix."""


async def keep(store: KeyStore, checkpoint: Checkpoint) -> None:
    """Store a checkpoint, so that its version need not be computed from the whole history."""
    known, ending = checkpoint.partitions, ""
    if isinstance(known, Segments):
        checkpoint, ending = evolve(checkpoint, partitions=evolve(known, retired=())), ".root"
    await store.put({f"{_CHECKPOINTS}{checkpoint.version:020d}{ending}": catalog.dump(checkpoint)})


async def at(store: KeyStore, number: int, *, with_segments: bool = True) -> Snapshot:
    """Return a snapshot of an older version; of a large collection no segment is loaded yet.

    Parameters
    ----------
    store
        The store of the collection.
    number
        Number of the version.
    with_segments
        False ignores checkpoints of large catalogs, for a caller that found a segment missing or damaged.

    Raises
    ------
    CorruptionError
        A commit record is lost.
    """
    begun = await _before(store, number, with_segments=with_segments)
    first = 0 if begun is None else begun.version + 1
    # Here all groups count as published: the caller finds their places with the newest version.
    changes = [evolve(change, published=True) for change in await history.between(store, first, number)]
    snapshot = Snapshot(store, begun or Checkpoint(), changes)
    if begun is not None and isinstance(begun.partitions, Segments):
        return snapshot
    return Snapshot(store, snapshot.to_checkpoint())


async def _before(store: KeyStore, number: int, *, with_segments: bool) -> Checkpoint | None:
    """Return the last valid checkpoint up to a version; None if there is none."""
    known = await kept(store)
    for version, key in sorted(known, reverse=True):
        if version <= number and (with_segments or not key.endswith(".root")):
            found = await _load(store, key)
            if found is not None:
                return found
    return None


async def _load(store: KeyStore, key: str) -> Checkpoint | None:
    (data,) = await store.get([Read(key, most=catalog.READ.most)])
    return catalog.parsed(data)


async def kept(store: KeyStore) -> list[tuple[int, str]]:
    """Return the versions that have a checkpoint, each with the key of the checkpoint."""
    keys = [entry.key async for entry in store.list(_CHECKPOINTS)]
    names = {key: _NAME.fullmatch(key.removeprefix(_CHECKPOINTS)) for key in keys}
    return [(int(name[1]), key) for key, name in names.items() if name]


async def unnamed_segments(store: KeyStore) -> dict[str, float]:
    """Return the time of each segment that neither the catalog nor a checkpoint names, by key."""
    unnamed = await catalog.unnamed_segments(store)  # first: a checkpoint stored meanwhile is a copy of the catalog
    named = await _named_segments(store) if unnamed else set()
    return {key: time for key, time in unnamed.items() if key not in named}


async def _named_segments(store: KeyStore) -> set[str]:
    found: set[str] = set()
    for _, key in await kept(store):
        checkpoint = await _load(store, key) if key.endswith(".root") else None
        if checkpoint is not None and isinstance(checkpoint.partitions, Segments):
            found |= checkpoint.partitions.objects
    return found


async def remove_unneeded(store: KeyStore, retention: Retention | None) -> None:
    """Remove the checkpoints that no readable version needs."""
    known = await kept(store)
    versions = sorted({version for version, _ in known})
    required = _required(versions, retention)
    await store.delete(key for version, key in known if version not in required)


def _required(versions: Iterable[int], retention: Retention | None) -> set[int]:
    """Return the versions, of a sorted list with checkpoints, from which readable versions are computed."""
    if retention is None or not retention.keeps:
        return set()
    since = retention.since if retention.keeps_recent else None
    oldest = [*([] if since is None else [since]), *retention.tagged.values()]
    before = {max((version for version in versions if version <= number), default=number) for number in oldest}
    return before | {version for version in versions if since is not None and version > since}
