"""Changes of a collection of five rows, one of each kind, and what a reader sees before and after."""

import uuid

import numpy as np
import samples

import zcollection as zc

OLD = [1, 2, 12, 25, 31]


def state(collection):
    """Return all that a reader sees, as values that compare."""
    dataset = collection.query()
    arrays = {} if dataset is None else dataset.all_variables()
    return {path: variable.to_numpy().tolist() for path, variable in arrays.items()}, collection.partitions()


def healthy(url, mode="rw"):
    return zc.open_collection(url, mode=mode)


def doubled(dataset):
    return {"value": dataset["value"].to_numpy() * 2}


OPERATIONS = {
    "insert": lambda col: col.insert(samples.rows([41, 52, 63])),
    "insert into empty places and others": lambda col: col.insert(samples.rows([3, 13, 41]), merge="append"),
    "replace": lambda col: col.insert(samples.rows([3, 13, 26])),
    "update": lambda col: col.update(doubled),
    "drop": lambda col: col.drop_partitions(filters="quotient < 3"),
    "create with overwrite": lambda col: samples.create(col.store, overwrite=True),
    "copy with overwrite": lambda col: samples.create(f"dict://{uuid.uuid4().hex}", [3, 41, 85]).copy(
        col.store, overwrite=True
    ),
    "immutable": lambda col: col.insert(
        {**samples.rows([3, 13, 41]), "angle": np.array([1.0, 2.0])}, immutable="replace"
    ),
}
