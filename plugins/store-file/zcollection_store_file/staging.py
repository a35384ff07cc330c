"""New objects below directories that many of them share: each directory is looked at once, and paths begin at a batch's own."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from attrs import field, frozen

from zcollection.plugin import Pieces
from zcollection_store_file import files, system
from zcollection_store_file.failures import telling
from zcollection_store_file.paths import DEEPEST, LOCK, Places

_HAS_DIRECTORIES_TO_BEGIN_AT: Final = {os.open, os.mkdir} <= os.supports_dir_fd


@frozen(kw_only=True)
class Staging:
    """The objects of one operation, staged in batches: each the objects of one group, or a part of them.

    Attributes
    ----------
    places
        Where keys lie.
    """

    places: Places
    _last: list[tuple[str, dict[str, bool]]] = field(factory=lambda: [("", {})], init=False)
    """The folder of the last batch, and whether the batch has made each directory within it; one item."""
    _directories: dict[str, str] = field(factory=dict)
    """Paths of the directories that exist, by key."""
    _new: set[str] = field(factory=set)
    """Keys of those that this has made: nothing exists below them that it has not made."""
    _parts: dict[str, int] = field(factory=dict)
    """How many parts the keys have within their batches, of those whose text is right: of thousands of groups they are few."""

    def write(self, items: Mapping[str, bytes | Pieces], block: telling) -> None:
        """Write objects that are new.

        Parameters
        ----------
        items
            Their bytes by key.
        block
            Is told which of them is being written.
        """
        if not items:
            return
        folder, block.key = _common_folder(items), next(iter(items))
        start = len(folder) + 1 if folder else 0
        most = DEEPEST - folder.count("/") - 1
        within = {"": False}
        with _begun_at(self._directory(folder)) as (beginning, descriptor):
            for block.key, data in items.items():
                key = block.key[start:]
                if self._parts.get(key, DEEPEST) > most or block.key == LOCK:
                    self._check_and_remember(block.key, key)
                parent = key.rpartition("/")[0]
                if parent not in within:
                    self._make(parent, within, folder, beginning, descriptor)
                self._write_new(beginning + system.native(key), data, block.key, descriptor)
        self._last[0] = folder, within

    @property
    def made(self) -> dict[str, str]:
        """Paths of the directories that the last batch has made, by key: whoever adds to its group need not examine them again."""
        folder, within = self._last[0]
        keys = (f"{folder}/{key}" if folder else key for key, is_made in within.items() if is_made)
        return {key: system.under(self.places.root, key) for key in keys}

    def _write_new(self, path: str, data: bytes | Pieces, key: str, descriptor: int | None) -> None:
        try:
            files.write_new(path, data, directory=descriptor)
        except FileExistsError:
            self.places.check_case(key)
            raise

    def _check_and_remember(self, whole: str, key: str) -> None:
        """Check the text of a whole key, of which `key` is what lies within its batch's folder."""
        self.places.check(whole)
        self._parts[key] = key.count("/") + 1

    def _make(self, key: str, within: dict[str, bool], folder: str, beginning: str, descriptor: int | None) -> None:
        """Make a directory within a batch's own, and those on the way to it; one that is there may be a link."""
        parent = key.rpartition("/")[0]
        if parent not in within:
            self._make(parent, within, folder, beginning, descriptor)
        try:
            os.mkdir(beginning + system.native(key), dir_fd=descriptor)
        except FileExistsError:
            within[key] = False
            self.places.below(f"{folder}/{key}" if folder else key)
        else:
            within[key] = True

    def _directory(self, key: str) -> str:
        """Return the path of a directory that exists."""
        if key not in self._directories:
            if key:
                self.places.check_text(key)
            self._directories[key] = self._made(key)
        return self._directories[key]

    def _made(self, key: str) -> str:
        """Return the path of a directory; only one that was there before can be a link."""
        parent, _, name = key.rpartition("/")
        path = system.under(self._directory(parent), name) if key else self.places.root
        if parent not in self._new and os.path.isdir(path):
            return self.places.below(key) if key else path
        try:
            os.mkdir(path)
        except FileNotFoundError:
            os.makedirs(path, exist_ok=True)  # the root itself, and what it lies in
        except FileExistsError:
            return self.places.below(key) if key else path
        self._new.add(key)
        return path


def _common_folder(keys: Collection[str]) -> str:
    """Return the deepest folder below which all keys lie: what the first and the last of them share, all share."""
    first, last = min(keys), max(keys)
    folder = first.rpartition("/")[0]
    while folder and not last.startswith(f"{folder}/"):
        folder = folder.rpartition("/")[0]
    return folder


@contextmanager
def _begun_at(directory: str) -> Iterator[tuple[str, int | None]]:
    """Yield what paths within a directory begin with, and the descriptor that they are relative to, where there is one."""
    if not _HAS_DIRECTORIES_TO_BEGIN_AT:
        yield system.under(directory, ""), None
        return
    descriptor = os.open(directory, os.O_RDONLY | system.DIRECTORY)
    try:
        yield "", descriptor
    finally:
        os.close(descriptor)
