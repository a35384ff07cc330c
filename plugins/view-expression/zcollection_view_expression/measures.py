"""Limits on expressions before they are evaluated: the values of constant parts, and the number of compiled operations.

Python computes constant parts exactly: ``9**9**9`` would exhaust time and memory. numexpr expands powers to products,
``v**4`` to products of ``v``, and nested powers repeatedly.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from attrs import frozen

DEEPEST: Final = 100
"""Maximum depth of nesting of an expression."""

LARGEST: Final = 500
"""Maximum number of operations and operands to which numexpr may compile an expression."""

_BITS: Final = 64
_EXPANDED: Final = 50  # numexpr expands powers up to this one to products


@frozen
class Measure:
    """The size of an expression or a part of it, and its value if it is constant.

    Attributes
    ----------
    size
        Upper limit of the number of operations and operands to which numexpr compiles it.
    value
        Its value if it is constant, else None.
    """

    size: int
    value: int | float | None

    @property
    def is_literal(self) -> bool:
        """Whether Python evaluates it to one number before numexpr compiles the expression."""
        return self.value is not None and self.size == 1


def measured(node: ast.expr, depth: int = DEEPEST) -> Measure:
    """Return the measure of a part of an expression; no number of more than 64 bits is computed.

    Parameters
    ----------
    node
        A tree of numbers, names, operators, comparisons of two sides, and functions of numexpr.
    depth
        Maximum depth of the tree.

    Raises
    ------
    ValueError
        The expression is too deep or too large, or a constant part is not a finite number of at most 64 bits.
    """
    if not depth:
        message = f"it is nested more than {DEEPEST} deep"
        raise ValueError(message)
    operands = [measured(operand, depth - 1) for operand in _operands(node)]
    value = _value(node, operands)
    is_literal = not isinstance(node, ast.Name | ast.Call) and all(part.is_literal for part in operands)
    size = 1 if is_literal else _size(node, operands)
    if size > LARGEST:
        message = (
            f"it compiles to more than {LARGEST} operations and operands, with powers expanded to products; split it"
        )
        raise ValueError(message)
    return Measure(size, value)


def may_trap(dividend: Measure, divisor: Measure) -> bool:
    """Return whether a remainder may divide the smallest integer by -1, which ends the process with a processor trap.

    Only literals have a known value: numexpr computes with 32 bits if it can, in which 2**32 - 1 may become -1.
    """
    return not divisor.is_literal or (divisor.value == -1 and not dividend.is_literal)


def _operands(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.BinOp(left=left, right=right) | ast.Compare(left=left, comparators=[right]):
            return [left, right]
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.Call(args=arguments):
            return arguments
    return []


def _size(node: ast.expr, operands: list[Measure]) -> int:
    total = 1 + sum(part.size for part in operands)
    match node:
        case ast.BinOp(op=ast.Pow()) if copies := _copies(operands[1]):
            return copies * (operands[0].size + 1) + 2
        case ast.BinOp(op=ast.Mod()) if may_trap(*operands):
            return 2 * total + 8  # as rewritten by `without_traps`
    return total


def _copies(power: Measure) -> int:
    """Return how many copies of the base a power is expanded to; 0 if numexpr does not expand it.

    The result of a function may have another value in numexpr, which uses the types of NumPy.
    """
    if power.value is None or (power.is_literal and abs(power.value) > _EXPANDED):
        return 0
    return max(1, math.ceil(abs(power.value))) if power.is_literal else _EXPANDED + 1


def _value(node: ast.expr, operands: list[Measure]) -> Any:
    values = [part.value for part in operands]
    try:
        match node:
            case ast.Constant(value=value):
                return _bounded(value)
            case ast.Call(func=ast.Name(id="where")):
                return _chosen(values[0])
            case _ if not values or None in values:
                return None
            case ast.Call(func=ast.Name(id=name)):
                return _bounded(_function_value(name, values))
            case ast.Compare(ops=[operation]) | ast.BinOp(op=operation) | ast.UnaryOp(op=operation):
                return _bounded(_OPERATIONS[type(operation)](*values))
    except (ArithmeticError, TypeError, ValueError) as error:
        message = f"the constant {ast.unparse(node)} has no value ({error})"
        raise ValueError(message) from error
    return None


def _chosen(condition: object) -> None:
    """Check that the condition of ``where`` is not constant: numexpr would replace the call by one of its branches."""
    if condition is not None:
        message = "its condition is constant; write the chosen branch instead"
        raise ValueError(message)


def _bounded(value: object) -> object:
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        message = "it is not a finite real number"
        raise ArithmeticError(message)
    if isinstance(value, int) and value.bit_length() > _BITS:
        raise _too_large()
    return value


def _too_large() -> ArithmeticError:
    return ArithmeticError(f"it is an integer of more than {_BITS} bits")


def _function_value(name: str, values: list[Any]) -> object:
    with np.errstate(all="ignore"):
        return np.asarray(getattr(np, name)(*values)).item()


def _power(base: float, exponent: float) -> Any:
    if isinstance(base, int) and abs(base) > 1 and isinstance(exponent, int) and exponent > _BITS:
        raise _too_large()
    return base**exponent


def _left(value: int, places: int) -> int:
    if places > _BITS:
        raise _too_large()
    return value << places


_OPERATIONS: Final[Mapping[type[ast.AST], Callable[..., Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
    ast.LShift: _left,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: lambda value: value ^ -1,  # `~` of a boolean emits a warning
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
