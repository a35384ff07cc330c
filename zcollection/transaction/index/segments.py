"""The partitions of a large collection in segments, of which one reads and writes those that are concerned.

A segment is a stretch of partitions in the order of their keys: an immutable object, named and described by the root of the
catalog. See decision 28.
"""

import json
import re
import threading
import zlib
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, groupby, pairwise
from operator import attrgetter
from typing import Any, Final, Protocol, TypeGuard, runtime_checkable
from uuid import uuid4

import numpy as np
from attrs import Factory, define, evolve, field, frozen
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

from zcollection.contracts.objects import Read
from zcollection.contracts.partitioning import KeyValue
from zcollection.engine.direct import zstd_length
from zcollection.engine.work import Work, fetch
from zcollection.errors import CorruptionError
from zcollection.model.escaping import unescape
from zcollection.transaction.documents import IMMUTABLE, TRANSACTIONS, PartitionRecord
from zcollection.transaction.index import packing
from zcollection.transaction.index.packing import Columns
from zcollection.transaction.index.partitions import OF_DIFFERENT_FIELDS, Candidates, Partitions

MOST_WHOLE: int = 4096
"""Partitions of which the catalog is one object: an older release reads it, and to replace it costs little."""

SIZE: int = 512
"""Partitions of a segment at most: see `docs/performance.md` for what others cost."""

_SMALL: Final = 4
"""A segment with less than one of so many of its partitions is joined with its neighbour."""

_LARGEST: Final = 64 * 2**20
"""Bytes beyond which a segment is no longer believed."""

_MOST_KEPT: Final = 200_000
"""Partitions of segments that are kept in memory."""

FOLDER: Final = f"{TRANSACTIONS}/segments/"
_NAME: Final = re.compile(r"[0-9]+-[0-9a-f]{16}-[0-9]+")
_SHARED: Final = ("name", "checksum", "count", "axis_range")
_KEYS: Final = ("first", "smallest", "largest")

KeyRow = tuple[KeyValue, ...]


class SegmentError(CorruptionError):
    """A segment is missing, or is not what was written: it may have been replaced meanwhile."""


@frozen
class Limits:
    """What is known of stretches of partitions.

    Attributes
    ----------
    smallest, largest
        Of each field of the keys a value for each stretch: numbers, booleans, or texts in an array of objects.
    axis
        The smallest and the largest value of the axis in each, as it stores them; None where nobody knows.
    """

    smallest: Mapping[str, NDArray[Any]]
    largest: Mapping[str, NDArray[Any]]
    axis: Sequence[tuple[Any, Any] | None]

    @classmethod
    def of(
        cls,
        smallest: Mapping[str, Sequence[KeyValue]],
        largest: Mapping[str, Sequence[KeyValue]],
        axis: Sequence[tuple[Any, Any] | None],
    ) -> "Limits":
        """Return them, given as columns."""
        low, high = ({name: _array(column) for name, column in columns.items()} for columns in (smallest, largest))
        return cls(low, high, axis)

    def __len__(self) -> int:
        return len(self.axis)


def _array(column: Sequence[KeyValue]) -> NDArray[Any]:
    """Return a column as an array; a text of NumPy's own would lose zeros at its end."""
    is_text = any(isinstance(value, str) for value in column)
    return np.array(list(column), dtype=object if is_text else None)


@runtime_checkable
class Judging(Protocol):
    """A `Candidates` that tells from limits where partitions that are asked for may be, besides those of some paths."""

    @property
    def paths(self) -> Collection[str]:
        """Partitions that are asked for whatever the limits say."""

    def may_hold(self, limits: Limits) -> Sequence[bool]:
        """Return for each stretch whether one of those that are asked for may be in it."""


@frozen(eq=False)
class Segment:
    """One that is to be written.

    Attributes
    ----------
    partitions
        What it holds, one partition at least.
    count
        How many.
    first, smallest, largest
        The first key, and of each of its fields the smallest and the largest value.
    axis_range
        As `Limits.axis`.
    name, checksum
        Where it lies, and the CRC-32 of the object, once it is written.
    """

    partitions: Partitions
    count: int
    axis_range: tuple[Any, Any] | None
    first: Mapping[str, KeyValue]
    smallest: Mapping[str, KeyValue]
    largest: Mapping[str, KeyValue]
    name: str | None = None
    checksum: int = 0

    @classmethod
    def of(cls, partitions: Partitions) -> "Segment":
        """Return the segment of some partitions."""
        keys = partitions.listed_keys().items()
        first, smallest, largest = ({name: choose(column) for name, column in keys} for choose in (_first, min, max))
        return cls(partitions, len(partitions), _range_of(partitions.column("axis_range")), first, smallest, largest)


def _first(column: Sequence[KeyValue]) -> KeyValue:
    return column[0]


def _value(name: str, each: str, segment: Segment) -> KeyValue:
    """Return what a segment says of one field of its keys, such as the smallest value."""
    value: KeyValue = getattr(segment, name)[each]
    return value


def _range_of(limits: Sequence[Any]) -> tuple[Any, Any] | None:
    try:
        return min(low for low, _ in limits), max(high for _, high in limits)
    except TypeError:
        return None  # one of them is not known


@define(eq=False)
class _Memo:
    """What was found out about segments, by whoever of those who hold some of them.

    Attributes
    ----------
    firsts
        The first key of each.
    limits
        Of each.
    candidates
        What was asked for last, and the positions of those that it concerns: one operation asks several times.
    """

    firsts: list[KeyRow] | None = None
    limits: Limits | None = None
    candidates: tuple[Candidates, list[int]] = field(factory=lambda: (None, []))


@frozen(eq=False)
class Segments:
    """The partitions of a collection, of which some are held.

    Attributes
    ----------
    described
        What the root says of the segments, in columns by name: those of `Segment`.
    first, smallest, largest
        The same of keys, by their fields.
    retired
        Names of segments that the root of which these are has taken the place of.
    held
        Partitions of segments, by position.
    named
        The segments of that root, by name.
    """

    described: Mapping[str, Sequence[Any]]
    first: Mapping[str, Sequence[KeyValue]]
    smallest: Mapping[str, Sequence[KeyValue]]
    largest: Mapping[str, Sequence[KeyValue]]
    retired: tuple[str, ...] = ()
    held: Mapping[int, Partitions] = field(factory=dict, repr=False)
    named: Collection[str] = field(default=Factory(lambda self: self.described["name"], takes_self=True), repr=False)
    _memo: _Memo = field(factory=_Memo, repr=False)

    @classmethod
    def of(cls, partitions: Partitions) -> "Segments":
        """Return partitions cut in segments, none of which is written."""
        _check_paths(partitions)
        nothing: Mapping[str, Sequence[KeyValue]] = dict.fromkeys(partitions.listed_keys(), ())
        empty = cls(dict.fromkeys(_SHARED, ()), nothing, nothing, nothing)
        return empty._spliced([[*map(Segment.of, _pieces(partitions, is_last=False))]])

    def _spliced(self, runs: "Sequence[Run]") -> "Segments":
        """Return runs of what there is and of what is new, one after the other."""

        def keys(name: str) -> dict[str, list[KeyValue]]:
            columns = getattr(self, name).items()
            return {each: _column(runs, column, partial(_value, name, each)) for each, column in columns}

        held: dict[int, Partitions] = {}
        start = 0
        for run in runs:
            if isinstance(run, range):
                held |= {start + at - run.start: self.held[at] for at in run if at in self.held}
            else:
                held |= {start + at: segment.partitions for at, segment in enumerate(run)}
            start += len(run)
        described = {name: _column(runs, self.described[name], attrgetter(name)) for name in _SHARED}
        return Segments(described, keys("first"), keys("smallest"), keys("largest"), self.retired, held, self.named)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Segments":
        """Return what `to_json` made a JSON value of; a checksum has said that we did."""
        described = {name: packing.unpacked(value[name]) for name in _SHARED}
        keys = [Columns.unpacked(value[name]) for name in _KEYS]
        lengths = {len(column) for column in described.values()}
        lengths |= {len(column) for columns in keys for column in columns.values()}
        retired = tuple(value["retired"])
        if len(lengths) > 1 or not all(map(_NAME.fullmatch, (*described["name"], *retired))):
            message = "what the catalog says of its segments cannot be understood"
            raise CorruptionError(message)
        first, smallest, largest = keys
        return cls(described, first, smallest, largest, retired)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value, once all segments are written."""
        return {
            **packing.packed_all(self.described),
            **{name: packing.packed_all(getattr(self, name)) for name in _KEYS},
            "retired": list(self.retired),
        }

    def __len__(self) -> int:
        return sum(self.described["count"])

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields of the keys; none where there are no partitions."""
        return tuple(self.first)

    @property
    def _limits(self) -> Limits:
        if self._memo.limits is None:
            self._memo.limits = Limits.of(self.smallest, self.largest, self.described["axis_range"])
        return self._memo.limits

    @property
    def _firsts(self) -> list[KeyRow]:
        if self._memo.firsts is None:
            self._memo.firsts = list(zip(*self.first.values(), strict=True))
        return self._memo.firsts

    def containing(self, candidates: Candidates) -> list[int]:
        """Return in which segments the partitions may be that are asked for."""
        asked, positions = self._memo.candidates
        if asked is not candidates or candidates is None:
            positions = self._containing(candidates)
            self._memo.candidates = candidates, positions
        return positions

    def _containing(self, candidates: Candidates) -> list[int]:
        every = range(len(self.described["name"]))
        if candidates is None or (callable(candidates) and not isinstance(candidates, Judging)):
            return list(every)
        may_hold: Sequence[bool] = [False] * len(every)
        paths: Collection[str] = ()
        if isinstance(candidates, Judging):
            may_hold, paths = candidates.may_hold(self._limits), candidates.paths
        else:
            paths = candidates
        places = self._by_place(paths)
        return [at for at in every if may_hold[at] or at in places or None in places]

    def to_change(self, written: Collection[str], dropped: Collection[str]) -> list[int]:
        """Return which segments a change needs: those of its partitions, and neighbours of what becomes small."""
        places, lost = self._by_place(written), self._by_place({*dropped}.difference(written))
        if None in places or None in lost or not self._firsts:
            return list(range(len(self._firsts)))
        counts, last = self.described["count"], len(self._firsts) - 1
        small = [at for at in lost if at is not None and counts[at] - len(lost[at]) < SIZE // _SMALL]
        return sorted(filter(_is_place, {*places, *lost, *(at - 1 if at else min(1, last) for at in small)}))

    def _position(self, path: str) -> int | None:
        key = key_of(path, self.first)
        return None if key is None else self._place(key)

    def _place(self, key: KeyRow) -> int:
        return max(bisect_right(self._firsts, key) - 1, 0)

    def holding(self, positions: Iterable[int]) -> Work["Segments"]:
        """Return the same with the partitions of some segments more.

        Raises
        ------
        SegmentError
            One of them is missing, or is not what was written.
        """
        names, checksums = self.described["name"], self.described["checksum"]
        missing = [at for at in positions if at not in self.held]
        if not missing:
            return self
        known = {at: _KEPT.get((names[at], checksums[at])) for at in missing}
        found = {at: partitions for at, partitions in known.items() if partitions is not None}
        unread = [at for at in missing if at not in found]
        contents = yield from fetch([Read(f"{FOLDER}{names[at]}", most=_LARGEST + 1) for at in unread])
        for at, data in zip(unread, contents, strict=True):
            found[at] = self._understood(at, data)
            _KEPT.put((names[at], checksums[at]), found[at])
        return evolve(self, held={**self.held, **found})

    def checking(self) -> Work[None]:
        """Read every segment, whatever is known of it; raises as `holding`."""
        names = self.described["name"]
        contents = yield from fetch([Read(f"{FOLDER}{name}", most=_LARGEST + 1) for name in names])
        for at, data in enumerate(contents):
            self._understood(at, data)

    def _understood(self, at: int, data: bytes | None) -> Partitions:
        name = self.described["name"][at]
        if data is None or zlib.crc32(data) != self.described["checksum"][at]:
            message = f"segment {name!r} of the catalog is {'missing' if data is None else 'not what was written'}"
            raise SegmentError(message)
        return _decoded(name, data)

    def chosen(self, candidates: Candidates = None) -> Partitions:
        """Return the partitions of the segments in which those may be that are asked for; they are to be held."""
        return Partitions.joined((part, 0, len(part)) for part in map(self._held, self.containing(candidates)))

    def get(self, path: str) -> PartitionRecord | None:
        """Return what a partition says of itself; None where it is not there. Its segment is to be held."""
        for at in self.containing([path]):
            if path in (part := self._held(at)):
                return part[path]
        return None

    def _held(self, at: int) -> Partitions:
        if at in self.held:
            return self.held[at]
        message = f"segment {at} of the catalog was not asked for, and holds {self.described['count'][at]} partitions"
        raise AssertionError(message)

    def changed(self, written: Mapping[str, PartitionRecord], dropped: Collection[str]) -> "Segments":
        """Return them after some partitions were written and others dropped; what `to_change` names is to be held."""
        new = written if isinstance(written, Partitions) else Partitions(written)
        if not self.described["name"]:
            return Segments.of(new).in_place_of(self)
        _check_paths(new)
        if new and tuple(new.listed_keys()) != tuple(self.first):
            raise CorruptionError(OF_DIFFERENT_FIELDS)
        places = frozenset(self.to_change(new, dropped))
        starts, gone = self._first_of_each(new), self._by_place(dropped)
        runs: list[Run] = []
        for is_changed, run in groupby(range(len(self._firsts)), places.__contains__):
            positions = list(run)
            first, last = positions[0], positions[-1]
            if not is_changed:
                runs.append(range(first, last + 1))
                continue
            before = Partitions.joined((part, 0, len(part)) for part in map(self._held, positions))
            lost = [path for at in (*positions, None) for path in gone.get(at, ())]
            after = before.changed(new.cut(starts[first], starts[last + 1]), lost)
            runs.append([*map(Segment.of, _pieces(after, is_last=last == len(self._firsts) - 1))])
        return self._spliced(runs)

    def in_place_of(self, others: "Segments") -> "Segments":
        """Return the same as what takes the place of others."""
        return evolve(self, retired=others.retired, named=others.named)

    def _first_of_each(self, new: Partitions) -> list[int]:
        """Return for each segment how many of new partitions come before it, and then how many there are."""
        counts = [0] * (len(self._firsts) + 1)
        for key in zip(*new.listed_keys().values(), strict=True):
            counts[self._place(key) + 1] += 1
        return list(accumulate(counts))

    def _by_place(self, paths: Iterable[str]) -> dict[int | None, list[str]]:
        """Return in which segment each partition is, if it is there; under None those whose path does not say its key."""
        found: dict[int | None, list[str]] = {}
        for path in paths if self._firsts else ():
            if path != IMMUTABLE:
                found.setdefault(self._position(path), []).append(path)
        return found

    def to_write(self, version: int) -> tuple["Segments", dict[str, bytes], list[str]]:
        """Return them with names, the objects that are to be written before the root, and what to delete after it."""
        names, checksums, objects = list(self.described["name"]), list(self.described["checksum"]), {}
        own = f"{version}-{uuid4().hex[:16]}"
        for at, name in enumerate(names):
            if name is None:
                names[at] = f"{own}-{at}"
                value = self.held[at].to_json()
                data = _encoded(value)
                checksums[at] = zlib.crc32(data)
                objects[f"{FOLDER}{names[at]}"] = data
                _KEPT.put((names[at], checksums[at]), Partitions.from_json(value))
        described = {**self.described, "name": names, "checksum": checksums}
        retired = tuple(sorted({*self.named} - {*names}))
        return evolve(self, described=described, retired=retired, named=names), objects, self._obsolete(names)

    def _obsolete(self, names: Collection[str]) -> list[str]:
        return [f"{FOLDER}{name}" for name in self.retired if name not in names]

    @property
    def objects(self) -> set[str]:
        """The objects that the root names, or, once there were changes, that it named before."""
        return {f"{FOLDER}{name}" for name in (*self.described["name"], *self.named, *self.retired) if name is not None}


Run = range | list[Segment]


def _column(runs: Iterable[Run], column: Sequence[Any], value: Callable[[Segment], Any]) -> list[Any]:
    """Return a column of runs: of those that there are its values, of those that are new what is told of each."""
    found: list[Any] = []
    for run in runs:
        found += column[run.start : run.stop] if isinstance(run, range) else map(value, run)
    return found


def _is_place(place: int | None) -> TypeGuard[int]:
    return place is not None


def _pieces(partitions: Partitions, *, is_last: bool) -> Iterator[Partitions]:
    """Yield partitions in pieces of the size of a segment: even ones, or full ones where more will follow."""
    total = len(partitions)
    count = -(-total // SIZE)
    bounds = [min(at * SIZE, total) if is_last else at * total // count for at in range(count + 1)] if count else []
    for start, stop in pairwise(bounds):
        yield partitions.cut(start, stop)


def key_of(path: str, fields: Mapping[str, Sequence[KeyValue]]) -> KeyRow | None:
    """Return the key that a path says, given columns of the fields that keys have; None where it says none.

    Examples
    --------
    >>> key_of("platform=Jason-3%20F/cycle=007", {"platform": ["SARAL"], "cycle": [1]})
    ('Jason-3 F', 7)
    """
    segments = path.split("/")
    if len(segments) != len(fields):
        return None
    values = [
        _value_of(segment, name, column[0]) for segment, (name, column) in zip(segments, fields.items(), strict=True)
    ]
    return None if None in values else tuple(value for value in values if value is not None)


def _value_of(segment: str, name: str, example: KeyValue) -> KeyValue | None:
    field_name, _, text = segment.partition("=")
    if field_name != name:
        return None
    if isinstance(example, str):
        return unescape(text)
    if isinstance(example, bool):
        return {"true": True, "false": False}.get(text)
    try:
        return int(text)
    except ValueError:
        return None


def says_keys(partitions: Partitions) -> bool:
    """Return whether each path says the key of its partition."""
    fields = partitions.listed_keys()
    rows = zip(*fields.values(), strict=True)
    return all(key_of(path, fields) == key for path, key in zip(partitions, rows, strict=True))


def _check_paths(partitions: Partitions) -> None:
    if not says_keys(partitions):
        message = "the path of a partition does not say its key; call verify()"
        raise CorruptionError(message)


def _encoded(value: Mapping[str, Any]) -> bytes:
    return bytes(Zstd(1).encode(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()))


def _decoded(name: str, data: bytes) -> Partitions:
    what = f"segment {name!r} of the catalog"
    try:
        if not 0 <= zstd_length(data) <= _LARGEST:
            message = f"it is larger than {_LARGEST} bytes"
            raise ValueError(message)  # noqa: TRY301 - one of the things that may be wrong with it
        return Partitions.from_json(json.loads(Zstd(1).decode(data)))  # it has the checksum that the root names
    except (CorruptionError, LookupError, TypeError, ValueError, AttributeError, RuntimeError, MemoryError) as error:
        message = f"{what} cannot be understood: {error!r}"
        raise SegmentError(message) from error


@define
class _Kept:
    """The segments that were used last: they never change."""

    _known: dict[tuple[str, int], Partitions] = field(factory=dict)
    _count: int = 0
    _lock: threading.Lock = field(factory=threading.Lock)

    def get(self, name: tuple[str, int]) -> Partitions | None:
        with self._lock:
            found = self._known.pop(name, None)
            if found is not None:
                self._known[name] = found
            return found

    def put(self, name: tuple[str, int], partitions: Partitions) -> None:
        with self._lock:
            if name not in self._known:
                self._count += len(partitions)
            self._known[name] = partitions
            while self._count > _MOST_KEPT and len(self._known) > 1:
                self._count -= len(self._known.pop(next(iter(self._known))))


_KEPT: Final = _Kept()
