"""Values, texts and documents that nobody should believe, drawn by chance from sound ones."""

import json
import random
import struct
import zlib
from typing import Any

from numcodecs.zstd import Zstd

from zcollection.model import documents

_SMALL, _LARGE = (bytes(Zstd(1).encode(struct.pack("<II", 1, size) + b" " * size)) for size in (2**20, 2**28))
BOMBS = (_SMALL, _LARGE, _LARGE[:6] + struct.pack("<I", 1000) + _LARGE[10:])
"""Catalogs that are small while they are compressed; the last says that it is small afterwards too."""

TEXTS = (
    "", ".", "..", "../..", "../../etc/passwd", "/etc/passwd", "/", "a/../../b", "a//b", "c", "zarr.json", "_catalog",
    "_transactions", "__proto__", "\0", "a\0b", "\ud800", "e\u0301", "\u202e", "ﬁ", "con", "nul.txt", "x" * 201, "x" * 70_000,
    "year=1970", "year=1970/month=01/day=02", "year=../month=01", "day=02=03", "٣", "year=٣", "1e400", "NaN", "Infinity", "$ref",
    "os.system('x')", "{}", "%2e%2e", "~", "file:///etc", "C:\\x", "\n", " ", "time", "value", "int64", "<U999999999", "S99999999999",
    "datetime64[ns]", "O", "object", "days since 0000-00-00", "nanoseconds since 1970-01-01", "furlongs since x", "blosc", "zstd",
)  # fmt: skip
NUMBERS = (
    0,
    -1,
    1,
    2,
    7,
    255,
    2**31,
    -(2**31),
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63),
    2**64,
    2**70,
    10**400,
    1e308,
    -0.0,
    0.5,
    1e-320,
)
FILTERS = (
    "day == 2", "day in range(1, 5)", "month < 3 and not day > 2", "1 < day <= 3", "day % 2 == 0", "-day", "True", "day // 0 == 1",
    "day ** 9 ** 9 ** 9", "range(10**18)", "day in range(0, 10**12)", "__import__('os')", "().__class__", "day.__class__", "[day]", "lambda: 1",
    "day == 'x'", "f'{day}'", "day if day else 1", "1 << 10**9", "'a' * 10**9", "10 ** 10 ** 8", "9" * 5000, "(" * 3000, "not " * 3000 + "day",
    "day and " * 3000 + "day", "year == 1970 or", "x == 1", "day == 1; day", "day := 3", "*day", "day @ day", "1 / 0", "1j", "b'x'", "...", "\0",
)  # fmt: skip


def text(chance: random.Random) -> str:
    """Return a text, perhaps a damaged one."""
    found = chance.choice(TEXTS)
    return found if chance.random() < 0.7 else found + chance.choice(TEXTS)[:40]


def path(chance: random.Random) -> str:
    """Return something like the path of a partition."""
    parts = [
        chance.choice(["year=1970", "month=01", "day=02", "day=2", "month=13", text(chance)])
        for _ in range(chance.randint(1, 4))
    ]
    return "/".join(parts)


def value(chance: random.Random, depth: int = 0) -> Any:
    """Return a JSON value."""
    kind = chance.randrange(9)
    if kind < 3:
        return chance.choice(NUMBERS)
    if kind < 6:
        return text(chance)
    if kind == 6:
        return chance.choice([None, True, False])
    if depth > 3:
        return []
    if kind == 7:
        return [value(chance, depth + 1) for _ in range(chance.choice([0, 1, 2, 3, 40]))]
    return {text(chance)[:50]: value(chance, depth + 1) for _ in range(chance.choice([0, 1, 2]))}


def filter_of(chance: random.Random) -> object:
    """Return a filter: an expression, a mapping or something else."""
    if chance.random() < 0.2:
        return {chance.choice(["day", "year", text(chance)]): value(chance)}
    found = chance.choice(FILTERS)
    for _ in range(chance.randint(0, 2)):
        at = chance.randrange(len(found) + 1)
        found = (
            found[:at]
            + chance.choice(
                [chance.choice(FILTERS)[:60], text(chance)[:60], chance.choice("()[]{}<>=!+-*/%.,:'\"\\ \n#@&|^~0")]
            )
            + found[at:]
        )
    return found[: chance.choice([10**6, 30])]


def url(chance: random.Random, place: str) -> str:
    """Return the URL of a collection, or something like it."""
    scheme = chance.choice(
        ["", "file://", "memory://", "FILE://", "s3x://", "://", "file:", "file+x://", "-://", "\0://", "file://\0"]
    )
    tail = chance.choice(
        [
            "",
            "/",
            "?",
            "?a=b",
            "#x",
            "/..",
            "/../..",
            "\0",
            "/" + text(chance)[:3000],
            "@x",
            "/_zcollection.json",
            "/_catalog/c/0",
        ]
    )
    return scheme + chance.choice([place, "user:secret@host/x", "", "~"]) + tail


def damaged(key: str, content: bytes, chance: random.Random, *, others: list[bytes]) -> bytes:
    """Return a document that is no longer sound."""
    if key.endswith("_catalog/c/0") and chance.random() < 0.8:
        return _catalog(content, chance)
    if not content or chance.random() < 0.25:
        return _bytes(content, chance, others)
    try:
        body = json.loads(content)
    except ValueError:
        return _bytes(content, chance, others)
    if body.pop("checksum", None) is None or chance.random() < 0.1:
        return _dumped(_mutated(body, chance), chance)
    return documents.with_checksum(_dumped(_mutated(body, chance), chance))


def _dumped(body: object, chance: random.Random) -> bytes:
    dumped = json.dumps(body).encode()
    if chance.random() < 0.03:
        deep = chance.choice([100, 5_000, 200_000])
        return dumped[:-1] + b', "x": ' + b"[" * deep + b"]" * deep + b"}"
    return (
        dumped.replace(b'"year"', chance.choice([b'"year"', b'"year": 1, "year"']), 1)
        if chance.random() < 0.02
        else dumped
    )


def _mutated(body: Any, chance: random.Random) -> Any:
    """Return a JSON value with one to three of the values in it replaced, removed, renamed or added."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        body = _with_one_change(body, chance)
    return body


def _with_one_change(body: Any, chance: random.Random) -> Any:
    if isinstance(body, str) and body.startswith("{") and chance.random() < 0.9:
        try:
            inner = json.loads(body)
        except ValueError:
            return value(chance)
        inner.pop("checksum", None)
        return documents.with_checksum(json.dumps(_with_one_change(inner, chance)).encode()).decode()
    if not isinstance(body, dict | list) or not body or chance.random() < 0.04:
        return _replaced(body, chance)
    keys = list(body) if isinstance(body, dict) else list(range(len(body)))
    at, copy = chance.choice(keys), body.copy()
    action = chance.random()
    if action < 0.8:
        copy[at] = _with_one_change(body[at], chance)
    elif action < 0.88:
        del copy[at]
    elif isinstance(copy, list):
        copy.insert(at, chance.choice([body[at], value(chance)]))
    else:
        copy[text(chance)[:60]] = chance.choice([body[at], value(chance)])
    return copy


def _replaced(old: Any, chance: random.Random) -> Any:
    if isinstance(old, int) and not isinstance(old, bool) and chance.random() < 0.6:
        return chance.choice([old + 1, old - 1, -old, old * 10**6, 10**12, 2**40, 2**62, 10**18, 10**30])
    if isinstance(old, str) and old and chance.random() < 0.4:
        at = chance.randrange(len(old))
        return old[:at] + chance.choice(["", "/", ".", "..", "\0", "A", "=", text(chance)[:50]]) + old[at + 1 :]
    return value(chance)


def _bytes(content: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    action = chance.randrange(6)
    at = chance.randrange(len(content) + 1)
    if action == 0:
        return content[:at]
    if action == 1:
        return content[:at] + bytes(chance.randrange(256) for _ in range(chance.randint(1, 9))) + content[at + 1 :]
    if action == 2:
        return content[:at] + chance.choice(others)
    if action == 3:
        return chance.choice(others)
    if action == 4:
        return chance.choice(
            [
                b"null",
                b"[]",
                b"{}",
                b"1",
                b'"x"',
                b"NaN",
                b"-",
                b"[" * 100_000,
                b"9" * 100_000,
                b'{"a":' * 50_000,
                b"\xff\xfe{}",
                "{}".encode("utf-16"),
            ]
        )
    return (
        content[:at] + chance.choice([b"{", b"}", b",", b'"', b"\\u0000", b"\\ud800", b"1e999", b"NaN"]) + content[at:]
    )


def _catalog(content: bytes, chance: random.Random) -> bytes:
    """Return a catalog that is damaged, and whose checksum is right."""
    data = bytes(Zstd(1).decode(content))[8:]
    head, _, body = data.partition(b"\n")
    forged = _dumped(_mutated(json.loads(body), chance), chance)
    if chance.random() < 0.02:
        return chance.choice(BOMBS)
    if chance.random() < 0.5:
        head = json.dumps(json.loads(head) | {"checksum": zlib.crc32(forged)}).encode()
    whole = head + b"\n" + forged
    size = chance.choice([len(whole), len(whole), len(whole), len(whole), 2**32 - 1, 0])
    return bytes(Zstd(1).encode(struct.pack("<II", 1, size) + whole))
