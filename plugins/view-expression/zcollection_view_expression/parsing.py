"""Validation of expressions before they are evaluated: an allowlist of syntax, and the names of the variables."""

import ast
from typing import Final

from zcollection.plugin import PluginConfigurationError, accepted
from zcollection_view_expression.measures import may_trap, measured

_OF_ONE: Final = (
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
    *("log", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "floor", "ceil", "real", "imag", "conj"),
)
FUNCTIONS: Final = {"where": 3, **dict.fromkeys(_OF_ONE, 1), "arctan2": 2, "fmod": 2}
"""Element-wise functions of numexpr, with their numbers of arguments."""

_LONGEST: Final = 2000
_MOST_NAMES: Final = 63  # numexpr iterates over up to 64 arrays, including the result
_NODES: Final = (
    *(ast.Expression, ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.Mod, ast.USub, ast.UAdd, ast.Invert),
    *(ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift),
    *(ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE),
)


def names_in(expression: object, *, what: str) -> tuple[str, ...]:
    """Validate an expression, and return the names of the variables in it, in the order of their first occurrence.

    Parameters
    ----------
    expression
        The expression.
    what
        Path of the output, for the error message.

    Raises
    ------
    PluginConfigurationError
        The expression has a syntax error or unsupported syntax, or is too large to compile.
    """
    if not isinstance(expression, str) or len(expression) > _LONGEST:
        raise _invalid(expression, what, f"it is not a string of up to {_LONGEST} characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _invalid(expression, what, getattr(error, "msg", None) or str(error)) from error
    for node in ast.walk(tree):
        _check(node, expression, what)
    try:
        measured(tree.body)
    except ValueError as error:
        raise _invalid(expression, what, str(error)) from error
    names = _names(tree)
    if len(names) > _MOST_NAMES:
        raise _invalid(expression, what, f"it has {len(names)} variables; accepted: up to {_MOST_NAMES}")
    return names


def _names(tree: ast.Expression) -> tuple[str, ...]:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    return tuple(dict.fromkeys(node.id for node in sorted(names, key=lambda node: (node.lineno, node.col_offset))))


def _check(node: ast.AST, expression: str, what: str) -> None:
    if not isinstance(node, _NODES):
        raise _invalid(expression, what, f"{type(node).__name__} is not supported")
    if isinstance(node, ast.Constant) and type(node.value) not in {int, float, bool}:
        raise _invalid(expression, what, f"{node.value!r} is not a number")
    if isinstance(node, ast.Compare) and len(node.ops) > 1:
        raise _invalid(expression, what, "comparisons cannot be chained; combine them with '&'")
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in FUNCTIONS or node.keywords:
            raise _invalid(expression, what, f"{name!r} is not a supported function; {accepted(name, FUNCTIONS)}")
        if len(node.args) != FUNCTIONS[name]:
            raise _invalid(expression, what, f"{name} has {FUNCTIONS[name]} arguments, not {len(node.args)}")


def without_traps(expression: str) -> str:
    """Return a validated expression, rewritten so that no remainder in it ends the process.

    If the divisor is -1, an integer dividend is replaced by 0: the remainder of every integer by -1 is 0.

    Examples
    --------
    >>> without_traps("n % 360 + n % m")
    'n % 360 + where((m == -1) & (n % 1 == 0), 0, n) % m'
    """
    if "%" not in expression:
        return expression.strip()
    return ast.unparse(_Untrapped().visit(ast.parse(expression.strip(), mode="eval")))


class _Untrapped(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        by = measured(node.right)
        is_trap = isinstance(node.op, ast.Mod) and may_trap(measured(node.left), by)
        self.generic_visit(node)
        if not is_trap:
            return node
        dividend, divisor = ast.unparse(node.left), ast.unparse(node.right)
        is_minus_one = "" if by.is_literal else f"(({divisor}) == -1) & "
        text = f"where({is_minus_one}(({dividend}) % 1 == 0), 0, {dividend}) % ({divisor})"
        return ast.parse(text, mode="eval").body


def _invalid(expression: object, what: str, why: str) -> PluginConfigurationError:
    message = (
        f"the expression {expression!r} of {what!r} is invalid: {why}; accepted: numbers, names of variables, the operators "
        f"+ - * / ** % & | ^ ~ << >>, comparisons, and functions such as sqrt and where"
    )
    return PluginConfigurationError(message)
