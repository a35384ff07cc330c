"""What a collection contained at older versions: the nearest checkpoint before a version, and the records since.

A checkpoint of a small catalog is a copy of it. That of a large one is a copy of its root, which names segments: objects that never
change, and that a vacuum leaves for as long as a checkpoint that is kept names them.
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
"""Release 2026.12.4 reads those without an ending alone."""


async def keep(store: KeyStore, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint, so that its version need not be put together from the whole history."""
    known, ending = checkpoint.partitions, ""
    if isinstance(known, Segments):
        checkpoint, ending = evolve(checkpoint, partitions=evolve(known, retired=())), ".root"
    await store.put({f"{_CHECKPOINTS}{checkpoint.version:020d}{ending}": catalog.dump(checkpoint)})


async def at(store: KeyStore, number: int, *, with_segments: bool = True) -> Snapshot:
    """Return what a collection contained at a version; of a large one no segment is loaded yet.

    Parameters
    ----------
    store
        Where.
    number
        The version.
    with_segments
        False passes over checkpoints of large catalogs, for where a segment is missing or damaged.

    Raises
    ------
    CorruptionError
        A record is lost.
    """
    begun = await _before(store, number, with_segments=with_segments)
    first = 0 if begun is None else begun.version + 1
    # Where each group is stored, the newest version says: here all of them count as published.
    changes = [evolve(change, published=True) for change in await history.between(store, first, number)]
    taken = Snapshot(store, begun or Checkpoint(), changes)
    if begun is not None and isinstance(begun.partitions, Segments):
        return taken
    return Snapshot(store, taken.to_checkpoint())


async def _before(store: KeyStore, number: int, *, with_segments: bool) -> Checkpoint | None:
    """Return the last checkpoint up to a version that can be read."""
    known = await kept(store)
    for version, key in sorted(known, reverse=True):
        if version <= number and (with_segments or not key.endswith(".root")):
            found = await _load(store, key)
            if found is not None:
                return found
    return None


async def _load(store: KeyStore, key: str) -> Checkpoint | None:
    (data,) = await store.get([Read(key, most=catalog.READ.most)])
    return catalog.understood(data)


async def kept(store: KeyStore) -> list[tuple[int, str]]:
    """Return the versions of which there are checkpoints, each with the key of its checkpoint."""
    keys = [entry.key async for entry in store.list(_CHECKPOINTS)]
    names = {key: _NAME.fullmatch(key.removeprefix(_CHECKPOINTS)) for key in keys}
    return [(int(name[1]), key) for key, name in names.items() if name]


async def unnamed_segments(store: KeyStore) -> dict[str, float]:
    """Return the segments that neither the catalog nor a checkpoint names, by key with the time of each."""
    unnamed = await catalog.unnamed_segments(store)  # first: a checkpoint that is kept meanwhile is one of the catalog
    named = await _named_segments(store) if unnamed else set()
    return {key: time for key, time in unnamed.items() if key not in named}


async def _named_segments(store: KeyStore) -> set[str]:
    found: set[str] = set()
    for _, key in await kept(store):
        checkpoint = await _load(store, key) if key.endswith(".root") else None
        if checkpoint is not None and isinstance(checkpoint.partitions, Segments):
            found |= checkpoint.partitions.objects
    return found


async def forget(store: KeyStore, retention: Retention | None) -> None:
    """Remove the checkpoints from which no version is put together that can be read."""
    known = await kept(store)
    versions = sorted({version for version, _ in known})
    wanted = _wanted(versions, retention)
    await store.delete(key for version, key in known if version not in wanted)


def _wanted(versions: Iterable[int], retention: Retention | None) -> set[int]:
    """Return those of some versions, in order, from which others are put together that can be read."""
    if retention is None or not retention.keeps:
        return set()
    since = retention.since if retention.keeps_recent else None
    oldest = [*([] if since is None else [since]), *retention.tagged.values()]
    before = {max((version for version in versions if version <= number), default=number) for number in oldest}
    return before | {version for version in versions if since is not None and version > since}
