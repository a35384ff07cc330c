"""The transaction of the commit log: a change is staged, committed by a record of the log, and then published."""

import warnings
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from attrs import define, evolve, field

from zcollection.contracts.store import Fence, KeyStore, unfenced
from zcollection.engine.work import perform_one
from zcollection.errors import (
    CollectionNotFoundError,
    ConflictError,
    CorruptionError,
    OutdatedError,
    PublicationWarning,
    SchemaChangedError,
    StoreError,
    ZCollectionError,
)
from zcollection.portal import uninterrupted
from zcollection.transaction.change import StagedPartition, Transaction
from zcollection.transaction.documents import CATALOG, IMMUTABLE, Configuration
from zcollection.transaction.index import catalog, segments
from zcollection.transaction.index.partitions import Candidates, Partitions
from zcollection.transaction.index.segments import Segments
from zcollection.transaction.log import (
    catalog_writing,
    checkpoints,
    commit_log,
    folding,
    history,
    in_place,
    publication,
    resuming,
    snapshots,
)
from zcollection.transaction.log.leases import Lease
from zcollection.transaction.log.publication import Unpublishable
from zcollection.transaction.log.stage import LogStage
from zcollection.transaction.places import Place
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.version import Version, stage_of

_FEWEST_CHANGED: Final = 16
"""Number of changed partitions from which the catalog is written again on a store with slow requests, unless it is empty: in
a small collection every change would write it otherwise."""


@define(kw_only=True)
class LogTransaction(Transaction):
    """A change that is staged beside the partitions, committed by a record of the log, and then published.

    Attributes
    ----------
    store
        The store of the collection.
    removed
        Transactions whose staging areas are removed with this change.
    unpublishable
        The groups of the base that cannot be published.
    knows_catalog
        Whether the base still contains the stored catalog: this change has not replaced it.
    """

    store: KeyStore
    removed: tuple[str, ...] = ()
    unpublishable: Unpublishable = field(factory=Unpublishable)
    knows_catalog: bool = True
    _attempts: dict[str, list[str]] = field(factory=dict, init=False)
    _new: frozenset[str] = field(default=frozenset(), init=False)
    _in_place: list[str] = field(factory=list, init=False)
    _cleared: list[str] = field(factory=list, init=False)
    _keys: list[tuple[str, ...]] = field(factory=list, init=False)
    _is_announced: bool = field(default=False, init=False)
    _keeps_stage: bool = field(default=False, init=False)

    @property
    def stage(self) -> LogStage:
        """The staging area of this transaction."""
        return LogStage(objects=self.store, transaction=self.id, time=self.time, new=self._new)

    async def expect(self, paths: Iterable[str]) -> None:
        """Declare which partitions are about to be written; a store that publishes by copying gets new ones in place."""
        if self.replacement is None:
            await self._write_in_place(paths)

    async def _write_in_place(self, paths: Iterable[str]) -> None:
        if self.store.publishes_copies:
            self._new = frozenset(path for path in paths if self.base.record(path) is None)
            self._is_announced = self._is_announced or bool(self._new)
            await in_place.announce(self.store, self.id, self._new)

    def add(self, partition: StagedPartition) -> None:
        """Add a staged partition, or one that was written in place, to the change."""
        super().add(partition)
        self._keys.append(partition.keys)
        if partition.attempt:
            self._attempts.setdefault(partition.attempt, []).append(partition.path)
        if partition.in_place:
            self.reads(partition.path)  # conflicts with a partition that is committed there meanwhile
            self._in_place.append(partition.path)

    def reads(self, path: str) -> None:
        """Declare that the change depends on a partition, which must be published: otherwise it may be moved."""
        super().reads(path)
        if path not in self._dropped:
            self._check_publishable(path, self.unpublishable)

    async def resumed(self, digests: Mapping[str, str]) -> Mapping[str, Place]:
        """Declare digests, and return where an earlier attempt staged these partitions; this change removes its staging area."""
        pending = {version.transaction for version in self.base.pending}
        self._is_announced = True
        places, stages = await resuming.find_staged(self.store, digests, except_by={self.id, *pending})
        self.removed = stages
        await resuming.announce(self.store, self.id, digests)
        return places

    def keep(self) -> None:
        """Keep the staging area until another attempt is committed, or a vacuum removes it."""
        self._keeps_stage = True

    def clear(self, path: str) -> None:
        """Remove objects of a dead writer at a path with this change, unless a partition exists there at the commit."""
        self.reads(path)
        self._cleared.append(path)

    async def commit(self) -> None:
        """Append the record to the log, publish the change, and write the catalog if it is due."""
        changes = (self._written, self._dropped, self.removed, self.replacement, self.reconfiguration)
        if not any(changes) and self.restored is None:
            return
        await self.store.flush(stage_of(self.id))
        async with self.store.lock():
            # Uninterrupted, so that the next writer need not complete this change: after the commit it is also published.
            committed = False
            while not committed:
                committed = await uninterrupted(self._commit_and_publish, await self._prepare_version())

    async def _prepare_version(self) -> Version:
        """Return the version to commit, after all earlier versions are published and conflicts are excluded."""
        newer = await history.after(self.store, self.base.id)
        unpublishable = await publication.publish_pending(self.store, [*self.base.changes, *newer])
        self._check(newer)
        for path in sorted(self._read - self._dropped):
            self._check_publishable(path, unpublishable)
        await self.store.check_targets(f"{path}/" for path in self._targets)
        self._divide_large_catalog()
        if self.replacement is not None or self.reconfiguration is not None:
            await commit_log.announce(self.store)
        replaced = await self._replaced(newer, unpublishable)
        return self._version(self.base.version + len(newer) + 1, unpublishable.versions, replaced)

    async def _replaced(self, newer: Sequence[Version], unpublishable: Unpublishable) -> dict[str, tuple[str, ...]]:
        """Return the paths of replaced partitions that must be kept, by stamp, as stored in the record."""
        if not self.configuration.keeps or self.replacement is not None:
            return {}
        now = evolve(self.base, changes=[*self.base.changes, *newer])
        paths = [path for path in (*self._written, *self._dropped) if path not in unpublishable.failures]
        tagged = await self._tagged(paths)
        by_stamp: dict[str, list[str]] = {}
        for path in paths:
            record = now.record(path)
            if record is not None and (tagged is None or tagged.is_same(now, path)):
                by_stamp.setdefault(record.stamp, []).append(path)
        return {stamp: tuple(paths) for stamp, paths in by_stamp.items()}

    async def _tagged(self, paths: Sequence[str]) -> Snapshot | None:
        """Return the newest tagged version if only tagged versions are kept; None if all versions are kept.

        A partition that an older tagged version needs and that still exists is also part of the newest tagged version.
        """
        retention = self.configuration.retention
        # Without a catalog there are no checkpoints, so that this would read all records. A vacuum removes superfluous groups.
        if retention is None or retention.keeps_recent or not self.configuration.catalog:
            return None
        try:
            snapshot = await checkpoints.at(self.store, max(retention.tagged.values()))
            return await perform_one(self.store, snapshot.completed(paths))
        except CorruptionError:
            return None  # the content of a damaged version is not known: keep everything

    @property
    def _hints(self) -> publication.Hints:
        return publication.Hints(replaced=self._replacing, staged=self._staged)

    @property
    def _replacing(self) -> set[str]:
        """Paths of the partitions that this change has read and replaces: the conflict check shows that they still exist."""
        if self.replacement is not None:
            return set()
        return {path for path in self._read & self._written.keys() if self.base.record(path) is not None}

    @property
    def _staged(self) -> tuple[str, ...]:
        """Keys of all objects in the staging area, if they form exactly one group; otherwise empty."""
        is_alone = len(self._keys) == 1 and not (self._attempts or self._is_announced or self.removed)
        return self._keys[0] if is_alone else ()

    @property
    def _targets(self) -> list[str]:
        """Paths under which objects are published or removed."""
        catalogs = [CATALOG] if (self.replacement or self.configuration).catalog else []
        return [*catalogs, *self._written, *self._dropped, *self._cleared]

    def _divide_large_catalog(self) -> None:
        """Change the configuration to a catalog in segments once the collection has many partitions."""
        following = self.replacement or self.reconfiguration or self.configuration
        if not following.catalog or following.segments or not self._is_large():
            return
        larger = evolve(following, segments=True)
        if self.replacement is not None:
            self.replacement = larger
        else:
            self.reconfiguration = larger

    def _is_large(self) -> bool:
        """Return whether the catalog has too many partitions for one object after this change."""
        written = Partitions({path: record for path, record in self._written.items() if path != IMMUTABLE})
        before = self.base.checkpoint.partitions if self.replacement is None else Partitions()
        most = len(before) + sum(len(change.partitions) for change in self.base.changes) + len(written)
        if most <= segments.MOST_WHOLE or not segments.has_keys_in_paths(written):
            return False
        return isinstance(before, Segments) or len(self._after(written)) > segments.MOST_WHOLE

    def _after(self, written: Partitions) -> Partitions:
        return self.base.partitions.changed(written, self._dropped)

    def _check_publishable(self, path: str, unpublishable: Unpublishable) -> None:
        """Check that a partition on which the change depends is not one that cannot be published."""
        if path in unpublishable.failures:
            message = (
                f"partition {path!r} of {self.store.url} was committed and cannot be published, so that it can only be read: "
                f"{unpublishable.failures[path]}; nothing was written: solve the problem and call repair(), or drop the partition"
            )
            raise StoreError(message)

    async def _commit_and_publish(self, version: Version) -> bool:
        """Commit a version and publish it; return False if another writer has committed this number first."""
        self._keeps_stage = True  # until the answer is known
        lease = None if self.store.has_lock else Lease(store=self.store, number=version.number)
        try:
            self._keeps_stage = await commit_log.append(self.store, version) and (
                self.store.has_lock or await history.is_committed(self.store, version)
            )
        except StoreError:
            self._keeps_stage = False
            raise
        if self._keeps_stage:
            await self._publish(version, lease)
        return self._keeps_stage

    async def _publish(self, version: Version, lease: Lease | None) -> None:
        """Publish a committed version; a failure is only a warning, because the commit has succeeded."""
        try:
            await publication.publish(self.store, version, lease, hints=self._hints)
            if lease is not None:
                await lease.fence()
            await self._checkpoint(version, unfenced if lease is None else lease.fence)
            await self._fold(version)
        except ZCollectionError as error:
            message = (
                f"version {version.number} of {self.store.url} is committed, but its publication failed: {error}; "
                f"readers see it, and the next writer completes it"
            )
            warnings.warn(message, PublicationWarning, stacklevel=2)

    def _version(
        self, number: int, pending: tuple[int, ...], replaced: dict[str, tuple[str, ...]] | None = None
    ) -> Version:
        replacement = None if self.replacement is None else self._replacement(self.replacement, number)
        schema = None if self.reconfiguration is None else self.reconfiguration.written_by(number).dump().decode()
        records = dict(self._written)
        immutable = records.pop(IMMUTABLE, None)
        return Version(
            transaction=self.id,
            base=self.base.version,
            operation=self.operation,
            source=self.source,
            written=Partitions(records).to_json(),
            dropped=tuple(sorted(self._dropped)),
            immutable=immutable,
            configuration=replacement,
            schema=schema,
            removed=self.removed,
            attempts={attempt: tuple(paths) for attempt, paths in self._attempts.items()},
            in_place=tuple(self._in_place),
            cleared=tuple(self._cleared),
            pending=pending,
            replaced=replaced or {},
            restored=None if self.restored is None else int(self.restored),
            number=number,
        )

    @staticmethod
    def _replacement(configuration: Configuration, number: int) -> str:
        retention = None if configuration.retention is None else configuration.retention.written_by(number)
        return evolve(configuration, version=number, retention=retention).dump().decode()

    async def _checkpoint(self, version: Version, fence: Fence) -> None:
        """Write the catalog again if its cost is small compared with the changes since it was written."""
        configuration = self.replacement or self.reconfiguration or self.configuration
        if not configuration.catalog or (
            self.base.indexed and not catalog_writing.is_due(self.base, [version], self._fewest_changed)
        ):
            return
        self.knows_catalog = False
        checkpoint = await catalog.load(self.store)
        if checkpoint is not None:
            with suppress(CorruptionError, ConflictError):
                # Without a lock the next writer may have committed already: a checkpoint contains published versions only.
                # Usually the stored catalog is the one of the base, whose changes need not be read again.
                is_of_base = self.base.indexed and checkpoint.record == self.base.checkpoint.record
                before = self.base if is_of_base else Snapshot(self.store, checkpoint)
                newer = await history.after(self.store, before.id)
                now = evolve(before, changes=[*before.changes, *newer]).published()
                if not self.base.indexed:  # a segment may be damaged
                    await perform_one(self.store, catalog.loading_candidates(checkpoint, None))
                if now is not None and catalog_writing.is_due(now, [], self._fewest_changed):
                    await catalog_writing.save(self.store, configuration, now, fence)
                return
        # Without a valid catalog, the partitions are found by their group documents.
        current = evolve(
            self.reconfiguration or configuration, version=self._configured(version), changed=self._changed(version)
        )
        found = await snapshots.take(self.store, current, walk=True)
        if not (await publication.publish_pending(self.store, found.changes)).versions:
            await catalog_writing.save(self.store, configuration, found, fence)

    @property
    def _fewest_changed(self) -> int:
        return _FEWEST_CHANGED if self.store.publishes_copies else 0

    async def _fold(self, version: Version) -> None:
        """Keep the log short: from time to time, move the records that the catalog contains to the history."""
        configuration, before = self.replacement or self.reconfiguration or self.configuration, version.number
        is_tagged = configuration.retention is not None and None in configuration.retention.tags.values()
        if version.pending or not (is_tagged or self._folds(version)):
            return
        if configuration.catalog:
            checkpoint = await catalog.load(self.store)
            before = 0 if checkpoint is None else checkpoint.version
            if checkpoint is not None and configuration.keeps:
                await checkpoints.keep(self.store, checkpoint)
        await folding.fold(self.store, before, known=self.base.changes)

    def _folds(self, version: Version) -> bool:
        """Return whether enough records can be moved: those of `FOLDED` versions, which a catalog just written contains."""
        if not (self.replacement or self.configuration).catalog:
            return version.number % folding.FOLDED == 0
        return (
            not self.knows_catalog
            and self.base.checkpoint.version // folding.FOLDED != version.number // folding.FOLDED
        )

    def _configured(self, version: Version) -> int:
        return self.configuration.version if self.replacement is None else version.number

    def _changed(self, version: Version) -> int:
        if self.reconfiguration is not None:
            return version.number
        return self.configuration.changed if self.replacement is None else 0

    async def check(self) -> None:
        """Check that no other writer has changed a partition on which this change depends.

        Raises
        ------
        ConflictError
            Another writer has changed one.
        """
        self._check(await history.after(self.store, self.base.id))

    def _check(self, newer: Sequence[Version]) -> None:
        for version in newer:
            if version.configuration is not None:
                message = f"another collection was created at {self.store.url}; nothing was written, open it again"
                raise CollectionNotFoundError(message)
            if version.schema is not None:
                message = (
                    f"the variables, the partitioning or the retention of {self.store.url} were changed by version "
                    f"{version.number}; nothing was written"
                )
                raise SchemaChangedError(message)
            if self.id in version.removed:
                message = (
                    f"the staged partitions for {self.store.url} were older than the vacuum of version {version.number} allows, "
                    f"and were removed; nothing was written, run the operation again"
                )
                raise ConflictError(message)
            if self.source is not None and version.source == self.source:
                message = (
                    f"source {self.source!r} was inserted into {self.store.url} by another writer (version {version.number}); nothing "
                    f"was written, run the operation again"
                )
                raise ConflictError(message)
            # A replacement conflicts with every change: no partition of the old collection may remain.
            is_any, written = self.replacement is not None, version.partitions
            for path in sorted(path for path in version.touched if is_any or self._depends_on(path, written.get(path))):
                message = (
                    f"partition {path!r} of {self.store.url} was changed by another writer ({version.operation} of version "
                    f"{version.number}, by {version.writer}); nothing was written, run the operation again"
                )
                raise ConflictError(message)

    async def discard(self) -> None:
        """Remove the staging area, unless the change was or may have been committed."""
        if not self._keeps_stage:
            await in_place.discard(self.store, self.id, self._new)


@asynccontextmanager
async def begin(
    store: KeyStore,
    configuration: Configuration,
    operation: str,
    *,
    source: str | None = None,
    candidates: Candidates = None,
    known: Snapshot | None = None,
) -> AsyncIterator[LogTransaction]:
    """Open a transaction on the newest version; leaving the block removes its staging area unless it was committed.

    Parameters
    ----------
    store, configuration, operation, source, candidates
        As in `Versioning.begin`.
    known
        A snapshot of an older version, with the catalog from which it was read.
    """
    store.check_writable()
    base, unpublishable = await _settled(store, configuration, candidates, known)
    transaction = LogTransaction(
        store=store,
        configuration=configuration,
        base=base,
        operation=operation,
        source=source,
        unpublishable=unpublishable,
    )
    try:
        yield transaction
    except (CorruptionError, StoreError):
        # Raises `ConflictError` if another writer has replaced the partition meanwhile: then it is not damaged.
        await transaction.check()
        raise
    except OutdatedError as error:
        # A group that changed without a commit is damaged: no other writer has replaced it.
        if await commit_log.is_newest(store, base.id):
            message = f"a group in {store.url} is not the one that was committed, and no later commit has changed it; call verify(): {error}"
            raise CorruptionError(message) from error
        raise
    finally:
        await uninterrupted(transaction.discard)


async def _settled(
    store: KeyStore, configuration: Configuration, candidates: Candidates, known: Snapshot | None
) -> tuple[Snapshot, Unpublishable]:
    """Return the newest version after publishing the versions of dead writers, and the groups that cannot be published.

    A change cannot be based on a version that is being published: reads during the publication could see a mixed state.
    """
    snapshot, unpublishable = (
        await snapshots.take(store, configuration, known=known, candidates=candidates),
        Unpublishable(),
    )
    while any(change.number not in unpublishable.versions for change in snapshot.pending):
        async with store.lock():
            unpublishable = await publication.publish_pending(store, snapshot.changes)
        snapshot = await snapshots.take(store, configuration, candidates=candidates)
    return snapshot, unpublishable
