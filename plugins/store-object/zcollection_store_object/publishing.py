"""Groups put in the place of others, object by object: absent for a moment for other tools, and never torn.

The document of a group is deleted first and copied last. A stage is whole while it has its document, which is the first
to go when the stage is removed.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Final, TypeVar

from zcollection.plugin import Fence, KeyStore, Listed, StoreError

T = TypeVar("T")

DOCUMENT: Final = "zarr.json"
_PART: Final = 64
"""Objects that are copied between two looks at the fence."""


async def publish(
    store: KeyStore, staged: str, target: str, fence: Fence, *, names: Collection[str] | None = None
) -> None:
    """Put what is staged in the place of what lies at the target, as `KeyStore.publish` says.

    The names of what is staged need not be listed where the caller knows them; then each object is copied.
    """
    new = await _below(store, staged) if names is None else {name: Listed(key=staged + name) for name in names}
    old = await _below(store, target)
    if DOCUMENT not in new and DOCUMENT in old:
        return  # the stage was removed, in part or whole, after it was published
    if not new and not old:
        message = f"cannot publish {target!r} in {store.url}: nothing is staged at {staged!r}; stage it again"
        raise StoreError(message)
    if _same(new, old, new.keys() | old.keys()):
        return
    await fence()
    await store.delete([target + DOCUMENT])
    changed = [name for name in new.keys() - {DOCUMENT} if not _same(new, old, [name])]
    await _in_parts(store.copy, [(staged + name, target + name) for name in changed], fence)
    # There may be groups below that are groups of their own: their documents go first, those of what they hold after them.
    documents, others = documents_first(target + name for name in old.keys() - new.keys())
    await _in_parts(store.delete, [*sorted(documents, key=lambda key: key.count("/")), *others], fence)
    if DOCUMENT in new:
        await fence()
        await store.copy([(staged + DOCUMENT, target + DOCUMENT)])


async def _in_parts(step: Callable[[Sequence[T]], Awaitable[None]], items: Sequence[T], fence: Fence) -> None:
    """Take a step for so many items at once that it ends soon."""
    for start in range(0, len(items), _PART):
        await fence()
        await step(items[start : start + _PART])


async def _below(store: KeyStore, prefix: str) -> dict[str, Listed]:
    return {entry.key.removeprefix(prefix): entry async for entry in store.list(prefix, recursive=True)}


def _same(new: dict[str, Listed], old: dict[str, Listed], names: Iterable[str]) -> bool:
    """Return whether these objects are the same on both sides, by what the server says of their bytes."""
    return all(
        name in new
        and name in old
        and new[name].etag is not None
        and (new[name].etag, new[name].size) == (old[name].etag, old[name].size)
        for name in names
    )


def documents_first(keys: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the documents among some keys, and the others."""
    documents: list[str] = []
    others: list[str] = []
    for key in keys:
        (documents if key.rpartition("/")[2] == DOCUMENT else others).append(key)
    return documents, others
