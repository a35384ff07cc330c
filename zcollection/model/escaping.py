"""Percent-encoding: any string as part of a path segment, and back."""

import unicodedata
from typing import Final
from urllib.parse import unquote_to_bytes

_UNICODE: Final = unicodedata.ucd_3_2_0
"""A fixed Unicode version: a newer Python, which knows more letters, must give the same path for a string."""

_PLAIN: Final = "_.+-="


def escape(text: str) -> str:
    """Return a string in which every character not allowed in a path segment is percent-encoded (RFC 3986, upper case).

    Letters, digits and ``_.+-=`` are kept, except for a dot at the end. In a string that is not in Unicode normal form C,
    only ASCII characters are kept, so that its path differs from that of the normal form on every file system.

    Raises
    ------
    UnicodeEncodeError
        The string contains a lone surrogate, which has no UTF-8 encoding.

    Examples
    --------
    >>> escape("Jason-3/GDR F"), escape("Malmö"), escape("100%")
    ('Jason-3%2FGDR%20F', 'Malmö', '100%25')
    """
    is_normal = _UNICODE.is_normalized("NFC", text)
    escaped = "".join(each if _is_plain(each, is_normal) else _percent(each) for each in text)
    return f"{escaped[:-1]}{_percent('.')}" if escaped.endswith(".") else escaped


def unescape(escaped: str) -> str | None:
    """Return the string that `escape` encoded, or None if the encoded bytes are not UTF-8; other errors are not detected.

    Examples
    --------
    >>> unescape("Jason-3%2FGDR%20F"), unescape("%FF")
    ('Jason-3/GDR F', None)
    """
    try:
        return unquote_to_bytes(escaped).decode()
    except UnicodeError:
        return None


def _is_plain(character: str, is_normal: bool) -> bool:
    if character.isascii():
        return character.isalnum() or character in _PLAIN
    is_letter_or_digit = character.isalpha() or character.isdigit()
    return is_normal and is_letter_or_digit and _UNICODE.category(character) != "Cn"


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())
