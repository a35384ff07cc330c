"""zcollection, through its public names."""

from typing import ClassVar

from layouts import TIME

import zcollection as zc
from peers.base import Peer


class Ours(Peer):
    """A collection on ``file://``, partitioned by date, with its catalog."""

    about = "zcollection on file://, with its catalog"
    libraries: ClassVar = ("zcollection", "numcodecs", "numpy", "zarr")

    def create(self, place, layout):
        zc.create_collection(
            f"file://{place}",
            schema=layout.schema,
            axis=TIME,
            partitioning=zc.partitioning.Date((TIME,), resolution=layout.resolution),
        )

    def insert(self, place, layout, arrays):
        with zc.config.using(threads=self.threads):
            self.create(place, layout)
            self.add(place, layout, arrays)

    def add(self, place, layout, arrays):
        with zc.config.using(threads=self.threads):
            zc.open_collection(f"file://{place}", mode="rw").insert(arrays)

    def query(self, place, layout, *, variable=None, partition=None):
        with zc.config.using(threads=self.threads):
            found = zc.open_collection(f"file://{place}").query(
                filters=None if partition is None else partition.key,
                variables=None if variable is None else [variable],
            )
            return {path: item.to_numpy() for path, item in found.all_variables().items()}

    def merge(self, place, layout, rows, *, how):
        with zc.config.using(threads=self.threads):
            zc.open_collection(f"file://{place}", mode="rw").insert(rows, merge=how)
