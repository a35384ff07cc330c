"""Keys become paths below the root, and never any other path."""

import hashlib
import os
import re
import stat
import uuid
from typing import Final

from zcollection.plugin import StoreError, StoreURL

LOCK: Final = "_transactions/lock"
"""Where the lock lies: no object, so that it is neither listed nor deleted while somebody holds it."""

DEEPEST: Final = 128
"""The most parts that a key may have."""

# Nearly all keys: no part of them is empty, or starts with a dot.
_ORDINARY: Final = re.compile(r"[^/.\0][^/\0]*(?:/[^/.\0][^/\0]*)*")
_TEMPORARY: Final = re.compile(r"\.zcollection-[0-9a-f]{32}\.tmp")


def temporary_beside(path: str) -> str:
    """Return a path in the same directory that nobody else uses; what lies there is never listed."""
    return os.path.join(os.path.dirname(path), f".zcollection-{uuid.uuid4().hex}.tmp")


def marker_beside(path: str) -> str:
    """Return the one path in the same directory that belongs to `path`; what lies there is never listed."""
    directory, name = os.path.split(path)
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return os.path.join(directory, f".zcollection-{digest}.tmp")


def is_temporary(name: str) -> bool:
    """Return whether a name is one of those that are never listed."""
    return _TEMPORARY.fullmatch(name) is not None


def is_inside(path: str, root: str) -> bool:
    """Return whether a path, its links followed, lies at or below the root."""
    real, real_root = os.path.realpath(path), os.path.realpath(root)
    return os.path.commonpath([real, real_root]) == real_root


class Places:
    """Where keys lie below the root of a store.

    One of these serves one batch: it remembers the directories that it has looked at.

    Parameters
    ----------
    url
        Of the store, for messages.
    root
        Absolute path of the store.
    """

    def __init__(self, url: StoreURL, root: str) -> None:
        self._url = url
        self.root = root
        self._directories = {"": root}
        self._absent: set[str] = set()

    def of_key(self, key: str) -> str:
        """Return the path of an object.

        Raises
        ------
        StoreError
            The key leaves the root, by its text or through a symbolic link, or is not one of an object.
        """
        self.check(key)
        return self.below(key)

    def to_read(self, key: str) -> str:
        """Return the path of an object to read, wherever symbolic links on it lead.

        Raises
        ------
        StoreError
            The key leaves the root by its text, or is not one of an object.
        """
        self.check(key)
        return f"{self.root}/{key}"

    def to_list(self, prefix: str) -> str:
        """Return the path of the directory for a prefix to list, wherever symbolic links on it lead; "" is the root.

        Raises
        ------
        StoreError
            The prefix leaves the root by its text, or does not end with "/".
        """
        self._check_prefix(prefix)
        return f"{self.root}/{prefix[:-1]}" if prefix else self.root

    def _check_prefix(self, prefix: str) -> None:
        if prefix and not prefix.endswith("/"):
            raise self._refused(prefix, "a prefix ends with '/'")
        if prefix:
            self.check_text(prefix[:-1])

    def of_prefix(self, prefix: str) -> str:
        """Return the path of the directory for a prefix, which ends with "/"; "" is the root.

        Raises
        ------
        StoreError
            The prefix leaves the root, or does not end with "/".
        """
        self._check_prefix(prefix)
        return self.below(prefix[:-1]) if prefix else self.root

    def check_target(self, prefix: str) -> None:
        """Check that a directory could be put in the place of what lies at a prefix, which ends with "/".

        Raises
        ------
        StoreError
            A symbolic link or a file lies there, or a link that leaves the root is on the way.
        """
        self.check_text(prefix[:-1])
        parent, _, name = prefix[:-1].rpartition("/")
        if parent in self._absent:
            return
        directory = self._directory(parent)
        try:
            mode = os.lstat(f"{directory}/{name}").st_mode
        except FileNotFoundError:
            if not os.path.lexists(directory):
                self._absent.add(parent)
            return
        if not stat.S_ISDIR(mode):
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "no directory"
            message = (
                f"{prefix!r} in {self._url} is {kind}, and cannot be replaced or taken away; nothing was written: put the directory "
                f"itself in its place, or move it away and call repair()"
            )
            raise StoreError(message)

    def below(self, key: str) -> str:
        """Return the path of a key whose text is right, provided that no symbolic link on it leaves the root."""
        parent, _, name = key.rpartition("/")
        path = f"{self._directory(parent)}/{name}"
        if os.path.islink(path) and not is_inside(path, self.root):
            message = (
                f"{key!r} in {self._url} is a symbolic link that leaves the store: it is read through, and nothing is written or "
                f"removed there; put what it leads to in its place"
            )
            raise StoreError(message)
        return path

    def _directory(self, key: str) -> str:
        if key not in self._directories:
            self._directories[key] = self.below(key)
        return self._directories[key]

    def check(self, key: str) -> None:
        """Check the text of a key.

        Raises
        ------
        StoreError
            It leaves the root, or is not one of an object.
        """
        if key == LOCK:
            raise self._refused(key, "it is that of the lock")
        self.check_text(key)

    def check_text(self, key: str) -> None:
        """Check the text of the key of an object or a directory.

        Raises
        ------
        StoreError
            It leaves the root, or is no name of a file.
        """
        if key.count("/") >= DEEPEST:
            problem: str | None = f"it has more than {DEEPEST} parts"
        elif key.isascii() and _ORDINARY.fullmatch(key):
            problem = None
        else:
            problem = next(filter(None, map(_problem, key.split("/"))), None)
        if problem is not None:
            raise self._refused(key, problem)

    def _refused(self, key: str, problem: str) -> StoreError:
        message = f"key {key!r} is refused by {self._url}: {problem}; accepted: names below the store, joined by '/'"
        return StoreError(message)


def _problem(segment: str) -> str | None:
    if not segment:
        return "it is empty, absolute, or has an empty part"
    if segment in {".", ".."}:
        return f"it has the part {segment!r}"
    if "\0" in segment:
        return "it has a NUL character"
    if is_temporary(segment):
        return f"the name {segment!r} is one of a temporary file"
    try:
        os.fsencode(segment)
    except UnicodeEncodeError:
        return "it cannot be encoded as the name of a file"
    return None
