"""Whether a server does what a log of versions rests on: of those that create one key, one is told that it did."""

import uuid
from typing import Final

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.executor import gather
from zcollection.errors import StoreError
from zcollection.portal import uninterrupted
from zcollection.transaction.documents import TRANSACTIONS

_TRIES: Final = 3
_PROVEN: set[str] = set()
"""URLs at which it was seen in this process."""


async def check(store: KeyStore) -> None:
    """Let three create one key, once per process and URL, where the store asks for it.

    Raises
    ------
    StoreError
        Not exactly one of them has created it: two writers could overwrite each other's versions. Or the answers were lost.
    """
    if not store.is_probed or str(store.url) in _PROVEN:
        return
    for _ in range(_TRIES):
        created = await _winners(store)
        if created is not None:
            break
    if created is None:
        message = (
            f"the answers of the server of {store.url} were lost {_TRIES} times, and so it is not known whether it keeps writers "
            f"apart: writing is refused; see to the server and the connection, and run the operation again"
        )
        raise StoreError(message)
    if created != 1:
        message = (
            f"the server of {store.url} lets {created} of 3 writers create one object, and so cannot keep writers apart: writing "
            f"is refused; use another server, or pass storage_options={{'single_writer': True}} if there is never more than one "
            f"writer"
        )
        raise StoreError(message)
    _PROVEN.add(str(store.url))


async def _winners(store: KeyStore) -> int | None:
    """Return how many of two at once, and a late one, have created a key, or None where an answer was lost."""
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
