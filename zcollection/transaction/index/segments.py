"""The partitions of a large collection in segments, so that an operation reads and writes only the affected ones.

A segment contains consecutive partitions in the order of their keys. It is an immutable object, which the root of the
catalog names and describes. See decision 28.
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
from typing import Any, Final, TypeGuard
from uuid import uuid4

from attrs import Factory, define, evolve, field, frozen
from numcodecs.zstd import Zstd

from zcollection.contracts.objects import Read
from zcollection.contracts.partitioning import KeyValue
from zcollection.engine.direct import zstd_length
from zcollection.engine.work import Work, fetch
from zcollection.errors import CorruptionError
from zcollection.model.escaping import unescape
from zcollection.transaction.documents import IMMUTABLE, TRANSACTIONS, PartitionRecord
from zcollection.transaction.index import packing
from zcollection.transaction.index.limits import Limits, RangePruning
from zcollection.transaction.index.packing import Columns
from zcollection.transaction.index.partitions import OF_DIFFERENT_FIELDS, Candidates, Partitions

MOST_WHOLE: int = 4096
"""Up to this number of partitions the catalog is one object: older releases read it, and it is cheap to replace."""

SIZE: int = 512
"""Largest number of partitions in a segment: see `docs/performance.md` for the cost of other sizes."""

_SMALL: Final = 4
"""A segment with fewer than `SIZE // _SMALL` partitions is joined with its neighbour."""

_LARGEST: Final = 64 * 2**20
"""Largest accepted size of a segment, in bytes."""

_MOST_KEPT: Final = 200_000
"""Number of partitions, of recently used segments, that stay in memory."""

FOLDER: Final = f"{TRANSACTIONS}/segments/"
_NAME: Final = re.compile(r"[0-9]+-[0-9a-f]{16}-[0-9]+")
_SHARED: Final = ("name", "checksum", "count", "axis_range")
_KEYS: Final = ("first", "smallest", "largest")

KeyRow = tuple[KeyValue, ...]


class SegmentError(CorruptionError):
    """A segment is missing or damaged, or was replaced meanwhile."""


@frozen(eq=False)
class Segment:
    """A segment that is to be written.

    Attributes
    ----------
    partitions
        The partitions of the segment, at least one.
    count
        Number of partitions.
    first, smallest, largest
        The first key, and the smallest and the largest value of each of its fields.
    axis_range
        The smallest and the largest axis value, as in `Limits.axis`.
    name, checksum
        Name of the object, and its CRC-32, once it is written.
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
        """Return the segment with given partitions."""
        keys = partitions.key_columns().items()
        first, smallest, largest = ({name: choose(column) for name, column in keys} for choose in (_first, min, max))
        return cls(partitions, len(partitions), _range_of(partitions.column("axis_range")), first, smallest, largest)


def _first(column: Sequence[KeyValue]) -> KeyValue:
    return column[0]


def _value(name: str, each: str, segment: Segment) -> KeyValue:
    """Return one attribute of a segment, such as "smallest", for one field of its keys."""
    value: KeyValue = getattr(segment, name)[each]
    return value


def _range_of(limits: Sequence[Any]) -> tuple[Any, Any] | None:
    try:
        return min(low for low, _ in limits), max(high for _, high in limits)
    except TypeError:
        return None  # one of them is not known


@define(eq=False)
class _Memo:
    """A cache of derived values, shared by all `Segments` of one root.

    Attributes
    ----------
    firsts
        The first key of each segment.
    limits
        The limits of each segment.
    candidates
        The last candidates, and the positions of their segments: one operation uses them several times.
    """

    firsts: list[KeyRow] | None = None
    limits: Limits | None = None
    candidates: tuple[Candidates, list[int]] = field(factory=lambda: (None, []))


@frozen(eq=False)
class Segments:
    """The partitions of a collection in segments, of which some are loaded.

    Attributes
    ----------
    described
        The description of the segments in the root, as columns by name: attributes of `Segment`.
    first, smallest, largest
        The keys in that description, as columns by field.
    retired
        Names of the segments that the root has replaced.
    loaded
        The partitions of each loaded segment, by position.
    named
        Names of the segments in the stored root, before changes.
    """

    described: Mapping[str, Sequence[Any]]
    first: Mapping[str, Sequence[KeyValue]]
    smallest: Mapping[str, Sequence[KeyValue]]
    largest: Mapping[str, Sequence[KeyValue]]
    retired: tuple[str, ...] = ()
    loaded: Mapping[int, Partitions] = field(factory=dict, repr=False)
    named: Collection[str] = field(default=Factory(lambda self: self.described["name"], takes_self=True), repr=False)
    _memo: _Memo = field(factory=_Memo, repr=False)

    @classmethod
    def of(cls, partitions: Partitions) -> "Segments":
        """Return partitions divided into segments, none of which is written yet."""
        _check_paths(partitions)
        nothing: Mapping[str, Sequence[KeyValue]] = dict.fromkeys(partitions.key_columns(), ())
        empty = cls(dict.fromkeys(_SHARED, ()), nothing, nothing, nothing)
        return empty._spliced([[*map(Segment.of, _pieces(partitions, is_last=False))]])

    def _spliced(self, runs: "Sequence[Run]") -> "Segments":
        """Return the segments of runs in order; a run is a range of existing segments or a list of new ones."""

        def keys(name: str) -> dict[str, list[KeyValue]]:
            columns = getattr(self, name).items()
            return {each: _column(runs, column, partial(_value, name, each)) for each, column in columns}

        loaded: dict[int, Partitions] = {}
        start = 0
        for run in runs:
            if isinstance(run, range):
                loaded |= {start + at - run.start: self.loaded[at] for at in run if at in self.loaded}
            else:
                loaded |= {start + at: segment.partitions for at, segment in enumerate(run)}
            start += len(run)
        described = {name: _column(runs, self.described[name], attrgetter(name)) for name in _SHARED}
        return Segments(described, keys("first"), keys("smallest"), keys("largest"), self.retired, loaded, self.named)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Segments":
        """Return the segments from a JSON value of `to_json`; the caller has verified its checksum."""
        described = {name: packing.unpacked(value[name]) for name in _SHARED}
        keys = [Columns.unpacked(value[name]) for name in _KEYS]
        lengths = {len(column) for column in described.values()}
        lengths |= {len(column) for columns in keys for column in columns.values()}
        retired = tuple(value["retired"])
        if len(lengths) > 1 or not all(map(_NAME.fullmatch, (*described["name"], *retired))):
            message = "the catalog's description of its segments cannot be parsed"
            raise CorruptionError(message)
        first, smallest, largest = keys
        return cls(described, first, smallest, largest, retired)

    def to_json(self) -> dict[str, Any]:
        """Return the description of the segments as a JSON value, once all segments are written."""
        return {
            **packing.packed_all(self.described),
            **{name: packing.packed_all(getattr(self, name)) for name in _KEYS},
            "retired": list(self.retired),
        }

    def __len__(self) -> int:
        return sum(self.described["count"])

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields of the keys; empty without partitions."""
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
        """Return the positions of the segments that may contain candidates."""
        known, positions = self._memo.candidates
        if known is not candidates or candidates is None:
            positions = self._containing(candidates)
            self._memo.candidates = candidates, positions
        return positions

    def _containing(self, candidates: Candidates) -> list[int]:
        every = range(len(self.described["name"]))
        if candidates is None or (callable(candidates) and not isinstance(candidates, RangePruning)):
            return list(every)
        may_contain: Sequence[bool] = [False] * len(every)
        paths: Collection[str] = ()
        if isinstance(candidates, RangePruning):
            may_contain, paths = candidates.may_contain(self._limits), candidates.paths
        else:
            paths = candidates
        needed = self._by_position(paths)
        return [at for at in every if may_contain[at] or at in needed or None in needed]

    def to_change(self, written: Collection[str], dropped: Collection[str]) -> list[int]:
        """Return the positions of the segments that a change needs: those it changes, and neighbours of those that become small."""
        changed, reduced = self._by_position(written), self._by_position({*dropped}.difference(written))
        if None in changed or None in reduced or not self._firsts:
            return list(range(len(self._firsts)))
        counts, last = self.described["count"], len(self._firsts) - 1
        small = [at for at in reduced if at is not None and counts[at] - len(reduced[at]) < SIZE // _SMALL]
        return sorted(filter(_is_position, {*changed, *reduced, *(at - 1 if at else min(1, last) for at in small)}))

    def _position_of(self, path: str) -> int | None:
        key = key_of(path, self.first)
        return None if key is None else self._position(key)

    def _position(self, key: KeyRow) -> int:
        return max(bisect_right(self._firsts, key) - 1, 0)

    def loading(self, positions: Iterable[int]) -> Work["Segments"]:
        """Return the segments with those at some positions loaded.

        Raises
        ------
        SegmentError
            One of them is missing or damaged.
        """
        names, checksums = self.described["name"], self.described["checksum"]
        missing = [at for at in positions if at not in self.loaded]
        if not missing:
            return self
        known = {at: _CACHE.get((names[at], checksums[at])) for at in missing}
        found = {at: partitions for at, partitions in known.items() if partitions is not None}
        unread = [at for at in missing if at not in found]
        contents = yield from fetch([Read(f"{FOLDER}{names[at]}", most=_LARGEST + 1) for at in unread])
        for at, data in zip(unread, contents, strict=True):
            found[at] = self._parsed(at, data)
            _CACHE.put((names[at], checksums[at]), found[at])
        return evolve(self, loaded={**self.loaded, **found})

    def checking(self) -> Work[None]:
        """Read and check every segment, including cached ones; raises as `loading`."""
        names = self.described["name"]
        contents = yield from fetch([Read(f"{FOLDER}{name}", most=_LARGEST + 1) for name in names])
        for at, data in enumerate(contents):
            self._parsed(at, data)

    def _parsed(self, at: int, data: bytes | None) -> Partitions:
        name = self.described["name"][at]
        if data is None or zlib.crc32(data) != self.described["checksum"][at]:
            message = (
                f"segment {name!r} of the catalog is {'missing' if data is None else 'damaged: its checksum differs'}"
            )
            raise SegmentError(message)
        return _decoded(name, data)

    def for_candidates(self, candidates: Candidates = None) -> Partitions:
        """Return the partitions of the segments that may contain candidates; these segments must be loaded."""
        return Partitions.joined((part, 0, len(part)) for part in map(self._part, self.containing(candidates)))

    def get(self, path: str) -> PartitionRecord | None:
        """Return the record of a partition; None if it does not exist. Its segment must be loaded."""
        for at in self.containing([path]):
            if path in (part := self._part(at)):
                return part[path]
        return None

    def _part(self, at: int) -> Partitions:
        if at in self.loaded:
            return self.loaded[at]
        message = f"segment {at} of the catalog, with {self.described['count'][at]} partitions, is not loaded"
        raise AssertionError(message)

    def changed(self, written: Mapping[str, PartitionRecord], dropped: Collection[str]) -> "Segments":
        """Return the segments after a change of partitions; the segments that `to_change` names must be loaded."""
        new = written if isinstance(written, Partitions) else Partitions(written)
        if not self.described["name"]:
            return Segments.of(new).replacing(self)
        _check_paths(new)
        if new and tuple(new.key_columns()) != tuple(self.first):
            raise CorruptionError(OF_DIFFERENT_FIELDS)
        to_change = frozenset(self.to_change(new, dropped))
        starts, removed = self._starts_of(new), self._by_position(dropped)
        runs: list[Run] = []
        for is_changed, run in groupby(range(len(self._firsts)), to_change.__contains__):
            positions = list(run)
            first, last = positions[0], positions[-1]
            if not is_changed:
                runs.append(range(first, last + 1))
                continue
            before = Partitions.joined((part, 0, len(part)) for part in map(self._part, positions))
            without = [path for at in (*positions, None) for path in removed.get(at, ())]
            after = before.changed(new.cut(starts[first], starts[last + 1]), without)
            runs.append([*map(Segment.of, _pieces(after, is_last=last == len(self._firsts) - 1))])
        return self._spliced(runs)

    def replacing(self, older: "Segments") -> "Segments":
        """Return the segments as a replacement of older ones, whose objects are removed when these are written."""
        return evolve(self, retired=older.retired, named=older.named)

    def _starts_of(self, new: Partitions) -> list[int]:
        """Return for each segment the number of new partitions before it, followed by the number of all new partitions."""
        counts = [0] * (len(self._firsts) + 1)
        for key in zip(*new.key_columns().values(), strict=True):
            counts[self._position(key) + 1] += 1
        return list(accumulate(counts))

    def _by_position(self, paths: Iterable[str]) -> dict[int | None, list[str]]:
        """Return paths by the position of the segment that may contain them; under None if a path does not give its key."""
        found: dict[int | None, list[str]] = {}
        for path in paths if self._firsts else ():
            if path != IMMUTABLE:
                found.setdefault(self._position_of(path), []).append(path)
        return found

    def to_write(self, version: int) -> tuple["Segments", dict[str, bytes], list[str]]:
        """Return the segments with names, the objects to write before the root, and the keys to delete after it."""
        names, checksums, objects = list(self.described["name"]), list(self.described["checksum"]), {}
        own = f"{version}-{uuid4().hex[:16]}"
        for at, name in enumerate(names):
            if name is None:
                names[at] = f"{own}-{at}"
                value = self.loaded[at].to_json()
                data = _encoded(value)
                checksums[at] = zlib.crc32(data)
                objects[f"{FOLDER}{names[at]}"] = data
                _CACHE.put((names[at], checksums[at]), Partitions.from_json(value))
        described = {**self.described, "name": names, "checksum": checksums}
        retired = tuple(sorted({*self.named} - {*names}))
        return evolve(self, described=described, retired=retired, named=names), objects, self._obsolete(names)

    def _obsolete(self, names: Collection[str]) -> list[str]:
        return [f"{FOLDER}{name}" for name in self.retired if name not in names]

    @property
    def objects(self) -> set[str]:
        """Keys of the objects that the root names, including those that it named before a change."""
        return {f"{FOLDER}{name}" for name in (*self.described["name"], *self.named, *self.retired) if name is not None}


Run = range | list[Segment]


def _column(runs: Iterable[Run], column: Sequence[Any], value: Callable[[Segment], Any]) -> list[Any]:
    """Return a column of runs: existing values for existing segments, and `value` of each new segment."""
    found: list[Any] = []
    for run in runs:
        found += column[run.start : run.stop] if isinstance(run, range) else map(value, run)
    return found


def _is_position(at: int | None) -> TypeGuard[int]:
    return at is not None


def _pieces(partitions: Partitions, *, is_last: bool) -> Iterator[Partitions]:
    """Yield partitions in pieces of at most `SIZE`: of equal size, or full ones at the end, to which more will be appended."""
    total = len(partitions)
    count = -(-total // SIZE)
    bounds = [min(at * SIZE, total) if is_last else at * total // count for at in range(count + 1)] if count else []
    for start, stop in pairwise(bounds):
        yield partitions.cut(start, stop)


def key_of(path: str, fields: Mapping[str, Sequence[KeyValue]]) -> KeyRow | None:
    """Return the key in a path, given columns with the fields of the keys; None if the path does not give one.

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


def has_keys_in_paths(partitions: Partitions) -> bool:
    """Return whether each path gives the key of its partition."""
    fields = partitions.key_columns()
    rows = zip(*fields.values(), strict=True)
    return all(key_of(path, fields) == key for path, key in zip(partitions, rows, strict=True))


def _check_paths(partitions: Partitions) -> None:
    if not has_keys_in_paths(partitions):
        message = "the path of a partition does not match its key; call verify()"
        raise CorruptionError(message)


def _encoded(value: Mapping[str, Any]) -> bytes:
    return bytes(Zstd(1).encode(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()))


def _decoded(name: str, data: bytes) -> Partitions:
    what = f"segment {name!r} of the catalog"
    try:
        if not 0 <= zstd_length(data) <= _LARGEST:
            message = f"it is larger than {_LARGEST} bytes"
            raise ValueError(message)  # noqa: TRY301 - reported like every other damage
        return Partitions.from_json(json.loads(Zstd(1).decode(data)))  # the caller has verified its checksum
    except (CorruptionError, LookupError, TypeError, ValueError, AttributeError, RuntimeError, MemoryError) as error:
        message = f"{what} cannot be parsed: {error!r}"
        raise SegmentError(message) from error


@define
class _Cache:
    """The most recently used segments, which never change."""

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


_CACHE: Final = _Cache()
