"""The partitions of a collection, held in columns: a query of one partition among 100,000 makes one record."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress, count
from typing import Any, Final

from attrs import fields

from zcollection.contracts.partitioning import Key, KeyValue
from zcollection.errors import CorruptionError
from zcollection.model import sections
from zcollection.model.printed import Printed
from zcollection.model.sections import Section, Table, heading
from zcollection.transaction.documents import PartitionRecord, validate_path
from zcollection.transaction.index import packing
from zcollection.transaction.index.packing import Columns

Selection = Callable[[Mapping[str, Sequence[KeyValue]]], Iterable[int]]
"""Chooses partitions: takes the columns of the key's fields, returns positions in them, in order."""

Candidates = Callable[[Sequence[str]], Iterable[str]] | Collection[str] | None
"""Which partitions are asked for: their paths, or what tells these from the paths of all; None for all.

It is asked of the beginnings of paths too, all of one length, and returns those at which such a partition may lie. One that is
`segments.Judging` also tells from limits of keys and of the axis where such a partition may be.
"""

ByName = Mapping[str, Sequence[Any]]
Narrowing = Callable[[ByName, Sequence[Any]], Sequence[bool]]
"""Chooses partitions by what is known without a record of each: takes the columns of the keys' fields and the limits of the
axis, returns for each whether it may be wanted."""
_COLUMNS: Final = tuple(item.name for item in fields(PartitionRecord) if item.name != "key")
_ORIGIN: Final = "origin"
_FEW: Final = 16


class Partitions(Printed, Mapping[str, PartitionRecord]):
    """What each partition says of itself, by path, in the order of their keys.

    Parameters
    ----------
    records
        The same, in any order.
    """

    __slots__ = ("_columns", "_keys", "_lists", "_paths", "_positions")

    def __init__(self, records: Mapping[str, PartitionRecord] | None = None) -> None:
        ordered = _ordered(records or {})
        of_each = list(ordered.values())
        names = of_each[0].key if of_each else {}
        self._hold(
            list(ordered),
            {name: [record.key[name] for record in of_each] for name in names},
            {name: [getattr(record, name) for record in of_each] for name in _COLUMNS},
        )

    def _hold(self, paths: Sequence[str], keys: ByName, columns: ByName) -> None:
        self._paths, self._keys, self._columns = paths, keys, columns
        self._positions: dict[str, int] | None = None
        self._lists: ByName | None = None  # of the keys: columns that repeat values are slow to look at one by one

    @classmethod
    def _of(cls, paths: Sequence[str], keys: ByName, columns: ByName) -> "Partitions":
        partitions = cls.__new__(cls)
        partitions._hold(paths, keys, columns)  # noqa: SLF001 - of its own class, as below
        return partitions

    def __reduce__(self) -> tuple[Any, ...]:
        return Partitions.from_json, (self.to_json(),)

    def __getitem__(self, path: str) -> PartitionRecord:
        return self._record(self._by_path[path])

    def __contains__(self, path: object) -> bool:
        return path in self._by_path

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def _by_path(self) -> dict[str, int]:
        if self._positions is None:
            self._positions = {known: position for position, known in enumerate(self._paths)}
        return self._positions

    def _section(self) -> Section:
        columns: sections.Columns[tuple[str, PartitionRecord]] = {
            "partition": lambda item: item[0],
            "rows": lambda item: item[1].rows,
            "bytes": lambda item: item[1].stored_bytes,
        }
        return Section(f"{heading(self)} {len(self):,} partitions", [Table.of("", self.items(), columns)])

    def column(self, name: str) -> Sequence[Any]:
        """Return one attribute of all partitions, in order, without a record of each.

        Raises
        ------
        CorruptionError
            It is not known of each of them.
        """
        return list(self._column(name)) if self._paths else []

    def _column(self, name: str) -> Sequence[Any]:
        column = self._columns[name]
        if len(column) != len(self._paths):
            message = f"there are {len(self._paths)} partitions, and {len(column)} values of their {name}; call repair_catalog()"
            raise CorruptionError(message)
        return column

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields of the keys; none where there are no partitions."""
        return tuple(self._keys)

    def keys_of_each(self) -> tuple[Key, ...]:
        """Return the key of each partition, in order, without a record of it."""
        return Key.of_columns(self.listed_keys())

    def where(self, select: Selection | None, narrow: Narrowing | None = None) -> "Partitions":
        """Return the partitions whose key is selected, of those that may be wanted, in order."""
        if not self._paths:
            return self
        positions: Iterable[int] = range(len(self)) if select is None else select(self.listed_keys())
        if narrow is not None:
            wanted = narrow(self.listed_keys(), self._columns["axis_range"])
            if len(wanted) != len(self):
                message = f"there are {len(self)} partitions, and the limits of {len(wanted)}"
                raise CorruptionError(message)
            positions = (at for at in positions if wanted[at])
        chosen = list(positions)
        return self if len(chosen) == len(self) else self._picked(chosen)

    def _picked(self, positions: Sequence[int]) -> "Partitions":
        """Return those at some positions."""
        return self._of(
            _picked(self._paths, positions),
            Columns(self._keys, lambda name: _picked(self._keys[name], positions)),
            Columns(_COLUMNS, lambda name: _picked(self._columns[name], positions)),
        )

    def listed_keys(self) -> ByName:
        """Return the columns of the keys as lists, after a look at their lengths."""
        if any(len(column) != len(self._paths) for column in self._keys.values()):
            message = "the partitions have keys of different lengths"
            raise CorruptionError(message)
        if self._lists is None:
            self._lists = {name: list(column) for name, column in self._keys.items()}
        return self._lists

    def changed(self, written: Mapping[str, PartitionRecord], dropped: Collection[str]) -> "Partitions":
        """Return the partitions after some were written and others dropped."""
        new = written if isinstance(written, Partitions) else Partitions(written)
        gone = {*new, *dropped}
        left = [*compress(count(), map(gone.__contains__, self._paths))]
        if len(left) == len(self):
            return new
        if not left and not new:
            return self
        events = [*((place, 0, number) for number, place in enumerate(self._places(new))), *((at, 1, 0) for at in left)]
        stretches, start = [], 0
        for place, is_left, number in sorted(events):  # what is new comes before what leaves the same place
            stretches.append((self, start, place))
            start = place + is_left
            if not is_left:
                stretches.append((new, number, number + 1))
        return Partitions.joined([*stretches, (self, start, len(self))])

    def _places(self, new: "Partitions") -> list[int]:
        """Return before which of the partitions each of others comes."""
        if new and self._keys.keys() != new._keys.keys():  # noqa: SLF001
            raise CorruptionError(OF_DIFFERENT_FIELDS)
        columns, wanted = [*self.listed_keys().values()], _rows(new.listed_keys())
        try:
            if _FEW * len(new) < len(self):  # to put together all keys would take longer
                return [
                    bisect_left(range(len(self)), key, key=lambda at: tuple(each[at] for each in columns))
                    for key in wanted
                ]
            rows = _rows(self.listed_keys())
            return [bisect_left(rows, key) for key in wanted]
        except TypeError as error:
            raise CorruptionError(_INCOMPREHENSIBLE.format(error)) from error

    @classmethod
    def joined(cls, stretches: Iterable["Stretch"]) -> "Partitions":
        """Return stretches of partitions one after the other: each with where it begins and ends."""
        parts = [stretch for stretch in stretches if stretch[1] < stretch[2]]
        if not parts:
            return cls()
        keys = parts[0][0]._keys  # noqa: SLF001
        return cls._of(
            _joined({id(part): part._paths for part, _, _ in parts}, parts),  # noqa: SLF001
            Columns(keys, lambda name: _joined({id(part): part.listed_keys()[name] for part, _, _ in parts}, parts)),
            Columns(_COLUMNS, lambda name: _joined({id(part): part._column(name) for part, _, _ in parts}, parts)),  # noqa: SLF001
        )

    def chosen(self, candidates: Candidates = None) -> "Partitions":  # noqa: ARG002 - as of segments, some of which are held
        """Return the partitions that may be asked for: all are known."""
        return self

    def made(self) -> "Partitions":
        """Return the same with all its columns, which no longer needs those that it was made of."""
        return self._of(self._paths, self.listed_keys(), {name: self.column(name) for name in _COLUMNS})

    def cut(self, start: int, stop: int) -> "Partitions":
        """Return a stretch."""
        return Partitions.joined([(self, start, stop)])

    def to_json(self) -> dict[str, Any]:
        """Return the columns as a JSON value; `from_json` is the inverse."""
        try:
            keys, columns = packing.packed_all(self._keys), packing.packed_all(self._columns)
        except TypeError as error:
            raise CorruptionError(_INCOMPREHENSIBLE.format(error)) from error
        if not any(self._columns[_ORIGIN]):
            del columns[_ORIGIN]  # a collection has none
        return {"path": packing.packed(self._paths), "key": keys, **columns}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Partitions":
        """Return the partitions in what `to_json` wrote; a checksum has said that we did.

        Raises
        ------
        KeyError, TypeError, ValueError
            A column is missing, or is none.
        """
        paths = packing.unpacked(value["path"])
        if set(map(type, paths)) - {str} or not isinstance(value["key"], dict):
            message = "the paths or keys of the partitions are no text"
            raise TypeError(message)
        origin = {_ORIGIN: value.get(_ORIGIN) or packing.repeated([], len(paths))}
        columns = {name: value[name] for name in _COLUMNS if name != _ORIGIN} | origin
        return cls._of(paths, Columns.unpacked(value["key"]), Columns.unpacked(columns))

    def _record(self, at: int) -> PartitionRecord:
        validate_path(self._paths[at])
        try:
            key = {name: column[at] for name, column in self._keys.items()}
            return PartitionRecord(key=key, **{name: column[at] for name, column in self._columns.items()})
        except (IndexError, TypeError, ValueError) as error:
            message = f"what is recorded of partition {self._paths[at]!r} cannot be understood: {error}"
            raise CorruptionError(message) from error


Stretch = tuple[Partitions, int, int]
_INCOMPREHENSIBLE: Final = "what is recorded of the partitions cannot be understood: {}"
OF_DIFFERENT_FIELDS: Final = "the partitions have keys of different fields; call verify()"


def _ordered(records: Mapping[str, PartitionRecord]) -> dict[str, PartitionRecord]:
    """Return partitions in the order of their keys."""
    names: Collection[str] = next(iter(records.values())).key.keys() if records else ()
    if any(record.key.keys() != names for record in records.values()):
        raise CorruptionError(OF_DIFFERENT_FIELDS)
    try:
        return dict(sorted(records.items(), key=lambda item: tuple(item[1].key[name] for name in names)))
    except TypeError as error:
        raise CorruptionError(_INCOMPREHENSIBLE.format(error)) from error


def _rows(columns: Mapping[str, Sequence[KeyValue]]) -> list[tuple[KeyValue, ...]]:
    return list(zip(*columns.values(), strict=True))


def _joined(columns: Mapping[int, Sequence[Any]], stretches: Sequence[Stretch]) -> list[Any]:
    """Return the values of stretches, given the column of each of the partitions that they are of."""
    return [*chain.from_iterable(columns[id(part)][start:stop] for part, start, stop in stretches)]


def _picked(column: Sequence[Any], positions: Sequence[int]) -> list[Any]:
    return list(map(column.__getitem__, positions))
