"""The history: all versions, from the records in the log and from the history files into which older ones were folded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.work import Work, fetch, perform_one
from zcollection.errors import ConflictError, CorruptionError, SettingError
from zcollection.transaction.documents import IMMUTABLE
from zcollection.transaction.log import commit_log, history_files
from zcollection.transaction.log.commit_log import LOG, numbers_of, record_key
from zcollection.transaction.log.records import Records, describe_foreign
from zcollection.transaction.reports import Changes, Label, Total
from zcollection.transaction.version import RecordId, Version

LOST: Final = "lost"
"""The operation in the record that replaces a lost one."""

_TRIES: Final = 3


async def all_versions(store: KeyStore) -> list[Version]:
    """Return all versions, in order.

    Raises
    ------
    CorruptionError
        A record is lost or cannot be parsed, or the history belongs to another log.
    """
    for _ in range(_TRIES):
        records = await Records.read(store)
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


async def exists(store: KeyStore) -> bool:
    """Return whether the log or the history contains any object; False for a store without listing."""
    for prefix in (LOG, history_files.FOLDER) if store.has_listing else ():
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
            folded = yield from history_files.folded(known.number)
            if not folded or folded[0].transaction != known.transaction:
                break
            (same,) = yield from fetch([Read(record_key(folded[-1].number))])
            if same is not None and not folded[-1].id.is_of(same):
                break  # the log was restored from a copy that is older than the history
            logged = yield from commit_log.starting(folded[-1].number + 1)
            if logged:  # otherwise they were folded meanwhile, because the newest is always in the log
                return [*folded[1:], *logged]
        raise


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
        is_many = len(numbers) > history_files.JOINED
        older = (yield from history_files.folded(first, last)) if is_many else []
        unread = [number for number in numbers[len(older) :] if number not in known]
        records = yield from fetch([Read(record_key(number)) for number in unread])
        logged = {
            number: Version.load(number, data) for number, data in zip(unread, records, strict=True) if data is not None
        }
        if not is_many and len(logged) < len(unread):
            older = yield from history_files.folded(first, last)
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
    if newest == version.number or not version.number <= await history_files.last_version(store) < newest:
        return True
    folded = await perform_one(store, history_files.folded(version.number, version.number))
    if not folded or folded[0].transaction == version.transaction:
        return True
    await store.delete([record_key(version.number)])
    return False
