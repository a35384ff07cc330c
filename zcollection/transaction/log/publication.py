"""What was committed, put in its place: every step can be done again, by whoever comes next."""

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
class Unplaced:
    """What was committed and cannot be put in its place, such as where a directory may not be written to.

    Attributes
    ----------
    versions
        Numbers of the versions concerned.
    failures
        Why, by path.
    """

    versions: tuple[int, ...] = ()
    failures: Mapping[str, StoreError] = field(factory=dict)


class UnplacedError(StoreError):
    """Some groups of a version cannot be put in their place; all others have been.

    Attributes
    ----------
    failures
        Why, by path.
    """

    def __init__(self, failures: Mapping[str, StoreError]) -> None:
        super().__init__("; ".join(map(str, failures.values())))
        self.failures = failures


@frozen(kw_only=True)
class Written:
    """What the writer of a version knows of it, and nobody who completes it for him.

    Attributes
    ----------
    replaced
        Paths at which it replaces a partition: the documents of the groups that lead there exist.
    staged
        Keys of all that lies below its stage, where that is one group of few objects; else none.
    """

    replaced: Collection[str] = ()
    staged: Collection[str] = ()


async def publish(
    store: KeyStore,
    version: Version,
    lease: Lease | None = None,
    *,
    superseded: Collection[str] = (),
    written: Written | None = None,
) -> None:
    """Put what a version staged in its place, say so, and remove its stage.

    Parameters
    ----------
    store
        Where.
    version
        Which.
    lease
        That of the writer, where it holds no lock.
    superseded
        Paths that newer versions have written or dropped, that of the configuration among them: what this one left of them
        is nobody's any more.
    written
        What its writer knows of it, who has just committed it.

    Raises
    ------
    UnplacedError
        Some groups cannot be put in their place; the stage stays.
    """
    # Others would have to wait for a whole lease before they could do what a cancellation has left undone.
    await uninterrupted(_publish, store, version, lease, frozenset(superseded), written or Written())


async def _publish(
    store: KeyStore,
    version: Version,
    lease: Lease | None,
    superseded: Collection[str],
    written: Written,
) -> None:
    fence = unfenced if lease is None else lease.fence
    failures = await _put_in_place(store, version, fence, superseded, written)
    if failures:
        raise UnplacedError(failures)
    await fence()
    await commit_log.mark_published(store, version)
    # From here on others may go on: what follows is this version's own.
    below = written.staged if written.staged and store.publishes_copies else [version.stage]
    await store.delete([*below, *([] if lease is None else lease.keys)])


async def _put_in_place(
    store: KeyStore,
    version: Version,
    fence: Fence,
    superseded: Collection[str],
    written: Written,
) -> dict[str, StoreError]:
    """Put all in its place that can be, and return why what cannot."""
    # What is kept of what goes comes first: since the partitioning was changed, new partitions may lie above it, or below.
    gone = {path: item for path, item in _going(version).items() if path not in superseded}
    failures = await _replace_all(store, gone, fence)
    for key, data in parent_documents(version.partitions.keys() - {*written.replaced}).items():
        await fence()
        await store.create(key, data)
    await in_place.complete(store, version, fence)
    there = {*version.in_place, *superseded}
    paths = [*([] if version.immutable is None else [IMMUTABLE]), *version.partitions]
    staged = {path: version.place(path).prefix for path in paths if path not in there}
    failures |= await _replace_all(store, _replacing(version, staged), fence)
    others = {path: staged[path] for path in staged.keys() - version.kept.keys()}
    failures |= await _publish_all(store, others, fence, written.staged)
    # What lay below the place of a new partition went when that was put there.
    covered = staged.keys() - failures.keys()
    for path in (*version.dropped, *version.cleared):
        if path not in superseded and path not in gone and covered.isdisjoint(ancestors(path)[:-1]):
            failures |= await _failure(store, path, partial(_take_away, store, version, path, fence))
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


def _going(version: Version) -> dict[str, Replacement]:
    """Return the groups that are taken away and kept, by path."""
    return {
        path: Replacement(target=f"{path}/", kept=version.kept[path], spared=_below(version, path))
        for path in version.dropped
        if path in version.kept
    }


def _below(version: Version, path: str) -> tuple[str, ...]:
    """Return the prefixes of the partitions that a version puts below the place of another."""
    if path not in version.above:
        return ()
    return tuple(f"{new}/" for new in version.partitions if new.startswith(f"{path}/"))


def _replacing(version: Version, staged: Mapping[str, str]) -> dict[str, Replacement]:
    """Return the groups that others take the place of, and that are kept, by path."""
    return {
        path: Replacement(target=f"{path}/", kept=version.kept[path], staged=prefix)
        for path, prefix in staged.items()
        if path in version.kept
    }


async def _take_away(store: KeyStore, version: Version, path: str, fence: Fence) -> None:
    """Take a partition away, but none that lies below its place since the partitioning was changed."""
    trash = f"{version.stage}dropped/{path}/"
    if path not in version.above:
        await store.unpublish(f"{path}/", trash, fence)
        return
    await fence()
    await store.put({f"{path}/{GROUP_DOCUMENT}": group_document({})})  # first: what is left of it is no partition
    for key in [entry.key async for entry in store.list(f"{path}/") if entry.is_prefix]:
        if key.rstrip("/") not in version.above and key.rstrip("/") not in version.partitions:
            await store.unpublish(key, trash + key.removeprefix(f"{path}/"), fence)


async def _publish_all(
    store: KeyStore, staged: Mapping[str, str], fence: Fence, written: Collection[str]
) -> dict[str, StoreError]:
    """Publish groups, given the prefixes at which they are staged by path, and return why some cannot be."""
    if written and len(staged) == 1 and store.publishes_copies:
        ((path, prefix),) = staged.items()
        await store.publish_written(prefix, f"{path}/", [key.removeprefix(prefix) for key in written], fence)
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
    """Replace groups by path, keep what was there, and return why some cannot be."""
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
    """Take a step for one group, and return why it could not be taken; without a lock, others are left to do so."""
    try:
        await step()
    except StoreError as failure:
        if not store.has_lock:
            raise
        return {path: failure}
    return {}


async def _replace(store: KeyStore, version: Version, document: bytes, fence: Fence) -> None:
    """Put the documents of a new collection in their place, and take away what is left of an old one."""
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
    """Take away what the new collection does not have of the old one."""
    if version.immutable is None:
        await store.unpublish(f"{IMMUTABLE}/", f"{version.stage}dropped/{IMMUTABLE}/", fence)
    await fence()
    await store.delete(parent_documents(version.dropped).keys() - parent_documents(version.partitions).keys())
    if not configuration.catalog:
        await store.delete([f"{CATALOG}/", segments.FOLDER])


async def settle(store: KeyStore, changes: Sequence[Version]) -> Unplaced:
    """See to it that versions are published, in order, and return what cannot be put in its place.

    Who holds the store's lock publishes what a dead writer left; where there is none, one waits for the living.

    Parameters
    ----------
    store
        Where.
    changes
        Versions in order, published or not, up to the newest.
    """
    unplaced = Unplaced()
    for version in await commit_log.unpublished(store, changes):
        newer = [change for change in changes if change.number > version.number]
        superseded = frozenset[str]().union(*(change.touched for change in newer))
        superseded |= {CONFIGURATION} if any(change.new_configuration for change in newer) else frozenset()
        if not store.has_lock:
            await leases.settle(store, version.number, partial(publish, store, version, superseded=superseded))
            continue
        try:
            await publish(store, version, superseded=superseded)
        except UnplacedError as error:
            unplaced = Unplaced((*unplaced.versions, version.number), {**unplaced.failures, **error.failures})
    return unplaced
