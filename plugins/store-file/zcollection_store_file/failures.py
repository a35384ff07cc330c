"""What the operating system refuses, told as errors of zcollection."""

import errno
import os
from types import TracebackType
from typing import Final, Self

from zcollection.plugin import StoreError, StoreURL
from zcollection_store_file.system import IS_WINDOWS

_NEXT_STEP: Final = {
    errno.EACCES: "check who owns the directory and its permissions"
    + ("; another process may have a file open: close it there, and run the operation again" if IS_WINDOWS else ""),
    errno.EPERM: "check who owns the directory and its permissions",
    errno.EROFS: "the file system is mounted for reading only",
    errno.ENOSPC: "make room on the file system, and run the operation again",
    errno.EDQUOT: "raise the quota or make room, and run the operation again",
    errno.ENOTDIR: "a file lies where a directory is needed: move it away",
    errno.EEXIST: "a file lies where a directory is needed: move it away",
    errno.EISDIR: "a directory lies where an object is needed: move it away",
    errno.ENAMETOOLONG: "use shorter names",
    errno.EMFILE: "close some, or raise the limit (ulimit -n), and run the operation again",
    errno.ENFILE: "the whole system has too many: close some, and run the operation again",
    errno.ENOMEM: "free some memory, and run the operation again",
    errno.ELOOP: "symbolic links form a loop: remove them",
}


class telling:  # noqa: N801 - read as the verb that it is
    """A block in which an `OSError` becomes a `StoreError` that says what could not be done, and where.

    Parameters
    ----------
    url
        Of the store.
    action
        What is tried: "read", "write" …
    key
        To which object or prefix; in a block that handles several, it is set for each.
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
            # Never the text of the error itself: it holds the path, and so whatever the URL hides.
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            advice = _NEXT_STEP.get(error.errno or 0, "see to the file system, and run the operation again")
            message = f"cannot {self._action} {self.key!r} in {self._url}: {reason}; {advice}"
            raise StoreError(message) from error
