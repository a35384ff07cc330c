"""The fluent builder of schemas."""

from collections.abc import Mapping
from typing import Any, Self

from attrs import evolve, field, frozen

from zcollection.errors import SchemaError, accepted
from zcollection.model import representation, xarray_bridge
from zcollection.model.names import ancestors, normalise_path, split, validate_segment
from zcollection.model.schema import ROOT, DatasetSchema, Dimension, GroupSchema, VariableSchema
from zcollection.model.sections import Printed, Section


@frozen(repr=False)
class Schema(Printed):
    """Builder of a `DatasetSchema`; every method returns a new builder, so that a common start can be shared.

    Examples
    --------
    >>> schema = (
    ...     Schema()
    ...     .with_dimension("time", chunks=4096)
    ...     .with_variable("time", dtype="int64", dimensions=("time",))
    ...     .with_variable("ssh", dtype="float32", dimensions=("time",), fill_value=float("nan"))
    ...     .build()
    ... )
    >>> list(schema.all_variables())
    ['time', 'ssh']
    """

    _groups: dict[str, GroupSchema] = field(factory=lambda: {ROOT: GroupSchema()})

    def with_dimension(
        self,
        name: str,
        *,
        size: int | None = None,
        chunks: int | None = None,
        shards: int | None = None,
        group: str | None = None,
    ) -> Self:
        """Declare a dimension; the groups below `group` inherit it.

        Parameters
        ----------
        name
            Its name.
        size
            Its length; None for the dimension along which the collection is partitioned.
        chunks
            Elements per chunk along it; None lets the engine choose.
        shards
            Elements per shard along it, a multiple of `chunks`; None writes chunks as objects of their own.
        group
            Path of the group; the root by default. A group that does not exist yet is made.
        """
        dimension = Dimension(name, size=size, chunks=chunks, shards=shards)
        return self._add("dimensions", dimension, group)

    def with_variable(
        self,
        name: str,
        *,
        dtype: object,
        dimensions: tuple[str, ...],
        fill_value: object = None,
        codecs: object = None,
        attrs: Mapping[str, Any] | None = None,
        group: str | None = None,
    ) -> Self:
        """Declare a variable.

        Parameters
        ----------
        name
            Its name within the group.
        dtype
            NumPy type, its name, or ``"string"``.
        dimensions
            Names of dimensions of the group or of the groups above it.
        fill_value
            Value of what is missing; without one the variable must be in every dataset that is inserted.
        codecs
            A profile's name or a sequence of Zarr v3 codecs; None for the default profile.
        attrs
            Attributes, CF ``units`` among them.
        group
            Path of the group; the root by default.
        """
        variable = VariableSchema(
            name, dtype=dtype, dimensions=dimensions, fill_value=fill_value, codecs=codecs, attrs=attrs
        )
        return self._add("variables", variable, group)

    def with_attribute(self, name: str, value: object, *, group: str | None = None) -> Self:
        """Set an attribute of a group."""
        path = normalise_path(group or ROOT)
        groups = self._with_groups(path)
        groups[path] = evolve(groups[path], attrs={**groups[path].attrs, name: value})
        return evolve(self, groups=groups)

    def with_group(self, path: str, *, attrs: Mapping[str, Any] | None = None) -> Self:
        """Declare a group and those on the way to it."""
        path = normalise_path(path)
        groups = self._with_groups(path)
        groups[path] = evolve(groups[path], attrs={**groups[path].attrs, **(attrs or {})})
        return evolve(self, groups=groups)

    def build(self) -> DatasetSchema:
        """Return the schema.

        Raises
        ------
        SchemaError
            A variable has a dimension that neither its group nor one above declares, or names clash.
        """
        root = self._assemble(ROOT)
        return DatasetSchema(dimensions=root.dimensions, variables=root.variables, groups=root.groups, attrs=root.attrs)

    @classmethod
    def from_xarray(cls, dataset: object, *, axis: str, fill_values: bool = True) -> Self:
        """Return a builder that declares what an `xarray.Dataset` or `xarray.DataTree` holds.

        Parameters
        ----------
        dataset
            The Dataset or DataTree; only its metadata is read.
        axis
            The variable, or failing that the dimension, along which the collection will be partitioned: its dimension
            is declared without a size.
        fill_values
            Give floating-point variables that state no fill value NaN, and times NaT.
        """
        return cls(xarray_bridge.group_schemas(dataset, axis=axis, fill_values=fill_values))

    def _section(self) -> Section:
        return representation.of_schema(self, self._assemble(ROOT))

    def _add(self, kind: str, item: Dimension | VariableSchema, group: str | None) -> Self:
        path = normalise_path(group or ROOT)
        groups = self._with_groups(path)
        existing: dict[str, Any] = getattr(groups[path], kind)
        if item.name in existing:
            message = f"{kind.removesuffix('s')} {item.name!r} is declared twice in group {path or '/'!r}"
            raise SchemaError(message)
        changed: dict[str, Any] = {kind: {**existing, item.name: item}}
        groups[path] = evolve(groups[path], **changed)
        return evolve(self, groups=groups)

    def _with_groups(self, path: str) -> dict[str, GroupSchema]:
        """Return the groups declared so far, with `path` and its ancestors among them."""
        for part in path.split("/") if path else ():
            validate_segment(part, what="group")
        missing = {part: GroupSchema(name=split(part)[1]) for part in ancestors(path) if part not in self._groups}
        return {**self._groups, **missing}

    def _assemble(self, path: str) -> GroupSchema:
        children = {
            split(other)[1]: self._assemble(other) for other in self._groups if other and split(other)[0] == path
        }
        return evolve(self._groups[path], groups=children)


def as_schema(schema: object) -> DatasetSchema:
    """Return a schema given as such or as a builder.

    Raises
    ------
    SchemaError
        It is something else.
    """
    if isinstance(schema, Schema):
        return schema.build()
    if isinstance(schema, DatasetSchema):
        return schema
    message = (
        f"schema is a {type(schema).__name__}; {accepted('', ['zcollection.Schema', 'zcollection.DatasetSchema'])}"
    )
    raise SchemaError(message)
