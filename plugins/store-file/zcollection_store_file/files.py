"""Single files: read, written, created and copied so that nobody ever sees part of one."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from filelock import FileLock

from zcollection.plugin import Pieces
from zcollection_store_file import system
from zcollection_store_file.durable import make_directory, sync
from zcollection_store_file.exchange import move_to_free_place
from zcollection_store_file.paths import creation_lock_in, temporary_beside

# A FIFO that somebody left must not hang its reader.
_READING: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
# Neither a file that is there nor the target of a link is ever written into.
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.BINARY
_UNNAMED: Final = getattr(os, "O_TMPFILE", 0)
_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
)


def read(path: str, offset: int, length: int | None) -> bytes | None:
    """Return the bytes of a file, or a range of them; None where there is no file."""
    descriptor = system.open_to_read(path, _READING)
    if descriptor is None:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        # Nobody writes into a file that has its name, so the size holds.
        rest = status.st_size - offset
        if length is not None and length < rest:
            rest = length
        return _read_range(descriptor, offset, rest) if rest > 0 else b""
    finally:
        os.close(descriptor)


def _read_range(descriptor: int, offset: int, length: int) -> bytes:
    data = system.read_at(descriptor, length, offset)
    if len(data) == length or not data:
        return data
    # One call reads no more than 2 GiB.
    return data + _read_range(descriptor, offset + len(data), length - len(data))


def write(path: str, data: bytes, *, fsync: bool) -> None:
    """Write a file in place of any that exists."""
    if data or not _creates_empty(path, fsync=fsync):
        with _temporary(path, data, fsync=fsync) as temporary:
            system.replace(temporary, path)
    _sync_name(path, fsync=fsync)


def _creates_empty(path: str, *, fsync: bool) -> bool:
    """Create an empty file, which nobody can see in part, and return whether that was done; not where one exists."""
    try:
        os.close(_open_new(path, fsync=fsync))  # nothing of it but its name is to be on the disk
    except FileExistsError:
        return False
    return True


def write_small(path: str, data: bytes, *, fsync: bool) -> None:
    """Write a file over any that exists, in steps that others can see: for readers to whom part of it says nothing.

    The directory exists.
    """
    try:
        descriptor = os.open(path, _NEW, 0o666)
    except FileExistsError:
        system.unlink(path)
        descriptor = os.open(path, _NEW, 0o666)
    try:
        os.write(descriptor, data)
        if fsync:
            system.flush(descriptor)
    finally:
        os.close(descriptor)
    _sync_name(path, fsync=fsync)


def write_new(path: str, data: bytes | Pieces, *, directory: int | None = None) -> None:
    """Write a file that nobody reads yet, in a directory that exists.

    One that a failure leaves unfinished is never published.

    Parameters
    ----------
    path
        Of the file.
    data
        What it is to hold.
    directory
        Descriptor of the directory that the path is relative to, if any.

    Raises
    ------
    FileExistsError
        There is one: it may be shared with others, and is not written into.
    """
    descriptor = os.open(path, _NEW, 0o666, dir_fd=directory)
    try:
        for part in data.parts if isinstance(data, Pieces) else (data,):
            written = os.write(descriptor, part)
            while written < len(part):  # one call writes no more than 2 GiB
                written += os.write(descriptor, memoryview(part)[written:])
    finally:
        os.close(descriptor)


def create(path: str, data: bytes, *, fsync: bool) -> bool:
    """Write a file unless one exists, and return whether it was written."""
    created = _names(path, data, fsync=fsync)
    if created is None:
        with _temporary(path, data, fsync=fsync) as temporary:
            if not (created := _moves(temporary, path)):
                created = _links(temporary, path)
                _remove(temporary)
    _sync_name(path, fsync=fsync)
    return created


def _names(path: str, data: bytes, *, fsync: bool) -> bool | None:
    """Give a file its first name, and return whether that was done, False where one exists; None where that cannot be done.

    Linux has files without a name, of which nothing is left when their writer dies.
    """
    if not _UNNAMED:
        return None
    try:
        descriptor = os.open(os.path.dirname(path), os.O_WRONLY | _UNNAMED, 0o666)
    except OSError:  # the directory is missing, or the file system has no such files
        return None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if fsync:
            system.flush(descriptor)
        try:
            # With a descriptor of a directory Python follows the link, as it must.
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)
        except OSError as error:
            if os.fstat(descriptor).st_nlink:  # the answer was lost
                return True
            return _exists(path) if error.errno == errno.EEXIST else None  # such as where there is no /proc
    return True


def _moves(temporary: str, path: str) -> bool:
    """Give a file its name by one rename, and return whether that was done; not where one exists, or renames replace it."""
    try:
        return move_to_free_place(temporary, path)
    except FileExistsError:
        return False


def _links(temporary: str, path: str) -> bool:
    """Give a file its name as a second one, and return whether that was done; False where one exists."""
    try:
        system.link(temporary, path)
    except OSError as error:
        # A network file system may lose the answer of a link that it has made: the count of names tells.
        if os.stat(temporary).st_nlink > 1:
            return True
        if error.errno == errno.EEXIST:
            return _exists(path)
        if error.errno not in _NO_LINKS:
            raise
        return _take_name_by_lock(temporary, path)
    return True


def _take_name_by_lock(temporary: str, path: str) -> bool:
    """Rename where nothing exists; who does so at the same time waits for a lock of the directory, which is never removed."""
    with FileLock(creation_lock_in(os.path.dirname(path)), thread_local=False):
        if os.path.lexists(path):
            return _exists(path)
        os.rename(temporary, path)
    return True


def _exists(path: str) -> bool:
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return False


def link(source: str, target: str, *, fsync: bool) -> bool:
    """Give a file a second name where nothing exists, and return whether that was done; not for a symbolic link."""
    try:
        if not stat.S_ISREG(os.lstat(source).st_mode):
            return False
    except OSError:
        return False
    if not _links_to_free_place(source, target, fsync=fsync):
        return False
    _sync_name(target, fsync=fsync)
    return True


def copy(source: str, target: str, *, fsync: bool) -> None:
    """Copy a file in place of any that exists: by a hard link, or where links are refused by its bytes.

    Sharing is safe, since nobody writes into a file that has its name.
    """
    kind = os.lstat(source).st_mode
    if stat.S_ISLNK(kind):
        source = os.path.realpath(source)
        kind = os.stat(source).st_mode
    if not stat.S_ISREG(kind):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source)
    if not _links_to_free_place(source, target, fsync=fsync):
        _copy_over(source, target, fsync=fsync)
    _sync_name(target, fsync=fsync)


def _links_to_free_place(source: str, target: str, *, fsync: bool) -> bool:
    """Link where nothing lies, as for most copies, and return whether that was done."""
    try:
        try:
            system.link(source, target)
        except FileNotFoundError:
            make_directory(os.path.dirname(target), fsync=fsync)
            system.link(source, target)
    except OSError:
        return False
    return True


def _copy_over(source: str, target: str, *, fsync: bool) -> None:
    temporary = temporary_beside(target)
    try:
        _link_or_copy(source, temporary, fsync=fsync)
        system.replace(temporary, target)
    finally:
        # Also after a success: renaming one name of a file onto another of its names does nothing.
        _remove(temporary)


def _link_or_copy(source: str, target: str, *, fsync: bool) -> None:
    make_directory(os.path.dirname(target), fsync=fsync)
    try:
        system.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target)
        if fsync:
            sync(target)


@contextmanager
def _temporary(path: str, data: bytes, *, fsync: bool) -> Iterator[str]:
    """Yield the path of a complete file beside `path`, which the block gives its name; a failure removes it."""
    temporary = temporary_beside(path)
    try:
        with os.fdopen(_open_new(temporary, fsync=fsync), "wb") as file:
            file.write(data)
            if fsync:
                file.flush()
                system.flush(file.fileno())
        yield temporary
    except BaseException:
        _remove(temporary)
        raise


def _open_new(path: str, *, fsync: bool) -> int:
    try:
        return os.open(path, _NEW, 0o666)
    except FileNotFoundError:
        make_directory(os.path.dirname(path), fsync=fsync)
        return os.open(path, _NEW, 0o666)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        system.unlink(path)


def _sync_name(path: str, *, fsync: bool) -> None:
    if fsync:
        sync(os.path.dirname(path))
