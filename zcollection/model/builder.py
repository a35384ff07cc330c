"""The fluent builder of schemas."""

from collections.abc import Mapping
from typing import Any, Self

from attrs import evolve, field, frozen

from zcollection.errors import SchemaError
from zcollection.model.dataset import Dataset
from zcollection.model.names import ancestors, normalise_path, split, validate_segment
from zcollection.model.packing import Packing
from zcollection.model.pandas_bridge import frame_schemas, is_frame
from zcollection.model.printed import Printed
from zcollection.model.schema import ROOT, DatasetSchema, Dimension, GroupSchema, VariableSchema, parts_of_schema
from zcollection.model.sections import Section, heading
from zcollection.model.xarray_source import group_schemas, is_xarray


@frozen(repr=False)
class Schema(Printed):
    """Builder of a `DatasetSchema`. Every method returns a new builder, so that builders can share a common base.

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
        """Declare a dimension, which the groups below `group` inherit.

        Parameters
        ----------
        name
            Name of the dimension.
        size
            Length; None for the dimension along which the collection is partitioned.
        chunks
            Elements per chunk along the dimension; None lets the engine choose.
        shards
            Elements per shard along the dimension, a multiple of `chunks`; None writes each chunk as a separate object.
        group
            Path of the group; the root by default. A missing group is created.
        """
        dimension = Dimension(name, size=size, chunks=chunks, shards=shards)
        return self._add("dimensions", dimension, group)

    def with_variable(
        self,
        name: str,
        *,
        dtype: object,
        dimensions: tuple[str, ...],
        packing: Packing | None = None,
        fill_value: object = None,
        codecs: object = None,
        attrs: Mapping[str, Any] | None = None,
        coordinate: bool = False,
        statistics: bool = False,
        group: str | None = None,
    ) -> Self:
        """Declare a variable.

        Parameters
        ----------
        name
            Name within the group.
        dtype
            NumPy type, its name, or ``"string"``.
        dimensions
            Names of dimensions of the group or of its ancestors.
        packing
            How float32 or float64 values are stored as smaller numbers, such as
            ``Packing("int16", scale_factor=1e-4, fill_value=-32768)``; None stores the values without packing.
        fill_value
            Value that marks a missing element. Without a fill value, every inserted dataset must contain the variable.
        codecs
            Name of a profile or sequence of Zarr v3 codecs; None for the default profile.
        attrs
            Attributes, such as CF ``units``.
        coordinate
            Whether the variable is a CF coordinate of other variables. A variable with the name of its only dimension
            is always a coordinate.
        statistics
            Whether to store the smallest and the largest value of every 256 rows, so that a condition on the variable reads
            only the zones that may match. The axis, latitudes and longitudes always have statistics.
        group
            Path of the group; the root by default.
        """
        variable = VariableSchema(
            name,
            dtype=dtype,
            dimensions=dimensions,
            packing=packing,
            fill_value=fill_value,
            codecs=codecs,
            attrs=attrs,
            coordinate=coordinate,
            statistics=statistics,
        )
        return self._add("variables", variable, group)

    def with_attribute(self, name: str, value: object, *, group: str | None = None) -> Self:
        """Set an attribute of a group."""
        path = normalise_path(group or ROOT)
        groups = self._with_groups(path)
        groups[path] = evolve(groups[path], attrs={**groups[path].attrs, name: value})
        return evolve(self, groups=groups)

    def with_group(self, path: str, *, attrs: Mapping[str, Any] | None = None) -> Self:
        """Declare a group, and its ancestors if they are missing."""
        path = normalise_path(path)
        groups = self._with_groups(path)
        groups[path] = evolve(groups[path], attrs={**groups[path].attrs, **(attrs or {})})
        return evolve(self, groups=groups)

    def build(self) -> DatasetSchema:
        """Return the schema.

        Raises
        ------
        SchemaError
            A variable has a dimension that neither its group nor an ancestor declares, or two names conflict.
        """
        root = self._assemble(ROOT)
        return DatasetSchema(dimensions=root.dimensions, variables=root.variables, groups=root.groups, attrs=root.attrs)

    @classmethod
    def from_xarray(cls, dataset: object, *, axis: str, fill_values: bool = True, packed: bool = True) -> Self:
        """Return a builder with the schema of an `xarray.Dataset` or `xarray.DataTree`.

        The schema includes coordinates, and the packing, fill values and chunks of an opened file. Times stay datetime64, or
        become numbers with units if datetime64 cannot represent their calendar.

        Parameters
        ----------
        dataset
            The Dataset or DataTree, decoded or not. Only metadata and arrays of objects are read.
        axis
            The variable, or else the dimension, along which the collection will be partitioned. Its dimension is
            declared without a size.
        fill_values
            Whether to add a fill value to variables without one: NaN for floats, NaT for times, "" for strings.
        packed
            False declares packed variables of the file as unpacked floats.

        Raises
        ------
        SchemaError
            The object has another type, has no such axis, or contains values that cannot be stored.
        """
        return cls(group_schemas(dataset, axis=axis, fill_values=fill_values, packed=packed))

    @classmethod
    def from_pandas(cls, frame: object, *, axis: str) -> Self:
        """Return a builder with the schema of a `pandas.DataFrame`: a variable for each column and each named index level.

        Parameters
        ----------
        frame
            The DataFrame. A column that may have missing values gets a fill value: NaN, NaT, the empty string, or the netCDF
            default for integers.
        axis
            The column or index level along which the collection will be partitioned.

        Raises
        ------
        SchemaError
            The object is not a DataFrame, has no such axis, or contains values that cannot be stored.
        """
        return cls(frame_schemas(frame, axis=axis))

    def _section(self) -> Section:
        schema = self._assemble(ROOT)
        return Section(heading(self, schema.name), parts_of_schema(schema))

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
        """Return the groups declared so far, completed by `path` and its ancestors."""
        for part in path.split("/") if path else ():
            validate_segment(part, what="group")
        missing = {part: GroupSchema(name=split(part)[1]) for part in ancestors(path) if part not in self._groups}
        return {**self._groups, **missing}

    def _assemble(self, path: str) -> GroupSchema:
        children = {
            split(other)[1]: self._assemble(other) for other in self._groups if other and split(other)[0] == path
        }
        return evolve(self._groups[path], groups=children)


def as_schema(schema: object, *, axis: str) -> DatasetSchema:
    """Return the schema described by a schema, a builder or a dataset.

    Parameters
    ----------
    schema
        A `DatasetSchema`, a `Schema`, a `Dataset`, or an `xarray.Dataset`, `xarray.DataTree` or `pandas.DataFrame`, of which
        only the metadata is used.
    axis
        The variable along whose dimension the collection is partitioned.

    Raises
    ------
    SchemaError
        The object has another type, or contains values that cannot be stored.
    """
    if is_xarray(schema):
        schema = Schema.from_xarray(schema, axis=axis)
    elif is_frame(schema):
        schema = Schema.from_pandas(schema, axis=axis)
    elif isinstance(schema, Dataset):
        schema = schema.schema
    if isinstance(schema, Schema):
        return schema.build()
    if isinstance(schema, DatasetSchema):
        return schema
    message = (
        f"schema is a {type(schema).__name__}; accepted: a zcollection.Schema, DatasetSchema or Dataset, or a dataset of xarray or "
        f"pandas, whose variables it declares"
    )
    raise SchemaError(message)
