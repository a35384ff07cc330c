"""What the memory store does with objects, in plain blocking calls: for worker threads."""

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
    """Free the objects at a ``memory://`` URL; stores that are open there find it empty.

    Nobody may be writing there meanwhile. A URL at which nothing lies is passed over.

    Parameters
    ----------
    url
        As it was given when the objects were written.
    """
    with _GUARD:
        _SPACES.pop(StoreURL.parse(url).location, None)


@frozen(kw_only=True)
class Objects:
    """Objects at one URL; every method is that of `KeyStore`, blocking.

    Attributes
    ----------
    url
        Of the store.
    check_writable
        Raises unless the store was opened for writing.
    """

    url: StoreURL
    check_writable: Callable[[], None] = field(repr=False)

    def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        check_keys(self.url, *(read.key for read in reads))
        space = _SPACES.get(self.url.location, _EMPTY)
        return [read.part(space.get(read.key)) for read in reads]

    def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects, all of them at once."""
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
        """Yield what lies under a prefix at this moment, sorted by key."""
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
        """Delete objects and, for keys that end with "/", all below."""
        self.check_writable()
        given = tuple(keys)
        check_keys(self.url, *(key.removesuffix("/") for key in given))
        self.space().delete(given)

    def publish(self, staged: str, target: str) -> None:
        """Move what is staged to the place of what lies at the target, at once."""
        self.check_writable()
        check_prefixes(self.url, staged, target)
        if not self.space().move(staged, target) and not self.space().any_below(target):
            message = f"cannot publish {target!r} in {self.url}: nothing is staged at {staged!r}; stage it again"
            raise StoreError(message)

    def unpublish(self, target: str, trash: str) -> None:
        """Delete what lies at the target: moved, it would keep its memory."""
        self.check_writable()
        check_prefixes(self.url, target, trash)
        self.space().delete([target])

    def space(self) -> Space:
        """Return the objects at the URL, to be written to."""
        with _GUARD:
            return _SPACES.setdefault(self.url.location, Space())
