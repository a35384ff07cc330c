"""A collection copied to another place, as it lies, object by object."""

from attrs import evolve

from zcollection.collection.filters import Filter
from zcollection.collection.handle import Handle
from zcollection.engine.executor import gather, parallelism
from zcollection.errors import ConflictError
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.retrying import retrying
from zcollection.transaction.versioning import Beginning, Versioning


async def copy(
    source: Handle, target: Versioning, *, filters: Filter, overwrite: bool, progress: ProgressOption
) -> Handle:
    """Copy a collection; see `Collection.copy`."""
    await source.snapshot()  # what has another schema by now is found out before anything is written
    catalog = target.has_catalog and (source.configuration.catalog or not source.versioning.has_catalog)
    configuration = evolve(source.configuration, version=0, changed=0, catalog=catalog)
    beginning = await target.making(configuration, "copy", overwrite=overwrite)
    await retrying(lambda: _copy_partitions(source, beginning, filters, progress))
    return Handle(target, await target.load())


async def _copy_partitions(source: Handle, beginning: Beginning, filters: Filter, progress: ProgressOption) -> None:
    """Copy the partitions of one version, as one change.

    Raises
    ------
    ConflictError
        Another writer changed the source meanwhile.
    """
    taken = await source.snapshot()
    chosen = dict(source.select(taken, filters))
    if taken.immutable is not None:
        chosen[IMMUTABLE] = taken.immutable
    async with beginning() as transaction:
        with tracking(progress, len(chosen), "copy") as advance:

            async def stage(item: tuple[str, PartitionRecord]) -> None:
                path, record = item
                transaction.reads(path)
                transaction.add(await transaction.stage.copy(path, taken.objects, taken.place(path), record))
                advance()

            await gather(stage, list(chosen.items()), limit=parallelism(transaction.stage.objects))
        if await source.is_outdated(taken):
            message = f"{source.store.url} was changed by another writer while it was copied; copy it again"
            raise ConflictError(message)
        await transaction.commit()
