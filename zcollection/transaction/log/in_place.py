"""New partitions written where they are to lie, on stores that publish by copying: nobody reads them without their document.

The document is staged as usual, and put in its place when the change is published. Whoever writes in a place creates a
certain object there first, so that there is one who does; all others, for as long as anything lies there, stage what they
write. What is there already is never overwritten, and what a failed or dead writer leaves is not removed before a vacuum
does so as a change of that partition: another writer may have put its own in the place, at any moment. The announcement
in the stage says where to look.
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

_AT_ONCE: Final = 64
"""Documents that are written between two looks at the fence."""


class OccupiedError(ZCollectionError):
    """Something lies where a new partition was to be written."""


@define
class InPlace:
    """Puts the objects of one group in their place, and its document at another.

    Attributes
    ----------
    store
        Where.
    place
        The places of both.
    """

    store: KeyStore
    place: Place
    _is_claimed: bool = False

    def __call__(self, objects: Mapping[str, bytes | Pieces]) -> Work[None]:
        """Write objects; raises `OccupiedError` unless it creates every one of them."""
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
            message = f"something lies at {self.place.prefix!r}"
            raise OccupiedError(message)


def _claim(objects: Mapping[str, bytes | Pieces]) -> str:
    """Return the object that is created first: all who write in a place have the same one, its first array's document."""
    for key in sorted(objects):
        if key.endswith(f"/{GROUP_DOCUMENT}") and parse_json(bytes(objects[key]), what=key).get("node_type") == "array":
            return key
    message = "the group has no arrays"
    raise OccupiedError(message)


def _announcement(transaction: str) -> str:
    return f"{stage_of(transaction)}_in_place"


async def announce(store: KeyStore, transaction: str, paths: Collection[str]) -> None:
    """Say where a transaction is about to write."""
    if paths:
        await store.put({_announcement(transaction): json.dumps(sorted(paths)).encode()})


async def announced(store: KeyStore, transactions: Iterable[str]) -> list[str]:
    """Return where some transactions said that they were about to write; what cannot be understood is passed over."""
    answers = await store.get([Read(_announcement(transaction)) for transaction in transactions])
    return sorted({path for data in answers if data is not None for path in _paths(data)})


def _paths(data: bytes) -> list[str]:
    try:
        return [path if path == IMMUTABLE else validate_path(path) for path in json.loads(data)]
    except (ValueError, TypeError, AttributeError, RecursionError, PartitionError):
        return []


async def discard(store: KeyStore, transaction: str, paths: Collection[str]) -> None:
    """Remove the stage of a transaction that failed, but the announcement where something was written in a place."""
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
    """Put the documents of a version's groups beside what lies in its place already; done again it changes nothing."""
    for start in range(0, len(version.in_place), _AT_ONCE):
        await _complete(store, version, version.in_place[start : start + _AT_ONCE], fence)


async def _complete(store: KeyStore, version: Version, paths: Collection[str], fence: Fence) -> None:
    contents = await store.get([Read(version.place(path).document) for path in paths])
    documents = {f"{path}/{GROUP_DOCUMENT}": data for path, data in zip(paths, contents, strict=True)}
    lost = [key for key, data in documents.items() if data is None]
    # They are removed once all of the version is published.
    present = await store.get([Read(key) for key in lost])
    for key, data in zip(lost, present, strict=True):
        if data is None:
            message = f"cannot publish {key!r} in {store.url}: nothing is staged for it; insert the partition again"
            raise StoreError(message)
    await fence()
    await store.put({key: data for key, data in documents.items() if data is not None})
