"""Blocking access to the objects of the file store, for worker threads."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from attrs import Factory, field, frozen

from zcollection.plugin import Created, Listed, Pieces, Read, Replacement, StoreError, StoreURL
from zcollection_store_file import files, system
from zcollection_store_file.durable import make_directory, sync_tree, sync_way
from zcollection_store_file.failures import store_errors
from zcollection_store_file.paths import LOCK, Paths
from zcollection_store_file.publishing import Publication, move_to_kept, move_to_trash
from zcollection_store_file.staging import Staging
from zcollection_store_file.trees import Tree

_DOCUMENT: Final = "zarr.json"


@frozen(kw_only=True)
class Files:
    """The objects in the files under a directory; every method is the blocking form of the method of `KeyStore` with the same name.

    An instance serves one operation: it caches the directories in which it has staged objects.

    Attributes
    ----------
    url
        URL of the store, for messages.
    root
        Absolute path of the directory.
    fsync
        Whether writes are on the disk when a method returns.
    check_writable
        Function that raises an error unless the store was opened for writing.
    """

    takes_pieces: ClassVar[bool] = True

    url: StoreURL
    root: str
    fsync: bool
    check_writable: Callable[[], None] = field(repr=False)
    _staging: Staging = field(
        init=False, eq=False, repr=False, default=Factory(lambda self: Staging(paths=self._paths()), takes_self=True)
    )

    def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        paths, found = self._paths(), []
        with store_errors(self.url, "read") as operation:
            for read in reads:
                operation.key = key = read.key
                limit = read.most if read.length is None else read.limit
                found.append(files.read(paths.to_read(key), read.offset, limit))
        return found

    def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects, and replace existing ones, in the given order."""
        self.check_writable()
        paths = self._paths()
        for key, data in items.items():
            with store_errors(self.url, "write", key):
                files.write(paths.of_key(key), data, fsync=self.fsync)

    def stage(self, items: Mapping[str, bytes | Pieces]) -> None:
        """Write new objects that are not read before they are published, without temporary files; `flush` makes them durable."""
        self.check_writable()
        with store_errors(self.url, "stage") as operation:
            self._staging.write(items, operation)

    def create(self, key: str, data: bytes) -> Created:
        """Write an object unless the key exists."""
        self.check_writable()
        with store_errors(self.url, "create", key):
            return "created" if files.create(self._paths().of_key(key), data, fsync=self.fsync) else "exists"

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects by hard links, or by their bytes where links are not supported."""
        self.check_writable()
        paths = Paths(self.url, self.root, self._staging.created)
        with store_errors(self.url, "write a copy at") as operation:
            for source, operation.key in pairs:
                if not files.link(paths.to_link(source), paths.to_link(operation.key), fsync=self.fsync):
                    self._copy(source, paths.of_key(source), paths.of_key(operation.key))

    def _copy(self, key: str, source: str, target: str) -> None:
        try:
            files.copy(source, target, fsync=self.fsync)
        except (FileNotFoundError, NotADirectoryError) as error:
            if os.path.isfile(source):
                raise
            message = f"cannot copy {key!r} in {self.url}: there is no such object; run the operation again"
            raise StoreError(message) from error

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, and ignore missing ones; a key that ends with "/" deletes every object under it."""
        self.check_writable()
        paths = self._paths()
        for key in keys:
            with store_errors(self.url, "delete", key):
                if key.endswith("/"):
                    self._tree.remove(paths.of_prefix(key))
                else:
                    _delete(paths.of_key(key))

    def list(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        """Yield the entries under a prefix, sorted by key."""
        with store_errors(self.url, "list", prefix):
            yield from self._tree.walk(self._paths().to_list(prefix), prefix, after=after, recursive=recursive)

    def flush(self, prefix: str) -> None:
        """Synchronise the files under a prefix, and the directories from it up to the root, if `fsync` is set."""
        directory = self._paths().of_prefix(prefix)
        if self.fsync:
            with store_errors(self.url, "synchronise", prefix):
                sync_tree(directory)
                sync_way(directory, self.root)

    def check_targets(self, prefixes: Iterable[str]) -> None:
        """Check that directories can be published or removed at these prefixes; raise `StoreError` for symbolic links and files."""
        paths = self._paths()
        with store_errors(self.url, "write to") as operation:
            for operation.key in prefixes:
                paths.check_target(operation.key)

    def publish(self, staged: str, target: str) -> None:
        """Replace the group under `target` with the staged group."""
        self.publish_all([(staged, target)])

    def publish_all(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Publish groups, one after the other."""
        self.check_writable()
        for staged, target in pairs:
            self._publish(staged, target, kept=None)

    def _publish(self, staged: str, target: str, *, kept: str | None) -> None:
        """Publish a group, and move the replaced one to the prefix `kept`, if any."""
        paths = self._paths()
        source, destination = self._directory(paths, staged), self._directory(paths, target)
        kept_path = None if kept is None else self._directory(paths, kept)
        with store_errors(self.url, "publish", target):
            if self._is_staged(source, staged, destination, target):
                Publication(
                    tree=self._tree, staged=source, target=destination, kept=kept_path, fsync=self.fsync
                ).finish()

    def replace_all(self, replacements: Iterable[Replacement]) -> None:
        """Publish or remove groups, one after the other, and move the replaced ones to where they are kept."""
        self.check_writable()
        paths = self._paths()
        for item in replacements:
            if item.staged is not None:
                self._publish(item.staged, item.target, kept=item.kept)
                continue
            source, destination = self._directory(paths, item.target), self._directory(paths, item.kept)
            with store_errors(self.url, "remove", item.target):
                move_to_kept(source, destination, fsync=self.fsync)

    def _is_staged(self, source: str, staged: str, destination: str, target: str) -> bool:
        if os.path.isfile(system.under(source, _DOCUMENT)):
            return True
        if os.path.isfile(system.under(destination, _DOCUMENT)):
            return False  # the group was published, and its staged objects were then removed in part
        if self._tree.holds_object(source, staged):
            return True
        if self._tree.holds_object(destination, target):
            return False
        message = f"cannot publish {target!r} in {self.url}: nothing is staged at {staged!r}; stage it again"
        raise StoreError(message)

    def unpublish(self, target: str, trash: str) -> None:
        """Move the group under `target` to `trash`."""
        self.check_writable()
        paths = self._paths()
        source, destination = self._directory(paths, target), self._directory(paths, trash)
        with store_errors(self.url, "remove", target):
            move_to_trash(self._tree, source, destination, fsync=self.fsync)

    def lock_path(self) -> str:
        """Return the path of the lock file; its directory is created if necessary."""
        self.check_writable()
        path = self._paths().below(LOCK)
        with store_errors(self.url, "lock", LOCK):
            make_directory(os.path.dirname(path), fsync=self.fsync)
        return path

    @property
    def _tree(self) -> Tree:
        return Tree(self.root)

    def _paths(self) -> Paths:
        return Paths(self.url, self.root)

    def _directory(self, paths: Paths, prefix: str) -> str:
        if not prefix:
            message = f"the prefix '' is refused by {self.url}: the whole store cannot be moved; give one below it"
            raise StoreError(message)
        return paths.of_prefix(prefix)


def _delete(path: str) -> None:
    # A directory is not an object.
    with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
        system.unlink(path)
