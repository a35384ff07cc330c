"""A read-only collection at an older version.

The commit records up to a version determine its content. Each of its groups is stored in its published place until a newer
version replaces it, and afterwards in the place where it is kept: under the id of the transaction that wrote it.
"""

# ruff: noqa: ARG002 - the methods of a contract

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from attrs import evolve, field, frozen

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.contracts.transactional import Moment
from zcollection.engine.work import perform_one
from zcollection.errors import CorruptionError, OutdatedError, SettingError
from zcollection.transaction.caches import Cache
from zcollection.transaction.documents import IMMUTABLE, Configuration, PartitionRecord
from zcollection.transaction.index import segments
from zcollection.transaction.index.partitions import Candidates
from zcollection.transaction.index.segments import SegmentError, Segments
from zcollection.transaction.log import checkpoints, commit_log, history, snapshots
from zcollection.transaction.moments import time_of
from zcollection.transaction.places import Place
from zcollection.transaction.read_only import ReadOnlyVersioning
from zcollection.transaction.reports import Changes, Committed, HistoryEntry, Label, Problem
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.version import kept_at
from zcollection.transaction.versioning import Versioning

if TYPE_CHECKING:
    import zarr.abc.store


async def resolved(store: KeyStore, present: Versioning, at: Moment) -> "PastVersioning":
    """Return a collection as it was at a version, a tag or a time.

    Raises
    ------
    SettingError
        The version does not exist, or is not kept.
    """
    configuration = await present.load()
    newest = (await commit_log.listed(store))[0].number
    number = _numbered(at, configuration)
    if number is None:
        number = await _newest_at(store, time_of(at))
    if number is None or not 0 <= number <= newest:
        known = _readable(configuration, newest)
        message = f"at={at!r} is not a version of {store.url}; accepted: {known}"
        raise SettingError(message)
    check_kept(store, configuration, number, newest, SettingError)
    return PastVersioning(store, present, number)


def _numbered(at: Moment, configuration: Configuration) -> int | None:
    """Return the version that a number or a tag selects; None if the moment is neither."""
    tags = {} if configuration.retention is None else configuration.retention.tagged
    if isinstance(at, str) and at in tags:
        return tags[at]
    if isinstance(at, str) and at.isascii() and at.isdigit():
        return int(at)
    return at if isinstance(at, int) and not isinstance(at, bool) else None


async def _newest_at(store: KeyStore, time: dt.datetime | None) -> int | None:
    """Return the newest version committed up to a time; None if there was none."""
    if time is None:
        return None
    versions = await history.all_versions(store)
    return max((version.number for version in versions if (time_of(version.time) or time) <= time), default=None)


def _readable(configuration: Configuration, newest: int) -> str:
    retention = configuration.retention
    is_recent = retention is not None and retention.keeps_recent
    since = newest if retention is None or retention.since is None or not is_recent else retention.since
    tags = [] if retention is None else [repr(name) for name in retention.tagged]
    numbers = f"{since} to {newest}" if since < newest else f"{newest}, the newest"
    return ", ".join([numbers, *tags, "or a time"])


def check_kept(store: KeyStore, configuration: Configuration, number: int, newest: int, error: type[Exception]) -> None:
    """Check that a version can be read, given the newest version and its configuration."""
    retention = configuration.retention
    if number == newest or (retention is not None and retention.has(number)):
        return
    advice = (
        ""
        if retention is not None and retention.keeps_recent
        else "; call retain() for versions to be kept from now on"
    )
    message = f"version {number} of {store.url} is not kept; accepted: {_readable(configuration, newest)}{advice}"
    raise error(message)


class _Cache(Cache):
    """The snapshot of the version, once it was read: it never changes."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None


@frozen
class PastVersioning(ReadOnlyVersioning):
    """An older version of a collection.

    Attributes
    ----------
    store
        Where it is stored.
    present
        The collection at its newest version.
    number
        Number of the version.
    """

    store: KeyStore
    present: Versioning
    number: int
    _cache: _Cache = field(factory=_Cache, eq=False, repr=False, init=False)

    @property
    def pinned_at(self) -> Label:
        """The number of the version."""
        return self.number

    def kept_place(self, path: str, record: PartitionRecord) -> Place:
        """Return where a partition is kept."""
        return Place(kept_at(record.stamp, path))

    async def load(self) -> Configuration:
        """Return the configuration of that version."""
        contained = await self._contained()
        written = max(contained.configuration, contained.schema)
        (version,) = await history.between(self.store, written, written)
        if version.new_configuration is None:
            message = f"the record of version {written} of {self.store.url} contains no configuration; call repair()"
            raise CorruptionError(message)
        return Configuration.load(version.new_configuration.encode(), what=f"the configuration of version {written}")

    async def _contained(self) -> Snapshot:
        """Return the snapshot of the version; of a large collection no segment is loaded."""
        if self._cache.snapshot is None:
            self._cache.snapshot = await checkpoints.at(self.store, self.number)
        return self._cache.snapshot

    async def snapshot(self, configuration: Configuration, candidates: Candidates = None) -> Snapshot:
        """Return the snapshot of that version, or its candidates, each with the place where it is stored now.

        Raises
        ------
        OutdatedError
            A vacuum has removed what the version needs.
        """
        contained = await self._contained()
        try:
            then = await perform_one(self.store, contained.completed(candidates))
        except (
            SegmentError
        ):  # an older release has removed the segment, or it is damaged: the records contain the same partitions
            then = self._cache.snapshot = await checkpoints.at(self.store, self.number, with_segments=False)
        return evolve(then, places=await self._places(then, candidates))

    async def _places(self, then: Snapshot, candidates: Candidates) -> dict[str, Place]:
        """Return where each group is stored that is not in its published place, by path."""
        stamps = _stamps(then, candidates)
        present = await self.present.load()
        needed = [*stamps] if len(stamps) <= segments.MOST_WHOLE else None
        now = await snapshots.newest(self.store, present, needed)
        check_kept(self.store, present, self.number, now.version, OutdatedError)
        moved = {path: kept_at(stamp, path) for path, stamp in stamps.items() - _stamps(now, needed).items()}
        settled = {path: Place(prefix) for path, prefix in moved.items()}
        being_moved = {change.place(path): path for change in now.pending for path in change.kept if path in moved}
        same = {path: place for path, place in now.places.items() if path not in moved and path in stamps}
        return settled | same | await self._found(then, being_moved, settled)

    async def _found(self, then: Snapshot, staged: Mapping[Place, str], kept: Mapping[str, Place]) -> dict[str, Place]:
        """Return where groups are stored while a version replaces them: kept, in their published place, or staged."""
        found: dict[str, Place] = {}
        for stage, path in staged.items():
            candidates = [kept[path], Place.of(path), stage]
            documents = await self.store.get([Read(place.document) for place in candidates])
            matching = [
                place for place, data in zip(candidates, documents, strict=True) if _is_of(data, then.record(path))
            ]
            if matching:
                found[path] = matching[0]
        return found

    async def is_outdated(self, snapshot: Snapshot) -> bool:
        """Return whether a group of the snapshot has been moved since the snapshot was read."""
        return await self._places(snapshot, _loaded(snapshot)) != snapshot.places

    async def at(self, moment: Moment) -> Self:
        """Return the collection at another version."""
        return evolve(self, number=(await resolved(self.store, self.present, moment)).number)

    async def tags(self) -> dict[str, Label]:
        """Return the tags of the collection at its newest version."""
        return await self.present.tags()

    async def history(self, last: int | None = None) -> tuple[HistoryEntry, ...]:
        """Return the versions up to that one, oldest first; only the newest `last` of them if it is given."""
        found = tuple(entry for entry in await self.present.history() if _number(entry.version) <= self.number)
        return found if last is None else found[-last:]

    async def sources(self) -> tuple[str, ...]:
        """Return the sources inserted up to that version."""
        versions = await history.all_versions(self.store)
        return history.sources([version for version in versions if version.number <= self.number], ())

    async def changes(self, configuration: Configuration, since: Label) -> Changes:
        """Return the partitions that changed between another version and that one."""
        return await history.changes(self.store, since, self.number)

    async def newer(self, since: Label | None) -> list[Committed]:
        """Return the versions after `since`, up to this older version."""
        found = await self.present.newer(self.number if since is None else since)
        return [version for version in found if _number(version.version) <= self.number]

    async def examine(
        self,
        configuration: Configuration,
        snapshot: Snapshot,
    ) -> tuple[list[Problem], list[str]]:
        """Return nothing: the objects outside of partitions belong to the newest version."""
        return [], []

    async def refreshed(self) -> Versioning:
        """Return the collection at its newest version."""
        return self.present

    async def zarr(self) -> "zarr.abc.store.Store":
        """Raise an error: the groups of an older version are stored in several places.

        Raises
        ------
        SettingError
            Always.
        """
        message = f"version {self.number} of {self.store.url} is not a Zarr hierarchy of its own; use query(), or copy() it to another location"
        raise SettingError(message)


def _number(label: Label) -> int:
    return int(label)


def _stamps(snapshot: Snapshot, candidates: Candidates) -> dict[str, str]:
    """Return the stamp of each candidate, and of the immutable variables, by path."""
    partitions = snapshot.where(None, None, candidates)
    stamps = dict(zip(partitions, partitions.column("stamp"), strict=True))
    return stamps if snapshot.immutable is None else stamps | {IMMUTABLE: snapshot.immutable.stamp}


def _loaded(snapshot: Snapshot) -> Candidates:
    """Return the paths of the partitions that a snapshot has loaded; None for all."""
    known = snapshot.checkpoint.partitions
    return [path for part in known.loaded.values() for path in part] if isinstance(known, Segments) else None


def _is_of(document: bytes | None, record: PartitionRecord | None) -> bool:
    """Return whether a group document has the same stamp as a record."""
    if document is None or record is None:
        return False
    with suppress(CorruptionError):
        found = PartitionRecord.from_group(document, what="a group document")
        return found is not None and found.stamp == record.stamp
    return False
