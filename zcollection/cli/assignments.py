"""Assignments such as ``ssh = ssh - 0.02``, evaluated by the language of conditions, never by Python."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.cli.columns import path_of
from zcollection.cli.parsing import values_of
from zcollection.conditions.binding import Binder
from zcollection.conditions.operands import KINDS, Column, Constant, Missing, Operand, Rows, ValueKind
from zcollection.conditions.syntax import Language, Name, Parsed, names_in, parse
from zcollection.errors import ExpressionError, SchemaError
from zcollection.model.dataset import Dataset
from zcollection.model.dtypes import dtype_name
from zcollection.model.names import split
from zcollection.model.schema import DatasetSchema, VariableSchema

VALUE: Final = Language(
    noun="value",
    functions=frozenset({"abs"}),
    accepted=(
        "variables, numbers, strings, True and False, + - * / // % and abs(); the path of a nested variable in backticks"
    ),
    otherwise="compute it with Collection.update()",
)
"""The language of the right-hand side of an assignment."""


@frozen(kw_only=True, eq=False)
class Assignment:
    """A variable, and the expression for its new values.

    Attributes
    ----------
    text
        The assignment as the user wrote it.
    target, declared
        The path and the schema of the variable.
    operand
        The expression; None if the value is a quoted string, which is converted to the type of the variable.
    constant
        The converted value of the quoted string; None if there is an expression.
    read
        Paths of the variables in the expression.
    """

    text: str
    target: str
    declared: VariableSchema
    operand: Operand | None
    constant: Any = None
    read: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, schema: DatasetSchema) -> "Assignment":
        """Parse an assignment.

        Raises
        ------
        ExpressionError, SchemaError
            The text is not an assignment, names an unknown variable, or its values have a type that the variable cannot store.
        """
        left, separator, right = text.partition("=")
        if not separator or not left.strip() or not right.strip() or right.startswith("="):
            message = f"--set {text!r} is not an assignment; accepted: NAME = VALUE, such as 'ssh = ssh - 0.02'"
            raise ExpressionError(message)
        target = path_of(left.strip().strip("`"), schema)
        declared = schema.get_variable(target)
        words = tuple(sorted({split(path)[1] for path in schema.all_variables()}))
        parsed = parse(right.strip(), VALUE, words)
        columns = {node.name: _column(parsed, node, target, schema) for node in names_in(parsed.root)}
        operand = Binder(parsed, columns, {}).operand(parsed.root)
        constant = _constant(parsed, operand, target, declared)
        if constant is None:
            _check_kind(parsed, operand, declared, target)
        return cls(
            text=text,
            target=target,
            declared=declared,
            operand=operand if constant is None else None,
            constant=constant,
            read=tuple(dict.fromkeys(column.path for column in columns.values())),
        )

    def computed(self, dataset: Dataset) -> NDArray[Any]:
        """Return the new values of the variable, of its type and shape.

        Raises
        ------
        SchemaError
            The variable cannot store one of the values.
        """
        shape = dataset.get_variable(f"/{self.target}").shape
        if self.operand is None:
            return np.full(shape, self.constant, dtype=self.declared.dtype)
        columns = {path: _aligned(dataset, path, self.declared.dimensions) for path in self.read}
        with np.errstate(all="ignore"):
            found = self.operand.values(Rows(columns))
        values = np.broadcast_to(found.data, shape)
        missing = None if found.missing is None else np.broadcast_to(found.missing, shape)
        return self._converted(values, missing)

    def _converted(self, values: NDArray[Any], missing: Missing) -> NDArray[Any]:
        dtype, fill = self.declared.dtype, self.declared.fill_value
        if missing is not None and missing.any() and fill is None and dtype.kind not in "fmM":
            message = (
                f"{self.text!r} has missing values, and {self.target!r} has no fill value; exclude them with --where"
            )
            raise SchemaError(message)
        converted = np.zeros(values.shape, dtype)
        present = np.ones(values.shape, np.bool_) if missing is None else ~missing
        converted[present] = self._cast(values[present])
        if missing is not None:
            converted[missing] = (np.nan if dtype.kind == "f" else "NaT") if fill is None else fill
        return converted

    def _cast(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values in the type of the variable; only conversion to floats may round."""
        dtype = self.declared.dtype
        if dtype.kind in "mM":
            return values.astype(np.int64).view(dtype)
        if dtype.kind in "TUS":
            return self._cast_strings(values)
        with np.errstate(all="ignore"):
            cast: NDArray[Any] = (
                values.astype(np.float64).astype(dtype) if dtype.kind == "f" else _as_integers(values, dtype)
            )
        wrong = np.isinf(cast) & np.array(np.abs(values) < np.inf, np.bool_) if dtype.kind == "f" else cast != values
        if wrong.any():
            first = values[wrong].flat[0]
            message = f"{self.text!r} gives {first}, which {self.target!r} ({dtype_name(dtype)}) cannot store"
            raise SchemaError(message)
        return cast

    def _cast_strings(self, values: NDArray[Any]) -> NDArray[Any]:
        cast: NDArray[Any] = values.astype(self.declared.dtype)
        cut = cast.astype(values.dtype) != values
        if cut.any():
            message = f"{self.text!r} gives {values[cut].flat[0]!r}, which {self.target!r} ({dtype_name(cast.dtype)}) cannot store"
            raise SchemaError(message)
        return cast


@frozen
class Assignments:
    """Several assignments, all computed from the old values; a callable for `Collection.update`."""

    parts: tuple[Assignment, ...]

    @classmethod
    def of(cls, texts: Iterable[str], schema: DatasetSchema) -> "Assignments":
        """Parse assignments; raises as `Assignment.of`, and if a variable is assigned twice."""
        found = cls(tuple(Assignment.of(text, schema) for text in texts))
        twice = next((name for name in found.targets if found.targets.count(name) > 1), None)
        if twice is not None:
            message = f"--set assigns {twice!r} twice; accepted: once"
            raise ExpressionError(message)
        return found

    @property
    def targets(self) -> list[str]:
        """Paths of the variables that are assigned."""
        return [part.target for part in self.parts]

    @property
    def variables(self) -> list[str]:
        """Paths of the variables that are read or assigned."""
        return list(dict.fromkeys(name for part in self.parts for name in (part.target, *part.read)))

    def __call__(self, dataset: Dataset) -> Mapping[str, NDArray[Any]]:
        """Return the new values for the rows of a partition."""
        return {part.target: part.computed(dataset) for part in self.parts}


def _as_integers(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers as integers; a number that the type cannot store becomes a different one, which the caller detects."""
    if dtype.kind == "b":
        return np.asarray(values.astype(np.bool_))
    limits: Any = np.iinfo(dtype)
    fits = (values >= limits.min) & (values <= limits.max)
    # Values out of range are replaced by 0: casting them is undefined, and 2**63 as a float64 would wrap.
    return np.asarray(np.where(fits.astype(np.bool_), values, 0).astype(dtype))


def _column(parsed: Parsed, node: Name, target: str, schema: DatasetSchema) -> Column:
    try:
        path = path_of(node.name, schema)
    except SchemaError as error:
        raise parsed.error(node, f"cannot be used: {error}") from error
    dimensions, own = schema.dimension_paths[path], schema.dimension_paths[target]
    if not set(dimensions) <= set(own):
        why = f"has the dimensions {dimensions}; accepted: variables along dimensions of {target!r}, which are {own}"
        raise parsed.error(node, why)
    if schema.get_variable(path).dtype.kind == "c":
        raise parsed.error(node, "is complex; accepted: variables of other types; compute it with Collection.update()")
    return Column(path, schema.get_variable(path))


def _constant(parsed: Parsed, operand: Operand, target: str, declared: VariableSchema) -> Any:
    """Return the value of a quoted string, converted to the variable's type; None for any other expression."""
    if not isinstance(operand, Constant) or operand.kind is not ValueKind.STRING:
        return None
    found = values_of([str(operand.data[0])], declared, name=f"{parsed.text} of {target!r}")
    if np.ma.is_masked(found):
        raise parsed.error(parsed.root, f"is empty; accepted: a value of {dtype_name(declared.dtype)}")
    from zcollection.model.variable import convert

    return convert(found, declared, name=target)[0]


def _check_kind(parsed: Parsed, operand: Operand, declared: VariableSchema, target: str) -> None:
    """Check that an expression has values of the same kind as the variable."""
    expected = KINDS.get(declared.dtype.kind)
    is_flag = {expected, operand.kind} == {ValueKind.NUMBER, ValueKind.BOOLEAN}
    other_unit = (
        isinstance(operand, Column)
        and operand.kind in {ValueKind.TIME, ValueKind.DURATION}
        and (operand.variable.dtype != declared.dtype)
    )
    if (expected is not operand.kind and not is_flag) or other_unit:
        why = f"is {operand.kind.value}, and {target!r} is {dtype_name(declared.dtype)}; accepted: values of that type"
        raise parsed.error(parsed.root, why)


def _aligned(dataset: Dataset, path: str, dimensions: tuple[str, ...]) -> NDArray[Any]:
    """Return the values of a variable with given dimensions, of length 1 along those that the variable lacks."""
    variable = dataset.get_variable(f"/{path}")
    own = variable.dimensions
    transposed = np.transpose(variable.to_numpy(), [own.index(name) for name in dimensions if name in own])
    lengths = iter(transposed.shape)
    return transposed.reshape([next(lengths) if name in own else 1 for name in dimensions])
