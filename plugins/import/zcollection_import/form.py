"""The forms of data that can be imported: each consists of units, which are read one after the other in blocks of rows."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import xarray as xr

from zcollection.errors import CorruptionError, SchemaError, StoreError, ZCollectionError
from zcollection.plugin import Partitioning
from zcollection_import.place import Place

Groups = dict[str, dict[str, xr.Variable]]
"""The variables of each group by path, ``""`` for the root. Values are not decoded."""

_NUMBER = re.compile(r"(\d+)")


class Unit(ABC):
    """A unit of an import, which is opened as a whole: a partition, a file, or a store.

    Parameters
    ----------
    name
        A unique name, which is the same in every run.
    """

    expected: frozenset[str] = frozenset()
    """The paths of the variables that the unit must contain, if they are declared."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def groups(self, axis: str) -> Groups:
        """Return the variables of the unit; partitioned variables are lazy."""

    @abstractmethod
    def attributes(self) -> dict[str, dict[str, Any]]:
        """Return the attributes of each group, by its path."""

    @property
    def unlimited(self) -> frozenset[str]:
        """The unlimited dimensions of the unit."""
        return frozenset()

    def close(self) -> None:  # noqa: B027 - most units keep nothing open
        """Close all open files."""


class Form(ABC):
    """A form of stored data.

    Attributes
    ----------
    kind
        The short name of the form, in reports.
    title
        The description of the form.
    """

    kind: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, place: Place) -> None:
        self.place = place

    @abstractmethod
    def units(self) -> Sequence[Unit]:
        """Return the units of the data, in the order of their rows."""

    @property
    def axis(self) -> str | None:
        """The axis; None if the form does not state it."""
        return None

    def partitioning(self, axis: str) -> Partitioning | None:
        """Return the partitioning; None if the form does not state it."""
        del axis
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the report of the import."""
        return ()

    def __str__(self) -> str:
        return f"{self.title} at {self.place.url}"


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return names in natural order: numbers in them are compared as numbers, so that cycle 2 is before cycle 10.

    Examples
    --------
    >>> in_natural_order(["c10.nc", "c2.nc"])
    ['c2.nc', 'c10.nc']
    """
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in _NUMBER.split(name)])


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Add the name of the data being read to every error of a block.

    Raises
    ------
    CorruptionError
        A library could not read the data.
    ZCollectionError
        The block raised an error of zcollection; its class is kept.
    """
    try:
        yield
    except ZCollectionError as error:
        if str(error).startswith(what):
            raise
        kind = next((cls for cls in (SchemaError, CorruptionError, StoreError) if isinstance(error, cls)), type(error))
        message = f"{what}: {error}"
        raise kind(message) from error
    except (MemoryError, ImportError):
        raise
    except Exception as error:
        message = f"{what} cannot be read: {type(error).__name__}: {error}; restore it, and import again: finished parts are kept"
        raise CorruptionError(message) from error
