"""Repair of lost records of the log, and of damaged history files."""

import uuid
from collections.abc import Sequence

from zcollection.contracts.store import KeyStore
from zcollection.transaction.documents import Configuration
from zcollection.transaction.index.partitions import Partitions
from zcollection.transaction.log import history_files
from zcollection.transaction.log.commit_log import mark_key, record_key
from zcollection.transaction.log.history import LOST
from zcollection.transaction.log.records import Records
from zcollection.transaction.version import Version


async def damaged(store: KeyStore, *, at_least: int) -> tuple[list[int], list[int]]:
    """Return the versions whose records are lost or damaged, and those of the history that contradict the log.

    Parameters
    ----------
    store
        The store of the collection.
    at_least
        A version that is known to have been committed.
    """
    records = await Records.read(store, check_partitions=True)
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
    records = await Records.read(store, check_partitions=True)
    for key, items in records.folded.items():
        own = records.consistent(items or ())
        if items is None or own != items:
            await store.delete([key])
        if own and own != items:
            await store.put(history_files.dump(own))
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
