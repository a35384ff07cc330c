"""Semantics of expressions in conditions, one test for each rule."""

import math

import cftime
import numpy as np
import pytest
from asking import asked, group, one, schema, variable

import zcollection as zc
from zcollection.conditions.expression import as_condition

NAN, INF, NAT = math.nan, math.inf, np.datetime64("NaT", "ns")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x == 1", [0]),
        ("x != 1", [1, 3]),
        ("not x == 1", [1, 2, 3, 4]),
        ("x > -5", [0, 1, 3]),
        ("x in (1, -9)", [0]),
        ("x not in (1, 7)", [1, 3]),
        ("x not in ()", [0, 1, 3]),
        ("x in ()", []),
        ("x in range(-1, 9)", [0, 1]),
        ("x not in range(1, 2)", [1, 3]),
        ("isnan(x)", [2, 4]),
        ("isnan(x + 1)", [2, 4]),
        ("isfinite(x)", [0, 1]),
        ("x * 0 == 0", [0, 1]),
        ("isnan(x * 0)", [2, 3, 4]),
        ("isnan(x - x) and not isnan(x)", [3]),
        ("0 < x <= 2 or x > 1e300", [0, 1, 3]),
    ],
)
def test_a_missing_value_satisfies_no_comparison(text, expected):
    assert one(text, [1, 2, NAN, INF, -9], "f8", fill_value=-9.0) == expected


def test_a_packed_variable_is_compared_by_its_values():
    packing = zc.Packing("int16", scale_factor=0.1, fill_value=-32768)
    assert one("x < 0.25 and x != 0.1", np.array([0.1, 0.2, np.nan, 0.3], "f4"), packing=packing) == [1]


def test_a_fill_value_of_integers_is_missing():
    assert one("x != 0", [0, 1, -1], "i2", fill_value=-1) == [1]
    assert one("not x != 0", [0, 1, -1], "i2", fill_value=-1) == [0, 2]
    assert one("x % 0 == 0 or x // 0 == 0", [0, 1], "i2") == []


def test_a_literal_number_takes_the_type_of_floats():
    assert one("x == 0.1", [0.1, 0.2], "f4") == [0]
    assert one("x == 1 / 10", [0.1, 0.2], "f4") == [0]
    assert one("x == 16777217", [16777216.0, 16777218.0], "f4") == [0]
    assert one("x < 9007199254740993", [2.0**53], "f8") == []
    assert (
        one("x + 0.1 == 0.3", [0.2], "f4")
        == np.flatnonzero(np.array([0.2], "f4") + np.float32(0.1) == np.float32(0.3)).tolist()
    )


@pytest.mark.parametrize(
    ("text", "values", "dtype", "expected"),
    [
        ("x < 1000", [-128, 127], "i1", [0, 1]),
        ("x + 100 > 200", [100, 127], "i1", [1]),
        ("x * x == 16129", [127, -127], "i1", [0, 1]),
        ("-x == -255", [255], "u1", [0]),
        ("x - 1 < 0", [0, 1], "u8", [0]),
        ("-x == 9223372036854775808", [-(2**63)], "i8", [0]),
        ("abs(x) == 128", [-128, 127], "i1", [0]),
        ("abs(x) == 9223372036854775808", [-(2**63), 0], "i8", [0]),
        ("x // -1 == 9223372036854775808", [-(2**63)], "i8", [0]),
        ("x * 2 > 18446744073709551616", [2**63, 2**64 - 1], "u8", [1]),
        ("x == 9007199254740993.0", [2**53, 2**53 + 1], "i8", [0]),
        ("x == 9007199254740993", [2**53, 2**53 + 1], "i8", [1]),
        ("x > 9223372036854775807.0", [2**63 - 1], "i8", []),
        ("x < 9223372036854775808", [2**63 - 1], "i8", [0]),
        ("x >= 18446744073709551615", [2**64 - 1, 0], "u8", [0]),
        ("x > -1", [0, 2**64 - 1], "u8", [0, 1]),
        ("x < 2.5", [2, 3], "i8", [0]),
        ("x < 1e400 and x > -1e400", [2, 3], "i8", [0, 1]),
        ("x / 2 == 1.5", [2, 3], "i8", [1]),
        ("x % 3 == 2", [-1, 2, 3], "i8", [0, 1]),
        ("x in range(0, 10, 4)", [0, 4, 5, 8, 12], "u1", [0, 1, 3]),
        ("x in range(8, -1, -4)", [0, 4, 5, 8, 12], "f2", [0, 1, 3]),
        ("x in range(-100000000000000000000, 100000000000000000000, 2)", [-1, 2], "i8", [1]),
    ],
)
def test_integers_never_overflow_and_compare_exactly(text, values, dtype, expected):
    assert one(text, values, dtype) == expected


def test_integers_compare_exactly_with_a_column_of_floats():
    declared = schema(variable("x", "i8"), variable("y", "f8"), variable("z", "u8"))
    columns = {"x": np.array([2**53 + 1, 2**63 - 1, -3]), "y": np.array([2.0**53, 2.0**63, -3.0])}
    columns["z"] = np.array([2**53, 2**63, 2**64 - 3], "u8")
    assert asked("x == y", declared, columns) == [2]
    assert asked("y < x", declared, columns) == [0]
    assert asked("x < z", declared, columns) == [1, 2]


@pytest.mark.parametrize("text", ["x", "not not x", "x == True", "x != False", "x in (True,)", "x == 1"])
def test_a_boolean_variable_is_a_condition(text):
    assert one(text, [True, False, True]) == [0, 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x >= '2024-01-03'", [1, 2]),
        ("x == '2024-01-03T00:00:00.000000001'", [2]),
        ("x < '2024-01-03T00:00:00.000000001Z'", [0, 1]),
        ("'2024' <= x < '2024-01-03'", [0]),
        ("x in ('2024-01-03', '2024-01')", [1]),
        ("x < '999999-01-01' and x > '-9999-01-01'", [0, 1, 2]),
        ("isnan(x)", [3]),
        ("x != '2024-01-03 00:00'", [0, 2]),
    ],
)
def test_datetime64_compares_with_iso_text(text, expected):
    times = ["2024-01-02T23:59:59.999999999", "2024-01-03", "2024-01-03T00:00:00.000000001", "NaT"]
    assert one(text, times, "M8[ns]") == expected


def test_a_string_between_two_steps_lies_between_them():
    days = ["2024-01-02", "2024-01-03", "2024-01-04"]
    assert one("x <= '2024-01-03T12'", days, "M8[D]") == one("x < '2024-01-03T12'", days, "M8[D]") == [0, 1]
    assert one("x >= '2024-01-03T12'", days, "M8[D]") == one("x > '2024-01-03T12'", days, "M8[D]") == [2]
    assert one("x == '2024-01-03T12'", days, "M8[D]") == []
    assert one("x != '2024-01-03T12'", days, "M8[D]") == [0, 1, 2]


@pytest.mark.parametrize("dtype", ["i4", "f8"])
@pytest.mark.parametrize("calendar", ["standard", "julian", "noleap", "all_leap", "360_day"])
def test_numbers_with_time_units_compare_with_times_of_their_calendar(dtype, calendar):
    units = "hours since 2000-02-28 06:00"
    numbers = np.arange(100, dtype=dtype)
    times = cftime.num2date(numbers, units, calendar)
    literal = cftime.datetime(2000, 3, 1, 2, calendar=calendar)
    found = one("x >= '2000-03-01T02'", numbers, attrs={"units": units, "calendar": calendar})
    assert found == np.flatnonzero(times >= literal).tolist()
    assert one("x < 3", numbers, attrs={"units": units, "calendar": calendar}) == [0, 1, 2]


def test_numbers_without_time_units_stay_numbers():
    attrs = {"units": "orbits since launch"}
    assert one("x > 1", np.array([1, 2]), attrs=attrs) == [1]
    with pytest.raises(zc.ExpressionError, match=r"with a string \('2024'\); accepted: a number"):
        one("x > '2024'", np.array([1, 2]), attrs=attrs)


def test_durations_compare_with_a_number_and_its_unit():
    assert one("x >= '90 seconds'", [89, 90, 91], "m8[s]") == [1, 2]
    assert one("x < '1.5 minutes'", [89, 90, "NaT"], "m8[s]") == [0]


def test_two_variables_of_times_compare():
    declared = schema(variable("x", "M8[s]"), variable("y", "M8[s]"), variable("z", "M8[D]"))
    columns = {"x": np.array([1, 2, "NaT"], "M8[s]"), "y": np.array([2, 2, 2], "M8[s]")}
    assert asked("x < y", declared, columns) == [0]
    with pytest.raises(
        zc.ExpressionError, match="accepted: two of the same type; compare each with a string in quotes"
    ):
        asked("x < z", declared, columns)


@pytest.mark.parametrize("dtype", ["string", "U3", "S3"])
def test_strings_compare_by_code_points(dtype):
    texts = ["S3A", "a", "S3B"]
    values = np.array(texts, np.dtypes.StringDType() if dtype == "string" else dtype)
    declared = schema(variable("x", dtype))
    assert asked("x in ('S3A', 'S3B')", declared, {"x": values}) == [0, 2]
    assert asked("'S3A' < x", declared, {"x": values}) == [1, 2]
    assert asked("x != 'a' and x >= 'S3B'", declared, {"x": values}) == [2]


def test_bytes_do_not_compare_with_a_variable_of_strings():
    with pytest.raises(zc.ExpressionError, match="compares bytes with strings"):
        asked("x == y", schema(variable("x", "S3"), variable("y", "U3")), {"x": np.array([b"a"])})


def test_fields_of_keys_can_be_combined_with_variables():
    declared, columns = schema(variable("x", "f4")), {"x": np.array([2023.0, 2024.0], "f4")}
    assert asked("year == 2024 and platform == 'S3A' and ascending", declared, {}, rows=3) == [0, 1, 2]
    assert asked("x >= year", declared, columns) == [1]
    assert asked("platform in ('S3B',) or x < year - 0.5", declared, columns) == [0]
    with pytest.raises(zc.ExpressionError, match="compares a string with a number"):
        asked("platform > 3", declared, columns)
    with pytest.raises(zc.ExpressionError, match="is a string, which has no arithmetic"):
        asked("platform * 2 > x", declared, columns)
    with pytest.raises(zc.ExpressionError, match="is a number, not true or false"):
        asked("year", declared, columns)


NESTED = schema(
    variable("x", "i4"),
    variable("year", "i4"),
    groups=(
        group("a", variable("x", "i4"), variable("pass", "i4")),
        group("b", variable("n-1", "i4"), variable("k", "i4")),
    ),
)


@pytest.mark.parametrize(
    ("text", "variables", "fields"),
    [
        ("x == 0", ("x",), ()),
        ("`a/x` == 0 and `/x` == 0", ("a/x", "x"), ()),
        ("pass == 0 and k == 1", ("a/pass", "b/k"), ()),
        ("`n-1` == 0 or `b/n-1` == 1", ("b/n-1",), ()),
        ("year == 2024", ("year",), ()),
        ("platform == '`x`' and 'pass' != platform", (), ("platform",)),
    ],
)
def test_a_name_is_a_path_then_a_last_name_then_a_field(text, variables, fields):
    bound = as_condition(text).bound(NESTED, "time", ("year", "platform"))
    assert (bound.variables, bound.fields) == (variables, fields)


def test_an_ambiguous_name_is_rejected():
    declared = schema(groups=(group("a", variable("v", "i4")), group("b", variable("v", "i4"))))
    with pytest.raises(
        zc.ExpressionError, match="may be one of several variables; accepted: a path in backticks, `a/v`, `b/v`"
    ):
        as_condition("v > 1").bound(declared, "time")


WRONG = schema(
    variable("time", "M8[s]"),
    variable("length", "m8[s]"),
    variable("ssh", "f4"),
    variable("flag", "bool"),
    variable("name", "string"),
    variable("number", "c8"),
    variable("days", "i4", attrs={"units": "days since 2000-01-01", "calendar": "noleap"}),
    variable("hours", "i4", attrs={"units": "hours since 2000-01-01"}),
    more=(
        zc.VariableSchema("beams", dtype="f4", dimensions=("time", "x")),
        zc.VariableSchema("scale", dtype="f4", dimensions=()),
    ),
)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 < sssh", r"'sssh' \(column 5\) cannot be used: .*\(did you mean 'ssh'\?\)"),
        ("beams > 1", r"dimensions \(time, x\); accepted: variables whose only dimension is 'time'"),
        ("scale > 1", r"dimensions \(none\)"),
        ("number == 1", "complex numbers have no order"),
        ("time > 3", r"compares 'time' \(datetime64\[s\]\) with a number \(3\); accepted: a time in quotes"),
        ("time > length", "accepted: a time in quotes"),
        ("length > 3", "accepted: a duration in quotes, such as '90 seconds'"),
        ("length > 'long'", "is not a duration"),
        (f"length > '{'9' * 5000} days'", "is not a duration"),
        ("time + 1 > '2024'", r"'time' \(column 1\) is datetime64\[s\], which has no arithmetic"),
        ("time > 'yesterday'", "is not a time; accepted: ISO 8601"),
        ("time > '2024-13-01'", "no such day"),
        ("time > '2023-02-29'", "the calendar 'proleptic_gregorian' has no such day"),
        ("time > '2024-01-01T25'", "the day has no such time"),
        ("time > '2024-01-01T00:00:00.0000000001'", "to the nanosecond"),
        ("time > '2024-01-01T00:00+02:00'", "in UTC"),
        ("days > '2024-02-29'", "the calendar 'noleap' has no such day"),
        ("days > hours", "accepted: the same units and calendar"),
        ("days + 1 > '2024-02-28'", "compares a number with a string"),
        ("ssh > 'a'", r"compares 'ssh' \(float32\) with a string \('a'\); accepted: a number"),
        ("name > 1", "accepted: a string in quotes"),
        ("name + 1 > 1", "which has no arithmetic"),
        ("flag + 1 > 1", "is bool, which has no arithmetic"),
        ("ssh", "is float32, not true or false"),
        ("1", "is not a condition"),
        ("'a'", "is not a condition"),
        ("ssh + 1", "is not a condition"),
        ("(ssh > 1) == True", "is not a value"),
        ("isnan(ssh > 1)", "is not a value"),
        ("ssh in ssh", "is not a list"),
        ("ssh in 3", "is not a list"),
        ("ssh == (1, 2)", "is not a value"),
        ("name in range(3)", r"is string; accepted before in range\(\): numbers"),
        ("ssh in range(ssh)", "is not a literal integer"),
        ("ssh in range(1, 2, 0)", "a step that is not 0"),
        ("name in 'abc'", "searches for a substring of 'abc'"),
        (r"name == '\ud800'", "lone surrogate"),
        ("*".join(["hours"] * 40) + " > 1", "more than 1000 bits"),
        ("ssh >", "is not an expression"),
        ("  ssh > (1 +\n  open('x'))", r"\"open\('x'\)\" \(column 16\) is not accepted"),
        ("é == 1 or ssh.x", r"'ssh.x' \(column 11\) is not accepted"),
    ],
)
def test_an_error_shows_the_column_and_the_next_step(text, match):
    with pytest.raises(zc.ExpressionError, match=match):
        as_condition(text).bound(WRONG, "time", ("year",))


def test_conditions_leak_no_warning_and_write_to_no_column():
    column = np.array([0.0, np.inf, 6e4, np.nan], "f2")
    column.flags.writeable = False
    assert one("1 / x > 0 and x * x >= 0 and x // 0 != 1 and x < 1e300", column) == [2]
