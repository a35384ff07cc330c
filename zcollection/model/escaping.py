"""Any text as part of a path segment, and back: bytes that a path cannot hold are written as ``%`` and two digits."""

import unicodedata
from typing import Final
from urllib.parse import unquote_to_bytes

_UNICODE: Final = unicodedata.ucd_3_2_0
"""One version for ever: a Python that knows more letters must not find another path for a text."""

_PLAIN: Final = "_.+-="


def escape(text: str) -> str:
    """Return a text with every character that a path segment cannot hold in percent-encoding (RFC 3986), in upper case.

    Letters, digits and ``_.+-=`` stand for themselves, but for a dot at the end. A text that is not in Unicode normal form
    C has none but ASCII letters and digits left, so that it differs from its normal form on every file system.

    Raises
    ------
    UnicodeEncodeError
        The text has half a character (a surrogate), and so no UTF-8 form.

    Examples
    --------
    >>> escape("Jason-3/GDR F"), escape("Malmö"), escape("100%")
    ('Jason-3%2FGDR%20F', 'Malmö', '100%25')
    """
    is_normal = _UNICODE.is_normalized("NFC", text)
    escaped = "".join(each if _is_plain(each, is_normal) else _percent(each) for each in text)
    return f"{escaped[:-1]}{_percent('.')}" if escaped.endswith(".") else escaped


def unescape(escaped: str) -> str | None:
    """Return the text of which `escape` made another, or None where it made it of none; not every such is found out.

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
