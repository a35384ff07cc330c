"""The history: all versions, from the records in the log and from the history files into which older ones were folded."""

import math
import re
import uuid
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise, takewhile
from typing import Any, Final, TypeVar

from attrs import evolve, frozen

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.work import Work, enumerated, fetch, perform_one
from zcollection.errors import ConflictError, CorruptionError, SettingError
from zcollection.model import documents
from zcollection.transaction.documents import IMMUTABLE, TRANSACTIONS, Configuration
from zcollection.transaction.index.partitions import Partitions
from zcollection.transaction.log import commit_log
from zcollection.transaction.log.commit_log import LOG, contents, mark_key, numbers_of, record_key
from zcollection.transaction.reports import Changes, Label, Total
from zcollection.transaction.version import RecordId, Version

_HISTORY: Final = f"{TRANSACTIONS}/history/"
LOST: Final = "lost"
"""The operation in the record that replaces a lost one."""

_TRIES: Final = 3
R = TypeVar("R")

_JOINED: Final = 16
_HIGHEST: Final = 3
"""`_JOINED` history files of equal level become one file, up to level `_HIGHEST`: some thousand versions."""

_NO_VERSION: Final = 10**18 - 1
_MOST_LOST: Final = 1_000_000


@frozen
class _Records:
    """The existing records of all versions.

    Attributes
    ----------
    folded
        The versions in each history file, by key; None for a damaged file.
    logged
        The versions in the log, by number; the error for a damaged record.
    newest
        The newest version that has a record or a mark in the log; where the log is lost, the version after the history.
    """

    folded: Mapping[str, tuple[Version, ...] | None]
    logged: Mapping[int, Version | CorruptionError]
    newest: int

    @classmethod
    async def read(cls, store: KeyStore, *, check_partitions: bool = False) -> "_Records":
        """Read the records; with `check_partitions`, a version whose partitions cannot be parsed counts as damaged."""
        folded = {
            key: _file_of(key, data, check_partitions=check_partitions)
            for key, data in (await contents(store, _HISTORY)).items()
        }
        records = await contents(store, LOG)
        logged = {
            number: _version_of(number, records[record_key(number)], check_partitions=check_partitions)
            for number in numbers_of(records, ".json")
        }
        last = max((item.number for items in folded.values() for item in items or ()), default=-2)
        newest = max([*logged, *numbers_of(records, ".ok")], default=last + 1)
        return cls(folded, _without_superseded(logged, last), newest)

    @property
    def versions(self) -> dict[int, Version]:
        """The existing versions, by number; the log has precedence over the history."""
        old = {item.number: item for items in self.folded.values() for item in self.own(items or ())}
        return old | {number: item for number, item in self.logged.items() if isinstance(item, Version)}

    def lost(self, *, at_least: int) -> list[int]:
        """Return the versions up to the newest known one whose records are lost or damaged.

        Raises
        ------
        CorruptionError
            The number of lost records is not plausible: an object name contains a number that is no version.
        """
        newest, known = max(self.newest, at_least), self.versions
        if newest - len(known) > _MOST_LOST:
            message = (
                f"the log names version {newest}, but contains the records of only {len(known)} versions: zcollection did not "
                f"write the object with this name; remove it"
            )
            raise CorruptionError(message)
        return sorted(set(range(newest + 1)) - known.keys())

    def foreign(self) -> list[int]:
        """Return the versions in the history that differ from the log's version of that number, or are newer than the log."""
        return sorted(item.number for items in self.folded.values() for item in items or () if self._is_foreign(item))

    def _is_foreign(self, folded: Version) -> bool:
        logged = self.logged.get(folded.number)
        is_other = isinstance(logged, Version) and logged.transaction != folded.transaction
        return is_other or folded.number > self.newest

    def own(self, items: Sequence[Version]) -> tuple[Version, ...]:
        """Return the versions of a history file that do not contradict the log."""
        return tuple(item for item in items if not self._is_foreign(item))


def _without_superseded(logged: Mapping[int, R], last: int) -> dict[int, R]:
    """Return the records of the log without those that the history, up to version `last`, has superseded: see `is_committed`.

    A gap follows them in the log.
    """
    superseded = min(_last_gap(logged), last)
    return {number: record for number, record in logged.items() if number > superseded}


def _last_gap(numbers: Iterable[int]) -> int:
    """Return the last version between those with a record in the log that has none; -1 if there is no gap."""
    return max((after - 1 for before, after in pairwise(sorted(numbers)) if after > before + 1), default=-1)


async def all_versions(store: KeyStore) -> list[Version]:
    """Return all versions, in order.

    Raises
    ------
    CorruptionError
        A record is lost or cannot be parsed, or the history belongs to another log.
    """
    for _ in range(_TRIES):
        records = await _Records.read(store)
        lost, foreign = records.lost(at_least=-1), records.foreign()
        if not lost and not foreign:
            return [item for _, item in sorted(records.versions.items())]
        # Another process may have moved records to the history meanwhile.
    if lost:
        damage = records.logged.get(lost[0], "it is missing")
        message = f"the record of version {lost[0]} of {store.url} is lost or damaged ({damage}); call repair()"
    else:
        message = f"{describe_foreign(foreign)} of {store.url}; call repair()"
    raise CorruptionError(message)


async def newest(store: KeyStore, count: int) -> list[Version]:
    """Return the newest `count` versions, in order."""
    entries = [entry.key async for entry in store.list(LOG)]
    numbers = numbers_of(entries, ".json")
    if not numbers:
        return (await all_versions(store))[-count:]  # which reports what is lost
    return await between(store, max(numbers[-1] - count + 1, 0), numbers[-1])


def totals(versions: Iterable[Version]) -> Iterator[Total]:
    """Yield the size of the collection after each version, given all versions."""
    sizes: dict[str, tuple[int, int]] = {}
    rows = size = 0
    for version in versions:
        # A record that replaces lost ones names all existing partitions.
        is_complete = version.operation == LOST and version.partitions
        for path in [*sizes] if is_complete else [*version.partitions, *version.dropped]:
            before = sizes.pop(path, (0, 0))
            rows, size = rows - before[0], size - before[1]
        for path, record in version.partitions.items():
            sizes[path] = record.rows, record.stored_bytes
            rows, size = rows + record.rows, size + record.stored_bytes
        yield Total(len(sizes), rows, size)


async def changes(store: KeyStore, since: Label, until: int) -> Changes:
    """Return the partitions that changed after version `since`, up to version `until`, from the commit records.

    Raises
    ------
    SettingError
        `since` is not a version, or is newer than `until`.
    """
    if not isinstance(since, int) or not 0 <= since <= until:
        message = f"since={since!r}; accepted: a version of {store.url}, 0 to {until}"
        raise SettingError(message)
    present: dict[str, bool] = {}
    # The first version of a copy has partitions.
    for version in await between(store, since + 1 if since else 0, until):
        present |= dict.fromkeys(version.partitions, True) | dict.fromkeys(version.dropped, False)
        present.pop(IMMUTABLE, None)
        until = version.number
    return Changes(
        version=until,
        written=tuple(sorted(path for path, is_present in present.items() if is_present)),
        dropped=tuple(sorted(path for path, is_present in present.items() if not is_present)),
    )


def sources(versions: Sequence[Version], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sources after versions, given those before; a rollback also restores the sources of the older version."""
    known: dict[int, tuple[str, ...]] = {}
    for version in versions:
        if version.restored is not None:
            names = known.get(version.restored, ())
        names = () if version.configuration is not None else names
        names = names if version.source is None else (*names, version.source)
        known[version.number] = names
    return names


def describe_foreign(foreign: Sequence[int]) -> str:
    """Return a description of a history that contains versions of another log."""
    return (
        f"the history contains version {foreign[0]}, but the log another version of this number, or only older ones: one of "
        f"them was restored from a copy"
    )


async def exists(store: KeyStore) -> bool:
    """Return whether the log or the history contains any object; False for a store without listing."""
    for prefix in (LOG, _HISTORY) if store.has_listing else ():
        async for _ in store.list(prefix):
            return True
    return False


async def after(store: KeyStore, known: RecordId) -> list[Version]:
    """Return the versions committed after a known one, in order; see `following`."""
    return await perform_one(store, following(store, known))


def following(store: KeyStore, known: RecordId) -> Work[list[Version]]:
    """Return the versions committed after a known one, in order, from the log and the history.

    Raises
    ------
    ConflictError
        Neither the log nor the history contains the known version: data read at that version cannot be used for a change.
    """
    try:
        return (yield from commit_log.following(store, known))
    except ConflictError:
        if not store.has_listing or known.transaction is None:
            raise
        for _ in range(_TRIES):
            folded = yield from _folded(known.number)
            if not folded or folded[0].transaction != known.transaction:
                break
            (same,) = yield from fetch([Read(record_key(folded[-1].number))])
            if same is not None and not folded[-1].id.is_of(same):
                break  # the log was restored from a copy that is older than the history
            logged = yield from commit_log.starting(store, folded[-1].number + 1)
            if logged:  # otherwise they were folded meanwhile, because the newest is always in the log
                return [*folded[1:], *logged]
        raise


def _folded(first: int, last: int = _NO_VERSION) -> Work[list[Version]]:
    """Return the versions `first` to `last` from the history, in order, up to the first one missing."""
    entries = yield from enumerated(_HISTORY)
    spans = {entry.key: _span(entry.key) for entry in entries}
    keys = [key for key, span in spans.items() if span and span[1] >= first and span[0] <= last]
    found: dict[int, Version] = {}
    for key, data in zip(keys, (yield from fetch([Read(key) for key in keys])), strict=True):
        items = () if data is None else _file_of(key, data, check_partitions=False, numbers=range(first, last + 1))
        for item in items or ():
            if found.setdefault(item.number, evolve(item, published=True)).transaction != item.transaction:
                return []  # files of several logs
    return [found[number] for number in takewhile(found.__contains__, range(first, last + 1))]


async def between(store: KeyStore, first: int, last: int, known: Sequence[Version] = ()) -> list[Version]:
    """Return the versions `first` to `last`, in order; versions in `known` are not read.

    Raises
    ------
    CorruptionError
        The record of one of them is lost.
    """
    return await perform_one(store, _between(store, first, last, {version.number: version for version in known}))


def _between(store: KeyStore, first: int, last: int, known: Mapping[int, Version]) -> Work[list[Version]]:
    numbers = range(first, last + 1)
    for _ in range(_TRIES):
        # Most of many versions are folded, and a request to the log for each of them would be slow.
        is_many = len(numbers) > _JOINED
        older = (yield from _folded(first, last)) if is_many else []
        unread = [number for number in numbers[len(older) :] if number not in known]
        records = yield from fetch([Read(record_key(number)) for number in unread])
        logged = {
            number: Version.load(number, data) for number, data in zip(unread, records, strict=True) if data is not None
        }
        if not is_many and len(logged) < len(unread):
            older = yield from _folded(first, last)
        found = {number: known[number] for number in numbers if number in known}
        found |= {version.number: version for version in older} | logged
        if len(found) == len(numbers):
            return [found[number] for number in numbers]
    lost = next(number for number in numbers if number not in found)
    message = f"the record of version {lost} of {store.url} is lost; call repair()"
    raise CorruptionError(message)


async def is_committed(store: KeyStore, version: Version) -> bool:
    """Return whether the record that was just created is the commit of its number; otherwise remove it.

    A writer that was suspended before it created the record may have used the number of a version that other writers have
    committed and folded into the history meanwhile. The newest record is never folded: if the log has no later record, the
    number was not in use.
    """
    newest = await commit_log.newest_from(store, version.number)
    if newest == version.number or not version.number <= await _last(store) < newest:
        return True
    folded = await perform_one(store, _folded(version.number, version.number))
    if not folded or folded[0].transaction == version.transaction:
        return True
    await store.delete([record_key(version.number)])
    return False


async def _last(store: KeyStore) -> int:
    """Return the newest version in the history; -1 if it is empty."""
    spans = [_span(entry.key) async for entry in store.list(_HISTORY)]
    return max((span[1] for span in spans if span), default=-1)


async def remove_folded(store: KeyStore, logged: Sequence[int]) -> int:
    """Remove records that the history already contains from the log, and return the newest version in the history.

    They are what a writer left that died while it folded the log, or before it found that its number was in use: the
    latter are followed by a gap in the log.

    Parameters
    ----------
    store
        The store of the collection.
    logged
        The versions that have a record in the log, in order.

    Raises
    ------
    CorruptionError
        The history is that of another log.
    """
    last = await _last(store)
    leftover = [number for number in logged if number <= last]
    if not leftover:
        return last
    folded = {item.number: item for item in await perform_one(store, _folded(leftover[0], last))}
    records = await _bytes(store, [record_key(number) for number in leftover])
    others = [
        number
        for number, data in zip(leftover, records, strict=True)
        if data is not None and (number not in folded or not folded[number].id.is_of(data))
    ]
    gap = _last_gap(logged)
    if any(number > gap for number in others):
        message = f"{describe_foreign(others)} of {store.url}; call repair()"
        raise CorruptionError(message)
    await store.delete(map(record_key, leftover))
    await store.delete(map(mark_key, leftover))
    return last


async def fold(store: KeyStore, versions: Sequence[Version]) -> None:
    """Move the oldest versions from the log to the history; idempotent."""
    if not versions:
        return
    # Pending versions are published by now: a checkpoint contains only published versions.
    await store.put(_file([evolve(version, pending=(), tag=None) for version in versions]))
    # Records first: a record without its mark would look unpublished, a mark without its record is harmless.
    await store.delete(record_key(version.number) for version in versions)
    await store.delete(mark_key(version.number) for version in versions)
    await _join_files(store)


async def _join_files(store: KeyStore) -> None:
    """Join the last history files into one where there are `_JOINED` files of the same level."""
    spans = {entry.key: _span(entry.key) async for entry in store.list(_HISTORY)}
    last = sorted((span, key) for key, span in spans.items() if span)[-_JOINED:]
    levels = {_level(first, end) for (first, end), _ in last}
    if len(last) < _JOINED or len(levels) > 1 or levels == {_HIGHEST}:
        return
    keys = [key for _, key in last]
    parts = [
        _file_of(key, data or b"", check_partitions=False)
        for key, data in zip(keys, await _bytes(store, keys), strict=True)
    ]
    joined = {item.number: item for part in parts for item in part or ()}
    if None not in parts and list(joined) == list(range(last[0][0][0], last[-1][0][1] + 1)):
        await store.put(_file(list(joined.values())))
        await store.delete(keys)


async def _bytes(store: KeyStore, keys: Sequence[str]) -> list[bytes | None]:
    return await store.get([Read(key) for key in keys])


def _level(first: int, last: int) -> int:
    """Return the level of a history file, the number of times that its versions were joined, from their number."""
    return min(int(math.log(max(last - first + 1, 1), _JOINED) + 1e-9), _HIGHEST)


async def damaged(store: KeyStore, *, at_least: int) -> tuple[list[int], list[int]]:
    """Return the versions whose records are lost or damaged, and those of the history that contradict the log.

    Parameters
    ----------
    store
        The store of the collection.
    at_least
        A version that is known to have been committed.
    """
    records = await _Records.read(store, check_partitions=True)
    return records.lost(at_least=at_least), records.foreign()


async def repair(store: KeyStore, numbers: Sequence[int], partitions: Partitions, configuration: Configuration) -> None:
    """Repair the log and the history.

    Damaged history files are removed, and so are versions in them that contradict the log. New records, marked as
    published, replace lost ones; the last of them names all partitions as written.

    Parameters
    ----------
    store
        The store of the collection.
    numbers
        The versions whose records are lost.
    partitions
        The existing partitions.
    configuration
        The stored configuration; the new record of a lost version that had written it contains it again.
    """
    records = await _Records.read(store, check_partitions=True)
    for key, items in records.folded.items():
        own = records.own(items or ())
        if items is None or own != items:
            await store.delete([key])
        if own and own != items:
            await store.put(_file(own))
    for number in numbers:
        version = Version(
            transaction=uuid.uuid4().hex,
            base=max(number - 1, 0),
            operation=LOST,
            written=(partitions if number == numbers[-1] else Partitions()).to_json(),
            configuration=_document_if_written(configuration, number, configuration.version),
            schema=_document_if_written(configuration, number, configuration.changed),
            number=number,
        )
        await store.put({mark_key(number): b"", record_key(number): version.dump()})


def _document_if_written(configuration: Configuration, number: int, written: int) -> str | None:
    return configuration.dump().decode() if number == written > 0 else None


@frozen(kw_only=True)
class _History:
    versions: dict[str, Any]


def _file(versions: Sequence[Version]) -> dict[str, bytes]:
    """Return the history file of versions, by its key."""
    records = {str(version.number): documents.CONVERTER.unstructure(version) for version in versions}
    key = f"{_HISTORY}{versions[0].number:020d}-{versions[-1].number:020d}.json"
    return {key: documents.dump(_History(versions=records), kind="history")}


def _file_of(
    key: str, data: bytes, *, check_partitions: bool, numbers: Container[int] | None = None
) -> tuple[Version, ...] | None:
    """Return the versions in a history file, or only those with given numbers; None where it is damaged."""
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
    first, _, last = key.removeprefix(_HISTORY).removesuffix(".json").partition("-")
    return [first, last]


def _span(key: str) -> tuple[int, int] | None:
    """Return the first and the last version in the name of a history file; None for a foreign name."""
    names = _names(key)
    if not all(re.fullmatch(r"[0-9]{20}", name) for name in names):
        return None
    first, last = map(int, names)
    return first, last


def _version_of(number: int, record: bytes, *, check_partitions: bool) -> Version | CorruptionError:
    """Return the version of a record, or the error where it is damaged."""
    try:
        version = Version.load(number, record)
        if check_partitions:
            dict(version.partitions)
    except CorruptionError as damage:
        return damage
    return version
