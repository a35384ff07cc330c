"""An expression evaluated by numexpr, which compiles it for a machine of its own: it never reaches Python."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.plugin import SchemaError
from zcollection_view_expression.parsing import without_traps


def evaluate(expression: str, values: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Return the value of an expression, which has been checked by `names_in`.

    Parameters
    ----------
    expression
        The text.
    values
        Arrays that broadcast against each other, by name.

    Raises
    ------
    SchemaError
        The types of the variables do not allow it.
    """
    import numexpr  # loads slowly

    if any(array.size == 0 for array in values.values()):
        # numexpr does not broadcast to nothing; the type of the result is that for one element.
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
