"""The zip file: read as it is, and replaced whole by every change, so that nobody ever sees half of one."""

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
class Held:
    """An object: its bytes, and when they were written, in seconds since 1970."""

    data: bytes
    modified: float = field(factory=time.time)


Contents = dict[str, Held]


@frozen
class Archive:
    """A zip file that other tools open as well.

    Attributes
    ----------
    url
        For messages.
    path
        Of the file; it is made by the first change.
    """

    url: StoreURL
    path: str

    def read(self) -> Contents:
        """Return all that is there at this moment."""
        with self._telling("read"), suppress(FileNotFoundError), zipfile.ZipFile(self.path) as file:
            return {item.filename: Held(file.read(item), _modified(item)) for item in file.infolist()}
        return {}

    def change(self, change: Callable[[Contents], bool]) -> bool:
        """Replace the file by one with changed contents, durably, one change after the other.

        Parameters
        ----------
        change
            Changes the contents that it is given; False where there is nothing to do.
        """
        with self._telling("write"):
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
                with zipfile.ZipFile(file, "w") as archive:  # the chunks are compressed already
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
    def _telling(self, action: str) -> Iterator[None]:
        try:
            yield
        except (OSError, zipfile.BadZipFile) as error:
            # Not the text of the error itself: it holds the path, and so whatever the URL hides.
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is no zip file"
            message = f"cannot {action} {self.url}: {reason}; see to the file, and run the operation again"
            raise StoreError(message) from None


def _entry(key: str, held: Held) -> zipfile.ZipInfo:
    item = zipfile.ZipInfo(key, time.gmtime(max(held.modified, 315532800))[:6])  # zip knows no year before 1980
    item.comment = repr(held.modified).encode()  # and no fractions of seconds
    return item


def _modified(item: zipfile.ZipInfo) -> float:
    return float(item.comment or 0)


def entries(contents: Contents, prefix: str) -> Iterator[Listed]:
    """Yield the objects below a prefix, sorted by key."""
    for key in sorted(contents):
        if key.startswith(prefix):
            yield Listed(key=key, size=len(contents[key].data), modified=contents[key].modified)


@contextmanager
def opened(path: str, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Open a file or directory for the time of a block."""
    descriptor = os.open(path, flags, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Wait for a lock, which the system releases when its holder dies."""
    with opened(path, os.O_RDWR | os.O_CREAT) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def try_lock(path: str) -> int | None:
    """Take a lock if it is free, and return what `os.close` releases it by."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
