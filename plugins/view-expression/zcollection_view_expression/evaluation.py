"""Evaluation of expressions by numexpr, which runs them on its own virtual machine and never as Python code."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.plugin import SchemaError
from zcollection_view_expression.parsing import without_traps


def evaluate(expression: str, values: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Return the values of an expression that `names_in` has accepted.

    Parameters
    ----------
    expression
        The expression.
    values
        Arrays that can be broadcast together, by name.

    Raises
    ------
    SchemaError
        numexpr does not support the expression for the types of the variables.
    """
    import numexpr  # loads slowly

    if any(array.size == 0 for array in values.values()):
        # numexpr does not broadcast empty arrays; the dtype of the result is that for one element.
        one = {name: np.ones((1,) * array.ndim, array.dtype) for name, array in values.items()}
        shape = np.broadcast_shapes(*(array.shape for array in values.values()))
        return np.empty(shape, evaluate(expression, one).dtype)
    try:
        result = numexpr.evaluate(
            without_traps(expression), local_dict=dict(values), global_dict={}, truediv=True, sanitize=True
        )
    except (TypeError, ValueError, NotImplementedError, KeyError, ArithmeticError, RuntimeError) as error:
        types = ", ".join(f"{name} {array.dtype}" for name, array in values.items())
        message = f"the expression {expression!r} cannot be evaluated for {types}: {error}; change it"
        raise SchemaError(message) from error
    return np.asarray(result)
