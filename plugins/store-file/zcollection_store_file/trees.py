"""Listings and removals of directories, whose paths correspond to prefixes."""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from attrs import frozen

from zcollection.plugin import Listed
from zcollection_store_file import system
from zcollection_store_file.paths import LOCK, is_inside, is_temporary, key_of

_NOT_FOUND: Final = (FileNotFoundError, NotADirectoryError)


@frozen
class Tree:
    """The objects under the root of a store.

    Listings skip links to directories, links that leave the root, and everything that is neither a file nor a directory.

    Attributes
    ----------
    root
        Absolute path of the store.
    """

    root: str

    def walk(self, directory: str, prefix: str, *, after: str = "", recursive: bool = False) -> Iterator[Listed]:
        """Yield the entries of a directory, sorted by key, as `KeyStore.list` does.

        Parameters
        ----------
        directory
            Path of the directory.
        prefix
            Prefix of the keys.
        after, recursive
            As for `KeyStore.list`.
        """
        for key, entry in self._children(directory, prefix):
            if not key.endswith("/"):
                if key > after and (listed := _listed(key, entry)) is not None:
                    yield listed
            elif recursive:
                if key > after or after.startswith(key):
                    yield from self.walk(entry.path, key, after=after, recursive=True)
            elif key > after and self.holds_object(entry.path, key):
                yield Listed(key=key)

    def holds_object(self, directory: str, prefix: str) -> bool:
        """Return whether there is an object under a directory; a directory without objects is not a prefix."""
        children = self._children(directory, prefix)
        if any(not key.endswith("/") for key, _ in children):
            return True
        return any(self.holds_object(entry.path, key) for key, entry in children)

    def _children(self, directory: str, prefix: str) -> list[tuple[str, "os.DirEntry[str]"]]:
        """Return files and directories with their keys, sorted by key; the key of a directory ends with "/"."""
        try:
            with os.scandir(directory) as entries:
                keyed = [(self._key(entry, prefix), entry) for entry in entries]
        except _NOT_FOUND:
            return []
        return sorted(((key, entry) for key, entry in keyed if key is not None), key=lambda item: item[0])

    def _key(self, entry: "os.DirEntry[str]", prefix: str) -> str | None:
        key = prefix + key_of(entry.name)
        if is_temporary(entry.name) or key == LOCK:
            return None
        if entry.is_file(follow_symlinks=False):
            return key
        if system.is_directory(entry):
            return f"{key}/"
        linked = entry.is_symlink() and os.path.isfile(entry.path) and is_inside(entry.path, self.root)
        return key if linked else None

    def remove(self, directory: str) -> None:
        """Remove a directory with all files except the lock; links are removed, and never followed."""
        if system.is_link(directory):
            system.unlink(directory)
            return
        try:
            with os.scandir(directory) as entries:
                found = list(entries)
        except _NOT_FOUND:
            return
        for entry in found:
            if system.is_directory(entry):
                self.remove(entry.path)
            elif entry.path != system.under(self.root, LOCK):
                with suppress(FileNotFoundError):
                    system.unlink(entry.path)
        _remove_if_empty(directory)


def _listed(key: str, entry: "os.DirEntry[str]") -> Listed | None:
    """Return the entry of a file; None if the file was removed in the meantime."""
    try:
        status = system.status_of(entry)
    except FileNotFoundError:
        return None
    etag = f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"
    return Listed(key=key, size=status.st_size, modified=status.st_mtime, etag=etag)


def _remove_if_empty(directory: str) -> None:
    """Remove a directory, unless a file was written to it in the meantime."""
    try:
        system.patiently(os.rmdir, directory)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
