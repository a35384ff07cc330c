"""The objects of one URL, shared by all stores of the process with this URL."""

import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Final

from attrs import frozen

from zcollection.plugin import Listed, listing

_DOCUMENT: Final = "zarr.json"


@frozen
class StoredObject:
    """An object in memory.

    Attributes
    ----------
    data
        Bytes of the object.
    modified
        Time of the write, in seconds since 1970.
    number
        Unique number of the write, which serves as etag.
    """

    data: bytes
    modified: float
    number: int


class Space:
    """Objects by key; every method is atomic among threads."""

    def __init__(self) -> None:
        self.writers: Final = threading.Lock()
        self._guard = threading.Lock()
        self._objects: dict[str, StoredObject] = {}
        self._sorted: list[str] | None = []
        self._numbers = count()

    def get(self, key: str) -> bytes | None:
        """Return the bytes of an object; None if it does not exist."""
        found = self._objects.get(key)
        return None if found is None else found.data

    def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects."""
        with self._guard:
            for key, data in items.items():
                self._set(key, self._new(data))

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless the key exists, and return whether it was written."""
        with self._guard:
            if key in self._objects:
                return False
            self._set(key, self._new(data))
            return True

    def copy(self, source: str, target: str) -> bool:
        """Copy an object, without a copy of its bytes, and return whether the source exists."""
        with self._guard:
            found = self._objects.get(source)
            if found is not None:
                self._set(target, self._new(found.data))
            return found is not None

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; a key that ends with "/" deletes every object under it."""
        with self._guard:
            for key in keys:
                for found in self._below(key) if key.endswith("/") else [key]:
                    self._remove(found)

    def move(self, source: str, target: str) -> bool:
        """Replace all objects under `target` with those under `source`, and return whether anything was moved."""
        with self._guard:
            staged = {key: self._objects[key] for key in self._below(source)}
            if f"{source}{_DOCUMENT}" not in staged and f"{target}{_DOCUMENT}" in self._objects:
                return False  # already published, and then partly removed
            for key in [*self._below(target), *staged] if staged else []:
                self._remove(key)
            for key, item in staged.items():
                self._set(target + key.removeprefix(source), item)
            return bool(staged)

    def any_below(self, prefix: str) -> bool:
        """Return whether there are objects under a prefix."""
        with self._guard:
            return bool(self._below(prefix))

    def entries(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        """Yield the current entries under a prefix, sorted by key."""
        with self._guard:
            found = [_listed(key, self._objects[key]) for key in self._below(prefix)]
        return listing(found, prefix, after=after, recursive=recursive)

    def _new(self, data: bytes) -> StoredObject:
        return StoredObject(bytes(data), time.time(), next(self._numbers))

    def _set(self, key: str, item: StoredObject) -> None:
        if key not in self._objects:
            self._sorted = None
        self._objects[key] = item

    def _remove(self, key: str) -> None:
        if self._objects.pop(key, None) is not None:
            self._sorted = None

    def _below(self, prefix: str) -> list[str]:
        if self._sorted is None:
            self._sorted = sorted(self._objects)
        if not prefix:
            return self._sorted
        # "0" is the character after "/", so this is the first key after all keys with the prefix.
        first, end = bisect_left(self._sorted, prefix), bisect_left(self._sorted, f"{prefix[:-1]}0")
        return self._sorted[first:end]


def _listed(key: str, item: StoredObject) -> Listed:
    return Listed(key=key, size=len(item.data), modified=item.modified, etag=str(item.number))
