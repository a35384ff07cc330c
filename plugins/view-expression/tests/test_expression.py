import numpy as np
import pytest
from zcollection_view_expression.expression import Expression

from zcollection.plugin import Dataset, PluginConfigurationError, Schema, SchemaError
from zcollection.testing import ComputationSuite, PluginSuite

SCHEMA = (
    Schema()
    .with_dimension("time")
    .with_dimension("x", size=2)
    .with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    .with_variable("ssh", dtype="float32", dimensions=("time", "x"), fill_value=9)
    .with_variable("mss", dtype="float32", dimensions=("time",))
    .with_variable("turned", dtype="float64", dimensions=("x", "time"))
    .with_variable("count", dtype="int16", dimensions=("time",), fill_value=-1, group="data/ku")
    .with_variable("large", dtype="uint64", dimensions=("time",), group="data/ku")
    .with_variable("offset", dtype="float64", dimensions=("x",))
    .with_variable("name", dtype="string", dimensions=("time",))
    .build()
)
ROWS = Dataset(
    SCHEMA,
    {
        "time": np.arange(3).astype("datetime64[s]"),
        "ssh": [[1, 2], [9, 4], [5, 6]],
        "mss": [0.5, 1.5, np.nan],
        "turned": [[1, 2, 3], [4, 5, 6]],
        "data/ku/count": [3, -1, 30_000],
        "data/ku/large": [1, 2, 2**63],
        "offset": [10, 20],
        "name": ["a", "b", "c"],
    },
)
NAN = np.nan


class TestPlugin(PluginSuite):
    distribution = "zcollection-view-expression"


class TestExpression(ComputationSuite):
    examples = (
        Expression({"sla": "ssh - mss"}),
        Expression({"sla": "ssh - mss", "speed": "sqrt(u**2 + v**2)"}, dtype="float32", attrs={"sla": {"units": "m"}}),
        Expression({"data/ku/flag": "power > 3"}, dtype={"data/ku/flag": "int8"}, variables={"power": "data/ku/power"}),
        Expression({"n": "abs(floor(a))"}, dtype="uint16", fill_value={"n": 7}, variables={"a": "u/w"}),
    )


def computed(text, **options):
    return Expression({"out": text}, **options).compute(ROWS.select(Expression({"out": text}, **options).inputs))["out"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh - mss", [[0.5, 1.5], [NAN, 2.5], [NAN, NAN]]),
        ("ssh + turned", [[2, 6], [NAN, 9], [8, 12]]),
        ("turned + mss", [[1.5, 3.5, NAN], [4.5, 6.5, NAN]]),
        ("mss * offset", [[5, 10], [15, 30], [NAN, NAN]]),
        ("where(mss > 1, mss, -mss)", [-0.5, 1.5, NAN]),
        ("sqrt(mss - 1)", [NAN, np.sqrt(0.5), NAN]),
        ("(mss > 1) & (mss < 2)", [0, 1, NAN]),
        ("1 / 2 + mss * 0", [0.5, 0.5, NAN]),
        ("  mss + 1 ", [1.5, 2.5, NAN]),
        ("mss ** 2 % 1", [0.25, 0.25, NAN]),
    ],
)
def test_it_is_what_numpy_makes_of_it(text, expected):
    np.testing.assert_allclose(computed(text), expected, rtol=1e-15)


def test_integers_are_computed_in_64_bits_and_keep_their_fill_value():
    names = {"n": "data/ku/count", "large": "/data/ku/large"}
    found = computed("n * n * 1000", dtype="int64", variables={"n": names["n"]})
    assert found.tolist() == [9000, np.iinfo(np.int64).min, 30_000**2 * 1000]
    assert computed("n / 2", dtype="int32", variables={"n": names["n"]}).tolist() == [2, np.iinfo(np.int32).min, 15_000]
    assert computed("n + 0", dtype="uint16", variables={"n": names["n"]}).tolist() == [3, 65535, 30_000]
    assert computed("large * 1", variables={"large": names["large"]}).tolist() == [1, 2, 2.0**63]
    with pytest.raises(SchemaError, match="a value of 'out' is out of the range of int8; declare another dtype"):
        computed("n", dtype="int8", variables={"n": names["n"]})


def test_outputs_have_the_dimensions_of_all_that_they_read_and_lie_where_their_path_says():
    both = Expression(
        {"data/ku/new": "n + ssh", "plain": "mss"},
        variables={"n": "data/ku/count"},
        attrs={"plain": {"units": "m"}},
        fill_value={"plain": -5},
        dtype={"data/ku/new": "float32", "plain": "int32"},
    )
    outputs = both.outputs(SCHEMA)
    assert list(outputs) == ["data/ku/new", "plain"]
    assert outputs["data/ku/new"].dimensions == ("time", "x")
    assert (outputs["plain"].attrs, outputs["plain"].fill_value) == ({"units": "m"}, -5)
    assert both.compute(ROWS)["plain"].tolist() == [0, 2, -5]
    SCHEMA.with_variables(outputs)


@pytest.mark.parametrize("text", ["time + 1", "name", "ssh + nothing"])
def test_what_holds_no_numbers_is_rejected(text):
    with pytest.raises(SchemaError, match="accepted: "):
        Expression({"out": text}).outputs(SCHEMA)


@pytest.mark.parametrize("text", ["mss << 2", "mss & 1", "~mss"])
def test_what_does_not_fit_the_types_is_told_with_them(text):
    with pytest.raises(SchemaError, match="cannot be evaluated for mss float64"):
        computed(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "ssh.__class__",
        "ssh.real",
        "ssh[0]",
        "[ssh]",
        "lambda: 1",
        "eval('1')",
        "open(ssh)",
        "(ssh := 1)",
        "ssh if mss else 1",
        "ssh and mss",
        "1 < ssh < 2",
        "'text'",
        "f'{ssh}'",
        "1j",
        "None",
        "sum(ssh)",
        "where(ssh > 1, x=2)",
        "sqrt(*ssh)",
        "ssh; mss",
        "ssh = 1",
        "ssh +",
        "",
        "(" * 3000,
        "ssh" * 1000,
        "1" * 5000,
        "a" + "(" * 500 + ")" * 500,
        "ssh\0",
        5,
    ],
    ids=lambda text: str(text)[:30],
)
def test_what_is_no_formula_is_rejected_before_anything_reads_it(text):
    with pytest.raises(PluginConfigurationError, match="the expression .* of 'out' is invalid.*accepted: numbers"):
        Expression({"out": text})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"expressions": {}}, "expressions is {}"),
        ({"expressions": "ssh"}, "expressions is 'ssh'"),
        ({"dtype": {"other": "f4"}}, "dtype has the key 'other'; accepted: 'out'"),
        ({"dtype": "datetime64[s]"}, "dtype of 'out' is 'datetime64\\[s\\]'; accepted"),
        ({"dtype": "no such"}, "dtype of 'out' is 'no such'"),
        ({"attrs": {"outt": {}}}, "attrs has the key 'outt'; accepted: 'out' .did you mean 'out'"),
        ({"variables": {"mss": "x"}}, "variables has the key 'mss'; accepted: 'ssh'"),
        ({"fill_value": 3}, "fill_value is 3; accepted: a dictionary"),
    ],
)
def test_settings_that_do_not_fit_are_rejected(settings, message):
    with pytest.raises(PluginConfigurationError, match=message):
        Expression(**{"expressions": {"out": "ssh"}} | settings)
