"""Creation and loading of a view: checks that its variables fit the base."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve

from zcollection.collection.open_collection import OpenCollection
from zcollection.contracts.computation import Computation
from zcollection.engine.write import validate_codecs
from zcollection.errors import CollectionNotFoundError, SchemaError
from zcollection.model.builder import Schema
from zcollection.model.conventions import Conventions, check_meaning
from zcollection.model.dtypes import missing_value
from zcollection.model.names import normalise_path
from zcollection.model.schema import DatasetSchema, VariableSchema
from zcollection.model.value_metadata import ValueMetadata
from zcollection.registry import stored
from zcollection.transaction.documents import Configuration, ViewDefinition
from zcollection.transaction.versioning import Versioning
from zcollection.view.chain import Chain
from zcollection.view.open_view import OpenView
from zcollection.view.reference import stored as stored_reference


async def create(
    versioning: Versioning,
    base: OpenCollection,
    *,
    variables: object,
    computations: tuple[Computation, ...],
    shadow: bool,
    conventions: Conventions,
    reference: str | os.PathLike[str] | None,
    overwrite: bool,
) -> OpenView:
    """Create a view over a base.

    Raises
    ------
    SchemaError
        The variables do not fit the base.
    PluginError
        A computation is not registered under a name, which its stored form needs.
    CollectionExistsError
        The location is not empty, and `overwrite` is false.
    StoreError
        The reference is not the URL of a collection.
    """
    versioning.store.check_writable()
    if versioning.store.url == base.store.url:
        message = f"the view would be stored at {base.store.url}, which is its base; accepted: another location"
        raise SchemaError(message)
    declared = _declared(base, variables, computations)
    if conventions == "check":
        _check_meanings(base, declared)
    definition = ViewDefinition(
        base=stored_reference(base.store.url if reference is None else reference),
        computations=tuple(map(stored.store, computations)),
        shadow=shadow,
    )
    configuration = evolve(
        base.configuration,
        layouts=(_own_schema(base, declared, shadow=shadow),),
        catalog=versioning.has_catalog,
        version=0,
        changed=0,
        retention=None,  # the versions and tags of the base are not those of the view
        segments=False,
        view=definition,
    )
    return OpenView(base, OpenCollection(versioning, await versioning.initialise(configuration, overwrite=overwrite)))


async def load(versioning: Versioning) -> Configuration:
    """Return the configuration of a view.

    Raises
    ------
    CollectionNotFoundError
        There is no view, or a collection is stored there.
    """
    configuration = await versioning.load()
    if configuration.view is None:
        message = f"there is a collection at {versioning.store.url}, not a view; open it with open_collection()"
        raise CollectionNotFoundError(message)
    return configuration


def _declared(
    base: OpenCollection, variables: object, computations: tuple[Computation, ...]
) -> Mapping[str, VariableSchema]:
    """Return the variables of a view, by path: those given, or those that are computed."""
    if (variables is None) == (not computations):
        message = "a view has variables=…, which update() writes, or computation=…, which refresh() applies: pass exactly one of the two"
        raise SchemaError(message)
    if computations:
        return Chain(computations, base.schema).outputs
    return {normalise_path(path): variable for path, variable in _as_mapping(variables).items()}


def _as_mapping(variables: Any) -> Mapping[str, VariableSchema]:
    if isinstance(variables, Schema):
        variables = variables.build()
    if isinstance(variables, DatasetSchema):
        return variables.all_variables()
    if isinstance(variables, Mapping):
        found = dict(variables)
    elif isinstance(variables, Iterable):
        found = {getattr(item, "name", ""): item for item in variables}
    else:
        found = {"": variables}
    wrong = [item for item in found.values() if not isinstance(item, VariableSchema)]
    if wrong or not found:
        what = f"a {type(wrong[0]).__name__} among the" if wrong else "no"
        message = f"the view has {what} variables; accepted: a sequence of VariableSchema, a mapping from paths to them, or a schema"
        raise SchemaError(message)
    return found


def _own_schema(base: OpenCollection, declared: Mapping[str, VariableSchema], *, shadow: bool) -> DatasetSchema:
    """Return the schema of the view's own variables."""
    _check_names(base, declared, shadow=shadow)
    complete = {path: _with_fill(path, variable) for path, variable in declared.items()}
    schema = base.schema.with_variables(complete).select(complete)
    for path, variable in complete.items():
        if not schema.spans(path, base.dimension):
            message = f"variable {path!r} of the view has the dimensions {variable.dimensions}; accepted: {base.dimension!r} among them"
            raise SchemaError(message)
    validate_codecs(schema, dimension=base.dimension)
    return schema


def _check_names(base: OpenCollection, declared: Mapping[str, VariableSchema], *, shadow: bool) -> None:
    ordering = {base.configuration.axis, *map(normalise_path, base.partitioning.variables)}
    for path in declared:
        if path in ordering:
            message = f"the view has a variable {path!r}, which orders or partitions the rows of its base; accepted: another name"
            raise SchemaError(message)
        if path in base.schema.all_variables() and not shadow:
            message = (
                f"the view has a variable {path!r}, and so has its base; accepted: another name, or shadow=True, with which the "
                f"variable of the view replaces that of the base"
            )
            raise SchemaError(message)


def _check_meanings(base: OpenCollection, declared: Mapping[str, VariableSchema]) -> None:
    """Check that variables that shadow variables of the base have the same meaning."""
    theirs = base.schema.all_variables()
    for path in declared.keys() & theirs.keys():
        check_meaning(ValueMetadata.of_schema(declared[path]), theirs[path], name=path)


def _with_fill(path: str, variable: VariableSchema) -> VariableSchema:
    """Return a variable with a fill value, which is read in partitions that are not current."""
    if variable.fill_value is not None:
        return variable
    if variable.dtype.kind in "fcmM":
        return evolve(variable, fill_value=missing_value(variable.dtype))
    message = (
        f"variable {path!r} of the view is {variable.dtype} without a fill value, which is read where nothing has been computed; "
        f"declare one"
    )
    raise SchemaError(message)
