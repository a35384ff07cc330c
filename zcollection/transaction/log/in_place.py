"""Writing of new partitions in their published place, on stores that publish by copying; without a group document, readers ignore them.

The group document is staged as usual, and is put in place when the change is published. A writer first creates one
particular object in the place, which only one writer can do; while any object exists there, the other writers stage
their partitions. Existing objects are never overwritten. The objects of a failed or dead writer stay until a vacuum
removes them by a committed change of that partition, because another writer may write to the place at any time. An
announcement in the staging area names the paths, so that the vacuum can find these objects.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from attrs import define

from zcollection.contracts.objects import Pieces, Read
from zcollection.contracts.store import Fence, KeyStore
from zcollection.engine.work import Create, Stage, Work
from zcollection.engine.write import GROUP_DOCUMENT
from zcollection.errors import PartitionError, StoreError, ZCollectionError
from zcollection.model.documents import parse_json
from zcollection.transaction.documents import IMMUTABLE, validate_path
from zcollection.transaction.places import Place
from zcollection.transaction.version import Version, stage_of

_BATCH: Final = 64
"""Documents that are written between two checks of the fence."""


class OccupiedError(ZCollectionError):
    """Objects exist in the place where a new partition was to be written."""


@define
class InPlaceWriter:
    """Writes one group in its published place, with the group document staged.

    Attributes
    ----------
    store
        The store of the collection.
    place
        The published prefix of the objects, and the staged key of the document.
    """

    store: KeyStore
    place: Place
    _is_claimed: bool = False

    def __call__(self, objects: Mapping[str, bytes | Pieces]) -> Work[None]:
        """Write objects; raise `OccupiedError` unless this call creates every one of them."""
        own = f"{self.place.prefix}{GROUP_DOCUMENT}"
        rest = {key: data for key, data in objects.items() if key != own}
        if rest and not self._is_claimed:
            key = _claim(rest)
            yield from self._creating({key: rest.pop(key)})
            self._is_claimed = True
        yield from self._creating(rest)
        if own in objects:
            yield Stage({self.place.document: objects[own]})

    def _creating(self, objects: Mapping[str, bytes | Pieces]) -> Work[None]:
        if objects and not (yield Create(self.store, objects)):
            message = f"objects already exist under {self.place.prefix!r}"
            raise OccupiedError(message)


def _claim(objects: Mapping[str, bytes | Pieces]) -> str:
    """Return the key that is created first: the document of the first array, which is the same for all writers."""
    for key in sorted(objects):
        if key.endswith(f"/{GROUP_DOCUMENT}") and parse_json(bytes(objects[key]), what=key).get("node_type") == "array":
            return key
    message = "the group has no arrays"
    raise OccupiedError(message)


def _announcement(transaction: str) -> str:
    return f"{stage_of(transaction)}_in_place"


async def announce(store: KeyStore, transaction: str, paths: Collection[str]) -> None:
    """Record the paths to which a transaction is about to write in place."""
    if paths:
        await store.put({_announcement(transaction): json.dumps(sorted(paths)).encode()})


async def announced(store: KeyStore, transactions: Iterable[str]) -> list[str]:
    """Return the paths that transactions have announced; announcements that cannot be parsed are ignored."""
    answers = await store.get([Read(_announcement(transaction)) for transaction in transactions])
    return sorted({path for data in answers if data is not None for path in _paths(data)})


def _paths(data: bytes) -> list[str]:
    try:
        return [path if path == IMMUTABLE else validate_path(path) for path in json.loads(data)]
    except (ValueError, TypeError, AttributeError, RecursionError, PartitionError):
        return []


async def discard(store: KeyStore, transaction: str, paths: Collection[str]) -> None:
    """Remove the staging area of a failed transaction, but keep its announcement if objects exist at a path."""
    if not [path for path in paths if await _is_occupied(store, path)]:
        await store.delete([stage_of(transaction)])
        return
    keys = [entry.key async for entry in store.list(stage_of(transaction), recursive=True)]
    await store.delete(key for key in keys if key != _announcement(transaction))


async def _is_occupied(store: KeyStore, path: str) -> bool:
    async for _ in store.list(f"{path}/"):
        return True
    return False


async def complete(store: KeyStore, version: Version, fence: Fence) -> None:
    """Publish the group documents of partitions that were written in place; idempotent."""
    for start in range(0, len(version.in_place), _BATCH):
        await _complete(store, version, version.in_place[start : start + _BATCH], fence)


async def _complete(store: KeyStore, version: Version, paths: Collection[str], fence: Fence) -> None:
    contents = await store.get([Read(version.place(path).document) for path in paths])
    documents = {f"{path}/{GROUP_DOCUMENT}": data for path, data in zip(paths, contents, strict=True)}
    unstaged = [key for key, data in documents.items() if data is None]
    # Staged documents are removed once the whole version is published.
    present = await store.get([Read(key) for key in unstaged])
    for key, data in zip(unstaged, present, strict=True):
        if data is None:
            message = f"cannot publish {key!r} in {store.url}: nothing is staged for it; insert the partition again"
            raise StoreError(message)
    await fence()
    await store.put({key: data for key, data in documents.items() if data is not None})
