"""The contract of partitionings: how rows are assigned to partitions."""

import gc
from abc import abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import total_ordering
from reprlib import Repr
from typing import Any, ClassVar, Final

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.contracts.configurable import Configurable
from zcollection.errors import PartitionError, SchemaError
from zcollection.model.escaping import escape, unescape
from zcollection.model.names import LONGEST, validate_partition_segment, validate_segment

KeyValue = bool | int | str

INT64 = np.iinfo(np.int64)
"""The range of the numbers in keys."""

_WORDS: Final = {False: "false", True: "true"}
_SHORT: Final = Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 120


@total_ordering
class Key(Mapping[str, KeyValue], Hashable):
    """The key of a partition: the value of each field, outermost first.

    Keys of one partitioning are ordered by their values: numbers by value (cycle 2 before cycle 10), strings by code
    point, and False before True.

    Examples
    --------
    >>> Key(cycle=2, **{"pass": 7}) < Key(cycle=10, **{"pass": 1})
    True
    """

    __slots__ = ("_names", "_values")

    def __init__(self, values: Mapping[str, KeyValue] | None = None, /, **more: KeyValue) -> None:
        fields = {**(values or {}), **more}
        self._names, self._values = tuple(fields), tuple(fields.values())

    @classmethod
    def of_columns(cls, columns: Mapping[str, Sequence[KeyValue]]) -> "tuple[Key, ...]":
        """Return one key for each row of these columns, one column for each field.

        Examples
        --------
        >>> Key.of_columns({"cycle": [1, 1], "pass": [7, 8]})
        (Key(cycle=1, pass=7), Key(cycle=1, pass=8))
        """
        names, new, keys = tuple(columns), cls.__new__, []
        is_enabled = gc.isenabled()
        gc.disable()  # else the collector scans the new keys, a million or more, again and again, and finds no garbage
        try:
            for values in zip(*columns.values(), strict=True):
                key = new(cls)
                key._names, key._values = names, values  # noqa: SLF001 - an instance of this class
                keys.append(key)
        finally:
            if is_enabled:
                gc.enable()
        return tuple(keys)

    def __getitem__(self, name: str) -> KeyValue:
        try:
            return self._values[self._names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __hash__(self) -> int:
        return hash((self._names, self._values))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Key):
            return (self._names, self._values) == (other._names, other._values)
        return Mapping.__eq__(self, other) if isinstance(other, Mapping) else NotImplemented

    def __lt__(self, other: "Key") -> bool:
        return self._values < other._values

    def __repr__(self) -> str:
        return f"Key({', '.join(f'{name}={value!r}' for name, value in self.items())})"


@frozen
class Field:
    """One component of the keys of a partitioning: integers by default, else strings or booleans.

    Attributes
    ----------
    name
        Name, unique within the partitioning.
    width
        Number of digits to which numbers are zero-padded in paths, so that paths also sort as text.
    text
        Whether the values are strings. Characters that a path segment cannot contain are percent-encoded.
    boolean
        Whether the values are booleans, written ``true`` and ``false`` in paths.

    Raises
    ------
    SchemaError
        The name cannot be part of a path, or both `text` and `boolean` are true.

    Examples
    --------
    >>> Field("platform", text=True).encode("Jason-3 GDR"), Field("ascending", boolean=True).encode(True)
    ('platform=Jason-3%20GDR', 'ascending=true')
    """

    name: str
    width: int = field(default=0, kw_only=True)
    text: bool = field(default=False, kw_only=True)
    boolean: bool = field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        validate_segment(self.name, what="partition field")
        if self.text and self.boolean:
            message = f"partition field {self.name!r} has text=True and boolean=True; accepted: one of them"
            raise SchemaError(message)

    @property
    def kinds(self) -> str:
        """Kinds of NumPy dtypes (`numpy.dtype.kind`) that a column of values may have."""
        return "UT" if self.text else "b" if self.boolean else "iu"

    def encode(self, value: KeyValue) -> str:
        """Return the path segment of a value, such as ``month=03``.

        Raises
        ------
        PartitionError
            The value does not have the type of the field, or is a string whose segment would be too long.
        """
        text = self._write(value)
        if text is None:
            message = f"partition field {self.name!r} has the value {_SHORT.repr(value)}; accepted: {self._accepted}"
            raise PartitionError(message)
        segment = f"{self.name}={text}"
        if (length := len(segment.encode())) > LONGEST:
            message = (
                f"partition field {self.name!r} has the value {_SHORT.repr(value)}, whose part of the path has {length} bytes; "
                f"accepted: up to {LONGEST}, of which each byte that a path cannot hold takes three; use shorter values"
            )
            raise PartitionError(message)
        return validate_partition_segment(segment)

    def decode(self, segment: str) -> KeyValue:
        """Return the value in a path segment.

        Raises
        ------
        PartitionError
            `encode` does not write this segment for any value.
        """
        name, separator, text = validate_partition_segment(segment).partition("=")
        if separator and name == self.name:
            value = self._read(text)
            if value is not None and self.encode(value) == segment:
                return value
        message = f"{segment!r} is not a value of the partition field {self.name!r}"
        raise PartitionError(message)

    def _write(self, value: object) -> str | None:
        """Return the text of a value in a path, or None if the value does not have the type of the field."""
        if self.text:
            return escape(value) if isinstance(value, str) and _is_unicode(value) else None
        if self.boolean:
            return _WORDS[bool(value)] if isinstance(value, bool | np.bool_) else None
        return format(value, f"0{self.width}d") if _is_int64(value) else None

    def _read(self, text: str) -> KeyValue | None:
        if self.text:
            return unescape(text)
        return {word: value for value, word in _WORDS.items()}.get(text) if self.boolean else _integer(text)

    @property
    def _accepted(self) -> str:
        if self.text:
            return "str, without lone surrogates"
        return "bool" if self.boolean else f"int from {INT64.min} to {INT64.max}"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_int64(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return False
    return INT64.min <= int(value) <= INT64.max


def _integer(text: str) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() else None


class Partitioning(Configurable):
    """A mapping from rows to partitions, computed with NumPy arrays only.

    The kernel calls `keys` for one block of rows after another, and groups the rows with a stable sort. A partitioning
    therefore does not have to sort its input.

    Attributes
    ----------
    variables
        Paths of the one-dimensional variables that `keys` reads.
    dimension
        The dimension to partition along; None for the dimension of the collection's axis.
    calendars
        Whether `keys` accepts times in calendars that datetime64 does not support, as `CalendarTimes`. If False, a
        collection with such times is rejected.
    brief
        The settings that the text form gives without their names, in order. For instance, ``date:M`` is a `Date` whose
        `brief` begins with ``resolution``.
    contract_versions
        The versions of this contract that this release of zcollection accepts.
    """

    __slots__ = ()

    contract_versions: ClassVar[tuple[int, ...]] = (1,)
    calendars: ClassVar[bool] = False
    brief: ClassVar[tuple[str, ...]] = ("variables",)
    variables: tuple[str, ...]
    dimension: str | None

    @property
    @abstractmethod
    def fields(self) -> tuple[Field, ...]:
        """Components of the keys, outermost first."""

    @property
    def time_variables(self) -> tuple[str, ...]:
        """The `variables` that contain times; `keys` receives them as datetime64, also if they are stored as numbers.

        If `calendars` is true, `keys` receives times in a calendar that datetime64 does not support as `CalendarTimes`.
        """
        return ()

    def for_types(self, types: Mapping[str, np.dtype[Any]]) -> "Partitioning":  # noqa: ARG002 - for subclasses
        """Return this partitioning for variables of known types; override it if the fields depend on the types.

        The kernel calls it once, when a collection is created, and stores the result.

        Parameters
        ----------
        types
            The declared type of each variable, by its path in `variables`.

        Raises
        ------
        SchemaError
            The partitioning does not support variables of these types.
        """
        return self

    @abstractmethod
    def keys(self, columns: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return the key of every row.

        Parameters
        ----------
        columns
            The values of each variable, shape (rows,), by its path in `variables`.

        Returns
        -------
        mapping
            For each field an array of shape (rows,): integers, strings or booleans, according to the field.

        Raises
        ------
        PartitionError
            A value has no partition, or a column has the wrong type.
        """

    def encode(self, key: Mapping[str, KeyValue]) -> str:
        """Return the path of a partition, such as ``year=2024/month=03``: the encoded value of each field."""
        names = [field.name for field in self.fields]
        if list(key) != names:
            message = f"partition key {dict(key)!r}; accepted: the fields {', '.join(names)}, in this order"
            raise PartitionError(message)
        return "/".join(field.encode(key[field.name]) for field in self.fields)

    def decode(self, path: str) -> Key:
        """Return the key of a path; the inverse of `encode`.

        Raises
        ------
        PartitionError
            `encode` does not return this path for any key.
        """
        segments = path.split("/")
        if len(segments) != len(self.fields):
            names = ", ".join(field.name for field in self.fields)
            message = f"{path!r} is not the path of a partition; accepted: one segment for each of {names}"
            raise PartitionError(message)
        return Key({field.name: field.decode(text) for field, text in zip(self.fields, segments, strict=True)})
