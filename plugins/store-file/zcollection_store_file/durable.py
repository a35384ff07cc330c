"""Creation of directories and synchronisation with the disk, so that acknowledged changes survive a power failure."""

import errno
import os
from contextlib import suppress
from typing import Final

from zcollection_store_file import system

# Windows cannot synchronise a file that is open for reading only.
_SYNCED: Final = os.O_RDWR | system.BINARY if system.IS_WINDOWS else os.O_RDONLY


def sync(path: str) -> None:
    """Synchronise a file, or the entries of a directory, with the disk.

    Windows has no call for directories: NTFS and ReFS write changes of their entries to a journal, in order.
    """
    if system.IS_WINDOWS and os.path.isdir(path):
        return
    descriptor = os.open(path, _SYNCED)
    try:
        system.flush(descriptor)
    except OSError as error:
        # Some network file systems cannot synchronise directories.
        if error.errno != errno.EINVAL or not os.path.isdir(path):
            raise
    finally:
        os.close(descriptor)


def make_directory(path: str, *, fsync: bool) -> None:
    """Create a directory and its parents, unless they exist."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent != path:  # otherwise the drive does not exist
        make_directory(parent, fsync=fsync)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    if fsync:
        sync(parent)


def sync_tree(path: str) -> None:
    """Synchronise every file and directory at or under a path, and ignore those that are removed in the meantime."""
    with suppress(FileNotFoundError, NotADirectoryError):
        with os.scandir(path) as entries:
            found = list(entries)
        for entry in found:
            if system.is_directory(entry):
                sync_tree(entry.path)
            elif entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    sync(entry.path)
        sync(path)


def sync_way(path: str, root: str) -> None:
    """Synchronise the existing directories above a path, up to the parent of the root, included."""
    end = os.path.dirname(root)
    while path != end:
        path = os.path.dirname(path)
        with suppress(FileNotFoundError, NotADirectoryError):
            sync(path)
