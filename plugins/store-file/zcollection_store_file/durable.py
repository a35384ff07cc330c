"""Directories made and synchronised, so that what was acknowledged survives a power cut."""

import errno
import os
from contextlib import suppress
from typing import Final

from zcollection_store_file import system

# Windows synchronises no file that is open for reading only.
_SYNCED: Final = os.O_RDWR | system.BINARY if system.IS_WINDOWS else os.O_RDONLY


def sync(path: str) -> None:
    """Wait until a file, or the names in a directory, are on the disk.

    Windows has no call for the names: NTFS and ReFS write each change of them to a journal, and keep its order.
    """
    if system.IS_WINDOWS and os.path.isdir(path):
        return
    descriptor = os.open(path, _SYNCED)
    try:
        system.flush(descriptor)
    except OSError as error:
        # Some network file systems synchronise no directories.
        if error.errno != errno.EINVAL or not os.path.isdir(path):
            raise
    finally:
        os.close(descriptor)


def make_directory(path: str, *, fsync: bool) -> None:
    """Make a directory, and those on the way to it, where they are missing."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent != path:  # else it is a drive that does not exist
        make_directory(parent, fsync=fsync)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    if fsync:
        sync(parent)


def sync_tree(path: str) -> None:
    """Synchronise every file and directory at or below a path; what vanishes meanwhile is passed over."""
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
    """Synchronise the directories that exist between a path and the root's parent, these included."""
    end = os.path.dirname(root)
    while path != end:
        path = os.path.dirname(path)
        with suppress(FileNotFoundError, NotADirectoryError):
            sync(path)
