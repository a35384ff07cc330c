"""A collection copied to another place, as it lies, object by object."""

from zcollection.collection.create import initialise
from zcollection.collection.filters import Filter
from zcollection.collection.handle import Handle
from zcollection.contracts.store import KeyStore
from zcollection.engine.executor import gather, parallelism
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.transaction import begin


async def copy(
    source: Handle, target: KeyStore, *, filters: Filter, overwrite: bool, progress: ProgressOption
) -> Handle:
    """Copy a collection; see `Collection.copy`."""
    taken = await source.snapshot()
    partitions = source.select(taken, filters)
    handle = Handle(target, source.configuration)
    await initialise(handle, overwrite=overwrite)
    chosen = dict(partitions)
    if taken.immutable is not None:
        chosen[IMMUTABLE] = taken.immutable
    async with begin(target, handle.configuration) as transaction:
        with tracking(progress, len(chosen), "copy") as advance:

            async def stage(item: tuple[str, PartitionRecord]) -> None:
                path, record = item
                transaction.reads(path)
                await transaction.stage_objects(path, source.store, record)
                advance()

            await gather(stage, list(chosen.items()), limit=parallelism(target))
        await transaction.commit()
    return handle
