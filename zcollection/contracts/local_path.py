"""Validation of local paths given by a caller, and their conversion to absolute paths, on POSIX systems and on Windows."""

import os
import re
from typing import Final

from zcollection.errors import LocationError
from zcollection.model.names import defect_on_windows

_MISTAKEN: Final = re.compile(r"file:|[A-Za-z][A-Za-z0-9+.-]*:[/\\]|\\\\", re.IGNORECASE)
"""Start of a URL that lacks a slash, or of a Windows path: almost certainly a mistake on a POSIX system."""

_MISTAKEN_ON_WINDOWS: Final = re.compile(r"file:|[A-Za-z][A-Za-z0-9+.-]+:[/\\]|[A-Za-z]:(?![/\\])", re.IGNORECASE)
"""Start of a mistaken path on Windows: a URL that lacks a slash, or a drive without a slash, which is a path relative to
the current directory of that drive."""

_DRIVE: Final = re.compile(r"/[A-Za-z]:[/\\]")
"""Start of the path of a URL with a drive, such as ``file:///C:/data``."""

_LONG: Final = "\\\\?\\"
_LONG_SHARE: Final = "\\\\?\\UNC\\"
"""Prefixes of Windows paths that may exceed 260 characters."""


def is_windows() -> bool:
    """Return whether local paths follow the rules of Windows."""
    return os.name == "nt"


def absolute(path: str) -> str:
    r"""Return the absolute path of a directory. ``~`` is the home directory; every other character is literal.

    Parameters
    ----------
    path
        Absolute, or relative to the current working directory. On Windows it has slashes or backslashes, and may begin
        with a drive (``C:\data``) or a share (``\\server\share\data``).

    Raises
    ------
    LocationError
        The path is not valid for a directory, or looks like a URL or, on POSIX systems, like a Windows path.
    """
    path = _without_marks(path) if is_windows() else path
    _check_beginning(path)
    if not path or "\0" in path or not _is_encodable(path):
        message = f"{path!r} is empty, or contains a NUL character or one that cannot be encoded; accepted: the path of a directory"
        raise LocationError(message)
    expanded = os.path.expanduser(path)  # noqa: PTH111 - works on text; "~" without a home directory stays, and is rejected
    if expanded.startswith("~"):
        message = f"{path!r} begins with the home directory of an unknown user; accepted: '~/path', or './~name' for a name that begins with '~'"
        raise LocationError(message)
    if is_windows():
        _check_names(expanded)
    return os.path.abspath(expanded)  # noqa: PTH100 - works on text only, so that links are not resolved


def with_slashes(path: str) -> str:
    r"""Return an absolute path in the form used in URLs: ``/C:/data`` for ``C:\data``; unchanged on POSIX systems."""
    if not is_windows():
        return path
    text = path.replace("\\", "/")
    return text if text.startswith("/") else f"/{text}"


def _without_marks(path: str) -> str:
    r"""Return a path without the slash before a drive (as in URLs), and without the prefix ``\\?\``."""
    if _DRIVE.match(path):
        return path[1:]
    if path.startswith(_LONG_SHARE):
        return f"\\\\{path.removeprefix(_LONG_SHARE)}"
    return path.removeprefix(_LONG)


def _check_beginning(path: str) -> None:
    mistaken = (_MISTAKEN_ON_WINDOWS if is_windows() else _MISTAKEN).match(path)
    if mistaken is None:
        return
    if is_windows():
        message = (
            f"a path begins with {mistaken[0]!r}, as a URL or a path that is relative to a drive; accepted: 'scheme://location', "
            f"'file:///C:/path', 'C:\\path', '\\\\server\\share\\path', or a path relative to the working directory"
        )
    else:
        message = (
            f"a relative path begins with {mistaken[0]!r}, as a URL or a path of Windows; accepted: 'scheme://location', "
            f"'file:///path', '/path', or './path' for a name that begins this way"
        )
    raise LocationError(message)


def _check_names(path: str) -> None:
    """Check that Windows would not truncate a name, or interpret it as a device or as a stream of another file."""
    drive, rest = os.path.splitdrive(path)
    names = [name for name in re.split(r"[/\\]", rest) if name not in {"", ".", ".."}]
    defect = (
        "it is a device"
        if drive.startswith(("\\\\.\\", "//./"))
        else next(filter(None, map(defect_on_windows, names)), None)
    )
    if defect is not None:
        message = f"{path!r} is not the path of a directory on Windows: {defect}; accepted: 'C:\\path' with other names"
        raise LocationError(message)


def _is_encodable(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True
