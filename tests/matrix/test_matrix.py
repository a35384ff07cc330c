"""Every kind of store, partitioning, merge and operation equals pandas; see ``conftest.py`` for which combinations."""

import pickle

import numpy as np
import oracle
import pandas as pd
import pytest
import workers
import xarray as xr
from backends import BACKENDS, Place

import zcollection as zc
from zcollection.testing.store_processes import in_processes

FACTORS = {
    "backend": list(BACKENDS),
    "partitioning": ["date", "sequence", "grouped_sequence", "values"],
    "merge": [None, "concat", "time_series", "upsert"],
    "nested": [False, True],
    "updated": [False, True],
    "dropped": [False, True],
    "copied": [False, True],
    "reopened": ["here", "elsewhere"],
}


def schema_of(*, nested):
    group = "/nested" if nested else None
    return (
        zc.Schema()
        .with_dimension("time", chunks=40)
        .with_dimension("x", size=2)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
        .with_variable("cycle", dtype="int16", dimensions=("time",))
        .with_variable("platform", dtype="U13", dimensions=("time",))
        .with_variable("ascending", dtype="bool", dimensions=("time",))
        .with_variable("row", dtype="int64", dimensions=("time",))
        .with_variable("pass_number", dtype="int64", dimensions=("time",), group=group)
        .with_variable("swath", dtype="float32", dimensions=("time", "x"), fill_value=np.nan, group=group)
        .with_variable("angle", dtype="float64", dimensions=("x",), fill_value=0)
        .build()
    )


def arrays_of(frame, *, nested):
    prefix = "nested/" if nested else ""
    values = frame["row"].to_numpy() + frame["shift"].to_numpy()
    return {
        "time": frame["time"].to_numpy(),
        "cycle": frame["cycle"].to_numpy(),
        "platform": frame["platform"].to_numpy().astype("U13"),
        "ascending": frame["ascending"].to_numpy(),
        "row": frame["row"].to_numpy(),
        f"{prefix}pass_number": frame["pass_number"].to_numpy(),
        f"{prefix}swath": np.stack([values, values + 0.5], axis=1).astype("float32"),
    }


class Both:
    """A collection, and what pandas says that it holds."""

    def __init__(self, collection, keys, *, nested):
        self.collection, self.keys, self.nested = collection, keys, nested
        self.partitions = {}

    def insert(self, frame, merge, *, fixed=False):
        fixed_values = {"angle": [1.0, 2.0]} if fixed else {}
        self.collection.insert(arrays_of(frame, nested=self.nested) | fixed_values, merge=merge)
        oracle.insert(self.partitions, frame, self.keys, merge)

    def update(self):
        path = "nested/swath" if self.nested else "swath"
        self.collection.update(lambda dataset: {path: dataset.get_variable(path).to_numpy() + 7})
        self.partitions = {key: rows.assign(shift=rows["shift"] + 7) for key, rows in self.partitions.items()}

    def drop(self):
        gone = self.collection.keys()[::2]
        self.collection.drop_partitions(filters=lambda key: key in gone)
        for key in sorted(self.partitions)[::2]:
            del self.partitions[key]

    def check(self, collection):
        wanted = pd.concat([self.partitions[key] for key in sorted(self.partitions)])
        found = collection.query()
        for path, values in arrays_of(wanted, nested=self.nested).items():
            np.testing.assert_array_equal(found.get_variable(path).to_numpy(), values, err_msg=path)
        assert found["angle"].to_numpy().tolist() == [1.0, 2.0]
        assert len(collection.partitions()) == len(self.partitions)
        last = collection.keys()[-1]
        some = collection.query(filters=dict(last), variables=["row"])["row"].to_numpy()
        np.testing.assert_array_equal(some, self.partitions[max(self.partitions)]["row"].to_numpy())
        self.check_rows(collection, wanted)
        self.check_engine(collection, found.to_xarray())
        assert collection.verify(data=True).problems == ()

    def check_engine(self, collection, expected):
        opening = xr.open_datatree if self.nested else xr.open_dataset
        xr.testing.assert_equal(opening(collection.store, engine="zcollection"), expected)

    def check_rows(self, collection, wanted):
        path = "nested/swath" if self.nested else "swath"
        middle = np.datetime_as_string(wanted["time"].to_numpy()[len(wanted) // 2])
        asked = {
            f"time >= '{middle}' and cycle < 1": (wanted["time"] >= middle) & (wanted["cycle"] < 1),
            "pass_number in (-1, 2) and ascending": wanted["pass_number"].isin([-1, 2]) & wanted["ascending"],
            "row % 5 == 2 or platform == 'nobody'": wanted["row"] % 5 == 2,
        }
        for where, mask in asked.items():
            values = arrays_of(wanted[mask], nested=self.nested)
            found = collection.query(where=where, variables=["row", path])
            np.testing.assert_array_equal(found["row"].to_numpy(), values["row"], err_msg=where)
            np.testing.assert_array_equal(found.get_variable(path).to_numpy(), values[path], err_msg=where)
            assert collection.count(where) == mask.sum(), where


def rows_of(rng, count, **options):
    return oracle.make_rows(rng, count, days=5, cycles=(-1, 2), passes=(-2, 4), **options).assign(shift=0)


def test_a_collection_equals_pandas(
    backend, partitioning, merge, nested, updated, dropped, copied, reopened, tmp_path, request
):
    place = Place(backend, tmp_path, request)
    build, keys = oracle.partitionings("nested/pass_number" if nested else "pass_number")[partitioning]
    made = zc.create_collection(
        place.url,
        schema=schema_of(nested=nested),
        axis="time",
        partitioning=build(),
        storage_options=place.options,
    )
    rng = np.random.default_rng(7)
    both = Both(made, keys, nested=nested)
    both.insert(rows_of(rng, 150), merge, fixed=True)
    both.insert(rows_of(rng, 90, ids_from=150), merge)
    if updated:
        both.update()
    if dropped:
        both.drop()
        both.insert(rows_of(rng, 30, ids_from=240), merge)
    both.check(made)
    if reopened == "elsewhere" and place.backend.cross_process:
        more = rows_of(rng, 20, ids_from=270)
        arrays = arrays_of(more, nested=nested)
        in_processes(workers.insert, [(pickle.dumps(made), arrays, merge)])
        oracle.insert(both.partitions, more, keys, merge)
    both.check(zc.open_collection(place.url, storage_options=place.options))
    if copied:
        target = Place(backend, tmp_path / "copy", request)
        both.check(made.copy(target.url, storage_options=target.options))
        both.check(zc.open_collection(target.url, storage_options=target.options))
        with pytest.raises(zc.CollectionExistsError):
            made.copy(target.url, storage_options=target.options)


test_a_collection_equals_pandas.factors = FACTORS
