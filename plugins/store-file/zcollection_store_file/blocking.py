"""What the store does, in plain blocking calls: for worker threads."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from attrs import Factory, field, frozen

from zcollection.plugin import Created, Listed, Pieces, Read, Replacement, StoreError, StoreURL
from zcollection_store_file import files, system
from zcollection_store_file.durable import make_directory, sync_tree, sync_way
from zcollection_store_file.failures import telling
from zcollection_store_file.paths import LOCK, Places
from zcollection_store_file.publishing import Publication, put_aside, take_away
from zcollection_store_file.staging import Staging
from zcollection_store_file.trees import Tree

_DOCUMENT: Final = "zarr.json"


@frozen(kw_only=True)
class Files:
    """Objects in the files below a directory; every method is that of `KeyStore`, blocking.

    One of these serves one operation: it remembers the directories that it has staged in.

    Attributes
    ----------
    url
        Of the store, for messages.
    root
        Absolute path of the directory.
    fsync
        Whether writes are on the disk when they return.
    check_writable
        Raises unless the store was opened for writing.
    """

    takes_pieces: ClassVar[bool] = True

    url: StoreURL
    root: str
    fsync: bool
    check_writable: Callable[[], None] = field(repr=False)
    _staging: Staging = field(
        init=False, eq=False, repr=False, default=Factory(lambda self: Staging(places=self._places()), takes_self=True)
    )

    def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        places, found = self._places(), []
        with telling(self.url, "read") as block:
            for read in reads:
                block.key = key = read.key
                limit = read.most if read.length is None else read.limit
                found.append(files.read(places.to_read(key), read.offset, limit))
        return found

    def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects, in place of any that exist, in the order given."""
        self.check_writable()
        places = self._places()
        for key, data in items.items():
            with telling(self.url, "write", key):
                files.write(places.of_key(key), data, fsync=self.fsync)

    def stage(self, items: Mapping[str, bytes | Pieces]) -> None:
        """Write new objects that nobody reads yet, each at once under its name; `flush` synchronises them."""
        self.check_writable()
        with telling(self.url, "stage") as block:
            self._staging.write(items, block)

    def create(self, key: str, data: bytes) -> Created:
        """Write an object unless the key exists."""
        self.check_writable()
        with telling(self.url, "create", key):
            return "created" if files.create(self._places().of_key(key), data, fsync=self.fsync) else "exists"

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects by hard links, or their bytes where links are refused."""
        self.check_writable()
        places = Places(self.url, self.root, self._staging.made)
        with telling(self.url, "write a copy at") as block:
            for source, block.key in pairs:
                if not files.link(places.to_link(source), places.to_link(block.key), fsync=self.fsync):
                    self._copy(source, places.of_key(source), places.of_key(block.key))

    def _copy(self, key: str, source: str, target: str) -> None:
        try:
            files.copy(source, target, fsync=self.fsync)
        except (FileNotFoundError, NotADirectoryError) as error:
            if os.path.isfile(source):
                raise
            message = f"cannot copy {key!r} in {self.url}: there is no such object; run the operation again"
            raise StoreError(message) from error

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects and, for keys that end with "/", all below; what is missing is passed over."""
        self.check_writable()
        places = self._places()
        for key in keys:
            with telling(self.url, "delete", key):
                if key.endswith("/"):
                    self._tree.remove(places.of_prefix(key))
                else:
                    _delete(places.of_key(key))

    def list(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        """Yield what lies under a prefix, sorted by key."""
        with telling(self.url, "list", prefix):
            yield from self._tree.walk(self._places().to_list(prefix), prefix, after=after, recursive=recursive)

    def flush(self, prefix: str) -> None:
        """Synchronise what lies under a prefix, and the directories on the way to it, if the store is to."""
        directory = self._places().of_prefix(prefix)
        if self.fsync:
            with telling(self.url, "synchronise", prefix):
                sync_tree(directory)
                sync_way(directory, self.root)

    def check_targets(self, prefixes: Iterable[str]) -> None:
        """Refuse symbolic links, and files, where directories are to be published or taken away."""
        places = self._places()
        with telling(self.url, "put anything at") as block:
            for block.key in prefixes:
                places.check_target(block.key)

    def publish(self, staged: str, target: str) -> None:
        """Put what is staged in the place of what lies at the target, whole."""
        self.publish_all([(staged, target)])

    def publish_all(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Publish one after the other."""
        self.check_writable()
        for staged, target in pairs:
            self._publish(staged, target, kept=None)

    def _publish(self, staged: str, target: str, *, kept: str | None) -> None:
        """Publish one, and move what it replaces to where it is kept, if anywhere."""
        places = self._places()
        source, destination = self._directory(places, staged), self._directory(places, target)
        keeping = None if kept is None else self._directory(places, kept)
        with telling(self.url, "publish", target):
            if self._is_there_to_publish(source, staged, destination, target):
                Publication(tree=self._tree, staged=source, target=destination, kept=keeping, fsync=self.fsync).finish()

    def replace_all(self, replacements: Iterable[Replacement]) -> None:
        """Publish, or take away, one after the other, and move what was there to where it is kept."""
        self.check_writable()
        places = self._places()
        for item in replacements:
            if item.staged is not None:
                self._publish(item.staged, item.target, kept=item.kept)
                continue
            source, destination = self._directory(places, item.target), self._directory(places, item.kept)
            with telling(self.url, "take away", item.target):
                put_aside(source, destination, fsync=self.fsync)

    def _is_there_to_publish(self, source: str, staged: str, destination: str, target: str) -> bool:
        if os.path.isfile(system.under(source, _DOCUMENT)):
            return True
        if os.path.isfile(system.under(destination, _DOCUMENT)):
            return False  # it was published, and its stage removed in part
        if self._tree.holds_object(source, staged):
            return True
        if self._tree.holds_object(destination, target):
            return False
        message = f"cannot publish {target!r} in {self.url}: nothing is staged at {staged!r}; stage it again"
        raise StoreError(message)

    def unpublish(self, target: str, trash: str) -> None:
        """Move what lies at the target under the trash."""
        self.check_writable()
        places = self._places()
        source, destination = self._directory(places, target), self._directory(places, trash)
        with telling(self.url, "take away", target):
            take_away(self._tree, source, destination, fsync=self.fsync)

    def lock_path(self) -> str:
        """Return the path of the lock, in a directory that exists."""
        self.check_writable()
        path = self._places().below(LOCK)
        with telling(self.url, "lock", LOCK):
            make_directory(os.path.dirname(path), fsync=self.fsync)
        return path

    @property
    def _tree(self) -> Tree:
        return Tree(self.root)

    def _places(self) -> Places:
        return Places(self.url, self.root)

    def _directory(self, places: Places, prefix: str) -> str:
        if not prefix:
            message = f"the prefix '' is refused by {self.url}: the whole store cannot be moved; give one below it"
            raise StoreError(message)
        return places.of_prefix(prefix)


def _delete(path: str) -> None:
    # A directory is no object.
    with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
        system.unlink(path)
