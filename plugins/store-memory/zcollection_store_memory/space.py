"""The objects of one URL, shared by all stores of the process that are opened there."""

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
class Held:
    """An object in memory.

    Attributes
    ----------
    data
        Its bytes.
    modified
        When it was written, in seconds since 1970.
    number
        Differs between any two objects written.
    """

    data: bytes
    modified: float
    number: int


class Space:
    """Objects by key; every method is atomic among threads."""

    def __init__(self) -> None:
        self.writers: Final = threading.Lock()
        self._guard = threading.Lock()
        self._objects: dict[str, Held] = {}
        self._sorted: list[str] | None = []
        self._numbers = count()

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes."""
        held = self._objects.get(key)
        return None if held is None else held.data

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
        """Let a second key have the bytes of a first one, and return whether that exists."""
        with self._guard:
            held = self._objects.get(source)
            if held is not None:
                self._set(target, self._new(held.data))
            return held is not None

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, and all below the keys that end with "/"."""
        with self._guard:
            for key in keys:
                for found in self._below(key) if key.endswith("/") else [key]:
                    self._remove(found)

    def move(self, source: str, target: str) -> bool:
        """Let all below one prefix take the place of all below another, and return whether anything did."""
        with self._guard:
            staged = {key: self._objects[key] for key in self._below(source)}
            if f"{source}{_DOCUMENT}" not in staged and f"{target}{_DOCUMENT}" in self._objects:
                return False  # it was published, and then removed in part
            for key in [*self._below(target), *staged] if staged else []:
                self._remove(key)
            for key, held in staged.items():
                self._set(target + key.removeprefix(source), held)
            return bool(staged)

    def any_below(self, prefix: str) -> bool:
        """Return whether anything lies below a prefix."""
        with self._guard:
            return bool(self._below(prefix))

    def entries(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        """Yield what lies below a prefix at this moment, sorted by key."""
        with self._guard:
            found = [_listed(key, self._objects[key]) for key in self._below(prefix)]
        return listing(found, prefix, after=after, recursive=recursive)

    def _new(self, data: bytes) -> Held:
        return Held(bytes(data), time.time(), next(self._numbers))

    def _set(self, key: str, held: Held) -> None:
        if key not in self._objects:
            self._sorted = None
        self._objects[key] = held

    def _remove(self, key: str) -> None:
        if self._objects.pop(key, None) is not None:
            self._sorted = None

    def _below(self, prefix: str) -> list[str]:
        if self._sorted is None:
            self._sorted = sorted(self._objects)
        if not prefix:
            return self._sorted
        # "0" follows "/" in every encoding of text.
        first, end = bisect_left(self._sorted, prefix), bisect_left(self._sorted, f"{prefix[:-1]}0")
        return self._sorted[first:end]


def _listed(key: str, held: Held) -> Listed:
    return Listed(key=key, size=len(held.data), modified=held.modified, etag=str(held.number))
