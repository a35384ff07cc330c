"""Reads, writes and copies of single files; no reader ever sees part of a file."""

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
from zcollection_store_file.exchange import move_to_free_path
from zcollection_store_file.paths import creation_lock_in, temporary_beside

# Opening a FIFO must not block the reader.
_READING: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
# Neither an existing file nor the target of a link is ever written into.
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.BINARY
_UNNAMED: Final = getattr(os, "O_TMPFILE", 0)
_LINKS_UNSUPPORTED: Final = frozenset(
    {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
)


def read(path: str, offset: int, length: int | None) -> bytes | None:
    """Return the bytes of a file, or a range of them; None if it does not exist."""
    descriptor = system.open_to_read(path, _READING)
    if descriptor is None:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        # A file is never written into once it has its name, so that its size does not change.
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
    """Write a file, and replace an existing one."""
    if data or not _creates_empty(path, fsync=fsync):
        with _temporary(path, data, fsync=fsync) as temporary:
            system.replace(temporary, path)
    _sync_name(path, fsync=fsync)


def _creates_empty(path: str, *, fsync: bool) -> bool:
    """Create an empty file, for which no temporary file is needed; return False if the file exists."""
    try:
        os.close(_open_new(path, fsync=fsync))  # only its name has to be synchronised
    except FileExistsError:
        return False
    return True


def write_small(path: str, data: bytes, *, fsync: bool) -> None:
    """Write a file in an existing directory, and replace an existing one.

    This is not atomic: readers must ignore an incomplete file.
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
    """Write a file that is not read before it is published, in an existing directory.

    A failure may leave an incomplete file, which is never published.

    Parameters
    ----------
    path
        Path of the file.
    data
        Bytes of the file.
    directory
        Descriptor of the directory that the path is relative to, if any.

    Raises
    ------
    FileExistsError
        The file exists. It is not written into, because it may be shared by hard links.
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
    created = _create_unnamed(path, data, fsync=fsync)
    if created is None:
        with _temporary(path, data, fsync=fsync) as temporary:
            if not (created := _create_by_rename(temporary, path)):
                created = _create_by_link(temporary, path)
                _remove(temporary)
    _sync_name(path, fsync=fsync)
    return created


def _create_unnamed(path: str, data: bytes, *, fsync: bool) -> bool | None:
    """Write a file without a name, and link it to a path; return False if the path exists, None if this is not supported.

    On Linux, nothing is left of a file without a name when its writer dies.
    """
    if not _UNNAMED:
        return None
    try:
        descriptor = os.open(os.path.dirname(path), os.O_WRONLY | _UNNAMED, 0o666)
    except OSError:  # the directory does not exist, or the file system does not support such files
        return None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if fsync:
            system.flush(descriptor)
        try:
            # Python follows the symbolic link only if the call has a directory descriptor.
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)
        except OSError as error:
            if os.fstat(descriptor).st_nlink:  # the answer was lost
                return True
            return _not_created(path) if error.errno == errno.EEXIST else None  # for instance without /proc
    return True


def _create_by_rename(temporary: str, path: str) -> bool:
    """Rename a file to a path; return False if the path exists, or renames would replace it."""
    try:
        return move_to_free_path(temporary, path)
    except FileExistsError:
        return False


def _create_by_link(temporary: str, path: str) -> bool:
    """Link a file to a path; return False if the path exists."""
    try:
        system.link(temporary, path)
    except OSError as error:
        # A network file system may lose the answer to a successful link, which the number of links shows.
        if os.stat(temporary).st_nlink > 1:
            return True
        if error.errno == errno.EEXIST:
            return _not_created(path)
        if error.errno not in _LINKS_UNSUPPORTED:
            raise
        return _create_by_lock(temporary, path)
    return True


def _create_by_lock(temporary: str, path: str) -> bool:
    """Rename a file unless the path exists, under a lock of the directory, whose file is never removed."""
    with FileLock(creation_lock_in(os.path.dirname(path)), thread_local=False):
        if os.path.lexists(path):
            return _not_created(path)
        os.rename(temporary, path)
    return True


def _not_created(path: str) -> bool:
    """Return False for a path that exists; raise `IsADirectoryError` if it is a directory."""
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return False


def link(source: str, target: str, *, fsync: bool) -> bool:
    """Link a regular file where nothing exists, and return whether that succeeded; symbolic links are not linked."""
    try:
        is_regular = stat.S_ISREG(os.lstat(source).st_mode)
    except OSError:
        return False
    is_linked = is_regular and _link_to_free_path(source, target, fsync=fsync)
    if is_linked:
        _sync_name(target, fsync=fsync)
    return is_linked


def copy(source: str, target: str, *, fsync: bool) -> None:
    """Copy a file, and replace an existing one: by a hard link, or by its bytes where links are not supported.

    Hard links are safe, because a file is never written into once it has its name.
    """
    kind = os.lstat(source).st_mode
    if stat.S_ISLNK(kind):
        source = os.path.realpath(source)
        kind = os.stat(source).st_mode
    if not stat.S_ISREG(kind):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source)
    if not _link_to_free_path(source, target, fsync=fsync):
        _copy_over(source, target, fsync=fsync)
    _sync_name(target, fsync=fsync)


def _link_to_free_path(source: str, target: str, *, fsync: bool) -> bool:
    """Create a hard link to a path that does not exist, as for most copies; return False if this fails."""
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
        # Also after a success: a rename between two hard links of one file does nothing.
        _remove(temporary)


def _link_or_copy(source: str, target: str, *, fsync: bool) -> None:
    make_directory(os.path.dirname(target), fsync=fsync)
    try:
        system.link(source, target)
    except OSError as error:
        if error.errno not in _LINKS_UNSUPPORTED:
            raise
        shutil.copyfile(source, target)
        if fsync:
            sync(target)


@contextmanager
def _temporary(path: str, data: bytes, *, fsync: bool) -> Iterator[str]:
    """Yield the path of a complete temporary file in the same directory, which the block renames; a failure removes it."""
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
