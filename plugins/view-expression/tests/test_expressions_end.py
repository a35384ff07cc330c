"""An expression is bounded before it is evaluated: no text takes long, takes much memory, or stops the process."""

import ast
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numexpr import necompiler
from zcollection_view_expression.evaluation import evaluate
from zcollection_view_expression.expression import Expression
from zcollection_view_expression.measures import DEEPEST, LARGEST, measured
from zcollection_view_expression.parsing import names_in, without_traps

from zcollection.plugin import PluginConfigurationError, SchemaError

LIMIT = 0.1
SMALLEST = np.iinfo(np.int64).min
VALUES = {"v": np.array([0.5, -2.0, 1e9]), "n": np.array([3, -1, SMALLEST]), "b": np.array([True, False, True])}


def done(text):
    """Return the value of a text, or the error of ours that it is, which takes but a moment of this process' own time."""
    taken = []
    for _ in range(3):  # a collection of garbage may fall into it
        started = time.process_time()
        try:
            names = names_in(text, what="out")
            found = evaluate(text, {name: VALUES[name] for name in names if name in VALUES})
        except (PluginConfigurationError, SchemaError) as error:
            found = error
        taken.append(time.process_time() - started)
        if taken[-1] < LIMIT:
            return found
    raise AssertionError(taken)


def size_in_numexpr(text):
    """Return the operations and operands that numexpr makes of a text."""
    made = necompiler.stringToExpression(without_traps(text), {}, necompiler.getContext({"truediv": True}))
    made = made if hasattr(made, "astType") else necompiler.expressions.ConstantNode(made)
    return sum(1 for _ in necompiler.expressionToAST(made).postorderWalk())


done("v + n")  # loads numexpr


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("9**9**9 * v", "the constant 9 ** 9 ** 9 has no value (it is an integer of more than 64 bits)"),
        ("where(v > 0, v, 9**9**8)", "more than 64 bits"),
        ("v + (-(9**9**9))", "more than 64 bits"),
        ("v + ~(9**9**9)", "more than 64 bits"),
        ("v + abs(-9)**9**9", "more than 64 bits"),
        ("v + floor(9**9**9)", "more than 64 bits"),
        ("v + sqrt(9**9**9)", "more than 64 bits"),
        ("v + where(True, 9, 1)", "its condition is constant"),
        ("v * (1 << 10**12)", "more than 64 bits"),
        ("n | 1 << 65", "more than 64 bits"),
        ("v + (1 << where(~abs(True), 1, 10**12))", "its condition is constant"),
        ("v + (1 << real(10**12))", "more than 64 bits"),
        ("v + (1 << -imag(-(10**12)) + real(real(99)))", "more than 64 bits"),
        ("v * (10**10 * 10**10)", "more than 64 bits"),
        (f"v * 0x{'f' * 1900}", "more than 64 bits"),
        (f"v * {2**64}", "more than 64 bits"),
        ("v * 1e308 * 1e308 * (1e308 * 1e308)", "not a finite real number"),
        ("v * 1e999", "not a finite real number"),
        ("v * 1e308**2", "Numerical result out of range"),
        ("v * (-8)**0.5", "not a finite real number"),
        ("v * log(0)", "not a finite real number"),
        ("v + 1 / 0", "division by zero"),
        ("v + 1 % 0", "by zero"),
        ("n + (1 << -1)", "negative shift count"),
        ("n + (1.5 & 2)", "unsupported operand"),
        ("n + (9.5 << 2)", "unsupported operand"),
        ("((v**50)**50)**50", f"more than {LARGEST} operations"),
        ("(" * 20 + "v" + "**2)" * 20, f"more than {LARGEST} operations"),
        ("((sqrt(1)**50)**50)**50 * v", f"more than {LARGEST} operations"),
        ("((v**-49.5)**(40 + 9))**4", f"more than {LARGEST} operations"),
        ("((v**abs(51))**abs(51))", f"more than {LARGEST} operations"),
        ("*".join(["(v + n)**40"] * 5), f"more than {LARGEST} operations"),
        ("-" * 1900 + "v", ""),
        ("-" * 150 + "v", f"nested more than {DEEPEST} deep"),
        ("~" * 150 + "n", f"nested more than {DEEPEST} deep"),
        ("+".join(["v"] * 150), f"nested more than {DEEPEST} deep"),
        ("where(v>0,v," * 110 + "v" + ")" * 110, f"nested more than {DEEPEST} deep"),
        (f"{'+'.join(f'(a{i} + b{i})' for i in range(40))}", "it has 80 variables; accepted: up to 63"),
        ("sin(v, v)", "sin has 1 arguments, not 2"),
        ("where(v > 0, v)", "where has 3 arguments, not 2"),
        ("sqrt()", "sqrt has 1 arguments, not 0"),
    ],
    ids=lambda text: text[:30],
)
def test_what_would_not_end_is_rejected_when_it_is_made(text, why):
    found = done(text)
    assert isinstance(found, PluginConfigurationError)
    assert why in str(found)
    with pytest.raises(PluginConfigurationError, match="is invalid"):
        Expression({"out": text})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v * 2**63", VALUES["v"] * 2.0**63),
        ("v * -(10**6) + 2**10", VALUES["v"] * -1e6 + 1024),
        ("v + sqrt(2) / arctan(1)", VALUES["v"] + np.sqrt(2) / np.arctan(1)),
        ("v**0", [1, 1, 1]),
        ("n**2 + 1 % 3", [10, 2, 1]),
        ("n * 0 + (1 << 3)", [8, 8, 8]),
        ("v**51", [0.5**51, -(2.0**51), np.inf]),
        ("~True + n * 0", [-2, -2, -2]),
    ],
)
@pytest.mark.filterwarnings("ignore:Bitwise inversion")
def test_numbers_are_what_they_were(text, expected):
    np.testing.assert_allclose(done(text), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n % -1", [0, 0, 0]),
        ("n % (b - 2)", [0, -1, 0]),
        ("n % n", [0, 0, 0]),
        ("n % (n * 0)", [0, 0, 0]),
        ("n % -2", [-1, -1, 0]),
        ("-n % (n * 0 - 2)", [-1, -1, 0]),
        ("5 % n", [2, 0, 5 + SMALLEST]),
        ("v % (v * 0 - 1)", [-0.5, 0, np.fmod(1e9, 1)]),
        ("(v + 0.25) % -1.5", [-0.75, -0.25, -0.25]),
        ("where(v > 0, -2147483648, 7) % (-1)", [0, 0, 0]),
        ("(n * 0 - 2147483648) % -1", [0, 0, 0]),
        ("(real(2)**31 + 0 * b) % -1", [0, 0, 0]),
        ("where(v > 0, -2147483648, 7) % (real(2)**32 - 1 + 0 * b)", [0, 0, 0]),
        ("n % (2 + n % (2 + n % -1))", [0, 2, 0]),
        ("(n % -2) % -1 + -5 % -3", [-2, -2, -2]),
    ],
)
def test_no_remainder_stops_the_process(text, expected):
    """The processor knows no remainder of the smallest integer by -1, and says so with a signal."""
    assert done(text).tolist() == expected


NUMBERS = st.sampled_from(
    ["v", "n", "b", "0", "1", "2", "9", "50", "0.5", "1e308", "True", "2147483648", "9999999999999999999"]
)
TEXTS = st.recursive(
    NUMBERS,
    lambda inner: (
        st.builds(
            "({} {} {})".format,
            inner,
            st.sampled_from(
                ["+", "-", "*", "/", "**", "%", "&", "|", "^", "<<", ">>", "<", "<=", "==", "!=", ">=", ">"]
            ),
            inner,
        )
        | st.builds("({}**{})".format, inner, st.sampled_from(["2", "-3", "49.5", "50", "51", "(9**9)"]))
        | st.builds("({}{})".format, st.sampled_from("+-~"), inner)
        | st.builds("{}({})".format, st.sampled_from(["sqrt", "abs", "floor", "real", "log", "exp"]), inner)
        | st.builds("where({}, {}, {})".format, inner, inner, inner)
    ),
    max_leaves=12,
)
PIECES = st.sampled_from(
    [
        "v",
        "n",
        "9",
        "**",
        "(",
        ")",
        "-",
        "~",
        "+",
        "*",
        "%",
        "<<",
        "9**9",
        "1e308",
        ",",
        ".",
        ".real",
        "[",
        "]",
        "{",
        ":",
        ";",
        "'",
        "__",
        "__v__",
        "where(",
        "sin(",
        "0x",
        "1j",
        "if",
        "and",
        "\n",
        "\x00",
        "é",
    ]
)
MUTATED = st.builds(
    lambda text, at, piece, times: text[: at % (len(text) + 1)] + f"{piece} " * times + text[at % (len(text) + 1) :],
    TEXTS,
    st.integers(0, 60),
    PIECES,
    st.sampled_from([1, 2, 50, 300, 900]),
)


@settings(deadline=None)
@given(text=TEXTS | MUTATED)
@example(text="(" * 9 + "v" + "**2)" * 9)
@example(text="-" * 90 + "+".join(f"v*{number}" for number in range(9)))
@pytest.mark.filterwarnings("ignore")
def test_any_text_has_a_value_or_is_rejected_at_once(text):
    done(text)


@settings(deadline=None)
@given(text=TEXTS)
@example(text="((v**7.5)**-2.5)**(1 + 2)")
@example(text="((v % -n) % n) % -1")
@example(text="(sqrt(4)**50)**-0.5 * v")
@pytest.mark.filterwarnings("ignore")
def test_numexpr_makes_no_more_of_it_than_was_measured(text):
    try:
        names_in(text, what="out")
        made = size_in_numexpr(text)
    except (PluginConfigurationError, TypeError, ValueError, NotImplementedError, ArithmeticError):
        return
    assert made <= measured(ast.parse(text, mode="eval").body).size <= LARGEST


@pytest.mark.parametrize(
    "text",
    [
        "-" * 90 + "+".join(f"v*{number}" for number in range(9)),
        "+".join(f"v*{number}" for number in range(97)),
        "where(v > 0, " * 95 + "v" + ", v)" * 95,
        "-(v % " * 4 + "(v + n)" + ")" * 4,
        "+".join(["v**47"] * 5),
        "+".join(f"a{number}*cos(w{number}*v + p{number})" for number in range(20)),
    ],
    ids=lambda text: text[:20],
)
def test_the_largest_that_is_accepted_is_compiled_at_once(text):
    names = names_in(text, what="out")
    VALUES.update(dict.fromkeys(set(names) - VALUES.keys(), VALUES["v"]))
    assert done(text).shape == (3,)
