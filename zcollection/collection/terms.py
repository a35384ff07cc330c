"""What the text of a filter means: its syntax turned into functions of the key, none of which can run away.

A text is bounded in length and depth, and what it computes in size: it has numbers, texts and sequences that are
written out, arithmetic on numbers alone, whole numbers of bounded size, and ranges that are never gone through.
"""

import ast
import keyword
import operator
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from attrs import frozen

from zcollection.contracts.partitioning import Key, KeyValue
from zcollection.errors import ExpressionError, accepted

_Value = Callable[[Mapping[str, Any]], Any]

_LONGEST: Final = 10_000
_DEEPEST: Final = 100
_LARGEST: Final = 2**127 - 1  # the product of any two numbers in keys, and far from what takes time


def is_in(value: object, container: Container[object]) -> bool:
    """Return whether a container has a value; a range is asked for whole numbers only.

    Python goes through the whole range in search of anything else: of 2.5, or of a text.

    Examples
    --------
    >>> is_in(2.5, range(10**12)), is_in(2.0, range(10**12))
    (False, True)
    """
    if not isinstance(container, range):
        return value in container
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return is_whole and int(value) in container  # type: ignore[call-overload]  # mypy does not see that it is a number


_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: is_in,
    ast.NotIn: lambda value, container: not is_in(value, container),
}
# No power and no shift: they alone make a large number of two small ones.
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_DISPLAYS: dict[type[ast.expr], Callable[[Iterator[Any]], Any]] = {ast.List: list, ast.Tuple: tuple, ast.Set: set}
_ACCEPTED = (
    "comparisons, and, or, not, in, + - * / // % of numbers, range() of whole numbers, numbers of up to 128 bits, texts, "
    "and lists, tuples and sets of them"
)


@frozen
class Term:
    """A part of a filter that each key passes or does not.

    Attributes
    ----------
    text
        The whole filter, for messages.
    fields
        The fields that the part names: keys with the same values in them pass together.
    value
        What it means.
    """

    text: str
    fields: tuple[str, ...]
    value: _Value

    def passes(self, key: Mapping[str, KeyValue]) -> bool:
        """Return whether a key, or the part of one that has the fields, passes.

        Raises
        ------
        ExpressionError
            The term does not apply to it.
        """
        try:
            return bool(self.value(key))
        except (TypeError, ValueError, ZeroDivisionError, OverflowError, RecursionError) as error:
            message = f"filter {self.text!r} does not apply to {Key(key)!r}: {error}"
            raise ExpressionError(message) from error


@lru_cache(maxsize=64)
def terms_of(text: str, fields: tuple[str, ...]) -> tuple[Term, ...]:
    """Return the terms all of which a key has to pass; one query asks for them again and again.

    Raises
    ------
    ExpressionError
        The text is not a filter, or names another field.
    """
    if len(text) > _LONGEST:
        message = f"filter of {len(text)} characters; accepted: up to {_LONGEST}; give a mapping, or a function"
        raise ExpressionError(message)
    source, names = _without_keywords(text, fields)
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        message = f"filter {text!r} is not an expression ({error}); accepted: {_ACCEPTED}"
        raise ExpressionError(message) from error
    _check_depth(tree, text)
    compiler = _Compiler(text, names)
    return tuple(Term(text, tuple(_fields_in(part, names)), compiler.value(part)) for part in _conjuncts(tree.body))


def _check_depth(tree: ast.AST, text: str) -> None:
    level, depth = [tree], 0
    while level:
        level, depth = [child for node in level for child in ast.iter_child_nodes(node)], depth + 1
        if depth > _DEEPEST:
            message = f"filter {text!r} is nested more than {_DEEPEST} deep; write x in (…) for many comparisons, or give a function"
            raise ExpressionError(message)


def _conjuncts(node: ast.expr) -> list[ast.expr]:
    return node.values if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And) else [node]


def _fields_in(node: ast.expr, names: Mapping[str, str]) -> dict[str, None]:
    found = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
    return {names[name]: None for name in found if name in names}


def _without_keywords(text: str, fields: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the text with fields that are Python's keywords (``pass``) renamed, and the fields by their names in it."""
    awkward = {name: f"field_{position}_" for position, name in enumerate(fields) if keyword.iskeyword(name)}
    names = {awkward.get(name, name): name for name in fields}
    return _WORD_OR_TEXT.sub(lambda found: awkward.get(found[0], found[0]), text) if awkward else text, names


# A text without an end takes all that follows, so that no place is looked at twice.
_WORD_OR_TEXT: Final = re.compile(r"""('{3}|"{3}|'|")(?:\\.|(?!\1).)*(?:\1|$)|\w+""", re.DOTALL)


class _Compiler:
    """Turns syntax into nested functions of the key."""

    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        self._text = text
        self._names = names

    def value(self, node: ast.expr) -> _Value:
        """Return the function that a node means."""
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self._error(node)
        value: _Value = method(node)
        return value

    def _name(self, node: ast.Name) -> _Value:
        if node.id not in self._names:
            message = f"filter {self._text!r} names {node.id!r}; {accepted(node.id, self._names.values())}"
            raise ExpressionError(message)
        field = self._names[node.id]
        return lambda key: key[field]

    def _constant(self, node: ast.Constant) -> _Value:
        value = node.value
        if not isinstance(value, bool | int | float | str) or not _is_bounded(value):
            raise self._error(node)
        return lambda _: value

    def _boolop(self, node: ast.BoolOp) -> _Value:
        *others, last = [self.value(value) for value in node.values]
        ends = operator.not_ if isinstance(node.op, ast.And) else bool

        def decided(key: Mapping[str, Any]) -> Any:
            for other in others:
                if ends(found := other(key)):
                    return found
            return last(key)

        return decided

    def _unaryop(self, node: ast.UnaryOp) -> _Value:
        if isinstance(node.op, ast.Not):
            operand = self.value(node.operand)
            return lambda key: not operand(key)
        sign = _SIGNS.get(type(node.op))
        if sign is None:
            raise self._error(node)
        number = self._number(node.operand)
        return lambda key: sign(number(key))

    def _binop(self, node: ast.BinOp) -> _Value:
        function = _ARITHMETIC.get(type(node.op))
        if function is None:
            raise self._error(node)
        left, right = self._number(node.left), self._number(node.right)

        def result(key: Mapping[str, Any]) -> Any:
            value = function(left(key), right(key))
            if not _is_bounded(value):
                message = "it makes a whole number of more than 128 bits"
                raise OverflowError(message)
            return value

        return result

    def _number(self, node: ast.expr) -> _Value:
        """Return an operand of arithmetic: texts and sequences would grow without bound."""
        if _is_no_number(node):
            raise self._error(node)
        operand = self.value(node)

        def number(key: Mapping[str, Any]) -> Any:
            value = operand(key)
            if not isinstance(value, int | float):
                message = f"{value!r} is not a number"
                raise TypeError(message)
            return value

        return number

    def _compare(self, node: ast.Compare) -> _Value:
        functions = [_COMPARISONS[type(op)] for op in node.ops if type(op) in _COMPARISONS]
        if len(functions) < len(node.ops):
            raise self._error(node)
        self._check_containers(node)
        operands = [self.value(operand) for operand in (node.left, *node.comparators)]

        def compare(key: Mapping[str, Any]) -> bool:
            left = operands[0](key)
            for function, operand in zip(functions, operands[1:], strict=True):
                right = operand(key)
                if not function(left, right):
                    return False
                left = right
            return True

        return compare

    def _check_containers(self, node: ast.Compare) -> None:
        """Refuse ``in ('S3A')``, which is ``in 'S3A'`` and true of 'S3' too."""
        for op, operand in zip(node.ops, node.comparators, strict=True):
            text = operand.value if isinstance(operand, ast.Constant) else None
            if isinstance(op, ast.In | ast.NotIn) and isinstance(text, str):
                message = f"filter {self._text!r} looks for a part of {text!r}; accepted: == {text!r}, or in ({text!r},) with a comma"
                raise ExpressionError(message)

    def _list(self, node: ast.List | ast.Tuple | ast.Set) -> _Value:
        elements = [self.value(element) for element in node.elts]
        display = _DISPLAYS[type(node)]
        return lambda key: display(element(key) for element in elements)

    _tuple = _set = _list

    def _call(self, node: ast.Call) -> _Value:
        is_range = isinstance(node.func, ast.Name) and node.func.id == "range"
        if not is_range or node.keywords or not 1 <= len(node.args) <= 3:
            raise self._error(node)
        for argument in node.args:
            if isinstance(argument, ast.Constant) and not isinstance(argument.value, int):
                raise self._error(argument)
        numbers = [self._number(argument) for argument in node.args]
        return lambda key: range(*(number(key) for number in numbers))

    def _error(self, node: ast.AST) -> ExpressionError:
        part = ast.get_source_segment(self._text, node) or type(node).__name__
        message = f"filter {self._text!r}: {part!r} is not accepted; accepted: {_ACCEPTED}"
        return ExpressionError(message)


def _is_bounded(value: object) -> bool:
    return not isinstance(value, int) or -_LARGEST <= value <= _LARGEST


def _is_no_number(node: ast.expr) -> bool:
    """Return whether a node is a text, a sequence or a range, whatever the key."""
    return isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Call) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
