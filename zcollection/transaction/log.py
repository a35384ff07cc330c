"""The log of versions: one immutable record for each change, whose creation is the moment at which it happened.

Record n lies at ``_transactions/log/<n>.json``; an empty object ``<n>.ok`` beside it says that what it staged lies in its
place. Records are numbered without gaps, so that whoever knows version n finds out by one read whether there is a newer
one. `vacuum` folds old records into ``_transactions/history/``, and never the newest: whoever knows a version whose own record
is gone knows that it has missed something.
"""

import datetime as dt
import os
import socket
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from attrs import evolve, field, frozen, validators

from zcollection.contracts.store import KeyStore, Read
from zcollection.errors import CommitStateUnknownError, ConflictError, CorruptionError, StoreError, ZCollectionError
from zcollection.model import documents
from zcollection.transaction.documents import IMMUTABLE, TRANSACTIONS, PartitionRecord, validate_path
from zcollection.transaction.partitions import Partitions

_LOG: Final = f"{TRANSACTIONS}/log/"
_BATCH: Final = 16
"""Records that are asked for at once: as many as there are at most since the last checkpoint."""

_HISTORY: Final = f"{TRANSACTIONS}/history/"
ANNOUNCED: Final = f"{TRANSACTIONS}/replacing"
_TRIES: Final = 3
_IS_ID: Final = validators.matches_re(r"[0-9a-f]{32}")


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def _source() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_path(_instance: object, _attribute: object, path: str) -> None:
    validate_path(path)


@frozen(kw_only=True)
class Version:
    """A change that was committed, or is about to be: ``_transactions/log/<n>.json``.

    Attributes
    ----------
    transaction
        Id of the transaction, which is the stamp of every partition that it wrote.
    base
        The version that the change was made from.
    operation
        What was done, such as "insert".
    time, source
        When and where it was committed, by the writer's own clock and name: for people.
    written
        The partitions written, as columns in JSON; see `partitions`.
    dropped
        Paths of the partitions taken away.
    immutable
        The variables that do not span the axis, where they were written.
    configuration
        The new configuration, where it takes the place of the whole collection.
    removed
        Transactions whose stages a vacuum removed: none of them can be committed any more.
    number
        Which version it is; 0 before it is committed.
    published
        Whether all that it staged lies in its place.
    """

    transaction: str = field(validator=_IS_ID)
    base: int = field(validator=validators.ge(0))
    operation: str
    time: str = field(factory=_now)
    source: str = field(factory=_source)
    written: dict[str, Any]
    dropped: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(_is_path))
    immutable: PartitionRecord | None = None
    configuration: str | None = None
    removed: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(_IS_ID))
    number: int = 0
    published: bool = False

    @cached_property
    def partitions(self) -> Partitions:
        """What each partition written says of itself, by path."""
        try:
            return Partitions.from_json(self.written)
        except (ZCollectionError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            message = f"the record of version {self.number} cannot be understood: {error!r}; restore it from a backup"
            raise CorruptionError(message) from error

    @property
    def stage(self) -> str:
        """Prefix below which the transaction staged what it wrote."""
        return stage_of(self.transaction)

    @cached_property
    def touched(self) -> frozenset[str]:
        """Paths of all that it changed."""
        return frozenset([*self.partitions, *self.dropped, *([] if self.immutable is None else [IMMUTABLE])])


def stage_of(transaction: str) -> str:
    """Return the prefix below which a transaction stages what it writes."""
    return f"{TRANSACTIONS}/stage/{transaction}/"


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
    return {_record(0): documents.dump(version, kind="version"), _mark(0): b""}


async def is_newest(store: KeyStore, number: int) -> bool:
    """Return whether a version is the newest one."""
    itself, following = await store.get([Read(_record(number)), Read(_record(number + 1))])
    return itself is not None and following is None


async def after(store: KeyStore, number: int) -> list[Version]:
    """Return the versions that were committed after one, in order.

    Raises
    ------
    ConflictError
        The record of that version was folded into the history: it is too old to be built upon.
    """
    found: list[Version] = []
    known = number
    while True:
        batch = range(known, known + _BATCH + 1)
        itself, *answers = await store.get([Read(_record(wanted)) for wanted in batch])
        if itself is None:
            message = (
                f"version {number} of {store.url} was folded into the history meanwhile; nothing was written, run the "
                f"operation again"
            )
            raise ConflictError(message)
        for wanted, data in zip(batch[1:], answers, strict=True):
            if data is None:
                return await _marked(store, found)
            found.append(_parse(wanted, data))
        known = found[-1].number


async def listed(store: KeyStore) -> tuple[int, list[Version]]:
    """Return the number of the newest version, 0 for none, and all that are not published, found by listing the log."""
    keys = {entry.key async for entry in store.list(_LOG)}
    numbers = sorted(
        int(name) for name in (key.removeprefix(_LOG).removesuffix(".json") for key in keys) if name.isdigit()
    )
    pending = [number for number in numbers if _mark(number) not in keys]
    answers = await store.get([Read(_record(number)) for number in pending])
    versions = [_parse(number, data) for number, data in zip(pending, answers, strict=True) if data is not None]
    return (numbers[-1] if numbers else 0), versions


async def every(store: KeyStore) -> list[Version]:
    """Return all versions that there were, in order: those of the history, and those of the log."""
    keys = sorted([entry.key async for entry in store.list(_HISTORY)])
    contents = zip(keys, await store.get([Read(key) for key in keys]), strict=True)
    folded = [version for key, data in contents if data is not None for version in _parse_history(key, data)]
    records = sorted([entry.key async for entry in store.list(_LOG) if entry.key.endswith(".json")])
    answers = zip(records, await store.get([Read(key) for key in records]), strict=True)
    there = [
        _parse(int(key.removeprefix(_LOG).removesuffix(".json")), data) for key, data in answers if data is not None
    ]
    versions = {version.number: version for version in (*folded, *there)}
    return [versions[number] for number in sorted(versions)]


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
    body = documents.load(data, _History, kind="history", what=f"the history {key}")
    return [documents.structure(value, Version, what=f"the history {key}") for value in body.versions.values()]


async def times(store: KeyStore) -> dict[int, float]:
    """Return when each record of the log was written, by the store's clock."""
    records = {entry.key: entry.modified async for entry in store.list(_LOG) if entry.key.endswith(".json")}
    return {int(key.removeprefix(_LOG).removesuffix(".json")): modified or 0.0 for key, modified in records.items()}


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
    key, data = _record(version.number), documents.dump(version, kind="version")
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
            return _parse(version.number, there).transaction == version.transaction
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
    return [version for version in await _marked(store, versions) if not version.published]


async def _marked(store: KeyStore, versions: Sequence[Version]) -> list[Version]:
    if not versions:
        return []
    marks = await store.get([Read(_mark(version.number)) for version in versions])
    return [evolve(version, published=mark is not None) for version, mark in zip(versions, marks, strict=True)]


def _parse(number: int, data: bytes) -> Version:
    version = documents.load(data, Version, kind="version", what=f"the record of version {number}")
    return evolve(version, number=number)
