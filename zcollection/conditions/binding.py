"""Binding of a parsed condition to the variables of a schema, which reports all errors that do not depend on data."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

import numpy as np
from attrs import evolve, frozen

from zcollection.conditions import exact
from zcollection.conditions.instants import GREGORIAN, counted, duration, instant, nanoseconds
from zcollection.conditions.operands import (
    Absolute,
    Column,
    Computed,
    Constant,
    KeyField,
    Operand,
    ValueKind,
    string_array,
)
from zcollection.conditions.predicates import (
    AllOf,
    AnyOf,
    Compare,
    CompareStrings,
    Fixed,
    InRange,
    IsFinite,
    IsMissing,
    Negated,
    Predicate,
    Undecided,
)
from zcollection.conditions.syntax import (
    Arithmetic,
    Call,
    Comparison,
    Display,
    Logic,
    Name,
    Node,
    Not,
    Parsed,
    Sign,
)
from zcollection.conditions.syntax import Constant as Literal
from zcollection.errors import ExpressionError, SchemaError
from zcollection.model.dtypes import dtype_name
from zcollection.model.times import TimeUnits, has_time_units, units_of

_WIDEST: Final = 1000
"""Maximum size of integers in bits, so that each can be converted to float64."""

_ROUNDED_DOWN: Final[Mapping[str, str]] = {"<": "<=", "<=": "<=", ">": ">", ">=": ">"}
"""The symbol that compares integers with ``floor(x)`` instead of a fractional ``x``."""

_HALF: Final = 0.5
"""A number that no integer equals."""

_TEMPORAL: Final = {ValueKind.TIME, ValueKind.DURATION}
_NUMERIC: Final = {ValueKind.NUMBER, ValueKind.BOOLEAN}


@frozen
class Binder:
    """Creates the predicates and operands of a parsed condition.

    Attributes
    ----------
    parsed
        The parsed condition.
    columns
        The variables in the condition, by name.
    fields
        The kinds of values of the key fields in the condition, by name.
    """

    parsed: Parsed
    columns: Mapping[str, Column]
    fields: Mapping[str, ValueKind]

    def predicate(self, node: Node) -> Predicate:  # noqa: PLR0911 - one for each kind of node
        """Return the predicate of a node.

        Raises
        ------
        ExpressionError
            The node is not a condition.
        """
        match node:
            case Literal(value=bool() as value):
                return Fixed(value)
            case Name():
                return self._flag(node)
            case Not(operand=operand):
                return Negated(self.predicate(operand))
            case Logic(symbol=symbol, operands=operands):
                parts = tuple(map(self.predicate, operands))
                return AllOf(parts) if symbol == "and" else AnyOf(parts)
            case Comparison():
                parts = tuple(self._pair(node, *pair) for pair in node.pairs())
                return parts[0] if len(parts) == 1 else AllOf(parts)
            case Call(function="isnan", arguments=(argument,)):
                return IsMissing(self.operand(argument))
            case Call(function="isfinite", arguments=(argument,)):
                return IsFinite(self.operand(argument))
        raise self.parsed.error(
            node, "is not a condition; accepted: comparisons, isnan(), isfinite(), and names of boolean variables"
        )

    def _flag(self, node: Name) -> Predicate:
        operand = self.operand(node)
        if operand.kind is ValueKind.UNKNOWN:
            return Undecided()
        if operand.kind is not ValueKind.BOOLEAN:
            why = f"is {self._kind(operand)}, not true or false; accepted: a comparison, such as {node.name} == …"
            raise self.parsed.error(node, why)
        return Compare("==", operand, _boolean(value=True))

    def operand(self, node: Node) -> Operand:
        """Return the operand of a node: its value in each row.

        Raises
        ------
        ExpressionError
            The node is not a value.
        """
        match node:
            case Name(name=name):
                return self.columns[name] if name in self.columns else KeyField(name, self.fields[name])
            case Literal():
                return self._constant(node)
            case Sign(symbol=symbol, operand=Literal(value=int() | float() as value) as literal) if not isinstance(
                value, bool
            ):
                return self._constant(evolve(literal, value=-value if symbol == "-" else value))
            case Sign(symbol=symbol, operand=operand):
                number = self._number(operand)
                return self._checked(node, Computed(symbol, Constant(exact.integers([0])), number))
            case Arithmetic(symbol=symbol, left=left, right=right):
                return self._checked(node, Computed(symbol, self._number(left), self._number(right)))
            case Call(function="abs", arguments=(argument,)):
                return Absolute(self._number(argument))
        why = "is not a value; accepted: variables, key fields, numbers, strings, arithmetic and abs(); lists and range() after in"
        raise self.parsed.error(node, why)

    def _constant(self, node: Literal) -> Constant:
        value = node.value
        if isinstance(value, bool):
            return _boolean(value=value)
        if isinstance(value, str):
            return self._string(node, value)
        return _number(value)

    def _string(self, node: Node, string: str) -> Constant:
        try:
            return Constant(string_array(string), ValueKind.STRING)
        except UnicodeEncodeError as error:
            raise self.parsed.error(node, "contains a lone surrogate; accepted: valid Unicode strings") from error

    def _number(self, node: Node) -> Operand:
        """Return the operand of arithmetic on a node."""
        operand = self.operand(node)
        if operand.kind in {ValueKind.NUMBER, ValueKind.UNKNOWN}:
            return operand
        what = f"is {self._kind(operand)}, which has no arithmetic; accepted: numbers"
        if operand.kind in _TEMPORAL:
            name = node.name if isinstance(node, Name) else "time"
            what = f"{what}; compare it, such as {name} >= {self._example(operand)!r}, or compute in zc.rows.function(fn, [{name!r}])"
        raise self.parsed.error(node, what)

    def _checked(self, node: Node, computed: Computed) -> Computed:
        if computed.is_integer and computed.bits > _WIDEST:
            raise self.parsed.error(
                node,
                f"may result in an integer of more than {_WIDEST} bits; accepted: fewer; multiply by floats instead",
            )
        return computed

    def _pair(self, comparison: Node, symbol: str, left: Node, right: Node) -> Predicate:
        if symbol in {"in", "not in"}:
            return self._membership(comparison, left, right, negated=symbol == "not in")
        return self._compare(comparison, symbol, left, right)

    def _membership(self, comparison: Node, left: Node, right: Node, *, negated: bool) -> Predicate:
        """Return the predicate of ``in``: the value equals an element, or with `negated` is present and equals none."""
        if isinstance(right, Call) and right.function == "range":
            return self._in_range(left, right, negated=negated)
        if not isinstance(right, Display):
            raise self.parsed.error(right, "is not a list; accepted after in: a literal list, tuple or set, or range()")
        if negated:
            present = Negated(IsMissing(self.operand(left)))
            return AllOf((present, *(self._compare(comparison, "!=", left, element) for element in right.elements)))
        return AnyOf(
            (Fixed(passes=False), *(self._compare(comparison, "==", left, element) for element in right.elements))
        )

    def _in_range(self, left: Node, right: Call, *, negated: bool) -> Predicate:
        operand = self.operand(left)
        if operand.kind is ValueKind.UNKNOWN:
            return Undecided()
        if operand.kind is not ValueKind.NUMBER:
            raise self.parsed.error(left, f"is {self._kind(operand)}; accepted before in range(): numbers")
        try:
            return InRange(operand, range(*map(self._literal_integer, right.arguments)), negated)
        except ValueError as error:  # a step of zero
            if isinstance(error, ExpressionError):
                raise
            raise self.parsed.error(right, f"is not a range ({error}); accepted: a step that is not 0") from error

    def _literal_integer(self, node: Node) -> int:
        operand = self.operand(node)
        if isinstance(operand, Constant) and operand.kind is ValueKind.NUMBER and operand.is_integer:
            return int(operand.data[0])
        raise self.parsed.error(node, "is not a literal integer; accepted in range(): literal integers")

    def _compare(self, comparison: Node, symbol: str, left: Node, right: Node) -> Predicate:
        one, other = self.operand(left), self.operand(right)
        if isinstance(one, Constant) and not isinstance(other, Constant):
            return self._compared(comparison, exact.MIRRORED[symbol], other, one)
        return self._compared(comparison, symbol, one, other)

    def _compared(self, node: Node, symbol: str, left: Operand, right: Operand) -> Predicate:
        """Return the predicate of a comparison; if one side is a constant, it is on the right."""
        kinds = {left.kind, right.kind}
        if isinstance(right, Constant) and right.kind is ValueKind.STRING and isinstance(left, Column):
            units = self._units(left)
            if left.kind in _TEMPORAL or units is not None:
                return self._with_time(node, symbol, left, units, str(right.data[0]))
        if ValueKind.UNKNOWN in kinds:
            return Undecided()
        if kinds == {ValueKind.STRING}:
            return self._compare_strings(node, symbol, left, right)
        if kinds <= _NUMERIC:
            self._check_units(node, left, right)
            return Compare(symbol, left, _narrowed(right, left))
        if len(kinds) == 1 and isinstance(left, Column) and isinstance(right, Column):
            self._check_types(node, left, right)
            return Compare(symbol, left, right)
        raise self.parsed.error(
            node, f"compares {self._words(left)} with {self._words(right)}; accepted: {self._partner(left, right)}"
        )

    def _with_time(self, node: Node, symbol: str, left: Column, units: TimeUnits | None, text: str) -> Predicate:
        """Return the predicate that compares times or durations with a string that denotes one."""
        try:
            number = _count(left, units, text)
        except ExpressionError as error:
            raise self.parsed.error(node, f"compares {left.path!r} with an invalid value: {error}") from error
        if not left.is_integer:
            return Compare(symbol, left, _number(float(number)))
        below = number.numerator // number.denominator
        if number.denominator == 1:
            return Compare(symbol, left, _number(below))
        if symbol in _ROUNDED_DOWN:
            return Compare(_ROUNDED_DOWN[symbol], left, _number(below))
        return Compare(symbol, left, _number(_HALF))

    def _compare_strings(self, node: Node, symbol: str, left: Operand, right: Operand) -> Predicate:
        """Return the predicate that compares strings; bytes compare with bytes and with literal strings."""
        are_bytes = [side.dtype.kind == "S" for side in (left, right)]
        if are_bytes == [True, False] and isinstance(right, Constant):
            encoded = np.array([str(right.data[0]).encode()])
            return CompareStrings(symbol, left, Constant(encoded, ValueKind.STRING))
        if any(are_bytes) and not all(are_bytes):
            raise self.parsed.error(
                node, "compares bytes with strings; accepted: two of the same type, or bytes and a string in quotes"
            )
        return CompareStrings(symbol, left, right)

    def _check_units(self, node: Node, left: Operand, right: Operand) -> None:
        both = [self._units(side) for side in (left, right) if isinstance(side, Column)]
        if len(both) == 2 and None not in both and both[0] != both[1]:
            what = f"compares times that are counted as '{both[0]}' and as '{both[1]}'"
            raise self.parsed.error(
                node, f"{what}; accepted: the same units and calendar; compare each with a time in quotes"
            )

    def _check_types(self, node: Node, left: Column, right: Column) -> None:
        if left.variable.dtype != right.variable.dtype:
            what = f"compares {self._words(left)} with {self._words(right)}"
            raise self.parsed.error(
                node, f"{what}; accepted: two of the same type; compare each with a string in quotes"
            )

    @staticmethod
    def _units(operand: Operand) -> TimeUnits | None:
        """Return the CF time units of a numeric variable; None if it has none, or if they are not valid."""
        if not isinstance(operand, Column) or operand.kind is not ValueKind.NUMBER:
            return None
        attrs = operand.variable.attrs
        try:
            return units_of(attrs, name=operand.path) if has_time_units(attrs) else None
        except SchemaError:
            return None

    @staticmethod
    def _kind(operand: Operand) -> str:
        return dtype_name(operand.variable.dtype) if isinstance(operand, Column) else operand.kind.value

    @staticmethod
    def _words(operand: Operand) -> str:
        if isinstance(operand, Column):
            return f"{operand.path!r} ({dtype_name(operand.variable.dtype)})"
        if isinstance(operand, Constant):
            return f"{operand.kind.value} ({operand.data.tolist()[0]!r})"
        return operand.kind.value

    def _partner(self, left: Operand, right: Operand) -> str:
        """Return the accepted values for a comparison with the left operand, for error messages."""
        known = right if isinstance(right, Column) and not isinstance(left, Column) else left
        if known.kind in _TEMPORAL:
            return f"{known.kind.value} in quotes, such as {self._example(known)!r}"
        return "a string in quotes" if known.kind is ValueKind.STRING else "a number"

    @staticmethod
    def _example(operand: Operand) -> str:
        return "90 seconds" if operand.kind is ValueKind.DURATION else "2024-01-03T12:00"


def _number(value: int | float) -> Constant:
    return Constant(exact.integers([value]) if isinstance(value, int) else np.array([value]))


def _boolean(*, value: bool) -> Constant:
    return Constant(np.array([value], dtype=np.int8), ValueKind.BOOLEAN)


def _narrowed(constant: Operand, other: Operand) -> Operand:
    """Return an integer constant in the dtype of the other operand, if it fits, so that the column is not widened."""
    if not isinstance(constant, Constant) or constant.dtype.kind != "i" or other.dtype.kind not in "iu":
        return constant
    limits: Any = np.iinfo(other.dtype)
    fits = limits.min <= int(constant.data[0]) <= limits.max
    return evolve(constant, data=constant.data.astype(other.dtype)) if fits else constant


def _count(column: Column, units: TimeUnits | None, text: str) -> Fraction:
    """Return the number that represents a time or duration in the values of a column."""
    if units is not None:
        return counted(text, units)
    step = nanoseconds(np.datetime_data(column.variable.dtype)[0])
    return (duration(text) if column.kind is ValueKind.DURATION else Fraction(instant(text, GREGORIAN))) / step
