"""Validation of names that become parts of paths: variables, groups, dimensions and partition segments."""

import re
import unicodedata
from functools import lru_cache

from zcollection.errors import PartitionError, SchemaError

LONGEST = 200
"""Maximum length of a name, in bytes."""

_FORBIDDEN = frozenset({".", "..", "zarr.json", "c"})
_WINDOWS = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE)
_NOT_ON_WINDOWS = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_ALPHABET = "letters, digits and any of '_.+-'"


def _defect(segment: object, *, extra: str) -> str | None:
    """Return what is wrong with one path segment, or None."""
    if not isinstance(segment, str):
        return f"a name is a string, not {type(segment).__name__}"
    return _defect_of_string(segment, extra)


@lru_cache(maxsize=8192)
def _defect_of_string(segment: str, extra: str) -> str | None:
    if not segment or len(segment.encode(errors="replace")) > LONGEST:
        return f"a name has 1 to {LONGEST} bytes"
    if segment in _FORBIDDEN or segment.startswith("_") or _WINDOWS.fullmatch(segment) or segment.endswith("."):
        return "the name is reserved for Zarr, for an operating system or, if it starts with '_', for zcollection"
    if not all(character.isalpha() or character.isdigit() or character in "_.+-" + extra for character in segment):
        return f"a name is made of {_ALPHABET}{' and ' + repr(extra) if extra else ''}"
    if not unicodedata.is_normalized("NFC", segment):
        return "a name is in Unicode normal form C"
    return None


def defect_on_windows(name: str) -> str | None:
    """Return the reason why Windows does not allow a name for a file; None if it does.

    Examples
    --------
    >>> defect_on_windows("a:b")
    "the character ':' is not allowed in a name"
    >>> defect_on_windows("nul.txt"), defect_on_windows("pass 1")
    ("the name 'nul.txt' is reserved for a device", None)
    """
    wrong = _NOT_ON_WINDOWS.search(name)
    if wrong is not None:
        return f"the character {wrong[0]!r} is not allowed in a name"
    if _WINDOWS.fullmatch(name):
        return f"the name {name!r} is reserved for a device"
    return f"the name {name!r} ends with a dot or a space, which is lost" if name.endswith((".", " ")) else None


def validate_segment(name: object, *, what: str) -> str:
    """Check the name of a variable, group or dimension, and return it.

    Parameters
    ----------
    name
        The name.
    what
        Kind of the object, for error messages, such as ``"variable"``.

    Raises
    ------
    SchemaError
        The name is empty, longer than 200 bytes or reserved, or has characters that are unsafe in a path.

    Examples
    --------
    >>> validate_segment("ssh", what="variable")
    'ssh'
    """
    defect = _defect(name, extra="")
    if defect is not None:
        message = f"{what} {name!r}: {defect}"
        raise SchemaError(message)
    return str(name)


def validate_partition_segment(segment: object) -> str:
    """Check one segment of the path of a partition, such as ``month=03``, and return it.

    Raises
    ------
    PartitionError
        The segment is not valid. The rules are those of `validate_segment`, but ``=`` and ``%`` are allowed.
    """
    defect = _defect(segment, extra="=%")
    if defect is not None:
        message = f"partition segment {segment!r}: {defect}"
        raise PartitionError(message)
    return str(segment)


def normalise_path(path: str) -> str:
    """Return the path of a variable or group without a leading slash: ``"/a/b/v"`` and ``"a/b/v"`` are equivalent.

    Examples
    --------
    >>> normalise_path("/data_01/ku/power")
    'data_01/ku/power'
    """
    return path.removeprefix("/")


def join(parent: str, name: str) -> str:
    """Return the path of `name` inside the group `parent` ("" is the root)."""
    return f"{parent}/{name}" if parent else name


def split(path: str) -> tuple[str, str]:
    """Return the path of the parent group, and the last name of `path`."""
    parent, _, name = normalise_path(path).rpartition("/")
    return parent, name


def ancestors(path: str) -> tuple[str, ...]:
    """Return the paths of all groups from the root to `path`, inclusive.

    Examples
    --------
    >>> ancestors("data_01/ku")
    ('', 'data_01', 'data_01/ku')
    """
    parts = path.split("/") if path else []
    return tuple("/".join(parts[:depth]) for depth in range(len(parts) + 1))
