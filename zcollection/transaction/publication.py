"""What was committed, put in its place: every step can be done again, by whoever comes next."""

from collections.abc import Iterable
from functools import partial

from zcollection.contracts.store import Fence, KeyStore, unfenced
from zcollection.engine.layout import group_document
from zcollection.engine.write import parent_documents
from zcollection.portal import uninterrupted
from zcollection.transaction import catalog, in_place, leases, log
from zcollection.transaction.documents import CATALOG, CONFIGURATION, IMMUTABLE, Configuration
from zcollection.transaction.leases import Lease
from zcollection.transaction.version import Version, stage_of


async def publish(store: KeyStore, version: Version, lease: Lease | None = None) -> None:
    """Put what a version staged in its place, say so, and remove its stage.

    Parameters
    ----------
    store
        Where.
    version
        Which.
    lease
        That of the writer, where it holds no lock.
    """
    # Others would have to wait for a whole lease before they could do what a cancellation has left undone.
    await uninterrupted(_publish, store, version, lease)


async def _publish(store: KeyStore, version: Version, lease: Lease | None) -> None:
    fence = unfenced if lease is None else lease.fence
    await _put_in_place(store, version, fence)
    await fence()
    await log.mark_published(store, version)
    # From here on others may go on: what follows is this version's own.
    await store.delete([version.stage, *([] if lease is None else lease.keys)])


async def _put_in_place(store: KeyStore, version: Version, fence: Fence) -> None:
    for key, data in parent_documents(version.partitions).items():
        await fence()
        await store.create(key, data)
    await in_place.complete(store, version, fence)
    there = set(version.in_place)
    paths = [*([] if version.immutable is None else [IMMUTABLE]), *version.partitions]
    staged = [(version.place(path).prefix, f"{path}/") for path in paths if path not in there]
    await store.publish_all(staged, fence)
    for path in (*version.dropped, *version.cleared):
        await store.unpublish(f"{path}/", f"{version.stage}dropped/{path}/", fence)
    await fence()
    await store.delete(stage_of(transaction) for transaction in version.removed)
    if version.configuration is not None:
        await _replace(store, version, version.configuration.encode(), fence)
    if version.schema is not None:
        await fence()
        await store.put({CONFIGURATION: version.schema.encode()})
        await store.delete([log.ANNOUNCED])


async def _replace(store: KeyStore, version: Version, document: bytes, fence: Fence) -> None:
    """Take away what is left of the old collection, and put the documents of the new one in their place."""
    configuration = Configuration.load(document, what=f"the configuration of version {version.number}")
    if version.immutable is None:
        await store.unpublish(f"{IMMUTABLE}/", f"{version.stage}dropped/{IMMUTABLE}/", fence)
    await fence()
    await store.delete(parent_documents(version.dropped).keys() - parent_documents(version.partitions).keys())
    if configuration.catalog:
        await store.put(catalog.array_document())
    else:
        await store.delete([f"{CATALOG}/"])
    await store.put({"zarr.json": group_document(configuration.schema.attrs), CONFIGURATION: document})
    await fence()
    await store.delete([log.ANNOUNCED])


async def settle(store: KeyStore, versions: Iterable[Version]) -> None:
    """See to it that some versions are published, in order.

    Who holds the store's lock publishes what a dead writer left; where there is none, one waits for the living.
    """
    for version in await log.unpublished(store, [version for version in versions if not version.published]):
        if store.has_lock:
            await publish(store, version)
        else:
            await leases.settle(store, version.number, partial(publish, store, version))
