"""Expressions read before they are evaluated: a list of what may stand in one, and the names that it reads."""

import ast
from typing import Final

from zcollection.plugin import PluginConfigurationError, accepted

FUNCTIONS: Final = (
    *(
        "where",
        "sin",
        "cos",
        "tan",
        "arcsin",
        "arccos",
        "arctan",
        "arctan2",
        "sinh",
        "cosh",
        "tanh",
        "arcsinh",
        "arccosh",
    ),
    *(
        "arctanh",
        "log",
        "log10",
        "log1p",
        "exp",
        "expm1",
        "sqrt",
        "abs",
        "floor",
        "ceil",
        "fmod",
        "real",
        "imag",
        "conj",
    ),
)
"""Functions of numexpr that work element by element."""

_LONGEST: Final = 2000
_NODES: Final = (
    *(ast.Expression, ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.Mod, ast.USub, ast.UAdd, ast.Invert),
    *(ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift),
    *(ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE),
)


def names_in(expression: object, *, what: str) -> tuple[str, ...]:
    """Return the names that an expression reads, in the order in which they first occur.

    Parameters
    ----------
    expression
        The text.
    what
        What it computes, for the message.

    Raises
    ------
    PluginConfigurationError
        It is no expression, or has something in it that an expression may not have.
    """
    if not isinstance(expression, str) or len(expression) > _LONGEST:
        raise _refused(expression, what, f"it is no text of up to {_LONGEST} characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _refused(expression, what, getattr(error, "msg", None) or str(error)) from error
    for node in ast.walk(tree):
        _check(node, expression, what)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    return tuple(dict.fromkeys(node.id for node in sorted(names, key=lambda node: (node.lineno, node.col_offset))))


def _check(node: ast.AST, expression: str, what: str) -> None:
    if not isinstance(node, _NODES):
        raise _refused(expression, what, f"it has a {type(node).__name__} in it")
    if isinstance(node, ast.Constant) and type(node.value) not in {int, float, bool}:
        raise _refused(expression, what, f"{node.value!r} is no number")
    if isinstance(node, ast.Compare) and len(node.ops) > 1:
        raise _refused(expression, what, "a comparison has two sides; join several with '&'")
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in FUNCTIONS or node.keywords:
            raise _refused(expression, what, f"{name!r} is no function here; {accepted(name, FUNCTIONS)}")


def _refused(expression: object, what: str, why: str) -> PluginConfigurationError:
    message = (
        f"the expression {expression!r} of {what!r} is refused: {why}; accepted: numbers, names of variables, the operators "
        f"+ - * / ** % & | ^ ~ << >>, comparisons, and functions such as sqrt and where"
    )
    return PluginConfigurationError(message)
