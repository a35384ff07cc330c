"""Pyarrow expressions as conditions: each row that passes the expression passes the condition, and useful parts are pushed down."""

import datetime as dt
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_arrow.columns import Columns
from zcollection_arrow.translation import condition
from zcollection_arrow.trees import names_in, tree_of

NOON = dt.datetime(2024, 1, 2, 12)
f = pc.field


def pushed(collection, expression):
    return condition(tree_of(expression), Columns.of(collection.schema, "time").columns)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (f("flag") > 2, "`flag` > 2"),
        (pc.scalar(2) > f("flag"), "`flag` < 2"),
        (f("latitude") >= 0.1, "`latitude` >= 0.1"),
        (~(f("latitude") >= 0.5), "`latitude` < 0.5"),
        ((f("flag") == 1) & (f("valid")), "(`flag` == 1 and `valid` == True)"),
        (~((f("flag") == 1) & (f("valid"))), "(`flag` != 1 or `valid` == False)"),
        ((f("flag") == 1) & (f("power") == pc.scalar([1.0])), "(`flag` == 1)"),
        ((f("flag") == 1) | (f("flag") + f("big") > 1), None),
        (f("data_01/ku/swh") < 1, "`data_01/ku/swh` < 1.0"),
        (f("time") >= NOON, "`time` >= '2024-01-02T12:00:00.000000'"),
        (f("day") == pa.scalar(NOON, pa.timestamp("s")), "`day` == '2024-01-02T12:00:00'"),
        (f("name").isin(["S3A", None]), "(`name` == 'S3A' or isnan(`name`))"),
        (f("flag").isin([]), "False"),
        (f("big").isin(list(range(100))), "((`big` >= 0 and `big` <= 99))"),
        (~f("flag").isin([1]), None),
        (f("flag").is_null(), "isnan(`flag`)"),
        (f("flag").is_valid(), "not isnan(`flag`)"),
        (~f("flag").is_null(), "not isnan(`flag`)"),
        ((f("latitude") > 1) | f("latitude").is_nan(), "(`latitude` > 1.0)"),
        (pc.if_else(f("flag").is_valid(), f("flag") == 1, pa.scalar(None, pa.bool_())), "`flag` == 1"),
        (f("flag") == pa.scalar(None, pa.int8()), "False"),
        (f("name") == "it's", None),
        (f("unknown") == 1, None),
        (f("time") >= dt.datetime(1500, 1, 1), None),
        (pc.greater(f("latitude"), np.nan), None),
        (f("model") > 3, "`model` > 3"),
        (pc.scalar(True), None),
        (f("flag").cast("int64") > 1, None),
        (f("big") > 2.0**60, None),
    ],
    ids=str,
)
def test_an_expression_is_pushed_down_as(collection, expression, text):
    assert pushed(collection, expression) == text


@pytest.mark.parametrize(("value", "symbol"), [(0.1, ">"), (0.1, "<="), (0.1, "=="), (16777217.0, ">="), (-1e-50, "<")])
def test_a_number_between_two_floats_never_costs_a_row(collection, value, symbol):
    near = np.float32(value)
    around = np.array([np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))])
    compare = {">": pc.greater, ">=": pc.greater_equal, "<": pc.less, "<=": pc.less_equal, "==": pc.equal}[symbol]
    arrow = compare(pa.array(around), pa.scalar(value)).to_numpy(zero_copy_only=False)
    text = pushed(collection, compare(f("longitude"), value))
    passing = [
        eval(text.replace("`", ""), {"longitude": item}) for item in around
    ]  # Python and NumPy, as zcollection compares
    assert not (arrow & ~np.array(passing)).any()


def test_a_tree_names_the_columns_that_an_expression_reads():
    assert names_in(tree_of((f("a") > f("b")) | f("c").isin([1]))) == {"a", "b", "c"}
    assert tree_of(pc.field(("nested", "part")) > 1) is None
    assert tree_of(pc.field(0) > 1) is None


@pytest.mark.parametrize("count", [700, 3000])
def test_a_condition_that_is_too_long_is_left_to_pyarrow(collection, count):
    assert pushed(collection, chain(count)) is None


def test_a_long_chain_is_no_deep_condition(collection):
    assert collection.count(pushed(collection, chain(300))) == 0


def chain(count):
    return reduce(lambda left, right: left | right, [f("big") == number for number in range(count)])


NUMBERS = st.one_of(st.integers(-4, 4), st.floats(-1.5, 1.5, width=32), st.floats(-1.5, 1.5))
SYMBOLS = st.sampled_from(["greater", "greater_equal", "less", "less_equal", "equal", "not_equal"])
LEAVES = st.one_of(
    st.builds(
        lambda s, n, v: getattr(pc, s)(f(n), v),
        SYMBOLS,
        st.sampled_from(["flag", "longitude", "data_01/ku/swh"]),
        NUMBERS,
    ),
    st.builds(lambda n, v: f(n).isin(v), st.sampled_from(["flag"]), st.lists(st.integers(-2, 4), max_size=3)),
    st.builds(lambda n: f(n).is_null(), st.sampled_from(["flag", "data_01/ku/swh", "seen"])),
    st.builds(lambda v: f("name") == v, st.sampled_from(["S3A", "", "é'\\"])),
    st.just(f("valid")),
    st.just(f("big") > f("flag")),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(expression=EXPRESSIONS)
def test_every_row_that_passes_an_expression_passes_what_is_pushed_down(collection, table, expression):
    text = pushed(collection, expression)
    if text is None:
        return
    passing = table.filter(expression)["time"].to_numpy()
    found = collection.query(where=text, variables=["time"])["time"].to_numpy().astype("datetime64[ns]")
    assert set(passing.tolist()) <= set(found.tolist())


@pytest.fixture(scope="module")
def table(collection):
    return collection.query().to_arrow()
