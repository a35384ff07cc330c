import json

import numpy as np
import pytest
from attrs import frozen

import zcollection as zc
from zcollection.model import documents


@frozen
class Inner:
    name: str
    size: int | None = None


@frozen
class Document:
    text: str
    number: float
    names: tuple[str, ...] = ()
    inner: tuple[Inner, ...] = ()
    wait: np.timedelta64 | int | None = None


FULL = Document("a", 1.5, ("b", "c"), (Inner("x", 3), Inner("y")), np.timedelta64(5, "s"))


def load(data):
    return documents.load(data, Document, kind="test", what="the test document")


def changed(**changes):
    body = json.loads(documents.dump(FULL, kind="test")) | changes
    return documents.with_checksum(
        json.dumps({name: value for name, value in body.items() if value != "remove"}).encode()
    )


def test_a_document_is_equal_after_a_round_trip():
    assert load(documents.dump(FULL, kind="test")) == FULL


def test_a_whole_number_is_a_float_too():
    assert load(changed(number=2)).number == 2.0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"format_version": 1, "kind": "test", "text": NaN}',
        changed(text=5),
        changed(text="remove"),
        changed(number="1.5"),
        changed(number=True),
        changed(names="abc"),
        changed(names=[1]),
        changed(inner=[{"name": "x", "siz": 3}]),
        changed(inner={"name": "x"}),
        changed(wait="5 s"),
        changed(wait={"timedelta64": "5"}),
        changed(wait={"timedelta64": [5, "fortnight"]}),
        changed(more=1),
        changed(kind="other"),
        changed(kind="remove"),
        changed(format_version="1"),
        changed(format_version="remove"),
        changed(format_version=0),
    ],
)
def test_an_invalid_document_raises_a_corruption_error(data):
    with pytest.raises(zc.CorruptionError, match="the test document"):
        load(data)


def test_a_fault_is_named_with_its_place():
    with pytest.raises(zc.CorruptionError, match=r"5 is a int; accepted: str.*\$\.text"):
        load(changed(text=5))


@pytest.mark.parametrize("at", range(0, 200, 7))
def test_any_other_byte_than_was_written_is_corruption(at):
    data = bytearray(documents.dump(FULL, kind="test"))
    data[at % len(data)] ^= 1
    with pytest.raises(zc.CorruptionError):
        load(bytes(data))


def test_a_lone_surrogate_is_corruption():
    with pytest.raises(zc.CorruptionError, match="surrogates not allowed"):
        load(documents.with_checksum(b'{"format_version": 1, "kind": "test", "text": "\\ud800"}'))


def test_a_later_version_is_rejected_as_such():
    with pytest.raises(zc.FormatVersionError, match="version 2; accepted: up to 1; upgrade"):
        load(changed(format_version=2))


def test_a_document_that_is_too_large_is_rejected_unread(monkeypatch):
    monkeypatch.setattr(documents, "LARGEST_DOCUMENT", 10)
    with pytest.raises(zc.CorruptionError, match="accepted: up to 10"):
        load(documents.dump(FULL, kind="test"))


def test_numbers_of_many_digits_are_rejected():
    with pytest.raises(zc.CorruptionError, match="the test document"):
        load(b'{"format_version": 1, "kind": "test", "text": "a", "number": ' + b"9" * 10_000 + b"}")
