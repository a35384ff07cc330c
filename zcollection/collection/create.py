"""Creation of a collection: checks that its schema, axis and partitioning fit together."""

from typing import Any

import numpy as np
from attrs import evolve

from zcollection.collection.maintain.ages import Keep, kept_by
from zcollection.collection.open_collection import OpenCollection
from zcollection.contracts.partitioning import Partitioning
from zcollection.engine.write import validate_codecs
from zcollection.errors import SchemaError, accepted
from zcollection.model.builder import as_schema
from zcollection.model.names import join, normalise_path
from zcollection.model.schema import DatasetSchema, GroupSchema, VariableSchema
from zcollection.model.times import DEFAULT_UNITS, units_of
from zcollection.registry import stored
from zcollection.registry.brief import from_text
from zcollection.transaction.documents import Configuration
from zcollection.transaction.retention import Retention
from zcollection.transaction.versioning import Versioning


async def create(
    versioning: Versioning,
    *,
    schema: object,
    axis: str,
    partitioning: Partitioning | str,
    catalog_enabled: bool | None,
    keep: Keep,
    overwrite: bool,
) -> OpenCollection:
    """Create a collection.

    Raises
    ------
    CollectionExistsError
        A collection or another Zarr hierarchy exists there, and `overwrite` is false.
    SchemaError
        The schema, axis and partitioning do not fit together.
    PluginError
        The partitioning is not registered under a name, which its stored form needs.
    """
    versioning.store.check_writable()
    catalog = _decide_catalog(versioning, catalog_enabled)
    declared = as_schema(schema, axis=axis)
    partitioning = partitioning_for(partitioning, declared, axis)
    configuration = _configure(declared, axis, partitioning, catalog=catalog)
    configuration = evolve(configuration, retention=_retention(versioning, keep))
    return OpenCollection(versioning, await versioning.initialise(configuration, overwrite=overwrite), [partitioning])


def _retention(versioning: Versioning, keep: Keep) -> Retention | None:
    if keep is None:
        return None
    if not versioning.has_catalog:
        raise versioning.retention_refused()
    versions, seconds = kept_by(keep)
    return Retention(versions=versions, seconds=seconds)


def _decide_catalog(versioning: Versioning, enabled: bool | None) -> bool:
    if enabled and not versioning.has_catalog:
        message = (
            f"catalog_enabled=True for {versioning.store.url}; accepted: False or None, because a transactional store knows its "
            f"partitions without a catalog"
        )
        raise SchemaError(message)
    return versioning.has_catalog if enabled is None else enabled


def repartitioned(opened: OpenCollection, given: Partitioning | str) -> OpenCollection:
    """Return a collection with another partitioning, which may require time units in the schema.

    Raises
    ------
    SchemaError
        The partitioning does not fit the collection.
    PluginError
        The partitioning is not registered under a name, which its stored form needs.
    """
    before = opened.configuration
    partitioning = partitioning_for(given, before.schema, before.axis)
    made = _configure(before.schema, before.axis, partitioning, catalog=before.catalog)
    layouts = before.layouts if made.schema == before.schema else (*before.layouts, made.schema)
    after = evolve(before, partitioning=made.partitioning, depth=made.depth, layouts=layouts)
    return OpenCollection(opened.versioning, after, [partitioning])


def partitioning_for(given: Partitioning | str, schema: DatasetSchema, axis: str) -> Partitioning:
    """Return the partitioning, adapted to the declared types of its variables."""
    partitioning = from_text(given, axis=axis) if isinstance(given, str) else given
    if not isinstance(partitioning, Partitioning):
        message = (
            f"partitioning is a {type(partitioning).__name__}; accepted: a partitioning such as "
            f"zcollection.partitioning.Date(('time',), resolution='D'), or a string such as 'date:D'"
        )
        raise SchemaError(message)
    return partitioning.for_types({name: schema.get_variable(name).dtype for name in partitioning.variables})


def _configure(schema: DatasetSchema, axis: str, partitioning: Partitioning, *, catalog: bool) -> Configuration:
    dimension = _dimension(schema, axis, partitioning)
    for name in partitioning.variables:
        _check_column(schema, name, dimension)
    schema = _with_time_units(schema, {normalise_path(name) for name in partitioning.time_variables})
    for name in partitioning.time_variables:
        _check_calendar(schema.get_variable(name), partitioning)
    validate_codecs(schema, dimension=dimension)
    return Configuration(
        axis=axis,
        dimension=dimension,
        partitioning=stored.store(partitioning),
        depth=len(partitioning.fields),
        catalog=catalog,
        layouts=(schema,),
    )


def _dimension(schema: DatasetSchema, axis: str, partitioning: Partitioning) -> str:
    """Return the dimension of the axis, along which the collection is partitioned."""
    if axis in schema.variables:
        dimensions = schema.variables[axis].dimensions
        if len(dimensions) != 1 or dimensions[0] not in schema.dimensions:
            message = (
                f"axis {axis!r} has the dimensions {dimensions}; accepted: a variable with one dimension, of the root"
            )
            raise SchemaError(message)
        dimension = dimensions[0]
    elif axis in schema.dimensions:
        dimension = axis
    else:
        message = f"axis {axis!r} is neither a variable nor a dimension of the root; {accepted(axis, schema.variables)}"
        raise SchemaError(message)
    if partitioning.dimension not in {None, dimension}:
        message = (
            f"partitioning has the dimension {partitioning.dimension!r}; accepted: that of the axis, {dimension!r}"
        )
        raise SchemaError(message)
    _check_sizes(schema, dimension)
    return dimension


def _check_sizes(schema: DatasetSchema, dimension: str) -> None:
    for path, group in schema.walk():
        for name, item in group.dimensions.items():
            partitioned = not path and name == dimension
            if partitioned and item.size is not None:
                message = (
                    f"dimension {name!r} has the size {item.size}; the partitioned dimension is declared without one"
                )
                raise SchemaError(message)
            if not partitioned and item.size is None:
                message = f"dimension {join(path, name)!r} has no size; only the partitioned one, {dimension!r}, grows"
                raise SchemaError(message)


def _check_column(schema: DatasetSchema, name: str, dimension: str) -> None:
    variable = schema.get_variable(name)
    if variable.dimensions != (dimension,) or not schema.spans(name, dimension):
        message = f"partitioning variable {name!r} has the dimensions {variable.dimensions}; accepted: ({dimension!r},)"
        raise SchemaError(message)


def _with_time_units(schema: DatasetSchema, times: set[str]) -> DatasetSchema:
    """Return the schema with time units on every time that the partitioning reads, so that they are stored."""
    root = _time_units_in(schema, "", times)
    return evolve(schema, variables=root.variables, groups=root.groups)


def _time_units_in(group: GroupSchema, path: str, times: set[str]) -> GroupSchema:
    return evolve(
        group,
        variables={
            name: _as_time(variable) if join(path, name) in times else variable
            for name, variable in group.variables.items()
        },
        groups={name: _time_units_in(child, join(path, name), times) for name, child in group.groups.items()},
    )


def _as_time(variable: VariableSchema) -> VariableSchema:
    kind: str = np.dtype(variable.dtype).kind
    if kind == "M" and "units" not in variable.attrs:
        return variable
    attrs: dict[str, Any] = variable.attrs
    if kind == "i" and "units" not in attrs:
        attrs = {**attrs, "units": DEFAULT_UNITS}
    if kind not in "Miuf" or "units" not in attrs:
        message = (
            f"partitioning reads variable {variable.name!r} as a time, and it is {variable.dtype} without time units; "
            f"accepted: datetime64, or numbers with CF units such as {DEFAULT_UNITS!r}"
        )
        raise SchemaError(message)
    units_of(attrs, name=variable.name)
    return variable if attrs is variable.attrs else evolve(variable, attrs=attrs)


def _check_calendar(variable: VariableSchema, partitioning: Partitioning) -> None:
    """Check that a partitioning supports the calendar of its times."""
    if variable.dtype.kind == "M" or partitioning.calendars:
        return
    units = units_of(variable.attrs, name=variable.name)
    if not units.has_datetime64:
        message = (
            f"variable {variable.name!r} counts time in the calendar {units.calendar!r}, and {partitioning!r} takes datetime64, which "
            f"has the calendars 'standard' and 'proleptic_gregorian'; use a partitioning for other calendars, such as 'date'"
        )
        raise SchemaError(message)
