"""Random conditions on random columns: masks equal those of an oracle that evaluates row by row, and verdicts never contradict them.

The oracle computes with Python's integers and NumPy's scalars, by the documented rules.
"""

import math
import operator
import pickle
from fractions import Fraction
from itertools import pairwise, product

import cftime
import numpy as np
import pytest
from asking import FIELDS, KEY, assert_no_contradiction, field_zones, is_missing, schema, variable, zones_of
from attrs import evolve
from effort import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from zcollection.conditions.expression import Expression
from zcollection.conditions.operands import Column, Computed, Rows
from zcollection.conditions.zones import ALWAYS, NEVER

MISSING = object()
"""The result of any operation on a missing value."""


class Whole(int):
    """A computed integer: exact, and converted to float64 in arithmetic with floats."""


WEAK = (int, float)


def is_weak(value):
    return type(value) in WEAK


def is_whole(value):
    return isinstance(value, int | np.integer)


def as_float(value):
    return np.float64(int(value)) if is_whole(value) else value


def common(left, right):
    """Return two numbers in NumPy's common float dtype."""
    strong = [np.int64(0) if isinstance(side, Whole) else side for side in (left, right) if not is_weak(side)]
    dtype = np.result_type(*(np.asarray(side).dtype for side in strong)) if strong else np.dtype("f8")
    dtype = dtype if dtype.kind == "f" else np.dtype("f8")
    with np.errstate(all="ignore"):
        return [dtype.type(as_float(side)) for side in (left, right)]


OPERATIONS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def computed(symbol, left, right):
    if left is MISSING or right is MISSING:
        return MISSING
    if is_whole(left) and is_whole(right) and symbol != "/":
        if symbol in {"//", "%"} and int(right) == 0:
            return MISSING
        made = OPERATIONS[symbol](int(left), int(right))
        return made if is_weak(left) and is_weak(right) else Whole(made)
    one, other = common(left, right)
    with np.errstate(all="ignore"):
        made = OPERATIONS[symbol](one, other)
    if np.isnan(made):
        return MISSING
    return float(made) if is_weak(left) and is_weak(right) else made


def absolute(value):
    if value is MISSING:
        return value
    if is_whole(value):
        made = abs(int(value))
        return made if is_weak(value) else Whole(made)
    return abs(value)


def compares(symbol, left, right):
    if left is MISSING or right is MISSING:
        return False
    if not isinstance(left, int | float | np.number) or isinstance(left, np.timedelta64):
        return bool(COMPARISONS[symbol](left, right))  # strings, times
    whole = [side for side in (left, right) if is_whole(side)]
    floats = [side for side in (left, right) if not is_whole(side)]
    if len(whole) == 1 and is_weak(whole[0]) and not is_weak(floats[0]):
        one, other = common(left, right)  # a literal number adopts the dtype of the column
        return bool(COMPARISONS[symbol](one, other))
    if not whole:
        one, other = common(left, right)
        return bool(COMPARISONS[symbol](one, other))
    exact = [int(side) if is_whole(side) else float(side) for side in (left, right)]
    return COMPARISONS[symbol](*exact)


def scalar(value, declared):
    if is_missing(np.asarray([value]), declared)[0]:
        return MISSING
    return value


INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
FLOATS = ["f2", "f4", "f8"]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.1, 0.5, 2.0, 3.0, 1e-3, 100.0, 65504.0, 1e30, 2.0**53, 2.0**63, -(2.0**63), 2.0**64]


@st.composite
def numbers(draw, dtype, rows):
    """A column with few distinct numbers: values near the constants, and the limits of the dtype."""
    if dtype.kind == "f":
        specials = [*SPECIAL, math.nan, math.inf, -math.inf, float(np.finfo(dtype).max), float(np.finfo(dtype).tiny)]
        element = st.sampled_from(specials) | st.floats(-10, 10) | st.integers(-3, 3).map(float)
    else:
        limits = np.iinfo(dtype)
        low, high = int(limits.min), int(limits.max)
        ends = [low, low + 1, high - 1, high, 0, 1, 2, 3, 7, 100, 2**53, 2**53 + 1, -1, -(2**53) - 1]
        near = [value for value in ends if low <= value <= high]
        element = st.sampled_from(near) | st.integers(max(low, -5), 5)
    if draw(st.booleans()):  # sorted, the case for which zones are useful
        start = draw(element)
        values = (
            [start] * rows if draw(st.booleans()) else sorted(draw(st.lists(element, min_size=rows, max_size=rows)))
        )
    else:
        values = draw(st.lists(element, min_size=rows, max_size=rows))
    with np.errstate(all="ignore"):
        return np.array(values, dtype=dtype)


@st.composite
def tables(draw):
    """Numeric variables x, y and z and a boolean variable f, with their columns."""
    rows = draw(st.integers(1, 12))
    variables, columns = [], {}
    for name in ("x", "y", "z"):
        dtype = np.dtype(draw(st.sampled_from(INTEGERS + FLOATS)))
        values = draw(numbers(dtype, rows))
        fill = draw(st.none() | st.sampled_from(values.tolist()) | st.just(0))
        variables.append(variable(name, dtype, fill_value=None if fill is None or fill != fill else dtype.type(fill)))
        columns[name] = values
    flags = np.array(draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    variables.append(variable("f", "bool", fill_value=draw(st.sampled_from([None, True, False]))))
    columns["f"] = flags
    return schema(*variables), columns


CONSTANTS = st.sampled_from(
    [
        0,
        1,
        2,
        3,
        7,
        100,
        127,
        128,
        255,
        256,
        1000,
        2**31,
        2**53,
        2**53 + 1,
        2**63 - 1,
        2**63,
        2**64,
        2**100,
        0.0,
        0.1,
        0.5,
        1.0,
        2.5,
        100.0,
        1e-3,
        1e30,
        9007199254740993.0,
        2.0**63,
        1e300,
        1e-300,
    ]
)
SMALL = st.sampled_from([0, 1, 2, 3, 7, 0.1, 0.5, 2.5])
# A value is a pair: its text, and a function of a row.
LEAVES = (
    st.sampled_from(["x", "y", "z"]).map(lambda name: (name, lambda row: row[name]))
    | (CONSTANTS | SMALL).map(lambda value: (repr(value), lambda row: value))
    | SMALL.map(lambda value: (f"-{value!r}", lambda row: -value))
    | st.just(("year", lambda row: KEY["year"]))
)


def arithmetic(symbol, left, right):
    return f"({left[0]} {symbol} {right[0]})", lambda row: computed(symbol, left[1](row), right[1](row))


VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(arithmetic, st.sampled_from(list(OPERATIONS)), inner, inner)
        | inner.map(lambda value: (f"abs({value[0]})", lambda row: absolute(value[1](row))))
        | inner.map(lambda value: (f"(-{value[0]})", lambda row: computed("-", 0, value[1](row))))
    ),
    max_leaves=4,
)


def comparison(symbols, values):
    text = values[0][0] + "".join(f" {symbol} {value[0]}" for symbol, value in zip(symbols, values[1:], strict=False))

    def holds(row):
        found = [value[1](row) for value in values]
        return all(compares(symbol, *pair) for symbol, pair in zip(symbols, pairwise(found), strict=True))

    return text, holds


def membership(value, others, kind, negated):
    listed = ", ".join(other[0] for other in others)
    brackets = {"tuple": f"({listed},)", "list": f"[{listed}]", "set": f"{{{listed}}}"}[kind]

    def holds(row):
        if value[1](row) is MISSING:
            return False
        if negated:
            return all(compares("!=", value[1](row), other[1](row)) for other in others)
        return any(compares("==", value[1](row), other[1](row)) for other in others)

    return f"{value[0]} {'not in' if negated else 'in'} {brackets}", holds


def in_range(value, start, stop, step, negated):
    numbers_ = range(start, stop, step)

    def holds(row):
        found = value[1](row)
        if found is MISSING:
            return False
        whole = is_whole(found) or (math.isfinite(found) and float(found).is_integer())
        return (whole and int(found) in numbers_) is not negated

    return f"{value[0]} {'not in' if negated else 'in'} range({start}, {stop}, {step})", holds


def is_finite(value):
    return value is not MISSING and (is_whole(value) or bool(np.isfinite(value)))


CONDITIONS = st.recursive(
    st.builds(
        lambda symbol, values: comparison([symbol], values),
        st.sampled_from(list(COMPARISONS)),
        st.lists(VALUES, min_size=2, max_size=2),
    )
    | st.builds(
        comparison,
        st.lists(st.sampled_from(list(COMPARISONS)), min_size=2, max_size=2),
        st.lists(VALUES, min_size=3, max_size=3),
    )
    | st.builds(
        membership,
        VALUES,
        st.lists(LEAVES, min_size=1, max_size=3),
        st.sampled_from(["tuple", "list", "set"]),
        st.booleans(),
    )
    | st.builds(
        in_range,
        VALUES,
        st.integers(-300, 300) | st.just(-(10**25)),
        st.integers(-300, 300) | st.just(10**25),
        st.sampled_from([1, 2, 3, -1, -7, 10**24]),
        st.booleans(),
    )
    | VALUES.map(lambda value: (f"isnan({value[0]})", lambda row: value[1](row) is MISSING))
    | VALUES.map(lambda value: (f"isfinite({value[0]})", lambda row: is_finite(value[1](row))))
    | st.just(("f", lambda row: row["f"] is not MISSING and bool(row["f"])))
    | st.just(("ascending", lambda row: KEY["ascending"]))
    | st.just(("platform == 'S3A'", lambda row: True))
    | st.sampled_from([("True", lambda row: True), ("False", lambda row: False)]),
    lambda inner: (
        st.builds(lambda a, b: (f"({a[0]} and {b[0]})", lambda row: a[1](row) and b[1](row)), inner, inner)
        | st.builds(lambda a, b: (f"({a[0]} or {b[0]})", lambda row: a[1](row) or b[1](row)), inner, inner)
        | inner.map(lambda a: (f"(not {a[0]})", lambda row: not a[1](row)))
    ),
    max_leaves=4,
)


def widening(draw):
    """Return a function that widens bounds, as rounded statistics do."""

    def widen(lower, upper):
        how = draw(st.sampled_from(["as they are", "as they are", "wider", "unknown"]))
        if how == "wider" and lower.dtype.kind == "f":
            with np.errstate(all="ignore"):
                lower, upper = np.nextafter(lower, lower.dtype.type(-np.inf)), upper * 2 if upper > 0 else upper / 2
        elif how == "wider" and lower.dtype.kind in "iu":
            limits = np.iinfo(lower.dtype)
            lower, upper = max(int(lower) - 1, limits.min), min(int(upper) + 3, limits.max)
        elif how == "wider" and lower.dtype.kind == "b":
            lower, upper = False, True
        return lower, upper, how != "unknown"

    return widen


def agree(text, holds, declared, columns, data):
    """Assert that the mask of a condition equals that of the oracle, and that no verdict contradicts it."""
    rows = len(next(iter(columns.values())))
    expected = np.array(
        [
            holds({name: scalar(values[at], declared.variables[name]) for name, values in columns.items()})
            for at in range(rows)
        ]
    )
    bound = pickle.loads(pickle.dumps(Expression(text).bound(declared, "time", FIELDS)))
    mask = bound.mask(columns | KEY, rows)
    np.testing.assert_array_equal(mask, expected, err_msg=text)
    size = data.draw(st.integers(1, rows), "rows of a zone")
    widen = data.draw(st.none() | st.just(widening(data.draw)), "bounds")
    count = -(-rows // size)
    zones = {path: zones_of(values, declared.variables[path], size, widen) for path, values in columns.items()}
    zones |= field_zones(count)
    for unknown in data.draw(st.sets(st.sampled_from([*columns, "year"]), max_size=1), "unknown"):
        del zones[unknown]
    verdicts = bound.verdicts(zones, count)
    assert verdicts.dtype == np.int8
    assert verdicts.shape == (count,)
    assert_no_contradiction(verdicts, mask, size)
    return verdicts


def agree_as_one_zone(text, holds, declared, columns):
    """Assert that the verdict for one zone of all rows, with exact bounds, does not contradict the oracle."""
    count = len(columns["x"])
    rows = [
        {name: scalar(values[at], declared.variables[name]) for name, values in columns.items()} for at in range(count)
    ]
    bound = Expression(text).bound(declared, "time", FIELDS)
    mask = bound.mask(columns | KEY, count)
    np.testing.assert_array_equal(mask, [holds(row) for row in rows], err_msg=text)
    zones = {path: zones_of(values, declared.variables[path], count) for path, values in columns.items()}
    assert_no_contradiction(bound.verdicts(zones | field_zones(1), 1), mask, count)


@examples(600, suppress_health_check=list(HealthCheck))
@given(condition=CONDITIONS, table=tables(), data=st.data())
def test_numbers_agree_with_an_oracle_and_zones_with_rows(condition, table, data):
    agree(*condition, *table, data)


@st.composite
def close_tables(draw):
    """Variables x and y with close values, so that bounds decide many comparisons."""
    rows = draw(st.integers(2, 6))
    variables, columns = [], {}
    for name in ("x", "y"):
        dtype = np.dtype(draw(st.sampled_from(INTEGERS + FLOATS)))
        if dtype.kind == "f":
            rare = [math.inf, -math.inf, math.nan, 0.0, float(np.finfo(dtype).max)]
            element = st.floats(-3, 3, width=16).filter(bool) | st.integers(-2, 9).map(float) | st.sampled_from(rare)
        else:
            limits = np.iinfo(dtype)
            start = draw(st.sampled_from([int(limits.min), int(limits.max) - 3, 0, 1, *([-2] if limits.min else [])]))
            element = st.integers(start, start + 3)
        columns[name] = np.array(draw(st.lists(element, min_size=rows, max_size=rows)), dtype=dtype)
        variables.append(variable(name, dtype))
    variables.append(variable("f", "bool"))
    columns["z"], columns["f"] = columns["x"], np.ones(rows, bool)
    variables.append(evolve(variables[0], name="z"))
    return schema(*variables), columns


NEAR = st.recursive(
    st.sampled_from(["x", "y"]).map(lambda name: (name, lambda row: row[name]))
    | st.sampled_from([1, 2, -1, 3, 0.5, 2**63, -(2**63)]).map(lambda value: (f"({value!r})", lambda row: value)),
    lambda inner: (
        st.builds(arithmetic, st.sampled_from(list(OPERATIONS)), inner, inner)
        | inner.map(lambda value: (f"abs({value[0]})", lambda row: absolute(value[1](row))))
    ),
    max_leaves=3,
)


@examples(800, suppress_health_check=list(HealthCheck))
@given(value=NEAR, table=close_tables(), data=st.data())
def test_bounds_of_computed_values_contain_all_of_them(value, table, data):
    declared, columns = table
    count = len(columns["x"])
    rows = [
        {name: scalar(values[at], declared.variables[name]) for name, values in columns.items()} for at in range(count)
    ]
    found = [made for made in map(value[1], rows) if made is not MISSING and (is_whole(made) or np.isfinite(made))]
    limits = [made for made in found if not is_whole(made) or abs(int(made)) < 2**127]
    limit = data.draw(st.sampled_from(limits) if limits else st.just(0), "a value of a row")
    plain = int(limit) if is_whole(limit) else float(limit)
    plain += data.draw(st.sampled_from([0, 0, 0, 1, -1] if is_whole(limit) else [0.0]), "off by")
    if data.draw(st.booleans(), "as a float") and abs(plain) < 2**127:
        plain = float(plain)
    start = max(min(int(plain) - data.draw(st.integers(0, 2), "before"), 2**126), -(2**126))
    stop, step = start + data.draw(st.integers(1, 4), "length"), data.draw(st.integers(1, 2), "step")
    bare = (f"({plain!r})", lambda row: plain)
    for condition in (
        *(comparison([symbol], [value, bare]) for symbol in COMPARISONS),
        in_range(value, start, stop, step, negated=False),
        in_range(value, start, stop, step, negated=True),
        (f"isfinite({value[0]})", lambda row: is_finite(value[1](row))),
    ):
        agree_as_one_zone(*condition, declared, columns)


@pytest.mark.parametrize("symbol", list(OPERATIONS))
@pytest.mark.parametrize("dtype", ["i1", "f4"])
def test_bounds_contain_the_results_for_any_two_small_columns(symbol, dtype):
    declared = schema(variable("x", dtype), variable("y", dtype))
    computed_ = Computed(symbol, *(Column(name, declared.variables[name]) for name in "xy"))
    pairs = [np.array(pair, dtype) for pair in product([-2, -1, 0, 1, 3], repeat=2)]
    for x, y in product(pairs, repeat=2):
        columns = {"x": x, "y": y}
        with np.errstate(all="ignore"):
            values = computed_.values(Rows(columns))
            bounds = computed_.bounds({name: zones_of(columns[name], declared.variables[name], 2) for name in "xy"})
        if values.missing is not None and values.missing.any():
            assert bounds.missing.all()
        if bounds.known.all():
            assert (bounds.lower <= values.data).all(), columns
            assert (values.data <= bounds.upper).all(), columns


CALENDARS = ["standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day"]
STEPS = {"days": 86_400 * 10**6, "hours": 3_600 * 10**6, "seconds": 10**6, "milliseconds": 1000, "microseconds": 1}
PARTS = st.tuples(
    st.integers(1500, 2100),
    st.integers(1, 12),
    st.integers(1, 28),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 59),
)


def iso(parts, end, separator="T"):
    year, month, day, hour, minute, second = parts
    clock = f"{hour:02d}:{minute:02d}:{second:02d}"
    return f"{year:04d}-{month:02d}-{day:02d}{separator}{clock}{end}"


@examples(200, suppress_health_check=list(HealthCheck))
@given(
    calendar=st.sampled_from(CALENDARS),
    step=st.sampled_from(list(STEPS)),
    reference=PARTS,
    literal=st.lists(PARTS, min_size=2, max_size=2),
    micro=st.sampled_from([0, 1, 500_000, 999_999]),
    symbol=st.sampled_from(list(COMPARISONS)),
    offsets=st.lists(st.integers(-3, 3), min_size=1, max_size=8),
    data=st.data(),
)
def test_numbers_that_count_time_agree_with_cftime(calendar, step, reference, literal, micro, symbol, offsets, data):
    origin = cftime.datetime(*reference, calendar=calendar)
    texts = [iso(literal[0], f".{micro:06d}"), iso(literal[1], "Z", " ")]
    times = [cftime.datetime(*literal[0], micro, calendar=calendar), cftime.datetime(*literal[1], calendar=calendar)]
    exact = [Fraction((time - origin) // np.timedelta64(1, "us").astype(object), STEPS[step]) for time in times]
    numbers_ = np.array([math.floor(exact[0]) + offset for offset in offsets])
    attrs = {"units": f"{step} since {iso(reference, '', ' ')}", "calendar": calendar}
    declared = schema(variable("t", "i8", attrs=attrs))
    columns = {"t": numbers_}
    agree(f"t {symbol} {texts[0]!r}", lambda row: COMPARISONS[symbol](int(row["t"]), exact[0]), declared, columns, data)
    agree(f"{texts[0]!r} {symbol} t", lambda row: COMPARISONS[symbol](exact[0], int(row["t"])), declared, columns, data)
    agree(f"t in {tuple(texts)!r}", lambda row: int(row["t"]) in exact, declared, columns, data)
    agree(f"t not in {tuple(texts)!r}", lambda row: int(row["t"]) not in exact, declared, columns, data)
    agree(
        f"{texts[0]!r} <= t < {texts[1]!r}", lambda row: exact[0] <= int(row["t"]) < exact[1], declared, columns, data
    )


@examples(150, suppress_health_check=list(HealthCheck))
@given(
    unit=st.sampled_from(["D", "h", "m", "s", "ms", "us", "ns"]),
    parts=PARTS.filter(lambda parts: parts[0] > 1700),
    nano=st.sampled_from([0, 1, 999_999_999]),
    symbol=st.sampled_from(list(COMPARISONS)),
    offsets=st.lists(st.integers(-2, 2) | st.none(), min_size=1, max_size=8),
    fill=st.booleans(),
    data=st.data(),
)
def test_datetime64_agrees_with_numpy(unit, parts, nano, symbol, offsets, fill, data):
    text = iso(parts, f".{nano:09d}")
    literal = np.datetime64(text, "ns")
    near = literal.astype(f"M8[{unit}]")
    steps = [np.timedelta64("NaT" if offset is None else offset, unit) for offset in offsets]
    times = np.array([near + step for step in steps], f"M8[{unit}]")
    declared = schema(variable("t", f"M8[{unit}]", fill_value=near if fill else None), variable("u", f"M8[{unit}]"))
    columns = {"t": times, "u": np.roll(times, 1)}

    def holds(row):
        return row["t"] is not MISSING and bool(COMPARISONS[symbol](row["t"], literal))

    agree(f"t {symbol} {text!r}", holds, declared, columns, data)
    agree(f"t {symbol} u", lambda row: compares(symbol, row["t"], row["u"]), declared, columns, data)
    agree(
        "isnan(t) or isfinite(u)", lambda row: row["t"] is MISSING or row["u"] is not MISSING, declared, columns, data
    )


@examples(150, suppress_health_check=list(HealthCheck))
@given(
    dtype=st.sampled_from(["string", "U4", "S4"]),
    texts=st.lists(st.sampled_from(["", "a", "b", "ab", "S3A", "é", "z"]), min_size=1, max_size=8),
    literal=st.sampled_from(["", "a", "ab", "S3A", "é", "zz"]),
    symbol=st.sampled_from([*COMPARISONS, "in", "not in"]),
    fill=st.none() | st.just("a"),
    data=st.data(),
)
def test_strings_agree_with_python(dtype, texts, literal, symbol, fill, data):
    of_bytes = dtype == "S4"
    given_ = [text.encode() for text in texts] if of_bytes else texts
    declared = schema(variable("t", dtype, fill_value=fill.encode() if of_bytes and fill else fill))
    values = np.array(given_, declared.variables["t"].dtype)
    target = literal.encode() if of_bytes else literal

    def holds(row):
        if row["t"] is MISSING:
            return False
        if symbol in {"in", "not in"}:
            return (row["t"] in (target, target[:1])) is (symbol == "in")
        return bool(COMPARISONS[symbol](row["t"], target))

    right = f"({literal!r}, {literal[:1]!r})" if "in" in symbol else repr(literal)
    verdicts = agree(f"t {symbol} {right}", holds, declared, {"t": values}, data)
    assert ALWAYS not in verdicts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x < 4", [ALWAYS, 1, NEVER]),
        ("x + y < 10", [ALWAYS, 1, NEVER]),
        ("x * -2 > -8", [ALWAYS, 1, NEVER]),
        ("x / 2 < 2", [ALWAYS, 1, NEVER]),
        ("x // 2 < 2", [ALWAYS, 1, NEVER]),
        ("abs(x - 9) < 5", [NEVER, NEVER, ALWAYS]),
        ("not x < 4", [NEVER, 1, ALWAYS]),
        ("x in range(4)", [ALWAYS, 1, NEVER]),
        ("x in (6, 20)", [NEVER, NEVER, 1]),
        ("x != 20 and isfinite(y)", [ALWAYS, ALWAYS, ALWAYS]),
        ("x < 0 or isnan(y)", [NEVER, NEVER, NEVER]),
        ("year == 2024 and x < 4", [ALWAYS, 1, NEVER]),
        ("x % 2 == 0", [1, 1, 1]),
    ],
)
def test_bounds_decide_what_they_can(text, expected):
    columns = {"x": np.array([0, 1, 2, 3, 4, 4, 6, 7, 8], "i2"), "y": np.array([0, 1, 2, 3, 5, 6, 7, 8, 9], "f4")}
    declared = schema(variable("x", "i2"), variable("y", "f4"))
    zones = {name: zones_of(values, declared.variables[name], 3) for name, values in columns.items()} | field_zones(3)
    assert Expression(text).bound(declared, "time", FIELDS).verdicts(zones, 3).tolist() == expected
