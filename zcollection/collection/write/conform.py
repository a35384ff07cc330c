"""Converts datasets of users to the schema of a collection, before anything is written."""

from collections.abc import Mapping

from zcollection.errors import SchemaError, SettingError, accepted
from zcollection.model.conventions import Conventions
from zcollection.model.dataset import Dataset
from zcollection.model.inputs import InputDataset, InputVariable
from zcollection.model.names import normalise_path
from zcollection.model.pandas_bridge import frame_source, is_frame
from zcollection.model.schema import DatasetSchema
from zcollection.model.xarray_source import is_xarray, source_of


def as_source(dataset: object) -> InputDataset:
    """Return the variables of a dataset, with the attributes and encodings that describe them.

    Parameters
    ----------
    dataset
        A Dataset, an `xarray.Dataset` or `xarray.DataTree`, a `pandas.DataFrame`, or a mapping from variable paths to
        arrays, to `xarray.Variable` or to `Variable`.

    Raises
    ------
    SchemaError
        `dataset` is of another type.
    """
    if is_xarray(dataset):
        return source_of(dataset)
    if is_frame(dataset):
        return frame_source(dataset)
    if isinstance(dataset, Dataset):
        dataset = dataset.all_variables()
    if isinstance(dataset, Mapping):
        return InputDataset(
            variables={normalise_path(path): InputVariable.of(value) for path, value in dataset.items()}
        )
    choices = [
        "zcollection.Dataset",
        "xarray.Dataset",
        "xarray.DataTree",
        "pandas.DataFrame",
        "a mapping of arrays",
    ]
    message = f"dataset is a {type(dataset).__name__}; {accepted('', choices)}"
    raise SchemaError(message)


def as_dataset(dataset: object, schema: DatasetSchema, conventions: Conventions = "check") -> Dataset:
    """Return a dataset of a schema, with exactly converted values, from any type that `as_source` accepts.

    Raises
    ------
    SchemaError
        `dataset` is of another type, or a variable is unknown, does not fit, or its attributes contradict the schema.
    """
    if isinstance(dataset, Dataset) and dataset.schema is schema:
        return dataset
    arrays, _ = as_source(dataset).conformed(schema, conventions)
    return Dataset(schema, arrays)


def check_conventions(conventions: object) -> None:
    """Check the value of the `conventions` argument.

    Raises
    ------
    SettingError
        The value is neither "check" nor "ignore".
    """
    check_choice("conventions", conventions, ("check", "ignore"))


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Check that an argument is one of the accepted choices.

    Raises
    ------
    SettingError
        The value is not accepted.
    """
    if value not in choices:
        message = f"{name}={value!r}; {accepted(str(value), choices)}"
        raise SettingError(message)
