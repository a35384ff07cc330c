"""Schemas of datasets: immutable trees of groups with dimensions and variables."""

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final, Self

from attrs import evolve, field, frozen

from zcollection.errors import CorruptionError, SchemaError, accepted
from zcollection.model import documents
from zcollection.model.attributes import as_attributes
from zcollection.model.declared import Dimension, VariableSchema, packing_in_words
from zcollection.model.dtypes import dtype_name
from zcollection.model.names import ancestors, join, normalise_path, split, validate_segment
from zcollection.model.printed import Printed
from zcollection.model.representation import MOST_GROUPS, attributes, groups_below, in_brackets, value_in_words
from zcollection.model.sections import Columns, Part, Section, Table, heading

__all__ = ["ROOT", "DatasetSchema", "Dimension", "GroupSchema", "VariableSchema"]

ROOT = ""
"""The path of the root group."""


@frozen(kw_only=True, repr=False)
class GroupSchema(Printed):
    """The schema of a group: its own dimensions, variables, child groups and attributes.

    Attributes
    ----------
    name
        Name within its parent; empty for the root.
    dimensions, variables, groups
        The declarations of the group itself, by name.
    attrs
        Attributes, as JSON values.
    """

    name: str = ROOT
    dimensions: dict[str, Dimension] = field(factory=dict)
    variables: dict[str, VariableSchema] = field(factory=dict)
    groups: "dict[str, GroupSchema]" = field(factory=dict)
    attrs: dict[str, Any] = field(default=None, converter=as_attributes)

    def walk(self, path: str = ROOT) -> "Iterator[tuple[str, GroupSchema]]":
        """Yield this group and its descendants with their paths, parents before children."""
        yield path, self
        for name, group in self.groups.items():
            yield from group.walk(join(path, name))

    def _section(self) -> Section:
        return Section(heading(self, self.name), parts_of_schema(self))


@frozen(kw_only=True, repr=False)
class DatasetSchema(GroupSchema):
    """The schema of a dataset, which is that of its root group.

    Variables and groups in nested groups are named by path: ``"data_01/ku/power"``, with or without a leading slash.
    """

    def __attrs_post_init__(self) -> None:
        for path, group in self.walk():
            _validate_group(self, path, group)

    @property
    def format_version(self) -> int:
        """The oldest format version of documents that can represent the schema."""
        variables = self._variables.values()
        if any(variable.statistics for variable in variables):
            return documents.WITH_STATISTICS
        has_meaning = any(variable.packing is not None or variable.coordinate for variable in variables)
        return documents.WITH_PACKING if has_meaning else documents.FORMAT_VERSION

    def to_json(self) -> str:
        """Return the complete schema as JSON text, with codecs and fill values as in the stored metadata.

        Examples
        --------
        >>> schema = DatasetSchema(dimensions={"time": Dimension("time")})
        >>> DatasetSchema.from_json(schema.to_json()) == schema
        True
        """
        head = {"format_version": self.format_version, "kind": _KIND}
        return json.dumps(
            {**head, **documents.CONVERTER.unstructure(self)}, ensure_ascii=False, allow_nan=False, indent=2
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> "DatasetSchema":
        """Return the schema that `to_json` wrote.

        Raises
        ------
        SchemaError
            The text is not JSON, or does not describe a schema.
        FormatVersionError
            A newer release wrote it.
        """
        data = text.encode() if isinstance(text, str) else text
        try:
            return documents.load(data, DatasetSchema, kind=_KIND, what="the schema", newest=documents.WITH_STATISTICS)
        except CorruptionError as error:
            raise SchemaError(str(error)) from error

    @cached_property
    def _groups(self) -> dict[str, GroupSchema]:
        return dict(self.walk())

    @cached_property
    def _variables(self) -> dict[str, VariableSchema]:
        return {
            join(path, name): variable
            for path, group in self._groups.items()
            for name, variable in group.variables.items()
        }

    @cached_property
    def _owners(self) -> dict[tuple[str, str], str]:
        """Path of the group that declares a dimension, by the path of a group that can use it and its name."""
        return {
            (path, name): above
            for path in self._groups
            for above in ancestors(path)
            for name in self._groups[above].dimensions
        }

    @cached_property
    def _selections(self) -> dict[frozenset[str], Self]:
        # The same selection returns the same object: caches of derived objects use the identity of the schema.
        return {}

    def all_groups(self) -> dict[str, GroupSchema]:
        """Return all groups by path, the root ("") first."""
        return dict(self._groups)

    def all_variables(self) -> dict[str, VariableSchema]:
        """Return all variables by path, without a leading slash."""
        return dict(self._variables)

    def get_group(self, path: str) -> GroupSchema:
        """Return the group at `path`.

        Raises
        ------
        SchemaError
            The schema has no such group.
        """
        found = self._groups.get(normalise_path(path))
        if found is None:
            message = f"group {path!r} is unknown; {accepted(path, self._groups)}"
            raise SchemaError(message)
        return found

    def get_variable(self, path: str) -> VariableSchema:
        """Return the variable at `path`.

        Raises
        ------
        SchemaError
            The schema has no such variable.
        """
        found = self._variables.get(normalise_path(path))
        if found is None:
            message = f"variable {path!r} is unknown; {accepted(normalise_path(path), self._variables)}"
            raise SchemaError(message)
        return found

    def find_dimension(self, group: str, name: str) -> Dimension | None:
        """Return the dimension of this name in `group` or its nearest ancestor, or None."""
        owner = self._owners.get((normalise_path(group), name))
        return None if owner is None else self._groups[owner].dimensions[name]

    def dimension_path(self, group: str, name: str) -> str:
        """Return the path of the dimension that `name` refers to in `group`: the path of the declaring group and the name."""
        return join(self._owners[group, name], name)

    @cached_property
    def dimension_paths(self) -> dict[str, tuple[str, ...]]:
        """The paths of the dimensions of each variable, by path of the variable."""
        return {
            path: tuple(self.dimension_path(split(path)[0], name) for name in variable.dimensions)
            for path, variable in self._variables.items()
        }

    def dimensions_of(self, path: str) -> tuple[Dimension, ...]:
        """Return the dimensions of the variable at `path`, in the order of its axes."""
        variable, group = self.get_variable(path), split(path)[0]
        found = (self.find_dimension(group, name) for name in variable.dimensions)
        return tuple(dimension for dimension in found if dimension is not None)

    def spans(self, path: str, dimension: str) -> bool:
        """Return whether the variable at `path` has the dimension `dimension` of the root."""
        return dimension in self.dimensions and dimension in self.get_variable(path).dimensions

    def coordinates_of(self, path: str, among: Container[str]) -> tuple[str, ...]:
        """Return the names of the auxiliary coordinates of a variable: the value of its CF attribute ``coordinates``.

        These are the coordinates of its group whose dimensions the variable has, without those named like their dimension.
        Source: CF conventions 1.11, section 5.

        Parameters
        ----------
        path
            Path of the variable. The result for a coordinate is empty.
        among
            Paths of the variables that are stored with it.
        """
        variable, group = self.get_variable(path), split(path)[0]
        if variable.coordinate or variable.name in variable.dimensions:
            return ()
        return tuple(
            other.name
            for other in self._groups[group].variables.values()
            if other.coordinate and not other.is_index and join(group, other.name) in among
            if set(other.dimensions) <= set(variable.dimensions)
        )

    def select(self, names: Iterable[str]) -> Self:
        """Return the schema with only these variables, and the groups and dimensions that they need.

        Raises
        ------
        SchemaError
            A name is unknown.
        """
        selected = frozenset(map(normalise_path, names))
        if selected not in self._selections:
            for name in sorted(selected):
                self.get_variable(name)
            pruned = _prune(self, ROOT, selected)
            self._selections[selected] = evolve(
                self, dimensions=pruned.dimensions, variables=pruned.variables, groups=pruned.groups
            )
        return self._selections[selected]

    def with_variables(
        self,
        variables: Mapping[str, VariableSchema],
        *,
        dimensions: Mapping[tuple[str, str], Dimension] | None = None,
    ) -> Self:
        """Return the schema with added or replaced variables; missing groups are created.

        Parameters
        ----------
        variables
            The variables, by path.
        dimensions
            New dimensions, by path of the group and name.

        Raises
        ------
        SchemaError
            The name of a variable is not the last part of its path, or a dimension is not declared in its group or an
            ancestor.
        """
        for path, variable in variables.items():
            if split(normalise_path(path))[1] != variable.name:
                message = (
                    f"the variable at {path!r} has the name {variable.name!r}; accepted: the last part of its path"
                )
                raise SchemaError(message)
        return self._changed(
            {normalise_path(path): variable for path, variable in variables.items()}, dimensions=dimensions or {}
        )

    def without_variable(self, path: str) -> Self:
        """Return the schema without a variable; its group and dimensions are kept.

        Raises
        ------
        SchemaError
            The schema has no such variable.
        """
        self.get_variable(path)
        return self._changed({normalise_path(path): None})

    def _changed(
        self,
        changes: Mapping[str, VariableSchema | None],
        dimensions: Mapping[tuple[str, str], Dimension] | None = None,
    ) -> Self:
        # A plain group, because a DatasetSchema is validated on creation and intermediate states may be invalid.
        plain = GroupSchema(dimensions=self.dimensions, variables=self.variables, groups=self.groups, attrs=self.attrs)
        root = _with_dimensions(_change(plain, ROOT, changes), ROOT, dimensions or {})
        return evolve(self, dimensions=root.dimensions, variables=root.variables, groups=root.groups)

    def resized(self, sizes: Mapping[str, int]) -> Self:
        """Return the schema with other sizes of dimensions, given by name or by the path ``"group/name"``."""
        resized = _resize(self, ROOT, sizes)
        return evolve(self, dimensions=resized.dimensions, groups=resized.groups)


_KIND: Final = "schema"

documents.write_as_list(GroupSchema)


_DECLARED: Final[Columns[VariableSchema]] = {
    "name": lambda variable: variable.name,
    "dimensions": lambda variable: in_brackets(variable.dimensions),
    "dtype": lambda variable: dtype_name(variable.dtype),
    "units": lambda variable: variable.attrs.get("units"),
    "fill value": lambda variable: value_in_words(variable.fill_value),
    "packing": lambda variable: packing_in_words(variable.packing),
    "coordinate": lambda variable: "yes" if variable.coordinate or variable.is_index else None,
}
_DIMENSION: Final[Columns[Dimension]] = {
    "name": lambda dimension: dimension.name,
    "size": lambda dimension: "any" if dimension.size is None else dimension.size,
    "chunks": lambda dimension: dimension.chunks,
    "shards": lambda dimension: dimension.shards,
}


def parts_of_schema(group: GroupSchema, most: int = MOST_GROUPS) -> list[Part]:
    """Return the printed parts of a schema; `most` limits the number of printed groups."""
    return [
        Table.of("Dimensions", group.dimensions.values(), _DIMENSION),
        Table.of("Variables", group.variables.values(), _DECLARED),
        attributes(group.attrs),
        *groups_below(group.groups, parts_of_schema, most),
    ]


def _validate_group(schema: DatasetSchema, path: str, group: GroupSchema) -> None:
    if path:
        validate_segment(group.name, what="group")
    for name in group.variables.keys() & group.groups.keys():
        message = f"{join(path, name)!r} is both a variable and a group"
        raise SchemaError(message)
    parent = split(path)[0]
    for name in group.dimensions:
        if path and schema.find_dimension(parent, name) is not None:
            message = f"dimension {name!r} of group {path!r} is already declared by a group above it"
            raise SchemaError(message)
    for variable in group.variables.values():
        for name in variable.dimensions:
            if schema.find_dimension(path, name) is None:
                known = [known for part in ancestors(path) for known in schema.get_group(part).dimensions]
                message = (
                    f"dimension {name!r} of variable {join(path, variable.name)!r} is unknown; {accepted(name, known)}"
                )
                raise SchemaError(message)


def _prune(group: GroupSchema, path: str, selected: frozenset[str]) -> GroupSchema:
    variables = {name: variable for name, variable in group.variables.items() if join(path, name) in selected}
    children = {name: _prune(child, join(path, name), selected) for name, child in group.groups.items()}
    kept = {name: child for name, child in children.items() if child.variables or child.groups}
    used = {name for variable in variables.values() for name in variable.dimensions}
    used |= {name for child in kept.values() for name in _dimensions_used(child)}
    dimensions = {name: dimension for name, dimension in group.dimensions.items() if name in used}
    return GroupSchema(name=group.name, dimensions=dimensions, variables=variables, groups=kept, attrs=group.attrs)


def _change(group: GroupSchema, path: str, changes: Mapping[str, VariableSchema | None]) -> GroupSchema:
    """Return a group with variables of the group and its descendants added, replaced or, for None, removed."""
    own = {split(changed)[1]: variable for changed, variable in changes.items() if split(changed)[0] == path}
    variables = {name: variable for name, variable in group.variables.items() if own.get(name, variable) is not None}
    variables |= {name: variable for name, variable in own.items() if variable is not None}
    prefix = f"{path}/" if path else ""
    below = [changed.removeprefix(prefix) for changed in changes if changed.startswith(prefix)]
    children = dict.fromkeys([*group.groups, *(first for first, _, rest in (p.partition("/") for p in below) if rest)])
    groups = {
        name: _change(group.groups.get(name) or GroupSchema(name=name), join(path, name), changes) for name in children
    }
    return evolve(group, variables=variables, groups=groups)


def _with_dimensions(group: GroupSchema, path: str, more: Mapping[tuple[str, str], Dimension]) -> GroupSchema:
    if not more:
        return group
    own = {name: dimension for (owner, name), dimension in more.items() if owner == path}
    groups = {name: _with_dimensions(child, join(path, name), more) for name, child in group.groups.items()}
    return evolve(group, dimensions={**group.dimensions, **own}, groups=groups)


def _dimensions_used(group: GroupSchema) -> set[str]:
    return {name for _, child in group.walk() for variable in child.variables.values() for name in variable.dimensions}


def _resize(group: GroupSchema, path: str, sizes: Mapping[str, int]) -> GroupSchema:
    def size(dimension: Dimension) -> int | None:
        return sizes.get(join(path, dimension.name), sizes.get(dimension.name, dimension.size))

    return evolve(
        group,
        dimensions={name: evolve(dimension, size=size(dimension)) for name, dimension in group.dimensions.items()},
        groups={name: _resize(child, join(path, name), sizes) for name, child in group.groups.items()},
    )
