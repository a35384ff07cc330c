"""A collection made: its configuration checked, and its first documents written."""

import uuid
from typing import Any

import numpy as np
from attrs import evolve

from zcollection.collection.handle import Handle, load
from zcollection.collection.insert import retrying
from zcollection.contracts.partitioning import Partitioning
from zcollection.contracts.store import KeyStore, Read
from zcollection.engine.layout import group_document
from zcollection.engine.write import validate_codecs
from zcollection.errors import (
    CollectionExistsError,
    ConflictError,
    CorruptionError,
    FormatVersionError,
    SchemaError,
    accepted,
)
from zcollection.model.builder import as_schema
from zcollection.model.names import join, normalise_path
from zcollection.model.schema import DatasetSchema, GroupSchema, VariableSchema
from zcollection.model.times import DEFAULT_UNITS, units_of
from zcollection.plugins import stored
from zcollection.transaction import catalog, log
from zcollection.transaction.catalog import Checkpoint
from zcollection.transaction.documents import CONFIGURATION, TRANSACTIONS, Configuration
from zcollection.transaction.transaction import begin


async def create(
    store: KeyStore,
    *,
    schema: object,
    axis: str,
    partitioning: Partitioning,
    catalog_enabled: bool | None,
    overwrite: bool,
) -> Handle:
    """Create a collection.

    Raises
    ------
    CollectionExistsError
        There is one, or another Zarr hierarchy, and `overwrite` is false.
    SchemaError
        The schema, axis and partitioning do not fit each other.
    PluginError
        The partitioning has no name to be stored under.
    """
    store.check_writable()
    configuration = _configure(as_schema(schema), axis, partitioning, catalog_enabled)
    return Handle(store, await initialise(store, configuration, overwrite=overwrite), [partitioning])


async def initialise(store: KeyStore, configuration: Configuration, *, overwrite: bool) -> Configuration:
    """Write the first documents of a collection, and return the configuration as it is stored.

    Raises
    ------
    CollectionExistsError
        There is one, or another Zarr hierarchy, and `overwrite` is false.
    """
    store.check_writable()
    existing, root = await store.get([Read(CONFIGURATION), Read("zarr.json")])
    if overwrite:
        old = None if existing is None else await _loaded(store)
        if old is not None:
            return await retrying(lambda: _replace(old, configuration))
        await _clear(store)
    elif existing is not None or root is not None:
        raise _exists(store)
    documents = {
        "zarr.json": group_document(configuration.schema.attrs),
        f"{TRANSACTIONS}/zarr.json": _transactions_document(),
        **log.first(uuid.uuid4().hex),
    }
    if configuration.catalog:
        documents |= catalog.array_document()
    await store.put(documents)
    if configuration.catalog:
        await catalog.save(store, Checkpoint())
    # Last, and by put-if-absent: of several creators one wins, and a collection exists once it is complete.
    document = configuration.dump()
    created = await store.create(CONFIGURATION, document)
    if created != "created" and (created == "exists" or await store.get([Read(CONFIGURATION)]) != [document]):
        raise _exists(store)
    await store.flush("")
    return configuration


async def _loaded(store: KeyStore) -> Handle | None:
    """Return the collection that is there, or None where it is so damaged that it cannot be replaced as one change."""
    try:
        old = await load(store)
        await old.snapshot()
    except (CorruptionError, FormatVersionError, ConflictError):
        return None
    return old


async def _replace(old: Handle, configuration: Configuration) -> Configuration:
    """Put an empty collection in the place of another, as one change of that: readers see the one or the other."""
    async with begin(old.store, old.configuration, "create") as transaction:
        for path in transaction.base.partitions:
            transaction.drop(path)
        transaction.replacement = configuration
        await transaction.commit()
    return (await load(old.store)).configuration


def _exists(store: KeyStore) -> CollectionExistsError:
    message = f"there is a collection, or another Zarr hierarchy, at {store.url}; open it, or pass overwrite=True to replace it"
    return CollectionExistsError(message)


async def _clear(store: KeyStore) -> None:
    """Delete the Zarr hierarchy below the root and our documents; foreign files stay."""
    await store.delete([CONFIGURATION])
    prefixes = [entry.key async for entry in store.list("") if entry.is_prefix]
    documents = await store.get([Read(f"{prefix}zarr.json") for prefix in prefixes])
    ours = [prefix for prefix, data in zip(prefixes, documents, strict=True) if data is not None]
    await store.delete([*ours, f"{TRANSACTIONS}/", "zarr.json"])


def _transactions_document() -> bytes:
    """Return the document of a scalar array, below which readers of Zarr neither look nor warn."""
    from zcollection.engine.layout import ArrayLayout

    variable = VariableSchema("transactions", dtype="uint8", dimensions=(), attrs={"description": "Transaction log"})
    return ArrayLayout(path="transactions", variable=variable, shape=(), chunks=()).document


def _configure(
    schema: DatasetSchema, axis: str, partitioning: Partitioning, catalog_enabled: bool | None
) -> Configuration:
    if not isinstance(partitioning, Partitioning):
        message = (
            f"partitioning is a {type(partitioning).__name__}; accepted: a partitioning such as "
            f"zcollection.partitioning.Date(('time',), resolution='D')"
        )
        raise SchemaError(message)
    dimension = _dimension(schema, axis, partitioning)
    for name in partitioning.variables:
        _check_column(schema, name, dimension)
    schema = _with_time_units(schema, {normalise_path(name) for name in partitioning.time_variables})
    validate_codecs(schema, dimension=dimension)
    return Configuration(
        axis=axis,
        dimension=dimension,
        partitioning=stored.store(partitioning),
        depth=len(partitioning.fields),
        catalog=True if catalog_enabled is None else catalog_enabled,
        layouts=(schema,),
    )


def _dimension(schema: DatasetSchema, axis: str, partitioning: Partitioning) -> str:
    """Return the dimension to partition along: that of the axis."""
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
    """Return the schema with units for every time that the partitioning reads, so that the file says what they are."""
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
