"""Filters on partition keys, compiled to functions of a key with bounded cost.

A filter has literal numbers, strings and sequences, arithmetic on numbers only, integers of limited size, and ranges that
are never iterated.
"""

import operator
from collections.abc import Callable, Container, Mapping
from functools import lru_cache
from typing import Any, Final

from attrs import frozen

from zcollection.conditions.syntax import (
    Arithmetic,
    Call,
    Comparison,
    Constant,
    Display,
    Language,
    Logic,
    Name,
    Node,
    Not,
    Parsed,
    Sign,
    is_bounded,
    names_in,
    parse,
)
from zcollection.contracts.partitioning import Key, KeyValue
from zcollection.errors import ExpressionError, accepted

_Value = Callable[[Mapping[str, Any]], Any]


def is_in(value: object, container: Container[object]) -> bool:
    """Return whether a container has a value; a range is searched for integers only.

    Python would iterate over the range to search for any other value, such as 2.5 or a string.

    Examples
    --------
    >>> is_in(2.5, range(10**12)), is_in(2.0, range(10**12))
    (False, True)
    """
    if not isinstance(container, range):
        return value in container
    is_integer = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return is_integer and int(value) in container  # type: ignore[call-overload]  # mypy does not see that it is a number


_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": is_in,
    "not in": lambda value, container: not is_in(value, container),
}
_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
FILTER: Final = Language(
    noun="filter",
    functions=frozenset({"range"}),
    accepted=(
        "comparisons, and, or, not, in, + - * / // % of numbers, range() of integers, numbers of up to 128 bits, strings, "
        "and lists, tuples and sets of them"
    ),
    otherwise="give a mapping, or a function",
)
"""The language of filters on partition keys."""


@frozen
class Term:
    """A term of a filter, which a key satisfies or not.

    Attributes
    ----------
    text
        The complete filter, for error messages.
    fields
        The key fields of the term: its result depends only on their values.
    value
        Function that evaluates the term for a key.
    """

    text: str
    fields: tuple[str, ...]
    value: _Value

    def passes(self, key: Mapping[str, KeyValue]) -> bool:
        """Return whether a key, or a part of it that contains the fields, satisfies the term.

        Raises
        ------
        ExpressionError
            The term cannot be evaluated for the key.
        """
        try:
            return bool(self.value(key))
        except ExpressionError:  # names the part of the text already
            raise
        except (TypeError, ValueError, ZeroDivisionError, OverflowError, RecursionError) as error:
            message = f"filter {self.text!r} does not apply to {Key(key)!r}: {error}"
            raise ExpressionError(message) from error


@lru_cache(maxsize=64)
def terms_of(text: str, fields: tuple[str, ...]) -> tuple[Term, ...]:
    """Return the terms of a filter, all of which a key must satisfy; cached, because a query needs them repeatedly.

    Raises
    ------
    ExpressionError
        The text is not a valid filter, or names an unknown field.
    """
    parsed = parse(text, FILTER, fields)
    compiler = _Compiler(parsed, fields)
    return tuple(Term(text, _fields_in(part), compiler.truth(part)) for part in parsed.conjuncts())


def _fields_in(part: Node) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.name for each in names_in(part)))


class _Compiler:
    """Compiles the tree of a filter to nested functions of the key."""

    def __init__(self, parsed: Parsed, fields: tuple[str, ...]) -> None:
        self._parsed = parsed
        self._fields = fields

    def truth(self, node: Node) -> _Value:
        """Return the function that evaluates a node as a condition.

        Raises
        ------
        ExpressionError
            The node is not a condition, such as a number.
        """
        match node:
            case Constant(value=bool()) | Comparison() | Not() | Logic():
                return self.value(node)
            case Name():
                return self._flag(node)
        why = "is neither true nor false; accepted: comparisons, such as month == 3, True, False, and names of boolean fields"
        raise self._parsed.error(node, why)

    def value(self, node: Node) -> _Value:  # noqa: PLR0911 - one for each kind of node
        """Return the function that evaluates a node."""
        match node:
            case Constant(value=value):
                return lambda _: value
            case Name():
                return self._field(node)
            case Sign(symbol=symbol, operand=operand):
                number = self._number(operand)
                return (lambda key: -number(key)) if symbol == "-" else (lambda key: +number(key))
            case Arithmetic():
                return self._arithmetic(node)
            case Comparison():
                return self._comparison(node)
            case Display(kind=kind, elements=elements):
                values = [self.value(element) for element in elements]
                return lambda key: kind(value(key) for value in values)
            case Call(arguments=arguments):
                numbers = [self._number(argument) for argument in arguments]
                return lambda key: range(*(number(key) for number in numbers))
            case Not(operand=operand):
                decided = self.truth(operand)
                return lambda key: not decided(key)
            case Logic():
                return self._logic(node)
        message = f"{node!r} cannot be part of a filter"
        raise AssertionError(message)

    def _field(self, node: Name) -> _Value:
        name = node.name
        if name not in self._fields:
            message = f"filter {self._parsed.text!r} names {name!r}; {accepted(name, self._fields)}"
            raise ExpressionError(message)
        return lambda key: key[name]

    def _flag(self, node: Name) -> _Value:
        value_of = self._field(node)

        def flag(key: Mapping[str, Any]) -> bool:
            value = value_of(key)
            if isinstance(value, bool):
                return value
            why = f"is {value!r}, neither true nor false; write a comparison, such as {node.name} == {value!r}"
            raise self._parsed.error(node, why)

        return flag

    def _logic(self, node: Logic) -> _Value:
        *leading, last = [self.truth(operand) for operand in node.operands]
        ends = operator.not_ if node.symbol == "and" else bool

        def decided(key: Mapping[str, Any]) -> Any:
            for condition in leading:
                if ends(found := condition(key)):
                    return found
            return last(key)

        return decided

    def _arithmetic(self, node: Arithmetic) -> _Value:
        function = _ARITHMETIC[node.symbol]
        left, right = self._number(node.left), self._number(node.right)

        def result(key: Mapping[str, Any]) -> Any:
            value = function(left(key), right(key))
            if not is_bounded(value):
                message = "it results in an integer of more than 128 bits"
                raise OverflowError(message)
            return value

        return result

    def _number(self, node: Node) -> _Value:
        operand = self.value(node)

        def number(key: Mapping[str, Any]) -> Any:
            value = operand(key)
            if not isinstance(value, int | float):
                message = f"{value!r} is not a number"
                raise TypeError(message)
            return value

        return number

    def _comparison(self, node: Comparison) -> _Value:
        functions = [_COMPARISONS[symbol] for symbol in node.symbols]
        first, *rest = [self.value(operand) for operand in node.operands]

        def compare(key: Mapping[str, Any]) -> bool:
            left = first(key)
            for function, operand in zip(functions, rest, strict=True):
                right = operand(key)
                if not function(left, right):
                    return False
                left = right
            return True

        return compare
