"""Keys become paths below the root, and never any other path."""

import hashlib
import os
import re
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

    def of_prefix(self, prefix: str) -> str:
        """Return the path of the directory for a prefix, which ends with "/"; "" is the root.

        Raises
        ------
        StoreError
            The prefix leaves the root, or does not end with "/".
        """
        if not prefix:
            return self.root
        if not prefix.endswith("/"):
            raise self._refused(prefix, "a prefix ends with '/'")
        self.check_text(prefix[:-1])
        return self.below(prefix[:-1])

    def below(self, key: str) -> str:
        """Return the path of a key whose text is right, provided that no symbolic link on it leaves the root."""
        parent, _, name = key.rpartition("/")
        path = f"{self._directory(parent)}/{name}"
        if os.path.islink(path) and not is_inside(path, self.root):
            raise self._refused(key, "a symbolic link on it leaves the store")
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
