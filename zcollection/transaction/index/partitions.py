"""The partitions of a collection, stored in columns: a query for one partition among 100,000 creates only one record."""

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
"""Selects partitions: takes the columns of the key's fields, and returns the positions of the selected keys, in order."""

Candidates = Callable[[Sequence[str]], Iterable[str]] | Collection[str] | None
"""The requested partitions: their paths, or a function that filters paths; None for all.

The function is also called with prefixes of paths, all of the same depth, and returns those under which a requested
partition may be stored. A `limits.RangePruning` also filters by the limits of keys and of the axis.
"""

ByName = Mapping[str, Sequence[Any]]
Pruner = Callable[[ByName, Sequence[Any]], Sequence[bool]]
"""Prunes partitions without a record of each: takes the columns of the keys' fields and the limits of the axis, and returns
for each partition whether it may be selected."""
_COLUMNS: Final = tuple(item.name for item in fields(PartitionRecord) if item.name != "key")
_ORIGIN: Final = "origin"
_FEW: Final = 16


class Partitions(Printed, Mapping[str, PartitionRecord]):
    """The record of each partition, by path, in the order of the keys.

    Parameters
    ----------
    records
        The records by path, in any order.
    """

    __slots__ = ("_columns", "_keys", "_lists", "_paths", "_positions")

    def __init__(self, records: Mapping[str, PartitionRecord] | None = None) -> None:
        ordered = _ordered(records or {})
        in_order = list(ordered.values())
        names = in_order[0].key if in_order else {}
        self._set(
            list(ordered),
            {name: [record.key[name] for record in in_order] for name in names},
            {name: [getattr(record, name) for record in in_order] for name in _COLUMNS},
        )

    def _set(self, paths: Sequence[str], keys: ByName, columns: ByName) -> None:
        self._paths, self._keys, self._columns = paths, keys, columns
        self._positions: dict[str, int] | None = None
        self._lists: ByName | None = None  # the keys as lists: access to single values of a packed column is slow

    @classmethod
    def _of(cls, paths: Sequence[str], keys: ByName, columns: ByName) -> "Partitions":
        partitions = cls.__new__(cls)
        partitions._set(paths, keys, columns)  # noqa: SLF001 - an instance of this class, as below
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
            The column does not have one value for each partition.
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
        """Names of the fields of the keys; empty without partitions."""
        return tuple(self._keys)

    def partition_keys(self) -> tuple[Key, ...]:
        """Return the key of each partition, in order, without making its record."""
        return Key.of_columns(self.key_columns())

    def where(self, select: Selection | None, prune: Pruner | None = None) -> "Partitions":
        """Return the partitions whose key is selected and that `prune` does not exclude, in order."""
        if not self._paths:
            return self
        positions: Iterable[int] = range(len(self)) if select is None else select(self.key_columns())
        if prune is not None:
            may_match = prune(self.key_columns(), self._columns["axis_range"])
            if len(may_match) != len(self):
                message = f"there are {len(self)} partitions, and the limits of {len(may_match)}"
                raise CorruptionError(message)
            positions = (at for at in positions if may_match[at])
        chosen = list(positions)
        return self if len(chosen) == len(self) else self._picked(chosen)

    def _picked(self, positions: Sequence[int]) -> "Partitions":
        """Return the partitions at given positions."""
        return self._of(
            _picked(self._paths, positions),
            Columns(self._keys, lambda name: _picked(self._keys[name], positions)),
            Columns(_COLUMNS, lambda name: _picked(self._columns[name], positions)),
        )

    def key_columns(self) -> ByName:
        """Return the columns of the keys as lists, after a check of their lengths."""
        if any(len(column) != len(self._paths) for column in self._keys.values()):
            message = "the partitions have keys of different lengths"
            raise CorruptionError(message)
        if self._lists is None:
            self._lists = {name: list(column) for name, column in self._keys.items()}
        return self._lists

    def changed(self, written: Mapping[str, PartitionRecord], dropped: Collection[str]) -> "Partitions":
        """Return the partitions after some were written and others dropped."""
        new = written if isinstance(written, Partitions) else Partitions(written)
        replaced = {*new, *dropped}
        removed = [*compress(count(), map(replaced.__contains__, self._paths))]
        if len(removed) == len(self):
            return new
        if not removed and not new:
            return self
        insertions = ((at, 0, number) for number, at in enumerate(self._insertion_points(new)))
        stretches, start = [], 0
        # Sorted by position, and insertions before removals at the same position.
        for at, is_removal, number in sorted([*insertions, *((at, 1, 0) for at in removed)]):
            stretches.append((self, start, at))
            start = at + is_removal
            if not is_removal:
                stretches.append((new, number, number + 1))
        return Partitions.joined([*stretches, (self, start, len(self))])

    def _insertion_points(self, new: "Partitions") -> list[int]:
        """Return for each new partition the position before which its key sorts."""
        if new and self._keys.keys() != new._keys.keys():  # noqa: SLF001
            raise CorruptionError(OF_DIFFERENT_FIELDS)
        columns, new_keys = [*self.key_columns().values()], _rows(new.key_columns())
        try:
            if _FEW * len(new) < len(self):  # building the tuples of all keys would take longer
                return [
                    bisect_left(range(len(self)), key, key=lambda at: tuple(each[at] for each in columns))
                    for key in new_keys
                ]
            rows = _rows(self.key_columns())
            return [bisect_left(rows, key) for key in new_keys]
        except TypeError as error:
            raise CorruptionError(_INVALID_RECORDS.format(error)) from error

    @classmethod
    def joined(cls, stretches: Iterable["Stretch"]) -> "Partitions":
        """Return ranges of partitions, concatenated; each is given as the partitions, a start and a stop (a "stretch")."""
        parts = [stretch for stretch in stretches if stretch[1] < stretch[2]]
        if not parts:
            return cls()
        keys = parts[0][0]._keys  # noqa: SLF001
        return cls._of(
            _joined({id(part): part._paths for part, _, _ in parts}, parts),  # noqa: SLF001
            Columns(keys, lambda name: _joined({id(part): part.key_columns()[name] for part, _, _ in parts}, parts)),
            Columns(_COLUMNS, lambda name: _joined({id(part): part._column(name) for part, _, _ in parts}, parts)),  # noqa: SLF001
        )

    def for_candidates(self, candidates: Candidates = None) -> "Partitions":  # noqa: ARG002 - the interface of `Segments`
        """Return the loaded partitions that may be candidates: here always all."""
        return self

    def materialised(self) -> "Partitions":
        """Return a copy with all columns computed, which no longer refers to the partitions from which it was made."""
        return self._of(self._paths, self.key_columns(), {name: self.column(name) for name in _COLUMNS})

    def cut(self, start: int, stop: int) -> "Partitions":
        """Return the partitions from position `start` to `stop`."""
        return Partitions.joined([(self, start, stop)])

    def to_json(self) -> dict[str, Any]:
        """Return the columns as a JSON value; `from_json` is the inverse."""
        try:
            keys, columns = packing.packed_all(self._keys), packing.packed_all(self._columns)
        except TypeError as error:
            raise CorruptionError(_INVALID_RECORDS.format(error)) from error
        if not any(self._columns[_ORIGIN]):
            del columns[_ORIGIN]  # only views have origins
        return {"path": packing.packed(self._paths), "key": keys, **columns}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Partitions":
        """Return the partitions in a value of `to_json`; the caller has verified its checksum.

        Raises
        ------
        KeyError, TypeError, ValueError
            A column is missing or malformed.
        """
        paths = packing.unpacked(value["path"])
        if set(map(type, paths)) - {str} or not isinstance(value["key"], dict):
            message = "the paths of the partitions are not strings, or their keys not a mapping"
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
            message = f"the record of partition {self._paths[at]!r} cannot be parsed: {error}"
            raise CorruptionError(message) from error


Stretch = tuple[Partitions, int, int]
_INVALID_RECORDS: Final = "the records of the partitions cannot be parsed: {}"
OF_DIFFERENT_FIELDS: Final = "the partitions have keys of different fields; call verify()"


def _ordered(records: Mapping[str, PartitionRecord]) -> dict[str, PartitionRecord]:
    """Return the records sorted by key."""
    names: Collection[str] = next(iter(records.values())).key.keys() if records else ()
    if any(record.key.keys() != names for record in records.values()):
        raise CorruptionError(OF_DIFFERENT_FIELDS)
    try:
        return dict(sorted(records.items(), key=lambda item: tuple(item[1].key[name] for name in names)))
    except TypeError as error:
        raise CorruptionError(_INVALID_RECORDS.format(error)) from error


def _rows(columns: Mapping[str, Sequence[KeyValue]]) -> list[tuple[KeyValue, ...]]:
    return list(zip(*columns.values(), strict=True))


def _joined(columns: Mapping[int, Sequence[Any]], stretches: Sequence[Stretch]) -> list[Any]:
    """Return the values of one column of stretches, given the column of each `Partitions` object by its id."""
    return [*chain.from_iterable(columns[id(part)][start:stop] for part, start, stop in stretches)]


def _picked(column: Sequence[Any], positions: Sequence[int]) -> list[Any]:
    return list(map(column.__getitem__, positions))
