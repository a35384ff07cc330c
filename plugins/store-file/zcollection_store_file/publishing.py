"""Whole directories put in the place of others, in steps each of which can be the last of a process.

What is staged lies either at its stage or at its target, never elsewhere. Where the system can swap two directories,
the target is whole at every moment; else it is absent between two renames. After a swap the stage holds what was
replaced, which looks like something staged: a marker beside the stage says, by inode numbers, which is which.

Two may publish one stage at once, though the lock of the collection forbids it: file systems of a network lose locks. What
one has swapped the other must not swap again, whatever it saw before. So whoever publishes holds a lock of the staged
directory itself, which goes where the directory goes, and then looks whether that still lies at its stage.
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
    """A staged directory on its way to its target.

    Attributes
    ----------
    tree
        The store's.
    staged, target
        Paths of the directories.
    kept
        Path at which what is replaced is to lie afterwards; None where it is removed.
    fsync
        Whether each step is on the disk before the next one.
    """

    tree: Tree
    staged: str
    target: str
    kept: str | None = None
    fsync: bool

    def finish(self) -> None:
        """Do what is left to do; of two who do so at once, one finds it done."""
        if self._moves():
            self._sync()
            return
        with _alone_with(self.staged) as is_staged:
            if is_staged and self._is_swapped():
                self._retire()
            elif is_staged:
                self._replace()

    def _moves(self) -> bool:
        """Move what is staged to its target, unless something lies there, as it does after a swap."""
        if os.path.isfile(f"{self.target}/{_DOCUMENT}"):
            return False
        try:
            _rename_into_parent(self.staged, self.target, fsync=self.fsync)
        except FileNotFoundError:
            return False  # somebody else has moved it
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
            return False
        return True

    def _replace(self) -> None:
        # Part of a marker names no two directories: what is staged passes for what is new, as it is.
        files.write_small(self._marker, _inodes(self.staged, self.target), fsync=self.fsync)
        if exchange(self.staged, self.target):
            self._retire()
        else:
            self._forget_marker()
            self._replace_in_two_steps()

    def _replace_in_two_steps(self) -> None:
        replaced = self._put_aside(self.target)
        try:
            rename_directory(self.staged, self.target)
        except FileNotFoundError:
            pass  # somebody else has moved it, as soon as the place was free
        except OSError:
            rename_directory(replaced, self.target)
            raise
        self._sync()
        self._forget(replaced)

    def _is_swapped(self) -> bool:
        """Return whether the stage holds what was replaced."""
        marker = files.read(self._marker, 0, 100)
        return marker is not None and os.path.isdir(self.target) and marker == _inodes(self.target, self.staged)

    def _retire(self) -> None:
        """Remove what was replaced, or move it to where it is kept, and then the marker that names it.

        Each step is on the disk before the next: without the marker, what was replaced would pass for what is new.
        """
        self._sync()
        if not self._keeps(self.staged):
            try:
                self.tree.remove(self.staged)
            finally:
                # What cannot be removed, such as a directory of another user, must not pass for what is new.
                if os.path.lexists(self.staged):
                    with suppress(FileNotFoundError):
                        os.rename(self.staged, temporary_beside(self.staged))
        if self.fsync:
            sync(os.path.dirname(self.staged))
        self._forget_marker()

    def _keeps(self, replaced: str) -> bool:
        """Move what was replaced to where it is kept, and return whether nothing is left to remove."""
        if self.kept is None:
            return False
        try:
            _rename_into_parent(replaced, self.kept, fsync=self.fsync)
        except FileNotFoundError:
            return True  # whoever found it swapped as well was faster
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
            return False
        return True

    def _put_aside(self, replaced: str) -> str:
        """Move what is replaced to where it is kept, or is going to be removed, and return where that is."""
        if self.kept is not None and self._keeps(replaced):
            return self.kept
        hidden = temporary_beside(self.staged)
        rename_directory(replaced, hidden)
        return hidden

    def _forget(self, replaced: str) -> None:
        """Remove what was replaced, unless it is kept."""
        if replaced != self.kept:
            self.tree.remove(replaced)

    @property
    def _marker(self) -> str:
        return marker_beside(self.staged)

    def _forget_marker(self) -> None:
        with suppress(FileNotFoundError):
            unlink(self._marker)

    def _sync(self) -> None:
        if self.fsync:
            sync(os.path.dirname(self.target))
            sync(os.path.dirname(self.staged))


@contextmanager
def _alone_with(directory: str) -> Iterator[bool]:
    """Hold the lock of a directory, and yield True; False where it no longer lies there.

    The system releases the lock when its holder dies. Where directories have none, as on some network file systems, the lock
    of the collection has to do; on Windows a file beside the directory has the lock.
    """
    if system.IS_WINDOWS:
        with _alone_by_file(directory) as is_there:
            yield is_there
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
            if _lies_at(directory, descriptor):
                yield True
                return
        finally:
            os.close(descriptor)


@contextmanager
def _alone_by_file(directory: str) -> Iterator[bool]:
    """Hold the lock of a file beside a directory, which goes when the directory is no longer there."""
    if not os.path.isdir(directory):
        yield False
        return
    path = lock_beside(directory)
    try:
        with FileLock(path, thread_local=False):
            yield os.path.isdir(directory)
    finally:
        if not os.path.lexists(directory):
            with suppress(OSError):  # who waits has it open, and removes it
                os.unlink(path)


def _lies_at(path: str, descriptor: int) -> bool:
    """Return whether a directory that was opened at a path still lies there."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _inodes(new: str, old: str) -> bytes:
    return f"{os.lstat(new).st_ino} {os.lstat(old).st_ino}".encode()


def take_away(tree: Tree, target: str, trash: str, *, fsync: bool) -> None:
    """Move a directory to a place where nobody looks; what is missing has been moved."""
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


def put_aside(target: str, kept: str, *, fsync: bool) -> None:
    """Move a directory to where it is kept; what is missing, or is kept already, has been moved."""
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
    """Rename a directory, after making the one that it is to lie in where that is missing."""
    try:
        rename_directory(source, target)
    except FileNotFoundError:
        make_directory(os.path.dirname(target), fsync=fsync)
        rename_directory(source, target)
