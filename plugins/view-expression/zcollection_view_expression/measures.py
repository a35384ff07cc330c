"""How much an expression is before it meets any data: the values of its constants, and the operations that it becomes.

Python computes what is made of numbers alone, to any size: ``9**9**9`` would take all time and memory that there is.
numexpr writes powers out, ``v**4`` as products of ``v``, and powers of powers again.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from attrs import frozen

DEEPEST: Final = 100
"""Levels of nesting that an expression may have."""

LARGEST: Final = 500
"""Operations and operands that numexpr may make of an expression."""

_BITS: Final = 64
_WRITTEN_OUT: Final = 50  # numexpr makes products of smaller powers


@frozen
class Measure:
    """What an expression, or a part of one, amounts to.

    Attributes
    ----------
    size
        Operations and operands that numexpr makes of it, at most.
    value
        Its value where it is constant, else None.
    """

    size: int
    value: int | float | None

    @property
    def is_literal(self) -> bool:
        """Whether Python makes one number of it before numexpr sees it."""
        return self.value is not None and self.size == 1


def measured(node: ast.expr, room: int = DEEPEST) -> Measure:
    """Return what a part of an expression amounts to; nothing is computed that is larger than a number of 64 bits.

    Parameters
    ----------
    node
        Numbers, names, operators, comparisons of two sides, and functions of numexpr.
    room
        Levels that it may have.

    Raises
    ------
    ValueError
        It is too deep or too large, or a constant in it is no number of 64 bits.
    """
    if not room:
        message = f"it is nested more than {DEEPEST} deep"
        raise ValueError(message)
    operands = [measured(operand, room - 1) for operand in _operands(node)]
    value = _value(node, operands)
    is_literal = not isinstance(node, ast.Name | ast.Call) and all(part.is_literal for part in operands)
    size = 1 if is_literal else _size(node, operands)
    if size > LARGEST:
        message = f"it becomes more than {LARGEST} operations and operands, powers written out; divide it into several"
        raise ValueError(message)
    return Measure(size, value)


def may_trap(dividend: Measure, divisor: Measure) -> bool:
    """Return whether a remainder may be that of the smallest integer by -1, for which processors stop a process.

    Only literals are what they seem: numexpr computes with 32 bits where it can, and 2**32 - 1 may come out as -1.
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
            return 2 * total + 8  # as `without_traps` writes it
    return total


def _copies(power: Measure) -> int:
    """Return how often numexpr writes out what is raised to a power; 0 where it does not.

    The value of a function, and all that is made of it, may be another in numexpr, which takes the types of NumPy.
    """
    if power.value is None or (power.is_literal and abs(power.value) > _WRITTEN_OUT):
        return 0
    return max(1, math.ceil(abs(power.value))) if power.is_literal else _WRITTEN_OUT + 1


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
    """Check that a variable decides what is chosen: numexpr would put a constant branch in the place of the whole."""
    if condition is not None:
        message = "it always chooses the same; write that in its place"
        raise ValueError(message)


def _bounded(value: object) -> object:
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        message = "it is no finite real number"
        raise ArithmeticError(message)
    if isinstance(value, int) and value.bit_length() > _BITS:
        raise _too_large()
    return value


def _too_large() -> ArithmeticError:
    return ArithmeticError(f"it is a whole number of more than {_BITS} bits")


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
    ast.Invert: lambda value: value ^ -1,  # `~` warns where it is given a boolean
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
