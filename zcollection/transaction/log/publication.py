"""Publication of committed versions: every step is idempotent, so that the next writer can complete it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial

from attrs import field, frozen

from zcollection.contracts.store import Fence, KeyStore, Replacement, unfenced
from zcollection.engine.layout import group_document
from zcollection.engine.write import GROUP_DOCUMENT, abandoned_documents, parent_documents
from zcollection.errors import StoreError
from zcollection.model.names import ancestors
from zcollection.portal import uninterrupted
from zcollection.transaction.documents import CATALOG, CONFIGURATION, IMMUTABLE, Configuration
from zcollection.transaction.index import catalog, segments
from zcollection.transaction.log import commit_log, in_place, leases
from zcollection.transaction.log.leases import Lease
from zcollection.transaction.version import Version, stage_of


@frozen
class Unpublishable:
    """Committed groups that cannot be published, for example because a directory is not writable.

    Attributes
    ----------
    versions
        Numbers of the affected versions.
    failures
        The error of each group, by path.
    """

    versions: tuple[int, ...] = ()
    failures: Mapping[str, StoreError] = field(factory=dict)


class UnpublishableError(StoreError):
    """Some groups of a version cannot be published; all others have been.

    Attributes
    ----------
    failures
        The error of each group, by path.
    """

    def __init__(self, failures: Mapping[str, StoreError]) -> None:
        super().__init__("; ".join(map(str, failures.values())))
        self.failures = failures


@frozen(kw_only=True)
class Hints:
    """Facts about a version that save requests, and that only its writer knows.

    Attributes
    ----------
    replaced
        Paths at which the version replaces a partition: the documents of their parent groups exist.
    staged
        Keys of all staged objects, if they are one group of few objects; otherwise empty.
    """

    replaced: Collection[str] = ()
    staged: Collection[str] = ()


async def publish(
    store: KeyStore,
    version: Version,
    lease: Lease | None = None,
    *,
    superseded: Collection[str] = (),
    hints: Hints | None = None,
) -> None:
    """Publish what a version has staged, write its mark, and remove its staging area.

    Parameters
    ----------
    store
        The store of the collection.
    version
        The version to publish.
    lease
        The lease of the writer, on a store without a lock.
    superseded
        Paths that newer versions have written or dropped, including that of the configuration; they are not published.
    hints
        Facts that only the writer knows, if the caller has just committed the version.

    Raises
    ------
    UnpublishableError
        Some groups cannot be published; the staging area stays.
    """
    # Uninterrupted: after a cancellation, other writers would have to wait for a whole lease before they could complete it.
    await uninterrupted(_publish, store, version, lease, frozenset(superseded), hints or Hints())


async def _publish(
    store: KeyStore,
    version: Version,
    lease: Lease | None,
    superseded: Collection[str],
    hints: Hints,
) -> None:
    fence = unfenced if lease is None else lease.fence
    failures = await _publish_groups(store, version, fence, superseded, hints)
    if failures:
        raise UnpublishableError(failures)
    await fence()
    await commit_log.mark_published(store, version)
    # From here on other writers may continue: only objects of this version are removed.
    below = hints.staged if hints.staged and store.publishes_copies else [version.stage]
    await store.delete([*below, *([] if lease is None else lease.keys)])


async def _publish_groups(
    store: KeyStore,
    version: Version,
    fence: Fence,
    superseded: Collection[str],
    hints: Hints,
) -> dict[str, StoreError]:
    """Publish all groups that can be published, and return the error of each that cannot, by path."""
    # Dropped groups that are kept are moved first: with a new partitioning, new partitions may be stored above or below them.
    dropped = {path: item for path, item in _dropped_and_kept(version).items() if path not in superseded}
    failures = await _replace_all(store, dropped, fence)
    for key, data in parent_documents(version.partitions.keys() - {*hints.replaced}).items():
        await fence()
        await store.create(key, data)
    await in_place.complete(store, version, fence)
    settled = {*version.in_place, *superseded}
    paths = [*([] if version.immutable is None else [IMMUTABLE]), *version.partitions]
    staged = {path: version.place(path).prefix for path in paths if path not in settled}
    failures |= await _replace_all(store, _replaced_and_kept(version, staged), fence)
    unkept = {path: staged[path] for path in staged.keys() - version.kept.keys()}
    failures |= await _publish_all(store, unkept, fence, hints.staged)
    # The publication of a group has already removed everything stored below it.
    covered = staged.keys() - failures.keys()
    for path in (*version.dropped, *version.cleared):
        if path not in superseded and path not in dropped and covered.isdisjoint(ancestors(path)[:-1]):
            failures |= await _failure(store, path, partial(_remove, store, version, path, fence))
    await fence()
    await store.delete(stage_of(transaction) for transaction in version.removed)
    if CONFIGURATION in superseded:
        return failures
    if version.configuration is not None:
        await _replace(store, version, version.configuration.encode(), fence)
    if version.schema is not None:
        await fence()
        await store.delete(abandoned_documents(version.dropped, {*version.partitions, *superseded}))
        await store.put({CONFIGURATION: version.schema.encode()})
        await store.delete([commit_log.ANNOUNCED])
    return failures


def _dropped_and_kept(version: Version) -> dict[str, Replacement]:
    """Return the groups that are dropped and kept for older versions, by path."""
    return {
        path: Replacement(target=f"{path}/", kept=version.kept[path], spared=_below(version, path))
        for path in version.dropped
        if path in version.kept
    }


def _below(version: Version, path: str) -> tuple[str, ...]:
    """Return the prefixes of the partitions that a version writes below a dropped one."""
    if path not in version.above:
        return ()
    return tuple(f"{new}/" for new in version.partitions if new.startswith(f"{path}/"))


def _replaced_and_kept(version: Version, staged: Mapping[str, str]) -> dict[str, Replacement]:
    """Return the groups that staged ones replace and that are kept for older versions, by path."""
    return {
        path: Replacement(target=f"{path}/", kept=version.kept[path], staged=prefix)
        for path, prefix in staged.items()
        if path in version.kept
    }


async def _remove(store: KeyStore, version: Version, path: str, fence: Fence) -> None:
    """Remove a dropped partition, but none that a new partitioning has written below it."""
    trash = f"{version.stage}dropped/{path}/"
    if path not in version.above:
        await store.unpublish(f"{path}/", trash, fence)
        return
    await fence()
    await store.put(
        {f"{path}/{GROUP_DOCUMENT}": group_document({})}
    )  # first, so that an interrupted removal leaves no partition
    for key in [entry.key async for entry in store.list(f"{path}/") if entry.is_prefix]:
        if key.rstrip("/") not in version.above and key.rstrip("/") not in version.partitions:
            await store.unpublish(key, trash + key.removeprefix(f"{path}/"), fence)


async def _publish_all(
    store: KeyStore, staged: Mapping[str, str], fence: Fence, staged_keys: Collection[str]
) -> dict[str, StoreError]:
    """Publish groups, given their staging prefixes by path, and return the error of each that cannot be published."""
    if staged_keys and len(staged) == 1 and store.publishes_copies:
        ((path, prefix),) = staged.items()
        await store.publish_written(prefix, f"{path}/", [key.removeprefix(prefix) for key in staged_keys], fence)
        return {}
    try:
        await store.publish_all([(prefix, f"{path}/") for path, prefix in staged.items()], fence)
    except StoreError:
        if not store.has_lock:
            raise
    else:
        return {}
    failures: dict[str, StoreError] = {}
    for path, prefix in staged.items():
        failures |= await _failure(store, path, partial(store.publish, prefix, f"{path}/", fence))
    return failures


async def _replace_all(store: KeyStore, replacements: Mapping[str, Replacement], fence: Fence) -> dict[str, StoreError]:
    """Replace groups by path, keep the replaced groups, and return the error of each that cannot be replaced."""
    if not replacements:
        return {}
    try:
        await store.replace_all(replacements.values(), fence)
    except StoreError:
        if not store.has_lock:
            raise
    else:
        return {}
    failures: dict[str, StoreError] = {}
    for path, item in replacements.items():
        failures |= await _failure(store, path, partial(store.replace_all, [item], fence))
    return failures


async def _failure(store: KeyStore, path: str, step: Callable[[], Awaitable[None]]) -> dict[str, StoreError]:
    """Perform a step for one group and return its error, by path; without a lock, raise it, so that another writer takes over."""
    try:
        await step()
    except StoreError as failure:
        if not store.has_lock:
            raise
        return {path: failure}
    return {}


async def _replace(store: KeyStore, version: Version, document: bytes, fence: Fence) -> None:
    """Publish the documents of a new collection, and remove those of the replaced one."""
    configuration = Configuration.load(document, what=f"the configuration of version {version.number}")
    if version.number:
        await _clear(store, version, configuration, fence)
    if configuration.catalog:
        await store.put(catalog.array_document())
    await fence()
    await store.put({"zarr.json": group_document(configuration.schema.attrs), CONFIGURATION: document})
    await fence()
    await store.delete([commit_log.ANNOUNCED])


async def _clear(store: KeyStore, version: Version, configuration: Configuration, fence: Fence) -> None:
    """Remove the groups and documents of the replaced collection that the new one does not have."""
    if version.immutable is None:
        await store.unpublish(f"{IMMUTABLE}/", f"{version.stage}dropped/{IMMUTABLE}/", fence)
    await fence()
    await store.delete(parent_documents(version.dropped).keys() - parent_documents(version.partitions).keys())
    if not configuration.catalog:
        await store.delete([f"{CATALOG}/", segments.FOLDER])


async def publish_pending(store: KeyStore, changes: Sequence[Version]) -> Unpublishable:
    """Publish the versions that are not yet published, in order, and return the groups that cannot be published.

    With a lock, the caller publishes the versions of dead writers; without one, it waits for writers with a valid lease.

    Parameters
    ----------
    store
        The store of the collection.
    changes
        Versions in order, published or not, up to the newest.
    """
    unpublishable = Unpublishable()
    for version in await commit_log.unpublished(store, changes):
        newer = [change for change in changes if change.number > version.number]
        superseded = frozenset[str]().union(*(change.touched for change in newer))
        superseded |= {CONFIGURATION} if any(change.new_configuration for change in newer) else frozenset()
        if not store.has_lock:
            await leases.ensure_published(
                store, version.number, partial(publish, store, version, superseded=superseded)
            )
            continue
        try:
            await publish(store, version, superseded=superseded)
        except UnpublishableError as error:
            unpublishable = Unpublishable(
                (*unpublishable.versions, version.number), {**unpublishable.failures, **error.failures}
            )
    return unpublishable
