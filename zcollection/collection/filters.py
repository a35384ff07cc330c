"""Filters on partition keys: an expression, a mapping or a function, made into a selection of positions.

An expression is parsed to a small set of syntax nodes and interpreted; nothing is ever evaluated as Python.
"""

import ast
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Any

from attrs import frozen

from zcollection.contracts.partitioning import Key, KeyValue
from zcollection.errors import ExpressionError, accepted
from zcollection.transaction.partitions import Selection

Filter = str | Mapping[str, object] | Callable[[Key], object] | None
_Columns = Mapping[str, Sequence[KeyValue]]
_Predicate = Callable[[Mapping[str, KeyValue]], bool]
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


def compile_filter(filters: Filter, fields: Iterable[str]) -> Selection:
    """Return what selects keys.

    Parameters
    ----------
    filters
        None (every key), an expression over the key's fields such as ``"year == 2024 and month in range(3, 6)"``, a
        mapping from fields to a value or to a collection of values, or a function of the key.
    fields
        Names of the key's fields.

    Returns
    -------
    Selection
        Takes keys, as a column of values per field, and returns the positions of those selected, in order.

    Raises
    ------
    ExpressionError
        The filter cannot be understood, or names another field.

    Examples
    --------
    >>> select = compile_filter("cycle < 3 and pass in (1, 2)", ["cycle", "pass"])
    >>> list(select({"cycle": [1, 2, 3], "pass": [5, 1, 1]}))
    [1]
    """
    known = list(fields)
    if filters is None:
        return lambda columns: range(_length(columns))
    if isinstance(filters, str):
        return _from_expression(filters, known)
    if isinstance(filters, Mapping):
        return _from_mapping(filters, known)
    if callable(filters):
        function = filters
        return _key_by_key(lambda key: bool(function(Key(key))))
    message = f"filter {filters!r} is a {type(filters).__name__}; accepted: an expression, a mapping or a function"
    raise ExpressionError(message)


def narrowing(filters: Filter, fields: Iterable[str]) -> Selection:
    """Return what selects the beginnings of keys, by their outermost fields: of every selected key, and perhaps of more.

    Parameters
    ----------
    filters, fields
        As for `compile_filter`.

    Examples
    --------
    >>> select = narrowing("cycle < 3 and pass in (1, 2)", ["cycle", "pass"])
    >>> list(select({"cycle": [1, 2, 3]}))
    [0, 1]
    """
    known = list(fields)
    if isinstance(filters, Mapping):
        return lambda columns: _from_mapping({name: filters[name] for name in filters if name in columns}, known)(
            columns
        )
    if not isinstance(filters, str):
        return lambda columns: range(_length(columns))
    conditions = _parsed(filters, known)

    def select(columns: _Columns) -> Iterable[int]:
        told = [condition for condition in conditions if columns.keys() >= set(condition.fields)]
        try:
            return _all_passing(told, columns)
        except ExpressionError:  # a condition on fields that are not known yet may keep it from being asked
            return range(_length(columns))

    return select


def _length(columns: _Columns) -> int:
    return len(next(iter(columns.values()), ()))


def _key_by_key(matches: _Predicate) -> Selection:
    def select(columns: _Columns) -> Iterator[int]:
        names = tuple(columns)
        rows = zip(*columns.values(), strict=True)
        return (at for at, row in enumerate(rows) if matches(dict(zip(names, row, strict=True))))

    return select


def _from_mapping(filters: Mapping[str, object], fields: list[str]) -> Selection:
    """Return a selection that goes column by column: each looks only at what the ones before have left."""
    for name in filters:
        if name not in fields:
            message = f"filter names the field {name!r}; {accepted(name, fields)}"
            raise ExpressionError(message)

    def select(columns: _Columns) -> Iterable[int]:
        left: Sequence[int] | None = None
        for name, wanted in filters.items():
            column = columns[name]
            left = _passing(enumerate(column) if left is None else ((at, column[at]) for at in left), wanted)
        return range(_length(columns)) if left is None else left

    return select


def _passing(values: Iterable[tuple[int, object]], wanted: object) -> list[int]:
    """Return the positions of the values that are wanted: one value, or any of a collection."""
    if isinstance(wanted, Collection) and not isinstance(wanted, str | bytes):
        return [at for at, value in values if value in wanted]
    return [at for at, value in values if value == wanted]


def _from_expression(text: str, fields: list[str]) -> Selection:
    """Return a selection that goes condition by condition, as ``and`` does."""
    conditions = _parsed(text, fields)
    return lambda columns: _all_passing(conditions, columns)


def _all_passing(conditions: Iterable["_Condition"], columns: _Columns) -> Sequence[int]:
    """Return the positions of the keys that pass: each condition looks only at what is left by those before."""
    left: Sequence[int] = range(_length(columns))
    for condition in conditions:
        left = condition.passing(columns, left)
    return left


def _parsed(text: str, fields: list[str]) -> list["_Condition"]:
    if len(text) > _LONGEST:
        message = f"filter of {len(text)} characters; accepted: up to {_LONGEST}"
        raise ExpressionError(message)
    source, names = _without_keywords(text, fields)
    try:
        tree = ast.parse(source.strip(), mode="eval")
        return [_Condition.of(node, text, names) for node in _conditions(tree.body)]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, ExpressionError):
            raise
        message = f"filter {text!r} is not an expression ({error}); accepted: {_ACCEPTED}"
        raise ExpressionError(message) from error


def _conditions(node: ast.expr) -> list[ast.expr]:
    return node.values if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And) else [node]


@frozen
class _Condition:
    """A part of an expression, of which keys with the same values in its fields need to be asked once.

    Attributes
    ----------
    text
        The expression, for messages.
    fields
        The fields that it names.
    term
        What it means.
    """

    text: str
    fields: tuple[str, ...]
    term: _Term

    @classmethod
    def of(cls, node: ast.expr, text: str, names: Mapping[str, str]) -> "_Condition":
        found = {each.id: None for each in ast.walk(node) if isinstance(each, ast.Name)}
        return cls(text, tuple(names[name] for name in found if name in names), _Compiler(text, names).term(node))

    def passing(self, columns: _Columns, positions: Sequence[int]) -> list[int]:
        """Return those of some positions whose key passes."""
        if not self.fields:
            return list(positions) if positions and self._passes({}) else []
        own = [_at(columns[name], positions) for name in self.fields]
        values: Sequence[Any] = own[0] if len(own) == 1 else list(zip(*own, strict=True))
        passing = {value for value in set(values) if self._passes(self._key(value))}
        return list(compress(positions, map(passing.__contains__, values)))

    def _key(self, value: Any) -> dict[str, KeyValue]:
        """Return the part of a key that has this value, or these values, in the condition's fields."""
        return dict(zip(self.fields, (value,) if len(self.fields) == 1 else value, strict=True))

    def _passes(self, key: Mapping[str, KeyValue]) -> bool:
        try:
            return bool(self.term(key))
        except (TypeError, ValueError, ZeroDivisionError, OverflowError, RecursionError) as error:
            message = f"filter {self.text!r} does not apply to {Key(key)!r}: {error}"
            raise ExpressionError(message) from error


def _at(column: Sequence[KeyValue], positions: Sequence[int]) -> Sequence[KeyValue]:
    return column if len(positions) == len(column) else [column[at] for at in positions]


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
