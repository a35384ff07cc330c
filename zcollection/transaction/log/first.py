"""The first version of a collection, which creates it, empty or with partitions.

A collection exists once the record of version 0, which contains its configuration, is created. If its writer dies before
that, the objects that it has written are ignored, and block no other writer. If it dies later, the next writer completes
its publication.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from attrs import define, evolve

from zcollection.contracts.objects import Read
from zcollection.contracts.store import Fence, KeyStore
from zcollection.engine.write import GROUP_DOCUMENT
from zcollection.errors import CorruptionError
from zcollection.portal import uninterrupted
from zcollection.transaction.documents import CATALOG, CONFIGURATION, TRANSACTIONS, Configuration
from zcollection.transaction.index import catalog
from zcollection.transaction.log import history, inspection
from zcollection.transaction.log.transaction import LogTransaction
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.version import Version
from zcollection.transaction.versioning import already_exists


@define(kw_only=True)
class FirstTransaction(LogTransaction):
    """The transaction that creates a collection."""

    async def expect(self, paths: Iterable[str]) -> None:
        """Declare which partitions are about to be written: all of them are new."""
        await self._write_in_place(paths)

    async def _prepare_version(self) -> Version:
        """Return version 0, after checking that no other writer has created a collection meanwhile."""
        await check_free(self.store)
        await self.store.check_targets(f"{path}/" for path in self._targets)
        self._divide_large_catalog()
        return self._version(0, ())

    async def _commit_and_publish(self, version: Version) -> bool:
        if not await super()._commit_and_publish(version):
            raise already_exists(self.store)
        return True

    async def _checkpoint(self, version: Version, fence: Fence) -> None:
        configuration = self.replacement or self.configuration
        if configuration.catalog:
            checkpoint = Snapshot(self.store, changes=[version]).to_checkpoint()
            await catalog.save(self.store, checkpoint, in_segments=configuration.segments, fence=fence)

    async def check(self) -> None:
        """Do nothing: the change depends on nothing that another writer could change."""


@asynccontextmanager
async def begin(store: KeyStore, configuration: Configuration, operation: str) -> AsyncIterator[FirstTransaction]:
    """Open the transaction that creates a collection; leaving the block removes its staging area unless it was committed."""
    made = evolve(configuration, version=0, changed=0)
    transaction = FirstTransaction(
        store=store, configuration=made, base=Snapshot(store), operation=operation, replacement=made
    )
    # Written first: plain Zarr readers must not descend into this prefix.
    await store.put({f"{TRANSACTIONS}/{GROUP_DOCUMENT}": inspection.transactions_document()})
    try:
        yield transaction
    finally:
        await uninterrupted(transaction.discard)


async def check_free(store: KeyStore) -> None:
    """Check that a collection can be created here; objects of writers that died before version 0 are accepted.

    Raises
    ------
    CollectionExistsError
        A collection, or another Zarr hierarchy, exists.
    """
    existing, root, log = await store.get(
        [Read(key) for key in (CONFIGURATION, GROUP_DOCUMENT, f"{TRANSACTIONS}/{GROUP_DOCUMENT}")]
    )
    is_other = root is not None and log is None
    if existing is not None or is_other or (log is not None and await _has_remains(store)):
        raise already_exists(store)


async def _has_remains(store: KeyStore) -> bool:
    """Return whether versions or groups exist, as in a collection that has lost its configuration."""
    if await history.exists(store):
        return True
    prefixes = [entry.key async for entry in store.list("") if entry.is_prefix]
    groups = [prefix for prefix in prefixes if prefix not in {f"{TRANSACTIONS}/", f"{CATALOG}/"}]
    return any(data is not None for data in await store.get([Read(f"{prefix}{GROUP_DOCUMENT}") for prefix in groups]))


async def committed_configuration(store: KeyStore) -> bytes | None:
    """Return the newest configuration in the log, for a collection whose configuration document is missing; None without a log.

    Raises
    ------
    CorruptionError
        The log contains no configuration, or is damaged.
    """
    if not await history.exists(store):
        return None
    documents = [version.new_configuration for version in await history.all_versions(store)]
    known = [document for document in documents if document is not None]
    if not known:
        message = f"the configuration {CONFIGURATION} of {store.url} is lost; restore it from a backup"
        raise CorruptionError(message)
    return known[-1].encode()
