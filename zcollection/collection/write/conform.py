"""What users give, made into a dataset of a schema, or refused before anything is written."""

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
    """Return the variables that somebody gives, with what is stated of them.

    Parameters
    ----------
    given
        A Dataset, an `xarray.Dataset` or `xarray.DataTree`, a `pandas.DataFrame`, or a mapping from variable paths to
        arrays, or to variables of ours or of xarray's.

    Raises
    ------
    SchemaError
        It is something else.
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
    """Return a dataset of this schema, its values converted exactly, of what `as_source` takes.

    Raises
    ------
    SchemaError
        It is something else, or a variable is unknown, does not fit, or means something else than it declares.
    """
    if isinstance(given, Dataset) and given.schema is schema:
        return given
    arrays, _ = as_source(given).conformed(schema, conventions)
    return Dataset(schema, arrays)


def check_conventions(conventions: object) -> None:
    """Check that a caller says what to do with what is stated of values.

    Raises
    ------
    SettingError
        It is neither "check" nor "ignore".
    """
    check_choice("conventions", conventions, ("check", "ignore"))


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Check that an argument is one of some choices.

    Raises
    ------
    SettingError
        It is another.
    """
    if value not in choices:
        message = f"{name}={value!r}; {accepted(str(value), choices)}"
        raise SettingError(message)
