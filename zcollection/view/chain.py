"""Chains of computations: a computation may read the variables that an earlier one has computed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property, reduce

from attrs import field, frozen

from zcollection.collection.read.neighbours import Halo, as_halo, widened
from zcollection.collection.read.window import Window
from zcollection.collection.write.conform import as_dataset
from zcollection.contracts.computation import Computation
from zcollection.errors import SchemaError, accepted
from zcollection.model.dataset import Dataset
from zcollection.model.names import normalise_path
from zcollection.model.schema import DatasetSchema, VariableSchema
from zcollection.model.variable import Variable
from zcollection.registry import stored
from zcollection.registry.hookspecs import Family
from zcollection.registry.stored import StoredForm


def as_computations(given: object) -> tuple[Computation, ...]:
    """Return a computation, or a sequence of computations, as a tuple.

    Raises
    ------
    SchemaError
        `given` contains something other than computations.
    """
    computations = (given,) if isinstance(given, Computation) else given
    if not isinstance(computations, Iterable) or isinstance(computations, str):
        computations = (given,)
    checked = tuple(computations)
    for computation in checked:
        if not isinstance(computation, Computation):
            message = (
                f"computation is a {type(computation).__name__}; accepted: a computation such as "
                f"zcollection.computation.Expression({{'sla': 'ssh - mss'}}), or a sequence of them"
            )
            raise SchemaError(message)
    return checked


def identity(forms: Iterable[StoredForm]) -> str:
    """Return a digest of the names and configurations of computations; "" if there are none."""
    value = [[form.name, form.configuration] for form in forms]
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32] if value else ""


@frozen(eq=False)
class Chain:
    """Computations over a base.

    Attributes
    ----------
    computations
        The computations, in the order in which they are applied.
    schema
        The schema of the base.
    """

    computations: tuple[Computation, ...]
    schema: DatasetSchema
    _stages: "tuple[_Stage, ...]" = field(init=False)

    @_stages.default
    def _make_stages(self) -> "tuple[_Stage, ...]":
        stages: list[_Stage] = []
        schema = self.schema
        for computation in self.computations:
            stages.append(_Stage.of(computation, schema))
            schema = schema.with_variables(stages[-1].outputs)
        return tuple(stages)

    @classmethod
    def restored(cls, forms: Iterable[StoredForm], schema: DatasetSchema) -> "Chain":
        """Return the computations that are stored in a view.

        Raises
        ------
        PluginError
            A plugin is missing or broken.
        SchemaError
            The base lacks a variable that one of them reads.
        """
        return cls(tuple(stored.restore(Family.VIEW, form) for form in forms), schema)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Paths of the variables of the base that are read."""
        made: set[str] = set()
        inputs: dict[str, None] = {}
        for stage in self._stages:
            inputs |= dict.fromkeys(path for path in stage.inputs if path not in made)
            made |= stage.outputs.keys()
        return tuple(inputs)

    @cached_property
    def halo(self) -> Halo:
        """The neighbouring rows of the base that are read: the halo of the last computation, widened by those before it."""
        depths = [depth for stage in reversed(self._stages) for depth in as_halo(stage.computation.halo)]
        return reduce(widened, depths, ())

    @cached_property
    def outputs(self) -> dict[str, VariableSchema]:
        """The computed variables, by path."""
        return {path: variable for stage in self._stages for path, variable in stage.outputs.items()}

    def compute(self, window: Window, dimension: str) -> Dataset:
        """Return the computed variables for all rows of a window.

        Raises
        ------
        SchemaError
            A computation returned other variables than it declares.
        """
        variables = window.rows.all_variables()
        for stage in self._stages:
            variables = {**variables, **stage.compute(variables, dimension, window.rows_given)}
        schema = self.schema.with_variables(self.outputs).select(self.outputs)
        return Dataset(schema, {name: variables[name] for name in self.outputs})


@frozen
class _Stage:
    """One computation of a chain.

    Attributes
    ----------
    computation
        The computation.
    schema
        The variables available to it: those of the base and of the computations before it.
    inputs, outputs
        The paths of the variables that it reads, and the variables that it computes.
    """

    computation: Computation
    schema: DatasetSchema
    inputs: tuple[str, ...]
    outputs: dict[str, VariableSchema]

    @classmethod
    def of(cls, computation: Computation, schema: DatasetSchema) -> "_Stage":
        outputs = {normalise_path(path): item for path, item in computation.outputs(schema).items()}
        inputs = tuple(map(normalise_path, computation.inputs))
        schema.select(inputs)  # raises for an unknown variable
        return cls(computation, schema, inputs, outputs)

    @cached_property
    def _given(self) -> DatasetSchema:
        return self.schema.select(self.inputs)

    @cached_property
    def _made(self) -> DatasetSchema:
        return self.schema.with_variables(self.outputs).select(self.outputs)

    def compute(self, variables: Mapping[str, Variable], dimension: str, rows: int) -> Mapping[str, Variable]:
        """Return the outputs, after checking them."""
        given = Dataset(self._given, {path: variables[path].data for path in self.inputs})
        name = type(self.computation).__name__
        result: object = self.computation.compute(given)
        if not isinstance(result, Mapping):
            message = f"{name} returned a {type(result).__name__}; accepted: a mapping from variable paths to arrays"
            raise SchemaError(message)
        made = as_dataset(result, self._made).all_variables()
        for path in self.outputs.keys() - made.keys():
            message = f"{name} did not return {path!r}, which it declares; {accepted(path, made)}"
            raise SchemaError(message)
        for path, variable in made.items():
            length = variable.shape[variable.dimensions.index(dimension)]
            if length != rows:
                message = f"{name} returned {length} rows of {path!r} for {rows} rows; it must return one value per row"
                raise SchemaError(message)
        return made
