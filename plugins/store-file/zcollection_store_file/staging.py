"""Staging of new objects in batches: each directory is checked once, and paths are relative to the common folder of a batch."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from attrs import field, frozen

from zcollection.plugin import Pieces
from zcollection_store_file import files, system
from zcollection_store_file.failures import store_errors
from zcollection_store_file.paths import DEEPEST, LOCK, Paths

_HAS_DIR_FD: Final = {os.open, os.mkdir} <= os.supports_dir_fd


@frozen(kw_only=True)
class Staging:
    """The staging of the objects of one operation, in batches: the objects of one group, or a part of them.

    Attributes
    ----------
    paths
        The paths of keys.
    """

    paths: Paths
    _last: list[tuple[str, dict[str, bool]]] = field(factory=lambda: [("", {})], init=False)
    """One item: the folder of the last batch, and whether the batch has created each directory in it."""
    _directories: dict[str, str] = field(factory=dict)
    """Paths of existing directories, by key."""
    _new: set[str] = field(factory=set)
    """Keys of the directories that this instance created, and which contain nothing else."""
    _parts: dict[str, int] = field(factory=dict)
    """Number of parts of each key, relative to its batch, whose text has been checked; thousands of groups share a few such keys."""

    def write(self, items: Mapping[str, bytes | Pieces], operation: store_errors) -> None:
        """Write new objects.

        Parameters
        ----------
        items
            Bytes by key.
        operation
            Receives the key of the object that is being written, for messages.
        """
        if not items:
            return
        folder, operation.key = _common_folder(items), next(iter(items))
        start = len(folder) + 1 if folder else 0
        most = DEEPEST - folder.count("/") - 1
        within = {"": False}
        with _opened(self._directory(folder)) as (path_prefix, descriptor):
            for operation.key, data in items.items():
                key = operation.key[start:]
                if self._parts.get(key, DEEPEST) > most or operation.key == LOCK:
                    self._check_and_remember(operation.key, key)
                parent = key.rpartition("/")[0]
                if parent not in within:
                    self._create_within(parent, within, folder, path_prefix, descriptor)
                self._write_new(path_prefix + system.native(key), data, operation.key, descriptor)
        self._last[0] = folder, within

    @property
    def created(self) -> dict[str, str]:
        """Paths of the directories that the last batch has created, by key; they cannot be links."""
        folder, within = self._last[0]
        keys = (f"{folder}/{key}" if folder else key for key, is_created in within.items() if is_created)
        return {key: system.under(self.paths.root, key) for key in keys}

    def _write_new(self, path: str, data: bytes | Pieces, key: str, descriptor: int | None) -> None:
        try:
            files.write_new(path, data, directory=descriptor)
        except FileExistsError:
            self.paths.check_case(key)
            raise

    def _check_and_remember(self, whole: str, key: str) -> None:
        """Check the text of a complete key; `key` is its part relative to the folder of the batch."""
        self.paths.check(whole)
        self._parts[key] = key.count("/") + 1

    def _create_within(
        self, key: str, within: dict[str, bool], folder: str, path_prefix: str, descriptor: int | None
    ) -> None:
        """Create a directory in the folder of a batch, with its parents; an existing one may be a link."""
        parent = key.rpartition("/")[0]
        if parent not in within:
            self._create_within(parent, within, folder, path_prefix, descriptor)
        try:
            os.mkdir(path_prefix + system.native(key), dir_fd=descriptor)
        except FileExistsError:
            within[key] = False
            self.paths.below(f"{folder}/{key}" if folder else key)
        else:
            within[key] = True

    def _directory(self, key: str) -> str:
        """Return the path of a directory, which is created if necessary."""
        if key not in self._directories:
            if key:
                self.paths.check_text(key)
            self._directories[key] = self._create_if_missing(key)
        return self._directories[key]

    def _create_if_missing(self, key: str) -> str:
        """Return the path of a directory, created if necessary; only one that already existed can be a link."""
        parent, _, name = key.rpartition("/")
        path = system.under(self._directory(parent), name) if key else self.paths.root
        if parent not in self._new and os.path.isdir(path):
            return self.paths.below(key) if key else path
        try:
            os.mkdir(path)
        except FileNotFoundError:
            os.makedirs(path, exist_ok=True)  # the root itself, and its parents
        except FileExistsError:
            return self.paths.below(key) if key else path
        self._new.add(key)
        return path


def _common_folder(keys: Collection[str]) -> str:
    """Return the deepest common folder of the keys: that of the first and the last one in order."""
    first, last = min(keys), max(keys)
    folder = first.rpartition("/")[0]
    while folder and not last.startswith(f"{folder}/"):
        folder = folder.rpartition("/")[0]
    return folder


@contextmanager
def _opened(directory: str) -> Iterator[tuple[str, int | None]]:
    """Yield the prefix of paths in a directory, and the descriptor that they are relative to, or None."""
    if not _HAS_DIR_FD:
        yield system.under(directory, ""), None
        return
    descriptor = os.open(directory, os.O_RDONLY | system.DIRECTORY)
    try:
        yield "", descriptor
    finally:
        os.close(descriptor)
