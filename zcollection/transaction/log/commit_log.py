"""The commit log: one immutable record for each version; the creation of the record commits the version.

Record n is stored under ``_transactions/log/<n>.json``. An empty object ``<n>.ok`` beside it, the mark, states that the
version is published. Records are numbered without gaps, so that a reader that knows version n finds out by one read whether
a newer one exists. `vacuum` and commits fold old records into ``_transactions/history/``, but never the newest: a reader
whose own version has no record in the log knows that it has missed later versions.
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
"""Number of records that are requested at once after the first new one: the most that follow a checkpoint."""

ANNOUNCED: Final = f"{TRANSACTIONS}/replacing"
_TRIES: Final = 3
_ABSENT: Final = ""


def record_key(number: int) -> str:
    """Return the key of a version's record."""
    return f"{LOG}{number:020d}.json"


def mark_key(number: int) -> str:
    """Return the key of the mark of a published version."""
    return f"{LOG}{number:020d}.ok"


def lease_of(number: int, holder: int) -> str:
    """Return the key of the heartbeats of a holder of the lease on a version; it sorts between record and mark."""
    return f"{LOG}{number:020d}.lease-{holder:04d}"


async def objects_of(store: KeyStore, number: int) -> dict[str, object]:
    """Return the objects of one version (record, leases and mark) by key, each with a value that changes when it is written."""
    prefix = f"{LOG}{number:020d}"
    entries: dict[str, object] = {}
    async for entry in store.list(LOG, after=prefix):
        if not entry.key.startswith(prefix):
            break
        entries[entry.key] = entry.etag or entry.modified
    return entries


def is_unpublished(number: int, entries: Mapping[str, object]) -> bool:
    """Return whether a version is committed and not published, given the objects that `objects_of` returned."""
    return record_key(number) in entries and mark_key(number) not in entries


async def is_newest(store: KeyStore, known: RecordId) -> bool:
    """Return whether a version is the newest one; see `being_newest`."""
    return await perform_one(store, being_newest(store, known))


def being_newest(store: KeyStore, known: RecordId) -> Work[bool]:
    """Return whether a version is the newest one, and the log contains its record.

    Raises
    ------
    CorruptionError
        The record of the next version is lost while its mark exists, or the log contains no record at all.
    """
    itself, following, mark = yield from _around(store, known)
    if mark and not following:
        yield from _checking_not_lost(store, known.number + 1)
        return False
    if not itself:
        yield from checking_not_empty(store)
    return itself and not following


def _around(store: KeyStore, known: RecordId) -> Work[tuple[bool, bool, bool]]:
    """Return whether the log contains the known record, and the record and the mark of the next version."""
    number = known.number
    keys = [record_key(number), record_key(number + 1), mark_key(number + 1)]
    if _is_listed(store):
        tags = yield from _from(number)
        return known.tag in {None, tags.get(keys[0], _ABSENT)} and keys[0] in tags, keys[1] in tags, keys[2] in tags
    itself, *after = yield from fetch([Read(key) for key in keys])
    return itself is not None and known.is_of(itself), after[0] is not None, after[1] is not None


def _checking_not_lost(store: KeyStore, number: int) -> Work[None]:
    """Raise `CorruptionError` if a record is missing although its mark exists."""
    record, mark = yield from fetch([Read(record_key(number)), Read(mark_key(number))])
    if record is not None or mark is None:
        return
    # The record is older than its mark: a second read must find it.
    (record,) = yield from fetch([Read(record_key(number))])
    if record is None:
        message = f"the record of version {number} of {store.url} is lost, but its mark exists; call repair()"
        raise CorruptionError(message)


def following(store: KeyStore, known: RecordId) -> Work[list[Version]]:
    """Return the versions committed after a known one, in order.

    On a store with slow requests the log is listed, if possible, and only existing records are requested.

    Parameters
    ----------
    store
        The store of the collection.
    known
        Identity of the record of the known version.

    Raises
    ------
    ConflictError
        The log contains another record of that version, as after the restoration of a backup, or no longer contains it,
        because it was folded into the history. Data read at that version cannot be used for a change.
    """
    if _is_listed(store):
        return (yield from _listed_following(store, known))
    found: list[Version] = []
    last, size = known, 1
    while True:
        batch = range(last.number, last.number + size + 1)
        itself, *answers = yield from fetch([Read(record_key(number)) for number in batch])
        if itself is None or not last.is_of(itself):
            raise _outdated(store, known)
        for number, data in zip(batch[1:], answers, strict=True):
            if data is None:
                return (yield from _marked(found))
            found.append(Version.load(number, data))
        last, size = found[-1].id, _BATCH


def starting(number: int) -> Work[list[Version]]:
    """Return the versions from `number` on, in order, up to the first whose record is not in the log."""
    found: list[Version] = []
    while True:
        batch = range(number + len(found), number + len(found) + _BATCH)
        records = yield from fetch([Read(record_key(at)) for at in batch])
        for at, data in zip(batch, records, strict=True):
            if data is None:
                return (yield from _marked(found))
            found.append(Version.load(at, data))


def _is_listed(store: KeyStore) -> bool:
    return store.blocking is None and store.has_listing


def _listed_following(store: KeyStore, known: RecordId) -> Work[list[Version]]:
    keys = yield from _from(known.number)
    yield from _checking_same(store, known, keys)
    numbers = list(takewhile(lambda number: record_key(number) in keys, count(known.number + 1)))
    after = known.number + len(numbers) + 1
    if mark_key(after) in keys:
        yield from _checking_not_lost(store, after)
    answers = yield from fetch([Read(record_key(number)) for number in numbers])
    if None in answers:
        raise _outdated(store, known)
    versions = [Version.load(number, data) for number, data in zip(numbers, answers, strict=True) if data is not None]
    possibly_unpublished = _possibly_unpublished(versions)
    return [
        evolve(
            version,
            published=version.number not in possibly_unpublished or mark_key(version.number) in keys,
            tag=keys[record_key(version.number)],
        )
        for version in versions
    ]


def _checking_same(store: KeyStore, known: RecordId, keys: Mapping[str, str | None]) -> Work[None]:
    """Raise `ConflictError` unless the log contains a record; it is read only if its entity tag does not decide."""
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
    """Return the entity tag of each object in the log of a version and of all later ones, by key."""
    entries = yield from enumerated(LOG, after=f"{LOG}{number:020d}")
    return {entry.key: entry.etag for entry in entries}


def _outdated(store: KeyStore, known: RecordId) -> ConflictError:
    message = (
        f"version {known.number} of {store.url} was folded into the history meanwhile, or the log was replaced by a copy with "
        f"another version of this number; nothing was written, run the operation again"
    )
    return ConflictError(message)


async def listed(store: KeyStore) -> tuple[RecordId, list[Version]]:
    """List the log; return the identity of the newest record, and all versions from the first unpublished one on."""
    keys = {entry.key: entry.etag async for entry in store.list(LOG)}
    numbers = numbers_of(keys, ".json")
    if not numbers:
        return RecordId(), []
    try:
        (newest,) = await _loaded(store, numbers[-1:], keys)
    except CorruptionError:
        if mark_key(numbers[-1]) not in keys:
            raise
        return RecordId(numbers[-1]), []  # its list of pending versions is lost; verify() reports it
    pending = [number for number in (*newest.pending, newest.number) if mark_key(number) not in keys]
    if not pending:
        return newest.id, []
    versions = await _loaded(store, range(min(pending), newest.number + 1), keys)
    return newest.id, [evolve(version, published=version.number not in pending) for version in versions]


async def _loaded(store: KeyStore, numbers: Iterable[int], keys: Mapping[str, str | None]) -> list[Version]:
    """Return versions whose records were listed."""
    requested = list(numbers)
    answers = await store.get([Read(record_key(number)) for number in requested])
    for number, data in zip(requested, answers, strict=True):
        if data is None:
            raise _outdated(store, RecordId(number))
    return [
        evolve(Version.load(number, data or b""), tag=keys.get(record_key(number)))
        for number, data in zip(requested, answers, strict=True)
    ]


def checking_not_empty(store: KeyStore) -> Work[None]:
    """Raise `CorruptionError` if a listing shows no record at all: the newest record is never removed."""
    if not store.has_listing:
        return
    entries = yield from enumerated(LOG)
    if numbers_of([entry.key for entry in entries], ".json"):
        return
    message = f"the log of {store.url} is lost; call repair(), which starts a new log with the existing partitions"
    raise CorruptionError(message)


async def contents(store: KeyStore, prefix: str) -> dict[str, bytes]:
    """Return the content of the objects directly under a prefix, by key."""
    keys = sorted([entry.key async for entry in store.list(prefix)])
    contents = zip(keys, await store.get([Read(key) for key in keys]), strict=True)
    return {key: data for key, data in contents if data is not None}


def numbers_of(keys: Iterable[str], suffix: str) -> list[int]:
    """Return the versions that have a record or a mark, in order; foreign names are ignored."""
    names = [key.removeprefix(LOG).removesuffix(suffix) for key in keys if key.endswith(suffix)]
    return sorted(int(name) for name in names if re.fullmatch(r"[0-9]{20}", name))


async def times(store: KeyStore) -> dict[int, float]:
    """Return when each record of the log was written, by the store's clock."""
    modified = {entry.key: entry.modified async for entry in store.list(LOG)}
    return {number: modified[record_key(number)] or 0.0 for number in numbers_of(modified, ".json")}


async def newest_from(store: KeyStore, number: int) -> int:
    """Return the newest version in the log, which contains the record of version `number`."""
    return numbers_of(await perform_one(store, _from(number)), ".json")[-1]


async def announce(store: KeyStore) -> None:
    """Announce that a configuration may be committed and unpublished, so that readers that open the collection read the log."""
    await store.put({ANNOUNCED: b""})


async def append(store: KeyStore, version: Version) -> bool:
    """Commit a version unless its number is in use, and return whether it was committed.

    Parameters
    ----------
    store
        The store of the collection.
    version
        The version to commit; its number follows the newest version, which the caller has just read by `following`.

    Raises
    ------
    CommitStateUnknownError
        It is not known whether the version was committed.
    """
    key, data = record_key(version.number), version.dump()
    if not _is_listed(store):  # otherwise the listing of `following` has shown it
        await perform_one(store, _checking_not_lost(store, version.number))
    for _ in range(_TRIES):
        failure: StoreError | None = None
        try:
            if await store.create(key, data) == "created":
                return True
        except StoreError as error:
            failure = error
        # "exists" is always verified: after a lost answer, the existing record may be the one just created here.
        stored = await _read_back(store, version, failure)
        if stored is not None:
            return Version.load(version.number, stored).transaction == version.transaction
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
        f"again if it is missing"
    )
    return CommitStateUnknownError(message)


async def mark_published(store: KeyStore, version: Version) -> None:
    """Write the mark of a published version."""
    await store.put({mark_key(version.number): b""})


async def unpublished(store: KeyStore, versions: Iterable[Version]) -> list[Version]:
    """Return the versions that are not marked as published, after reading the marks of those that were not before."""
    possibly_unpublished = [version for version in versions if not version.published]
    if not possibly_unpublished:
        return []
    marks = await store.get([Read(mark_key(version.number)) for version in possibly_unpublished])
    return [version for version, mark in zip(possibly_unpublished, marks, strict=True) if mark is None]


def _marked(versions: Sequence[Version]) -> Work[list[Version]]:
    """Return versions in order, each with its attribute `published` read from the marks."""
    possibly_unpublished = sorted(_possibly_unpublished(versions))
    marks = yield from fetch([Read(mark_key(number)) for number in possibly_unpublished])
    unmarked = {number for number, mark in zip(possibly_unpublished, marks, strict=True) if mark is None}
    return [evolve(version, published=version.number not in unmarked) for version in versions]


def _possibly_unpublished(versions: Sequence[Version]) -> set[int]:
    """Return the versions that may be unpublished: the newest, and those that were unpublished when it was committed."""
    return {versions[-1].number, *versions[-1].pending} if versions else set()
