"""Deliveries: the insertion times of the rows of a partition, as runs of rows that one change inserted, in row order."""

import base64
import zlib
from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

MOST: Final = 2048
"""Largest number of runs stored for a partition: more than one for each minute of a day. Of more runs, the oldest become unknown."""

_UNKNOWN: Final = np.iinfo(np.int64).min
"""NaT as an int64."""

_TYPE: Final = "datetime64[ms]"

_MOST_PLAIN: Final = 16
"""Number of runs up to which they are stored as JSON numbers; more are compressed, because each insert writes all of them again."""


@frozen(kw_only=True, eq=False)
class Deliveries:
    """The insertion times of the rows of a partition, in row order.

    Attributes
    ----------
    times
        For each run of rows, when the change that inserted it began, by the clock of its writer, in UTC:
        datetime64[ms], shape (runs,). NaT if unknown.
    rows
        The number of rows of each run: int64, at least 1.
    """

    times: NDArray[np.datetime64] = field(repr=lambda times: f"<{len(times):,} runs>")
    rows: NDArray[np.int64] = field(repr=False)

    @classmethod
    def at(cls, time: int | None, rows: int) -> Self:
        """Return the deliveries of `rows` rows inserted together, at a time in milliseconds since 1970; None if it is unknown."""
        numbers = np.full(min(rows, 1), _UNKNOWN if time is None else time, np.int64)
        return cls(times=numbers.view(_TYPE), rows=np.full(len(numbers), rows, np.int64))

    @classmethod
    def of(cls, times: NDArray[np.datetime64]) -> Self:
        """Return the deliveries of rows, given the insertion time of each: datetime64[ms], shape (rows,)."""
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
        """Return the deliveries of some of the rows, selected by row numbers or by a mask."""
        if len(self.rows) == 1:  # the usual case: all rows were inserted together
            count = np.count_nonzero(rows) if rows.dtype == np.bool_ else len(rows)
            return Deliveries(times=self.times[: min(count, 1)], rows=np.full(min(count, 1), count, np.int64))
        return Deliveries.of(self.each[rows])

    def merged(self, source: NDArray[np.int64], time: int | None) -> "Deliveries":
        """Return the deliveries of the rows after a merge.

        Parameters
        ----------
        source
            As in `RowPlan`: row s of the existing rows where s >= 0, else an inserted row.
        time
            The time of the insert, in milliseconds since 1970; None if unknown.
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
        """Return the deliveries in at most `most` runs: as many of the oldest times as necessary become unknown."""
        if len(self.rows) <= most:
            return self
        times = self.times.view(np.int64)
        # Two neighbouring runs become one when the times of both are unknown; an unknown time is the smallest number.
        younger = np.maximum(times[1:], times[:-1])[times[1:] != times[:-1]]
        newest = _UNKNOWN if len(younger) < most else np.partition(younger, -most)[-most]
        kept = np.where(times <= newest, _UNKNOWN, times).view(_TYPE)
        return Deliveries._joined(Deliveries(times=kept, rows=self.rows))

    def to_json(self) -> dict[str, Any] | None:
        """Return the deliveries as a JSON value, with times in milliseconds since 1970; None if no time is known."""
        kept = self.bounded()
        if np.isnat(kept.times).all():
            return None
        if len(kept.rows) > _MOST_PLAIN:
            return {"packed": _packed(kept.times.view(np.int64), kept.rows)}
        times = [None if time == _UNKNOWN else time for time in kept.times.view(np.int64).tolist()]
        return {"times": times, "rows": kept.rows.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None, *, rows: int) -> Self:
        """Return the deliveries of `rows` rows from a value of `to_json`; all times are unknown if the value is invalid."""
        if value is None:
            return cls.at(None, rows)
        try:
            times, counts = _unpacked(value["packed"]) if "packed" in value else _plain(value)
        except (LookupError, TypeError, ValueError, OverflowError, zlib.error):
            return cls.at(None, rows)
        if times.ndim != 1 or times.shape != counts.shape or (counts < 1).any() or counts.sum() != rows:
            return cls.at(None, rows)
        return cls(times=times.view(_TYPE), rows=counts)


def _staying(source: NDArray[np.int64], before: int) -> tuple[int, int]:
    """Return how many of `before` existing rows remain in place at the beginning, and how many at the end, of a merge result."""
    most = min(len(source), before)
    first = _leading(source[:most] == np.arange(most))
    most -= first
    last = _leading(source[::-1][:most] == np.arange(before - 1, before - 1 - most, -1))
    return first, last


def _leading(are_equal: NDArray[np.bool_]) -> int:
    """Return the number of values before the first False."""
    return len(are_equal) if are_equal.all() else int(np.argmin(are_equal))


def _packed(times: NDArray[np.int64], rows: NDArray[np.int64]) -> str:
    """Return runs as a base64 string: the differences of the times and the numbers of rows, shuffled by byte and compressed."""
    columns = np.stack([np.diff(times, prepend=np.int64(0)), rows]).astype("<i8")
    planes = columns.view(np.uint8).reshape(2, -1, 8).transpose(0, 2, 1)
    # Most bytes are in runs of zeros: searching for runs only is several times faster, and the result is as short.
    stream = zlib.compressobj(strategy=zlib.Z_RLE)
    return base64.b64encode(stream.compress(planes.tobytes()) + stream.flush()).decode()


def _unpacked(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the times and the numbers of rows of runs; raises `ValueError` if there are more data than valid runs can need."""
    data = base64.b64decode(text, validate=True)
    stream = zlib.decompressobj()
    unpacked = stream.decompress(data, 16 * MOST)
    if not stream.eof:
        message = f"more than {16 * MOST} bytes, or incomplete"
        raise ValueError(message)
    planes = np.frombuffer(unpacked, np.uint8).reshape(2, 8, -1)
    steps, rows = np.ascontiguousarray(planes.transpose(0, 2, 1)).view("<i8")[..., 0].astype(np.int64)
    return np.cumsum(steps), rows


def _plain(value: Mapping[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the times and the numbers of rows of runs that are stored as JSON numbers."""
    times = np.array([_UNKNOWN if time is None else time for time in value["times"]], np.int64)
    return times, np.array(value["rows"], np.int64)
