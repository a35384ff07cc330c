"""Reuse of partitions that an earlier attempt at the same change has staged, so that a crash loses only unfinished ones."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.write import GROUP_DOCUMENT
from zcollection.transaction.documents import TRANSACTIONS
from zcollection.transaction.places import Place
from zcollection.transaction.version import stage_of

_STAGES: Final = f"{TRANSACTIONS}/stage/"
_PLAN: Final = "_plan"
_ATTEMPT: Final = re.compile(r"^[0-9a-f]{32}/")


async def announce(store: KeyStore, transaction: str, digests: Mapping[str, str]) -> None:
    """Record what a transaction is about to stage: a digest of all inputs of each partition, by path."""
    await store.put({stage_of(transaction) + _PLAN: json.dumps(dict(digests)).encode()})


async def find_staged(
    store: KeyStore, digests: Mapping[str, str], *, except_by: Collection[str]
) -> tuple[dict[str, Place], tuple[str, ...]]:
    """Return where partitions with the same digests are staged, by path, and the transactions that staged them.

    Parameters
    ----------
    store
        The store of the collection.
    digests
        Digests of the requested partitions, by path.
    except_by
        Transactions whose staging areas are ignored.
    """
    places: dict[str, Place] = {}
    stages: list[str] = []
    names = [entry.key.removeprefix(_STAGES).rstrip("/") async for entry in store.list(_STAGES)]
    transactions = [name for name in names if re.fullmatch(r"[0-9a-f]{32}", name) and name not in except_by]
    plans = await store.get([Read(stage_of(transaction) + _PLAN) for transaction in transactions])
    for transaction, plan in zip(transactions, map(_parsed, plans), strict=True):
        same = {path for path, digest in digests.items() if plan.get(path) == digest}
        reusable = await _staged(store, transaction, same - places.keys()) if same else {}
        places |= reusable
        stages += [transaction] if reusable else []
    return places, tuple(sorted(stages))


def _parsed(plan: bytes | None) -> dict[str, Any]:
    """Return the digests by path; none if the plan is missing or incomplete."""
    try:
        digests = json.loads(plan or b"")
    except (ValueError, RecursionError):
        return {}
    return digests if isinstance(digests, dict) else {}


async def _staged(store: KeyStore, transaction: str, paths: Collection[str]) -> dict[str, Place]:
    """Return where a transaction, or one of its attempts, has staged the partitions of given paths."""
    prefix, end = stage_of(transaction), f"/{GROUP_DOCUMENT}"
    places = {}
    async for entry in store.list(prefix, recursive=True):
        path = _ATTEMPT.sub("", entry.key.removeprefix(prefix)).removesuffix(end)
        if entry.key.endswith(end) and path in paths:
            places[path] = Place(entry.key.removesuffix(GROUP_DOCUMENT))
    return places
