"""zcollection, through its public names."""

from contextlib import contextmanager
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
from layouts import TIME
from storages import FILES
from zcollection_store_file.blocking import Files

import zcollection as zc
from peers.base import Peer


class Ours(Peer):
    """A collection partitioned by date, with its catalog."""

    about = "zcollection, with its catalog"
    libraries: ClassVar = ("zcollection", "numcodecs", "numpy", "obstore", "zarr")
    only_files = False

    def create(self, place, layout):
        zc.create_collection(
            self.storage.url(place),
            storage_options=self.storage.options,
            schema=layout.schema,
            axis=TIME,
            partitioning=zc.partitioning.Date((TIME,), resolution=layout.resolution),
        )

    def insert(self, place, layout, arrays):
        with zc.config.using(threads=self.threads):
            self.create(place, layout)
            self.add(place, layout, arrays)

    def _open(self, place, mode):
        return zc.open_collection(self.storage.url(place), mode=mode, storage_options=self.storage.options)

    def add(self, place, layout, arrays):
        with zc.config.using(threads=self.threads):
            self._open(place, "rw").insert(arrays)

    def query(self, place, layout, *, variable=None, partition=None):
        return self._found(
            place,
            filters=None if partition is None else partition.key,
            variables=None if variable is None else [variable],
        )

    def _found(self, place, **options):
        with zc.config.using(threads=self.threads):
            found = self._open(place, "r").query(**options)
            return {path: item.to_numpy() for path, item in found.all_variables().items()}

    def ask(self, place, layout, question):
        return self._found(place, **chosen(question), variables=question.variables)

    def count(self, place, layout, question):
        with zc.config.using(threads=self.threads):
            return self._open(place, "r").count(**chosen(question))

    def means(self, place, layout, variables):
        sums, rows = dict.fromkeys(variables, 0.0), 0
        with zc.config.using(threads=self.threads):
            for part in self._open(place, "r").scan(variables=variables):
                rows += part.sizes[TIME]
                sums |= {name: sums[name] + part[name].to_numpy().sum(dtype="float64") for name in variables}
        return {name: total / rows for name, total in sums.items()}

    def chunks_read(self, place, layout, question):
        if self.storage is not FILES:
            return None
        with _noting_reads() as keys:
            self.ask(place, layout, question)
        return sum(_is_chunk(key) for key in keys)

    def plain(self, place, layout):
        import xarray as xr

        stores = [self.storage.zarr(place, part.path) for part in layout.partitions]
        opened = [xr.open_zarr(store, chunks=None, decode_times=False, consolidated=False) for store in stores]
        joined = xr.concat(opened, dim=TIME, join="override", combine_attrs="override")
        return {path: joined[path].to_numpy() for path in layout.paths}

    def merge(self, place, layout, rows, *, how):
        with zc.config.using(threads=self.threads):
            self._open(place, "rw").insert(rows, merge=how)

    def start(self, processes):
        if processes and processes not in _CLIENTS:
            import dask
            from distributed import Client, LocalCluster

            dask.config.set({"distributed.worker.multiprocessing-method": "spawn"})
            options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "host": "127.0.0.1"}
            client = Client(LocalCluster(n_workers=processes, **options), set_as_default=False)
            client.run(zc.config.get)  # imports what a worker needs
            _CLIENTS[processes] = client

    def update(self, place, layout, variable, *, processes):
        with zc.config.using(threads=self.threads, client=_CLIENTS.get(processes)):
            self._open(place, "rw").update(_Computed(variable), variables=[variable])


_CLIENTS: dict[int, Any] = {}


def chosen(question):
    """Return what is asked for as a user writes it: a box as such, times as ISO text."""
    where = _text(question.comparisons) if question.box is None else zc.rows.box(**question.box)
    return {"where": where, "filters": _text(question.keys) or None}


def _text(comparisons):
    return " and ".join(f"{item.name} {item.operator} {_literal(item)}" for item in comparisons)


def _literal(comparison):
    return f"'{np.datetime64(comparison.value, 'ns')}'" if comparison.name == TIME else repr(comparison.value)


def _is_chunk(key):
    """Return whether a key is that of a chunk of a partition; the catalog and the log begin with "_"."""
    return "c" in key.split("/") and not key.startswith("_")


@contextmanager
def _noting_reads():
    """Collect the keys that are read of files."""
    keys, get = set(), Files.get

    def noting(files, reads):
        keys.update(read.key for read in reads)
        return get(files, reads)

    with patch.object(Files, "get", noting):
        yield keys


class _Computed:
    def __init__(self, variable):
        self.variable = variable

    def __call__(self, dataset):
        values = dataset[self.variable].to_numpy()
        return {self.variable: np.sqrt(values * values + 1)}
