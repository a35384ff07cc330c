"""Conditions on rows, as people state them, and as they are once the schema of the rows is known."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NoReturn, final

import numpy as np
from attrs import field, frozen

from zcollection.conditions.operands import Rows
from zcollection.conditions.predicates import Mask, Predicate
from zcollection.conditions.zones import ALWAYS, Verdicts, Zones
from zcollection.model.schema import DatasetSchema

Columns = Mapping[str, Any]
"""Values of variables by path, as arrays of one dimension, and of fields of the key by name, as Python's scalars."""


class Bound(ABC):
    """A condition that is bound to a schema; it pickles.

    Attributes
    ----------
    variables
        Paths of the variables that it reads.
    fields
        Fields of the partition keys that it names.
    """

    variables: tuple[str, ...]
    fields: tuple[str, ...]

    @final
    def mask(self, columns: Columns, rows: int) -> Mask:
        """Return which rows pass.

        Parameters
        ----------
        columns
            The values of `variables`, by path, of the declared types and of shape (rows,), and of `fields`, by name.
        rows
            How many there are.

        Raises
        ------
        ExpressionError
            The condition does not apply to the values of the fields, or a function returned no mask.
        """
        with np.errstate(all="ignore"):
            return np.array(np.broadcast_to(self._mask(columns, rows), (rows,)))

    @final
    def verdicts(self, zones: Mapping[str, Zones], count: int) -> Verdicts:
        """Return for each zone whether its rows pass: NEVER (0), PERHAPS (1) or ALWAYS (2).

        Parameters
        ----------
        zones
            What is known of variables, by path, and of fields of keys, by name; nothing is of those that are not there.
        count
            How many zones there are.
        """
        with np.errstate(all="ignore"):
            return np.array(np.broadcast_to(self._verdicts(zones, count), (count,)))

    @abstractmethod
    def _mask(self, columns: Columns, rows: int) -> Mask:
        """Return which rows pass: one entry for each, or one for all."""

    @abstractmethod
    def _verdicts(self, zones: Mapping[str, Zones], count: int) -> Verdicts:
        """Return the verdict of each zone, or one for all."""


@frozen
class BoundPredicate(Bound):
    """A condition that is a predicate, and names no field."""

    predicate: Predicate
    variables: tuple[str, ...]
    fields: tuple[str, ...] = ()

    def _mask(self, columns: Columns, rows: int) -> Mask:  # noqa: ARG002 - what is one for all is made so many
        return self.predicate.mask(Rows(columns))

    def _verdicts(self, zones: Mapping[str, Zones], count: int) -> Verdicts:  # noqa: ARG002
        return self.predicate.verdicts(zones)


class Condition(ABC):
    """A condition on rows. Conditions combine: ``a & b`` (both), ``a | b`` (either) and ``~a`` (not)."""

    @abstractmethod
    def bound(self, schema: DatasetSchema, dimension: str, fields: Sequence[str] = ()) -> Bound:
        """Return the condition bound to the variables of a schema.

        Parameters
        ----------
        schema
            The schema of the rows.
        dimension
            The root's dimension along which they are.
        fields
            The fields of the partition keys, which may be named where no variable has the name.

        Raises
        ------
        ExpressionError
            The condition cannot be understood, or does not apply to the schema.
        """

    def __and__(self, other: object) -> "Condition":
        return Both(self, other) if isinstance(other, Condition) else NotImplemented

    def __or__(self, other: object) -> "Condition":
        return Either(self, other) if isinstance(other, Condition) else NotImplemented

    def __invert__(self) -> "Condition":
        return Inverted(self)

    def __bool__(self) -> NoReturn:
        message = f"{self!r} is neither true nor false before rows are known; combine conditions with &, | and ~"
        raise TypeError(message)


@frozen(repr=False)
class Both(Condition):
    """Two conditions both of which have to hold."""

    left: Condition
    right: Condition

    def bound(self, schema: DatasetSchema, dimension: str, fields: Sequence[str] = ()) -> Bound:  # noqa: D102
        return _BoundBoth(_bound((self.left, self.right), schema, dimension, fields))

    def __repr__(self) -> str:
        return f"({self.left!r} & {self.right!r})"


@frozen(repr=False)
class Either(Condition):
    """Two conditions one of which has to hold."""

    left: Condition
    right: Condition

    def bound(self, schema: DatasetSchema, dimension: str, fields: Sequence[str] = ()) -> Bound:  # noqa: D102
        return _BoundEither(_bound((self.left, self.right), schema, dimension, fields))

    def __repr__(self) -> str:
        return f"({self.left!r} | {self.right!r})"


@frozen(repr=False)
class Inverted(Condition):
    """A condition that must not hold."""

    inner: Condition

    def bound(self, schema: DatasetSchema, dimension: str, fields: Sequence[str] = ()) -> Bound:  # noqa: D102
        return _BoundInverted(_bound((self.inner,), schema, dimension, fields))

    def __repr__(self) -> str:
        return f"~{self.inner!r}"


def _bound(
    conditions: Sequence[Condition], schema: DatasetSchema, dimension: str, fields: Sequence[str]
) -> tuple[Bound, ...]:
    return tuple(condition.bound(schema, dimension, fields) for condition in conditions)


@frozen
class _Combined(Bound):
    parts: tuple[Bound, ...]
    variables: tuple[str, ...] = field(init=False)
    fields: tuple[str, ...] = field(init=False)

    @variables.default
    def _variables_of_parts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(path for part in self.parts for path in part.variables))

    @fields.default
    def _fields_of_parts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for part in self.parts for name in part.fields))


@frozen
class _BoundBoth(_Combined):
    def _mask(self, columns: Columns, rows: int) -> Mask:
        first, second = self.parts
        passed = first.mask(columns, rows)
        return passed & second.mask(columns, rows) if passed.any() else passed

    def _verdicts(self, zones: Mapping[str, Zones], count: int) -> Verdicts:
        return reduce(np.minimum, (part.verdicts(zones, count) for part in self.parts))


@frozen
class _BoundEither(_Combined):
    def _mask(self, columns: Columns, rows: int) -> Mask:
        first, second = self.parts
        passed = first.mask(columns, rows)
        return passed if passed.all() else passed | second.mask(columns, rows)

    def _verdicts(self, zones: Mapping[str, Zones], count: int) -> Verdicts:
        return reduce(np.maximum, (part.verdicts(zones, count) for part in self.parts))


@frozen
class _BoundInverted(_Combined):
    def _mask(self, columns: Columns, rows: int) -> Mask:
        return ~self.parts[0].mask(columns, rows)

    def _verdicts(self, zones: Mapping[str, Zones], count: int) -> Verdicts:
        return np.asarray(ALWAYS - self.parts[0].verdicts(zones, count), dtype=np.int8)
