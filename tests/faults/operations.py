"""What is interrupted: each operation over several partitions of a collection, and what must lie there before it."""

from collections.abc import Callable
from pathlib import Path

import ledger
import numpy as np

import zcollection as zc

EXISTING = range(12)


def base(place: Path) -> None:
    """Make the collection that every operation starts from."""
    ledger.create(place)
    for first in EXISTING[::4]:
        ledger.enter(place, range(first, first + 4))
    _leave_a_stage(place)


def _leave_a_stage(place: Path) -> None:
    """Leave what a writer leaves that dies before it commits."""
    stage = place / "_transactions/stage" / ("0" * 32) / "year=1970/month=01/day=01"
    stage.mkdir(parents=True)
    (stage / "zarr.json").write_text("{}")


def days_later(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return rows that belong to other partitions, in other months."""
    return rows | {"time": rows["time"] + 40 * ledger.DAY}


def _update(collection: zc.Collection) -> None:
    collection.update(lambda dataset: {"value": dataset["value"].to_numpy() + 1})


def _overwrite(collection: zc.Collection) -> None:
    ledger.create(collection.store.root, overwrite=True, storage_options={"fsync": collection.store.fsync})


def _lose_documents(place: Path) -> None:
    for lost in ("_catalog/c/0", "year=1970/month=01/zarr.json"):
        (place / lost).unlink()


def _copy(collection: zc.Collection) -> None:
    zc.open_collection(_source(Path(collection.store.root))).copy(collection.store, overwrite=True)


def _source(place: Path) -> Path:
    return place.parent / "source"


def _make_source(place: Path) -> None:
    ledger.create(_source(place))
    ledger.enter(_source(place), range(20, 25))
    zc.open_collection(_source(place), mode="rw").insert(days_later(ledger.rows([2])))


OPERATIONS: dict[str, Callable[[zc.Collection], object]] = {
    "insert": lambda collection: collection.insert(
        {name: values[3:] for name, values in days_later(ledger.rows(range(3))).items()}
    ),
    "replace": lambda collection: collection.insert(ledger.rows([20, 21, 22])),
    "upsert": lambda collection: collection.insert(ledger.rows([20, 21, 22]), merge="upsert"),
    "update": _update,
    "drop": lambda collection: collection.drop_partitions(filters="day > 3"),
    "overwrite": _overwrite,
    "copy": _copy,
    "vacuum": lambda collection: collection.vacuum(older_than="0s"),
    "repair": lambda collection: collection.repair(),
}
PREPARATIONS: dict[str, Callable[[Path], object]] = {"copy": _make_source, "repair": _lose_documents}
"""What happens to the collection before an operation, where there is anything to do."""


def operate(place: Path, name: str, *, fsync: bool) -> None:
    """Do what is to be interrupted."""
    collection = zc.open_collection(place, mode="rw", storage_options={"fsync": fsync})
    with zc.config.using(threads=1):
        OPERATIONS[name](collection)
