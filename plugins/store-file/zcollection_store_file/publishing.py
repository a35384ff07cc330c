"""Publication of directories, which can be completed after its process was killed at any step.

The new directory is always either at the staged path or at the target. If the system can swap two directories, the target is
complete at every moment; otherwise it is absent between two renames. After a swap the replaced directory is at the staged path,
and must not be published again: a marker beside the staged path identifies both directories by their inode numbers.

Two writers may publish the same directory concurrently, although the lock of the collection prevents it, because network file
systems can lose locks. A swap by one writer must not be reversed by another one that checked the directories before. Therefore
each writer locks the staged directory itself (the lock moves with the directory), and then checks that it is still at the staged
path.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from attrs import frozen
from filelock import FileLock

from zcollection_store_file import files, system
from zcollection_store_file.durable import make_directory, sync
from zcollection_store_file.exchange import exchange
from zcollection_store_file.paths import lock_beside, marker_beside, temporary_beside
from zcollection_store_file.system import rename_directory, unlink
from zcollection_store_file.trees import Tree

_DOCUMENT: Final = "zarr.json"
_OCCUPIED: Final = frozenset({errno.ENOTEMPTY, errno.EEXIST})


@frozen(kw_only=True)
class Publication:
    """The publication of a staged directory.

    Attributes
    ----------
    tree
        The objects of the store.
    staged, target
        Paths of the staged directory and of the directory that it replaces.
    kept
        Path to which the replaced directory is moved; None to remove it.
    fsync
        Whether each step is synchronised with the disk before the next one.
    """

    tree: Tree
    staged: str
    target: str
    kept: str | None = None
    fsync: bool

    def finish(self) -> None:
        """Complete the publication; of two concurrent callers, one does it, and the other one finds it completed."""
        if self._move_to_free_target():
            self._sync()
            return
        with _locked_directory(self.staged) as is_staged:
            if is_staged and self._is_swapped():
                self._remove_replaced()
            elif is_staged:
                self._replace()

    def _move_to_free_target(self) -> bool:
        """Move the staged directory to the target; return False if the target exists, as it does after a swap."""
        if os.path.isfile(f"{self.target}/{_DOCUMENT}"):
            return False
        try:
            _rename_into_parent(self.staged, self.target, fsync=self.fsync)
        except FileNotFoundError:
            return False  # another writer has moved it
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
            return False
        return True

    def _replace(self) -> None:
        # An incomplete marker matches no directories: the staged directory is then the new one, as it still is here.
        files.write_small(self._marker, _inodes(self.staged, self.target), fsync=self.fsync)
        if exchange(self.staged, self.target):
            self._remove_replaced()
        else:
            self._remove_marker()
            self._replace_in_two_steps()

    def _replace_in_two_steps(self) -> None:
        replaced = self._set_aside(self.target)
        try:
            rename_directory(self.staged, self.target)
        except FileNotFoundError:
            pass  # another writer has moved it as soon as the target was absent
        except OSError:
            rename_directory(replaced, self.target)
            raise
        self._sync()
        self._remove_unless_kept(replaced)

    def _is_swapped(self) -> bool:
        """Return whether the replaced directory is at the staged path."""
        marker = files.read(self._marker, 0, 100)
        return marker is not None and os.path.isdir(self.target) and marker == _inodes(self.target, self.staged)

    def _remove_replaced(self) -> None:
        """Remove the replaced directory, or move it to where it is kept, and then remove the marker.

        Each step is synchronised before the next one: without the marker, the replaced directory would be published again.
        """
        self._sync()
        if not self._move_to_kept(self.staged):
            try:
                self.tree.remove(self.staged)
            finally:
                # A directory that cannot be removed, such as one of another user, must not be published again.
                if os.path.lexists(self.staged):
                    with suppress(FileNotFoundError):
                        os.rename(self.staged, temporary_beside(self.staged))
        if self.fsync:
            sync(os.path.dirname(self.staged))
        self._remove_marker()

    def _move_to_kept(self, replaced: str) -> bool:
        """Move the replaced directory to where it is kept; return False if it has to be removed instead."""
        if self.kept is None:
            return False
        try:
            _rename_into_parent(replaced, self.kept, fsync=self.fsync)
        except FileNotFoundError:
            return True  # another writer has moved it
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
            return False
        return True

    def _set_aside(self, replaced: str) -> str:
        """Move the replaced directory to where it is kept, or to a temporary path, and return the path."""
        if self.kept is not None and self._move_to_kept(replaced):
            return self.kept
        hidden = temporary_beside(self.staged)
        rename_directory(replaced, hidden)
        return hidden

    def _remove_unless_kept(self, replaced: str) -> None:
        """Remove the replaced directory, unless it is kept."""
        if replaced != self.kept:
            self.tree.remove(replaced)

    @property
    def _marker(self) -> str:
        return marker_beside(self.staged)

    def _remove_marker(self) -> None:
        with suppress(FileNotFoundError):
            unlink(self._marker)

    def _sync(self) -> None:
        if self.fsync:
            sync(os.path.dirname(self.target))
            sync(os.path.dirname(self.staged))


@contextmanager
def _locked_directory(directory: str) -> Iterator[bool]:
    """Hold the lock of a directory, and yield whether the directory is still at its path.

    The system releases the lock when its holder dies. On file systems without locks of directories, such as some network file
    systems, only the lock of the collection remains; on Windows, a file beside the directory is locked instead.
    """
    if system.IS_WINDOWS:
        with _locked_by_file(directory) as exists:
            yield exists
        return
    while True:
        try:
            descriptor = os.open(directory, os.O_RDONLY | system.DIRECTORY)
        except FileNotFoundError:
            yield False
            return
        try:
            with suppress(OSError):
                system.lock_directory(descriptor)
            if _is_at(directory, descriptor):
                yield True
                return
        finally:
            os.close(descriptor)


@contextmanager
def _locked_by_file(directory: str) -> Iterator[bool]:
    """Hold the lock of a file beside a directory, and yield whether the directory exists; the file is removed with the directory."""
    if not os.path.isdir(directory):
        yield False
        return
    path = lock_beside(directory)
    try:
        with FileLock(path, thread_local=False):
            yield os.path.isdir(directory)
    finally:
        if not os.path.lexists(directory):
            with suppress(OSError):  # a waiting writer has the file open, and removes it
                os.unlink(path)


def _is_at(path: str, descriptor: int) -> bool:
    """Return whether a directory that was opened at a path is still at that path."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _inodes(new: str, old: str) -> bytes:
    return f"{os.lstat(new).st_ino} {os.lstat(old).st_ino}".encode()


def move_to_trash(tree: Tree, target: str, trash: str, *, fsync: bool) -> None:
    """Move a directory to the trash; a missing one has already been moved."""
    if not os.path.isdir(target):
        return
    try:
        _rename_into_parent(target, trash, fsync=fsync)
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
        hidden = temporary_beside(trash)
        rename_directory(target, hidden)
        tree.remove(hidden)
    if fsync:
        sync(os.path.dirname(target))


def move_to_kept(target: str, kept: str, *, fsync: bool) -> None:
    """Move a directory to where it is kept; one that is missing, or already kept, has been moved before."""
    try:
        _rename_into_parent(target, kept, fsync=fsync)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
    if fsync:
        sync(os.path.dirname(target))
        sync(os.path.dirname(kept))


def _rename_into_parent(source: str, target: str, *, fsync: bool) -> None:
    """Rename a directory; the parent of the target is created if necessary."""
    try:
        rename_directory(source, target)
    except FileNotFoundError:
        make_directory(os.path.dirname(target), fsync=fsync)
        rename_directory(source, target)
