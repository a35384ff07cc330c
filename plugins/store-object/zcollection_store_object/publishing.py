"""Publication of groups object by object: for other tools a group is absent in the meantime, but never incomplete.

The document of a group is deleted first and copied last. A staged group is complete as long as it has its document, which is the
first object to be deleted when the staged group is removed.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Final, TypeVar

from zcollection.plugin import Fence, KeyStore, Listed, StoreError

T = TypeVar("T")

DOCUMENT: Final = "zarr.json"
_BATCH: Final = 64
"""The number of objects that are copied or deleted between two calls of the fence."""


async def publish(
    store: KeyStore, staged: str, target: str, fence: Fence, *, names: Collection[str] | None = None
) -> None:
    """Replace the group under `target` with the staged group; see `KeyStore.publish`.

    If the caller passes the names of the staged objects, they are not listed, and every object is copied.
    """
    new = await _below(store, staged) if names is None else {name: Listed(key=staged + name) for name in names}
    old = await _below(store, target)
    if DOCUMENT not in new and DOCUMENT in old:
        return  # the group was published, and its staged objects were then removed, in part or completely
    if not new and not old:
        message = f"cannot publish {target!r} in {store.url}: nothing is staged at {staged!r}; stage it again"
        raise StoreError(message)
    if _same(new, old, new.keys() | old.keys()):
        return
    await fence()
    await store.delete([target + DOCUMENT])
    changed = [name for name in new.keys() - {DOCUMENT} if not _same(new, old, [name])]
    await _in_batches(store.copy, [(staged + name, target + name) for name in changed], fence)
    # Groups under the target are deleted from the outermost to the innermost: their documents first, then the other objects.
    documents, others = documents_first(target + name for name in old.keys() - new.keys())
    await _in_batches(store.delete, [*sorted(documents, key=lambda key: key.count("/")), *others], fence)
    if DOCUMENT in new:
        await fence()
        await store.copy([(staged + DOCUMENT, target + DOCUMENT)])


async def _in_batches(step: Callable[[Sequence[T]], Awaitable[None]], items: Sequence[T], fence: Fence) -> None:
    """Call a function with batches of items, each of which takes little time, and the fence before each batch."""
    for start in range(0, len(items), _BATCH):
        await fence()
        await step(items[start : start + _BATCH])


async def _below(store: KeyStore, prefix: str) -> dict[str, Listed]:
    return {entry.key.removeprefix(prefix): entry async for entry in store.list(prefix, recursive=True)}


def _same(new: dict[str, Listed], old: dict[str, Listed], names: Iterable[str]) -> bool:
    """Return whether the staged objects with these names are equal to the published ones, by etag and size."""
    return all(
        name in new
        and name in old
        and new[name].etag is not None
        and (new[name].etag, new[name].size) == (old[name].etag, old[name].size)
        for name in names
    )


def documents_first(keys: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the keys of documents, and the other keys."""
    documents: list[str] = []
    others: list[str] = []
    for key in keys:
        (documents if key.rpartition("/")[2] == DOCUMENT else others).append(key)
    return documents, others
