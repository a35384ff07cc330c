"""Prepares datasets to insert: checks them against the schema of the collection, and converts them to it."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from attrs import evolve, frozen

from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.write.conform import as_source, check_choice, check_conventions
from zcollection.engine.write import validate_codecs
from zcollection.errors import SchemaError, accepted
from zcollection.model.conventions import Conventions
from zcollection.model.dataset import Dataset
from zcollection.model.dtypes import in_words, missing_value
from zcollection.model.inputs import InputDataset, InputVariable, schema_of_array
from zcollection.model.names import ancestors, normalise_path, split
from zcollection.model.schema import DatasetSchema, Dimension, VariableSchema

Unknown = Literal["raise", "drop", "add"]
Missing = Literal["raise", "fill"]


@frozen(kw_only=True)
class InsertOptions:
    """How a dataset to insert is checked and completed; see `Collection.insert`.

    Attributes
    ----------
    columns
        Values of variables that are not in the dataset: one for all rows, or one per row.
    unknown
        What to do with variables that the collection does not have.
    missing
        What to do about variables of the collection that the dataset lacks.
    conventions
        What to do with attributes that describe the values.
    """

    columns: Mapping[str, Any] | None = None
    unknown: Unknown = "raise"
    missing: Missing = "raise"
    conventions: Conventions = "check"

    def __attrs_post_init__(self) -> None:
        check_choice("unknown", self.unknown, ("raise", "drop", "add"))
        check_choice("missing", self.missing, ("raise", "fill"))
        check_conventions(self.conventions)


@frozen(kw_only=True)
class PreparedDataset:
    """A dataset to insert, converted to the schema of the collection.

    Attributes
    ----------
    opened
        The collection, with the variables that the insert adds to it.
    dataset
        The dataset.
    ignored
        For each ignored attribute, how often it differs from that of the collection.
    added
        Paths of the variables that are new to the collection.
    """

    opened: OpenCollection
    dataset: Dataset
    ignored: Mapping[str, int]
    added: tuple[str, ...]


def prepare(given: object, opened: OpenCollection, options: InsertOptions) -> PreparedDataset:
    """Return a dataset to insert, converted to the schema of the collection.

    Raises
    ------
    SchemaError
        The dataset does not fit the schema, or lacks a variable.
    """
    if isinstance(given, Dataset) and given.schema is opened.schema and not options.columns:
        _check_complete(given, opened, options.missing)
        return PreparedDataset(opened=opened, dataset=given, ignored={}, added=())
    source = as_source(given)
    unknown = [path for path in source.variables if path not in opened.schema.all_variables()]
    if unknown and options.unknown == "raise":
        _refuse_unknown(unknown, opened)
    target = _with_variables(opened, source, unknown) if unknown and options.unknown == "add" else opened
    known = {path: item for path, item in source.variables.items() if path in target.schema.all_variables()}
    arrays, ignored = evolve(source, variables=known).conformed(target.schema, options.conventions)
    dataset = Dataset(target.schema, {**arrays, **_columns(options.columns or {}, arrays, target)})
    _check_complete(dataset, target, options.missing)
    return PreparedDataset(
        opened=target, dataset=dataset, ignored=ignored, added=tuple(unknown) if target is not opened else ()
    )


def _refuse_unknown(unknown: list[str], opened: OpenCollection) -> None:
    message = (
        f"variable {unknown[0]!r} is unknown; {accepted(unknown[0], opened.schema.all_variables())}; pass unknown='drop' to leave "
        f"it out, or unknown='add' to add it to the collection"
    )
    raise SchemaError(message)


def _with_variables(opened: OpenCollection, source: InputDataset, unknown: Iterable[str]) -> OpenCollection:
    """Return the collection with new variables and their dimensions."""
    schema = opened.schema
    variables = {path: _declared(path, source.variables[path], opened) for path in unknown}
    dimensions = {
        (group, name): Dimension(name, size=source.lengths[group, name])
        for path, variable in variables.items()
        for name in variable.dimensions
        for group in ancestors(split(path)[0])
        if (group, name) in source.lengths and not _is_seen(schema, path, name)
    }
    target = opened.with_schema(schema.with_variables(variables, dimensions=dimensions))
    validate_codecs(target.schema.select(variables), dimension=opened.dimension)
    return target


def _is_seen(schema: DatasetSchema, path: str, dimension: str) -> bool:
    """Return whether a dimension is declared in the group of a variable, which may be new, or in a parent of that group."""
    groups = schema.all_groups()
    return any(dimension in groups[above].dimensions for above in ancestors(split(path)[0]) if above in groups)


def _declared(path: str, variable: InputVariable, opened: OpenCollection) -> VariableSchema:
    """Return the schema of a new variable, with a fill value for existing rows."""
    name = split(path)[1]
    if variable.declare is not None:
        declared = variable.declare()
    elif np.ndim(variable.values) == 1:
        declared = schema_of_array(name, variable.values, (opened.dimension,))
    else:
        message = (
            f"variable {path!r} is unknown, and an array with {np.ndim(variable.values)} dimensions has no dimension names; pass it as an "
            f"xarray.Variable, or call add_variable() first"
        )
        raise SchemaError(message)
    if declared.fill_value is not None or opened.dimension not in declared.dimensions:
        return declared
    fill = missing_value(declared.dtype) if declared.packing is None else None
    if fill is None:
        message = (
            f"variable {path!r} is unknown, and has no fill value for existing rows; call add_variable() with a fill value, or with "
            f"a function that computes it"
        )
        raise SchemaError(message)
    _check_unused(path, variable, fill)
    return evolve(declared, fill_value=fill)


def _check_unused(path: str, variable: InputVariable, fill: Any) -> None:
    if np.any(np.asarray(variable.values) == fill):
        message = (
            f"variable {path!r} is unknown, states no fill value, and has {in_words(fill)} as a value, which would be its fill value; "
            f"call add_variable() with another fill value first"
        )
        raise SchemaError(message)


def _columns(columns: Mapping[str, Any], arrays: Mapping[str, Any], opened: OpenCollection) -> dict[str, Any]:
    """Return the values of `columns`, one per row."""
    if not columns:
        return {}
    schema, dimension = opened.schema, opened.dimension
    lengths = [
        values.shape[variable.dimensions.index(dimension)]
        for path, values in arrays.items()
        if dimension in (variable := schema.get_variable(path)).dimensions and hasattr(values, "shape")
    ]
    if not lengths:
        message = f"columns= gives a value for each row, and the dataset has no variable along {dimension!r}; add one"
        raise SchemaError(message)
    return {
        normalise_path(name): _column(normalise_path(name), value, arrays, opened, lengths[0])
        for name, value in columns.items()
    }


def _column(name: str, value: Any, arrays: Mapping[str, Any], opened: OpenCollection, rows: int) -> Any:
    declared = opened.schema.get_variable(name)
    if name in arrays or declared.dimensions != (opened.dimension,):
        what = "is in the dataset too" if name in arrays else f"has the dimensions {declared.dimensions}"
        message = f"columns= names {name!r}, which {what}; accepted: a variable whose only dimension is {opened.dimension!r}, in one place"
        raise SchemaError(message)
    if np.ndim(value) == 0:
        return np.full(rows, value)
    if np.shape(value) != (rows,):
        message = f"columns= gives {name!r} the shape {np.shape(value)}; accepted: one value, or one for each of the {rows} rows"
        raise SchemaError(message)
    return value


def _check_complete(dataset: Dataset, opened: OpenCollection, missing: Missing) -> None:
    """Check that a dataset has the required variables."""
    given = dataset.all_variables()
    needed = {normalise_path(name): "the partitioning needs it" for name in opened.partitioning.variables}
    if opened.axis_variable is not None:
        needed[opened.axis_variable] = "it is the axis"
    for path, declared in opened.configuration.rows_schema.all_variables().items():
        if path in given:
            continue
        if path in needed:
            message = f"variable {path!r} is missing from the dataset, and {needed[path]}"
            raise SchemaError(message)
        if declared.fill_value is None:
            message = (
                f"variable {path!r} is missing from the dataset and has no fill value; add it to the dataset, or declare "
                f"a fill value in the schema"
            )
            raise SchemaError(message)
        if missing == "raise":
            message = (
                f"variable {path!r} is missing from the dataset; add it, or pass missing='fill' to fill it with "
                f"{in_words(declared.fill_value)}"
            )
            raise SchemaError(message)
