"""Which partitions there are at one version, and where each of them lies."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import takewhile
from typing import Final, TypeVar

from attrs import evolve, field, frozen

from zcollection.contracts.store import KeyStore, Objects, Read
from zcollection.engine.executor import gather, parallelism
from zcollection.engine.work import Work, fetch, perform_one
from zcollection.errors import (
    CollectionNotFoundError,
    ConflictError,
    CorruptionError,
    SchemaChangedError,
    StoreError,
    ZCollectionError,
)
from zcollection.transaction import catalog, history, log
from zcollection.transaction.catalog import Checkpoint
from zcollection.transaction.documents import CONFIGURATION, IMMUTABLE, Configuration, PartitionRecord, is_safe_path
from zcollection.transaction.partitions import Concern, Narrowing, Partitions, Selection
from zcollection.transaction.places import Place
from zcollection.transaction.segments import SegmentError, Segments
from zcollection.transaction.version import RecordId, Version

R = TypeVar("R")
_WALKS: Final = 20


@frozen
class Snapshot:
    """The partitions of a collection at one version: those of a checkpoint, and the changes since.

    Attributes
    ----------
    objects
        What to read them from.
    checkpoint
        What was known of an older version. Of one in segments some may be held: asking for a partition of another is an
        `AssertionError`.
    changes
        The versions since, in order.
    places
        Where those groups lie that are committed and not yet in their own place, by path.
    indexed
        Whether the checkpoint is that of a catalog.
    commit
        Id of the snapshot, where the store makes them by itself.
    """

    objects: Objects
    checkpoint: Checkpoint = field(factory=Checkpoint)
    changes: Sequence[Version] = ()
    places: Mapping[str, Place] = field(factory=dict)
    indexed: bool = True
    commit: str | None = None

    @property
    def label(self) -> int | str:
        """What the version is called: its number, or the id of the store's own snapshot."""
        return self.version if self.commit is None else self.commit

    @property
    def version(self) -> int:
        """Number of the newest change."""
        return max([self.checkpoint.version, *(change.number for change in self.changes)])

    @cached_property
    def partitions(self) -> Partitions:
        """What each partition says of itself, by path, in the order of their keys."""
        return self._known_now.chosen()

    @property
    def _known_now(self) -> Partitions | Segments:
        known = self.checkpoint.partitions
        if self._is_partitioned_anew:
            return self._written
        return known.changed(self._written, self._touched) if self._touched else known

    @cached_property
    def _is_partitioned_anew(self) -> bool:
        """Whether a change has partitioned the collection by other fields: nothing is left of what the checkpoint names."""
        known = self.checkpoint.partitions
        if not any(change.schema for change in self.changes) or self._written.fields in {(), known.fields}:
            return False
        # Of a damaged checkpoint something would be left.
        is_gone = len(self._touched) >= len(known) if isinstance(known, Segments) else self._touched.issuperset(known)
        return bool(known.fields) and is_gone

    @cached_property
    def immutable(self) -> PartitionRecord | None:
        """What the variables that do not span the axis say of themselves; None while none has been written."""
        found = self.checkpoint.immutable
        for change in self.changes:
            is_gone = change.configuration is not None or IMMUTABLE in change.dropped
            found = change.immutable or (None if is_gone else found)
        return found

    @property
    def configuration(self) -> int:
        """The version at which the configuration was written."""
        replaced = [change.number for change in self.changes if change.configuration is not None]
        return max([self.checkpoint.configuration, *replaced])

    @property
    def schema(self) -> int:
        """The version at which the schema or the partitioning was last changed; 0 while neither was."""
        number = self.checkpoint.schema
        for change in self.changes:
            number = 0 if change.configuration is not None else change.number if change.schema is not None else number
        return number

    @property
    def id(self) -> RecordId:
        """The record of the newest change."""
        newest = max(self.changes, key=lambda change: change.number, default=None)
        is_newer = newest is not None and newest.number >= self.checkpoint.version
        return newest.id if newest is not None and is_newer else self.checkpoint.record

    def to_checkpoint(self) -> Checkpoint:
        """Return all of it as a checkpoint, which holds where everything is published; what was changed is to be held."""
        return Checkpoint(self.id, self._known_now, self.immutable, self.configuration, self.schema)

    def completed(self, concern: Concern) -> Work["Snapshot"]:
        """Return the same with the partitions that are asked for; raises as `catalog.holding`."""
        if self._is_partitioned_anew:
            return self
        return evolve(self, checkpoint=(yield from catalog.holding(self.checkpoint, concern)))

    def changing(self) -> Work["Snapshot"]:
        """Return the same with all that `to_checkpoint` needs; raises as `catalog.changing`."""
        if self._is_partitioned_anew:
            return self
        checkpoint = yield from catalog.changing(self.checkpoint, self._written, self._touched)
        return evolve(self, checkpoint=checkpoint)

    def published(self) -> "Snapshot | None":
        """Return what a checkpoint may hold: the snapshot before the first change that is not in its place.

        None where nobody knows what there was then.
        """
        changes = list(takewhile(lambda change: change.published, self.changes))
        if not self.indexed and len(changes) < len(self.changes):
            return None
        return evolve(self, changes=changes, places={})

    def record(self, path: str) -> PartitionRecord | None:
        """Return what is known of a partition, or of the immutable variables; None where it is not there."""
        if path == IMMUTABLE:
            return self.immutable
        return (self._written if path in self._touched else self.checkpoint.partitions).get(path)

    def where(self, select: Selection | None, narrow: Narrowing | None = None, concern: Concern = None) -> Partitions:
        """Return the partitions whose key is selected, of those that may be wanted and are asked for.

        Parameters
        ----------
        select
            Which; None for all.
        narrow
            Which of them may be wanted.
        concern
            What the snapshot was taken with, which concerns all that are selected.
        """
        if self._is_partitioned_anew:
            return self._written.where(select, narrow)
        found = self.checkpoint.partitions.chosen(concern).where(select, narrow)
        if not self._touched:
            return found
        return found.changed(self._written.where(select, narrow), self._touched)

    def is_same(self, other: "Snapshot", path: str) -> bool:
        """Return whether a partition is of the same generation in another snapshot."""
        mine, others = self.record(path), other.record(path)
        return (mine and mine.stamp) == (others and others.stamp)

    def place(self, path: str) -> Place:
        """Return where a partition lies."""
        return self.places.get(path) or Place.of(path)

    @property
    def pending(self) -> list[Version]:
        """The changes that were not published yet when the snapshot was taken."""
        return [change for change in self.changes if not change.published]

    @cached_property
    def _touched(self) -> frozenset[str]:
        """Paths of what the changes have written or dropped."""
        return frozenset(path for change in self.changes for path in (*change.partitions, *change.dropped))

    @cached_property
    def _written(self) -> Partitions:
        """What the changes have written, as the last of them has left it."""
        written = Partitions()
        for change in self.changes:
            written = written.changed(change.partitions, change.dropped)
        return written


async def take(
    store: KeyStore,
    configuration: Configuration,
    *,
    walk: bool = False,
    known: Snapshot | None = None,
    also: Collection[str] = (),
    concern: Concern = None,
) -> Snapshot:
    """Return the partitions at the newest version, or those that are asked for.

    Parameters
    ----------
    store
        Where.
    configuration
        Of the collection.
    walk
        Look at the partitions themselves even where there is a catalog.
    known
        An older version.
    also
        Paths at which to look for partitions besides those that are listed, where one walks.
    concern
        The partitions that are asked for.

    Raises
    ------
    ConflictError
        There is no catalog, and the partitions kept changing while they were looked for.
    CollectionNotFoundError
        Another collection has taken the place of this one.
    SchemaChangedError
        The schema or the partitioning was changed since the configuration was loaded.
    CorruptionError
        The configuration that lies in its place is not the one that the log says.
    """
    taken = await (_walked(store, configuration, also) if walk else newest(store, configuration, concern, known=known))
    if (taken.configuration, taken.schema) != (configuration.version, configuration.changed):
        await _check_configuration_in_place(store, taken)
    if taken.configuration != configuration.version:
        message = f"another collection was created at {store.url}, in place of the one that was opened; open it again"
        raise CollectionNotFoundError(message)
    if taken.schema != configuration.changed:
        message = f"the variables or the partitioning of {store.url} were changed by version {taken.schema}; open the collection again"
        raise SchemaChangedError(message)
    return taken


async def _check_configuration_in_place(store: KeyStore, taken: Snapshot) -> None:
    """Check that opening the collection again would help: that the configuration in its place is that of the log."""
    if any(change.new_configuration for change in taken.pending):
        return  # it is about to be put there
    version, changed = await _configured(store)
    if (version, changed) != (taken.configuration, taken.schema):
        message = (
            f"{CONFIGURATION} of {store.url} was written by version {max(version, changed)}, and the log says by version "
            f"{max(taken.configuration, taken.schema)}: one of them was restored from a copy; call repair()"
        )
        raise CorruptionError(message)


def reading_at_once(
    store: KeyStore, configuration: Configuration, read: Callable[[Snapshot], Work[R | None]], concern: Concern
) -> Work[R | None]:
    """Return what is read of the newest version; None where more is to be looked at than the catalog and the log.

    Parameters
    ----------
    store
        Where.
    configuration
        Of the collection.
    read
        Returns the work that reads, for a snapshot all of which lies in its place; that may give up, too.
    concern
        The partitions that it asks for.
    """
    taken = (yield from _indexed(store, None, concern)) if configuration.catalog else None
    if taken is None or taken.pending:
        return None
    if (taken.configuration, taken.schema) != (configuration.version, configuration.changed):
        return None
    found = yield from read(taken)
    return found if found is not None and (yield from log.being_newest(store, taken.id)) else None


async def current_configuration(store: KeyStore, configuration: Configuration) -> Configuration:
    """Return the configuration that was committed last, whichever lies in its place."""
    for change in (await newest(store, configuration, ())).changes:
        document = change.new_configuration
        if document is not None:
            configuration = Configuration.load(document.encode(), what=f"the configuration of version {change.number}")
    return configuration


async def newest(
    store: KeyStore, configuration: Configuration, concern: Concern = None, known: Snapshot | None = None
) -> Snapshot:
    """Return the newest version, whatever the configuration says of it but whether there is a catalog."""
    indexed = await perform_one(store, _indexed(store, known, concern)) if configuration.catalog else None
    if indexed is not None:
        return indexed
    if not store.has_listing:
        raise _unlisted(store, configuration)
    await perform_one(store, log.checking_there(store))
    return await _walked(store, configuration)


def _unlisted(store: KeyStore, configuration: Configuration) -> ZCollectionError:
    """Return the error that says why the partitions of a collection are not known where nothing can be listed."""
    if not configuration.catalog:
        message = (
            f"the partitions of {store.url} cannot be found: the collection has no catalog, and the store lists nothing; "
            f"publish one that was created with catalog_enabled=True"
        )
        return StoreError(message)
    message = (
        f"the catalog of {store.url} is missing, damaged or not that of its log, and the store lists nothing by which the "
        f"partitions could be found; call repair() where the collection is written, and publish all of it again"
    )
    return CorruptionError(message)


def _indexed(store: KeyStore, known: Snapshot | None, concern: Concern) -> Work[Snapshot | None]:
    """Return what is known, or else the catalog, and the log say; None where there is no catalog to be believed."""
    if known is not None:
        with suppress(ConflictError, SegmentError):
            return (yield from _followed(store, known, concern))
    checkpoint = yield from catalog.loading()
    while checkpoint is not None:
        try:
            return (yield from _followed(store, Snapshot(store, checkpoint), concern))
        except (ConflictError, SegmentError):
            # What it needs was folded, or taken the place of: there is a newer one, or a slow writer has put it in place of
            # that. Or it is of another log, as where only one of both was restored from a backup, or is damaged.
            older, checkpoint = checkpoint, (yield from catalog.loading())
            if checkpoint is None or not checkpoint.succeeds(older):
                break
    return None


def _followed(store: KeyStore, known: Snapshot, concern: Concern) -> Work[Snapshot]:
    """Return the newest version, given an older one."""
    changes = yield from history.following(store, known.id)
    now = yield from evolve(known, changes=[*known.changes, *changes]).completed(concern)
    return (yield from _placed(now))


async def is_outdated(store: KeyStore, taken: Snapshot) -> bool:
    """Return whether what was read as a snapshot says may be of another version.

    All that lies in its place stays there until a newer version is committed; what does not may be moved at any time.
    """
    if not await log.is_newest(store, taken.id):
        return True
    return bool(taken.places) and taken.places != await perform_one(store, _places(taken))


async def _walked(store: KeyStore, configuration: Configuration, also: Collection[str] = ()) -> Snapshot:
    """Return what is found by looking at every partition, while nobody commits."""
    newest, pending = await log.listed(store)
    for _ in range(_WALKS):
        partitions, immutable = await found(store, configuration, also)
        before = newest, [change.number for change in pending]
        newest, pending = await log.listed(store)
        if before == (newest, [change.number for change in pending]):
            checkpoint = Checkpoint(newest, partitions, immutable, *await _configured(store))
            return await perform_one(store, _placed(Snapshot(store, checkpoint, pending, indexed=False)))
    message = (
        f"the partitions of {store.url} kept changing while they were looked for; try again, or enable the catalog"
    )
    raise ConflictError(message)


async def _configured(store: KeyStore) -> tuple[int, int]:
    """Return the versions at which the configuration that lies in its place was written, and its schema last changed."""
    (document,) = await store.get([Read(CONFIGURATION)])
    if document is None:
        return 0, 0
    configuration = Configuration.load(document, what=f"{CONFIGURATION} of {store.url}")
    return configuration.version, configuration.changed


async def found(
    objects: Objects, configuration: Configuration, also: Collection[str] = ()
) -> tuple[Partitions, PartitionRecord | None]:
    """Return what each partition says of itself, and the immutable variables, found by listing, and at other paths."""
    paths = dict.fromkeys([*await candidates(objects, configuration), *also])
    partitions = Partitions(await _records(objects, list(paths)))
    return partitions, (await _records(objects, [IMMUTABLE])).get(IMMUTABLE)


async def candidates(objects: Objects, configuration: Configuration) -> list[str]:
    """Return the paths at which a partition may lie, found by listing."""
    return [path async for path in _walk(objects, "", configuration.depth)]


def _placed(taken: Snapshot) -> Work[Snapshot]:
    return evolve(taken, places=(yield from _places(taken))) if taken.pending else taken


def _places(taken: Snapshot) -> Work[dict[str, Place]]:
    """Return where those groups lie that are committed and not yet in their place."""
    staged = {
        path: change
        for change in taken.pending
        for path in change.touched
        if (record := taken.record(path)) is not None and record.stamp == change.transaction
    }
    documents = yield from fetch([Read(f"{path}/zarr.json") for path in staged])
    return {
        path: change.place(path)
        for (path, change), data in zip(staged.items(), documents, strict=True)
        if _stamp(data, path) != change.transaction
    }


def _stamp(data: bytes | None, path: str) -> str | None:
    try:
        record = None if data is None else PartitionRecord.from_group(data, what=f"the group document of {path!r}")
    except CorruptionError:
        return None
    return None if record is None else record.stamp


async def _walk(objects: Objects, prefix: str, depth: int) -> AsyncIterator[str]:
    """Yield the paths, `depth` segments long, at which a partition may lie; foreign directories are passed over."""
    async for entry in objects.list(prefix):
        path = entry.key.rstrip("/")
        if not entry.is_prefix or not is_safe_path(path):
            continue
        if depth == 1:
            yield path
            continue
        async for deeper in _walk(objects, entry.key, depth - 1):
            yield deeper


async def _records(objects: Objects, paths: list[str]) -> dict[str, PartitionRecord]:
    """Return what the groups at `paths` say of themselves; those that are not partitions are left out."""
    batches = [paths[start : start + 256] for start in range(0, len(paths), 256)]

    async def read(batch: list[str]) -> list[bytes | None]:
        return await objects.get([Read(f"{path}/zarr.json") for path in batch])

    answers = await gather(read, batches, limit=parallelism(objects))
    records: dict[str, PartitionRecord] = {}
    for path, data in zip(paths, (data for batch in answers for data in batch), strict=True):
        record = None if data is None else _understood(data, path)
        if record is not None:
            records[path] = record
    return records


def _understood(data: bytes, path: str) -> PartitionRecord | None:
    try:
        return PartitionRecord.from_group(data, what=f"the group document of partition {path!r}")
    except CorruptionError as error:
        message = f"{error}; restore it, or remove the partition's directory"
        raise CorruptionError(message) from error
