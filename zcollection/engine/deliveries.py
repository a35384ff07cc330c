"""When each row of a partition was brought: runs of rows that came with one change, in the order of the rows."""

import base64
import zlib
from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

MOST: Final = 2048
"""Runs that are kept of a partition at most, one for each minute of a day among them: beyond, the oldest times are forgotten."""

_UNKNOWN: Final = np.iinfo(np.int64).min
"""NaT, as a number."""

_TYPE: Final = "datetime64[ms]"


_MOST_PLAIN: Final = 16
"""Runs up to which they are numbers in JSON; more are compressed, for all of them are written with each row that comes."""


@frozen(kw_only=True, eq=False)
class Deliveries:
    """When the rows of a partition were brought, in their order.

    Attributes
    ----------
    times
        When the change began that brought each run of rows, by the clock of who wrote it, in UTC: datetime64[ms], shape (runs,).
        NaT where nobody knows.
    rows
        The number of rows of each run: int64, at least 1.
    """

    times: NDArray[np.datetime64] = field(repr=lambda times: f"<{len(times):,} runs>")
    rows: NDArray[np.int64] = field(repr=False)

    @classmethod
    def at(cls, time: int | None, rows: int) -> Self:
        """Return so many rows that came together, in milliseconds since 1970; None where nobody knows when."""
        numbers = np.full(min(rows, 1), _UNKNOWN if time is None else time, np.int64)
        return cls(times=numbers.view(_TYPE), rows=np.full(len(numbers), rows, np.int64))

    @classmethod
    def of(cls, times: NDArray[np.datetime64]) -> Self:
        """Return rows given the time of each: datetime64[ms], shape (rows,)."""
        numbers = times.view(np.int64)
        edges = np.concatenate([[0], np.flatnonzero(np.diff(numbers)) + 1, [len(numbers)]])
        starts, rows = edges[:-1], np.diff(edges)
        return cls(times=times[starts[rows > 0]], rows=rows[rows > 0])

    @property
    def each(self) -> NDArray[np.datetime64]:
        """The time of each row."""
        times: NDArray[np.datetime64] = np.repeat(self.times, self.rows)
        return times

    def chosen(self, rows: NDArray[Any]) -> "Deliveries":
        """Return some of the rows, given by their numbers or as a mask."""
        if len(self.rows) == 1:  # as nearly always, all of them came together
            count = np.count_nonzero(rows) if rows.dtype == np.bool_ else len(rows)
            return Deliveries(times=self.times[: min(count, 1)], rows=np.full(min(count, 1), count, np.int64))
        return Deliveries.of(self.each[rows])

    def merged(self, source: NDArray[np.int64], time: int | None) -> "Deliveries":
        """Return the rows that a merge makes.

        Parameters
        ----------
        source
            As in `RowPlan`: row s of these where s >= 0, else one that comes now.
        time
            When that is; None where nobody knows.
        """
        came = source < 0
        times = np.full(len(source), _UNKNOWN if time is None else time, np.int64).view(_TYPE)
        times[~came] = self.each[source[~came]]
        return Deliveries.of(times)

    def bounded(self, most: int = MOST) -> "Deliveries":
        """Return the same with so many runs at most: as many of the oldest times are unknown as that takes."""
        if len(self.rows) <= most:
            return self
        times = self.times.view(np.int64)
        known = np.unique(times[times != _UNKNOWN])
        ranks = np.where(times == _UNKNOWN, -1, np.searchsorted(known, times))
        # Two runs become one when the younger of them is forgotten too.
        younger = np.sort(np.maximum(ranks[1:], ranks[:-1])[times[1:] != times[:-1]])
        count = 0 if len(younger) < most else younger[-most] + 1
        return self._without(ranks < count)

    def _without(self, forgotten: NDArray[np.bool_]) -> "Deliveries":
        times = np.where(forgotten, np.datetime64("NaT", "ms"), self.times)
        first = np.concatenate([[True], np.diff(times.view(np.int64)) != 0])
        return Deliveries(times=times[first], rows=np.add.reduceat(self.rows, np.flatnonzero(first)))

    def to_json(self) -> dict[str, Any] | None:
        """Return what `from_json` reads, times in milliseconds since 1970; None where no time is known."""
        kept = self.bounded()
        if np.isnat(kept.times).all():
            return None
        if len(kept.rows) > _MOST_PLAIN:
            return {"packed": _packed(kept.times.view(np.int64), kept.rows)}
        times = [None if time == _UNKNOWN else time for time in kept.times.view(np.int64).tolist()]
        return {"times": times, "rows": kept.rows.tolist()}

    @classmethod
    def from_json(cls, found: Mapping[str, Any] | None, *, rows: int) -> Self:
        """Return what `to_json` wrote of so many rows; with no time known where it is something else."""
        if found is None:
            return cls.at(None, rows)
        try:
            times, counts = _unpacked(found["packed"]) if "packed" in found else _plain(found)
        except (LookupError, TypeError, ValueError, OverflowError, zlib.error):
            return cls.at(None, rows)
        if times.ndim != 1 or times.shape != counts.shape or (counts < 1).any() or counts.sum() != rows:
            return cls.at(None, rows)
        return cls(times=times.view(_TYPE), rows=counts)


def _packed(times: NDArray[np.int64], rows: NDArray[np.int64]) -> str:
    """Return runs as text: the steps from time to time and the numbers of rows, byte by byte, compressed."""
    columns = np.stack([np.diff(times, prepend=np.int64(0)), rows]).astype("<i8")
    planes = columns.view(np.uint8).reshape(2, -1, 8).transpose(0, 2, 1)
    return base64.b64encode(zlib.compress(planes.tobytes())).decode()


def _unpacked(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the times and the rows of runs; raises `ValueError` where the text is too large to be one of them."""
    data = base64.b64decode(text, validate=True)
    stream = zlib.decompressobj()
    unpacked = stream.decompress(data, 16 * MOST)
    if not stream.eof:
        message = f"more than {16 * MOST} bytes, or a part of a text"
        raise ValueError(message)
    planes = np.frombuffer(unpacked, np.uint8).reshape(2, 8, -1)
    steps, rows = np.ascontiguousarray(planes.transpose(0, 2, 1)).view("<i8")[..., 0].astype(np.int64)
    return np.cumsum(steps), rows


def _plain(found: Mapping[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the times and the rows of runs that are numbers."""
    times = np.array([_UNKNOWN if time is None else time for time in found["times"]], np.int64)
    return times, np.array(found["rows"], np.int64)
