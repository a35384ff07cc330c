"""Translation of pyarrow expressions to conditions of zcollection.

Every row that passes the expression passes the condition. The condition may accept more rows, because pyarrow applies the
expression afterwards: parts that cannot be translated are left out. Missing values are null in Arrow, and pass no comparison in either.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from attrs import frozen

from zcollection_arrow.columns import Column
from zcollection_arrow.trees import Call, FieldName, Literal, Tree

_LONGEST: Final = 9_000
"""The largest length of a condition; the limit of zcollection is 10,000."""
_LISTED: Final = 64
"""The largest number of values of a list; for longer lists the smallest and the largest value are compared."""
_EXACT: Final = 2**53
"""From this value on, float64 cannot represent every integer, but pyarrow compares integers with floats as float64."""
_NEVER, _ALWAYS = "False", "True"
_SYMBOLS: Final = {
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
}
_MIRRORED: Final = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_NEGATED: Final = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}


def condition(tree: Tree | None, columns: Mapping[str, Column]) -> str | None:
    """Return the text of a condition that is true for every row that passes an expression; None if there is no useful one.

    Parameters
    ----------
    tree
        The expression; None if it cannot be converted to a tree.
    columns
        The columns that a condition can name, by path.
    """
    text = None if tree is None else _Translation(columns).text(tree, is_true=True)
    return None if text is None or text == _ALWAYS or len(text) > _LONGEST else text


@frozen
class _Translation:
    """The translation of expressions over some columns."""

    columns: Mapping[str, Column]

    def text(self, tree: Tree, *, is_true: bool) -> str | None:
        """Return a condition for the rows where an expression is true (`is_true`) or false; None for all rows."""
        if isinstance(tree, Literal):
            return _boolean(tree.value.as_py(), is_true=is_true)
        if isinstance(tree, FieldName):
            column = self._column(tree)
            return None if column is None or column.variable.dtype.kind != "b" else f"`{column.path}` == {is_true}"
        translate = _FUNCTIONS.get(tree.name)
        return None if translate is None else translate(self, tree, is_true)

    def conjunction(self, call: Call, is_true: bool) -> str | None:
        """Translate "and"."""
        return self._all(call.arguments, is_true) if is_true else self._any(call.arguments, is_true)

    def disjunction(self, call: Call, is_true: bool) -> str | None:
        """Translate "or"."""
        return self._any(call.arguments, is_true) if is_true else self._all(call.arguments, is_true)

    def negation(self, call: Call, is_true: bool) -> str | None:
        """Translate "not"."""
        return self.text(call.arguments[0], is_true=not is_true)

    def choice(self, call: Call, is_true: bool) -> str | None:
        """Translate a choice between an expression and null."""
        _, part, other = call.arguments
        is_null = isinstance(other, Literal) and other.value.as_py() is None
        return self.text(part, is_true=is_true) if is_null else None

    def missing(self, call: Call, is_true: bool) -> str | None:
        """Translate "is null"."""
        column = self._column(call.arguments[0])
        return None if column is None else f"{'' if is_true else 'not '}isnan(`{column.path}`)"

    def present(self, call: Call, is_true: bool) -> str | None:
        """Translate "is valid"."""
        return self.missing(call, not is_true)

    def nan(self, call: Call, is_true: bool) -> str | None:
        """Translate "is NaN": never true, because NaN is null."""
        return _NEVER if is_true and self._column(call.arguments[0]) is not None else None

    def membership(self, call: Call, is_true: bool) -> str | None:
        """Translate the membership in a list of values."""
        column = self._column(call.arguments[0])
        if column is None or not is_true:
            return None
        values: pa.Array = call.options["value_set"].values
        conditions = _listed(column, values.drop_null())
        if conditions is None:
            return None
        if values.null_count:
            conditions.append(f"isnan(`{column.path}`)")
        return f"({' or '.join(conditions)})" if conditions else _NEVER

    def comparison(self, call: Call, is_true: bool) -> str | None:
        """Translate the comparison of a column with a value."""
        left, right = call.arguments
        symbol = _SYMBOLS[call.name]
        if isinstance(left, Literal):
            left, right, symbol = right, left, _MIRRORED[symbol]
        column = self._column(left)
        if column is None or not isinstance(right, Literal):
            return None
        return _comparison(column, symbol if is_true else _NEGATED[symbol], right.value)

    def _all(self, parts: tuple[Tree, ...], is_true: bool) -> str | None:
        known = [text for part in parts if (text := self.text(part, is_true=is_true)) not in {None, _ALWAYS}]
        return f"({' and '.join(map(str, known))})" if known else None

    def _any(self, parts: tuple[Tree, ...], is_true: bool) -> str | None:
        conditions = [self.text(part, is_true=is_true) for part in parts]
        if any(text in {None, _ALWAYS} for text in conditions):
            return None
        possible = [str(text) for text in conditions if text != _NEVER]
        return f"({' or '.join(possible)})" if possible else _NEVER

    def _column(self, tree: Tree) -> Column | None:
        """Return the column of an expression; None if it is not a column that a condition can name."""
        column = self.columns.get(tree.name) if isinstance(tree, FieldName) else None
        return None if column is None or column.sizes or "`" in column.path else column


_FUNCTIONS: Final[Mapping[str, Callable[[_Translation, Call, bool], str | None]]] = {
    "and": _Translation.conjunction,
    "and_kleene": _Translation.conjunction,
    "or": _Translation.disjunction,
    "or_kleene": _Translation.disjunction,
    "invert": _Translation.negation,
    "if_else": _Translation.choice,
    "is_null": _Translation.missing,
    "is_valid": _Translation.present,
    "is_nan": _Translation.nan,
    "is_in": _Translation.membership,
    **dict.fromkeys(_SYMBOLS, _Translation.comparison),
}


def _listed(column: Column, values: pa.Array) -> list[str] | None:
    """Return comparisons, one of which is true if a column has one of the values; None if they cannot be translated."""
    if len(values) > _LISTED:
        limits = pc.min_max(values)
        bounds = [_comparison(column, ">=", limits["min"]), _comparison(column, "<=", limits["max"])]
        return None if None in bounds else [f"({bounds[0]} and {bounds[1]})"]
    conditions = [_comparison(column, "==", value) for value in values]
    return None if None in conditions else [str(text) for text in conditions]


def _boolean(value: object, *, is_true: bool) -> str | None:
    if value is None:
        return _NEVER
    return (_ALWAYS if value is is_true else _NEVER) if isinstance(value, bool) else None


def _comparison(column: Column, symbol: str, value: pa.Scalar) -> str | None:
    """Return a condition that is true where a comparison is; None if it cannot be translated."""
    if not value.is_valid:
        return _NEVER
    translate = _translator_of(column)
    return None if translate is None else translate(column, symbol, value)


def _translator_of(column: Column) -> Callable[[Column, str, pa.Scalar], str | None] | None:
    kind = column.variable.dtype.kind
    if column.is_time or kind == "M":
        return _with_time
    return {
        "b": _with_boolean,
        "i": _with_integer,
        "u": _with_integer,
        "f": _with_float,
        "U": _with_string,
        "T": _with_string,
    }.get(kind)


def _with_time(column: Column, symbol: str, value: pa.Scalar) -> str | None:
    if not pa.types.is_timestamp(value.type) or value.type.tz is not None:
        return None
    text = str(np.datetime_as_string(np.datetime64(value.value, value.type.unit)))
    # Earlier dates may be in another calendar; years without exactly four digits are not ISO 8601.
    is_common = text[4] == "-" and text[:4] >= "1600"
    return f"`{column.path}` {symbol} '{text}'" if is_common else None


def _with_boolean(column: Column, symbol: str, value: pa.Scalar) -> str | None:
    return f"`{column.path}` {symbol} {value.as_py()}" if pa.types.is_boolean(value.type) else None


def _with_integer(column: Column, symbol: str, value: pa.Scalar) -> str | None:
    if pa.types.is_integer(value.type):
        return f"`{column.path}` {symbol} {value.as_py()}"
    number = value.as_py() if pa.types.is_floating(value.type) else None
    if number is None or not abs(number) < _EXACT:
        return None
    return f"`{column.path}` {symbol} {float(number)!r}"


def _with_float(column: Column, symbol: str, value: pa.Scalar) -> str | None:
    """Return a comparison with the nearest values of the column's dtype, because pyarrow compares in the wider type."""
    if not (pa.types.is_integer(value.type) or pa.types.is_floating(value.type)):
        return None
    number, kind, name = value.as_py(), column.variable.dtype.newbyteorder("=").type, f"`{column.path}`"
    with np.errstate(over="ignore"):
        nearest = kind(number)
        below, above = np.nextafter(nearest, kind(-np.inf)), np.nextafter(nearest, kind(np.inf))
    if not (np.isfinite(below) and np.isfinite(above)):
        return None
    if float(nearest) == number and abs(number) < _EXACT:
        return f"{name} {symbol} {float(nearest)!r}"
    loosened = {">": f"{name} >= {float(below)!r}", "<": f"{name} <= {float(above)!r}"}
    loosened["=="] = f"({loosened['>']} and {loosened['<']})"
    return loosened.get(symbol if symbol == "==" else symbol[0])


def _with_string(column: Column, symbol: str, value: pa.Scalar) -> str | None:
    if not (pa.types.is_string(value.type) or pa.types.is_large_string(value.type)):
        return None
    text: Any = value.as_py()
    return f"`{column.path}` {symbol} '{text}'" if text.isprintable() and "'" not in text and "\\" not in text else None
