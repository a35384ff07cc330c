"""All versions that there were: those whose records the log holds, and older ones that were folded into files of many."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from attrs import evolve, frozen

from zcollection.contracts.store import KeyStore, Read
from zcollection.errors import CorruptionError
from zcollection.model import documents
from zcollection.transaction.documents import TRANSACTIONS, Configuration
from zcollection.transaction.log import LOG, contents, mark_key, numbers_of, record_key
from zcollection.transaction.partitions import Partitions
from zcollection.transaction.reports import Total
from zcollection.transaction.version import Version

_HISTORY: Final = f"{TRANSACTIONS}/history/"
LOST: Final = "lost"
"""What the record of a version that was lost says was done."""

_TRIES: Final = 3
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
    """Return the newest versions, so many of them, in order; no other record is read where the log holds them."""
    entries = [entry.key async for entry in store.list(LOG)]
    numbers = numbers_of(entries, ".json")[-count:]
    is_whole = bool(numbers) and numbers == list(range(numbers[0], numbers[-1] + 1))
    if not is_whole or (len(numbers) < count and numbers[0] > 0):
        return (await every(store))[-count:]  # older ones were folded, or one is lost, which is told there
    records = await store.get([Read(record_key(number)) for number in numbers])
    if None in records:  # folded meanwhile
        return (await every(store))[-count:]
    return [Version.load(number, record or b"") for number, record in zip(numbers, records, strict=True)]


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


async def fold(store: KeyStore, versions: Sequence[Version]) -> None:
    """Move the oldest versions from the log to the history; done again it changes nothing."""
    if not versions:
        return
    # What was pending once is published by now: what a checkpoint holds lies in its place.
    await store.put(_file([evolve(version, pending=()) for version in versions]))
    # A record without its mark would look unpublished, a mark without its record is nothing.
    await store.delete(record_key(version.number) for version in versions)
    await store.delete(mark_key(version.number) for version in versions)


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


def _file_of(key: str, data: bytes, *, whole: bool) -> tuple[Version, ...] | None:
    """Return the versions in a file of the history; None where it is damaged."""
    what = f"the history {key}"
    with suppress(CorruptionError):
        body = documents.load(data, _History, kind="history", what=what)
        versions = tuple(documents.structure(value, Version, what=what) for value in body.versions.values())
        first, _, last = key.removeprefix(_HISTORY).removesuffix(".json").partition("-")
        numbers = [version.number for version in versions]
        is_told = [f"{number:020d}" for number in (*numbers[:1], *numbers[-1:])] == [first, last]
        for version in versions if whole else ():
            dict(version.partitions)
        return versions if is_told else None
    return None


def _version_of(number: int, record: bytes, *, whole: bool) -> Version | CorruptionError:
    """Return the version of a record, or what is wrong with it."""
    try:
        version = Version.load(number, record)
        if whole:
            dict(version.partitions)
    except CorruptionError as damage:
        return damage
    return version
