"""Filters on partition keys: an expression, a mapping or a function, made into a predicate.

An expression is parsed to a small set of syntax nodes and interpreted; nothing is ever evaluated as Python.
"""

import ast
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from zcollection.contracts.partitioning import Key, KeyValue
from zcollection.errors import ExpressionError, accepted

Filter = str | Mapping[str, object] | Callable[[Key], object] | None
Predicate = Callable[[Mapping[str, KeyValue]], bool]
_Term = Callable[[Mapping[str, Any]], Any]

_LONGEST = 10_000
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda value, container: value in container,
    ast.NotIn: lambda value, container: value not in container,
}
# No power: 9 ** 9 ** 9 would take for ever.
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_ACCEPTED = "comparisons, and, or, not, in, + - * / // %, range(), literals, lists and tuples of them"


def compile_filter(filters: Filter, fields: Iterable[str]) -> Predicate:
    """Return a predicate on keys.

    Parameters
    ----------
    filters
        None (every key), an expression over the key's fields such as ``"year == 2024 and month in range(3, 6)"``, a
        mapping from fields to a value or to a collection of values, or a function of the key.
    fields
        Names of the key's fields.

    Raises
    ------
    ExpressionError
        The filter cannot be understood, or names another field.

    Examples
    --------
    >>> matches = compile_filter("cycle < 3 and pass in (1, 2)", ["cycle", "pass"])
    >>> matches(Key({"cycle": 2, "pass": 1}))
    True
    """
    known = list(fields)
    if filters is None:
        return lambda _: True
    if isinstance(filters, str):
        return _from_expression(filters, known)
    if isinstance(filters, Mapping):
        return _from_mapping(filters, known)
    if callable(filters):
        function = filters
        return lambda key: bool(function(Key(key)))
    message = f"filter {filters!r} is a {type(filters).__name__}; accepted: an expression, a mapping or a function"
    raise ExpressionError(message)


def _from_mapping(filters: Mapping[str, object], fields: list[str]) -> Predicate:
    for name in filters:
        if name not in fields:
            message = f"filter names the field {name!r}; {accepted(name, fields)}"
            raise ExpressionError(message)
    tests = [(name, _test(wanted)) for name, wanted in filters.items()]

    def matches(key: Mapping[str, KeyValue]) -> bool:
        for name, test in tests:  # noqa: SIM110 - a generator would cost more than the tests
            if not test(key[name]):
                return False
        return True

    return matches


def _test(wanted: object) -> Callable[[object], bool]:
    if isinstance(wanted, Collection) and not isinstance(wanted, str | bytes):
        return lambda value: value in wanted
    return lambda value: bool(value == wanted)


def _from_expression(text: str, fields: list[str]) -> Predicate:
    if len(text) > _LONGEST:
        message = f"filter of {len(text)} characters; accepted: up to {_LONGEST}"
        raise ExpressionError(message)
    source, names = _without_keywords(text, fields)
    try:
        tree = ast.parse(source.strip(), mode="eval")
        term = _Compiler(text, names).term(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, ExpressionError):
            raise
        message = f"filter {text!r} is not an expression ({error}); accepted: {_ACCEPTED}"
        raise ExpressionError(message) from error

    def matches(key: Mapping[str, KeyValue]) -> bool:
        try:
            return bool(term(key))
        except (TypeError, ValueError, ZeroDivisionError, OverflowError, RecursionError) as error:
            message = f"filter {text!r} does not apply to {Key(key)!r}: {error}"
            raise ExpressionError(message) from error

    return matches


def _without_keywords(text: str, fields: list[str]) -> tuple[str, dict[str, str]]:
    """Return the text with fields that are Python's keywords (``pass``) or no identifiers renamed, and the names."""
    import io
    import keyword
    import tokenize

    awkward = {name: f"field_{position}_" for position, name in enumerate(fields) if keyword.iskeyword(name)}
    names = {awkward.get(name, name): name for name in fields}
    if not any(name in text for name in awkward):
        return text, names
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return text, names  # the parser says better what is wrong
    renamed = [(token.type, awkward.get(token.string, token.string)) for token in tokens]
    return tokenize.untokenize(renamed), names


class _Compiler:
    """Turns syntax into nested functions of the key."""

    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        self._text = text
        self._names = names

    def term(self, node: ast.expr) -> _Term:
        """Return the function that a node means."""
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self._error(node)
        term: _Term = method(node)
        return term

    def _name(self, node: ast.Name) -> _Term:
        if node.id not in self._names:
            message = f"filter {self._text!r} names {node.id!r}; {accepted(node.id, self._names.values())}"
            raise ExpressionError(message)
        field = self._names[node.id]
        return lambda key: key[field]

    def _constant(self, node: ast.Constant) -> _Term:
        value = node.value
        if not isinstance(value, bool | int | float | str):
            raise self._error(node)
        return lambda _: value

    def _boolop(self, node: ast.BoolOp) -> _Term:
        terms = [self.term(value) for value in node.values]
        combine = all if isinstance(node.op, ast.And) else any
        return lambda key: combine(term(key) for term in terms)

    def _unaryop(self, node: ast.UnaryOp) -> _Term:
        function = _UNARY.get(type(node.op))
        if function is None:
            raise self._error(node)
        operand = self.term(node.operand)
        return lambda key: function(operand(key))

    def _binop(self, node: ast.BinOp) -> _Term:
        function = _ARITHMETIC.get(type(node.op))
        if function is None:
            raise self._error(node)
        left, right = self._number(node.left), self._number(node.right)
        return lambda key: function(left(key), right(key))

    def _number(self, node: ast.expr) -> _Term:
        """Return an operand of arithmetic: strings and lists would grow without bound."""
        term = self.term(node)

        def number(key: Mapping[str, Any]) -> Any:
            value = term(key)
            if not isinstance(value, int | float):
                message = f"{value!r} is not a number"
                raise TypeError(message)
            return value

        return number

    def _compare(self, node: ast.Compare) -> _Term:
        functions = [_COMPARISONS.get(type(op)) for op in node.ops]
        if None in functions:
            raise self._error(node)
        operands = [self.term(operand) for operand in (node.left, *node.comparators)]

        def compare(key: Mapping[str, Any]) -> bool:
            left = operands[0](key)
            for function, operand in zip(functions, operands[1:], strict=True):
                right = operand(key)
                if function is None or not function(left, right):
                    return False
                left = right
            return True

        return compare

    def _list(self, node: ast.List | ast.Tuple | ast.Set) -> _Term:
        terms = [self.term(element) for element in node.elts]
        return lambda key: [term(key) for term in terms]

    _tuple = _set = _list

    def _call(self, node: ast.Call) -> _Term:
        if (
            not isinstance(node.func, ast.Name)
            or node.func.id != "range"
            or node.keywords
            or not 1 <= len(node.args) <= 3
        ):
            raise self._error(node)
        terms = [self.term(argument) for argument in node.args]
        return lambda key: range(*(term(key) for term in terms))

    def _error(self, node: ast.AST) -> ExpressionError:
        part = ast.get_source_segment(self._text, node) or type(node).__name__
        message = f"filter {self._text!r}: {part!r} is not accepted; accepted: {_ACCEPTED}"
        return ExpressionError(message)
