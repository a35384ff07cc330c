"""What a collection held at older versions: from the nearest checkpoint before, and the records since."""

import re
from typing import Final

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.transaction.documents import TRANSACTIONS
from zcollection.transaction.index import catalog
from zcollection.transaction.index.catalog import Checkpoint
from zcollection.transaction.log import history
from zcollection.transaction.snapshot import Snapshot

_CHECKPOINTS: Final = f"{TRANSACTIONS}/checkpoints/"


async def keep(store: KeyStore, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint, so that what was then need not be made out from the beginning of the history."""
    await store.put({_key(checkpoint.version): catalog.dump(checkpoint)})


def _key(number: int) -> str:
    return f"{_CHECKPOINTS}{number:020d}"


async def at(store: KeyStore, number: int) -> Checkpoint:
    """Return what a collection held at a version.

    Raises
    ------
    CorruptionError
        A record is lost.
    """
    begun = await _before(store, number)
    first = 0 if begun is None else begun.version + 1
    changes = await history.between(store, first, number)
    return Snapshot(store, begun or Checkpoint(), changes).to_checkpoint()


async def _before(store: KeyStore, number: int) -> Checkpoint | None:
    """Return the last checkpoint up to a version that is whole."""
    for known in sorted(await kept(store), reverse=True):
        if known <= number:
            (data,) = await store.get([Read(_key(known), most=catalog.READ.most)])
            found = catalog.understood(data)
            if found is not None:
                return found
    return None


async def kept(store: KeyStore) -> list[int]:
    """Return the versions of which there are checkpoints."""
    names = [entry.key.removeprefix(_CHECKPOINTS) async for entry in store.list(_CHECKPOINTS)]
    return [int(name) for name in names if re.fullmatch(r"[0-9]{20}", name)]


async def forget(store: KeyStore, before: int) -> None:
    """Remove the checkpoints that no version from one on needs: all but the last up to that one."""
    known = sorted(number for number in await kept(store) if number <= before)
    await store.delete(_key(number) for number in known[:-1])
