"""The partitions of a collection, held in columns: a query of one partition among 100,000 makes one record."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import fields

from zcollection.contracts.partitioning import KeyValue
from zcollection.errors import CorruptionError
from zcollection.model import sections
from zcollection.model.sections import Printed, Section, Table, heading
from zcollection.transaction import packing
from zcollection.transaction.documents import PartitionRecord, validate_path

Selection = Callable[[Mapping[str, Sequence[KeyValue]]], Iterable[int]]
"""Chooses partitions: takes the columns of the key's fields, returns positions in them, in order."""

Concern = Callable[[Sequence[str]], Iterable[str]] | Collection[str] | None
"""Which partitions are asked for: their paths, or what tells these from the paths of all; None for all.

It is asked of the beginnings of paths too, all of one length, and returns those at which such a partition may lie.
"""

Columns = Mapping[str, Sequence[Any]]
Narrowing = Callable[[Columns, Sequence[Any]], Sequence[bool]]
"""Chooses partitions by what is known without a record of each: takes the columns of the keys' fields and the limits of the
axis, returns for each whether it may be wanted."""
_COLUMNS: Final = tuple(item.name for item in fields(PartitionRecord) if item.name != "key")
_ORIGIN: Final = "origin"


class Partitions(Printed, Mapping[str, PartitionRecord]):
    """What each partition says of itself, by path, in the order of their keys.

    Parameters
    ----------
    records
        The same, in any order.
    """

    __slots__ = ("_columns", "_keys", "_lists", "_paths", "_positions")

    def __init__(self, records: Mapping[str, PartitionRecord] | None = None) -> None:
        self._paths: Sequence[str] = list(records or {})
        of_each = list((records or {}).values())
        names = of_each[0].key if of_each else {}
        if any(record.key.keys() != names.keys() for record in of_each[1:]):
            message = "the partitions have keys of different fields; call verify()"
            raise CorruptionError(message)
        self._keys: Columns = {name: [record.key[name] for record in of_each] for name in names}
        self._columns: Columns = {name: [getattr(record, name) for record in of_each] for name in _COLUMNS}
        self._positions: dict[str, int] | None = None
        self._lists: Columns | None = None  # of the keys: columns that repeat values are slow to look at one by one
        self._sort()

    def __getitem__(self, path: str) -> PartitionRecord:
        if self._positions is None:
            self._positions = {known: position for position, known in enumerate(self._paths)}
        return self._record(self._positions[path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

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
        if not self._paths:
            return []
        column = list(self._columns[name])
        if len(column) != len(self._paths):
            message = f"there are {len(self._paths)} partitions, and {len(column)} values of their {name}; call repair_catalog()"
            raise CorruptionError(message)
        return column

    def where(self, select: Selection | None, narrow: Narrowing | None = None) -> dict[str, PartitionRecord]:
        """Return the partitions whose key is selected, of those that may be wanted, in order."""
        if not self._paths:
            return {}
        positions: Iterable[int] = range(len(self)) if select is None else select(self._listed_keys())
        if narrow is not None:
            wanted = narrow(self._listed_keys(), self._columns["axis_range"])
            if len(wanted) != len(self):
                message = f"there are {len(self)} partitions, and the limits of {len(wanted)}"
                raise CorruptionError(message)
            positions = [at for at in positions if wanted[at]]
        return {self._paths[at]: self._record(at) for at in positions}

    def _listed_keys(self) -> Columns:
        """Return the columns of the keys as lists, after a look at their lengths."""
        if any(len(column) != len(self._paths) for column in self._keys.values()):
            message = "the partitions have keys of different lengths"
            raise CorruptionError(message)
        if self._lists is None:
            self._lists = {name: list(column) for name, column in self._keys.items()}
        return self._lists

    def changed(self, written: Mapping[str, PartitionRecord], dropped: Collection[str]) -> "Partitions":
        """Return the partitions after some were written and others dropped."""
        gone = {*written, *dropped}
        kept = [at for at, path in enumerate(self._paths) if path not in gone]
        new = written if isinstance(written, Partitions) else Partitions(written)
        return self._joined_with(new, kept) if kept else new

    def _joined_with(self, new: "Partitions", kept: Sequence[int]) -> "Partitions":
        """Return those at some positions, and new ones."""
        result = Partitions()
        keys, columns = (new._keys, new._columns) if len(new) else ({}, {})  # noqa: SLF001 - of its own class
        result._paths = [*_picked(self._paths, kept), *new]
        try:
            result._keys = _joined(self._keys, kept, keys)
            result._columns = _joined(self._columns, kept, columns)
        except (IndexError, TypeError) as error:
            message = f"what is recorded of the partitions cannot be understood: {error}"
            raise CorruptionError(message) from error
        result._sort()
        return result

    def to_json(self) -> dict[str, Any]:
        """Return the columns as a JSON value; `from_json` is the inverse."""
        try:
            keys, columns = packing.packed_all(self._keys), packing.packed_all(self._columns)
        except TypeError as error:
            message = f"what is recorded of the partitions cannot be understood: {error}"
            raise CorruptionError(message) from error
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
        partitions = cls()
        partitions._paths = packing.unpacked(value["path"])
        if set(map(type, partitions._paths)) - {str} or not isinstance(value["key"], dict):
            message = "the paths or keys of the partitions are no text"
            raise TypeError(message)
        partitions._keys = packing.Columns(value["key"])
        origin = {_ORIGIN: value.get(_ORIGIN) or packing.repeated([], len(partitions._paths))}
        partitions._columns = packing.Columns({name: value[name] for name in _COLUMNS if name != _ORIGIN} | origin)
        return partitions

    def _sort(self) -> None:
        """Put the partitions in the order of their keys."""
        try:
            keys = list(zip(*self._keys.values(), strict=True))
            order = sorted(range(len(keys)), key=keys.__getitem__)
            if order == list(range(len(keys))):
                return
            self._paths = _picked(self._paths, order)
            self._keys, self._columns = _joined(self._keys, order, {}), _joined(self._columns, order, {})
        except (IndexError, TypeError, ValueError) as error:
            message = f"what is recorded of the partitions cannot be understood: {error}"
            raise CorruptionError(message) from error

    def _record(self, at: int) -> PartitionRecord:
        validate_path(self._paths[at])
        try:
            key = {name: column[at] for name, column in self._keys.items()}
            return PartitionRecord(key=key, **{name: column[at] for name, column in self._columns.items()})
        except (IndexError, TypeError, ValueError) as error:
            message = f"what is recorded of partition {self._paths[at]!r} cannot be understood: {error}"
            raise CorruptionError(message) from error


def _joined(columns: Columns, positions: Sequence[int], others: Columns) -> Columns:
    """Return the values at some positions of columns, and behind them those of others."""
    return {name: [*_picked(column, positions), *others.get(name, ())] for name, column in columns.items()}


def _picked(column: Sequence[Any], positions: Sequence[int]) -> list[Any]:
    return list(map(column.__getitem__, positions))
