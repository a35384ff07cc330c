"""Values that are no variables of a file: given as such, global attributes of the file, or parts of its name."""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Annotated, Any

import numpy as np
import typer
from attrs import frozen

from zcollection.cli.sources import FileError
from zcollection.cli.texts import inferred, pairs_of, values_of
from zcollection.errors import SchemaError, accepted
from zcollection.model.names import normalise_path, split
from zcollection.model.schema import DatasetSchema, VariableSchema

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Value of a variable in all rows; repeat it for more."),
]
Attribute = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        metavar="ATTRIBUTE=NAME",
        help="Global attribute of the file that is the value of a variable in all its rows; repeat it for more.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="REGEX",
        help=r"Finds values in the name of a file, such as 'c(?P<cycle>\d+)_p(?P<pass>\d+)': each group is a variable.",
    ),
]


@frozen(kw_only=True)
class Columns:
    """What is known of all rows of a file, besides what stands in it.

    Attributes
    ----------
    fixed
        Values, by variable.
    attributes
        Variables, by the attribute that is their value.
    pattern
        What finds values in the name of a file.
    """

    fixed: Mapping[str, str]
    attributes: Mapping[str, str]
    pattern: re.Pattern[str] | None

    @classmethod
    def of(cls, fixed: Iterable[str] | None, attributes: Iterable[str] | None, name: str | None) -> "Columns":
        """Return what the options say.

        Raises
        ------
        SchemaError
            They say nothing, or a variable twice.
        """
        found = cls(
            fixed=pairs_of(fixed, option="--set", form="NAME=VALUE"),
            attributes=pairs_of(attributes, option="--attribute", form="ATTRIBUTE=NAME"),
            pattern=None if name is None else _pattern(name),
        )
        names = [*found.fixed, *found.attributes.values(), *(found.pattern.groupindex if found.pattern else ())]
        twice = sorted({one for one in names if names.count(one) > 1})
        if twice:
            message = (
                f"the variable {twice[0]!r} is given a value twice; accepted: one of --set, --attribute and --name"
            )
            raise SchemaError(message)
        return found

    def given(self, file: str, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values for a file, by name: texts, or what its attributes hold.

        Raises
        ------
        FileError
            The file has no such attribute, or another name.
        """
        values: dict[str, Any] = dict(self.fixed)
        for attribute, name in self.attributes.items():
            if attribute not in attrs:
                message = f"{file!r} has no global attribute {attribute!r}; {accepted(attribute, attrs)}"
                raise FileError(message)
            values[name] = _scalar(file, attribute, attrs[attribute])
        if self.pattern is not None:
            values |= _named(self.pattern, file)
        return values

    def values(self, file: str, attrs: Mapping[str, Any], schema: DatasetSchema) -> dict[str, Any]:
        """Return the values for a file, by the path of their variable, of the types that a collection declares."""
        return dict(_typed(name, value, schema) for name, value in self.given(file, attrs).items())

    def declared(self, file: str, attrs: Mapping[str, Any], dimension: str) -> list[VariableSchema]:
        """Return schemas of the variables: int64, float64, booleans, times or texts, by what the values are."""
        found = []
        for name, value in self.given(file, attrs).items():
            dtype = inferred([value]).dtype if isinstance(value, str) else np.asarray(value).dtype
            found.append(VariableSchema(name, dtype="string" if dtype.kind in "TU" else dtype, dimensions=(dimension,)))
        return found


def path_of(name: str, schema: DatasetSchema) -> str:
    """Return the path of a variable that is named by it, or by its last name where no other has that.

    Raises
    ------
    SchemaError
        There is none, or several.
    """
    paths = schema.all_variables()
    path = normalise_path(name)
    nested = [each for each in paths if split(each)[1] == name]
    if path in paths or len(nested) == 1:
        return path if path in paths else nested[0]
    message = f"variable {name!r} is {'one of several' if nested else 'unknown'}; {accepted(name, nested or paths)}"
    raise SchemaError(message)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        message = f"--name {text!r} is no regular expression: {error}"
        raise SchemaError(message) from error
    if not pattern.groupindex:
        message = rf"--name {text!r} names no group; accepted: groups such as (?P<cycle>\d+)"
        raise SchemaError(message)
    return pattern


def _named(pattern: re.Pattern[str], file: str) -> dict[str, str]:
    name = PurePath(file.rstrip("/")).name
    match = pattern.search(name)
    lacking = [group for group in pattern.groupindex if match is None or match[group] is None]
    if match is None or lacking:
        message = f"the name {name!r} has no {', '.join(lacking)} by --name {pattern.pattern!r}"
        raise FileError(message)
    return match.groupdict()


def _scalar(file: str, attribute: str, value: Any) -> Any:
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biufU":
        message = f"the attribute {attribute!r} of {file!r} is {value!r}; accepted: one number or text"
        raise FileError(message)
    return array.reshape(-1)[0].item()


def _typed(name: str, value: Any, schema: DatasetSchema) -> tuple[str, Any]:
    path = path_of(name, schema)
    if not isinstance(value, str):
        return path, value
    found = values_of([value], schema.get_variable(path), name=f"the value of {path!r}")
    if np.ma.is_masked(found):
        message = f"the value of {path!r} is empty; accepted: a value of {schema.get_variable(path).dtype}"
        raise SchemaError(message)
    return path, np.asarray(found)[0]
