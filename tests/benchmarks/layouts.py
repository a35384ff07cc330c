"""What a benchmark stores: variables, partitions and chunks, in words that every peer understands."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

import zcollection as zc

Arrays = Mapping[str, NDArray[Any]]
Codecs = tuple[Mapping[str, Any], ...] | None

TIME: Final = "time"
UNITS: Final = {TIME: "nanoseconds since 1970-01-01", "latitude": "degrees_north", "longitude": "degrees_east"}


@frozen
class Variable:
    """A column: its path, type, the dimensions beside time with their sizes, and how it is packed."""

    path: str
    dtype: str
    inner: tuple[tuple[str, int], ...] = ()
    packing: zc.Packing | None = None

    @property
    def attributes(self) -> dict[str, str]:
        return {"units": UNITS[self.name]} if self.name in UNITS else {}

    @property
    def dimensions(self) -> tuple[str, ...]:
        return (TIME, *(name for name, _ in self.inner))

    @property
    def group(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def shape(self, rows: int) -> tuple[int, ...]:
        return (rows, *(size for _, size in self.inner))


@frozen
class Partition:
    """One partition: its key, and where its rows lie in the arrays."""

    key: Mapping[str, int]
    start: int
    stop: int

    @property
    def path(self) -> str:
        return "/".join(f"{name}={value:0{4 if name == 'year' else 2}d}" for name, value in self.key.items())

    @property
    def rows(self) -> int:
        return self.stop - self.start

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)


@frozen(kw_only=True)
class Layout:
    """A dataset cut into partitions of one period each.

    Attributes
    ----------
    resolution
        "D" or "M": the period of a partition.
    first
        Number of the first period since 1970.
    counts
        Rows of each partition.
    step
        Nanoseconds between rows; the first row of a partition lies at its start.
    chunk_rows
        Rows of a chunk; a shorter partition is one chunk.
    codecs
        Zarr v3 codecs of every variable; None for zcollection's default profile.
    """

    variables: tuple[Variable, ...]
    resolution: str
    first: int
    counts: tuple[int, ...]
    step: int
    chunk_rows: int
    codecs: Codecs = None

    @cached_property
    def partitions(self) -> tuple[Partition, ...]:
        stops = np.cumsum(self.counts).tolist()
        return tuple(
            Partition(self._key(position), stop - count, stop)
            for position, (count, stop) in enumerate(zip(self.counts, stops, strict=True))
        )

    @cached_property
    def schema(self) -> zc.DatasetSchema:
        builder = zc.Schema().with_dimension(TIME, chunks=self.chunk_rows)
        for name, size in dict(item for variable in self.variables for item in variable.inner).items():
            builder = builder.with_dimension(name, size=size, chunks=size)
        for variable in self.variables:
            builder = builder.with_variable(
                variable.name,
                dtype=variable.dtype,
                dimensions=variable.dimensions,
                packing=variable.packing,
                codecs=self.codecs,
                attrs=variable.attributes,
                group=variable.group,
            )
        return builder.build()

    @cached_property
    def paths(self) -> tuple[str, ...]:
        return tuple(variable.path for variable in self.variables)

    @property
    def rows(self) -> int:
        return sum(self.counts)

    @property
    def nbytes(self) -> int:
        return sum(np.dtype(v.dtype).itemsize * math.prod(v.shape(self.rows)) for v in self.variables)

    def compressors(self, path: str) -> list[dict[str, Any]]:
        """Return the codecs after ``bytes``, as zcollection writes them: the same for every peer."""
        return [dict(codec) for codec in self.schema.get_variable(path).codecs if codec["name"] != "bytes"]

    def chunks(self, variable: Variable, rows: int) -> tuple[int, ...]:
        return variable.shape(min(self.chunk_rows, rows))

    def with_rows(self, *counts: int) -> "Layout":
        """Return this layout with other numbers of rows for its partitions."""
        return evolve(self, counts=counts)

    def period(self, number: int) -> "Layout":
        """Return the layout of one partition, `number` periods after the first."""
        return evolve(self, first=self.first + number, counts=self.counts[:1])

    def partition_start(self, position: int) -> np.datetime64:
        return np.datetime64(self.first + position, self.resolution)

    def _key(self, position: int) -> dict[str, int]:
        words = str(self.partition_start(position)).split("-")
        return {name: int(word) for name, word in zip(("year", "month", "day"), words, strict=False)}
