"""A collection copied to another place, as it lies, object by object."""

from attrs import evolve

from zcollection.collection.create import initialise
from zcollection.collection.filters import Filter
from zcollection.collection.handle import Handle
from zcollection.collection.insert import retrying
from zcollection.contracts.store import KeyStore
from zcollection.engine.executor import gather, parallelism
from zcollection.errors import ConflictError
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.transaction import begin


async def copy(
    source: Handle, target: KeyStore, *, filters: Filter, overwrite: bool, progress: ProgressOption
) -> Handle:
    """Copy a collection; see `Collection.copy`."""
    handle = Handle(target, await initialise(target, evolve(source.configuration, version=0), overwrite=overwrite))
    await retrying(lambda: _copy_partitions(source, handle, filters, progress))
    return handle


async def _copy_partitions(source: Handle, handle: Handle, filters: Filter, progress: ProgressOption) -> None:
    """Copy the partitions of one version, as one change.

    Raises
    ------
    ConflictError
        Another writer changed the source meanwhile.
    """
    target, taken = handle.store, await source.snapshot()
    chosen = dict(source.select(taken, filters))
    if taken.immutable is not None:
        chosen[IMMUTABLE] = taken.immutable
    async with begin(target, handle.configuration, "copy") as transaction:
        with tracking(progress, len(chosen), "copy") as advance:

            async def stage(item: tuple[str, PartitionRecord]) -> None:
                path, record = item
                transaction.reads(path)
                await transaction.stage_objects(path, source.store, taken.place(path), record)
                advance()

            await gather(stage, list(chosen.items()), limit=parallelism(target))
        if await source.is_outdated(taken):
            message = f"{source.store.url} was changed by another writer while it was copied; copy it again"
            raise ConflictError(message)
        await transaction.commit()
