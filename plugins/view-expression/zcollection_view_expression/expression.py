"""The computation of variables from expressions, which are strings."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from attrs import Converter, field, frozen
from numpy.typing import NDArray

from zcollection.plugin import (
    Computation,
    Dataset,
    DatasetSchema,
    PluginConfigurationError,
    SchemaError,
    VariableSchema,
    accepted,
)
from zcollection_view_expression.alignment import aligned, joined, missing, widest
from zcollection_view_expression.evaluation import evaluate
from zcollection_view_expression.parsing import names_in


def _as_expressions(value: object) -> Any:
    if not isinstance(value, dict) or not value or not all(isinstance(path, str) and path for path in value):
        message = f"expressions is {value!r}; accepted: a dictionary such as {{'sla': 'ssh - mss'}}"
        raise PluginConfigurationError(message)
    return {path.removeprefix("/"): text for path, text in value.items()}


def _of_each(dtype: object, self_: "Expression") -> Any:
    """Return the type of each output; a single type applies to all outputs."""
    return dtype if isinstance(dtype, dict) else dict.fromkeys(self_.expressions, dtype)


@frozen(kw_only=True)
class Expression(Computation):
    """Compute variables from expressions over the variables of the base, with numexpr; Python code is never executed.

    If a variable in an expression is missing (NaN or its fill value), the result is missing too, and so is a floating-point
    result that is NaN. Numbers are computed in 64 bits. Variables are aligned by the names of their dimensions.

    Parameters
    ----------
    expressions
        By path of the output: numbers, names, ``+ - * / ** %``, comparisons, ``& | ^ ~``, and functions such as ``sqrt``,
        ``sin``, ``exp``, ``abs`` and ``where(condition, then, otherwise)``. Limits: 2,000 characters, a nesting
        depth of 100, and 500 operations and operands, where powers up to 50 count as repeated products. Constant parts
        must be finite, and integers in them have at most 64 bits.
    dtype
        Type of all outputs, or of each output by path. Results are rounded to the nearest integer for an integer type.
    attrs
        Attributes of each output, by path.
    variables
        Path of the variable that each name in the expressions refers to; all other names refer to variables of the root.
    fill_value
        Fill value of each output, by path. The default is NaN, the smallest number for signed integers, and the largest for
        unsigned ones.

    Raises
    ------
    PluginConfigurationError
        An expression contains other syntax, or another parameter names an unknown output.

    Examples
    --------
    >>> Expression({"sla": "ssh - mss"}, attrs={"sla": {"units": "m"}}).inputs
    ('ssh', 'mss')
    >>> Expression({"speed": "sqrt(u**2 + v**2)"}, variables={"u": "current/u", "v": "current/v"}).inputs
    ('current/u', 'current/v')
    """

    expressions: dict[str, str] = field(kw_only=False, converter=_as_expressions)
    dtype: dict[str, str] = field(default="float64", converter=Converter(_of_each, takes_self=True))  # type: ignore[arg-type, misc, call-overload]  # not known to mypy
    attrs: dict[str, dict[str, Any]] = field(factory=dict)
    variables: dict[str, str] = field(factory=dict)
    fill_value: dict[str, int | float] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        names = {name for path in self.expressions for name in self._names[path]}
        for setting, known in (
            ("dtype", self.expressions),
            ("attrs", self.expressions),
            ("fill_value", self.expressions),
        ):
            _check_keys(setting, getattr(self, setting), known)
        _check_keys("variables", self.variables, names)
        for path, dtype in self.dtype.items():
            _check_dtype(path, dtype)

    def __hash__(self) -> int:
        return hash(tuple(self.expressions.items()))

    @cached_property
    def _names(self) -> dict[str, tuple[str, ...]]:
        return {path: names_in(text, what=path) for path, text in self.expressions.items()}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Paths of the variables that `compute` reads."""
        names = [self._path(name) for path in self.expressions for name in self._names[path]]
        return tuple(dict.fromkeys(names))

    def _path(self, name: str) -> str:
        return self.variables.get(name, name).removeprefix("/")

    def outputs(self, schema: DatasetSchema) -> Mapping[str, VariableSchema]:
        """Return the schemas of the outputs; each has the dimensions of all variables in its expression.

        Raises
        ------
        SchemaError
            A variable is missing, or does not contain numbers.
        """
        return {path: self._declared(path, schema) for path in self.expressions}

    def _declared(self, path: str, schema: DatasetSchema) -> VariableSchema:
        read = [schema.get_variable(self._path(name)) for name in self._names[path]]
        for variable in read:
            if variable.dtype.kind not in "biufc":
                message = (
                    f"the expression {self.expressions[path]!r} of {path!r} reads {variable.name!r}, which is {variable.dtype}; "
                    f"accepted: numbers"
                )
                raise SchemaError(message)
        dtype = np.dtype(self.dtype[path])
        return VariableSchema(
            path.rpartition("/")[2],
            dtype=dtype,
            dimensions=joined(variable.dimensions for variable in read),
            fill_value=self.fill_value.get(path, _default_fill(dtype)),
            attrs=self.attrs.get(path),
        )

    def compute(self, rows: Dataset) -> Mapping[str, NDArray[Any]]:
        """Return the values of the outputs."""
        declared = self.outputs(rows.schema)
        return {path: self._evaluated(path, rows, declared[path]) for path in self.expressions}

    def _evaluated(self, path: str, rows: Dataset, declared: VariableSchema) -> NDArray[Any]:
        read = {name: rows.get_variable(f"/{self._path(name)}") for name in self._names[path]}
        wanted = declared.dimensions
        values = {name: aligned(widest(item.to_numpy()), item.dimensions, wanted) for name, item in read.items()}
        absent = [aligned(missing(item), item.dimensions, wanted) for item in read.values()]
        shape = np.broadcast_shapes(*(array.shape for array in values.values()))
        result = np.broadcast_to(evaluate(self.expressions[path], values), shape)
        lost = np.logical_or.reduce([np.broadcast_to(part, shape) for part in absent]) | np.not_equal(result, result)
        return _converted(result, lost, declared)


def _check_keys(setting: str, value: object, known: Iterable[str]) -> None:
    if not isinstance(value, dict):
        message = f"{setting} is {value!r}; accepted: a dictionary"
        raise PluginConfigurationError(message)
    for key in value:
        if key not in known:
            message = f"{setting} has the key {key!r}; {accepted(key, sorted(known))}"
            raise PluginConfigurationError(message)


def _check_dtype(path: str, dtype: object) -> None:
    try:
        kind = np.dtype(dtype).kind if isinstance(dtype, str) else "O"
    except TypeError:
        kind = "O"
    if kind not in "iufc":
        message = f"dtype of {path!r} is {dtype!r}; accepted: the name of a numeric type, such as 'float32'"
        raise PluginConfigurationError(message)


def _default_fill(dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "fc":
        return np.nan
    limits = np.iinfo(dtype)
    return limits.max if dtype.kind == "u" else limits.min


def _converted(result: NDArray[Any], lost: NDArray[np.bool_], declared: VariableSchema) -> NDArray[Any]:
    """Return the values in the declared type, with the fill value where `lost` is true.

    Raises
    ------
    SchemaError
        A value is out of the range of an integer type, or is complex and the declared type is not.
    """
    present = np.where(lost, np.zeros((), result.dtype), result)
    whole = np.rint(present) if declared.dtype.kind in "iu" and present.dtype.kind == "f" else present
    if declared.dtype.kind in "iu" and whole.size and whole.dtype.kind != "b":
        limits = np.iinfo(declared.dtype)
        if whole.dtype.kind == "c" or whole.min() < limits.min or whole.max() > limits.max:
            message = f"a value of {declared.name!r} is out of the range of {declared.dtype}; declare another dtype"
            raise SchemaError(message)
    if declared.dtype.kind == "f" and whole.dtype.kind == "c":
        message = f"the values of {declared.name!r} are complex, and it is {declared.dtype}; declare complex128, or use real(…)"
        raise SchemaError(message)
    with np.errstate(over="ignore"):  # values out of the range of float32 become infinite
        values = whole.astype(declared.dtype)
    values[lost] = declared.fill_value
    return values
