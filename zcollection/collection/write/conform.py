"""Converts datasets of users to the schema of a collection, before anything is written."""

from collections.abc import Mapping

from zcollection.errors import SchemaError, SettingError, accepted
from zcollection.model.conventions import Conventions
from zcollection.model.dataset import Dataset
from zcollection.model.given import Given, Source
from zcollection.model.names import normalise_path
from zcollection.model.pandas_bridge import frame_source, is_frame
from zcollection.model.schema import DatasetSchema
from zcollection.model.xarray_source import is_xarray, source_of


def as_source(given: object) -> Source:
    """Return the given variables, with the attributes and encodings that describe them.

    Parameters
    ----------
    given
        A Dataset, an `xarray.Dataset` or `xarray.DataTree`, a `pandas.DataFrame`, or a mapping from variable paths to
        arrays, to `xarray.Variable` or to `Variable`.

    Raises
    ------
    SchemaError
        `given` is of another type.
    """
    if is_xarray(given):
        return source_of(given)
    if is_frame(given):
        return frame_source(given)
    if isinstance(given, Dataset):
        given = given.all_variables()
    if isinstance(given, Mapping):
        return Source(variables={normalise_path(path): Given.of(value) for path, value in given.items()})
    choices = [
        "zcollection.Dataset",
        "xarray.Dataset",
        "xarray.DataTree",
        "pandas.DataFrame",
        "a mapping of arrays",
    ]
    message = f"dataset is a {type(given).__name__}; {accepted('', choices)}"
    raise SchemaError(message)


def as_dataset(given: object, schema: DatasetSchema, conventions: Conventions = "check") -> Dataset:
    """Return a dataset of a schema, with exactly converted values, from any type that `as_source` accepts.

    Raises
    ------
    SchemaError
        `given` is of another type, or a variable is unknown, does not fit, or its attributes contradict the schema.
    """
    if isinstance(given, Dataset) and given.schema is schema:
        return given
    arrays, _ = as_source(given).conformed(schema, conventions)
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
