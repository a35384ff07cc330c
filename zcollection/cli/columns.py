"""Values of variables that a file lacks: from options, from its global attributes, or from its name."""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Annotated, Any

import numpy as np
import typer
from attrs import frozen

from zcollection.cli.parsing import inferred, pairs_of, values_of
from zcollection.cli.sources import FileError
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
        help="Global attribute of a file whose value a variable has in all rows of the file; repeat it for more.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="REGEX",
        help=r"Finds values in the file name, such as 'c(?P<cycle>\d+)_p(?P<pass>\d+)': each group is a variable.",
    ),
]


@frozen(kw_only=True)
class Columns:
    """Variables that have one value for all rows of a file, and where their values come from.

    Attributes
    ----------
    fixed
        Values, by variable.
    attributes
        Variables, by the name of the global attribute that has their value.
    pattern
        A regular expression for the file name, with one named group for each variable.
    """

    fixed: Mapping[str, str]
    attributes: Mapping[str, str]
    pattern: re.Pattern[str] | None

    @classmethod
    def of(cls, fixed: Iterable[str] | None, attributes: Iterable[str] | None, name: str | None) -> "Columns":
        """Parse the command-line options.

        Raises
        ------
        SchemaError
            An option is malformed, or gives a second value to a variable.
        """
        found = cls(
            fixed=pairs_of(fixed, option="--set", form="NAME=VALUE"),
            attributes=pairs_of(attributes, option="--attribute", form="ATTRIBUTE=NAME"),
            pattern=None if name is None else _pattern(name),
        )
        names = [*found.fixed, *found.attributes.values(), *(found.pattern.groupindex if found.pattern else ())]
        twice = sorted({one for one in names if names.count(one) > 1})
        if twice:
            message = f"the variable {twice[0]!r} gets a value twice; accepted: one of --set, --attribute and --name"
            raise SchemaError(message)
        return found

    def raw_values(self, file: str, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values for a file, by variable name: strings that are not parsed, or values of its attributes.

        Raises
        ------
        FileError
            The file lacks an attribute, or its name does not match the pattern.
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
        """Return the values for a file, by variable path, in the types that the collection declares."""
        return dict(_typed(name, value, schema) for name, value in self.raw_values(file, attrs).items())

    def declared(self, file: str, attrs: Mapping[str, Any], dimension: str) -> list[VariableSchema]:
        """Return schemas of the variables, with types inferred from the values: int64, float64, bool, time or string."""
        found = []
        for name, value in self.raw_values(file, attrs).items():
            dtype = inferred([value]).dtype if isinstance(value, str) else np.asarray(value).dtype
            found.append(VariableSchema(name, dtype="string" if dtype.kind in "TU" else dtype, dimensions=(dimension,)))
        return found


def path_of(name: str, schema: DatasetSchema) -> str:
    """Return the path of a variable, given its path, or only its last name if that is unique.

    Raises
    ------
    SchemaError
        There is no such variable, or several.
    """
    paths = schema.all_variables()
    path = normalise_path(name)
    nested = [each for each in paths if split(each)[1] == name]
    if path in paths or len(nested) == 1:
        return path if path in paths else nested[0]
    message = f"variable {name!r} is {'ambiguous' if nested else 'unknown'}; {accepted(name, nested or paths)}"
    raise SchemaError(message)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        message = f"--name {text!r} is not a regular expression: {error}"
        raise SchemaError(message) from error
    if not pattern.groupindex:
        message = rf"--name {text!r} has no named group; accepted: groups such as (?P<cycle>\d+)"
        raise SchemaError(message)
    return pattern


def _named(pattern: re.Pattern[str], file: str) -> dict[str, str]:
    name = PurePath(file.rstrip("/")).name
    match = pattern.search(name)
    lacking = [group for group in pattern.groupindex if match is None or match[group] is None]
    if match is None or lacking:
        message = f"--name {pattern.pattern!r} finds no {', '.join(lacking)} in the file name {name!r}"
        raise FileError(message)
    return match.groupdict()


def _scalar(file: str, attribute: str, value: Any) -> Any:
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biufU":
        message = f"the attribute {attribute!r} of {file!r} is {value!r}; accepted: one number or string"
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
