"""What was committed, put in its place: every step can be done again, by whoever comes next."""

from collections.abc import Iterable

from zcollection.contracts.store import KeyStore
from zcollection.engine.layout import group_document
from zcollection.engine.write import parent_documents
from zcollection.transaction import catalog, log
from zcollection.transaction.documents import CATALOG, CONFIGURATION, IMMUTABLE, Configuration
from zcollection.transaction.log import Version, stage_of


async def publish(store: KeyStore, version: Version) -> None:
    """Put what a version staged in its place, say so, and remove its stage."""
    for key, data in parent_documents(version.partitions).items():
        await store.create(key, data)
    paths = [*([] if version.immutable is None else [IMMUTABLE]), *version.partitions]
    await store.publish_all((f"{version.stage}{path}/", f"{path}/") for path in paths)
    for path in version.dropped:
        await store.unpublish(f"{path}/", f"{version.stage}dropped/{path}/")
    await store.delete(stage_of(transaction) for transaction in version.removed)
    if version.configuration is not None:
        await _replace(store, version, version.configuration.encode())
    await log.mark_published(store, version)
    await store.delete([version.stage, *([] if version.configuration is None else [log.ANNOUNCED])])


async def _replace(store: KeyStore, version: Version, document: bytes) -> None:
    """Take away what is left of the old collection, and put the documents of the new one in their place."""
    configuration = Configuration.load(document, what=f"the configuration of version {version.number}")
    if version.immutable is None:
        await store.unpublish(f"{IMMUTABLE}/", f"{version.stage}dropped/{IMMUTABLE}/")
    await store.delete(parent_documents(version.dropped).keys() - parent_documents(version.partitions).keys())
    if configuration.catalog:
        await store.put(catalog.array_document())
    else:
        await store.delete([f"{CATALOG}/"])
    await store.put({"zarr.json": group_document(configuration.schema.attrs), CONFIGURATION: document})


async def settle(store: KeyStore, versions: Iterable[Version]) -> None:
    """Publish those of some versions that a dead writer left; the caller holds the store's lock."""
    for version in await log.unpublished(store, [version for version in versions if not version.published]):
        await publish(store, version)
