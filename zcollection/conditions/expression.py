"""Conditions written as expressions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from attrs import field, frozen

from zcollection.conditions.binding import Binder
from zcollection.conditions.condition import Bound, Columns, Condition
from zcollection.conditions.naming import Scope
from zcollection.conditions.operands import Column, Rows, ValueKind, kind_of
from zcollection.conditions.predicates import Mask, Predicate
from zcollection.conditions.syntax import Language, Parsed, names_in, parse
from zcollection.conditions.zones import Verdicts, Zones
from zcollection.errors import ExpressionError
from zcollection.model.names import split
from zcollection.model.schema import DatasetSchema

CONDITION: Final = Language(
    noun="condition",
    functions=frozenset({"range", "isnan", "isfinite", "abs"}),
    accepted=(
        "comparisons, and, or, not, in, + - * / // % of numbers, abs(), isnan(), isfinite(), range() of integers, numbers of "
        "up to 128 bits, strings, lists, tuples and sets after in, and names, with a path in backticks"
    ),
    otherwise="combine conditions with & and |, or give zc.rows.function(…)",
)
"""The language of conditions on rows."""

_KINDS: Final[Mapping[type, ValueKind]] = {bool: ValueKind.BOOLEAN, int: ValueKind.NUMBER, str: ValueKind.STRING}


@frozen
class Expression(Condition):
    """A condition written as an expression; see `zcollection.rows.expression`.

    Attributes
    ----------
    text
        The expression.
    """

    text: str

    def bound(self, schema: DatasetSchema, dimension: str, fields: Sequence[str] = ()) -> Bound:  # noqa: D102
        scope = Scope(schema, dimension, tuple(fields))
        words = {*map(_last_name, schema.all_variables()), *fields}
        parsed = parse(self.text, CONDITION, tuple(sorted(words)))
        columns: dict[str, Column] = {}
        unbound: dict[str, None] = {}
        for node in names_in(parsed.root):
            try:
                path = scope.find(node.name)
                if path is None:
                    unbound[node.name] = None
                else:
                    columns[node.name] = Column(path, scope.check_comparable(path))
            except ExpressionError as error:
                raise parsed.error(node, f"cannot be used: {error}") from error
        bound = _BoundExpression(parsed, columns, tuple(unbound))
        bound.predicate({})  # raises the errors that do not depend on the key fields
        return bound


def _last_name(path: str) -> str:
    return split(path)[1]


@frozen
class _BoundExpression(Bound):
    parsed: Parsed
    columns: dict[str, Column]
    fields: tuple[str, ...]
    variables: tuple[str, ...] = field(init=False)
    _predicates: dict[tuple[ValueKind, ...], Predicate] = field(factory=dict, init=False, eq=False, repr=False)

    @variables.default
    def _variables_of_columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column.path for column in self.columns.values()))

    def predicate(self, kinds: Mapping[str, ValueKind]) -> Predicate:
        """Return the predicate for key fields with these kinds of values; a missing field is unknown."""
        in_order = tuple(kinds.get(name, ValueKind.UNKNOWN) for name in self.fields)
        if in_order not in self._predicates:
            binder = Binder(self.parsed, self.columns, dict(zip(self.fields, in_order, strict=True)))
            self._predicates[in_order] = binder.predicate(self.parsed.root)
        return self._predicates[in_order]

    def _mask(self, columns: Columns, rows: int) -> Mask:  # noqa: ARG002 - the caller broadcasts
        kinds = {name: _kind_of_value(columns[name]) for name in self.fields}
        return self.predicate(kinds).mask(Rows(columns))

    def _verdicts(self, zones: Mapping[str, Zones], count: int) -> Verdicts:  # noqa: ARG002
        known = {name: zones[name] for name in self.fields if name in zones}
        kinds = {name: _kind_in_zones(bounds) for name, bounds in known.items()}
        return self.predicate(kinds).verdicts(zones)


def _kind_of_value(value: object) -> ValueKind:
    scalar = value.item() if isinstance(value, np.generic) else value
    return _KINDS[type(scalar)]


def _kind_in_zones(bounds: Zones) -> ValueKind:
    """Return the kind of values of a key field; unknown for strings, whose statistics are placeholders."""
    dtype: np.dtype[Any] = bounds.lower.dtype
    return kind_of(dtype) if dtype.kind in "biu" and bounds.known.any() else ValueKind.UNKNOWN


def as_condition(where: "str | Condition") -> Condition:
    """Convert an argument to a condition; a string is parsed as an expression.

    Raises
    ------
    ExpressionError
        The argument is neither a string nor a condition.

    Examples
    --------
    >>> as_condition("ssh > 1")
    Expression(text='ssh > 1')
    """
    if isinstance(where, Condition):
        return where
    if isinstance(where, str):
        return Expression(where)
    message = (
        f"where={where!r} is a {type(where).__name__}; accepted: an expression such as 'ssh > 1', or a condition of zc.rows: expression(), "
        f"box(), polygon(), function()"
    )
    raise ExpressionError(message)
