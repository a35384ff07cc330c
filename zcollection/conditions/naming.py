"""Resolution of names in conditions: variables with one value for each row, and fields of the partition key."""

from collections import Counter
from collections.abc import Mapping, Sequence

from attrs import frozen

from zcollection.errors import ExpressionError, accepted
from zcollection.model.declared import VariableSchema
from zcollection.model.dtypes import dtype_name
from zcollection.model.names import normalise_path, split
from zcollection.model.schema import DatasetSchema


@frozen
class Scope:
    """The names that a condition on rows may use.

    Attributes
    ----------
    schema
        Schema of the collection.
    dimension
        The partitioned dimension, along which the rows are.
    fields
        Fields of the partition key.
    """

    schema: DatasetSchema
    dimension: str
    fields: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, VariableSchema]:
        """The variables with one value for each row, by path."""
        dimensions, variables = self.schema.dimension_paths, self.schema.all_variables()
        return {path: variable for path, variable in variables.items() if dimensions[path] == (self.dimension,)}

    def find(self, name: str) -> str | None:
        """Return the path of the variable that a name refers to, or None for a key field.

        Raises
        ------
        ExpressionError
            The name is unknown or ambiguous, or the variable does not have exactly one value for each row.
        """
        columns, path = self.columns, normalise_path(name)
        if path in columns:
            return path
        nested = [path for path in columns if split(path)[1] == name]
        if len(nested) == 1:
            return nested[0]
        if nested:
            choices = ", ".join(f"`{path}`" for path in nested)
            message = f"{name!r} may be one of several variables; accepted: a path in backticks, {choices}"
            raise ExpressionError(message)
        if name in self.fields:
            return None
        self._check_dimensions(path)
        message = f"{name!r} is unknown; {accepted(name, self._known(columns))}"
        raise ExpressionError(message)

    def column(self, name: str) -> str:
        """Return the path of the variable that a name refers to; key fields are not accepted.

        Raises
        ------
        ExpressionError
            As `find`.
        """
        found = Scope(self.schema, self.dimension).find(name)
        return name if found is None else found

    def check_comparable(self, path: str) -> VariableSchema:
        """Return the variable at `path`, if its values can be compared.

        Raises
        ------
        ExpressionError
            The values are complex.
        """
        variable = self.schema.get_variable(path)
        if variable.dtype.kind == "c":
            message = (
                f"variable {path!r} is {dtype_name(variable.dtype)}, and complex numbers have no order; accepted: variables of "
                f"other dtypes; compare its values in a function: zc.rows.function(fn, [{path!r}])"
            )
            raise ExpressionError(message)
        return variable

    def _check_dimensions(self, name: str) -> None:
        """Raise an error if the name is that of a variable with other dimensions."""
        found = [path for path in self.schema.all_variables() if name in {path, split(path)[1]}]
        if not found:
            return
        dimensions = ", ".join(self.schema.dimension_paths[found[0]]) or "none"
        message = (
            f"variable {found[0]!r} has the dimensions ({dimensions}); accepted: variables whose only dimension is "
            f"{self.dimension!r}; read the variable, and select its rows with a NumPy mask"
        )
        raise ExpressionError(message)

    def _known(self, columns: Mapping[str, VariableSchema]) -> Sequence[str]:
        """Return all accepted names, each in its shortest form."""
        last_names = Counter(split(path)[1] for path in columns)
        short = [path if last_names[name := split(path)[1]] > 1 else name for path in columns]
        return [*short, *(name for name in self.fields if name not in last_names)]
