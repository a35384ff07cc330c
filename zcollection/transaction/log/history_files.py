"""The history files: each contains consecutive versions whose records were folded from the log."""

import math
import re
from collections.abc import Container, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any, Final

from attrs import evolve, frozen

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.work import Work, enumerated, fetch
from zcollection.errors import CorruptionError
from zcollection.model import documents
from zcollection.transaction.documents import TRANSACTIONS
from zcollection.transaction.version import Version

FOLDER: Final = f"{TRANSACTIONS}/history/"

JOINED: Final = 16
_HIGHEST: Final = 3
"""`JOINED` files of equal level become one file, up to level `_HIGHEST`: several thousand versions."""

_NO_VERSION: Final = 10**18 - 1


def folded(first: int, last: int = _NO_VERSION) -> Work[list[Version]]:
    """Return the versions `first` to `last` from the history, in order, up to the first one missing."""
    entries = yield from enumerated(FOLDER)
    spans = {entry.key: _span(entry.key) for entry in entries}
    keys = [key for key, span in spans.items() if span and span[1] >= first and span[0] <= last]
    found: dict[int, Version] = {}
    for key, data in zip(keys, (yield from fetch([Read(key) for key in keys])), strict=True):
        items = () if data is None else parse(key, data, check_partitions=False, numbers=range(first, last + 1))
        for item in items or ():
            if found.setdefault(item.number, evolve(item, published=True)).transaction != item.transaction:
                return []  # files of several logs
    return [found[number] for number in takewhile(found.__contains__, range(first, last + 1))]


async def last_version(store: KeyStore) -> int:
    """Return the newest version in the history; -1 if it is empty."""
    spans = [_span(entry.key) async for entry in store.list(FOLDER)]
    return max((span[1] for span in spans if span), default=-1)


async def join(store: KeyStore) -> None:
    """Join the last history files into one if there are `JOINED` files of the same level."""
    spans = {entry.key: _span(entry.key) async for entry in store.list(FOLDER)}
    last = sorted((span, key) for key, span in spans.items() if span)[-JOINED:]
    levels = {_level(first, end) for (first, end), _ in last}
    if len(last) < JOINED or len(levels) > 1 or levels == {_HIGHEST}:
        return
    keys = [key for _, key in last]
    parts = [
        parse(key, data or b"", check_partitions=False)
        for key, data in zip(keys, await store.get([Read(key) for key in keys]), strict=True)
    ]
    joined = {item.number: item for part in parts for item in part or ()}
    if None not in parts and list(joined) == list(range(last[0][0][0], last[-1][0][1] + 1)):
        await store.put(dump(list(joined.values())))
        await store.delete(keys)


def _level(first: int, last: int) -> int:
    """Return the level of a history file, the number of times that its versions were joined, from their number."""
    return min(int(math.log(max(last - first + 1, 1), JOINED) + 1e-9), _HIGHEST)


@frozen(kw_only=True)
class _History:
    versions: dict[str, Any]


def dump(versions: Sequence[Version]) -> dict[str, bytes]:
    """Return the history file of versions, by its key."""
    records = {str(version.number): documents.CONVERTER.unstructure(version) for version in versions}
    key = f"{FOLDER}{versions[0].number:020d}-{versions[-1].number:020d}.json"
    return {key: documents.dump(_History(versions=records), kind="history")}


def parse(
    key: str, data: bytes, *, check_partitions: bool, numbers: Container[int] | None = None
) -> tuple[Version, ...] | None:
    """Return the versions in a history file, or only those with given numbers; None if it is damaged."""
    what = f"the history {key}"
    with suppress(CorruptionError):
        body = documents.load(data, _History, kind="history", what=what)
        names = [f"{int(name):020d}" for name in body.versions if name.isascii() and name.isdigit()]
        is_as_named = len(names) == len(body.versions) and [*names[:1], *names[-1:]] == _names(key)
        versions = tuple(
            documents.structure(value, Version, what=what)
            for name, value in body.versions.items()
            if is_as_named and (numbers is None or int(name) in numbers)
        )
        is_right = all(str(version.number) in body.versions for version in versions)
        for version in versions if check_partitions else ():
            dict(version.partitions)
        return versions if is_as_named and is_right else None
    return None


def _names(key: str) -> list[str]:
    """Return the first and the last version in the name of a history file, as strings."""
    first, _, last = key.removeprefix(FOLDER).removesuffix(".json").partition("-")
    return [first, last]


def _span(key: str) -> tuple[int, int] | None:
    """Return the first and the last version in the name of a history file; None for a foreign name."""
    names = _names(key)
    if not all(re.fullmatch(r"[0-9]{20}", name) for name in names):
        return None
    first, last = map(int, names)
    return first, last
