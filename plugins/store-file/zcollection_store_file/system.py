"""Differences between operating systems: the other modules call the same functions on Linux, macOS and Windows."""

import errno
import os
import stat
import sys
import time
from collections.abc import Callable
from typing import Any, Final

# mypy evaluates this condition: `mypy --platform win32` finds calls that Windows lacks.
if sys.platform == "win32":
    _FULL_SYNC: int | None = None
else:
    import fcntl

    _FULL_SYNC = getattr(fcntl, "F_FULLFSYNC", None)
    """On macOS `os.fsync` leaves data in the cache of the drive; this command does not."""

IS_WINDOWS: Final = sys.platform == "win32"

BINARY: Final = getattr(os, "O_BINARY", 0)
"""Without this flag Windows would write a line feed as two bytes."""

DIRECTORY: Final = getattr(os, "O_DIRECTORY", 0)
"""With this flag only directories are opened, on systems that can open them."""

_HAS_LINKS: Final = hasattr(os, "link")
_JUNCTION: Final = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
"""The tag of junctions on Windows."""

_PAUSES: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between the attempts to rename, replace, remove or open a file that another process has open, on Windows."""


def patiently(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of `os`; on Windows, retry for a moment while another process has a file open.

    Raises
    ------
    PermissionError
        The file is still open, or its permissions forbid the call.
    """
    for pause in _PAUSES if IS_WINDOWS else ():
        try:
            return call(*arguments)
        except PermissionError:
            time.sleep(pause)
    return call(*arguments)


def replace(source: str, target: str) -> None:
    """Rename a file, and replace an existing one.

    Raises
    ------
    IsADirectoryError
        The target is a directory.
    """
    if IS_WINDOWS and os.path.isdir(target):
        raise _is_a_directory(target)
    patiently(os.replace, source, target)


def rename_directory(source: str, target: str) -> None:
    """Rename a directory to a path that does not exist, or is an empty directory.

    Raises
    ------
    OSError
        The target is not empty (ENOTEMPTY or EEXIST), or the system rejects the rename.
    """
    try:
        patiently(os.rename, source, target)
    except FileExistsError:  # Windows does not replace a directory, not even an empty one
        if not _removes_empty(target):
            raise
        patiently(os.rename, source, target)


def _removes_empty(directory: str) -> bool:
    try:
        os.rmdir(directory)
    except OSError:
        return False
    return True


def unlink(path: str) -> None:
    """Remove a file or a link.

    Raises
    ------
    IsADirectoryError
        The path is a directory.
    """
    try:
        os.unlink(path)
    except PermissionError:  # macOS and Windows also raise this for a directory
        if os.path.isdir(path) and not is_link(path):
            raise _is_a_directory(path) from None
        if not IS_WINDOWS:
            raise
        patiently(os.unlink, path)


def open_to_read(path: str, flags: int) -> int | None:
    """Return a descriptor of a file; None if it does not exist.

    The descriptor may be that of a directory on POSIX systems; on Windows, None is returned for a directory.
    """
    try:
        return os.open(path, flags | BINARY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        if not IS_WINDOWS:
            raise
    if os.path.isdir(path):
        return None
    try:
        return int(patiently(os.open, path, flags | BINARY))
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Return up to `length` bytes of an open file, from an offset on."""
    if sys.platform != "win32":
        return os.pread(descriptor, length, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def link(source: str, target: str) -> None:
    """Create a hard link; without support in Python, the error is that of a file system without hard links."""
    if not _HAS_LINKS:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), target)
    os.link(source, target)


def flush(descriptor: int) -> None:
    """Synchronise an open file or directory with the disk, including the cache of the drive."""
    if sys.platform != "win32" and _FULL_SYNC is not None:
        try:
            fcntl.fcntl(descriptor, _FULL_SYNC)
        except OSError:  # on most network file systems
            os.fsync(descriptor)
    else:
        os.fsync(descriptor)


def lock_directory(descriptor: int) -> None:
    """Wait for the lock of an open directory; the system releases it when the descriptor is closed.

    Windows cannot open directories.

    Raises
    ------
    OSError
        The file system does not support such locks.
    """
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def is_link(path: str) -> bool:
    """Return whether a path is a symbolic link, or a junction of Windows."""
    return os.path.islink(path) or is_junction(path)


def is_junction(path: str) -> bool:
    """Return whether a path is a junction of Windows, which redirects to another directory without being a symbolic link."""
    if _JUNCTION is None:
        return False
    try:
        return bool(getattr(os.lstat(path), "st_reparse_tag", 0) == _JUNCTION)
    except OSError:
        return False


def status_of(entry: "os.DirEntry[str]") -> os.stat_result:
    """Return the status of an entry, following links; on Windows, `entry.stat()` has no inode number."""
    return os.stat(entry.path) if IS_WINDOWS else entry.stat()


def is_directory(entry: "os.DirEntry[str]") -> bool:
    """Return whether an entry of a listing is a directory, and neither a link nor a junction."""
    return entry.is_dir(follow_symlinks=False) and not is_junction(entry.path)


def native(key: str) -> str:
    """Return a key with the path separators of the system."""
    return key.replace("/", os.sep) if IS_WINDOWS else key


def under(directory: str, key: str) -> str:
    """Return the path of a key under a directory.

    Examples
    --------
    >>> under("/data", "a/b")
    '/data/a/b'
    """
    if not IS_WINDOWS:
        return f"{directory}/{key}"
    return f"{directory if directory.endswith(os.sep) else directory + os.sep}{native(key)}"


def of_any_length(path: str) -> str:
    r"""Return an absolute path in the form that Windows accepts beyond 260 characters: ``C:\data`` becomes ``\\?\C:\data``.

    On other systems, which limit only the length of names, the path is returned unchanged.
    """
    if not IS_WINDOWS or path.startswith("\\\\?\\"):
        return path
    return f"\\\\?\\UNC{path[1:]}" if path.startswith("\\\\") else f"\\\\?\\{path}"


def _is_a_directory(path: str) -> IsADirectoryError:
    return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
