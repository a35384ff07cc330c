"""What is interrupted: each operation over several partitions of a collection, and what must lie there before it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import anyio
import ledger
import numpy as np

import zcollection as zc
from zcollection.plugin import KeyStore

EXISTING = range(12)


def base(place: str | Path | KeyStore, **options: object) -> None:
    """Make the collection that every operation starts from."""
    ledger.create(place, **options)
    for first in EXISTING[::4]:
        ledger.enter(place, range(first, first + 4))
    anyio.run(_store(place).put, {_STAGED: b"{}"})


_STAGED = f"_transactions/stage/{'0' * 32}/year=1970/month=01/day=01/zarr.json"
"""What a writer leaves that dies before it commits."""


def _store(place: str | Path | KeyStore) -> KeyStore:
    return zc.open_collection(place, mode="rw").store


def days_later(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return rows that belong to other partitions, in other months."""
    return rows | {"time": rows["time"] + 40 * ledger.DAY}


def _update(collection: zc.Collection) -> None:
    collection.update(lambda dataset: {"value": dataset["value"].to_numpy() + 1})


def _update_rows(collection: zc.Collection) -> None:
    collection.update(lambda dataset: {"value": dataset["value"].to_numpy() + 1}, where="entry > 5")


def _overwrite(collection: zc.Collection) -> None:
    ledger.create(collection.store, overwrite=True)


def _lose_documents(place: str | Path | KeyStore) -> None:
    anyio.run(_store(place).delete, ["_catalog/c/0", "year=1970/month=01/zarr.json"])


def _make_months(place: str | Path | KeyStore) -> None:
    zc.open_collection(place, mode="rw").repartition("date:M")


_SOURCE = "memory://source"


def _copy(collection: zc.Collection) -> None:
    ledger.create(_SOURCE, overwrite=True)
    ledger.enter(_SOURCE, range(20, 25))
    source = zc.open_collection(_SOURCE, mode="rw")
    source.insert(days_later(ledger.rows([2])))
    source.copy(collection.store, overwrite=True)


def _keep(place: str | Path | KeyStore) -> None:
    """Let older versions be kept, and make some."""
    collection = zc.open_collection(place, mode="rw")
    collection.retain(3)
    collection.insert(ledger.rows([1, 2, 5]))
    collection.tag("tagged")
    collection.drop_partitions(filters="day == 3")
    collection.insert(ledger.rows([2, 30]), merge="upsert")


def _tag(place: str | Path | KeyStore) -> None:
    """Keep what one version needs, and nothing of others: some of it was replaced before, some was not."""
    collection = zc.open_collection(place, mode="rw")
    collection.tag("tagged")
    collection.insert(ledger.rows([1, 4]))
    collection.insert(ledger.rows([1, 7]))


def _forget(collection: zc.Collection) -> None:
    collection.vacuum(older_than="0s")


OPERATIONS: dict[str, Callable[[zc.Collection], object]] = {
    "insert": lambda collection: collection.insert(
        {name: values[3:] for name, values in days_later(ledger.rows(range(3))).items()}
    ),
    "replace": lambda collection: collection.insert(ledger.rows([20, 21, 22])),
    "upsert": lambda collection: collection.insert(ledger.rows([20, 21, 22]), merge="upsert"),
    "update": _update,
    "update rows": _update_rows,
    "delete": lambda collection: collection.delete("entry in (1, 4, 7, 10, 2)"),
    "drop": lambda collection: collection.drop_partitions(filters="day > 3"),
    "repartition": lambda collection: collection.repartition("date:M"),
    "split": lambda collection: collection.repartition("date:D"),
    "rewrite": lambda collection: collection.rewrite(codecs={"value": "cloud-balanced"}, chunks={"time": 32}),
    "overwrite": _overwrite,
    "copy": _copy,
    "vacuum": lambda collection: collection.vacuum(older_than="0s"),
    "repair": lambda collection: collection.repair(),
    "replace, kept": lambda collection: collection.insert(ledger.rows([2, 5, 21])),
    "delete, kept": lambda collection: collection.delete("entry in (1, 2, 5, 8)"),
    "drop, kept": lambda collection: collection.drop_partitions(filters="day == 2"),
    "rollback": lambda collection: collection.rollback("tagged"),
    "forget": _forget,
    "retain": lambda collection: collection.retain("3d"),
    "replace, tagged": lambda collection: collection.insert(ledger.rows([2, 5, 22])),
    "tag": lambda collection: collection.tag("another", collection.tags()["tagged"]),
    "tag the newest": lambda collection: collection.tag("newest"),
    "untag": lambda collection: collection.untag("tagged"),
}
_WITH_OLDER = ("replace, kept", "delete, kept", "drop, kept", "rollback", "forget", "tag", "untag")
PREPARATIONS: dict[str, Callable[[str | Path | KeyStore], object]] = {
    "repair": _lose_documents,
    "split": _make_months,
    **dict.fromkeys(_WITH_OLDER, _keep),
    "replace, tagged": _tag,
}
"""What happens to the collection before an operation, where there is anything to do."""


def operate(place: str, name: str, options: Mapping[str, object]) -> None:
    """Do what is to be interrupted."""
    act(zc.open_collection(place, mode="rw", storage_options=options), name)


def act(collection: zc.Collection, name: str) -> None:
    """Do it to a collection that is open."""
    with zc.config.using(threads=1):
        OPERATIONS[name](collection)
