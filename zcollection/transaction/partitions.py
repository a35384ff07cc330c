"""The partitions of a collection, held in columns: a query of one partition among 100,000 makes one record."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from attrs import fields

from zcollection.contracts.partitioning import KeyValue
from zcollection.errors import CorruptionError
from zcollection.transaction.documents import PartitionRecord, validate_path

_COLUMNS: Final = tuple(item.name for item in fields(PartitionRecord) if item.name != "key")
_REPEATING: Final = ("stamp", "layout", "absent")
"""Columns with few distinct values, which are written once each."""


class Partitions(Mapping[str, PartitionRecord]):
    """What each partition says of itself, by path, in the order of their keys.

    Parameters
    ----------
    records
        The same, in any order.
    """

    __slots__ = ("_columns", "_keys", "_paths", "_positions")

    def __init__(self, records: Mapping[str, PartitionRecord] | None = None) -> None:
        ordered = sorted((records or {}).items(), key=lambda item: tuple(item[1].key.values()))
        self._paths = [path for path, _ in ordered]
        self._keys = {
            name: [record.key[name] for _, record in ordered] for name in (ordered[0][1].key if ordered else ())
        }
        self._columns = {name: [getattr(record, name) for _, record in ordered] for name in _COLUMNS}
        self._positions: dict[str, int] | None = None

    def __getitem__(self, path: str) -> PartitionRecord:
        if self._positions is None:
            self._positions = {known: position for position, known in enumerate(self._paths)}
        return self._record(self._positions[path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def where(self, matches: Callable[[Mapping[str, KeyValue]], bool]) -> dict[str, PartitionRecord]:
        """Return the partitions whose key passes a predicate, in order."""
        names = tuple(self._keys)
        keys = (dict(zip(names, values, strict=True)) for values in zip(*self._keys.values(), strict=True))
        return {self._paths[at]: self._record(at) for at, key in enumerate(keys) if matches(key)}

    def changed(self, written: Mapping[str, PartitionRecord], dropped: Collection[str]) -> "Partitions":
        """Return the partitions after some were written and others dropped."""
        kept = {path: self._record(at) for at, path in enumerate(self._paths) if path not in dropped}
        return Partitions(kept | dict(written))

    def to_json(self) -> dict[str, Any]:
        """Return the columns as a JSON value; `from_json` is the inverse."""
        columns = {name: _distinct(values) if name in _REPEATING else values for name, values in self._columns.items()}
        return {"path": self._paths, "key": self._keys, **columns}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Partitions":
        """Return the partitions in what `to_json` wrote; a checksum has said that we did.

        Raises
        ------
        CorruptionError
            The columns have different lengths.
        """
        partitions = cls()
        partitions._paths, partitions._keys = value["path"], value["key"]
        partitions._columns = {name: _repeated(value[name]) if name in _REPEATING else value[name] for name in _COLUMNS}
        lengths = {len(column) for column in (*partitions._columns.values(), *partitions._keys.values())}
        if lengths != {len(partitions._paths)}:
            message = f"the catalog has columns of {sorted(lengths)} values for {len(partitions._paths)} partitions"
            raise CorruptionError(message)
        return partitions

    def _record(self, at: int) -> PartitionRecord:
        validate_path(self._paths[at])
        values = {name: column[at] for name, column in self._columns.items()}
        limits = values["axis_range"]
        values |= {"absent": tuple(values["absent"]), "axis_range": None if limits is None else tuple(limits)}
        return PartitionRecord(key={name: column[at] for name, column in self._keys.items()}, **values)


def _distinct(values: list[Any]) -> dict[str, Any]:
    positions = {value: at for at, value in enumerate(dict.fromkeys(values))}
    return {"values": list(positions), "positions": [positions[value] for value in values]}


def _repeated(column: Mapping[str, Any]) -> list[Any]:
    values = column["values"]
    return [values[position] for position in column["positions"]]
