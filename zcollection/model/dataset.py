"""Datasets: a tree of groups that share dimensions, sliced and joined as one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from zcollection.errors import SchemaError, accepted
from zcollection.model import bridges, pandas_bridge, xarray_bridge
from zcollection.model.attributes import as_attributes
from zcollection.model.dtypes import dtype_name, same_values
from zcollection.model.given import Given
from zcollection.model.names import ancestors, join, normalise_path, split
from zcollection.model.printed import Printed
from zcollection.model.representation import MOST_GROUPS, attributes, groups_below, in_brackets, sizes_in_words
from zcollection.model.schema import ROOT, DatasetSchema, Dimension, GroupSchema
from zcollection.model.sections import Columns, Part, Section, Table, heading
from zcollection.model.texts import format_bytes
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
    """A group of a dataset: a mapping of its variables and child groups, and of paths to those below.

    A group is a view of one node of its dataset; it holds no values of its own.
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
        """The group that this one lies in; None for the root."""
        return self._dataset.get_group(split(self._path)[0]) if self._path else None

    @property
    def variables(self) -> dict[str, Variable]:
        """The group's own variables that are present, by name."""
        paths = {name: join(self._path, name) for name in self._schema.variables}
        held = self._dataset.all_variables()
        return {name: held[path] for name, path in paths.items() if path in held}

    @property
    def groups(self) -> "dict[str, Group]":
        """The child groups, by name."""
        return {name: Group(self._dataset, join(self._path, name)) for name in self._schema.groups}

    @property
    def dimensions(self) -> dict[str, int]:
        """Lengths of the dimensions visible here, those of the ancestors first."""
        sizes = self._dataset.sizes
        return {
            split(key)[1]: sizes[key]
            for path in ancestors(self._path)
            for name in self._dataset.schema.get_group(path).dimensions
            if (key := join(path, name)) in sizes
        }

    @property
    def nbytes(self) -> int:
        """Size in memory of every variable here and below, in bytes."""
        return sum(variable.nbytes for _, variable in self._below())

    def long_name(self) -> str:
        """Return the path from the root, with a leading slash."""
        return f"/{self._path}"

    def get_variable(self, path: str) -> Variable:
        """Return the variable at `path`, which starts here, or at the root with a leading slash.

        Raises
        ------
        SchemaError
            There is none.
        """
        held = self._dataset.all_variables()
        absolute = normalise_path(path) if path.startswith("/") else join(self._path, path)
        if absolute not in held:
            message = f"variable {absolute!r} is not in this dataset; {accepted(absolute, held)}"
            raise SchemaError(message)
        return held[absolute]

    def get_group(self, path: str) -> "Group":
        """Return the group at `path`, which starts here, or at the root with a leading slash.

        Raises
        ------
        SchemaError
            There is none.
        """
        inside = self._path if path and not path.startswith("/") else ROOT
        absolute = join(inside, normalise_path(path)) if path.strip("/") else inside
        self._dataset.schema.get_group(absolute)
        return Group(self._dataset, absolute) if absolute else self._dataset

    def find_variable(self, name: str) -> Variable | None:
        """Return the variable of this name in the group or the nearest ancestor that has it, or None."""
        held = self._dataset.all_variables()
        found = (held.get(join(path, name)) for path in reversed(ancestors(self._path)))
        return next((variable for variable in found if variable is not None), None)

    def find_group(self, name: str) -> "Group | None":
        """Return the first group of this name at or below this one, parents before children, or None."""
        return next((group for group in self.walk() if group.name == name), None)

    def find_dimension(self, name: str) -> Dimension | None:
        """Return the dimension that `name` means here: the group's own, or the nearest ancestor's, or None."""
        return self._dataset.schema.find_dimension(self._path, name)

    def walk(self) -> "Iterator[Group]":
        """Yield this group and every one below it, parents before children."""
        for path, _ in self._schema.walk(self._path):
            yield Group(self._dataset, path) if path else self._dataset

    def all_variables(self) -> dict[str, Variable]:
        """Return every variable that is present here and below, by its path from here."""
        return dict(self._below())

    def _below(self) -> Iterator[tuple[str, Variable]]:
        prefix = f"{self._path}/"
        for path, variable in self._dataset.all_variables().items():
            if path.startswith(prefix):
                yield path.removeprefix(prefix), variable

    def __getitem__(self, key: str) -> "Variable | Group":
        absolute = normalise_path(key) if key.startswith("/") else join(self._path, key)
        held = self._dataset.all_variables()
        if absolute in held:
            return held[absolute]
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
        What the variables must be. A variable of the schema may be absent.
    variables
        Values by variable path; keys with "/" go into nested groups. Values are converted exactly to the declared types;
        what variables, ours or xarray's, state of theirs is checked.
    groups
        Groups of other datasets, whose variables are added under the same paths.
    attrs
        Attributes of the root group, in place of the schema's.

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
        # Not through Group's initialiser: a reference to itself would keep the arrays until the garbage collector runs.
        self._path = ROOT
        self.schema = schema
        self._attrs = schema.attrs if attrs is None else as_attributes(attrs)
        given = {normalise_path(path): values for path, values in variables.items()}
        for group in groups:
            given |= {normalise_path(join(group.long_name(), path)): v for path, v in group.all_variables().items()}
        self._variables = {path: self._variable(path, values) for path, values in given.items()}
        self.sizes = _measure(schema, self._variables)  # at once: it checks them

    @property
    def _dataset(self) -> "Dataset":
        return self

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Length of every dimension, by path."""
        return _measure(self.schema, self._variables)

    def _variable(self, path: str, values: object) -> Variable:
        declared = self.schema.get_variable(path)
        if isinstance(values, Variable) and values.schema is declared:
            return values
        conformed, _ = Given.of(values).conformed(declared, "check", name=path)
        return Variable.of(declared, conformed, name=path)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Attributes of the root group."""
        return self._attrs

    @property
    def is_lazy(self) -> bool:
        """Whether any variable has yet to be read or computed."""
        return any(variable.is_lazy for variable in self._variables.values())

    def all_variables(self) -> dict[str, Variable]:
        """Return every variable that is present, by path, without a leading slash."""
        return dict(self._variables)

    def _below(self) -> Iterator[tuple[str, Variable]]:
        yield from self._variables.items()

    def select(self, names: Iterable[str]) -> Self:
        """Return the dataset with these variables alone.

        Raises
        ------
        SchemaError
            A variable is not present.
        """
        chosen = {normalise_path(name): self.get_variable(f"/{normalise_path(name)}") for name in names}
        return self._with(self.schema.select(chosen), chosen)

    def isel(self, indexers: Mapping[str, Indexer] | None = None, **more: Indexer) -> Self:
        """Return the part selected along dimensions.

        Parameters
        ----------
        indexers, **more
            By dimension: a slice, an array of positions or an array of booleans. A dimension of a nested group is named
            by itself (every dimension of that name) or by its path.

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
        """Join datasets of one schema along a dimension of the root.

        A variable without the dimension must have the same values everywhere. A variable that some datasets lack is
        filled there.

        Raises
        ------
        SchemaError
            There is nothing to join, values that must agree differ, or a variable is missing that has no fill value.
        """
        if not datasets:
            message = "there is nothing to concatenate; accepted: at least one dataset"
            raise SchemaError(message)
        first = datasets[0]
        paths = {path for dataset in datasets for path in dataset._variables}  # noqa: SLF001 - the same class
        ordered = [path for path in first.schema.all_variables() if path in paths]
        joined = {path: _join(path, datasets, dimension) for path in ordered}
        return first._with(first.schema, joined)  # noqa: SLF001 - the same class

    def to_xarray(self) -> "xarray.Dataset | xarray.DataTree":
        """Return an `xarray.Dataset`, or an `xarray.DataTree` when there are groups; times are datetime64.

        Raises
        ------
        MissingDependencyError
            xarray is not installed.
        """
        return xarray_bridge.to_xarray(self.schema, self._variables, self._attrs)

    def to_pandas(self) -> "pd.DataFrame":
        """Return the variables along the partitioned dimension as a `pandas.DataFrame`; the others are left out.

        The coordinate of that dimension is the index. A variable with two dimensions is a column for each position along the
        other one: ``power[0]``, ``power[1]`` and so on. Times are decoded, and missing integers are pandas' NA.

        Raises
        ------
        MissingDependencyError
            pandas is not installed.
        SchemaError
            A variable has more than two dimensions.
        """
        return pandas_bridge.to_pandas(self.schema, self._variables)

    def to_arrow(self) -> "pa.Table":
        """Return the variables along the partitioned dimension as a `pyarrow.Table`; the others are left out.

        Columns are named by path. A variable with more dimensions is a column of fixed-size lists. Times are decoded, and what is
        missing is null. The dataset is also a stream and a schema of Arrow's for whatever takes one.

        Raises
        ------
        MissingDependencyError
            zcollection-arrow is not installed.
        SchemaError
            A variable has a type that Arrow does not have, or a time that is another date there.
        """
        table: pa.Table = bridges.arrow("to_arrow()").table(self)
        return table

    def plot(self, variable: str | None = None, *, ax: Any = None, **options: Any) -> Any:
        """Draw where rows are on a map, coloured by a variable, and return the axes of Matplotlib.

        Calls ``zcollection_plot.track``, whose parameters these are.

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
            A variable is unknown to the schema, does not fit it, or means something else.
        """
        return cls(schema, source_of(source).conformed(schema)[0])

    def _of(self, variables: Mapping[str, Variable]) -> Self:
        """Return a dataset of this schema with parts of its variables, which fit it and each other."""
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
    """Return, by bare dimension name, the indexers that apply to the variable at `path`."""
    group = split(path)[0]
    bare = {name: index for name, index in indexers.items() if "/" not in name}
    full = {
        split(name)[1]: index
        for name, index in indexers.items()
        if "/" in name and (group == split(name)[0] or group.startswith(split(name)[0] + "/"))
    }
    return {**bare, **full}


def _fitted(schema: DatasetSchema, variables: Mapping[str, Variable], selected: Iterable[str]) -> DatasetSchema:
    """Return the schema with the sizes that selected dimensions have now, where it fixes them."""
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
    """Return the length of each dimension, by path, from the variables.

    Raises
    ------
    SchemaError
        Two variables disagree.
    """
    sizes: dict[str, int] = {}
    witness: dict[str, str] = {}
    for path, variable in variables.items():
        for key, length in zip(schema.dimension_paths[path], variable.shape, strict=True):
            if sizes.setdefault(key, length) != length:
                message = f"variable {path!r} has {length} along {split(key)[1]!r}, where variable {witness[key]!r} has {sizes[key]}"
                raise SchemaError(message)
            witness.setdefault(key, path)
    return sizes


def _measure(schema: DatasetSchema, variables: Mapping[str, Variable]) -> dict[str, int]:
    """Return the length of every dimension, by path.

    Raises
    ------
    SchemaError
        Variables disagree with each other or with a size that the schema fixes.
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
    """Join through NumPy's dispatch, so that lazy arrays stay lazy."""
    if hasattr(lazy, "__array_function__"):
        return np.concatenate(parts, axis=axis)
    return np.concatenate([np.asarray(part) for part in parts], axis=axis)
