"""What can be imported: data of some form, in units that are read one after the other, each in blocks of rows."""

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
"""The variables of each group, by its path; those of the root at ``""``. Nothing in them is decoded."""

_NUMBER = re.compile(r"(\d+)")


class Unit(ABC):
    """What is opened at once: a partition, a file, or all of a store.

    Parameters
    ----------
    name
        What tells it from the others, the same in every run.
    """

    expected: frozenset[str] = frozenset()
    """Paths of the variables that it must have, where something declares them."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def groups(self, axis: str) -> Groups:
        """Return its variables; of those along the dimension of the axis nothing is read before it is asked for."""

    @abstractmethod
    def attributes(self) -> dict[str, dict[str, Any]]:
        """Return the attributes of each group, by its path."""

    @property
    def unlimited(self) -> frozenset[str]:
        """The dimensions that it says may grow."""
        return frozenset()

    def close(self) -> None:  # noqa: B027 - most hold nothing open
        """Let go of what was opened."""


class Form(ABC):
    """A form in which data can lie.

    Attributes
    ----------
    kind
        Its short name, in reports.
    title
        What it is, in words.
    """

    kind: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, place: Place) -> None:
        self.place = place

    @abstractmethod
    def units(self) -> Sequence[Unit]:
        """Return what it is made of, in the order in which rows are to follow each other."""

    @property
    def axis(self) -> str | None:
        """The axis, where the form says which it is."""
        return None

    def partitioning(self, axis: str) -> Partitioning | None:
        """Return how it is partitioned, where the form says so."""
        del axis
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth saying of it."""
        return ()

    def __str__(self) -> str:
        return f"{self.title} at {self.place.url}"


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return names sorted so that numbers in them count: cycle 2 before cycle 10.

    Examples
    --------
    >>> in_natural_order(["c10.nc", "c2.nc"])
    ['c2.nc', 'c10.nc']
    """
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in _NUMBER.split(name)])


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Let every error of a block say what was read when it happened.

    Raises
    ------
    CorruptionError
        A library could not read it.
    ZCollectionError
        One of ours, of its own class.
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
        message = f"{what} cannot be read: {type(error).__name__}: {error}; restore it, and import again: what is done is kept"
        raise CorruptionError(message) from error
