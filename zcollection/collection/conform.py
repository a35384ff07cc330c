"""What users give, made into a dataset of the collection's schema, or refused before anything is written."""

from collections.abc import Mapping
from typing import Any

from zcollection.collection.handle import Handle
from zcollection.errors import SchemaError, accepted
from zcollection.model import xarray_bridge
from zcollection.model.dataset import Dataset
from zcollection.model.names import normalise_path
from zcollection.model.schema import DatasetSchema
from zcollection.model.variable import Variable


def as_dataset(given: object, schema: DatasetSchema) -> Dataset:
    """Return a dataset of this schema, its values converted exactly.

    Parameters
    ----------
    given
        A Dataset, an `xarray.Dataset` or `xarray.DataTree`, or a mapping from variable paths to arrays.
    schema
        What it is to be.

    Raises
    ------
    SchemaError
        It is something else, or a variable is unknown or does not fit.
    """
    if xarray_bridge.is_xarray(given):
        return Dataset.from_xarray(given, schema)
    if isinstance(given, Dataset):
        if given.schema is schema:
            return given
        return Dataset(schema, {path: _fitting(path, item, schema) for path, item in given.all_variables().items()})
    if isinstance(given, Mapping):
        return Dataset(schema, given)
    message = (
        f"dataset is a {type(given).__name__}; "
        f"{accepted('', ['zcollection.Dataset', 'xarray.Dataset', 'xarray.DataTree', 'a mapping of arrays'])}"
    )
    raise SchemaError(message)


def _fitting(path: str, variable: Variable, schema: DatasetSchema) -> Any:
    declared = schema.get_variable(path)
    if variable.dimensions != declared.dimensions:
        message = (
            f"variable {path!r} has the dimensions {variable.dimensions}; accepted: {declared.dimensions}, as in the "
            f"collection's schema"
        )
        raise SchemaError(message)
    return variable.data


def check_complete(dataset: Dataset, handle: Handle) -> None:
    """Check that what is inserted has the variables that it must have.

    Raises
    ------
    SchemaError
        The axis, a variable of the partitioning, or one without a fill value is missing.
    """
    held = dataset.all_variables()
    needed = {normalise_path(name): "the partitioning needs it" for name in handle.partitioning.variables}
    if handle.axis_variable is not None:
        needed[handle.axis_variable] = "it is the axis"
    for path in handle.configuration.rows_schema.all_variables():
        if path in held:
            continue
        if path in needed:
            message = f"variable {path!r} is missing from the dataset, and {needed[path]}"
            raise SchemaError(message)
        if handle.schema.get_variable(path).fill_value is None:
            message = (
                f"variable {path!r} is missing from the dataset and has no fill value; add it to the dataset, or declare "
                f"a fill value in the schema"
            )
            raise SchemaError(message)
