"""Times at which the rows of a partition were delivered: runs of rows delivered by one change, in row order."""

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
    """Times at which the rows of a partition were delivered, in row order.

    Attributes
    ----------
    times
        When the change that delivered each run of rows began, by the clock of its writer, in UTC: datetime64[ms], shape
        (runs,). NaT if unknown.
    rows
        The number of rows of each run: int64, at least 1.
    """

    times: NDArray[np.datetime64] = field(repr=lambda times: f"<{len(times):,} runs>")
    rows: NDArray[np.int64] = field(repr=False)

    @classmethod
    def at(cls, time: int | None, rows: int) -> Self:
        """Return `rows` rows delivered together at a time in milliseconds since 1970; None if it is unknown."""
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

    def select(self, rows: NDArray[Any]) -> "Deliveries":
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
            The time of this change, in milliseconds since 1970; None if unknown.
        """
        before = int(self.rows.sum())
        first, last = _staying(source, before)
        part = source[first : len(source) - last]
        came = part < 0
        times = np.full(len(part), _UNKNOWN if time is None else time, np.int64).view(_TYPE)
        if not came.all():
            times[~came] = self.each[part[~came]]
        return Deliveries._joined(self._between(0, first), Deliveries.of(times), self._between(before - last, before))

    def _between(self, start: int, stop: int) -> "Deliveries":
        """Return the rows from `start` up to `stop`."""
        stops = np.cumsum(self.rows)
        rows = np.minimum(stops, stop) - np.maximum(stops - self.rows, start)
        return Deliveries(times=self.times[rows > 0], rows=rows[rows > 0])

    @classmethod
    def _joined(cls, *parts: "Deliveries") -> Self:
        """Return the rows of several parts; neighbouring runs of one time become one run."""
        times, rows = np.concatenate([item.times for item in parts]), np.concatenate([item.rows for item in parts])
        numbers = times.view(np.int64)
        starts = np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]])[: len(numbers)])
        return cls(times=times[starts], rows=np.add.reduceat(rows, starts) if len(starts) else rows)

    def bounded(self, most: int = MOST) -> "Deliveries":
        """Return the same with so many runs at most: as many of the oldest times are unknown as that takes."""
        if len(self.rows) <= most:
            return self
        times = self.times.view(np.int64)
        # Two runs become one when the younger of them is forgotten too; an unknown time is the smallest number.
        younger = np.maximum(times[1:], times[:-1])[times[1:] != times[:-1]]
        newest = _UNKNOWN if len(younger) < most else np.partition(younger, -most)[-most]
        kept = np.where(times <= newest, _UNKNOWN, times).view(_TYPE)
        return Deliveries._joined(Deliveries(times=kept, rows=self.rows))

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


def _staying(source: NDArray[np.int64], before: int) -> tuple[int, int]:
    """Return how many of the first and how many of the last of `before` rows stay the first and the last rows of a merge."""
    most = min(len(source), before)
    first = _leading(source[:most] == np.arange(most))
    most -= first
    last = _leading(source[::-1][:most] == np.arange(before - 1, before - 1 - most, -1))
    return first, last


def _leading(are_equal: NDArray[np.bool_]) -> int:
    """Return the number of values before the first False."""
    return len(are_equal) if are_equal.all() else int(np.argmin(are_equal))


def _packed(times: NDArray[np.int64], rows: NDArray[np.int64]) -> str:
    """Return runs as text: the steps from time to time and the numbers of rows, byte by byte, compressed."""
    columns = np.stack([np.diff(times, prepend=np.int64(0)), rows]).astype("<i8")
    planes = columns.view(np.uint8).reshape(2, -1, 8).transpose(0, 2, 1)
    # Most bytes are in runs of zeros: looking for nothing but runs is several times faster, and the result is no longer.
    stream = zlib.compressobj(strategy=zlib.Z_RLE)
    return base64.b64encode(stream.compress(planes.tobytes()) + stream.flush()).decode()


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
