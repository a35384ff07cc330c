"""Conditions on rows, and bound conditions, which know the schema of the rows."""

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
"""Values of variables by path, as one-dimensional arrays, and of key fields by name, as Python scalars."""


class Bound(ABC):
    """A condition bound to a schema, which can be pickled.

    Attributes
    ----------
    variables
        Paths of the variables that the condition reads.
    fields
        Key fields that the condition uses.
    """

    variables: tuple[str, ...]
    fields: tuple[str, ...]

    @final
    def mask(self, columns: Columns, rows: int) -> Mask:
        """Return the mask of rows that satisfy the condition, shape (rows,).

        Parameters
        ----------
        columns
            The values of `variables`, by path, of the declared types and of shape (rows,), and of `fields`, by name.
        rows
            Number of rows.

        Raises
        ------
        ExpressionError
            The condition does not apply to the values of the fields, or the user's function did not return a mask.
        """
        with np.errstate(all="ignore"):
            return np.array(np.broadcast_to(self._mask(columns, rows), (rows,)))

    @final
    def verdicts(self, zones: Mapping[str, Zones], count: int) -> Verdicts:
        """Return whether the rows of each zone satisfy the condition: NEVER (0), PERHAPS (1) or ALWAYS (2), shape (count,).

        Parameters
        ----------
        zones
            Statistics of variables, by path, and of key fields, by name. A variable or field that is missing has no
            statistics.
        count
            Number of zones.
        """
        with np.errstate(all="ignore"):
            return np.array(np.broadcast_to(self._verdicts(zones, count), (count,)))

    @abstractmethod
    def _mask(self, columns: Columns, rows: int) -> Mask:
        """Return the mask of rows, of shape (rows,) or (1,)."""

    @abstractmethod
    def _verdicts(self, zones: Mapping[str, Zones], count: int) -> Verdicts:
        """Return the verdicts of zones, of shape (count,) or (1,)."""


@frozen
class BoundPredicate(Bound):
    """A bound condition that consists of a predicate without key fields."""

    predicate: Predicate
    variables: tuple[str, ...]
    fields: tuple[str, ...] = ()

    def _mask(self, columns: Columns, rows: int) -> Mask:  # noqa: ARG002 - the caller broadcasts
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
            The partitioned dimension, along which the rows are.
        fields
            The fields of the partition key. A field is used for a name that no variable has.

        Raises
        ------
        ExpressionError
            The condition is not valid, or does not apply to the schema.
        """

    def __and__(self, other: object) -> "Condition":
        return Both(self, other) if isinstance(other, Condition) else NotImplemented

    def __or__(self, other: object) -> "Condition":
        return Either(self, other) if isinstance(other, Condition) else NotImplemented

    def __invert__(self) -> "Condition":
        return Inverted(self)

    def __bool__(self) -> NoReturn:
        message = f"{self!r} has no truth value; combine conditions with &, | and ~ instead of and, or and not"
        raise TypeError(message)


@frozen(repr=False)
class Both(Condition):
    """The conjunction of two conditions."""

    left: Condition
    right: Condition

    def bound(self, schema: DatasetSchema, dimension: str, fields: Sequence[str] = ()) -> Bound:  # noqa: D102
        return _BoundBoth(_bound((self.left, self.right), schema, dimension, fields))

    def __repr__(self) -> str:
        return f"({self.left!r} & {self.right!r})"


@frozen(repr=False)
class Either(Condition):
    """The disjunction of two conditions."""

    left: Condition
    right: Condition

    def bound(self, schema: DatasetSchema, dimension: str, fields: Sequence[str] = ()) -> Bound:  # noqa: D102
        return _BoundEither(_bound((self.left, self.right), schema, dimension, fields))

    def __repr__(self) -> str:
        return f"({self.left!r} | {self.right!r})"


@frozen(repr=False)
class Inverted(Condition):
    """The negation of a condition."""

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
