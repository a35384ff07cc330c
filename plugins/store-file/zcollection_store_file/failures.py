"""What the operating system refuses, told as errors of zcollection."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from zcollection.plugin import StoreError, StoreURL

_NEXT_STEP: Final = {
    errno.EACCES: "check who owns the directory and its permissions",
    errno.EPERM: "check who owns the directory and its permissions",
    errno.EROFS: "the file system is mounted for reading only",
    errno.ENOSPC: "make room on the file system, and run the operation again",
    errno.EDQUOT: "raise the quota or make room, and run the operation again",
    errno.ENOTDIR: "a file lies where a directory is needed: move it away",
    errno.EEXIST: "a file lies where a directory is needed: move it away",
    errno.EISDIR: "a directory lies where an object is needed: move it away",
    errno.ENAMETOOLONG: "use shorter names",
    errno.ELOOP: "symbolic links form a loop: remove them",
}


@contextmanager
def telling(url: StoreURL, action: str, key: str) -> Iterator[None]:
    """Turn an `OSError` into a `StoreError` that says what could not be done, and where.

    Parameters
    ----------
    url
        Of the store.
    action
        What is tried: "read", "write" …
    key
        To which object or prefix.
    """
    try:
        yield
    except OSError as error:
        # Never the text of the error itself: it holds the path, and so whatever the URL hides.
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        advice = _NEXT_STEP.get(error.errno or 0, "see to the file system, and run the operation again")
        message = f"cannot {action} {key!r} in {url}: {reason}; {advice}"
        raise StoreError(message) from error
