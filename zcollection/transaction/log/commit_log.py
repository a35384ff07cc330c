"""The log of versions: one immutable record for each change, whose creation is the moment at which it happened.

Record n lies at ``_transactions/log/<n>.json``; an empty object ``<n>.ok`` beside it says that what it staged lies in its
place. Records are numbered without gaps, so that whoever knows version n finds out by one read whether there is a newer
one. `vacuum` folds old records into ``_transactions/history/``, and never the newest: whoever knows a version whose own record
is gone knows that it has missed something.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, takewhile
from typing import Final

from attrs import evolve

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.work import Work, enumerated, fetch, perform_one
from zcollection.errors import CommitStateUnknownError, ConflictError, CorruptionError, StoreError
from zcollection.transaction.documents import TRANSACTIONS
from zcollection.transaction.version import RecordId, Version

LOG: Final = f"{TRANSACTIONS}/log/"
_BATCH: Final = 16
"""Records that are asked for at once where there is one: as many as there are at most since the last checkpoint."""

ANNOUNCED: Final = f"{TRANSACTIONS}/replacing"
_TRIES: Final = 3
_ABSENT: Final = ""


def record_key(number: int) -> str:
    """Return the key of a version's record."""
    return f"{LOG}{number:020d}.json"


def mark_key(number: int) -> str:
    """Return the key of the mark that says that a version is published."""
    return f"{LOG}{number:020d}.ok"


def lease_of(number: int, holder: int) -> str:
    """Return the key at which a holder of the lease on a version is seen alive: between its record and its mark."""
    return f"{LOG}{number:020d}.lease-{holder:04d}"


async def seen(store: KeyStore, number: int) -> dict[str, object]:
    """Return what is seen of one version: its record, the leases on it and its mark, by key, with what changes with each."""
    prefix = f"{LOG}{number:020d}"
    entries: dict[str, object] = {}
    async for entry in store.list(LOG, after=prefix):
        if not entry.key.startswith(prefix):
            break
        entries[entry.key] = entry.etag or entry.modified
    return entries


def is_unpublished(number: int, entries: Mapping[str, object]) -> bool:
    """Return whether a version is committed and not published, by what is seen of it."""
    return record_key(number) in entries and mark_key(number) not in entries


async def is_newest(store: KeyStore, known: RecordId) -> bool:
    """Return whether a version is the newest one; see `being_newest`."""
    return await perform_one(store, being_newest(store, known))


def being_newest(store: KeyStore, known: RecordId) -> Work[bool]:
    """Return whether a version is the newest one, and its record the one that is known.

    Raises
    ------
    CorruptionError
        The record of the next one is lost, and its mark is there, or there is no record at all.
    """
    itself, following, mark = yield from _around(store, known)
    if mark and not following:
        yield from _checking_not_lost(store, known.number + 1)
        return False
    if not itself:
        yield from checking_there(store)
    return itself and not following


def _around(store: KeyStore, known: RecordId) -> Work[tuple[bool, bool, bool]]:
    """Return whether the record that is known is there, and the record and the mark of the next version."""
    number = known.number
    keys = [record_key(number), record_key(number + 1), mark_key(number + 1)]
    if _is_listed(store):
        there = yield from _from(number)
        return known.tag in {None, there.get(keys[0], _ABSENT)} and keys[0] in there, keys[1] in there, keys[2] in there
    itself, *after = yield from fetch([Read(key) for key in keys])
    return itself is not None and known.is_of(itself), after[0] is not None, after[1] is not None


def _checking_not_lost(store: KeyStore, number: int) -> Work[None]:
    """Raise `CorruptionError` where a record is not there, though its mark is."""
    record, mark = yield from fetch([Read(record_key(number)), Read(mark_key(number))])
    if record is not None or mark is None:
        return
    # The record is older than its mark: asked for once more, it must be there.
    (record,) = yield from fetch([Read(record_key(number))])
    if record is None:
        message = f"the record of version {number} of {store.url} is lost, and its mark is there; call repair()"
        raise CorruptionError(message)


def following(store: KeyStore, known: RecordId) -> Work[list[Version]]:
    """Return the versions that were committed after one, in order.

    Where each request takes a while they are listed, if they can be, and only those that exist are asked for.

    Parameters
    ----------
    store
        Where.
    known
        The record of that version.

    Raises
    ------
    ConflictError
        The log has another record of that version, as where a backup was restored, or has it no more, since it was folded
        into the history: what was read then is not to be built upon.
    """
    if _is_listed(store):
        return (yield from _listed_following(store, known))
    found: list[Version] = []
    last, size = known, 1
    while True:
        batch = range(last.number, last.number + size + 1)
        itself, *answers = yield from fetch([Read(record_key(wanted)) for wanted in batch])
        if itself is None or not last.is_of(itself):
            raise _outdated(store, known)
        for wanted, data in zip(batch[1:], answers, strict=True):
            if data is None:
                return (yield from _marked(found))
            found.append(Version.load(wanted, data))
        last, size = found[-1].id, _BATCH


def starting(store: KeyStore, number: int) -> Work[list[Version]]:
    """Return the versions from one on whose records are in the log, in order; none where that one's is not."""
    del store  # it performs the work
    found: list[Version] = []
    while True:
        batch = range(number + len(found), number + len(found) + _BATCH)
        for wanted, data in zip(batch, (yield from fetch([Read(record_key(wanted)) for wanted in batch])), strict=True):
            if data is None:
                return (yield from _marked(found))
            found.append(Version.load(wanted, data))


def _is_listed(store: KeyStore) -> bool:
    return store.blocking is None and store.has_listing


def _listed_following(store: KeyStore, known: RecordId) -> Work[list[Version]]:
    keys = yield from _from(known.number)
    yield from _checking_same(store, known, keys)
    wanted = list(takewhile(lambda following: record_key(following) in keys, count(known.number + 1)))
    after = known.number + len(wanted) + 1
    if mark_key(after) in keys:
        yield from _checking_not_lost(store, after)
    answers = yield from fetch([Read(record_key(following)) for following in wanted])
    if None in answers:
        raise _outdated(store, known)
    versions = [
        Version.load(following, data) for following, data in zip(wanted, answers, strict=True) if data is not None
    ]
    doubtful = _doubtful(versions)
    return [
        evolve(
            version,
            published=version.number not in doubtful or mark_key(version.number) in keys,
            tag=keys[record_key(version.number)],
        )
        for version in versions
    ]


def _checking_same(store: KeyStore, known: RecordId, keys: Mapping[str, str | None]) -> Work[None]:
    """Raise `ConflictError` unless the log has a record; it is read only where its tag does not tell."""
    key = record_key(known.number)
    if key in keys and known.tag is not None and known.tag == keys[key]:
        return
    if key not in keys or (known.transaction is None and known.tag is not None):
        raise _outdated(store, known)
    if known.transaction is not None:
        (record,) = yield from fetch([Read(key)])
        if record is None or not known.is_of(record):
            raise _outdated(store, known)


def _from(number: int) -> Work[dict[str, str | None]]:
    """Return the keys of what the log holds of a version and of all after it, each with its tag."""
    entries = yield from enumerated(LOG, after=f"{LOG}{number:020d}")
    return {entry.key: entry.etag for entry in entries}


def _outdated(store: KeyStore, known: RecordId) -> ConflictError:
    message = (
        f"version {known.number} of {store.url} was folded into the history meanwhile, or a copy of the log was restored that "
        f"has another one; nothing was written, run the operation again"
    )
    return ConflictError(message)


async def listed(store: KeyStore) -> tuple[RecordId, list[Version]]:
    """Return the record of the newest version, and all from the first on that is not published, found by listing the log."""
    keys = {entry.key: entry.etag async for entry in store.list(LOG)}
    numbers = numbers_of(keys, ".json")
    if not numbers:
        return RecordId(), []
    try:
        (newest,) = await _loaded(store, numbers[-1:], keys)
    except CorruptionError:
        if mark_key(numbers[-1]) not in keys:
            raise
        return RecordId(numbers[-1]), []  # what it says of others cannot be known; verify() tells of it
    pending = [number for number in (*newest.pending, newest.number) if mark_key(number) not in keys]
    if not pending:
        return newest.id, []
    versions = await _loaded(store, range(min(pending), newest.number + 1), keys)
    return newest.id, [evolve(version, published=version.number not in pending) for version in versions]


async def _loaded(store: KeyStore, numbers: Iterable[int], keys: Mapping[str, str | None]) -> list[Version]:
    """Return versions whose records were listed."""
    wanted = list(numbers)
    answers = await store.get([Read(record_key(number)) for number in wanted])
    for number, data in zip(wanted, answers, strict=True):
        if data is None:
            raise _outdated(store, RecordId(number))
    return [
        evolve(Version.load(number, data or b""), tag=keys.get(record_key(number)))
        for number, data in zip(wanted, answers, strict=True)
    ]


def checking_there(store: KeyStore) -> Work[None]:
    """Raise `CorruptionError` where it is seen that there is no record at all: the newest one is never removed."""
    if not store.has_listing:
        return
    entries = yield from enumerated(LOG)
    if numbers_of([entry.key for entry in entries], ".json"):
        return
    message = (
        f"the log of {store.url} is lost; call repair(), which begins another one with the partitions that are there"
    )
    raise CorruptionError(message)


async def contents(store: KeyStore, prefix: str) -> dict[str, bytes]:
    """Return what lies directly below a prefix, by key."""
    keys = sorted([entry.key async for entry in store.list(prefix)])
    contents = zip(keys, await store.get([Read(key) for key in keys]), strict=True)
    return {key: data for key, data in contents if data is not None}


def numbers_of(keys: Iterable[str], suffix: str) -> list[int]:
    """Return the versions that have a record or a mark, in order; foreign names are passed over."""
    names = [key.removeprefix(LOG).removesuffix(suffix) for key in keys if key.endswith(suffix)]
    return sorted(int(name) for name in names if re.fullmatch(r"[0-9]{20}", name))


async def times(store: KeyStore) -> dict[int, float]:
    """Return when each record of the log was written, by the store's clock."""
    modified = {entry.key: entry.modified async for entry in store.list(LOG)}
    return {number: modified[record_key(number)] or 0.0 for number in numbers_of(modified, ".json")}


async def announce(store: KeyStore) -> None:
    """Say that a configuration may be committed and not in its place yet: whoever opens the collection looks at the log."""
    await store.put({ANNOUNCED: b""})


async def append(store: KeyStore, version: Version) -> bool:
    """Commit a version unless another one has its number, and return whether it was committed.

    Parameters
    ----------
    store
        Where.
    version
        The one after the newest, which `following` has just found.

    Raises
    ------
    CommitStateUnknownError
        Nobody can tell whether it was.
    """
    key, data = record_key(version.number), version.dump()
    if not _is_listed(store):  # else the listing has shown it
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
        return (await store.get([Read(record_key(version.number))]))[0]
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
    await store.put({mark_key(version.number): b""})


async def unpublished(store: KeyStore, versions: Iterable[Version]) -> list[Version]:
    """Return those of some versions that are not marked as published, neither before nor by now."""
    doubtful = [version for version in versions if not version.published]
    if not doubtful:
        return []
    marks = await store.get([Read(mark_key(version.number)) for version in doubtful])
    return [version for version, mark in zip(doubtful, marks, strict=True) if mark is None]


def _marked(versions: Sequence[Version]) -> Work[list[Version]]:
    """Return versions in order, each with whether it is published."""
    doubtful = sorted(_doubtful(versions))
    marks = yield from fetch([Read(mark_key(number)) for number in doubtful])
    unmarked = {number for number, mark in zip(doubtful, marks, strict=True) if mark is None}
    return [evolve(version, published=version.number not in unmarked) for version in versions]


def _doubtful(versions: Sequence[Version]) -> set[int]:
    """Return which versions may be unpublished: the newest, and those that were when it was committed."""
    return {versions[-1].number, *versions[-1].pending} if versions else set()
