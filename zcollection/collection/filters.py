"""Filters on partition keys: compiles an expression, a mapping or a function to a selection of positions.

An expression is parsed to a small set of syntax nodes and interpreted; nothing is ever evaluated as Python.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zcollection.conditions.binding import Binder
from zcollection.conditions.operands import ValueKind, kind_of
from zcollection.conditions.syntax import Arithmetic, Constant, Node, Parsed, nodes_in, parse
from zcollection.conditions.terms import FILTER, Term, is_in, terms_of
from zcollection.conditions.zones import NEVER, Zones
from zcollection.contracts.partitioning import Key, KeyValue
from zcollection.errors import ExpressionError, accepted
from zcollection.transaction.index.limits import Limits
from zcollection.transaction.index.partitions import Selection

Filter = str | Mapping[str, object] | Callable[[Key], object] | None
_Columns = Mapping[str, Sequence[KeyValue]]
_Predicate = Callable[[Mapping[str, KeyValue]], bool]


def compile_filter(filters: Filter, fields: Iterable[str]) -> Selection:
    """Compile a filter to a selection of keys.

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
        The filter is invalid, or names an unknown field.

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


def compile_prefix_filter(filters: Filter, fields: Iterable[str]) -> Selection:
    """Compile a filter to a selection of key prefixes, the values of the outermost fields: no selected key is lost.

    Parameters
    ----------
    filters, fields
        As for `compile_filter`.

    Examples
    --------
    >>> select = compile_prefix_filter("cycle < 3 and pass in (1, 2)", ["cycle", "pass"])
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
    terms = terms_of(filters, tuple(known))

    def select(columns: _Columns) -> Iterable[int]:
        decidable = [term for term in terms if columns.keys() >= set(term.fields)]
        try:
            return _all_passing(decidable, columns)
        except ExpressionError:  # a term on inner fields may prevent this term from being evaluated
            return range(_length(columns))

    return select


def may_pass(filters: Filter, fields: Iterable[str], limits: Limits) -> NDArray[np.bool_]:
    """Return for each range of partitions whether it may contain a partition that the filter selects, given the limits of the keys.

    Parameters
    ----------
    filters, fields
        As for `compile_filter`.
    limits
        The limits of the keys in each range.

    Returns
    -------
    array
        Booleans of shape (ranges,).
    """
    known = tuple(fields)
    may = np.ones(len(limits), np.bool_)
    if isinstance(filters, Mapping):
        for name, wanted in filters.items():
            if name in limits.smallest:
                may &= _may_be_among(limits.smallest[name], limits.largest[name], wanted)
    if isinstance(filters, str):
        parsed = parse(filters, FILTER, known)
        for term, node in zip(terms_of(filters, known), parsed.conjuncts(), strict=True):
            decided, possible = _decided(term, limits), _may_pass_term(parsed, node, limits)
            if decided is not None:
                may &= decided != _FAILS
            if decided is None or possible is None:
                break  # a key of the range may raise an error, which pruning by a later term would hide
            may &= possible
    return may


_INT64: Final = range(-(2**63), 2**63)
_UNKNOWN: Final = -1
_FAILS: Final = 0


def _may_be_among(smallest: NDArray[Any], largest: NDArray[Any], wanted: object) -> NDArray[np.bool_]:
    """Return whether the selected value, or one of a collection of values, is within limits."""
    is_several = isinstance(wanted, Collection) and not isinstance(wanted, str | bytes)
    try:
        values = sorted(wanted) if is_several else [wanted]  # type: ignore[call-overload]
        if smallest.dtype.kind == "i" and all(type(value) is int and value in _INT64 for value in values):
            integers = np.array(values, dtype=np.int64)
            return np.searchsorted(integers, smallest, "left") < np.searchsorted(integers, largest, "right")
        limits = zip(smallest.tolist(), largest.tolist(), strict=True)
        return np.array([bisect_left(values, low) < bisect_right(values, high) for low, high in limits], np.bool_)
    except TypeError:  # values without an order: every key is checked
        return np.ones(len(smallest), np.bool_)


def _decided(term: Term, limits: Limits) -> NDArray[np.int8] | None:
    """Return whether a term passes in each range, if all keys of the range agree in its fields; None if it cannot be evaluated."""
    if not term.fields or not set(term.fields) <= limits.smallest.keys():
        return None
    alike = np.logical_and.reduce([limits.smallest[name] == limits.largest[name] for name in term.fields]).astype(bool)
    rows = list(zip(*(limits.smallest[name][alike].tolist() for name in term.fields), strict=True))
    try:
        passes = {row: term.passes(dict(zip(term.fields, row, strict=True))) for row in set(rows)}
    except ExpressionError:
        return None
    decided = np.full(len(limits), _UNKNOWN, np.int8)
    decided[alike] = [passes[row] for row in rows]
    return decided


def _may_pass_term(parsed: Parsed, node: Node, limits: Limits) -> NDArray[np.bool_] | None:
    """Return whether keys within limits may pass a term, evaluated as a condition on zones; None if it may raise an error."""
    zones = {name: zones_of(limits.smallest[name], limits.largest[name]) for name in limits.smallest}
    strings = {name for name, zone in zones.items() if zone.lower.dtype.kind == "O"}
    kinds = {name: ValueKind.STRING if name in strings else kind_of(zone.lower.dtype) for name, zone in zones.items()}
    try:
        predicate = Binder(parsed, {}, kinds).predicate(node)
    except (ExpressionError, KeyError):
        return None
    if any(isinstance(part, Arithmetic) and _may_divide_by_zero(part) for part in nodes_in(node)):
        return None
    with np.errstate(all="ignore"):
        return np.broadcast_to(predicate.verdicts(zones) != NEVER, (len(limits),))


def _may_divide_by_zero(part: Arithmetic) -> bool:
    is_number = isinstance(part.right, Constant) and bool(part.right.value)
    return part.symbol in {"/", "//", "%"} and not is_number


def zones_of(smallest: NDArray[Any], largest: NDArray[Any]) -> Zones:
    """Return the limits of one key field as zones; the limits of strings are not used."""
    yes, no = np.ones(smallest.shape, np.bool_), np.zeros(smallest.shape, np.bool_)
    return Zones(smallest, largest, missing=no, empty=no, known=yes)


def _length(columns: _Columns) -> int:
    return len(next(iter(columns.values()), ()))


def _key_by_key(matches: _Predicate) -> Selection:
    def select(columns: _Columns) -> Iterator[int]:
        names = tuple(columns)
        rows = zip(*columns.values(), strict=True)
        return (at for at, row in enumerate(rows) if matches(dict(zip(names, row, strict=True))))

    return select


def _from_mapping(filters: Mapping[str, object], fields: list[str]) -> Selection:
    """Return a selection that filters column by column: each checks only the keys that passed before."""
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
    """Return the positions of the selected values: one value, or any of a collection."""
    if isinstance(wanted, Collection) and not isinstance(wanted, str | bytes):
        return [at for at, value in values if is_in(value, wanted)]
    return [at for at, value in values if value == wanted]


def _from_expression(text: str, fields: list[str]) -> Selection:
    """Return a selection that evaluates term by term, as ``and`` does."""
    terms = terms_of(text, tuple(fields))
    return lambda columns: _all_passing(terms, columns)


def _all_passing(terms: Iterable[Term], columns: _Columns) -> Sequence[int]:
    """Return the positions of the keys that pass all terms: each term is evaluated for the keys that passed before."""
    left: Sequence[int] = range(_length(columns))
    for term in terms:
        left = _passing_one(term, columns, left)
    return left


def _passing_one(term: Term, columns: _Columns, positions: Sequence[int]) -> list[int]:
    """Return the positions whose key passes a term, evaluated once for each combination of values of its fields."""
    if not term.fields:
        return list(positions) if positions and term.passes({}) else []
    own = [_at(columns[name], positions) for name in term.fields]
    values: Sequence[Any] = own[0] if len(own) == 1 else list(zip(*own, strict=True))
    passing = {value for value in set(values) if term.passes(_key(term, value))}
    return list(compress(positions, map(passing.__contains__, values)))


def _key(term: Term, value: Any) -> dict[str, KeyValue]:
    """Return the part of a key with this value, or these values, of the term's fields."""
    return dict(zip(term.fields, (value,) if len(term.fields) == 1 else value, strict=True))


def _at(column: Sequence[KeyValue], positions: Sequence[int]) -> Sequence[KeyValue]:
    return column if len(positions) == len(column) else [column[at] for at in positions]
