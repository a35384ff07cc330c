"""What a peer must do."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from layouts import Arrays, Layout, Partition
from merging import merged
from numpy.typing import NDArray
from questions import Question
from storages import FILES, Storage


class UnsupportedError(Exception):
    """The peer has no such operation; the report shows a dash."""


class Peer(ABC):
    """A way of storing a partitioned dataset in a directory, or in a bucket.

    Peers keep nothing open between operations: each opens what it reads. But for zcollection and Parquet, which find
    the partition of every row themselves, they are told how the rows are cut, and where the partitions lie.

    Attributes
    ----------
    about
        What it does, in a line of the report.
    libraries
        Distributions whose versions the report states.
    keeps_order
        Whether a query returns rows in the order of the partitions.
    only_files
        Whether it knows no other storage.
    storage
        What its places lie on.
    """

    about: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]]
    keeps_order: ClassVar[bool] = True
    only_files: ClassVar[bool] = True
    storage: Storage = FILES

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def on(self, storage: Storage) -> Self:
        """Return the same peer on another storage."""
        moved = copy.copy(self)
        moved.storage = storage
        return moved

    def prepare(self, layout: Layout) -> None:  # noqa: B027 - most peers have nothing to do
        """Compute what may be known beforehand; not timed."""

    def insert(self, place: Path, layout: Layout, arrays: Arrays) -> None:
        """Make a new dataset."""
        self.create(place, layout)
        self.add(place, layout, arrays)

    def create(self, place: Path, layout: Layout) -> None:  # noqa: B027 - most peers have nothing to do
        """Make an empty dataset."""

    @abstractmethod
    def add(self, place: Path, layout: Layout, arrays: Arrays) -> None:
        """Write the partitions of `layout`, which do not exist yet, into a dataset that exists."""

    @abstractmethod
    def query(
        self, place: Path, layout: Layout, *, variable: str | None = None, partition: Partition | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return all variables or one, of all partitions or of one, as arrays in memory."""

    def plain(self, place: Path, layout: Layout) -> dict[str, NDArray[Any]]:
        """Return all variables as plain xarray reads partitions that were written with names of their own."""
        raise UnsupportedError

    def ask(self, place: Path, layout: Layout, question: Question) -> dict[str, NDArray[Any]]:
        """Return the rows that are asked for, as arrays in memory."""
        raise UnsupportedError

    def count(self, place: Path, layout: Layout, question: Question) -> int:
        """Return how many rows are asked for."""
        raise UnsupportedError

    def means(self, place: Path, layout: Layout, variables: Sequence[str]) -> dict[str, float]:
        """Return the mean of each of some variables over all rows, without all of them in memory."""
        raise UnsupportedError

    def chunks_read(self, place: Path, layout: Layout, question: Question) -> int | None:  # noqa: B027 - most have none
        """Return from how many chunks the rows that are asked for are read; None where there are no chunks of ours."""

    def merge(self, place: Path, layout: Layout, rows: Arrays, *, how: str) -> None:
        """Merge rows into the only partition of `layout`: here, read it whole, merge it and write it whole."""
        (partition,) = layout.partitions
        result = merged(self.query(place, layout, partition=partition), rows, how=how)
        self.rewrite(place, layout.with_rows(len(next(iter(result.values())))), result)

    def start(self, processes: int) -> None:  # noqa: B027 - peers without an update start nothing
        """Start the processes of an update; not timed."""

    def update(self, place: Path, layout: Layout, variable: str, *, processes: int) -> None:
        """Write a variable anew as `computed` of itself, with threads or in other processes."""
        raise UnsupportedError

    def rewrite(self, place: Path, layout: Layout, arrays: Arrays) -> None:
        """Write the only partition of `layout` in the place of the one that exists."""
        raise UnsupportedError


def swap(new: Path, target: Path) -> None:
    """Put a directory in the place of another, which is kept beside it: deleting it is not timed for anyone."""
    target.rename(new.with_name(new.name + "-replaced"))
    new.rename(target)


def computed(values: NDArray[Any]) -> NDArray[Any]:
    """Return what an update makes of a variable."""
    result: NDArray[Any] = np.sqrt(values * values + 1)
    return result
