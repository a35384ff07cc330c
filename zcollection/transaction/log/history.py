"""All versions that there were: those whose records the log holds, and older ones that were folded into files of many."""

import math
import re
import uuid
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any, Final

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
"""What the record of a version that was lost says was done."""

_TRIES: Final = 3
_JOINED: Final = 16
_HIGHEST: Final = 3
"""So many files of so many versions each become one, so many times: a file has at most some thousand versions."""

_NO_VERSION: Final = 10**18 - 1
_MOST_LOST: Final = 1_000_000


@frozen
class _Records:
    """What is there of the versions, as far as it can be understood.

    Attributes
    ----------
    folded
        The versions of each file of the history; None for one that is damaged.
    logged
        The versions that the log has records of; what is wrong with a record that is damaged.
    newest
        The newest version of which the log has any trace; where it is lost, the one that is to come after the history.
    """

    folded: Mapping[str, tuple[Version, ...] | None]
    logged: Mapping[int, Version | CorruptionError]
    newest: int

    @classmethod
    async def read(cls, store: KeyStore, *, whole: bool = False) -> "_Records":
        """Return it; where versions are to be whole, those whose partitions cannot be understood are damaged too."""
        folded = {key: _file_of(key, data, whole=whole) for key, data in (await contents(store, _HISTORY)).items()}
        records = await contents(store, LOG)
        logged = {
            number: _version_of(number, records[record_key(number)], whole=whole)
            for number in numbers_of(records, ".json")
        }
        after = max((item.number for items in folded.values() for item in items or ()), default=-2) + 1
        return cls(folded, logged, max([*logged, *numbers_of(records, ".ok")], default=after))

    @property
    def versions(self) -> dict[int, Version]:
        """Those that are there, by number; what the log says comes before what the history says."""
        old = {item.number: item for items in self.folded.values() for item in self.own(items or ())}
        return old | {number: item for number, item in self.logged.items() if isinstance(item, Version)}

    def lost(self, *, at_least: int) -> list[int]:
        """Return the versions, up to the newest of which there is any trace, whose records are lost or damaged.

        Raises
        ------
        CorruptionError
            There would be more of them than can be: a name is no trace of a version.
        """
        newest, known = max(self.newest, at_least), self.versions
        if newest - len(known) > _MOST_LOST:
            message = (
                f"the log names version {newest}, and has records of {len(known)} versions: that name is none of ours; remove "
                f"what has it"
            )
            raise CorruptionError(message)
        return sorted(set(range(newest + 1)) - known.keys())

    def foreign(self) -> list[int]:
        """Return the versions that the history has, and the log has another one of, or ends before."""
        return sorted(item.number for items in self.folded.values() for item in items or () if self._is_foreign(item))

    def _is_foreign(self, folded: Version) -> bool:
        logged = self.logged.get(folded.number)
        is_other = isinstance(logged, Version) and logged.transaction != folded.transaction
        return is_other or folded.number > self.newest

    def own(self, items: Sequence[Version]) -> tuple[Version, ...]:
        """Return those versions of a file of the history that do not contradict the log."""
        return tuple(item for item in items if not self._is_foreign(item))


async def every(store: KeyStore) -> list[Version]:
    """Return all versions that there were, in order.

    Raises
    ------
    CorruptionError
        A record is lost, or cannot be understood, or the history is not that of the log.
    """
    for _ in range(_TRIES):
        records = await _Records.read(store)
        lost, foreign = records.lost(at_least=-1), records.foreign()
        if not lost and not foreign:
            return [item for _, item in sorted(records.versions.items())]
        # Another process may have moved records to the history meanwhile.
    if lost:
        damage = records.logged.get(lost[0], "it is not there")
        message = f"the record of version {lost[0]} of {store.url} is lost or damaged ({damage}); call repair()"
    else:
        message = f"{problem(foreign)} of {store.url}; call repair()"
    raise CorruptionError(message)


async def newest(store: KeyStore, count: int) -> list[Version]:
    """Return the newest versions, so many of them, in order."""
    entries = [entry.key async for entry in store.list(LOG)]
    numbers = numbers_of(entries, ".json")
    if not numbers:
        return (await every(store))[-count:]  # which tells what is lost
    return await between(store, max(numbers[-1] - count + 1, 0), numbers[-1])


def totals(versions: Iterable[Version]) -> Iterator[Total]:
    """Yield how much there was after each of all versions."""
    held: dict[str, tuple[int, int]] = {}
    rows = size = 0
    for version in versions:
        # What took the place of lost records names all partitions that there were.
        gone = [*held] if version.operation == LOST and version.partitions else [*version.partitions, *version.dropped]
        for path in gone:
            before = held.pop(path, (0, 0))
            rows, size = rows - before[0], size - before[1]
        for path, record in version.partitions.items():
            held[path] = record.rows, record.stored_bytes
            rows, size = rows + record.rows, size + record.stored_bytes
        yield Total(len(held), rows, size)


async def changes(store: KeyStore, since: Label, until: int) -> Changes:
    """Return the partitions that the commit records name after one version, up to another.

    Raises
    ------
    SettingError
        `since` is no version, or a newer one.
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
    """Return the sources after versions, given those before: what a version puts back are also the sources of then."""
    known: dict[int, tuple[str, ...]] = {}
    for version in versions:
        if version.restored is not None:
            names = known.get(version.restored, ())
        names = () if version.configuration is not None else names
        names = names if version.source is None else (*names, version.source)
        known[version.number] = names
    return names


def problem(foreign: Sequence[int]) -> str:
    """Return what is wrong where the history has versions that are not those of the log."""
    return (
        f"the history holds version {foreign[0]}, and the log another one, or none so new: one of them was restored from a "
        f"copy"
    )


async def is_begun(store: KeyStore) -> bool:
    """Return whether there is any trace of a version; where nothing can be listed, none is seen."""
    for prefix in (LOG, _HISTORY) if store.has_listing else ():
        async for _ in store.list(prefix):
            return True
    return False


async def after(store: KeyStore, known: RecordId) -> list[Version]:
    """Return the versions that were committed after one, in order; see `following`."""
    return await perform_one(store, following(store, known))


def following(store: KeyStore, known: RecordId) -> Work[list[Version]]:
    """Return the versions that were committed after one, in order, wherever their records are by now.

    Raises
    ------
    ConflictError
        Neither the log nor the history has that version, or another one of this number: what was read then is not to be
        built upon.
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
            if logged:  # else they were folded meanwhile, for the newest is always in the log
                return [*folded[1:], *logged]
        raise


def _folded(first: int, last: int = _NO_VERSION) -> Work[list[Version]]:
    """Return the versions of the history from one to another one, in order, as far as there is none missing."""
    entries = yield from enumerated(_HISTORY)
    spans = {entry.key: _span(entry.key) for entry in entries}
    wanted = [key for key, span in spans.items() if span and span[1] >= first and span[0] <= last]
    found: dict[int, Version] = {}
    for key, data in zip(wanted, (yield from fetch([Read(key) for key in wanted])), strict=True):
        items = () if data is None else _file_of(key, data, whole=False, numbers=range(first, last + 1))
        for item in items or ():
            if found.setdefault(item.number, evolve(item, published=True)).transaction != item.transaction:
                return []  # files of several logs
    return [found[number] for number in takewhile(found.__contains__, range(first, last + 1))]


async def between(store: KeyStore, first: int, last: int, known: Sequence[Version] = ()) -> list[Version]:
    """Return the versions from one to another one, in order; those that are known are not read.

    Raises
    ------
    CorruptionError
        The record of one is lost.
    """
    return await perform_one(store, _between(store, first, last, {version.number: version for version in known}))


def _between(store: KeyStore, first: int, last: int, known: Mapping[int, Version]) -> Work[list[Version]]:
    wanted = range(first, last + 1)
    for _ in range(_TRIES):
        # Of many most are folded, and to ask the log for each of them would take a request each.
        is_many = len(wanted) > _JOINED
        older = (yield from _folded(first, last)) if is_many else []
        asked = [number for number in wanted[len(older) :] if number not in known]
        records = yield from fetch([Read(record_key(number)) for number in asked])
        logged = {
            number: Version.load(number, data) for number, data in zip(asked, records, strict=True) if data is not None
        }
        if not is_many and len(logged) < len(asked):
            older = yield from _folded(first, last)
        found = {number: known[number] for number in wanted if number in known}
        found |= {version.number: version for version in older} | logged
        if len(found) == len(wanted):
            return [found[number] for number in wanted]
    lost = next(number for number in wanted if number not in found)
    message = f"the record of version {lost} of {store.url} is lost; call repair()"
    raise CorruptionError(message)


async def fold(store: KeyStore, versions: Sequence[Version]) -> None:
    """Move the oldest versions from the log to the history; done again it changes nothing."""
    if not versions:
        return
    # What was pending once is published by now: what a checkpoint holds lies in its place.
    await store.put(_file([evolve(version, pending=(), tag=None) for version in versions]))
    # A record without its mark would look unpublished, a mark without its record is nothing.
    await store.delete(record_key(version.number) for version in versions)
    await store.delete(mark_key(version.number) for version in versions)
    await _join_files(store)


async def _join_files(store: KeyStore) -> None:
    """Make one file of the last ones where they are many and as small as each other."""
    spans = {entry.key: _span(entry.key) async for entry in store.list(_HISTORY)}
    last = sorted((span, key) for key, span in spans.items() if span)[-_JOINED:]
    levels = {_level(first, end) for (first, end), _ in last}
    if len(last) < _JOINED or len(levels) > 1 or levels == {_HIGHEST}:
        return
    keys = [key for _, key in last]
    parts = [_file_of(key, data or b"", whole=False) for key, data in zip(keys, await _bytes(store, keys), strict=True)]
    joined = {item.number: item for part in parts for item in part or ()}
    if None not in parts and list(joined) == list(range(last[0][0][0], last[-1][0][1] + 1)):
        await store.put(_file(list(joined.values())))
        await store.delete(keys)


async def _bytes(store: KeyStore, keys: Sequence[str]) -> list[bytes | None]:
    return await store.get([Read(key) for key in keys])


def _level(first: int, last: int) -> int:
    """Return how often the versions of a file may have been joined with others, by how many they are."""
    return min(int(math.log(max(last - first + 1, 1), _JOINED) + 1e-9), _HIGHEST)


async def wrong(store: KeyStore, *, at_least: int) -> tuple[list[int], list[int]]:
    """Return the versions whose records are lost or damaged, and those of the history that contradict the log.

    Parameters
    ----------
    store
        Where.
    at_least
        A version that there was.
    """
    records = await _Records.read(store, whole=True)
    return records.lost(at_least=at_least), records.foreign()


async def mend(store: KeyStore, numbers: Sequence[int], partitions: Partitions, configuration: Configuration) -> None:
    """Make log and history whole again.

    Files of the history that are damaged go, and so do versions in them that contradict the log. Records take the place of
    lost ones, as published; the last of them names all partitions as written.

    Parameters
    ----------
    store
        Where.
    numbers
        The versions whose records are lost.
    partitions
        The partitions that there are.
    configuration
        The one that lies in its place: where a lost version has written it, its new record says so.
    """
    records = await _Records.read(store, whole=True)
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
            configuration=_stated(configuration, number, configuration.version),
            schema=_stated(configuration, number, configuration.changed),
            number=number,
        )
        await store.put({mark_key(number): b"", record_key(number): version.dump()})


def _stated(configuration: Configuration, number: int, written: int) -> str | None:
    return configuration.dump().decode() if number == written > 0 else None


@frozen(kw_only=True)
class _History:
    versions: dict[str, Any]


def _file(versions: Sequence[Version]) -> dict[str, bytes]:
    """Return the file of some versions, by its key."""
    records = {str(version.number): documents.CONVERTER.unstructure(version) for version in versions}
    key = f"{_HISTORY}{versions[0].number:020d}-{versions[-1].number:020d}.json"
    return {key: documents.dump(_History(versions=records), kind="history")}


def _file_of(
    key: str, data: bytes, *, whole: bool, numbers: Container[int] | None = None
) -> tuple[Version, ...] | None:
    """Return the versions in a file of the history, or those of certain numbers; None where it is damaged."""
    what = f"the history {key}"
    with suppress(CorruptionError):
        body = documents.load(data, _History, kind="history", what=what)
        names = [f"{int(name):020d}" for name in body.versions if name.isascii() and name.isdigit()]
        is_told = len(names) == len(body.versions) and [*names[:1], *names[-1:]] == _names(key)
        versions = tuple(
            documents.structure(value, Version, what=what)
            for name, value in body.versions.items()
            if is_told and (numbers is None or int(name) in numbers)
        )
        is_right = all(str(version.number) in body.versions for version in versions)
        for version in versions if whole else ():
            dict(version.partitions)
        return versions if is_told and is_right else None
    return None


def _names(key: str) -> list[str]:
    """Return the first and the last version that the name of a file of the history says."""
    first, _, last = key.removeprefix(_HISTORY).removesuffix(".json").partition("-")
    return [first, last]


def _span(key: str) -> tuple[int, int] | None:
    """Return the same as numbers; None for a foreign name."""
    names = _names(key)
    if not all(re.fullmatch(r"[0-9]{20}", name) for name in names):
        return None
    first, last = map(int, names)
    return first, last


def _version_of(number: int, record: bytes, *, whole: bool) -> Version | CorruptionError:
    """Return the version of a record, or what is wrong with it."""
    try:
        version = Version.load(number, record)
        if whole:
            dict(version.partitions)
    except CorruptionError as damage:
        return damage
    return version
