"""Copies a collection to another location, object by object, without decoding."""

from attrs import evolve, frozen

from zcollection.collection import key_selection
from zcollection.collection.filters import Filter
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.staging import staged
from zcollection.contracts.objects import Objects
from zcollection.engine.executors import ClientOption, executor_for
from zcollection.engine.jobs import Arrays, Executor, Job
from zcollection.engine.work import Work
from zcollection.errors import ConflictError
from zcollection.progress import ProgressOption
from zcollection.transaction.change import Stage, StagedPartition
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.places import Place
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.versioning import TransactionFactory, Versioning


async def copy(
    source: OpenCollection,
    target: Versioning,
    *,
    filters: Filter,
    overwrite: bool,
    client: ClientOption,
    progress: ProgressOption,
) -> OpenCollection:
    """Copy a collection; see `Collection.copy`."""
    executor_for(client, source.store)
    executor = executor_for(client, target.store)
    await source.snapshot()  # raises before anything is written if the schema has changed
    catalog = target.has_catalog and (source.configuration.catalog or not source.versioning.has_catalog)
    configuration = evolve(source.configuration, version=0, changed=0, catalog=catalog, retention=None)
    begin = await target.creation(configuration, "copy", overwrite=overwrite)
    await retrying(lambda: _copy_partitions(source, begin, executor, filters, progress))
    return OpenCollection(target, await target.load())


async def _copy_partitions(
    source: OpenCollection, begin: TransactionFactory, executor: Executor, filters: Filter, progress: ProgressOption
) -> None:
    """Copy the partitions of one version, as one change.

    Raises
    ------
    ConflictError
        Another writer changed the source in the meantime.
    """
    snapshot = await source.snapshot()
    partitions = dict(await key_selection.select(source, snapshot, filters))
    if snapshot.immutable is not None:
        partitions[IMMUTABLE] = snapshot.immutable
    async with begin() as transaction:
        for path in partitions:
            transaction.reads(path)
        await transaction.expect(partitions)
        jobs = (copying(snapshot, path, record) for path, record in partitions.items())
        found = await staged(executor, transaction, jobs, total=len(partitions), progress=progress)
        transaction.add_all(found)
        if await source.is_outdated(snapshot):
            message = f"{source.store.url} was changed by another writer while it was copied; copy it again"
            raise ConflictError(message)
        await transaction.commit()


def copying(snapshot: Snapshot, path: str, record: PartitionRecord) -> Job[Stage, StagedPartition]:
    """Return the job that stages a copy of a partition of a snapshot."""
    return Job(_Copy(snapshot.objects, path, snapshot.place(path), record).staging)


@frozen
class _Copy:
    """The copy of one partition of the source."""

    source: Objects
    path: str
    place: Place
    record: PartitionRecord

    def staging(self, stage: Stage, arrays: Arrays) -> Work[StagedPartition]:
        """Stage the copy."""
        del arrays
        return (yield from stage.copying(self.path, self.source, self.place, self.record))
