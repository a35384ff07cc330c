"""Conversion of keys to paths under the root, and never outside it."""

import hashlib
import os
import re
import stat
import sys
import unicodedata
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from zcollection.plugin import StoreError, StoreURL, defect_on_windows
from zcollection_store_file.system import IS_WINDOWS, is_junction, is_link, under

LOCK: Final = "_transactions/lock"
"""Key of the lock, which is not an object: it is neither listed nor deleted."""

DEEPEST: Final = 128
"""Largest number of parts of a key."""

# Matches nearly all keys: no part is empty, or starts with a dot.
_ORDINARY: Final = re.compile(r"[^/.\0][^/\0]*(?:/[^/.\0][^/\0]*)*")
_DECOMPOSES: Final = sys.platform == "darwin"
_TEMPORARY: Final = re.compile(r"\.zcollection-[0-9a-f]{32}\.tmp")


def temporary_beside(path: str) -> str:
    """Return a unique path in the same directory; it is never listed."""
    return os.path.join(os.path.dirname(path), f".zcollection-{uuid.uuid4().hex}.tmp")


def marker_beside(path: str) -> str:
    """Return the path of the marker of `path`, in the same directory; it is never listed."""
    directory, name = os.path.split(path)
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return os.path.join(directory, f".zcollection-{digest}.tmp")


def lock_beside(path: str) -> str:
    """Return the path of the lock of `path`, in the same directory; it is never listed."""
    return marker_beside(f"{path}.lock")


def creation_lock_in(directory: str) -> str:
    """Return the path of the lock under which files are created in a directory; it is never listed."""
    return marker_beside(os.path.join(directory, "*"))


def key_of(name: str) -> str:
    """Return the part of a key for a file name, in composed Unicode: some file systems of macOS return decomposed names."""
    return name if name.isascii() or not _DECOMPOSES else unicodedata.normalize("NFC", name)


def is_temporary(name: str) -> bool:
    """Return whether a name is that of a temporary file, which is never listed."""
    return _TEMPORARY.fullmatch(name) is not None


def is_inside(path: str, root: str) -> bool:
    """Return whether a path is at or under the root, after following links."""
    real, real_root = (os.path.normcase(os.path.realpath(each)) for each in (path, root))
    try:
        return os.path.commonpath([real, real_root]) == real_root
    except ValueError:  # on Windows, two drives
        return False


class Paths:
    """The paths of keys under the root of a store.

    An instance serves one batch: it caches the directories that it has checked.

    Parameters
    ----------
    url
        URL of the store, for messages.
    root
        Absolute path of the store.
    created
        Paths of directories that were just created, and so are not links, by key.
    """

    def __init__(self, url: StoreURL, root: str, created: Mapping[str, str] | None = None) -> None:
        self._url = url
        self.root = root
        self._directories = {"": root, **(created or {})}
        self._absent: set[str] = set()

    def of_key(self, key: str) -> str:
        """Return the path of an object.

        Raises
        ------
        StoreError
            The key leaves the root, lexically (``..``) or through a symbolic link, or is not that of an object.
        """
        self.check(key)
        return self.below(key)

    def to_link(self, key: str) -> str:
        """Return the path of an object for a call that neither follows nor replaces a symbolic link there.

        Raises
        ------
        StoreError
            The key is not that of an object, or leaves the root, lexically or through a symbolic link to a directory.
        """
        self.check(key)
        return self._named(key)

    def to_read(self, key: str) -> str:
        """Return the path of an object to read; symbolic links in it may leave the root.

        Raises
        ------
        StoreError
            The key leaves the root lexically (``..``), or is not that of an object.
        """
        self.check(key)
        return under(self.root, key)

    def to_list(self, prefix: str) -> str:
        """Return the path of the directory of a prefix to list, "" for the root; symbolic links in it may leave the root.

        Raises
        ------
        StoreError
            The prefix leaves the root lexically (``..``), or does not end with "/".
        """
        self._check_prefix(prefix)
        return under(self.root, prefix[:-1]) if prefix else self.root

    def _check_prefix(self, prefix: str) -> None:
        if prefix and not prefix.endswith("/"):
            raise self._refused(prefix, "a prefix ends with '/'")
        if prefix:
            self.check_text(prefix[:-1])

    def of_prefix(self, prefix: str) -> str:
        """Return the path of the directory of a prefix, which ends with "/", or is "" for the root.

        Raises
        ------
        StoreError
            The prefix leaves the root, or does not end with "/".
        """
        self._check_prefix(prefix)
        return self.below(prefix[:-1]) if prefix else self.root

    def check_target(self, prefix: str) -> None:
        """Check that a directory can be published or removed at a prefix, which ends with "/".

        Raises
        ------
        StoreError
            The prefix is a symbolic link or a file, or a link in its path leaves the root.
        """
        self.check_text(prefix[:-1])
        parent, _, name = prefix[:-1].rpartition("/")
        if parent in self._absent:
            return
        directory = self._directory(parent)
        try:
            mode = os.lstat(under(directory, name)).st_mode
        except FileNotFoundError:
            if not os.path.lexists(directory):
                self._absent.add(parent)
            return
        self._check_case(directory, name, prefix)
        is_linked = stat.S_ISLNK(mode) or is_junction(under(directory, name))
        if is_linked or not stat.S_ISDIR(mode):
            kind = "a symbolic link" if is_linked else "not a directory"
            message = (
                f"{prefix!r} in {self._url} is {kind}, and cannot be replaced or removed; nothing was written: replace it by "
                f"the directory itself, or move it away and call repair()"
            )
            raise StoreError(message)

    def below(self, key: str) -> str:
        """Return the path of a key whose text has been checked; raise `StoreError` if a symbolic link in it leaves the root."""
        path = self._named(key)
        if is_link(path) and not is_inside(path, self.root):
            message = (
                f"{key!r} in {self._url} is a symbolic link that leaves the store, through which nothing is written or removed; "
                f"replace the link by its target"
            )
            raise StoreError(message)
        return path

    def _named(self, key: str) -> str:
        """Return the path of a key whose directory is not outside the root."""
        parent, _, name = key.rpartition("/")
        directory = self._directory(parent)
        self._check_case(directory, name, key)
        return under(directory, name)

    def check_case(self, key: str) -> None:
        """Check that the file system distinguishes a key from the existing ones.

        Raises
        ------
        StoreError
            A file exists whose name differs only in case, and the file system uses it for this key.
        """
        parent, _, name = key.rpartition("/")
        self._check_case(self._directory(parent), name, key)

    def _check_case(self, directory: str, name: str, key: str) -> None:
        """Check the last part of a key; whether case matters may depend on the mount, or on the directory."""
        swapped = name.swapcase()
        if swapped == name or not all(os.path.lexists(under(directory, each)) for each in (swapped, name)):
            return
        names = [unicodedata.normalize("NFC", found) for found in os.listdir(directory)]
        others = [found for found in names if found.casefold() == name.casefold()]
        if others and name not in others:
            message = (
                f"{key!r} in {self._url} differs only in case from {others[0]!r}, which exists: the file system does not "
                f"distinguish the two, and one would replace the other; nothing was written: use another name, or a file system "
                f"or an object store that distinguishes them"
            )
            raise StoreError(message)

    def _directory(self, key: str) -> str:
        if key not in self._directories:
            self._directories[key] = self.below(key)
        return self._directories[key]

    def check(self, key: str) -> None:
        """Check the text of a key.

        Raises
        ------
        StoreError
            The key leaves the root, or is not that of an object.
        """
        if key == LOCK:
            raise self._refused(key, "it is the key of the lock")
        self.check_text(key)

    def check_text(self, key: str) -> None:
        """Check the text of the key of an object or a directory.

        Raises
        ------
        StoreError
            The key leaves the root, or has a part that is not a valid file name.
        """
        if key.count("/") >= DEEPEST:
            problem: str | None = f"it has more than {DEEPEST} parts"
        elif not IS_WINDOWS and key.isascii() and _ORDINARY.fullmatch(key):
            problem = None
        else:
            problem = next(filter(None, map(_problem, key.split("/"))), None)
        if problem is not None:
            raise self._refused(key, problem)

    def _refused(self, key: str, problem: str) -> StoreError:
        message = f"key {key!r} is refused by {self._url}: {problem}; accepted: names under the root of the store, joined by '/'"
        return StoreError(message)


@lru_cache(maxsize=8192)
def _problem(segment: str) -> str | None:
    if not segment:
        return "it is empty, absolute, or has an empty part"
    if segment in {".", ".."}:
        return f"it has the part {segment!r}"
    if "\0" in segment:
        return "it has a NUL character"
    if is_temporary(segment):
        return f"the name {segment!r} is reserved for temporary files"
    if IS_WINDOWS and (defect := defect_on_windows(segment)):
        return f"on Windows {defect}"
    return None if _is_encodable(segment) else "it cannot be encoded as a file name"


def _is_encodable(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
