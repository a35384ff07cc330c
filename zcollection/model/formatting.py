"""Values as short strings: on one line, limited in length, without credentials."""

import re
from collections.abc import Collection
from itertools import islice
from typing import Final

from zcollection.errors import printable

SHORT: Final = 70
_WIDEST: Final = 200
_MOST_NAMES: Final = 8
_USER: Final = re.compile(r"://[^/\s]*@")
_URL: Final = re.compile(r"(://[^?\s]*)(\?\S+)?")  # matches to the end of the URL: linear time


def more(rest: int, what: str = "more") -> list[str]:
    """Return a line with the number of items that are not shown; no line for 0."""
    return [f"… {rest:,} {what}"] if rest > 0 else []


def listed(names: Collection[str], most: int = _MOST_NAMES) -> str:
    """Return the first names, separated by commas, and the total number if there are more.

    Examples
    --------
    >>> listed(["a", "b", "c"], most=2)
    'a, b, … (3 in all)'
    """
    rest = f", … ({len(names):,} in all)" if len(names) > most else ""
    return ", ".join(islice(names, most)) + rest


def shortened(value: object, widest: int = _WIDEST) -> str:
    """Return a value as one line of at most `widest` characters, without credentials; "" for None.

    Examples
    --------
    >>> shortened("s3://key:secret@host/file?token=secret"), shortened("abcdef", 4)
    ('s3://***@host/file?***', 'abc…')
    """
    safe = "" if value is None else _URL.sub(_without_query, _USER.sub("://***@", str(value)))
    text = printable(safe[: widest + 1].replace("\n", " "))
    return text if len(text) <= widest else f"{text[: widest - 1]}…"


def _without_query(url: re.Match[str]) -> str:
    return f"{url[1]}?***" if url[2] else url[1]


def format_bytes(size: int) -> str:
    """Return a size in bytes as text, in decimal units.

    Examples
    --------
    >>> format_bytes(768), format_bytes(92_160), format_bytes(3_000_000_000)
    ('768 B', '92.2 kB', '3.0 GB')
    """
    if size < 1000:
        return f"{size} B"
    scaled = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        scaled /= 1000
        if scaled < 999.95:
            return f"{scaled:.1f} {unit}"
    return f"{scaled / 1000:.1f} PB"
