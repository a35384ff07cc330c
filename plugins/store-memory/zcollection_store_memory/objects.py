"""Blocking access to the objects of the memory store, for worker threads."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from zcollection.plugin import Created, Listed, Read, StoreError, StoreURL, check_keys, check_prefixes
from zcollection_store_memory.space import Space

_SPACES: dict[str, Space] = {}
_GUARD: Final = threading.Lock()
_EMPTY: Final = Space()


def forget(url: str) -> None:
    """Free the objects of a ``memory://`` URL; open stores with this URL are empty afterwards.

    There must be no concurrent writer. A URL without objects is ignored.

    Parameters
    ----------
    url
        URL under which the objects were written.
    """
    with _GUARD:
        _SPACES.pop(StoreURL.parse(url).location, None)


@frozen(kw_only=True)
class Objects:
    """The objects of one URL; every method is the blocking form of the method of `KeyStore` with the same name.

    Attributes
    ----------
    url
        URL of the store.
    check_writable
        Function that raises an error unless the store was opened for writing.
    """

    url: StoreURL
    check_writable: Callable[[], None] = field(repr=False)

    def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        check_keys(self.url, *(read.key for read in reads))
        space = _SPACES.get(self.url.location, _EMPTY)
        return [read.part(space.get(read.key)) for read in reads]

    def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects, all of them atomically."""
        self.check_writable()
        check_keys(self.url, *items)
        self.space().put(items)

    def stage(self, items: Mapping[str, bytes]) -> None:
        """Write objects, as `put` does."""
        self.put(items)

    def create(self, key: str, data: bytes) -> Created:
        """Write an object unless the key exists."""
        self.check_writable()
        check_keys(self.url, key)
        return "created" if self.space().create(key, data) else "exists"

    def list(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        """Yield the current entries under a prefix, sorted by key."""
        if prefix:
            check_prefixes(self.url, prefix)
        return _SPACES.get(self.url.location, _EMPTY).entries(prefix, after=after, recursive=recursive)

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects, which share their bytes."""
        self.check_writable()
        for source, target in pairs:
            check_keys(self.url, source, target)
            if not self.space().copy(source, target):
                message = f"cannot copy {source!r} in {self.url}: there is no such object; run the operation again"
                raise StoreError(message)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; a key that ends with "/" deletes every object under it."""
        self.check_writable()
        given = tuple(keys)
        check_keys(self.url, *(key.removesuffix("/") for key in given))
        self.space().delete(given)

    def publish(self, staged: str, target: str) -> None:
        """Replace the group under `target` with the staged group, atomically."""
        self.check_writable()
        check_prefixes(self.url, staged, target)
        if not self.space().move(staged, target) and not self.space().any_below(target):
            message = f"cannot publish {target!r} in {self.url}: nothing is staged at {staged!r}; stage it again"
            raise StoreError(message)

    def unpublish(self, target: str, trash: str) -> None:
        """Delete the group under `target`; a move to `trash` would not free its memory."""
        self.check_writable()
        check_prefixes(self.url, target, trash)
        self.space().delete([target])

    def space(self) -> Space:
        """Return the objects of the URL for writing, created if necessary."""
        with _GUARD:
            return _SPACES.setdefault(self.url.location, Space())
