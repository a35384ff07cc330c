"""Renames that Python does not offer: an atomic swap of two directories, and a rename that replaces nothing."""

import ctypes
import errno
import os
from functools import cache
from typing import Any, Final

from zcollection_store_file.system import IS_WINDOWS

_AT_FDCWD: Final = -100
_NOREPLACE: Final = 1
_EXCHANGE: Final = 2
_UNSUPPORTED: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP})


def exchange(first: str, second: str) -> bool:
    """Swap the files or directories at two paths, atomically.

    Returns
    -------
    bool
        False if the system or the file system does not support this, and nothing was changed.
    """
    return _rename(first, second, _EXCHANGE)


def move_to_free_path(source: str, target: str) -> bool:
    """Rename a file or directory unless the target exists, atomically.

    Returns
    -------
    bool
        False if the system or the file system does not support this, and nothing was changed.

    Raises
    ------
    FileExistsError
        The target exists.
    """
    if IS_WINDOWS:
        os.rename(source, target)  # on Windows, this replaces nothing
        return True
    return _rename(source, target, _NOREPLACE)


def _rename(source: str, target: str, flags: int) -> bool:
    function = _renameat2()
    if function is None:
        return False
    if function(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), source, None, target)


@cache
def _renameat2() -> Any | None:
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):  # macOS, a C library older than 2018, or Windows
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    function.restype = ctypes.c_int
    return function
