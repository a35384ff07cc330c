"""A probe of conditional writes: of several writers that create one key, the server must report success to exactly one."""

import uuid
from typing import Final

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.executor import gather
from zcollection.errors import StoreError
from zcollection.portal import uninterrupted
from zcollection.transaction.documents import TRANSACTIONS

_TRIES: Final = 3
_PASSED: set[str] = set()
"""URLs whose servers have passed the probe in this process."""


async def check(store: KeyStore) -> None:
    """Probe the server of a store that requires it, once per process and URL: create one key three times.

    Raises
    ------
    StoreError
        Not exactly one creation succeeded, so that two writers could overwrite each other's versions; or the answers of
        the server were lost.
    """
    if not store.is_probed or str(store.url) in _PASSED:
        return
    for _ in range(_TRIES):
        created = await _successful_creations(store)
        if created is not None:
            break
    if created is None:
        message = (
            f"the answers of the server of {store.url} were lost {_TRIES} times, so that it is not known whether it isolates "
            f"concurrent writers: writing is refused; check the server and the connection, and run the operation again"
        )
        raise StoreError(message)
    if created != 1:
        message = (
            f"the server of {store.url} lets {created} of 3 writers create one object, so that it cannot isolate concurrent "
            f"writers: writing is refused; use another server, or pass storage_options={{'single_writer': True}} if there is "
            f"never more than one writer"
        )
        raise StoreError(message)
    _PASSED.add(str(store.url))


async def _successful_creations(store: KeyStore) -> int | None:
    """Return how many of two concurrent creations and a later one succeeded; None if an answer was lost."""
    key, contents = f"{TRANSACTIONS}/probe/{uuid.uuid4().hex}", [b"first", b"second"]
    try:
        answers = await gather(lambda data: store.create(key, data), contents, limit=2)
        answers.append(await store.create(key, b"late"))
        (found,) = await store.get([Read(key)])
    finally:
        await uninterrupted(store.delete, [key])
    if "unknown" in answers:
        return None
    kept = [data for data, answer in zip(contents, answers, strict=False) if answer == "created"]
    return answers.count("created") if [found] == kept else max(2, answers.count("created"))
