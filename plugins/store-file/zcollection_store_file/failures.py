"""Errors of the operating system, translated into errors of zcollection."""

import errno
import os
from types import TracebackType
from typing import Final, Self

from zcollection.plugin import StoreError, StoreURL
from zcollection_store_file.system import IS_WINDOWS

_NEXT_STEP: Final = {
    errno.EACCES: "check the owner and the permissions of the directory"
    + ("; another process may have a file open: close it there, and run the operation again" if IS_WINDOWS else ""),
    errno.EPERM: "check the owner and the permissions of the directory",
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOSPC: "free space on the file system, and run the operation again",
    errno.EDQUOT: "raise the quota or free space, and run the operation again",
    errno.ENOTDIR: "a file exists where a directory is needed: move it away",
    errno.EEXIST: "a file exists where a directory is needed: move it away",
    errno.EISDIR: "a directory exists where an object is needed: move it away",
    errno.ENAMETOOLONG: "use shorter names",
    errno.EMFILE: "close some files, or raise the limit (ulimit -n), and run the operation again",
    errno.ENFILE: "the system has too many open files: close some, and run the operation again",
    errno.ENOMEM: "free some memory, and run the operation again",
    errno.ELOOP: "symbolic links form a loop: remove them",
}


class store_errors:  # noqa: N801 - used as a context manager
    """A context manager that turns an `OSError` into a `StoreError` with the action, the key and the URL.

    Parameters
    ----------
    url
        URL of the store.
    action
        The action in words: "read", "write" …
    key
        Key of the object, or prefix; a block that handles several of them sets it for each.
    """

    __slots__ = ("_action", "_url", "key")

    def __init__(self, url: StoreURL, action: str, key: str = "") -> None:
        self._url = url
        self._action = action
        self.key = key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, OSError):
            # Not the text of the error itself: it contains the path, of which the URL may hide a part.
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            advice = _NEXT_STEP.get(error.errno or 0, "check the file system, and run the operation again")
            message = f"cannot {self._action} {self.key!r} in {self._url}: {reason}; {advice}"
            raise StoreError(message) from error
