"""Percent-encoding: every string has one path segment, which is valid on every file system and decodes to the string."""

import sys
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zcollection.model.escaping import escape, unescape
from zcollection.model.names import validate_partition_segment

CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("S3A", "S3A"),
        ("a_b.c+d-e=f", "a_b.c+d-e=f"),
        ("", ""),
        ("Jason-3 GDR/F", "Jason-3%20GDR%2FF"),
        ("100%", "100%25"),
        ("%41", "%2541"),
        ("Malmö", "Malmö"),
        ("Malmo\u0308", "Malmo%CC%88"),
        ("\u212bö", "%E2%84%AB%C3%B6"),  # not in normal form C: no letter is kept that a file system may normalise
        ("海面 1", "海面%201"),
        (".", "%2E"),
        ("..", ".%2E"),
        ("Ltd.", "Ltd%2E"),
        ("~", "%7E"),
        ("a\\b:c*\n\x00", "a%5Cb%3Ac%2A%0A%00"),
        ("\U0001f6f0", "%F0%9F%9B%B0"),
        ("\U0001df00", "%F0%9D%BC%80"),  # a letter since Unicode 14, unknown to older Python versions
    ],
)
def test_a_string_has_this_segment(text, escaped):
    assert (escape(text), unescape(escaped)) == (escaped, text)


@given(st.text())
@example("\u1100\u1161")  # two letters that normal form C composes to one
@example("e\u0301")
def test_every_string_survives_encoding_as_a_safe_segment(text):
    escaped = escape(text)
    assert unescape(escaped) == text == unquote(escaped, errors="strict")
    for start in range(0, len(escaped), 50):
        part = escaped[start : start + 50].removesuffix(".")
        assert validate_partition_segment(f"f={part}") == f"f={part}"


@given(st.text(), st.text())
def test_two_strings_remain_distinct_in_every_normal_form(one, other):
    for form in ("NFC", "NFD"):
        found = [unicodedata.normalize(form, escape(text)) for text in (one, other)]
        assert (found[0] == found[1]) is (one == other)


def test_every_character_has_its_own_safe_segment():
    segments = {validate_partition_segment(f"f={escape(character)}") for character in CHARACTERS}
    assert len(segments) == len(CHARACTERS)


def test_the_characters_that_are_kept_are_the_same_on_every_python():
    plain = [character for character in CHARACTERS if escape(character) == character]
    # Counted with Python 3.10 to 3.13. Any other count would change the paths of stored keys.
    assert (len(plain), sum(map(ord, plain))) == (89_335, 8_067_791_482)


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_a_lone_surrogate_has_no_segment(text):
    with pytest.raises(UnicodeEncodeError):
        escape(text)


@pytest.mark.parametrize("escaped", ["%FF", "%C3", "a%80"])
def test_invalid_utf_8_is_not_decoded(escaped):
    assert unescape(escaped) is None
