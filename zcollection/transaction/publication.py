"""What was committed, put in its place: every step can be done again, by whoever comes next."""

from collections.abc import Iterable

from zcollection.contracts.store import KeyStore
from zcollection.engine.write import parent_documents
from zcollection.transaction import log
from zcollection.transaction.documents import IMMUTABLE
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
    await log.mark_published(store, version)
    await store.delete([version.stage])


async def settle(store: KeyStore, versions: Iterable[Version]) -> None:
    """Publish those of some versions that a dead writer left; the caller holds the store's lock."""
    for version in await log.unpublished(store, [version for version in versions if not version.published]):
        await publish(store, version)
