"""Delta Lake: its own merge, by the delta-rs engine."""

import math
from typing import ClassVar

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from layouts import TIME

from peers.base import Peer, UnsupportedError


class DeltaLake(Peer):
    """One table without partition columns, so that a merge need not look for them; only merges are of interest."""

    about = "deltalake, MERGE on equal times, its default codec"
    libraries: ClassVar = ("deltalake", "pyarrow")
    keeps_order = False

    def insert(self, place, layout, arrays):
        if len(layout.partitions) > 1:
            raise UnsupportedError
        write_deltalake(str(place), _table(layout, arrays))

    def add(self, place, layout, arrays):
        raise UnsupportedError

    def query(self, place, layout, *, variable=None, partition=None):
        table = pa.table(DeltaTable(str(place)).to_pyarrow_table())
        return {item.path: _array(item, table[item.path]) for item in layout.variables}

    def merge(self, place, layout, rows, *, how):
        if how != "upsert":
            raise UnsupportedError
        table = DeltaTable(str(place))
        predicate = f"target.{TIME} = source.{TIME}"
        operation = table.merge(_table(layout, rows), predicate, source_alias="source", target_alias="target")
        operation.when_matched_update_all().when_not_matched_insert_all().execute()


def _table(layout, arrays):
    return pa.table({item.path: _column(item, arrays[item.path]) for item in layout.variables})


def _column(item, values):
    flat = pa.array(values.reshape(-1))
    width = math.prod(size for _, size in item.inner)
    offsets = pa.array(np.arange(0, values.size + 1, width, dtype=np.int32)) if item.inner else None
    return pa.ListArray.from_arrays(offsets, flat) if item.inner else flat


def _array(item, chunked):
    pieces = [piece.flatten() if item.inner else piece for piece in chunked.chunks]
    joined = np.concatenate([piece.to_numpy(zero_copy_only=False) for piece in pieces])
    return joined.reshape(-1, *(size for _, size in item.inner))
