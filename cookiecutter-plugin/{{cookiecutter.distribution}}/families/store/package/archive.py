"""The zip file, which every change replaces atomically, so that no reader ever sees an incomplete file."""

import fcntl
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from attrs import field, frozen
from zcollection.plugin import Listed, StoreError, StoreURL


@frozen
class StoredObject:
    """The bytes of an object, and the time of the write, in seconds since 1970."""

    data: bytes
    modified: float = field(factory=time.time)


Contents = dict[str, StoredObject]


@frozen
class Archive:
    """A zip file that other tools can open.

    Attributes
    ----------
    url
        URL of the store, for error messages.
    path
        Path of the file; the first change creates it.
    """

    url: StoreURL
    path: str

    def read(self) -> Contents:
        """Return all current objects by key."""
        with self._translated_errors("read"), suppress(FileNotFoundError), zipfile.ZipFile(self.path) as file:
            return {item.filename: StoredObject(file.read(item), _modified(item)) for item in file.infolist()}
        return {}

    def change(self, change: Callable[[Contents], bool]) -> bool:
        """Replace the file with a changed one, durably; concurrent changes run one after another.

        Parameters
        ----------
        change
            Function that changes the contents in place, and returns False if there is nothing to change.
        """
        with self._translated_errors("write"):
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            with locked(f"{self.path}.changing"):
                contents = self.read()
                changed = change(contents)
                if changed:
                    self._replace(contents)
                return changed

    def _replace(self, contents: Contents) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(self.path), suffix=".zip.tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                with zipfile.ZipFile(file, "w") as archive:  # the chunks are already compressed
                    for key in sorted(contents):
                        archive.writestr(_entry(key, contents[key]), contents[key].data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except BaseException:
            os.unlink(temporary)
            raise
        with opened(os.path.dirname(self.path)) as directory:
            os.fsync(directory)

    @contextmanager
    def _translated_errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except (OSError, zipfile.BadZipFile) as error:
            # Omit the text of the error: it contains the path, and so the parts that the URL hides.
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is not a zip file"
            message = f"cannot {action} {self.url}: {reason}; check the file, and run the operation again"
            raise StoreError(message) from None


def _entry(key: str, stored: StoredObject) -> zipfile.ZipInfo:
    item = zipfile.ZipInfo(key, time.gmtime(max(stored.modified, 315532800))[:6])  # zip has no years before 1980
    item.comment = repr(stored.modified).encode()  # nor fractions of seconds
    return item


def _modified(item: zipfile.ZipInfo) -> float:
    return float(item.comment or 0)


def entries(contents: Contents, prefix: str) -> Iterator[Listed]:
    """Yield the objects under a prefix, sorted by key."""
    for key in sorted(contents):
        if key.startswith(prefix):
            yield Listed(key=key, size=len(contents[key].data), modified=contents[key].modified)


@contextmanager
def opened(path: str, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Open a file or directory, and close it at the end of the block."""
    descriptor = os.open(path, flags, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold a lock, which the system releases if its holder dies."""
    with opened(path, os.O_RDWR | os.O_CREAT) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def try_lock(path: str) -> int | None:
    """Acquire a lock if it is free, and return the file descriptor whose `os.close` releases it; else return None."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
