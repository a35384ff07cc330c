"""A change of several partitions: staged as complete groups, then published together."""

import warnings
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from attrs import define, evolve, field, frozen

from zcollection.contracts.objects import Objects
from zcollection.contracts.store import Fence, KeyStore, unfenced
from zcollection.engine import work
from zcollection.engine.work import Work, noting, perform_one
from zcollection.engine.write import GROUP_DOCUMENT, GroupWrite, writing
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
from zcollection.transaction.change import Stage, StagedPartition, Transaction, new_id
from zcollection.transaction.documents import CATALOG, IMMUTABLE, Configuration, PartitionRecord
from zcollection.transaction.index import catalog, segments
from zcollection.transaction.index.partitions import Candidates, Partitions
from zcollection.transaction.index.segments import SegmentError, Segments
from zcollection.transaction.log import (
    checkpoints,
    commit_log,
    folding,
    history,
    in_place,
    publication,
    resuming,
    snapshots,
)
from zcollection.transaction.log.in_place import InPlace, OccupiedError
from zcollection.transaction.log.leases import Lease
from zcollection.transaction.log.publication import Unplaced
from zcollection.transaction.places import Place
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.version import Version, stage_of

_FARTHEST: Final = 16
"""Versions that the catalog may be behind: what a reader has to read besides it."""

_DEAREST: Final = 4
"""The catalog is written again when one of so many partitions has changed since: its cost is that of the change."""

_MOST_KEYS: Final = 64
"""Objects of a group that are remembered by their keys."""

_FEWEST: Final = 16
"""Changed partitions below which it is not where each request takes a while, unless it has none: in a small collection it
would be written by each change."""


@define
class _Written:
    """Keys of the objects that a group was written to, while they are few and none is shared; else none of them."""

    keys: tuple[str, ...] = ()
    _is_whole: bool = True

    def __call__(self, request: work.Request) -> None:
        """Look at one request of the work that writes the group."""
        if isinstance(request, work.Stage):
            self.keys += (*request.objects,)
        self._is_whole = self._is_whole and not isinstance(request, work.Share) and len(self.keys) <= _MOST_KEYS
        self.keys = self.keys if self._is_whole else ()


@frozen(kw_only=True)
class LogStage(Stage):
    """A folder beside the partitions, from which they are published.

    Attributes
    ----------
    attempt_id
        Part of the folder that belongs to one attempt; empty where there is no other.
    new
        Paths of partitions that there are not yet, and that are written in their place unless another writer does so.
    """

    objects: KeyStore
    attempt_id: str = ""
    new: frozenset[str] = frozenset()

    def attempt(self) -> "LogStage":
        """Return a part of the folder that nobody else writes to: a task may be run twice, even at the same time."""
        return evolve(self, attempt_id=new_id())

    def prefix(self, path: str) -> str:
        """Return the prefix of a partition in the folder of the transaction."""
        return f"{stage_of(self.transaction, self.attempt_id)}{path}/"

    def writing(self, path: str, group: GroupWrite, record: PartitionRecord) -> Work[StagedPartition]:
        """Write a partition there or, where it is new, in its place."""
        stamped, complete = self._stamped(path, group, record)
        if path in self.new:
            with suppress(OccupiedError):
                size = yield from writing(f"{path}/", stamped, self._putting_in_place(path))
                return self._staged(path, complete(size), in_place=True)
        written = _Written()
        size = yield from noting(writing(self.prefix(path), stamped), written)
        return evolve(self._staged(path, complete(size)), keys=written.keys)

    def copying(self, path: str, source: Objects, place: Place, record: PartitionRecord) -> Work[StagedPartition]:
        """Write a partition as it lies elsewhere."""
        if path in self.new:
            with suppress(OccupiedError):
                stamped = self._complete(record, record.stored_bytes)
                put = self._putting_in_place(path)
                yield from self._copying(path, source, place, record, prefix=f"{path}/", put=put)
                return self._staged(path, stamped, in_place=True)
        return (yield from super().copying(path, source, place, record))

    def _putting_in_place(self, path: str) -> InPlace:
        return InPlace(self.objects, Place(f"{path}/", f"{self.prefix(path)}{GROUP_DOCUMENT}"))

    def _staged(self, path: str, record: PartitionRecord, *, in_place: bool = False) -> StagedPartition:
        return StagedPartition(
            path=path, prefix=self.prefix(path), record=record, attempt=self.attempt_id, in_place=in_place
        )


@define(kw_only=True)
class LogTransaction(Transaction):
    """A change that is staged beside the partitions, committed as a record of the log, and then published.

    Attributes
    ----------
    store
        The collection's.
    removed
        Transactions whose stages are to be removed with this change.
    unplaced
        What of the base cannot be put in its place.
    knows_catalog
        Whether the base has the catalog that lay in its place when the change was begun, and still has.
    """

    store: KeyStore
    removed: tuple[str, ...] = ()
    unplaced: Unplaced = field(factory=Unplaced)
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
        """The folder of this transaction."""
        return LogStage(objects=self.store, transaction=self.id, time=self.time, new=self._new)

    async def expect(self, paths: Iterable[str]) -> None:
        """Say which partitions are about to be written: where publishing copies, new ones are written in their place."""
        if self.replacement is None:
            await self._write_in_place(paths)

    async def _write_in_place(self, paths: Iterable[str]) -> None:
        if self.store.publishes_copies:
            self._new = frozenset(path for path in paths if self.base.record(path) is None)
            self._is_announced = self._is_announced or bool(self._new)
            await in_place.announce(self.store, self.id, self._new)

    def add(self, partition: StagedPartition) -> None:
        """Make a partition that has been staged part of the change, wherever it lies."""
        super().add(partition)
        self._keys.append(partition.keys)
        if partition.attempt:
            self._attempts.setdefault(partition.attempt, []).append(partition.path)
        if partition.in_place:
            self.reads(partition.path)  # another one, that is committed meanwhile, takes the place
            self._in_place.append(partition.path)

    def reads(self, path: str) -> None:
        """Say that the change depends on what a partition holds, which must lie in its place: elsewhere it may be moved."""
        super().reads(path)
        if path not in self._dropped:
            self._check_placed(path, self.unplaced)

    async def resumed(self, digests: Mapping[str, str]) -> Mapping[str, Place]:
        """Say what is about to be staged, and return where another attempt has: the stages of such go with this change."""
        pending = {version.transaction for version in self.base.pending}
        self._is_announced = True
        places, stages = await resuming.found(self.store, digests, besides={self.id, *pending})
        self.removed = stages
        await resuming.announce(self.store, self.id, digests)
        return places

    def keep(self) -> None:
        """Leave the stage, until another attempt is committed or a vacuum comes."""
        self._keeps_stage = True

    def clear(self, path: str) -> None:
        """Remove what a dead writer has put where there is no partition, unless there is one by the time of the commit."""
        self.reads(path)
        self._cleared.append(path)

    async def commit(self) -> None:
        """Append the record to the log, publish, and let the catalog follow."""
        changes = (self._written, self._dropped, self.removed, self.replacement, self.growth)
        if not any(changes) and self.restored is None:
            return
        await self.store.flush(stage_of(self.id))
        async with self.store.lock():
            # The next writer begins where this one has ended: what is committed is put in its place, whoever waits for it.
            committed = False
            while not committed:
                committed = await uninterrupted(self._carry_out, await self._caught_up())

    async def _caught_up(self) -> Version:
        """Return the version that the change is to become, after all that was committed before lies in its place."""
        newer = await history.after(self.store, self.base.id)
        unplaced = await publication.settle(self.store, [*self.base.changes, *newer])
        self._check(newer)
        for path in sorted(self._read - self._dropped):
            self._check_placed(path, unplaced)
        await self.store.check_targets(f"{path}/" for path in self._targets)
        self._take_new_form()
        if self.replacement is not None or self.growth is not None:
            await commit_log.announce(self.store)
        replaced = await self._replaced(newer, unplaced)
        return self._version(self.base.version + len(newer) + 1, unplaced.versions, replaced)

    async def _replaced(self, newer: Sequence[Version], unplaced: Unplaced) -> dict[str, tuple[str, ...]]:
        """Return what is to be kept of what the change replaces, as the record says it."""
        if not self.configuration.keeps or self.replacement is not None:
            return {}
        now = evolve(self.base, changes=[*self.base.changes, *newer])
        paths = [path for path in (*self._written, *self._dropped) if path not in unplaced.failures]
        tagged = await self._tagged(paths)
        by_stamp: dict[str, list[str]] = {}
        for path in paths:
            record = now.record(path)
            if record is not None and (tagged is None or tagged.is_same(now, path)):
                by_stamp.setdefault(record.stamp, []).append(path)
        return {stamp: tuple(paths) for stamp, paths in by_stamp.items()}

    async def _tagged(self, paths: Sequence[str]) -> Snapshot | None:
        """Return the newest version with a tag, where only versions with tags are kept; None where all are.

        What the newest version still has of one with an older tag, it also has of that one.
        """
        retention = self.configuration.retention
        # Without a catalog there are no checkpoints: to find out would take all records. A vacuum removes the others.
        if retention is None or retention.keeps_recent or not self.configuration.catalog:
            return None
        try:
            taken = await checkpoints.at(self.store, max(retention.tagged.values()))
            return await perform_one(self.store, taken.completed(paths))
        except CorruptionError:
            return None  # of what is damaged nothing is known

    @property
    def _written_now(self) -> publication.Written:
        return publication.Written(replaced=self._replacing, staged=self._staged)

    @property
    def _replacing(self) -> set[str]:
        """Paths of the partitions that it replaces: of those that it has read, nobody has changed one meanwhile."""
        if self.replacement is not None:
            return set()
        return {path for path in self._read & self._written.keys() if self.base.record(path) is not None}

    @property
    def _staged(self) -> tuple[str, ...]:
        """Keys of all that lies below its stage, where that is one group and nothing else; else none."""
        is_alone = len(self._keys) == 1 and not (self._attempts or self._is_announced or self.removed)
        return self._keys[0] if is_alone else ()

    @property
    def _targets(self) -> list[str]:
        """Paths at which something is put in its place, or taken away."""
        catalogs = [CATALOG] if (self.replacement or self.configuration).catalog else []
        return [*catalogs, *self._written, *self._dropped, *self._cleared]

    def _take_new_form(self) -> None:
        """Let the configuration say that the catalog lies in segments, once there are so many partitions."""
        next_one = self.replacement or self.growth or self.configuration
        if not next_one.catalog or next_one.segments or not self._is_large():
            return
        larger = evolve(next_one, segments=True)
        if self.replacement is not None:
            self.replacement = larger
        else:
            self.growth = larger

    def _is_large(self) -> bool:
        """Return whether the catalog has more partitions after this change than one object is to hold."""
        written = Partitions({path: record for path, record in self._written.items() if path != IMMUTABLE})
        before = self.base.checkpoint.partitions if self.replacement is None else Partitions()
        most = len(before) + sum(len(change.partitions) for change in self.base.changes) + len(written)
        if most <= segments.MOST_WHOLE or not segments.says_keys(written):
            return False
        return isinstance(before, Segments) or len(self._after(written)) > segments.MOST_WHOLE

    def _after(self, written: Partitions) -> Partitions:
        return self.base.partitions.changed(written, self._dropped)

    def _check_placed(self, path: str, unplaced: Unplaced) -> None:
        """Check that a partition that the change is made from is not one that cannot be put in its place."""
        if path in unplaced.failures:
            message = (
                f"partition {path!r} of {self.store.url} was committed and cannot be put in its place, so that it is read, and "
                f"nothing else: {unplaced.failures[path]}; nothing was written: see to that and call repair(), or drop it"
            )
            raise StoreError(message)

    async def _carry_out(self, version: Version) -> bool:
        """Commit a version and put it in its place, and return whether that was done; False where another one was first."""
        self._keeps_stage = True  # until the answer is known
        lease = None if self.store.has_lock else Lease(store=self.store, number=version.number)
        try:
            self._keeps_stage = await commit_log.append(self.store, version)
        except StoreError:
            self._keeps_stage = False
            raise
        if self._keeps_stage:
            await self._publish(version, lease)
        return self._keeps_stage

    async def _publish(self, version: Version, lease: Lease | None) -> None:
        """Put a version in its place that is committed: whatever fails now is a warning."""
        try:
            await publication.publish(self.store, version, lease, written=self._written_now)
            if lease is not None:
                await lease.fence()
            await self._checkpoint(version, unfenced if lease is None else lease.fence)
            await self._fold(version)
        except ZCollectionError as error:
            message = (
                f"version {version.number} of {self.store.url} is committed, and putting it in place failed: {error}; "
                f"readers see it, and the next writer completes it"
            )
            warnings.warn(message, PublicationWarning, stacklevel=2)

    def _version(
        self, number: int, pending: tuple[int, ...], replaced: dict[str, tuple[str, ...]] | None = None
    ) -> Version:
        replacement = None if self.replacement is None else self._replacement(self.replacement, number)
        growth = None if self.growth is None else self.growth.grown_at(number).dump().decode()
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
            schema=growth,
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
        """Write the catalog anew where that costs little against what was changed since it was written."""
        configuration = self.replacement or self.growth or self.configuration
        if not configuration.catalog or (self.base.indexed and not _is_due(self.base, [version], self._fewest)):
            return
        self.knows_catalog = False
        checkpoint = await catalog.load(self.store)
        if checkpoint is not None:
            with suppress(CorruptionError, ConflictError):
                # Without a lock the next writer may have committed already: a checkpoint holds what is in its place.
                # Mostly the catalog is that of the base, with whose changes the records since need not be read again.
                is_of_base = self.base.indexed and checkpoint.record == self.base.checkpoint.record
                before = self.base if is_of_base else Snapshot(self.store, checkpoint)
                newer = await history.after(self.store, before.id)
                now = evolve(before, changes=[*before.changes, *newer]).published()
                if not self.base.indexed:  # what was damaged may be a segment
                    await perform_one(self.store, catalog.holding(checkpoint, None))
                if now is not None and _is_due(now, [], self._fewest):
                    await _save(self.store, configuration, now, fence)
                return
        # Without a catalog that can be understood, the partitions themselves say what they are.
        current = evolve(
            self.growth or configuration, version=self._configured(version), changed=self._changed(version)
        )
        found = await snapshots.take(self.store, current, walk=True)
        if not (await publication.settle(self.store, found.changes)).versions:
            await _save(self.store, configuration, found, fence)

    @property
    def _fewest(self) -> int:
        return _FEWEST if self.store.publishes_copies else 0

    async def _fold(self, version: Version) -> None:
        """Keep the log short: now and then, what the catalog has is moved to the history."""
        configuration, held = self.replacement or self.growth or self.configuration, version.number
        is_tagged = configuration.retention is not None and None in configuration.retention.tags.values()
        if version.pending or not (is_tagged or self._folds(version)):
            return
        if configuration.catalog:
            checkpoint = await catalog.load(self.store)
            held = 0 if checkpoint is None else checkpoint.version
            if checkpoint is not None and configuration.keeps:
                await checkpoints.keep(self.store, checkpoint)
        await folding.fold(self.store, held, known=self.base.changes)

    def _folds(self, version: Version) -> bool:
        """Whether there is enough to move: some versions, up to a catalog that was due just now."""
        if not (self.replacement or self.configuration).catalog:
            return version.number % folding.FOLDED == 0
        return (
            not self.knows_catalog
            and self.base.checkpoint.version // folding.FOLDED != version.number // folding.FOLDED
        )

    def _configured(self, version: Version) -> int:
        return self.configuration.version if self.replacement is None else version.number

    def _changed(self, version: Version) -> int:
        if self.growth is not None:
            return version.number
        return self.configuration.changed if self.replacement is None else 0

    async def check(self) -> None:
        """Check that nobody has changed what this change was made from.

        Raises
        ------
        ConflictError
            Another writer has.
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
                    f"what was staged for {self.store.url} was older than the vacuum of version {version.number} allows, and "
                    f"was removed; nothing was written, run the operation again"
                )
                raise ConflictError(message)
            if self.source is not None and version.source == self.source:
                message = (
                    f"source {self.source!r} was inserted into {self.store.url} by another writer (version {version.number}); nothing "
                    f"was written, run the operation again"
                )
                raise ConflictError(message)
            # Of a collection that is replaced nothing may remain, nor anything that others have written meanwhile.
            whole, written = self.replacement is not None, version.partitions
            for path in sorted(path for path in version.touched if whole or self._depends_on(path, written.get(path))):
                message = (
                    f"partition {path!r} of {self.store.url} was changed by another writer ({version.operation} of version "
                    f"{version.number}, by {version.writer}); nothing was written, run the operation again"
                )
                raise ConflictError(message)

    async def discard(self) -> None:
        """Remove what is left of the stage, unless the change was or may have been committed."""
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
    """Open a transaction on the newest version; leaving the block removes its stage unless it was committed.

    Parameters
    ----------
    store, configuration, operation, source, candidates
        What is changed, how, and by what.
    known
        An older version, with the catalog that it was taken from.
    """
    store.check_writable()
    base, unplaced = await _settled(store, configuration, candidates, known)
    transaction = LogTransaction(
        store=store, configuration=configuration, base=base, operation=operation, source=source, unplaced=unplaced
    )
    try:
        yield transaction
    except (CorruptionError, StoreError):
        # What another writer has replaced meanwhile is neither damaged nor missing.
        await transaction.check()
        raise
    except OutdatedError as error:
        # Nor does a group become that of another writer while nobody commits.
        if await commit_log.is_newest(store, base.id):
            message = (
                f"something in {store.url} is not what was committed, and nobody has changed it; call verify(): {error}"
            )
            raise CorruptionError(message) from error
        raise
    finally:
        await uninterrupted(transaction.discard)


async def write_checkpoint(store: KeyStore, configuration: Configuration) -> int:
    """Let the catalog hold the newest version up to which all is published, and return its number.

    The caller holds the lock. 0 where nobody knows what there was at that version.
    """
    taken = await snapshots.take(store, configuration, candidates=())
    if taken.pending:
        await publication.settle(store, taken.changes)
        taken = await snapshots.take(store, configuration, candidates=())
    held = taken.published()
    if held is None:
        return 0
    if configuration.catalog:
        try:
            await _save(store, configuration, held)
        except SegmentError:
            return 0  # the next writer makes another catalog
    return held.version


async def _save(store: KeyStore, configuration: Configuration, taken: Snapshot, fence: Fence = unfenced) -> None:
    """Write the catalog with what lies in its place, in the form that the configuration says.

    Raises
    ------
    CorruptionError
        A segment that is needed is missing or damaged.
    """
    needed = taken.changing() if configuration.segments else taken.completed(None)
    checkpoint = (await perform_one(store, needed)).to_checkpoint()
    is_kept = configuration.keeps  # checkpoints of older versions may name its segments: a vacuum removes the others
    await catalog.save(store, checkpoint, in_segments=configuration.segments, removes=not is_kept, fence=fence)


def _is_due(taken: Snapshot, later: Sequence[Version], fewest: int) -> bool:
    """Return whether a checkpoint is to be written after the changes of a snapshot and later ones.

    Parameters
    ----------
    taken, later
        The snapshot, and the changes that it does not have.
    fewest
        Changed partitions that are worth one, unless the catalog has no partitions or is far behind.
    """
    if taken.checkpoint.record.transaction is None:
        return True  # one of release 2026.12.0, which does not say of which log it is
    changes = [*taken.changes, *later]
    changed = sum(len(change.touched) for change in changes)
    behind, indexed = changes[-1].number - taken.checkpoint.version if changes else 0, len(taken.checkpoint.partitions)
    return behind >= _FARTHEST or (_DEAREST * changed >= indexed and (changed >= fewest or not indexed))


async def rebuild_catalog(store: KeyStore, configuration: Configuration) -> int:
    """Write the catalog from what is found by walking, and return the number of partitions."""
    store.check_writable()
    async with store.lock():
        await publication.settle(store, (await commit_log.listed(store))[1])
        # What is not listed may be there all the same, such as through a symbolic link.
        known = await _known_paths(store, configuration)
        found = await snapshots.take(store, configuration, walk=True, also=known)
        unplaced = await publication.settle(store, found.changes)
        if configuration.catalog and not unplaced.versions:
            await _save(store, configuration, found)
    return len(found.partitions)


async def _known_paths(store: KeyStore, configuration: Configuration) -> list[str]:
    """Return the partitions that the catalog names, if it can be understood."""
    with suppress(CorruptionError):
        return list((await snapshots.take(store, configuration)).partitions)
    return []


async def _settled(
    store: KeyStore, configuration: Configuration, candidates: Candidates, known: Snapshot | None
) -> tuple[Snapshot, Unplaced]:
    """Return the newest version, after publishing what a dead writer left, and what of it cannot be put in its place.

    What is being put in its place cannot be built upon: read before that ends, and looked at after, it seems whole.
    """
    taken, unplaced = await snapshots.take(store, configuration, known=known, candidates=candidates), Unplaced()
    while any(change.number not in unplaced.versions for change in taken.pending):
        async with store.lock():
            unplaced = await publication.settle(store, taken.changes)
        taken = await snapshots.take(store, configuration, candidates=candidates)
    return taken, unplaced
