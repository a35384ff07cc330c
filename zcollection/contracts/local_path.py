"""Local paths as a caller writes them, on POSIX systems and on Windows: made absolute, or refused."""

import os
import re
from typing import Final

from zcollection.errors import LocationError
from zcollection.model.names import defect_on_windows

_MISTAKEN: Final = re.compile(r"file:|[A-Za-z][A-Za-z0-9+.-]*:[/\\]|\\\\", re.IGNORECASE)
"""How a URL that lost a slash begins, and a path of Windows: no name of a directory that anybody would want."""

_MISTAKEN_ON_WINDOWS: Final = re.compile(r"file:|[A-Za-z][A-Za-z0-9+.-]+:[/\\]|[A-Za-z]:(?![/\\])", re.IGNORECASE)
"""The same on Windows, where a path may have a drive; without a slash behind it depends on the directory of that drive."""

_DRIVE: Final = re.compile(r"/[A-Za-z]:[/\\]")
"""How the path in a URL with a drive begins, such as ``file:///C:/data``."""

_LONG: Final = "\\\\?\\"
_LONG_SHARE: Final = "\\\\?\\UNC\\"
"""How paths of Windows begin that may have more than 260 characters."""


def is_windows() -> bool:
    """Return whether paths are those of Windows."""
    return os.name == "nt"


def absolute(path: str) -> str:
    r"""Return the absolute path of a directory: ``~`` is the home directory, and all else is taken literally.

    Parameters
    ----------
    path
        Absolute, or relative to the working directory as it is now. On Windows it has slashes or backslashes, and may begin
        with a drive (``C:\data``) or a share (``\\server\share\data``).

    Raises
    ------
    LocationError
        No directory can have such a path, or it looks like a URL or, on other systems, a path of Windows.
    """
    path = _without_marks(path) if is_windows() else path
    _check_beginning(path)
    if not path or "\0" in path or not _is_encodable(path):
        message = (
            f"{path!r} is empty, or has a NUL character or one that no name can have; accepted: the path of a directory"
        )
        raise LocationError(message)
    expanded = os.path.expanduser(path)  # noqa: PTH111 - of text; "~" without a home stays, and is refused
    if expanded.startswith("~"):
        message = f"{path!r} begins with the home directory of nobody; accepted: '~/path', or './~name' for a name that begins so"
        raise LocationError(message)
    if is_windows():
        _check_names(expanded)
    return os.path.abspath(expanded)  # noqa: PTH100 - of text alone; links stay links


def with_slashes(path: str) -> str:
    r"""Return an absolute path as URLs have it: ``C:\data`` is ``/C:/data``; on POSIX systems the path itself."""
    if not is_windows():
        return path
    text = path.replace("\\", "/")
    return text if text.startswith("/") else f"/{text}"


def _without_marks(path: str) -> str:
    r"""Return a path without the slash that URLs put before a drive, and without ``\\?\``."""
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
            f"'file:///path', '/path', or './path' for a name that begins so"
        )
    raise LocationError(message)


def _check_names(path: str) -> None:
    """Refuse names that Windows would cut, or take for a device or a stream of another file."""
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
