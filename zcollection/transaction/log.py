"""The log of versions: one immutable record for each change, whose creation is the moment at which it happened.

Record n lies at ``_transactions/log/<n>.json``; an empty object ``<n>.ok`` beside it says that what it staged lies in its
place. Records are numbered without gaps, so that whoever knows version n finds out by one read whether there is a newer
one. `vacuum` folds old records into ``_transactions/history/``, and never the newest: whoever knows a version whose own record
is gone knows that it has missed something.
"""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count, takewhile
from typing import Any, Final

from attrs import evolve, frozen

from zcollection.contracts.store import KeyStore, Read
from zcollection.engine.work import Work, enumerated, fetch, perform_one
from zcollection.errors import CommitStateUnknownError, ConflictError, CorruptionError, StoreError
from zcollection.model import documents
from zcollection.transaction.documents import TRANSACTIONS
from zcollection.transaction.partitions import Partitions
from zcollection.transaction.version import Version

_LOG: Final = f"{TRANSACTIONS}/log/"
_BATCH: Final = 16
"""Records that are asked for at once where there is one: as many as there are at most since the last checkpoint."""

_HISTORY: Final = f"{TRANSACTIONS}/history/"
ANNOUNCED: Final = f"{TRANSACTIONS}/replacing"
_TRIES: Final = 3
_MOST_LOST: Final = 1_000_000  # a name with a higher number is no trace of a version


def _record(number: int) -> str:
    return f"{_LOG}{number:020d}.json"


def _mark(number: int) -> str:
    return f"{_LOG}{number:020d}.ok"


def lease_of(number: int, holder: int) -> str:
    """Return the key at which a holder of the lease on a version is seen alive: between its record and its mark."""
    return f"{_LOG}{number:020d}.lease-{holder:04d}"


async def seen(store: KeyStore, number: int) -> dict[str, object]:
    """Return what is seen of one version: its record, the leases on it and its mark, by key, with what changes with each."""
    prefix = f"{_LOG}{number:020d}"
    entries: dict[str, object] = {}
    async for entry in store.list(_LOG, after=prefix):
        if not entry.key.startswith(prefix):
            break
        entries[entry.key] = entry.etag or entry.modified
    return entries


def is_unpublished(number: int, entries: Mapping[str, object]) -> bool:
    """Return whether a version is committed and not published, by what is seen of it."""
    return _record(number) in entries and _mark(number) not in entries


def first(transaction: str) -> dict[str, bytes]:
    """Return the objects of version 0: a collection that was created, and is empty."""
    version = Version(transaction=transaction, base=0, operation="create", written=Partitions().to_json())
    return {_record(0): version.dump(), _mark(0): b""}


async def is_newest(store: KeyStore, number: int) -> bool:
    """Return whether a version is the newest one; see `being_newest`."""
    return await perform_one(store, being_newest(store, number))


def being_newest(store: KeyStore, number: int) -> Work[bool]:
    """Return whether a version is the newest one.

    Raises
    ------
    CorruptionError
        The record of the next one is lost, and its mark is there, or there is no record at all.
    """
    keys = [_record(number), _record(number + 1), _mark(number + 1)]
    itself, following, mark = yield from _are_there(store, number, keys)
    if mark and not following:
        yield from _checking_not_lost(store, number + 1)
        return False
    if not itself:
        yield from checking_there(store)
    return itself and not following


def _are_there(store: KeyStore, number: int, keys: Sequence[str]) -> Work[list[bool]]:
    """Return which of some keys, of a version and what comes after it, exist."""
    if store.blocking is None:
        there = yield from _from(number)
        return [key in there for key in keys]
    answers = yield from fetch([Read(key) for key in keys])
    return [data is not None for data in answers]


def _checking_not_lost(store: KeyStore, number: int) -> Work[None]:
    """Raise `CorruptionError` where a record is not there, though its mark is."""
    record, mark = yield from fetch([Read(_record(number)), Read(_mark(number))])
    if record is not None or mark is None:
        return
    # The record is older than its mark: asked for once more, it must be there.
    (record,) = yield from fetch([Read(_record(number))])
    if record is None:
        message = f"the record of version {number} of {store.url} is lost, and its mark is there; call repair()"
        raise CorruptionError(message)


async def after(store: KeyStore, number: int) -> list[Version]:
    """Return the versions that were committed after one, in order; see `following`."""
    return await perform_one(store, following(store, number))


def following(store: KeyStore, number: int, tag: str | None = None) -> Work[list[Version]]:
    """Return the versions that were committed after one, in order.

    Where each request takes a while they are listed, and only those that exist are asked for.

    Parameters
    ----------
    store
        Where.
    number
        The version.
    tag
        What a listing said of its record, where it must be the same.

    Raises
    ------
    ConflictError
        The record of that version is another one, or was folded into the history: it is too old to be built upon.
    """
    if store.blocking is None:
        return (yield from _listed_following(store, number, tag))
    found: list[Version] = []
    known, size = number, 1
    while True:
        batch = range(known, known + size + 1)
        itself, *answers = yield from fetch([Read(_record(wanted)) for wanted in batch])
        if itself is None:
            raise _folded(store, number)
        for wanted, data in zip(batch[1:], answers, strict=True):
            if data is None:
                return (yield from _marked(found))
            found.append(Version.load(wanted, data))
        known, size = found[-1].number, _BATCH


def _listed_following(store: KeyStore, number: int, tag: str | None) -> Work[list[Version]]:
    keys = yield from _from(number)
    if _record(number) not in keys or tag not in {None, keys[_record(number)]}:
        raise _folded(store, number)
    wanted = list(takewhile(lambda following: _record(following) in keys, count(number + 1)))
    answers = yield from fetch([Read(_record(following)) for following in wanted])
    if None in answers:
        raise _folded(store, number)
    versions = [
        Version.load(following, data) for following, data in zip(wanted, answers, strict=True) if data is not None
    ]
    return [
        evolve(version, published=_mark(version.number) in keys, tag=keys[_record(version.number)])
        for version in versions
    ]


def _from(number: int) -> Work[dict[str, str | None]]:
    """Return the keys of what the log holds of a version and of all after it, each with its tag."""
    entries = yield from enumerated(_LOG, after=f"{_LOG}{number:020d}")
    return {entry.key: entry.etag for entry in entries}


def _folded(store: KeyStore, number: int) -> ConflictError:
    message = (
        f"version {number} of {store.url} was folded into the history meanwhile; nothing was written, run the "
        f"operation again"
    )
    return ConflictError(message)


async def listed(store: KeyStore) -> tuple[int, list[Version]]:
    """Return the number of the newest version, 0 for none, and all that are not published, found by listing the log."""
    keys = {entry.key async for entry in store.list(_LOG)}
    numbers = _numbers(keys, ".json")
    # Whoever commits has published all that was committed before.
    pending = [number for number in numbers[-1:] if _mark(number) not in keys]
    answers = await store.get([Read(_record(number)) for number in pending])
    versions = [Version.load(number, data) for number, data in zip(pending, answers, strict=True) if data is not None]
    return (numbers[-1] if numbers else 0), versions


def checking_there(store: KeyStore) -> Work[None]:
    """Raise `CorruptionError` where there is no record at all: the newest one is never removed."""
    entries = yield from enumerated(_LOG)
    if _numbers([entry.key for entry in entries], ".json"):
        return
    message = (
        f"the log of {store.url} is lost; call repair(), which begins another one with the partitions that are there"
    )
    raise CorruptionError(message)


async def every(store: KeyStore) -> list[Version]:
    """Return all versions that there were, in order: those of the history, and those of the log.

    Raises
    ------
    CorruptionError
        A record is lost, or cannot be understood.
    """
    for _ in range(_TRIES):
        versions, newest = await _every(store)
        lost = next(number for number in count() if number not in versions)
        if lost > newest:
            return [versions[number] for number in sorted(versions)]
        # Another process may have moved records to the history meanwhile.
    message = f"the record of version {lost} of {store.url} is lost; call repair()"
    raise CorruptionError(message)


async def _every(store: KeyStore) -> tuple[dict[int, Version], int]:
    """Return the versions of which there is a record, and the newest of which there is any trace."""
    folded = [
        version for key, data in (await _contents(store, _HISTORY)).items() for version in _parse_history(key, data)
    ]
    records = await _contents(store, _LOG)
    there = [Version.load(number, records[_record(number)]) for number in _numbers(records, ".json")]
    versions = {version.number: version for version in (*folded, *there)}
    return versions, max([*versions, *_numbers(records, ".ok")], default=-1)


async def fold(store: KeyStore, versions: Sequence[Version]) -> None:
    """Move the oldest versions from the log to the history; done again it changes nothing."""
    if not versions:
        return
    records = {str(version.number): documents.CONVERTER.unstructure(version) for version in versions}
    key = f"{_HISTORY}{versions[0].number:020d}-{versions[-1].number:020d}.json"
    await store.put({key: documents.dump(_History(versions=records), kind="history")})
    # A record without its mark would look unpublished, a mark without its record is nothing.
    await store.delete(_record(version.number) for version in versions)
    await store.delete(_mark(version.number) for version in versions)


@frozen(kw_only=True)
class _History:
    versions: dict[str, Any]


def _parse_history(key: str, data: bytes) -> list[Version]:
    what = f"the history {key}"
    body = documents.load(data, _History, kind="history", what=what)
    versions = [documents.structure(value, Version, what=what) for value in body.versions.values()]
    first, _, last = key.removeprefix(_HISTORY).removesuffix(".json").partition("-")
    numbers = [version.number for version in versions]
    if [f"{number:020d}" for number in (*numbers[:1], *numbers[-1:])] != [first, last]:
        message = f"{what} is that of versions {numbers}; call repair()"
        raise CorruptionError(message)
    return versions


async def lost(store: KeyStore, *, at_least: int) -> list[int]:
    """Return the versions, up to the newest of which there is any trace, whose records are lost or damaged."""
    known: set[int] = set()
    for key, data in (await _contents(store, _HISTORY)).items():
        with suppress(CorruptionError):
            known |= {version.number for version in _parse_history(key, data) if _is_whole(version)}
    records = await _contents(store, _LOG)
    for number in _numbers(records, ".json"):
        with suppress(CorruptionError):
            known |= {number} if _is_whole(Version.load(number, records[_record(number)])) else set()
    newest = max([*known, *_numbers(records, ".json"), *_numbers(records, ".ok"), at_least])
    if newest > len(known) + _MOST_LOST:
        message = (
            f"the log of {store.url} names version {newest}, and has records of {len(known)} versions; zcollection did not "
            f"give that name: remove what has it from {_LOG}, and repair again"
        )
        raise CorruptionError(message)
    return sorted(set(range(newest + 1)) - known)


async def _contents(store: KeyStore, prefix: str) -> dict[str, bytes]:
    keys = sorted([entry.key async for entry in store.list(prefix)])
    contents = zip(keys, await store.get([Read(key) for key in keys]), strict=True)
    return {key: data for key, data in contents if data is not None}


def _numbers(keys: Iterable[str], suffix: str) -> list[int]:
    """Return the versions that have a record or a mark, in order; foreign names are passed over."""
    names = [key.removeprefix(_LOG).removesuffix(suffix) for key in keys if key.endswith(suffix)]
    return sorted(int(name) for name in names if re.fullmatch(r"[0-9]{20}", name))


def _is_whole(version: Version) -> bool:
    return dict(version.partitions) is not None


async def replace(store: KeyStore, numbers: Sequence[int], partitions: Partitions) -> None:
    """Put records in the place of lost ones, as published; the last of them names all partitions as written."""
    for key, data in (await _contents(store, _HISTORY)).items():
        try:
            _parse_history(key, data)
        except CorruptionError:
            await store.delete([key])
    for number in numbers:
        written = partitions if number == numbers[-1] else Partitions()
        version = Version(
            transaction=uuid.uuid4().hex,
            base=max(number - 1, 0),
            operation="lost",
            written=written.to_json(),
            number=number,
        )
        await store.put({_mark(number): b"", _record(number): version.dump()})


async def times(store: KeyStore) -> dict[int, float]:
    """Return when each record of the log was written, by the store's clock."""
    modified = {entry.key: entry.modified async for entry in store.list(_LOG)}
    return {number: modified[_record(number)] or 0.0 for number in _numbers(modified, ".json")}


async def announce(store: KeyStore) -> None:
    """Say that a configuration may be committed and not in its place yet: whoever opens the collection looks at the log."""
    await store.put({ANNOUNCED: b""})


async def append(store: KeyStore, version: Version) -> bool:
    """Commit a version unless another one has its number, and return whether it was committed.

    Raises
    ------
    CommitStateUnknownError
        Nobody can tell whether it was.
    """
    key, data = _record(version.number), version.dump()
    await perform_one(store, _checking_not_lost(store, version.number))
    for _ in range(_TRIES):
        failure: StoreError | None = None
        try:
            if await store.create(key, data) == "created":
                return True
        except StoreError as error:
            failure = error
        # Never believed: after a lost answer, "exists" may mean our own record.
        there = await _read_back(store, version, failure)
        if there is not None:
            return Version.load(version.number, there).transaction == version.transaction
        if failure is not None:
            raise failure
    raise _unknown(store, version)


async def _read_back(store: KeyStore, version: Version, failure: StoreError | None) -> bytes | None:
    try:
        return (await store.get([Read(_record(version.number))]))[0]
    except StoreError as error:
        raise _unknown(store, version) from failure or error


def _unknown(store: KeyStore, version: Version) -> CommitStateUnknownError:
    message = (
        f"the answer to the commit of version {version.number} of {store.url} was lost (transaction {version.transaction}); "
        f"nothing staged was removed: look for the transaction in history() once the store answers, and run the operation "
        f"again if it is not there"
    )
    return CommitStateUnknownError(message)


async def mark_published(store: KeyStore, version: Version) -> None:
    """Say that all that a version staged lies in its place."""
    await store.put({_mark(version.number): b""})


async def unpublished(store: KeyStore, versions: Sequence[Version]) -> list[Version]:
    """Return those of some versions that are not marked as published by now."""
    return [version for version in await perform_one(store, _marked(versions)) if not version.published]


def _marked(versions: Sequence[Version]) -> Work[list[Version]]:
    """Return versions in order, each with whether it is published: whoever commits has published all before."""
    if not versions:
        return []
    (mark,) = yield from fetch([Read(_mark(versions[-1].number))])
    before = [evolve(version, published=True) for version in versions[:-1]]
    return [*before, evolve(versions[-1], published=mark is not None)]
