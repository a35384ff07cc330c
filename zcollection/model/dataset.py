"""Datasets: trees of groups that share dimensions, with slicing and concatenation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from zcollection.errors import SchemaError, accepted
from zcollection.model import bridges, pandas_bridge, xarray_bridge
from zcollection.model.attributes import as_attributes
from zcollection.model.dtypes import dtype_name, same_values
from zcollection.model.formatting import format_bytes
from zcollection.model.inputs import InputVariable
from zcollection.model.names import ancestors, join, normalise_path, split
from zcollection.model.printed import Printed
from zcollection.model.representation import MOST_GROUPS, attributes, groups_below, in_brackets, sizes_in_words
from zcollection.model.schema import ROOT, DatasetSchema, Dimension, GroupSchema
from zcollection.model.sections import Columns, Part, Section, Table, heading
from zcollection.model.variable import Indexer, Variable, filled
from zcollection.model.xarray_source import source_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import xarray


_PRINTED: Final[Columns[Variable]] = {
    "name": lambda variable: variable.name,
    "dimensions": lambda variable: in_brackets(variable.dimensions),
    "dtype": lambda variable: dtype_name(variable.dtype),
    "size": lambda variable: format_bytes(variable.nbytes),
    "values": Variable.preview,
}


class Group(Printed, Mapping[str, "Variable | Group"]):
    """A group of a dataset: a mapping from names to its variables and child groups, which also accepts paths.

    A group is a view of one node of its dataset, and has no data of its own.
    """

    def __init__(self, dataset: "Dataset", path: str) -> None:
        self._root = dataset
        self._path = path

    @property
    def _dataset(self) -> "Dataset":
        return self._root

    @property
    def _schema(self) -> GroupSchema:
        return self._dataset.schema.get_group(self._path)

    @property
    def name(self) -> str:
        """Name within the parent; empty for the root."""
        return self._schema.name

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Attributes of the group."""
        return self._schema.attrs

    @property
    def parent(self) -> "Group | None":
        """The parent group; None for the root."""
        return self._dataset.get_group(split(self._path)[0]) if self._path else None

    @property
    def variables(self) -> dict[str, Variable]:
        """The group's own variables that are present, by name."""
        paths = {name: join(self._path, name) for name in self._schema.variables}
        present = self._dataset.all_variables()
        return {name: present[path] for name, path in paths.items() if path in present}

    @property
    def groups(self) -> "dict[str, Group]":
        """The child groups, by name."""
        return {name: Group(self._dataset, join(self._path, name)) for name in self._schema.groups}

    @property
    def dimensions(self) -> dict[str, int]:
        """Lengths of the dimensions of the group and its ancestors, the ancestors first."""
        sizes = self._dataset.sizes
        return {
            split(key)[1]: sizes[key]
            for path in ancestors(self._path)
            for name in self._dataset.schema.get_group(path).dimensions
            if (key := join(path, name)) in sizes
        }

    @property
    def nbytes(self) -> int:
        """Size in memory of all variables of the group and its descendants, in bytes."""
        return sum(variable.nbytes for _, variable in self._below())

    def long_name(self) -> str:
        """Return the path from the root, with a leading slash."""
        return f"/{self._path}"

    def get_variable(self, path: str) -> Variable:
        """Return the variable at `path`, relative to this group, or to the root if it has a leading slash.

        Raises
        ------
        SchemaError
            The dataset has no such variable.
        """
        present = self._dataset.all_variables()
        absolute = normalise_path(path) if path.startswith("/") else join(self._path, path)
        if absolute not in present:
            message = f"variable {absolute!r} is not in this dataset; {accepted(absolute, present)}"
            raise SchemaError(message)
        return present[absolute]

    def get_group(self, path: str) -> "Group":
        """Return the group at `path`, relative to this group, or to the root if it has a leading slash.

        Raises
        ------
        SchemaError
            The dataset has no such group.
        """
        start = self._path if path and not path.startswith("/") else ROOT
        absolute = join(start, normalise_path(path)) if path.strip("/") else start
        self._dataset.schema.get_group(absolute)
        return Group(self._dataset, absolute) if absolute else self._dataset

    def find_variable(self, name: str) -> Variable | None:
        """Return the variable of this name in the group or its nearest ancestor, or None."""
        present = self._dataset.all_variables()
        found = (present.get(join(path, name)) for path in reversed(ancestors(self._path)))
        return next((variable for variable in found if variable is not None), None)

    def find_group(self, name: str) -> "Group | None":
        """Return the first group of this name among this group and its descendants, parents before children, or None."""
        return next((group for group in self.walk() if group.name == name), None)

    def find_dimension(self, name: str) -> Dimension | None:
        """Return the dimension of this name in the group or its nearest ancestor, or None."""
        return self._dataset.schema.find_dimension(self._path, name)

    def walk(self) -> "Iterator[Group]":
        """Yield this group and its descendants, parents before children."""
        for path, _ in self._schema.walk(self._path):
            yield Group(self._dataset, path) if path else self._dataset

    def all_variables(self) -> dict[str, Variable]:
        """Return the present variables of the group and its descendants, by path relative to the group."""
        return dict(self._below())

    def _below(self) -> Iterator[tuple[str, Variable]]:
        prefix = f"{self._path}/"
        for path, variable in self._dataset.all_variables().items():
            if path.startswith(prefix):
                yield path.removeprefix(prefix), variable

    def __getitem__(self, key: str) -> "Variable | Group":
        absolute = normalise_path(key) if key.startswith("/") else join(self._path, key)
        present = self._dataset.all_variables()
        if absolute in present:
            return present[absolute]
        if absolute in self._dataset.schema.all_groups():
            return self._dataset.get_group(absolute)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        yield from self.variables
        yield from self._schema.groups

    def __len__(self) -> int:
        return len(self.variables) + len(self._schema.groups)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Group) and (self._dataset, self._path) == (other._dataset, other._path)
        )

    __hash__ = None  # type: ignore[assignment]  # a mapping of arrays is not hashable

    def _section(self) -> Section:
        path = self.long_name()
        title = f"{heading(self, '' if path == '/' else path)} {format_bytes(self.nbytes)}"
        return Section(title, self._printed_parts(MOST_GROUPS))

    def _printed_parts(self, most: int) -> list[Part]:
        return [
            f"Dimensions: ({sizes_in_words(self.dimensions)})",
            Table.of("Variables", self.variables.values(), _PRINTED, has_header=False),
            attributes(self.attrs),
            *groups_below(self.groups, Group._printed_parts, most),
        ]


class Dataset(Group):
    """Variables that share dimensions, in a tree of groups: the root group.

    Parameters
    ----------
    schema
        Declaration of the variables. A variable of the schema may be absent.
    variables
        Values by path of the variable; keys with "/" refer to nested groups. Values are converted exactly to the declared
        types. For variables of zcollection and xarray, attributes and encoding are compared with the schema.
    groups
        Groups of other datasets, whose variables are added under the same paths.
    attrs
        Attributes of the root group, which replace those of the schema.

    Raises
    ------
    SchemaError
        A variable is unknown, or has a wrong type, shape or length.

    Examples
    --------
    >>> from zcollection.model.builder import Schema
    >>> schema = Schema().with_dimension("time").with_variable("ssh", dtype="f4", dimensions=("time",)).build()
    >>> Dataset(schema, {"ssh": [1, 2, 3]}).isel(time=slice(1, None))["ssh"].to_numpy()
    array([2., 3.], dtype=float32)
    """

    def __init__(
        self,
        schema: DatasetSchema,
        variables: Mapping[str, Any],
        groups: Iterable[Group] = (),
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        # Group.__init__ is not called: a reference to itself would keep the arrays until the garbage collector runs.
        self._path = ROOT
        self.schema = schema
        self._attrs = schema.attrs if attrs is None else as_attributes(attrs)
        values_by_path = {normalise_path(path): values for path, values in variables.items()}
        for group in groups:
            values_by_path |= {
                normalise_path(join(group.long_name(), path)): v for path, v in group.all_variables().items()
            }
        self._variables = {path: self._variable(path, values) for path, values in values_by_path.items()}
        self.sizes = _measure(schema, self._variables)  # not lazily: this checks the shapes

    @property
    def _dataset(self) -> "Dataset":
        return self

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Lengths of the dimensions, by path."""
        return _measure(self.schema, self._variables)

    def _variable(self, path: str, values: object) -> Variable:
        declared = self.schema.get_variable(path)
        if isinstance(values, Variable) and values.schema is declared:
            return values
        conformed, _ = InputVariable.of(values).conformed(declared, "check", name=path)
        return Variable.of(declared, conformed, name=path)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Attributes of the root group."""
        return self._attrs

    @property
    def is_lazy(self) -> bool:
        """Whether any variable is lazy."""
        return any(variable.is_lazy for variable in self._variables.values())

    def all_variables(self) -> dict[str, Variable]:
        """Return the present variables, by path without a leading slash."""
        return dict(self._variables)

    def _below(self) -> Iterator[tuple[str, Variable]]:
        yield from self._variables.items()

    def select(self, names: Iterable[str]) -> Self:
        """Return a dataset with only these variables.

        Raises
        ------
        SchemaError
            The dataset has no such variable.
        """
        chosen = {normalise_path(name): self.get_variable(f"/{normalise_path(name)}") for name in names}
        return self._with(self.schema.select(chosen), chosen)

    def isel(self, indexers: Mapping[str, Indexer] | None = None, **more: Indexer) -> Self:
        """Return the part of the dataset selected by positions along dimensions.

        Parameters
        ----------
        indexers, **more
            By dimension: a slice, an array of positions or an array of booleans. A dimension of a nested group is given
            by its name (all dimensions of that name) or by its path.

        Raises
        ------
        SchemaError
            A dimension is unknown, or an indexer is a single number, which would remove the dimension.
        """
        chosen = {
            normalise_path(name): _as_indexer(name, index) for name, index in {**(indexers or {}), **more}.items()
        }
        for name in chosen:
            if not any(key == name or split(key)[1] == name for key in self.sizes):
                message = f"dimension {name!r} is not in this dataset; {accepted(name, self.sizes)}"
                raise SchemaError(message)
        nested = any("/" in name for name in chosen)
        parts = {
            path: variable.isel(_visible(path, chosen) if nested else chosen)
            for path, variable in self._variables.items()
        }
        schema = _fitted(self.schema, parts, chosen)
        return self._of(parts) if schema is self.schema else self._with(schema, parts)

    @classmethod
    def concat(cls, datasets: Sequence["Dataset"], dimension: str) -> "Dataset":
        """Concatenate datasets of the same schema along a dimension of the root.

        A variable without the dimension must have equal values in all datasets. A variable that is missing from some of the
        datasets is filled with its fill value there.

        Raises
        ------
        SchemaError
            There are no datasets, values that must be equal differ, or a missing variable has no fill value.
        """
        if not datasets:
            message = "nothing to concatenate; accepted: at least one dataset"
            raise SchemaError(message)
        first = datasets[0]
        paths = {path for dataset in datasets for path in dataset._variables}  # noqa: SLF001 - the same class
        ordered = [path for path in first.schema.all_variables() if path in paths]
        joined = {path: _join(path, datasets, dimension) for path in ordered}
        return first._with(first.schema, joined)  # noqa: SLF001 - the same class

    def to_xarray(self) -> "xarray.Dataset | xarray.DataTree":
        """Return an `xarray.Dataset`, or an `xarray.DataTree` if there are groups; times become datetime64 or cftime objects.

        Raises
        ------
        MissingDependencyError
            xarray is not installed.
        """
        return xarray_bridge.to_xarray(self.schema, self._variables, self._attrs)

    def to_pandas(self) -> "pd.DataFrame":
        """Return the variables along the partitioned dimension as a `pandas.DataFrame`, without the other variables.

        The coordinate of that dimension becomes the index. A variable with two dimensions becomes a column for each position
        along the second one: ``power[0]``, ``power[1]`` and so on. Times are decoded, and missing integers become pandas' NA.

        Raises
        ------
        MissingDependencyError
            pandas is not installed.
        SchemaError
            A variable has more than two dimensions.
        """
        return pandas_bridge.to_pandas(self.schema, self._variables)

    def to_arrow(self) -> "pa.Table":
        """Return the variables along the partitioned dimension as a `pyarrow.Table`, without the other variables.

        Columns are named by path. A variable with several dimensions becomes a column of fixed-size lists. Times are decoded,
        and missing values become null. The dataset also implements the Arrow PyCapsule interface (schema and stream).

        Raises
        ------
        MissingDependencyError
            zcollection-arrow is not installed.
        SchemaError
            Arrow has no equivalent of a variable's type, or would read a time as another date.
        """
        table: pa.Table = bridges.arrow("to_arrow()").table(self)
        return table

    def plot(self, variable: str | None = None, *, ax: Any = None, **options: Any) -> Any:
        """Draw the positions of rows on a map, coloured by a variable, and return the Matplotlib axes.

        The parameters are those of ``zcollection_plot.track``.

        Raises
        ------
        MissingDependencyError
            zcollection-plot is not installed.
        """
        return bridges.bridge("plot", "plot()").track(self, variable, ax=ax, **options)

    def __arrow_c_schema__(self) -> object:
        return bridges.arrow("__arrow_c_schema__()").schema_of(self).__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    @classmethod
    def from_xarray(cls, source: object, schema: DatasetSchema) -> "Dataset":
        """Return the variables of an `xarray.Dataset` or `xarray.DataTree` as a dataset of `schema`.

        Raises
        ------
        SchemaError
            A variable is not in the schema, does not fit it, or has attributes that contradict it.
        """
        return cls(schema, source_of(source).conformed(schema)[0])

    def _of(self, variables: Mapping[str, Variable]) -> Self:
        """Return a dataset of the same schema with parts of its variables, without checks."""
        part = type(self).__new__(type(self))
        vars(part).update(_path=ROOT, schema=self.schema, _attrs=self._attrs, _variables=dict(variables))
        return part

    def _with(self, schema: DatasetSchema, variables: Mapping[str, Any]) -> Self:
        return type(self)(schema, variables, attrs=self._attrs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dataset):
            return NotImplemented
        return (
            self.schema == other.schema
            and dict(self.attrs) == dict(other.attrs)
            and self._variables.keys() == other.all_variables().keys()
            and all(same_values(v.to_numpy(), other.all_variables()[p].to_numpy()) for p, v in self._variables.items())
        )

    __hash__ = None


def _as_indexer(name: str, index: object) -> Indexer:
    if isinstance(index, slice):
        return index
    array = np.asarray(index)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "biu"):
        message = (
            f"indexer {index!r} of dimension {name!r}; accepted: a slice, or positions or booleans in one dimension"
        )
        raise SchemaError(message)
    return array if array.size else array.astype(np.int64)


def _visible(path: str, indexers: Mapping[str, Indexer]) -> dict[str, Indexer]:
    """Return the indexers that apply to the variable at `path`, by dimension name without group."""
    group = split(path)[0]
    bare = {name: index for name, index in indexers.items() if "/" not in name}
    full = {
        split(name)[1]: index
        for name, index in indexers.items()
        if "/" in name and (group == split(name)[0] or group.startswith(split(name)[0] + "/"))
    }
    return {**bare, **full}


def _fitted(schema: DatasetSchema, variables: Mapping[str, Variable], selected: Iterable[str]) -> DatasetSchema:
    """Return the schema with the new sizes of the selected dimensions, if it declares sizes for them."""
    names = {split(name)[1] for name in selected}
    fixed = {
        join(path, name): dimension.size
        for path, group in schema.all_groups().items()
        for name, dimension in group.dimensions.items()
        if name in names and dimension.size is not None
    }
    if not fixed:
        return schema
    sizes = _collect(schema, variables)
    changed = {key: sizes[key] for key, size in fixed.items() if sizes.get(key, size) != size}
    return schema.resized(changed) if changed else schema


def _collect(schema: DatasetSchema, variables: Mapping[str, Variable]) -> dict[str, int]:
    """Return the length of each dimension, by path, from the shapes of the variables.

    Raises
    ------
    SchemaError
        Two variables have different lengths along the same dimension.
    """
    sizes: dict[str, int] = {}
    first_user: dict[str, str] = {}
    for path, variable in variables.items():
        for key, length in zip(schema.dimension_paths[path], variable.shape, strict=True):
            if sizes.setdefault(key, length) != length:
                message = f"variable {path!r} has {length} along {split(key)[1]!r}, where variable {first_user[key]!r} has {sizes[key]}"
                raise SchemaError(message)
            first_user.setdefault(key, path)
    return sizes


def _measure(schema: DatasetSchema, variables: Mapping[str, Variable]) -> dict[str, int]:
    """Return the length of each dimension, by path, from the shapes of the variables and the sizes of the schema.

    Raises
    ------
    SchemaError
        A variable has a length other than that of another variable, or than the declared size.
    """
    sizes = _collect(schema, variables)
    for path, group in schema.walk():
        for name, dimension in group.dimensions.items():
            key = join(path, name)
            if dimension.size is None:
                continue
            if sizes.setdefault(key, dimension.size) != dimension.size:
                users = [
                    p
                    for p, v in variables.items()
                    if name in v.dimensions and schema.dimension_path(split(p)[0], name) == key
                ]
                message = (
                    f"variable {users[0]!r} has {sizes[key]} along {name!r}, whose size is declared {dimension.size}"
                )
                raise SchemaError(message)
    return sizes


def _join(path: str, datasets: Sequence[Dataset], dimension: str) -> Variable:
    present = [dataset.all_variables().get(path) for dataset in datasets]
    example = next(variable for variable in present if variable is not None)
    if dimension not in example.dimensions:
        values = [variable.to_numpy() for variable in present if variable is not None]
        if not all(same_values(values[0], other) for other in values[1:]):
            message = f"variable {path!r} does not span {dimension!r} and has different values in the datasets to join"
            raise SchemaError(message)
        return example
    parts = [
        variable if variable is not None else _absent(path, example, dataset, dimension)
        for variable, dataset in zip(present, datasets, strict=True)
    ]
    position = example.dimensions.index(dimension)
    if len(parts) == 1:
        return parts[0]
    if any(part.is_lazy for part in parts):
        lazy = next(part.data for part in parts if part.is_lazy)
        return Variable(example.schema, _lazy_concatenate(lazy, [part.data for part in parts], position))
    return Variable(example.schema, np.concatenate([part.data for part in parts], axis=position))


def _absent(path: str, example: Variable, dataset: Dataset, dimension: str) -> Variable:
    lengths = dict(zip(example.dimensions, example.shape, strict=True)) | {dimension: dataset.sizes.get(dimension, 0)}
    return filled(example.schema, tuple(lengths[name] for name in example.dimensions), name=path)


def _lazy_concatenate(lazy: Any, parts: list[Any], axis: int) -> Any:
    """Concatenate through NumPy's dispatch protocol, so that lazy arrays stay lazy."""
    if hasattr(lazy, "__array_function__"):
        return np.concatenate(parts, axis=axis)
    return np.concatenate([np.asarray(part) for part in parts], axis=axis)
