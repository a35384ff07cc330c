"""Apache Parquet: a dataset in hive style, written and read by pyarrow, zstd at its default level."""

import math
import operator
from functools import reduce
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pad
from attrs import evolve
from layouts import TIME

from peers.base import Peer

_COMPRESSIONS = {"blosc": "zstd", "zstd": "zstd", "none": "none"}


class Parquet(Peer):
    """Columns with two dimensions are lists of a fixed size; partition columns are computed from time, as ours are."""

    about = "pyarrow, a hive-partitioned dataset, one file a partition"
    libraries: ClassVar = ("pyarrow",)
    keeps_order = False  # directories are listed as month=1, month=10, month=2

    def __init__(self, threads):
        super().__init__(threads)
        pa.set_cpu_count(threads)

    def add(self, place, layout, arrays):
        table = _table(layout, arrays)
        pad.write_dataset(
            table,
            place,
            format="parquet",
            partitioning=_partitioning(layout),
            file_options=pad.ParquetFileFormat().make_write_options(compression=compression(layout)),
            existing_data_behavior="delete_matching",
            max_partitions=len(layout.partitions) + 1,
        )

    def rewrite(self, place, layout, arrays):
        self.add(place, layout, arrays)

    def query(self, place, layout, *, variable=None, partition=None):
        variables = [item for item in layout.variables if variable in {None, item.path}]
        table = _dataset(place, layout).to_table(
            columns=[item.path for item in variables], filter=None if partition is None else _filter(partition)
        )
        return {item.path: _array(item, table[item.path]) for item in variables}

    def ask(self, place, layout, question):
        variables = [item for item in layout.variables if item.path in question.variables]
        table = _dataset(place, layout).to_table(columns=list(question.variables), filter=_condition(layout, question))
        return {item.path: _array(item, table[item.path]) for item in variables}

    def count(self, place, layout, question):
        return _dataset(place, layout).count_rows(filter=_condition(layout, question))


def compression(layout):
    """Return Parquet's default zstd for our default, and the same family of codec where one was asked for."""
    if layout.codecs is None:
        return "zstd"
    last = dict(layout.codecs[-1]) if layout.codecs else {"name": "none"}
    return "lz4" if last.get("configuration", {}).get("cname") == "lz4" else _COMPRESSIONS[last["name"]]


def _table(layout, arrays):
    columns = {item.path: column(item, arrays[item.path]) for item in layout.variables}
    times = columns[TIME].cast(pa.timestamp("ns"))
    keys = {name: getattr(pc, name)(times).cast(pa.int32()) for name in layout.partitions[0].key}
    return pa.table({**columns, **keys})


def column(item, values):
    """Return an array as a column, without a copy."""
    width = math.prod(size for _, size in item.inner)
    flat = pa.array(values.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, width) if item.inner else flat


def _array(item, chunked):
    pieces = [piece.flatten() if item.inner else piece for piece in chunked.chunks]
    values = [piece.to_numpy() for piece in pieces]
    return (values[0] if len(values) == 1 else np.concatenate(values)).reshape(-1, *(size for _, size in item.inner))


def _dataset(place, layout):
    return pad.dataset(place, format="parquet", partitioning=_partitioning(layout))


def _partitioning(layout):
    return pad.partitioning(pa.schema([(name, pa.int32()) for name in layout.partitions[0].key]), flavor="hive")


def _filter(partition):
    condition = pc.scalar(True)
    for name, value in partition.key.items():
        condition &= pc.field(name) == value
    return condition


def _condition(layout, question):
    """Return what is asked for; a number beside a float32 is one too, so that it is compared as NumPy compares it."""
    types = {item.path: pa.from_numpy_dtype(item.dtype) for item in layout.variables}
    compared = [
        evolve(item, value=pa.scalar(item.value, types.get(item.name, pa.int32()))).apply(pc.field(item.name))
        for item in (*question.comparisons, *question.keys)
    ]
    return reduce(operator.and_, compared)
