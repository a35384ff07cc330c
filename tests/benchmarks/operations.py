"""The operations that are timed; what goes before and after them is not."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import values
from attrs import field, frozen
from checks import WrongResultError, check
from layouts import Arrays, Layout
from merging import merged
from peers.base import Peer, computed
from questions import Question


class Operation(ABC):
    """One thing that every peer does, in a directory of its own or one that it shares with other operations.

    Attributes
    ----------
    name
        As the report calls it.
    layout
        What it reads or writes.
    shares
        Operations with the same word here work in the same directory; empty for one of its own.
    lasting
        Whether the directory serves all rounds.
    writes
        Whether what it leaves on the disk is worth reporting.
    """

    name: str
    layout: Layout
    shares: ClassVar[str] = ""
    lasting: ClassVar[bool] = False
    writes: ClassVar[bool] = False

    def prepare(self, peer: Peer, place: Path, number: int) -> None:
        """Make ready for round `number`."""
        peer.prepare(self.layout)

    @abstractmethod
    def run(self, peer: Peer, place: Path, number: int) -> Arrays | int | None:
        """Do it; this is timed."""

    @abstractmethod
    def check(self, peer: Peer, place: Path, number: int, result: Arrays | int | None) -> None:
        """Raise WrongResultError if the result is wrong."""

    def count(self, peer: Peer, place: Path) -> dict[str, int]:
        """Return by name what is of interest beside the time; it is asked once, and not timed."""
        return {}


@frozen
class Insert(Operation):
    """A new dataset, all partitions at once."""

    layout: Layout
    arrays: Arrays
    name: str = "insert"
    shares = "dataset"
    writes = True

    def run(self, peer, place, number):
        peer.insert(place, self.layout, self.arrays)

    def check(self, peer, place, number, result):
        check(peer.query(place, self.layout), self.arrays, sort=not peer.keeps_order)


@frozen
class Query(Operation):
    """All rows, or those of one partition, of all variables or of one; whatever it reads is opened afresh."""

    layout: Layout
    arrays: Arrays
    name: str = "query all"
    variable: str | None = None
    position: int | None = None
    shares = "dataset"

    def run(self, peer, place, number):
        partition = None if self.position is None else self.layout.partitions[self.position]
        return peer.query(place, self.layout, variable=self.variable, partition=partition)

    def check(self, peer, place, number, result):
        wanted = self.arrays if self.variable is None else {self.variable: self.arrays[self.variable]}
        part = slice(None) if self.position is None else self.layout.partitions[self.position].slice
        check(result, values.rows(wanted, part), sort=not peer.keeps_order)


@frozen
class PlainQuery(Query):
    """All rows of our partitions as plain xarray reads them, which decodes what is packed."""

    name: str = "query all, plain xarray"

    def run(self, peer, place, number):
        return peer.plain(place, self.layout)

    def check(self, peer, place, number, result):
        for path, wanted in self.arrays.items():
            if not np.allclose(result[path], wanted, rtol=1e-6):
                message = f"{path} differs from what was given"
                raise WrongResultError(message)


@frozen
class Merge(Operation):
    """Rows merged into one partition that exists."""

    layout: Layout
    existing: Arrays
    inserted: Arrays
    how: str
    name: str

    def prepare(self, peer, place, number):
        peer.prepare(self.layout)
        peer.insert(place, self.layout, self.existing)

    def run(self, peer, place, number):
        peer.merge(place, self.layout, self.inserted, how=self.how)

    def check(self, peer, place, number, result):
        wanted = merged(self.existing, self.inserted, how=self.how)
        after = self.layout.with_rows(len(next(iter(wanted.values()))))
        check(peer.query(place, after), wanted, sort=not peer.keeps_order)


@frozen
class NewPeriod(Operation):
    """A partition more in a dataset that has `layout`; every round adds the next one to the same dataset."""

    layout: Layout
    arrays: Arrays
    seed: int
    name: str = "insert one new day"
    lasting = True
    _made: dict[int, Arrays] = field(factory=dict)

    def prepare(self, peer, place, number):
        peer.prepare(self.layout)
        if number == 0:
            peer.insert(place, self.layout, self.arrays)
        peer.prepare(self._added(number))
        if number not in self._made:
            self._made[number] = values.arrays(self._added(number), seed=self.seed + number)

    def run(self, peer, place, number):
        peer.add(place, self._added(number), self._made[number])

    def check(self, peer, place, number, result):
        added = self._added(number)
        found = peer.query(place, added, partition=added.partitions[0])
        check(found, self._made[number], sort=not peer.keeps_order)

    def _added(self, number):
        return self.layout.period(len(self.layout.counts) + number)


@frozen
class Update(Operation):
    """One variable of every partition computed anew, by threads or by other processes."""

    layout: Layout
    arrays: Arrays
    variable: str
    processes: int
    name: str

    def prepare(self, peer, place, number):
        peer.prepare(self.layout)
        peer.start(self.processes)
        peer.insert(place, self.layout, self.arrays)

    def run(self, peer, place, number):
        peer.update(place, self.layout, self.variable, processes=self.processes)

    def check(self, peer, place, number, result):
        wanted = {**self.arrays, self.variable: computed(self.arrays[self.variable])}
        check(peer.query(place, self.layout), wanted, sort=not peer.keeps_order)


@frozen(eq=False)
class Dataset:
    """What questions are asked of: each peer writes it once, for all rounds."""

    layout: Layout
    arrays: Arrays
    _places: set[Path] = field(factory=set)

    def write(self, peer: Peer, place: Path) -> None:
        """Write it, unless the peer has."""
        if place not in self._places:
            peer.prepare(self.layout)
            peer.insert(place, self.layout, self.arrays)
            self._places.add(place)


@frozen
class Ask(Operation):
    """The rows that a question is about; the collection or the files are opened afresh."""

    dataset: Dataset
    question: Question
    name: str
    shares = "dataset"
    lasting = True

    @property
    def layout(self):
        return self.dataset.layout

    def prepare(self, peer, place, number):
        self.dataset.write(peer, place)

    def run(self, peer, place, number):
        return peer.ask(place, self.layout, self.question)

    def check(self, peer, place, number, result):
        check(result, self.question.answer(self.dataset.arrays), sort=not peer.keeps_order)

    def count(self, peer, place):
        found = peer.chunks_read(place, self.layout, self.question)
        return {} if found is None else {CHUNKS_READ: found, CHUNKS_WITH_ROWS: self._chunks_with_rows()}

    def _chunks_with_rows(self):
        mask = self.question.mask(self.dataset.arrays)
        chunks = [
            mask[start : min(start + self.layout.chunk_rows, part.stop)]
            for part in self.layout.partitions
            for start in range(part.start, part.stop, self.layout.chunk_rows)
        ]
        return len(self.question.variables) * sum(bool(chunk.any()) for chunk in chunks)


@frozen
class Means(Ask):
    """The mean of each of some variables, over all rows."""

    def run(self, peer, place, number):
        return peer.means(place, self.layout, self.question.variables)

    def check(self, peer, place, number, result):
        wanted = {name: self.dataset.arrays[name].mean(dtype="float64") for name in self.question.variables}
        if result.keys() != wanted.keys() or not all(np.isclose(result[name], wanted[name]) for name in wanted):
            message = f"the means {result} were returned instead of {wanted}"
            raise WrongResultError(message)

    def count(self, peer, place):
        return {}


CHUNKS_READ: Final = "chunks read"
CHUNKS_WITH_ROWS: Final = "chunks with such rows"


@frozen
class Count(Ask):
    """How many rows a question is about."""

    def run(self, peer, place, number):
        return peer.count(place, self.layout, self.question)

    def check(self, peer, place, number, result):
        wanted = int(self.question.mask(self.dataset.arrays).sum())
        if result != wanted:
            message = f"{result} rows were counted instead of {wanted}"
            raise WrongResultError(message)

    def count(self, peer, place):
        return {}
